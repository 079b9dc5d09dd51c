"""A web server on this machine for tests of downloads; nothing leaves it."""

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Manners:
    """How a server treats those who ask for parts of a file; all of it may change while it serves.

    tags: the ETag of each path that is given in parts, empty for none; dates: when a path was last
    changed; cuts: after how many bytes the connection breaks, for one request after the other;
    statuses: what one request after the other is answered, 0 for the file; asked: the path of each
    request and what it said of parts.
    """

    tags: dict[str, str] = field(default_factory=dict)
    dates: dict[str, str] = field(default_factory=dict)
    cuts: list[int] = field(default_factory=list)
    statuses: list[int] = field(default_factory=list)
    asked: list[tuple[str, str | None, str | None]] = field(default_factory=list)


@contextmanager
def serving(
    files: dict[str, bytes], moved: dict[str, str] | None = None, manners: Manners | None = None
) -> Iterator[str]:
    """Serve files by path and yield the server's address; other paths are not there.

    Of `/cut` only the first half comes, of `/endless` no length is told; `moved` leads from a path
    to another address. Both `files` and `moved` may change while they are served.
    """
    manners = manners or Manners()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            since = self.headers.get("If-Range")
            manners.asked.append((self.path, self.headers.get("Range"), since))
            status = manners.statuses.pop(0) if manners.statuses else 0
            if status:
                self.send_error(status)
            elif moved and self.path in moved:
                self.send_response(302)
                self.send_header("Location", moved[self.path])
                self.end_headers()
            elif self.path not in files:
                self.send_error(404)
            else:
                self.give(files[self.path], since)

        def give(self, content: bytes, since: str | None) -> None:
            tag, date = manners.tags.get(self.path), manners.dates.get(self.path)
            part = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
            begin = int(part[1]) if part and tag is not None and since in (None, tag, date) else 0
            if begin >= len(content) > 0:
                self.send_response(416)
                self.send_header("Content-Range", f"bytes */{len(content)}")
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            self.send_response(206 if begin else 200)
            if begin:
                place = f"bytes {begin}-{len(content) - 1}/{len(content)}"
                self.send_header("Content-Range", place)
            for name, value in (("ETag", tag), ("Last-Modified", date)):
                if value:
                    self.send_header(name, value)
            if self.path != "/endless":
                self.send_header("Content-Length", str(len(content) - begin))
            self.end_headers()
            sent = content[begin : len(content) // 2] if self.path == "/cut" else content[begin:]
            with suppress(ConnectionError):  # who asked may have seen enough
                self.wfile.write(sent[: manners.cuts.pop(0)] if manners.cuts else sent)

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
