"""Downloads from a server of our own, which fails in many ways."""

from __future__ import annotations

import hashlib
import http.server
import json
import threading
import types
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from pipelines.errors import PipelineError
from pipelines.forms.download import MD5, RECORD, download

FILES = {
    "musicnet_midis.tar.gz": np.random.default_rng(0).bytes(3_000_000),
    "small.csv": b"id\n1\n",
}


class Server(http.server.ThreadingHTTPServer):
    """Serves `FILES` as Zenodo does. What it does wrong is set from outside."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.requests: list[tuple[str, str | None]] = []
        self.drops_after: int | None = None
        self.ignores_ranges = False
        self.wrong_byte = False
        self.errors: list[int] = []
        self.record: object = {
            "files": [
                {
                    "key": name,
                    "size": len(data),
                    "checksum": f"md5:{hashlib.md5(data).hexdigest()}",
                    "links": {"self": f"{self.address}/{name}"},
                }
                for name, data in FILES.items()
            ]
        }

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class Handler(http.server.BaseHTTPRequestHandler):
    server: Server

    def log_message(self, *arguments: object) -> None:
        pass

    def do_GET(self) -> None:
        server, wanted = self.server, self.headers["Range"]
        server.requests.append((self.path, wanted))
        if server.errors:
            self.send_error(server.errors.pop(0))
            return
        data = json.dumps(server.record).encode()
        if self.path != "/record":
            data = FILES[self.path[1:]]
            if server.wrong_byte:
                data = data[:-1] + bytes([data[-1] ^ 1])
        start = 0
        if wanted and not server.ignores_ranges:
            start = int(wanted.removeprefix("bytes=").rstrip("-"))
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(data) - start))
        self.end_headers()
        body = data[start:]
        if server.drops_after is not None and self.path != "/record":
            body = body[: server.drops_after]
        self.wfile.write(body)
        self.close_connection = True


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


def fetch(server: Server, out: Path) -> int:
    return download(str(out), record=f"{server.address}/record", pause=0).kept


def assert_whole(out: Path) -> None:
    assert {path.name: path.read_bytes() for path in out.iterdir()} == FILES


def test_files_are_downloaded_once(server: Server, tmp_path: Path) -> None:
    assert fetch(server, tmp_path / "out") == 0
    assert_whole(tmp_path / "out")
    server.requests.clear()
    assert fetch(server, tmp_path / "out") == 2
    assert [path for path, _ in server.requests] == ["/record"]


def test_connections_that_break_off_are_made_again(server: Server, tmp_path: Path) -> None:
    server.drops_after = 1_000_000
    fetch(server, tmp_path)
    assert_whole(tmp_path)
    ranges = [wanted for path, wanted in server.requests if path == "/musicnet_midis.tar.gz"]
    assert ranges == [None, "bytes=1000000-", "bytes=2000000-"]


def test_a_server_that_ignores_ranges_sends_all_of_it_again(server: Server, tmp_path: Path) -> None:
    (tmp_path / "musicnet_midis.tar.gz.part").write_bytes(b"x" * 1_000)
    server.ignores_ranges = True
    fetch(server, tmp_path)
    assert_whole(tmp_path)


def test_a_part_is_gone_on_with_or_found_to_be_wrong(server: Server, tmp_path: Path) -> None:
    part = tmp_path / "musicnet_midis.tar.gz.part"
    part.write_bytes(FILES["musicnet_midis.tar.gz"][:999])
    fetch(server, tmp_path)
    assert ("/musicnet_midis.tar.gz", "bytes=999-") in server.requests
    assert_whole(tmp_path)
    (tmp_path / "musicnet_midis.tar.gz").unlink()
    part.write_bytes(b"x" * 999)
    with pytest.raises(PipelineError, match="bytes of it are wrong, and was removed; run the same"):
        fetch(server, tmp_path)
    assert not part.exists()
    part.write_bytes(bytes(4_000_000))
    fetch(server, tmp_path)
    assert_whole(tmp_path)


def test_a_wrong_byte_is_noticed(server: Server, tmp_path: Path) -> None:
    server.wrong_byte = True
    with pytest.raises(PipelineError, match=r"midis\.tar\.gz: was downloaded with the md5 digest"):
        fetch(server, tmp_path)
    assert list(tmp_path.iterdir()) == []
    server.wrong_byte = False
    fetch(server, tmp_path)
    assert_whole(tmp_path)


def test_errors_that_pass_are_waited_for(server: Server, tmp_path: Path) -> None:
    server.errors = [503, 429, 500, 502]
    fetch(server, tmp_path)
    assert_whole(tmp_path)
    server.errors = [503] * 9
    with pytest.raises(PipelineError, match=r"answers 503 .*; check the network, .* goes on where"):
        fetch(server, tmp_path)
    server.errors = [404]
    with pytest.raises(PipelineError, match="answers 404 Not Found; check the address"):
        fetch(server, tmp_path)


def test_a_server_that_brings_nothing_is_given_up(server: Server, tmp_path: Path) -> None:
    server.drops_after = 0
    with pytest.raises(PipelineError, match=r"cannot be downloaded .*; check the network"):
        fetch(server, tmp_path)
    with pytest.raises(PipelineError, match=r"cannot be downloaded .*refused"):
        download(str(tmp_path), record="http://127.0.0.1:9/record", pause=0)


@pytest.mark.parametrize("record", [[], {}, {"files": [{}]}, {"files": 3}, None])
def test_another_answer_is_no_record(record: object, server: Server, tmp_path: Path) -> None:
    server.record = record
    with pytest.raises(PipelineError, match="is no record of Zenodo's; try again later"):
        fetch(server, tmp_path)


def test_what_musicnet_is_does_not_depend_on_the_record(server: Server, tmp_path: Path) -> None:
    for name, said in (
        ("musicnet.tar.gz", f"MusicNet's has {MD5['musicnet.tar.gz']}"),
        ("../x", "lists the file '../x', which is not MusicNet's"),
    ):
        server.record = {
            "files": [{"key": name, "size": 1, "checksum": "md5:0", "links": {"self": "x"}}]
        }
        with pytest.raises(PipelineError, match=said):
            fetch(server, tmp_path)


def test_a_disk_without_space_is_said_beforehand(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = types.SimpleNamespace(free=10)
    monkeypatch.setattr("pipelines.forms.download.shutil.disk_usage", lambda _: usage)
    with pytest.raises(PipelineError, match="3 MB are needed and 0 MB are free; free some"):
        fetch(server, tmp_path)
    assert RECORD.endswith("/5120004")


def test_a_file_of_somebody_else_is_not_replaced(server: Server, tmp_path: Path) -> None:
    (tmp_path / "small.csv").write_text("my own")
    with pytest.raises(PipelineError, match=r"small\.csv: is not the publisher's file; remove it"):
        fetch(server, tmp_path)
    assert (tmp_path / "small.csv").read_text() == "my own"
