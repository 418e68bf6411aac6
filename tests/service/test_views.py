"""What is shown of routines and tasks: nothing that is a secret by its name."""

from pathlib import Path

from scheduler.engine.states import TaskState
from scheduler.registry.routine import Routine, Variable, VariableFile
from scheduler.service.views import routine_view, task_view
from tests.support.builders import a_task


def test_a_routine_is_shown_with_its_words_and_variables_but_no_secret() -> None:
    routine = Routine(
        name="load",
        script="/load.py",
        arguments=("--token", "abc", "--password=abc", "{instant}"),
        environment=(
            Variable(name="API_KEY", value="abc"),
            Variable(name="MODE", value="daily"),
            VariableFile(path="/srv/.env"),
        ),
    )
    view = routine_view(routine, following=None, last=None, known_since=None)
    assert view["arguments"] == ["--token", "***", "--password=***", "{instant}"]
    assert view["environment"] == [
        {"name": "API_KEY", "value": "***"},
        {"name": "MODE", "value": "daily"},
        {"file": "/srv/.env"},
    ]


def test_a_routine_is_shown_with_the_way_its_attempts_start() -> None:
    routine = Routine(name="load", script="/load.py", preload=("pandas", "numpy"))
    view = routine_view(routine, following=None, last=None, known_since=None)
    assert (view["warm"], view["preload"]) == ("auto", ["pandas", "numpy"])


def test_a_task_is_shown_with_the_words_given_by_hand_but_no_secret() -> None:
    task = a_task(state=TaskState.RUNNING, arguments="--mode 'very slow' --token 'a b'")
    view = task_view(task, lambda id, attempt: Path("log"))
    assert view["arguments"] == ["--mode", "very slow", "--token", "***"]
    assert task_view(a_task(), lambda id, attempt: Path("log"))["arguments"] is None
    assert "a b" not in repr(task)
