"""OpenAI-compatible server in a thread: each question is answered with the same words, slowly."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

WORDS = [f"word{number} " for number in range(40)]
"""The answer, in the pieces in which it is sent."""
PAUSE = 0.02
"""Seconds between two of them."""


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        models = {"data": [{"id": "scripted", "max_model_len": 30_000}]}
        self._send(json.dumps(models if self.path == "/v1/models" else {}).encode(), "json")

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.end_headers()
        # A client that was killed, or stopped the answer, does not read on.
        with suppress(OSError):
            for word in WORDS:
                self._send_event({"index": 0, "text": word})
                time.sleep(PAUSE)
            self._send_event({"index": 0, "text": "", "finish_reason": "stop"})
            self.wfile.write(b"data: [DONE]\n\n")

    def _send_event(self, choice: dict[str, object]) -> None:
        self.wfile.write(b"data: " + json.dumps({"choices": [choice]}).encode() + b"\n\n")

    def _send(self, body: bytes, kind: str) -> None:
        self.send_response(200)
        self.send_header("Content-Type", f"application/{kind}")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments: object) -> None:
        """Log nothing."""


@contextmanager
def serve_answers() -> Iterator[str]:
    """Serve while the block runs; gives the URL."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
