"""Tells at the end how many inputs were tried."""

import pytest

from tests.support.fuzzing import TIMES, answered, tried


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the figures, where more than usual was asked for."""
    if TIMES > 1 and tried:
        terminalreporter.section("inputs tried")
        for what, count in sorted(tried.items()):
            further = f" ({answered[what]:,} answered with status 200)" if answered[what] else ""
            terminalreporter.line(f"{count:>10,}  {what}{further}")
        terminalreporter.line(f"{tried.total():>10,}  in all")
