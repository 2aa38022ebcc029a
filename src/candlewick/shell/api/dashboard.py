"""The dashboard's files, as the build left them: read once, served from memory.

takes   the folder `static/` of the package
gives   `/` and every file under it; hashed ones may be kept for ever, the others are asked about
never   opens a path that a caller wrote: what was not there at the start does not exist
"""

from __future__ import annotations

import hashlib
import mimetypes
from pathlib import Path
from typing import NamedTuple

from fastapi import FastAPI, Request
from starlette.responses import Response

from candlewick.shell.api.problems import Problem

STATIC = Path(__file__).parents[2] / "static"
BYTES_MAX = 32 * 2**20
_MISSING = "no-dashboard.html"
_TYPES = {
    ".js": "text/javascript",
    ".webmanifest": "application/manifest+json",
    ".map": "application/json",
}


class Asset(NamedTuple):
    body: bytes
    media_type: str
    etag: str
    cache: str


class Dashboard:
    """The files of one build; without one, a page that says how to make it."""

    def __init__(self, folder: Path = STATIC) -> None:
        self.files: dict[str, Asset] = {}
        if not (folder / "index.html").is_file():
            page = Path(__file__).parent / "pages" / _MISSING
            self.files["index.html"] = _asset("index.html", page.read_bytes())
            return
        paths = sorted(path for path in folder.rglob("*") if path.is_file())
        size = sum(path.stat().st_size for path in paths)
        assert size <= BYTES_MAX, f"{folder} holds {size} bytes, at most {BYTES_MAX} are served"
        for path in paths:
            name = path.relative_to(folder).as_posix()
            self.files[name] = _asset(name, path.read_bytes())

    async def file(self, request: Request, path: str) -> Response:
        asset = self.files.get(path or "index.html")
        if asset is None:
            raise Problem(404, "not_found", "there is nothing at this address")
        headers = {"ETag": asset.etag, "Cache-Control": asset.cache}
        if asset.etag in request.headers.get("if-none-match", ""):
            return Response(status_code=304, headers=headers)
        return Response(asset.body, headers={**headers, "Content-Type": asset.media_type})

    def install(self, app: FastAPI) -> None:
        """The last route: whatever no other has taken."""
        app.add_api_route(
            "/{path:path}",
            self.file,
            methods=["GET"],
            operation_id="dashboard",
            response_class=Response,
            include_in_schema=False,
        )


def _asset(name: str, body: bytes) -> Asset:
    suffix = Path(name).suffix
    kind = _TYPES.get(suffix) or mimetypes.guess_type(name)[0] or "application/octet-stream"
    if kind.startswith("text/"):
        kind += "; charset=utf-8"
    # Vite puts a hash of the content into every name under assets/.
    cache = "public, max-age=31536000, immutable" if name.startswith("assets/") else "no-cache"
    return Asset(body, kind, f'"{hashlib.blake2b(body, digest_size=12).hexdigest()}"', cache)
