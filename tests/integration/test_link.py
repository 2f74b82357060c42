"""The line to a store that tests can slow down."""

from __future__ import annotations

import contextlib
import http.client
import http.server
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.support.link import Link
from tests.support.object_stores import StoreProxy

BODY = bytes(500_000)


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(BODY)))
        self.end_headers()
        self.wfile.write(BODY)

    def log_message(self, *_: object) -> None:
        pass


class Server(http.server.ThreadingHTTPServer):
    request_queue_size = 128


@pytest.fixture(scope="module")
def proxy() -> Iterator[StoreProxy]:
    with Server(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        with contextlib.closing(StoreProxy(server.server_address[1])) as proxy:
            yield proxy
        server.shutdown()


def fetch(proxy: StoreProxy) -> float:
    """The seconds until a whole body is there."""
    started = time.monotonic()
    connection = http.client.HTTPConnection("127.0.0.1", proxy.port, timeout=60)
    with contextlib.closing(connection):
        connection.request("GET", "/x")
        assert connection.getresponse().read() == BODY
    return time.monotonic() - started


def test_an_answer_starts_no_earlier_than_the_delay(proxy: StoreProxy) -> None:
    """A busy machine may make it later."""
    proxy.link = Link(delay_seconds=0.2)
    with ThreadPoolExecutor(8) as threads:
        assert min(threads.map(fetch, [proxy] * 8)) >= 0.2


@pytest.mark.parametrize("connections", [1, 16])
def test_connections_together_get_no_more_than_the_rate(
    proxy: StoreProxy, connections: int
) -> None:
    proxy.link = Link(bytes_per_second=1_000_000 * connections)
    started = time.monotonic()
    with ThreadPoolExecutor(connections) as threads:
        list(threads.map(fetch, [proxy] * connections))
    assert time.monotonic() - started >= 0.48


def test_a_line_does_not_save_up_for_later(proxy: StoreProxy) -> None:
    proxy.link = Link(bytes_per_second=5_000_000)
    for _ in range(3):
        assert fetch(proxy) >= 0.095
        time.sleep(0.2)
