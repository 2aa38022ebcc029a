"""What went wrong, as `application/problem+json` (RFC 9457), with a code and a trace id.

takes   a `Problem`, a validation error, an HTTP error of the framework, a failed store
gives   one shape of answer for all of them
never   a stack, a path of this machine, or a word of the store's own error
"""

from __future__ import annotations

import logging
import os
from http import HTTPStatus
from typing import Any

import msgspec
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import HTTPConnection, Request
from starlette.responses import Response

from candlewick.shell.api.headers import SECURITY_HEADERS
from candlewick.shell.database import StoreError

MEDIA_TYPE = "application/problem+json"
RETRY_AFTER_S = 5
_CODES = {400: "bad_request", 404: "not_found", 405: "method_not_allowed", 413: "too_big"}

log = logging.getLogger("candlewick.api")


class Problem(Exception):
    """An answer that is not what was asked for; `extra` adds fields to it."""

    def __init__(
        self,
        status: int,
        code: str,
        detail: str,
        headers: dict[str, str] | None = None,
        **extra: Any,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.code = code
        self.detail = detail
        self.headers = headers or {}
        self.extra = extra


class ProblemRow(msgspec.Struct, frozen=True, omit_defaults=True):
    """The body of every error."""

    type: str
    title: str
    status: int
    detail: str
    instance: str
    code: str
    trace_id: str
    errors: list[dict[str, str]] = []
    known: list[str] = []


def response(connection: HTTPConnection, problem: Problem) -> Response:
    """The answer that says so; a 5xx is logged under the same trace id."""
    trace_id = os.urandom(8).hex()
    path = connection.url.path
    row = ProblemRow(
        f"urn:candlewick:problem:{problem.code}",
        HTTPStatus(problem.status).phrase,
        problem.status,
        problem.detail,
        path[:200],
        problem.code,
        trace_id,
        **problem.extra,
    )
    if problem.status >= 500:
        log.error("%s %s trace_id=%s: %s", problem.status, path[:200], trace_id, problem.detail)
    return Response(
        msgspec.json.encode(row),
        problem.status,
        {**SECURITY_HEADERS, "Cache-Control": "no-store", **problem.headers},
        MEDIA_TYPE,
    )


def store_failed() -> Problem:
    """Rows cannot be read now; the reason is in the log and in the program's own health."""
    return Problem(
        503,
        "store_failed",
        "stored rows cannot be read at the moment",
        {"Retry-After": str(RETRY_AFTER_S)},
    )


def _invalid(error: RequestValidationError) -> Problem:
    errors = [
        {
            "field": ".".join(str(part) for part in e["loc"][1:])[:100],
            "message": str(e["msg"])[:300],
        }
        for e in error.errors()
    ]
    words = "; ".join(f"{e['field']}: {e['message']}" for e in errors[:5])
    return Problem(422, "bad_input", words, errors=errors[:50])


def install(app: FastAPI) -> None:
    """Every error of the app answers in this form."""

    @app.exception_handler(Problem)
    async def _problem(request: Request, error: Problem) -> Response:
        return response(request, error)

    @app.exception_handler(RequestValidationError)
    async def _validation(request: Request, error: RequestValidationError) -> Response:
        return response(request, _invalid(error))

    @app.exception_handler(StoreError)
    async def _store(request: Request, error: StoreError) -> Response:
        log.error("%s", error)
        return response(request, store_failed())

    @app.exception_handler(HTTPException)
    async def _http(request: Request, error: HTTPException) -> Response:
        code = _CODES.get(error.status_code, f"http_{error.status_code}")
        detail = (
            f"{request.method} {request.url.path[:200]}: {HTTPStatus(error.status_code).phrase}"
        )
        headers = dict(error.headers or {})
        return response(request, Problem(error.status_code, code, detail, headers))

    @app.exception_handler(500)
    async def _bug(request: Request, _error: Exception) -> Response:
        return response(request, Problem(500, "bug", "this is a fault of the program; see its log"))
