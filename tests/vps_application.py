"""A small application, good or bad in a given way: `vps_application.py BEHAVIOUR:NAME ADDRESS`.

It says that it starts, and then answers every request with its NAME, after up to 40 ms, so that
some are always under way; `/forwarded` with what it is told of who asks.
"""

import random
import re
import signal
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

BEHAVIOUR, NAME = re.split("[:@]", sys.argv[1])[:2]
# Of people's requests: while it is watched, however long all took until then.
TURNS_BAD_AFTER = 20
answered = {200: 0, 500: 0}
counting = threading.Lock()


def status(method: str, path: str) -> int:
    """What the application answers, by its behaviour."""
    is_late = Handler.of_people > TURNS_BAD_AFTER
    if BEHAVIOUR == "dies" and is_late:
        signal.raise_signal(signal.SIGKILL)
    if BEHAVIOUR == "never-ready":
        return 503
    if BEHAVIOUR == "pages-fail" and path != "/readyz":
        return 500
    if BEHAVIOUR == "fails-later" and is_late:
        return 500
    # What no question of the deploy script ever touches.
    if BEHAVIOUR == "readers-fail" and path.startswith("/tickets/"):
        return 500
    return 200


class Handler(BaseHTTPRequestHandler):
    of_people = 0

    def answer(self) -> None:
        Handler.of_people += "x-forwarded-for" in self.headers  # which Caddy adds
        length = int(self.headers.get("content-length") or 0)
        self.rfile.read(length)
        code = status(self.command, self.path)
        if self.path == "/metrics":
            body = "".join(
                f'http_requests_total{{method="GET",route="/",status="{key}"}} {value:.1f}\n'
                for key, value in answered.items()
            )
        else:
            with counting:
                answered[200 if code < 500 else 500] += 1
            body = self.headers["x-forwarded-for"] if self.path == "/forwarded" else NAME
            time.sleep(1.2 if self.path == "/slow" else random.uniform(0, 0.04))
        self.send_response(code)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body.encode())

    do_GET = do_POST = answer  # noqa: N815

    def log_message(self, *_: object) -> None:  # pyrefly: ignore[bad-override]
        pass


class Server(ThreadingHTTPServer):
    daemon_threads = False  # what is under way is finished before the process ends
    request_queue_size = 128


if __name__ == "__main__":
    sys.stdout.write("starts\n")
    sys.stdout.flush()
    if BEHAVIOUR == "crashes":
        sys.exit("no such column: tickets.mood")
    host, _, port = sys.argv[2].partition(":")
    server = Server((host, int(port)), Handler)
    signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=server.shutdown).start())
    with server:
        server.serve_forever(poll_interval=0.05)  # how soon it sees that it is to end
