"""Shows one finished page to the browser on this machine."""

from __future__ import annotations

from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

__all__ = ["serve"]


def serve(page: Path) -> None:
    """Serve one page on 127.0.0.1 until Ctrl-C; nothing else can be asked for.

    Args:
        page: A self-contained HTML file.
    """
    content = page.read_bytes()

    class OnePage(BaseHTTPRequestHandler):
        """Answers every request for the root with the page."""

        def do_GET(self) -> None:
            """Send the page."""
            if self.path != "/":
                self.send_error(404)
                return
            self.send_response(200)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            """Stay silent: the terminal shows the address only."""

    with ThreadingHTTPServer(("127.0.0.1", 0), OnePage) as server:
        print(f"open http://127.0.0.1:{server.server_port}/ (Ctrl-C ends)", flush=True)
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            print()
