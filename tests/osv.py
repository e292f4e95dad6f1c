"""A stand-in for the OSV database: `uv audit` asks it about every locked package."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

KNOWN = {
    "id": "PYSEC-2026-1",
    "summary": "planted",
    "modified": "2026-01-01T00:00:00Z",
    "published": "2026-01-01T00:00:00Z",
    "affected": [
        {
            "package": {"ecosystem": "PyPI", "name": "click"},
            "ranges": [{"type": "ECOSYSTEM", "events": [{"introduced": "0"}]}],
        }
    ],
}


@contextmanager
def serving(vulnerable: str = "") -> Iterator[str]:
    """The address of a database that knows of a hole in the package `vulnerable`, if any."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._answer(KNOWN)

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["content-length"])))
            names = [query["package"]["name"] for query in body["queries"]]
            hole = {"vulns": [{"id": KNOWN["id"], "modified": KNOWN["modified"]}]}
            self._answer({"results": [hole if name == vulnerable else {} for name in names]})

        def _answer(self, content: Any) -> None:
            data = json.dumps(content).encode()
            self.send_response(200)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  the base's name
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/"
        finally:
            server.shutdown()
