# SPDX-License-Identifier: ISC
"""The web server that the tests with real programs ask: real_httpd.py PORT DIRECTORY [CERTIFICATE]

/hello says who asked whom by which name, /big gives 3 MB, a POST to /sum the digest of its body, /repo.git is a git
repository by git's own server program, anything else a file below DIRECTORY.  With a certificate, whose file
holds its key as well, it speaks TLS.
"""
import hashlib
import http.server
import os
import socket
import ssl
import subprocess
import sys

BIG = b"".join(b"%015d\n" % i for i in range(3 << 16))


class Page(http.server.SimpleHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self, body, status=200, headers=()):
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def body(self):
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))
        data = b""
        while size := int(self.rfile.readline(), 16):
            data += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return data

    def do_git(self):
        path, _, query = self.path.partition("?")
        environment = dict(os.environ, GIT_PROJECT_ROOT=self.directory, GIT_HTTP_EXPORT_ALL="1", PATH_INFO=path,
                           QUERY_STRING=query, REQUEST_METHOD=self.command, REMOTE_ADDR=self.client_address[0],
                           CONTENT_TYPE=self.headers.get("Content-Type", ""),
                           HTTP_CONTENT_ENCODING=self.headers.get("Content-Encoding", ""),
                           GIT_PROTOCOL=self.headers.get("Git-Protocol", ""))
        data = self.body()
        environment["CONTENT_LENGTH"] = str(len(data))
        out = subprocess.run(["git", "http-backend"], input=data, stdout=subprocess.PIPE, env=environment).stdout
        head, _, rest = out.partition(b"\r\n\r\n")
        headers = [line.split(": ", 1) for line in head.decode().split("\r\n")]
        status = [value.split()[0] for name, value in headers if name == "Status"]
        self.answer(rest, int(status[0]) if status else 200, headers)

    def do_GET(self):
        if self.path == "/hello":
            to, by = (address[0].replace("::ffff:", "") for address in
                      (self.connection.getsockname(), self.client_address))
            self.answer(f"hello {by} at {to} as {self.headers['Host']}\n".encode())
        elif self.path == "/big":
            self.answer(BIG)
        elif self.path.startswith("/repo.git/"):
            self.do_git()
        else:
            super().do_GET()

    def do_POST(self):
        if self.path.startswith("/repo.git/"):
            self.do_git()
        else:
            self.answer(hashlib.sha256(self.body()).hexdigest().encode() + b"\n")


class Server(http.server.ThreadingHTTPServer):
    address_family = socket.AF_INET6 if socket.has_ipv6 else socket.AF_INET
    daemon_threads = True
    request_queue_size = 1024

    def server_bind(self):
        if self.address_family == socket.AF_INET6:
            self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        self.socket.bind(self.server_address)
        self.server_name, self.server_port = "target.example", self.server_address[1]


def main():
    port, directory = int(sys.argv[1]), sys.argv[2]
    host = "::" if Server.address_family == socket.AF_INET6 else "0.0.0.0"
    server = Server((host, port), lambda *a: Page(*a, directory=directory))
    if len(sys.argv) > 3:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(sys.argv[3])
        server.socket = context.wrap_socket(server.socket, server_side=True)
    server.serve_forever()


main()
