"""ClickHouse's HTTP protocol in front of chdb, the engine of ClickHouse as a
library: serve.py PORT. Enough of it for clickhouse-go: a query in the body or
the URL, settings in the URL, answers as Native blocks, an error as status 500
with its code, KILL QUERY by id. It listens on the loopback and asks for no
password. Each request has a session of its own, as over HTTP; all of them see
the same tables, which are in memory and gone with the process.

Blocks of chdb are those for clients of revision 0, so the greeting says that
the server is of revision 0."""

import re
import struct
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, urlsplit

from chdb.session import Session

NO_SETTINGS = {"query", "query_id", "database", "default_format", "client_protocol_version"}
GREETING = "SELECT displayName(), version(), revision(), timezone()"
KILL = re.compile(r"KILL QUERY WHERE query_id = '([\w-]+)' ASYNC")


def text(s):
    return bytes([len(s)]) + s.encode()


def greeting(version):
    """A block for a client that asks before it knows the revision."""
    block = bytes([1, 0, 2]) + struct.pack("<i", -1) + bytes([0, 4, 1])
    for value in ("chdb", version, 0, "UTC"):
        if value == 0:
            block += text("n") + text("UInt32") + b"\0" + struct.pack("<I", 0)
        else:
            block += text("s") + text("String") + b"\0" + text(value)
    return block


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    running = set()  # ids of queries whose answer is under way

    def do_POST(self):
        asked = dict(parse_qsl(urlsplit(self.path).query))
        sql = asked.get("query", "") + self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
        session, query_id = Session(), asked.get("query_id")
        try:
            for name, value in asked.items():
                if name not in NO_SETTINGS:
                    session.query(f"SET {name} = '{value}'")
            if asked.get("database"):
                session.query(f"USE `{asked['database']}`")
            if sql == GREETING:
                self.answer([greeting(session.query("SELECT version()", "TabSeparated").bytes().decode().strip())])
            elif kill := KILL.fullmatch(sql):
                Handler.running.discard(kill[1])
                self.answer([])
            elif re.match(r"\s*(SELECT|WITH)\b", sql, re.I):
                Handler.running.add(query_id)
                self.answer(c.bytes() for c in session.send_query(sql, "Native"))
            else:
                self.answer([session.query(sql, "Native").bytes()])
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True
        except Exception as e:  # whatever chdb throws is an answer
            self.fail(str(e))
        finally:
            Handler.running.discard(query_id)
            session.close()

    def answer(self, chunks):
        """Sends the first chunk only when it is there: before it an error has a status of its own."""
        self.begun, query_id = False, dict(parse_qsl(urlsplit(self.path).query)).get("query_id")
        streamed = not isinstance(chunks, list)
        for chunk in chunks:
            if streamed and query_id not in Handler.running:
                raise RuntimeError("Code: 394. DB::Exception: Query was cancelled. (QUERY_WAS_CANCELLED)")
            if chunk:
                self.begin()
                self.wfile.write(b"%x\r\n%s\r\n" % (len(chunk), chunk))
        self.begin()
        self.wfile.write(b"0\r\n\r\n")

    def begin(self):
        if not self.begun:
            self.send_response(200)
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
        self.begun = True

    def fail(self, message):
        if getattr(self, "begun", False):  # nothing can be said any more: the answer is cut
            self.close_connection = True
            return
        code, body = re.search(r"Code: (\d+)", message), message.encode()
        self.send_response(500)
        self.send_header("X-ClickHouse-Exception-Code", code[1] if code else "1000")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request, client_address):
        if not isinstance(sys.exc_info()[1], ConnectionError):  # clients may go
            super().handle_error(request, client_address)


base = Session()  # keeps the tables
server = Server(("127.0.0.1", int(sys.argv[1])), Handler)
print("ready", flush=True)
server.serve_forever()
