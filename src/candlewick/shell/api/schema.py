"""The OpenAPI document: FastAPI's own for paths and questions, msgspec's structs for the answers.

takes   the type that a route answers with, and the finished app
gives   `responses` for the route, and the document as bytes, made once
never   validates or encodes an answer: the structs are what is sent
"""

from __future__ import annotations

from typing import Any

import msgspec
from fastapi import FastAPI

from candlewick.shell.api.problems import MEDIA_TYPE, ProblemRow

_REFERENCE = "#/components/schemas/{name}"
_PROBLEMS = {
    403: "The caller may not.",
    404: "No such symbol, venue or candle.",
    422: "A parameter that cannot be read.",
    503: "Stored rows cannot be read at the moment; see Retry-After.",
}
_QUERY_TIME = {
    "X-Query-Time-Ms": {
        "description": "Milliseconds that the store took, waiting included; 0 from memory.",
        "schema": {"type": "number"},
    }
}


class Schema:
    """What the routes of one app answer with."""

    def __init__(self) -> None:
        self._types: list[Any] = [ProblemRow]
        self._bytes: bytes | None = None

    def answers(self, gives: Any) -> dict[int | str, dict[str, Any]]:
        """The `responses` of a route whose body is of this type."""
        self._types.append(gives)
        ((shape,), _) = msgspec.json.schema_components([gives], ref_template=_REFERENCE)
        ((problem,), _) = msgspec.json.schema_components([ProblemRow], ref_template=_REFERENCE)
        found: dict[int | str, dict[str, Any]] = {
            200: {
                "description": "The rows.",
                "headers": _QUERY_TIME,
                "content": {"application/json": {"schema": shape}},
            }
        }
        for status, words in _PROBLEMS.items():
            found[status] = {"description": words, "content": {MEDIA_TYPE: {"schema": problem}}}
        return found

    def document(self, app: FastAPI) -> bytes:
        """OpenAPI 3.1 as JSON."""
        if self._bytes is None:
            told = app.openapi()
            _, shapes = msgspec.json.schema_components(self._types, ref_template=_REFERENCE)
            told.setdefault("components", {}).setdefault("schemas", {}).update(shapes)
            self._bytes = msgspec.json.encode(told)
        return self._bytes
