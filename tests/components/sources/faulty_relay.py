"""An HTTP relay on the loopback between the real client of a bucket and its server, which does what networks do."""

import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self

import requests

FAULTS = ("unavailable", "cut", "flipped")


class FaultyRelay:
    """Passes requests on, and spoils the answers that it is told to spoil.

    Args:
        target: URL of the server.

    Attributes:
        fault: From the path of a request, the fault of its answer: one of ``FAULTS``, or None.
        injected: The faults that were injected, in order.
    """

    def __init__(self, target: str) -> None:
        self.fault: Callable[[str], str | None] = lambda path: None
        self.injected: list[str] = []
        relay = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                fault = relay.fault(self.path)
                if fault:
                    relay.injected.append(fault)
                if fault == "unavailable":
                    self.send_response(503)
                    self.send_header("Content-Length", "0")
                    self.end_headers()
                    return
                wanted = {name: value for name, value in self.headers.items() if name.lower() != "host"}
                answer = requests.get(target + self.path, headers=wanted, timeout=30)
                body = bytearray(answer.content)
                if "json" in answer.headers.get("Content-Type", ""):  # Links to objects lead through the relay, too.
                    body = body.replace(target.encode(), relay.url.encode())
                if fault == "flipped" and body:
                    body[len(body) // 2] ^= 0x10
                self.send_response(answer.status_code)
                for name, value in answer.headers.items():
                    if name.lower() not in ("content-length", "transfer-encoding", "connection", "date", "server"):
                        self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body[: len(body) // 2] if fault == "cut" else body)
                self.close_connection = fault == "cut"

            def log_message(self, *arguments: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._server.shutdown()
        self._server.server_close()
