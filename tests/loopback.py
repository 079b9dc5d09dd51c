"""A web server on this machine for tests of downloads; nothing leaves it."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@contextmanager
def serving(files: dict[str, bytes], moved: dict[str, str] | None = None) -> Iterator[str]:
    """Serve files by path and yield the server's address; other paths are not there.

    Of `/cut` only the first half comes, of `/endless` no length is told; `moved` leads from a path
    to another address. Both `files` and `moved` may change while they are served.
    """

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            if moved and self.path in moved:
                self.send_response(302)
                self.send_header("Location", moved[self.path])
                self.end_headers()
                return
            if self.path not in files:
                self.send_error(404)
                return
            content = files[self.path]
            self.send_response(200)
            if self.path != "/endless":
                self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            with suppress(ConnectionError):  # who asked may have seen enough
                self.wfile.write(content[: len(content) // 2] if self.path == "/cut" else content)

        def log_message(self, *_arguments):
            """Keep the output of tests clean."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
