"""A running instance, seen from another process."""

from __future__ import annotations

import json
import socket
import stat
import subprocess
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from candlewick.errors import UsageError
from candlewick.shell import instance

Run = Callable[..., subprocess.CompletedProcess[str]]


class Peer(BaseHTTPRequestHandler):
    """Whatever listens on the port: it answers as `answers` says and notes what it was asked."""

    answers: dict[str, tuple[int, bytes]]
    asked: list[tuple[str, str, str | None, bytes]]

    def do_GET(self) -> None:
        self.answer()

    def do_POST(self) -> None:
        self.answer()

    def answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.asked.append((self.command, self.path, self.headers.get(instance.TOKEN_HEADER), body))
        code, text = self.answers.get(self.path, (404, b"{}"))
        self.send_response(code)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_: object) -> None:
        """Says nothing."""


@pytest.fixture
def peer() -> Iterator[tuple[str, type[Peer]]]:
    answering = type("Answering", (Peer,), {"answers": {}, "asked": []})
    server = ThreadingHTTPServer(("127.0.0.1", 0), answering)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", answering
    server.shutdown()
    thread.join()
    server.server_close()


STATUS = {
    "version": "0.1.0",
    "source": "built-in",
    "source_reason": "no venue answered within 3 s",
    "started_at": "2026-01-01T00:00:00Z",
    "feeds": [{"venue": "kraken", "state": "live", "lag_ms": 1.5, "frames": 12}],
}


def test_status_says_clearly_that_no_instance_runs(run: Run) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}"
        done = run("status", "--url", url, "--json", code=1)
        assert json.loads(done.stdout) == {"running": False, "url": url}
        assert f"no instance answers at {url}; start one with `candlewick up`" in done.stderr


def test_status_finds_the_instance_of_a_data_directory(
    run: Run, tmp_path: Path, peer: tuple[str, type[Peer]]
) -> None:
    url, answering = peer
    answering.answers[instance.STATUS_PATH] = (200, json.dumps(STATUS).encode())
    token = instance.announce(tmp_path, url)
    assert len(token) >= 40
    mode = (tmp_path / instance.TOKEN_NAME).stat().st_mode
    assert stat.S_IMODE(mode) == 0o600
    done = run("status", "-d", str(tmp_path), "--json", HTTP_PROXY="http://127.0.0.1:1")
    assert json.loads(done.stdout) == {"running": True, "url": url, **STATUS}
    text = run("status", "-d", str(tmp_path)).stdout
    assert "source built-in" in text
    assert "no venue answered within 3 s" in text
    instance.forget(tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("text", [b"<html>", b"[]", b"", b"[" * 100_000, b"\xff"])
def test_something_else_on_the_port_is_named_as_such(
    run: Run, peer: tuple[str, type[Peer]], text: bytes
) -> None:
    url, answering = peer
    answering.answers[instance.STATUS_PATH] = (200, text)
    assert "something else than Candlewick" in run("status", "--url", url, code=2).stderr


def test_a_test_spike_carries_the_local_token_and_a_refusal_is_told(
    run: Run, tmp_path: Path, peer: tuple[str, type[Peer]]
) -> None:
    url, answering = peer
    answering.answers[instance.STATUS_PATH] = (200, json.dumps(STATUS).encode())
    answering.answers[instance.SPIKE_PATH] = (200, b'{"symbol":"BTC/USDT","from":"1","to":"2"}')
    ask = ("test-spike", "--symbol", "btc", "--pct", "6", "-d", str(tmp_path))
    assert "local.token is not there" in run(*ask, "--url", url, code=2).stderr
    token = instance.announce(tmp_path, url)
    answer = json.loads(run(*ask, "--json").stdout)
    assert answer == {"symbol": "BTC/USDT", "from": "1", "to": "2"}
    method, path, sent, body = answering.asked[-1]
    assert (method, path, sent) == ("POST", instance.SPIKE_PATH, token)
    assert json.loads(body) == {"symbol": "BTC/USDT", "pct": 6.0}
    answering.answers[instance.SPIKE_PATH] = (409, b'{"detail":"the source is live"}')
    done = run(*ask, code=2)
    assert "answered 409: the source is live" in done.stderr
    assert token not in done.stderr


def test_the_token_never_leaves_this_machine() -> None:
    for url in ("http://192.0.2.1:8080", "http://example.test"):
        with pytest.raises(UsageError, match="on this machine"):
            instance.ask(url, instance.SPIKE_PATH, {}, "token")
