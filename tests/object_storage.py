"""An object store on the loopback whose preconditions hold, which the emulator's own do not.

What stands in front of the emulator checks ``ifGenerationMatch`` and carries out one request after another, as Cloud
Storage does for one object. It can also lose the answer to a request that it has carried out.
"""

import http.client
import json
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, quote, unquote, urlsplit

from gcp_storage_emulator.server import create_server

_DROPPED = {"connection", "transfer-encoding", "content-length", "keep-alive"}


class ObjectStorage(ThreadingHTTPServer):
    """The emulator behind a front that checks preconditions.

    Attributes:
        losing: How many of the next conditional writes are carried out and not answered.
        refused: Preconditions that did not hold.
    """

    daemon_threads = True

    def __init__(self, port):
        super().__init__(("127.0.0.1", 0), _Front)
        self.emulator_port = port
        self.lock = threading.Lock()
        self.losing = 0
        self.refused = 0

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_address[1]}"

    def forward(self, method, path, headers, body):
        connection = http.client.HTTPConnection("127.0.0.1", self.emulator_port)
        try:
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            return answer.status, answer.getheaders(), answer.read()
        finally:
            connection.close()

    def generation(self, bucket, name):
        """Return the generation of an object, 0 if there is none."""
        status, _, body = self.forward("GET", f"/storage/v1/b/{bucket}/o/{quote(name, safe='')}", {}, None)
        return int(json.loads(body)["generation"]) if status == 200 else 0

    def handle_error(self, request, client_address):
        """Say nothing of connections that clients close."""


class _Front(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = 1 << 16  # One packet for headers and content: two would each wait for the other's acknowledgement.

    def _pass(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        headers = {key: value for key, value in self.headers.items() if key.lower() not in _DROPPED}
        query = parse_qs(urlsplit(self.path).query)
        server = self.server
        with server.lock:
            wanted = query.get("ifGenerationMatch")
            if wanted is not None and server.generation(*self._object(query, body)) != int(wanted[0]):
                server.refused += 1
                message = "At least one of the pre-conditions you specified did not hold."
                error = {"code": 412, "message": message, "errors": [{"reason": "conditionNotMet", "message": message}]}
                self._answer(412, [("Content-Type", "application/json")], json.dumps({"error": error}).encode())
                return
            status, found, content = server.forward(self.command, self.path, headers, body)
            if wanted is not None and self.command != "GET" and server.losing:
                server.losing -= 1
                self.close_connection = True
                return
        self._answer(status, found, content)

    def _object(self, query, body):
        _, _, rest = urlsplit(self.path).path.partition("/b/")
        bucket, _, name = rest.partition("/o")
        if name.strip("/"):
            return bucket, unquote(name.strip("/"))
        if "name" in query:
            return bucket, query["name"][0]
        start = body.index(b"{")
        return bucket, json.JSONDecoder().raw_decode(body[start:].decode("utf-8", "replace"))[0]["name"]

    def _answer(self, status, headers, content):
        self.send_response(status)
        for key, value in headers:
            if key.lower() not in _DROPPED | {"date", "server"}:
                self.send_header(key, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _pass  # noqa: N815 - the names that the library calls

    def log_message(self, *_):
        pass


@contextmanager
def serving(bucket="models"):
    """Serve an empty bucket."""
    emulator = create_server("localhost", 0, in_memory=True, default_bucket=bucket)
    emulator.start()
    try:
        with ObjectStorage(emulator._api._httpd.server_port) as server:
            thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
            thread.start()
            yield server
            server.shutdown()
            thread.join()
    finally:
        emulator.stop()
