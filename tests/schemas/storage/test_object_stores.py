"""Stores of any kind, opened through fsspec."""

from __future__ import annotations

import http.server
import threading
from collections.abc import Callable, Iterator
from typing import Any, ClassVar

import fsspec
import pytest
import requests

from schemas import Storage
from schemas.errors import UnreadableFileError
from schemas.storage.object_stores import open_store

DATA = bytes(range(256)) * 8


@pytest.mark.parametrize(
    ("url", "other"), [("gs://bucket/a", "gcs://bucket/a"), ("s3://bucket/a", "s3a://bucket/a")]
)
def test_a_store_of_another_name_is_the_same_one(
    url: str, other: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip({"g": "gcsfs", "s": "s3fs"}[url[0]])
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", "http://127.0.0.1:9")
    (first, path), (second, other_path) = open_store(url), open_store(other)
    assert (first is second, path, other_path) == (True, "bucket/a", "bucket/a")
    assert Storage(other).path("x") == f"{other}/x"


class ListingStore(fsspec.AbstractFileSystem):
    """A store that remembers its listings, as fsspec lets it by default."""

    protocol = "listing"
    files: ClassVar[dict[str, int]] = {}

    def ls(self, path: str, detail: bool = True, **_: Any) -> Any:
        if path in self.dircache:
            return self.dircache[path]
        listed = [{"name": name, "size": n, "type": "file"} for name, n in self.files.items()]
        self.dircache[path] = listed
        return listed


class StrictStore(ListingStore):
    """A store that hands all options on to a server's library, as sftp does."""

    protocol = "strict"

    def __init__(self, **options: Any) -> None:
        if options:
            raise TypeError(f"connect() got an unexpected keyword argument {next(iter(options))!r}")
        super().__init__(use_listings_cache=False)


@pytest.mark.parametrize("kind", [ListingStore, StrictStore])
def test_no_store_remembers_listings(
    kind: type[ListingStore], monkeypatch: pytest.MonkeyPatch
) -> None:
    fsspec.register_implementation(kind.protocol, kind, clobber=True)
    monkeypatch.setattr(kind, "files", {"a/x": 1})
    storage = Storage(f"{kind.protocol}://a")
    assert storage.versions(["x"]) == ["1"]
    kind.files["a/x"] = 2
    assert storage.versions(["x"]) == ["2"]


class BreakingStore(fsspec.AbstractFileSystem):
    """A store whose library is requests, and whose first two answers break off."""

    protocol = "breaking"
    answers: ClassVar[list[bytes]] = []

    def cat_file(self, path: str, start: int = 0, end: int | None = None, **_: Any) -> bytes:
        self.answers.append(DATA[start:end])
        if len(self.answers) < 3:
            raise requests.exceptions.ChunkedEncodingError("Connection broken: IncompleteRead")
        return self.answers[-1]


def test_an_answer_that_requests_gets_by_half_is_requested_again() -> None:
    fsspec.register_implementation("breaking", BreakingStore, clobber=True)
    storage = Storage("breaking://a")
    reads: list[Callable[[], bytes]] = [
        lambda: storage.read_bytes("x"),
        lambda: storage.open_ranges("x").read(0, len(DATA)),
    ]
    for read in reads:
        BreakingStore.answers.clear()
        assert read() == DATA
        assert len(BreakingStore.answers) == 3


class Handler(http.server.BaseHTTPRequestHandler):
    """A server of one file, of whose answers the first `broken` break off."""

    broken = 0

    def do_GET(self) -> None:
        first, last = 0, len(DATA) - 1
        if wanted := self.headers.get("Range"):
            start, _, end = wanted.removeprefix("bytes=").partition("-")
            first, last = int(start), min(int(end or last), last)
        status = 404 if self.path != "/x" else 416 if first > last else 206 if wanted else 200
        body = DATA[first : last + 1] if status < 300 else b""
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if Handler.broken and body:
            Handler.broken -= 1
            body = body[: len(body) // 2]
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[str]:
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


def test_a_web_server_is_a_store(server: str) -> None:
    pytest.importorskip("aiohttp")
    storage = Storage(server)
    ranges = storage.open_ranges("x")
    for broken in (0, 2):
        Handler.broken = broken
        assert storage.read_bytes("x") == DATA
        Handler.broken = broken
        assert ranges.read(100, 1000) == DATA[100:1100]
        assert Handler.broken == 0
    assert ranges.read(len(DATA), 5) == ranges.read(len(DATA) + 9, 5) == b""
    with pytest.raises(UnreadableFileError, match=r"/none: no such file$"):
        storage.read_bytes("none")
