"""JSON over HTTP: verbs that read ask `queries`, verbs that change put an `Ask` in the inbox.

No decisions and no SQL.  Nobody is answered without the token.
"""

import asyncio
import json
import logging
from collections.abc import Callable, Mapping
from concurrent.futures import CancelledError, Future
from contextlib import suppress
from typing import Annotated, Protocol

from fastapi import FastAPI, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from scheduler.errors import SchedulerError
from scheduler.service.inbox import Answer, Ask
from scheduler.service.web import verbs
from scheduler.service.web.description import DescribedApp
from scheduler.service.web.guard import Guard

log = logging.getLogger(__name__)


class AskBox(Protocol):
    """Where requests are put for the loop."""

    def put(self, item: Ask) -> None:
        """Take a request in."""
        ...


Answers = Mapping[str, Callable[[Mapping[str, str]], object]]
"""What answers each verb that reads, given the parameters that were sent."""

_REPLY_TIMEOUT = 30.0


def make_app(
    *,
    token: str,
    inbox: AskBox,
    answers: Answers,
    version: str,
    host: str = "127.0.0.1",
    reply_timeout: float = _REPLY_TIMEOUT,
) -> FastAPI:
    """Return the application; ``host`` is the address it will be served at.

    A request that changes something is answered once the loop has replied, or after
    ``reply_timeout`` seconds with status 503.
    """
    # The pages with the documentation would fetch scripts from elsewhere.
    app = DescribedApp(
        title="scheduler",
        version=version,
        openapi_url="/api/openapi.json",
        docs_url=None,
        redoc_url=None,
    )
    _add_reads(app, answers)
    _add_changes(app, inbox, reply_timeout)
    app.add_exception_handler(RequestValidationError, _refuse_parameters)
    app.add_exception_handler(HTTPException, _refuse)
    app.add_middleware(Guard, token=token, host=host)
    return app


def _add_reads(app: FastAPI, answers: Answers) -> None:
    def answer(verb: str, parameters: verbs.Parameters) -> Response:
        # A switch that is off says as much as one that is not there.
        stated = {key: value for key, value in parameters.given().items() if value is not False}
        given = {key: str(value) for key, value in stated.items()}
        return _responded(lambda: answers[verb](given))

    @app.get("/api/ping", summary="Whether the scheduler answers, and who it is")
    def ping(parameters: Annotated[verbs.Nothing, Query()]) -> Response:
        return answer("ping", parameters)

    @app.get("/api/status", summary="What runs, is blocked, failed, waits and comes next")
    def status(parameters: Annotated[verbs.Status, Query()]) -> Response:
        return answer("status", parameters)

    @app.get("/api/list", summary="The routines")
    def list_(parameters: Annotated[verbs.List, Query()]) -> Response:
        return answer("list", parameters)

    @app.get("/api/why", summary="Why a task is in its state, down to the root cause")
    def why(parameters: Annotated[verbs.Why, Query()]) -> Response:
        return answer("why", parameters)

    @app.get("/api/history", summary="Past tasks and their attempts")
    def history(parameters: Annotated[verbs.History, Query()]) -> Response:
        return answer("history", parameters)

    @app.get("/api/plan", summary="The tasks to come")
    def plan(parameters: Annotated[verbs.Plan, Query()]) -> Response:
        return answer("plan", parameters)

    @app.get("/api/grid", summary="What became of each routine's tasks, period by period")
    def grid(parameters: Annotated[verbs.Grid, Query()]) -> Response:
        return answer("grid", parameters)

    @app.get("/api/reload", summary="What a reload of the registry would change")
    def reload_(parameters: Annotated[verbs.Nothing, Query()]) -> Response:
        return answer("reload", parameters)

    @app.get("/api/execute", summary="The recorded tasks that an execute would run, in order")
    def execute_(parameters: Annotated[verbs.Rerun, Query()]) -> Response:
        return answer("execute", parameters)

    @app.get("/api/backfill", summary="How far a backfill is, and the tasks that it would plan")
    def backfill_(parameters: Annotated[verbs.Backfill, Query()]) -> Response:
        return answer("backfill", parameters)

    @app.get("/api/logs", summary="Where the log of an attempt is, and whether it still grows")
    def logs(parameters: Annotated[verbs.Logs, Query()]) -> Response:
        return answer("logs", parameters)


