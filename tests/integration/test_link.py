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


def test_an_idle_line_without_limits_is_fast(proxy: StoreProxy) -> None:
    proxy.link = Link()
    assert min(fetch(proxy) for _ in range(5)) < 0.1


def test_an_answer_starts_later_by_the_delay(proxy: StoreProxy) -> None:
    proxy.link = Link(delay_seconds=0.2)
    assert 0.2 <= min(fetch(proxy) for _ in range(3)) < 0.3
    with ThreadPoolExecutor(8) as threads:
        started = time.monotonic()
        list(threads.map(fetch, [proxy] * 8))
        assert 0.2 <= time.monotonic() - started < 0.8


@pytest.mark.parametrize("connections", [1, 16])
def test_connections_share_the_rate(proxy: StoreProxy, connections: int) -> None:
    rate = 1_000_000 * connections
    proxy.link = Link(bytes_per_second=rate)
    with ThreadPoolExecutor(connections) as threads:
        seconds = list(threads.map(fetch, [proxy] * connections))
    assert 0.48 <= max(seconds) < 0.8
    assert min(seconds) > 0.7 * max(seconds)


def test_a_line_does_not_save_up_for_later(proxy: StoreProxy) -> None:
    proxy.link = Link(bytes_per_second=5_000_000)
    for _ in range(3):
        assert 0.095 <= fetch(proxy) < 0.2
        time.sleep(0.2)
