"""What every test gets: a scheduler home of its own, and Hypothesis without deadlines."""

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