def _add_changes(app: FastAPI, inbox: AskBox, timeout: float) -> None:
    async def ask(verb: str, parameters: verbs.Parameters) -> Response:
        asked = Ask(verb=verb, parameters=parameters.given())
        inbox.put(asked)
        await _wait_for(asked.reply, timeout)
        return _responded(lambda: asked.reply.result(0))

    @app.post("/api/stop", summary="Start nothing more, and end when nothing runs")
    async def stop(parameters: verbs.Stop) -> Response:
        return await ask("stop", parameters)

    @app.post("/api/execute", summary="Run a task now, also again")
    async def execute(parameters: verbs.Execute) -> Response:
        return await ask("execute", parameters)

    @app.post("/api/cancel", summary="End a task")
    async def cancel(parameters: verbs.Cancel) -> Response:
        return await ask("cancel", parameters)

    @app.post("/api/pause", summary="Start no tasks of some routines; they are still planned")
    async def pause(parameters: verbs.Pause) -> Response:
        return await ask("pause", parameters)

    @app.post("/api/resume", summary="Let what was paused go on")
    async def resume(parameters: verbs.Resume) -> Response:
        return await ask("resume", parameters)

    @app.post("/api/reload", summary="Adopt the registry of a revision that was shown")
    async def reload(parameters: verbs.Reload) -> Response:
        return await ask("reload", parameters)

    @app.post("/api/backfill", summary="Run a routine's past tasks, behind all that is due")
    async def backfill(parameters: verbs.Backfill) -> Response:
        return await ask("backfill", parameters)

    @app.post("/api/mark", summary="Record tasks as succeeded or skipped, by hand")
    async def mark(parameters: verbs.Mark) -> Response:
        return await ask("mark", parameters)


async def _wait_for(reply: Future[Answer], timeout: float) -> None:
    """Wait until the loop has replied or the time is up.

    No thread is held meanwhile: one that waits would keep the process from ending.
    """
    running, has_come = asyncio.get_running_loop(), asyncio.Event()

    def wake(_: Future[Answer]) -> None:
        with suppress(RuntimeError):  # the server has stopped, and nobody waits any more
            running.call_soon_threadsafe(has_come.set)

    reply.add_done_callback(wake)
    # Cancelled when the server stops: then, too, the answer is that there was no reply.
    with suppress(TimeoutError, asyncio.CancelledError):
        await asyncio.wait_for(has_come.wait(), timeout)


class _Json(Response):
    media_type = "application/json"

    def render(self, content: object) -> bytes:
        text = json.dumps(content, ensure_ascii=False, allow_nan=False)
        # A log may hold bytes that are no text: as a lone surrogate's escape they stay JSON.
        return text.encode("utf-8", "backslashreplace")


def _error(status: int, message: str) -> Response:
    return _Json({"error": message}, status_code=status)


def _responded(act: Callable[[], object]) -> Response:
    """Return what an act gave as JSON, or its error; this is the outer edge of a request."""
    try:
        return _Json(act())
    except SchedulerError as error:
        return _error(400, str(error))
    except TimeoutError:
        return _error(
            503, "the scheduler is busy or ending, and has not replied: it may still do it"
        )
    except CancelledError:
        return _error(503, "the scheduler is ending")
    except Exception:
        log.exception("request failed")
        return _error(500, "internal error, see the scheduler's log")


def _refuse_parameters(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    return _error(400, "; ".join(verbs.explained(problem) for problem in error.errors()))


def _refuse(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    path = request.url.path[:200]
    return _error(error.status_code, f"{request.method} {path}: {error.detail}")
