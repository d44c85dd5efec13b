"""A server on loopback that answers in a protocol, or fails in a way that is asked for."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit

HTML = "<!DOCTYPE html>\n<html><head><title>Down</title></head><body>Down for maintenance</body></html>"


@dataclass
class Request:
    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: str


@dataclass
class Reply:
    body: bytes
    kind: str
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)


@dataclass
class Server:
    """What was asked, and what goes wrong: `fault` holds for the next `times` requests that `only` lets through."""

    answer: Callable[[Request], Reply]
    url: str = ""
    asked: list[Request] = field(default_factory=list)
    fault: str | None = None
    times: int = 10**6
    only: Callable[[Request], bool] = lambda request: True

    def handle(self, handler: BaseHTTPRequestHandler) -> None:
        parts = urlsplit(handler.path)
        query = {key: values[0] for key, values in parse_qs(parts.query, keep_blank_values=True).items()}
        length = int(handler.headers.get("Content-Length") or 0)
        body = handler.rfile.read(length).decode() if length else ""
        request = Request(handler.command, unquote(parts.path), query, dict(handler.headers), body)
        self.asked.append(request)
        reply = self.answer(request)
        fault = None
        if self.fault and self.times > 0 and self.only(request):
            fault, self.times = self.fault, self.times - 1
        self.send(handler, reply, fault)

    def send(self, handler: BaseHTTPRequestHandler, reply: Reply, fault: str | None) -> None:
        length = len(reply.body)
        match fault:
            case "silence":
                time.sleep(1.0)
                return
            case "hang up":
                handler.connection.shutdown(socket.SHUT_RDWR)
                return
            case "500" | "503" | "403" | "429":
                reply = Reply(b"sorry", "text/plain", int(fault))
            case "404 of a wrong address":
                reply = Reply(b"no such page", "text/plain", 404)
            case "html":
                reply = Reply(HTML.encode(), "text/html; charset=utf-8")
            case "html under another name":
                reply = Reply(HTML.encode(), reply.kind)
            case "other type":
                reply = Reply(reply.body, "image/png")
            case "empty":
                reply = Reply(b"", reply.kind)
            case "redirect":
                reply = Reply(b"moved", "text/plain", 302, {"Location": "http://other.invalid/login?token=secret"})
            case "LF":
                reply = Reply(reply.body.replace(b"\r\n", b"\n"), reply.kind)
            case "error line":
                reply = Reply(b"Error: database is not available\r\n", reply.kind)
            case "cut without length" | "cut":
                reply = Reply(reply.body[: int(len(reply.body) * 0.7)], reply.kind, reply.status, reply.headers)
        if fault != "cut":
            length = len(reply.body)
        handler.send_response(reply.status)
        handler.send_header("Content-Type", reply.kind)
        if fault != "cut without length":
            handler.send_header("Content-Length", str(length))
        for name, value in reply.headers.items():
            handler.send_header(name, value)
        handler.end_headers()
        if handler.command != "HEAD":
            handler.wfile.write(reply.body)


@contextmanager
def serve(answer: Callable[[Request], Reply]) -> Iterator[Server]:
    server = Server(answer)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            server.handle(self)

        do_POST = do_HEAD = do_DELETE = do_GET  # noqa: N815 - as http.server calls them

        def log_message(self, *args) -> None:
            pass

    class Quiet(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, *args) -> None:
            """A client that gave up is what some tests want."""

    http = Quiet(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    server.url = f"http://127.0.0.1:{http.server_port}"
    try:
        yield server
    finally:
        http.shutdown()
        http.server_close()
        thread.join()
