"""A web server on this machine that is as slow as an object store, and fails if told to.

    python -m benchmarks.servers FOLDER [--latency 0.06] [--rate 20e6]

serves the files of a folder, prints where, and ends when its standard input does.
"""

from __future__ import annotations

import argparse
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

BLOCK_SIZE = 1 << 16

Fault = Callable[[int], str]
"""What goes wrong with a request, by its number: "", "reset", "cut", "stall", "503" ..."""
FaultAt = Callable[[str, int, int], str]
"""The same by the object's name and the range that is asked for, which has bytes."""


def no_fault(*_: object) -> str:
    """Let nothing go wrong."""
    return ""


class Store(ThreadingHTTPServer):
    """Serves objects by name, with ranges.

    Parameters
    ----------
    objects : dict
    latency : float
        Seconds before a request is answered.
    rate : float
        Bytes a second of each connection; 0 is as many as can be.
    fault, fault_at : callable
    """

    daemon_threads = True
    request_queue_size = 64

    def __init__(
        self,
        objects: dict[str, bytes],
        latency: float,
        rate: float,
        fault: Fault,
        fault_at: FaultAt,
    ) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.objects, self.latency, self.rate = objects, latency, rate
        self.fault, self.fault_at = fault, fault_at
        self.n_requests = 0
        self.n_open = self.most_open = 0
        self.lock = threading.Lock()
        self.has_ended = threading.Event()

    def url(self, name: str) -> str:
        """Return the URL of an object."""
        return f"http://127.0.0.1:{self.server_address[1]}/{name}"

    def handle_error(self, *_: Any) -> None:
        """Say nothing of clients that go away."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Store

    def do_HEAD(self) -> None:
        self._answer(with_body=False)

    def do_GET(self) -> None:
        self._answer(with_body=True)

    def log_message(self, *_: Any) -> None:
        pass

    def _answer(self, *, with_body: bool) -> None:
        store = self.server
        with store.lock:
            number = store.n_requests
            store.n_requests += 1
            store.n_open += 1
            store.most_open = max(store.most_open, store.n_open)
        try:
            time.sleep(store.latency)
            fault = store.fault(number)
            if with_body and not fault and self._name() in store.objects:
                fault = store.fault_at(self._name(), *self._range())
            if fault == "reset":
                self.close_connection = True
                self.connection.close()
            elif fault == "stall":
                self.close_connection = True
                store.has_ended.wait(60)
            elif fault.isdigit():
                self.send_error(int(fault))
            else:
                self._send(with_body=with_body, cut=fault == "cut")
        finally:
            with store.lock:
                store.n_open -= 1

    def _name(self) -> str:
        return self.path.strip("/").partition("?")[0]

    def _range(self) -> tuple[int, int]:
        """Return from where to where an object is asked for."""
        size = len(self.server.objects[self._name()])
        first, _, last = self.headers.get("Range", "bytes=0-").removeprefix("bytes=").partition("-")
        return (int(first), min(size, int(last or size) + 1)) if first else (size - int(last), size)

    def _send(self, *, with_body: bool, cut: bool) -> None:
        data = self.server.objects.get(self._name())
        if data is None:
            self.send_error(404)
            return
        begin, end = self._range()
        if self.headers.get("Range"):
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {begin}-{end - 1}/{len(data)}")
        else:
            self.send_response(200)
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("Content-Length", str(end - begin))
        self.send_header("ETag", f'"{len(data)}"')
        self.end_headers()
        if with_body:
            self._send_body(data[begin : (begin + end) // 2 if cut else end])
        if cut:
            self.close_connection = True
            self.connection.close()

    def _send_body(self, data: bytes) -> None:
        for at in range(0, len(data), BLOCK_SIZE):
            block = data[at : at + BLOCK_SIZE]
            self.wfile.write(block)
            if self.server.rate:
                time.sleep(len(block) / self.server.rate)


@contextmanager
def serving(
    objects: dict[str, bytes],
    latency: float = 0,
    rate: float = 0,
    fault: Fault = no_fault,
    fault_at: FaultAt = no_fault,
) -> Iterator[Store]:
    """Serve objects until the block ends."""
    with Store(objects, latency, rate, fault, fault_at) as store:
        thread = threading.Thread(target=store.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield store
        finally:
            store.has_ended.set()
            store.shutdown()
            thread.join()


def main() -> None:
    """Serve the files of a folder."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--latency", type=float, default=0.06, help="seconds (%(default)s)")
    parser.add_argument(
        "--rate", type=float, default=20e6, help="bytes a second of a connection (%(default)s)"
    )
    options = parser.parse_args()
    objects = {path.name: path.read_bytes() for path in sorted(options.folder.iterdir())}
    with serving(objects, options.latency, options.rate) as store:
        print(store.url(""), flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    main()
