"""Object stores on this machine, behind a proxy that counts requests and can make them fail."""

from __future__ import annotations

import contextlib
import dataclasses
import http.client
import http.server
import itertools
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import gcsfs.core
import pytest
import s3fs

from schemas import Storage
from schemas.checksums import sha256
from schemas.storage import object_stores as stores
from schemas.storage.object_stores import open_store
from tests.support.link import Link
from tests.support.tools import go_tool

FAKE_GCS = "github.com/fsouza/fake-gcs-server@v1.56.1"
BUCKET = "music"
HANG_UP, SILENCE, BREAK_OFF = -1, -2, -3
"""Faults: to close the connection without an answer, not to answer at all, to answer by half."""

Fault = Callable[[int, str, str], int | None]


@dataclasses.dataclass(frozen=True)
class Request:
    """One request to a store, and how many bytes it was answered with."""

    method: str
    path: str
    status: int
    nbytes: int


class StoreProxy:
    """Hands requests on to the server at `port`, and keeps a list of them.

    `fault`, given a request's number, method and path, may say what to do instead: answer with a
    status of HTTP, `HANG_UP` or `SILENCE`. `link` is the line to the clients; another may be set
    at any time, and applies to the answers that start after that.
    """

    def __init__(self, port: int) -> None:
        self.requests: list[Request] = []
        self.faults = 0
        self.fault: Fault = lambda number, method, path: None
        self.link = Link()
        self._numbers = itertools.count()
        self._target = port
        handler = type("Handler", (_Handler,), {"proxy": self})
        self._server = _Server(("0.0.0.0", 0), handler)
        self.port = self._server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def answer(
        self, method: str, path: str, headers: dict[str, str], body: bytes
    ) -> tuple[int, list[tuple[str, str]], bytes]:
        fault = self.fault(next(self._numbers), method, path)
        if fault is not None:
            self.faults += 1
        if fault not in (None, BREAK_OFF):
            return fault, [], b""
        connection = http.client.HTTPConnection("127.0.0.1", self._target, timeout=60)
        with contextlib.closing(connection):
            connection.request(method, path, body or None, headers)
            response = connection.getresponse()
            data = response.read()
        self.requests.append(Request(method, path, response.status, len(data)))
        if fault == BREAK_OFF:
            return response.status, [("X-Break-Off", "yes"), *response.getheaders()], data
        return response.status, response.getheaders(), data

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, *_: object) -> None:
        """A client that was killed does not wait for its answer."""


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    proxy: StoreProxy

    def __getattr__(self, name: str) -> Callable[[], None]:
        """`do_GET` and its like."""
        if name.startswith("do_"):
            return self._handle
        raise AttributeError(name)

    def _handle(self) -> None:
        passed = {
            name: value
            for name, value in self.headers.items()
            if name.lower() not in ("transfer-encoding", "connection", "content-length")
        }
        status, headers, data = self.proxy.answer(self.command, self.path, passed, self._body())
        link = self.proxy.link
        link.delay(self.command)
        if status in (HANG_UP, SILENCE):
            if status == SILENCE:
                time.sleep(30)
            self.close_connection = True
            return
        self.send_response_only(status)
        length = str(len(data))
        for name, value in headers:
            if name.lower() == "content-length" and self.command == "HEAD":
                length = value
            elif name.lower() not in ("transfer-encoding", "content-length", "connection"):
                self.send_header(name, value)
        self.send_header("Content-Length", length)
        self.end_headers()
        if headers[:1] == [("X-Break-Off", "yes")]:
            data = data[: len(data) // 2]
            self.close_connection = True
        if self.command != "HEAD":
            link.send(data, self.wfile.write)

    def _body(self) -> bytes:
        if "chunked" not in self.headers.get("Transfer-Encoding", ""):
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        body = b""
        while size := int(self.rfile.readline().split(b";")[0], 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body

    def log_message(self, *_: object) -> None:
        pass


@dataclasses.dataclass(frozen=True)
class Store:
    """A running store with a bucket; `environment` is what leads a process to it."""

    url: str
    proxy: StoreProxy
    environment: dict[str, str]

    def put(self, folder: Path, name: str) -> str:
        """Uploads a folder; its URL."""
        filesystem, _ = open_store(self.url)
        filesystem.put(str(folder), f"{self.url}/{name}", recursive=True)
        return f"{self.url}/{name}"


def stored_digests(url: str) -> dict[str, str]:
    """The sha256 of every file below a URL, by its name."""
    storage = Storage(url)
    return {name: sha256(storage.read_bytes(name)) for name in storage.list_files()}


@contextlib.contextmanager
def running(kind: str) -> Iterator[Store]:
    """A store of a kind, `gs` or `s3`; this process sees it too until the block ends."""
    port = free_port()
    with _process(_COMMANDS[kind](port)):
        wait_for_port(port)
        proxy = StoreProxy(port)
        environment = _ENVIRONMENTS[kind](proxy.url)
        with pytest.MonkeyPatch.context() as patch:
            for name, value in environment.items():
                patch.setenv(name, value)
            forget_stores()
            _make_bucket(kind, proxy.url)
            yield Store(f"{kind}://{BUCKET}", proxy, environment)
        forget_stores()
        proxy.close()


_COMMANDS: dict[str, Callable[[int], list[str]]] = {
    "gs": lambda port: [
        str(go_tool(FAKE_GCS)),
        *("-scheme", "http", "-host", "0.0.0.0", "-port", str(port)),
        *("-backend", "memory", "-log-level", "error"),
    ],
    "s3": lambda port: [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)],
}
_ENVIRONMENTS: dict[str, Callable[[str], dict[str, str]]] = {
    # There is no Google machine here that would tell who it is, and none to be asked for.
    "gs": lambda url: {"STORAGE_EMULATOR_HOST": url, "NO_GCE_CHECK": "true"},
    "s3": lambda url: {
        "AWS_ENDPOINT_URL": url,
        "AWS_ACCESS_KEY_ID": "an-id",
        "AWS_SECRET_ACCESS_KEY": "a-secret",
        "AWS_DEFAULT_REGION": "us-east-1",
    },
}


def _make_bucket(kind: str, url: str) -> None:
    if kind == "gs":
        headers = {"Content-Type": "application/json"}
        body = f'{{"name": "{BUCKET}"}}'.encode()
        request = urllib.request.Request(f"{url}/storage/v1/b?project=x", body, headers)
    else:
        request = urllib.request.Request(f"{url}/{BUCKET}", method="PUT")
    urllib.request.urlopen(request).close()


def forget_stores() -> None:
    """They are kept, with the address and the patience that they were made with."""
    for kind in (gcsfs.core.GCSFileSystem, s3fs.S3FileSystem):
        kind.clear_instance_cache()
    stores._store.cache_clear()


@contextlib.contextmanager
def _process(command: list[str]) -> Iterator[None]:
    nothing: Any = subprocess.DEVNULL
    process = subprocess.Popen(command, stdout=nothing, stderr=nothing)
    try:
        yield
    finally:
        process.kill()
        process.wait()


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def wait_for_port(port: int) -> None:
    deadline = time.monotonic() + 60
    while True:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        assert time.monotonic() < deadline, f"nothing answers at port {port}"
        time.sleep(0.05)
