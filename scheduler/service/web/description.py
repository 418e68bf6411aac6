"""What the API says of itself: an OpenAPI description, with the shape of each answer.

The shapes are those of `scheduler.service.answers`, so that they are written once.
"""

from types import NoneType, UnionType
from typing import Any, Union, cast, get_args, get_origin, get_type_hints, is_typeddict

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from scheduler.service.answers import (
    DoneView,
    ExtentView,
    GridView,
    HistoryView,
    ListView,
    LogsView,
    PingView,
    PlannedView,
    PreviewView,
    ProblemsView,
    RerunView,
    StatusView,
    StoppedView,
    WhyView,
)

Schema = dict[str, Any]

_PLAIN: dict[object, str] = {
    str: "string",
    int: "integer",
    float: "number",
    bool: "boolean",
    NoneType: "null",
}

#: what is answered with status 200
SHAPES: dict[str, object] = {
    "GET /api/ping": PingView,
    "GET /api/status": StatusView,
    "GET /api/list": ListView,
    "GET /api/why": WhyView,
    "GET /api/history": HistoryView,
    "GET /api/plan": list[PlannedView],
    "GET /api/grid": GridView,
    "GET /api/logs": LogsView,
    "GET /api/execute": RerunView,
    "GET /api/backfill": ExtentView,
    "GET /api/reload": PreviewView | ProblemsView,
    "POST /api/stop": StoppedView,
    **{
        f"POST /api/{verb}": DoneView
        for verb in ("execute", "cancel", "pause", "resume", "backfill", "reload", "mark")
    },
}

_TOKEN = {
    "type": "http",
    "scheme": "bearer",
    "description": "the token stands in the scheduler's file in instance/",
}
_ERROR: Schema = {
    "type": "object",
    "properties": {"error": {"type": "string", "description": "one line"}},
    "required": ["error"],
}
_ERROR_REF = {"$ref": "#/components/schemas/Error"}
_ERRORS = {
    "400": "a parameter is wrong, names nothing, or asks for what cannot be done",
    "401": "the token is missing or wrong",
    "403": "the request was meant for, or comes from, another server",
    "411": "the length of the body is missing",
    "413": "the body is too long",
    "414": "the address is too long",
    "429": "too many requests without the token",
    "431": "the headers are too long",
    "500": "a mistake of the scheduler's own, which is in its log",
    "503": "it is busy or ending; it may still do what was asked",
}


class DescribedApp(FastAPI):
    """An application whose description tells also of the token, of errors and of answers."""

    def openapi(self) -> Schema:
        """Return the description."""
        if self.openapi_schema is None:
            self.openapi_schema = _described(self)
        return self.openapi_schema


def _described(app: FastAPI) -> Schema:
    document: Schema = get_openapi(title=app.title, version=app.version, routes=app.routes)
    named: dict[str, object] = {}
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            shape = SHAPES[f"{method.upper()} {path}"]
            _collect(shape, named)
            # What is wrong with parameters is told with 400.
            operation["responses"] = {
                "200": _response("the answer", _schema_of(shape)),
                **{status: _response(words, _ERROR_REF) for status, words in _ERRORS.items()},
            }
            operation["security"] = [{"token": []}]
    components: Schema = document.setdefault("components", {})
    schemas: Schema = components.setdefault("schemas", {})
    for unused in ("HTTPValidationError", "ValidationError"):
        schemas.pop(unused, None)
    schemas["Error"] = _ERROR
    schemas.update({name: _object_of(shape) for name, shape in named.items()})
    components["securitySchemes"] = {"token": _TOKEN}
    return document


def _response(words: str, schema: Schema) -> Schema:
    return {"description": words, "content": {"application/json": {"schema": schema}}}


def _schema_of(shape: object) -> Schema:
    """Return the schema of a type; those with names of their own are referred to."""
    if shape in _PLAIN:
        return {"type": _PLAIN[shape]}
    if is_typeddict(shape):
        return {"$ref": f"#/components/schemas/{cast('type', shape).__name__}"}
    parts = get_args(shape)
    match get_origin(shape):
        case origin if origin in (Union, UnionType):
            return {"anyOf": [_schema_of(part) for part in parts]}
        case origin if origin is list:
            return {"type": "array", "items": _schema_of(parts[0])}
        case origin if origin is dict:
            return {"type": "object", "additionalProperties": _schema_of(parts[1])}
        case _:
            assert shape is Any, f"no answer holds {shape}"
            return {}


def _object_of(shape: object) -> Schema:
    hints = get_type_hints(shape)
    return {
        "type": "object",
        "description": cast("type", shape).__doc__,
        "properties": {name: _schema_of(hint) for name, hint in hints.items()},
        "required": sorted(cast("Any", shape).__required_keys__),
    }


def _collect(shape: object, named: dict[str, object]) -> None:
    """Add the types with names of their own that a type is made of."""
    if is_typeddict(shape):
        name = cast("type", shape).__name__
        if name not in named:
            named[name] = shape
            for hint in get_type_hints(shape).values():
                _collect(hint, named)
    for part in get_args(shape):
        _collect(part, named)
