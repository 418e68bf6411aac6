"""What tests of the service share."""

import logging
from collections.abc import Iterator

import pytest


@pytest.fixture
def fresh_logging() -> Iterator[None]:
    """Put logging back as it was."""
    root, own = logging.getLogger(), logging.getLogger("scheduler")
    before = list(root.handlers), root.level, own.level
    yield
    for handler in set(root.handlers) - set(before[0]):
        handler.close()
    root.handlers[:], root.level = before[:2]
    own.setLevel(before[2])
