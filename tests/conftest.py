"""What every test gets: a scheduler home of its own, and Hypothesis without deadlines."""

import signal
from collections.abc import Iterator

import pytest
from hypothesis import settings

# A loaded machine is slow, not wrong; the blob lets a failure be run again by hand.
settings.register_profile("scheduler", deadline=None, print_blob=True)
settings.load_profile("scheduler")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the switch that rewrites the engine's transcripts instead of comparing them."""
    parser.addoption(
        "--update-transcripts",
        action="store_true",
        help="rewrite tests/engine/transcripts/*.txt; review the diff",
    )


@pytest.fixture(autouse=True, scope="session")
def heeded_signals() -> None:
    """Have the programs under test heed Ctrl-C, though the tests may run in the background."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT):
        if signal.getsignal(number) is signal.SIG_IGN:
            # A handler of Python's: a program that is started begins with the system's own.
            handler = signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL
            signal.signal(number, handler)


@pytest.fixture
def update_transcripts(request: pytest.FixtureRequest) -> bool:
    """Return whether the transcripts are to be rewritten."""
    return bool(request.config.getoption("--update-transcripts"))


@pytest.fixture(autouse=True, scope="session")
def scheduler_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep instance files and remembered folders out of the user's own state folder."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SCHEDULER_HOME", str(tmp_path_factory.mktemp("home")))
        yield
