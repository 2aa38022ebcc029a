"""The running instance, seen from another process on the same machine.

takes   a data directory, or an address
gives   what the instance says of itself; a `UsageError` where it refuses, None where none runs
never   goes through a proxy, follows a redirect, or sends the local token to another machine

An instance announces itself in its data directory: `local.url`, its address, and `local.token`,
readable by its user only, the key to what only the operator may do.
"""

from __future__ import annotations

import http.client
import json
import os
import secrets
import threading
import time
from collections.abc import Callable
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import urlsplit

from candlewick.errors import UsageError

TOKEN_NAME = "local.token"  # noqa: S105 the name of a file
URL_NAME = "local.url"
TOKEN_HEADER = "X-Candlewick-Local"  # noqa: S105 the name of a header
STATUS_PATH = "/api/v1/status"
SPIKE_PATH = "/api/v1/test-spike"
_ANSWER_S_MAX = 5.0
_ANSWER_BYTES_MAX = 4 * 1_024 * 1_024
_ASK_AGAIN_S = 0.1
_EVERY_ADDRESS = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 what to call instead


def announce(data_dir: Path, url: str) -> str:
    """Say where this instance answers; call it with the address that was really bound.

    Returns:
        The token that the operator's calls must carry.
    """
    token = secrets.token_urlsafe(32)
    for name, text in ((TOKEN_NAME, token), (URL_NAME, url)):
        part = data_dir / f"{name}.part"
        part.unlink(missing_ok=True)
        file = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(file, "w", encoding="ascii") as out:
            out.write(f"{text}\n")
        part.replace(data_dir / name)
    return token


def forget(data_dir: Path) -> None:
    """Take the announcement back, at the end."""
    for name in (TOKEN_NAME, URL_NAME):
        (data_dir / name).unlink(missing_ok=True)


def url_of(host: str, port: int) -> str:
    """Where an instance that listens there can be called from this machine."""
    host = _EVERY_ADDRESS.get(host, host)
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def find_url(data_dir: Path, host: str, port: int) -> str:
    """The announced address, else the configured one."""
    try:
        return (data_dir / URL_NAME).read_text("ascii").strip()
    except (OSError, UnicodeDecodeError):
        return url_of(host, port)


def ask(
    url: str,
    path: str,
    body: dict[str, object] | None = None,
    token: str | None = None,
    wait_s_max: float = _ANSWER_S_MAX,
) -> dict[str, object] | None:
    """A GET, or with a body a POST, answered with a JSON object.

    Returns:
        The answer, or None where nobody listens.

    Raises:
        UsageError: a wrong address, an answer that is no JSON object, or a refusal.
    """
    parts = urlsplit(url)
    if parts.scheme != "http" or not parts.hostname:
        raise UsageError(f"url {url!r}: expected a form like http://127.0.0.1:8080")
    if token is not None and not _is_local(parts.hostname):
        raise UsageError(f"url {url!r}: this command works only with an instance on this machine")
    headers = {"Accept": "application/json"}
    if body is not None:
        headers["Content-Type"] = "application/json"
    if token is not None:
        headers[TOKEN_HEADER] = token
    link = http.client.HTTPConnection(parts.hostname, parts.port or 80, timeout=wait_s_max)
    try:
        link.request(
            "GET" if body is None else "POST",
            parts.path.rstrip("/") + path,
            None if body is None else json.dumps(body),
            headers,
        )
        response = link.getresponse()
        text = response.read(_ANSWER_BYTES_MAX)
    except (ConnectionError, TimeoutError, OSError, http.client.HTTPException):
        return None
    finally:
        link.close()
    return _understood(url, path, response.status, text)


def _understood(url: str, path: str, status: int, text: bytes) -> dict[str, object]:
    try:
        answer = json.loads(text)
    except (ValueError, RecursionError):
        answer = None
    if not isinstance(answer, dict):
        raise UsageError(
            f"{url}{path} answered {status} without a JSON object; something else than Candlewick "
            "listens there; give the right address with --url"
        )
    if status >= 400:
        raise UsageError(f"{url}{path} answered {status}: {answer.get('detail', answer)}")
    return answer


def ask_status(url: str) -> dict[str, object] | None:
    """What `GET /api/v1/status` says, or None where nobody listens."""
    return ask(url, STATUS_PATH)


def ask_spike(url: str, data_dir: Path, symbol: str, pct: float) -> dict[str, object] | None:
    """Ask the instance of this data directory for a test spike, as its operator."""
    try:
        token = (data_dir / TOKEN_NAME).read_text("ascii").strip()
    except FileNotFoundError:
        raise UsageError(
            f"an instance runs at {url}, but {data_dir / TOKEN_NAME} is not there; "
            "give its data directory with --data-dir"
        ) from None
    except PermissionError:
        raise UsageError(
            f"{data_dir / TOKEN_NAME}: only the user who started the instance may read it"
        ) from None
    return ask(url, SPIKE_PATH, {"symbol": symbol, "pct": pct}, token)


def when_up(
    data_dir: Path,
    host: str,
    port: int,
    then: Callable[[str, dict[str, object]], None],
    wait_s_max: float,
) -> None:
    """Watch, in the background, for a fresh announcement that answers; tell once with its status.

    An announcement that was there before is of another run, dead or not.
    """
    before = _token(data_dir)

    def watch() -> None:
        until = time.monotonic() + wait_s_max
        while time.monotonic() < until:
            time.sleep(_ASK_AGAIN_S)
            if _token(data_dir) in (before, ""):
                continue
            url = find_url(data_dir, host, port)
            try:
                status = ask(url, STATUS_PATH, wait_s_max=1.0)
            except UsageError:
                continue  # Not ready: a server that starts may refuse for a moment.
            if status is not None:
                then(url, status)
                return

    threading.Thread(target=watch, name="when-up", daemon=True).start()


def _token(data_dir: Path) -> str:
    try:
        return (data_dir / TOKEN_NAME).read_text("ascii").strip()
    except (OSError, UnicodeDecodeError):
        return ""


def _is_local(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
