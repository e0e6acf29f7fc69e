#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What a peer may send over a socket, byte by byte, and what the server makes of it.

Each test is one gap that an HTTP server on this library would have by default (see lib/http/conn.c), or one
promise of lib/http/server.h. Usage: raw_sockets.py SERVER-PROGRAM
"""
import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import tempfile
import time
import unittest
import warnings

SERVER = os.path.abspath(sys.argv.pop(1))


def openssl(*args):
    subprocess.run(["openssl", *args], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def make_key(path):
    openssl("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", path)


def make_cert(folder, name, san=None, ca=None, days="7"):
    key, crt = f"{folder}/{name}.key", f"{folder}/{name}.crt"
    make_key(key)
    args = ["req", "-x509", "-new", "-key", key, "-subj", f"/CN={name}", "-days", days, "-out", crt]
    if ca:
        args += ["-CA", f"{folder}/{ca}.crt", "-CAkey", f"{folder}/{ca}.key",
                 "-addext", "basicConstraints=CA:FALSE"]
    if san:
        args += ["-addext", "subjectAltName=" + san]
    openssl(*args)


class Server:
    """The test server, started afresh for each test."""

    def __init__(self, folder, *extra):
        self.process = subprocess.Popen(
            [SERVER, f"{folder}/server.crt", f"{folder}/server.key", f"{folder}/ca.crt", *extra],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.tls_port, self.port = map(int, self.process.stdout.readline().split())

    def stop(self):
        self.process.stdin.close()
        self.process.stdout.close()
        return self.process.wait(timeout=20)


class Answer:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    def json(self):
        return json.loads(self.body)


def read_answer(stream, head=False):
    """One answer from a buffered stream; None when the peer closed instead."""
    line = stream.readline()
    if not line:
        return None
    version, status, _ = line.decode().split(" ", 2)
    assert version == "HTTP/1.1", line
    headers = {}
    while (line := stream.readline().decode().rstrip("\r\n")):
        name, value = line.split(":", 1)
        headers[name.lower()] = value.strip()
    if int(status) == 100:
        return Answer(100, headers, b"")
    size = 0 if head else int(headers.get("content-length", "0"))
    return Answer(int(status), headers, stream.read(size))


class Case(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.temp = tempfile.TemporaryDirectory(prefix="avow.")
        cls.dir = cls.temp.name
        make_cert(cls.dir, "ca")
        make_cert(cls.dir, "server", "IP:127.0.0.1", "ca")
        make_cert(cls.dir, "admin", "URI:urn:avow:role:admin,URI:urn:avow:tenant:blue", "ca")
        make_cert(cls.dir, "plain", None, "ca")
        make_cert(cls.dir, "stranger", "URI:urn:avow:role:admin")

    @classmethod
    def tearDownClass(cls):
        cls.temp.cleanup()

    def setUp(self):
        self.server = Server(self.dir)
        self.sockets = []

    def tearDown(self):
        for s in self.sockets:
            s.close()
        self.assertEqual(self.server.stop(), 0)

    def connect(self):
        s = socket.create_connection(("127.0.0.1", self.server.port), timeout=10)
        self.sockets.append(s)
        return s

    def eventually(self, reached):
        """Asks until it is so; a peer that is refused is not so yet."""
        end = time.monotonic() + 10
        while True:
            try:
                if reached():
                    return
            except OSError:
                pass
            self.assertLess(time.monotonic(), end, "it did not come to be")
            time.sleep(0.05)

    def context(self, client=None):
        context = ssl.create_default_context(cafile=f"{self.dir}/ca.crt")
        if client:
            context.load_cert_chain(f"{self.dir}/{client}.crt", f"{self.dir}/{client}.key")
        return context

    def connect_tls(self, client=None, context=None, session=None):
        raw = socket.create_connection(("127.0.0.1", self.server.tls_port), timeout=10)
        self.sockets.append(raw)
        s = (context or self.context(client)).wrap_socket(raw, server_hostname="127.0.0.1", session=session)
        self.sockets.append(s)
        return s

    def send(self, data, connection=None):
        """Sends bytes on a new (or the given) connection and reads one answer."""
        s = connection or self.connect()
        s.sendall(data)
        return read_answer(s.makefile("rb"))

    def get(self, path, connection=None, headers=""):
        return self.send(f"GET {path} HTTP/1.1\r\nHost: x\r\n{headers}\r\n".encode(), connection)

    def refused(self, data, status, connection=None, calls=b"0"):
        """The answer is STATUS, the connection closes, and no handler has run since CALLS."""
        s = connection or self.connect()
        s.sendall(data)
        stream = s.makefile("rb")
        answer = read_answer(stream)
        self.assertIsNotNone(answer, "the connection closed without an answer")
        self.assertEqual(answer.status, status)
        self.assertEqual(answer.headers.get("connection"), "close")
        self.assertEqual(stream.read(), b"")
        self.assertEqual(self.get("/calls").body, calls)
        return answer


class Framing(Case):
    """Where does a request end? What leaves a choice is refused."""

    def test_two_content_lengths(self):
        self.refused(b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\nContent-Length: 35\r\n\r\n"
                     b"POST /echo HTTP/1.1\r\nHost: x\r\n\r\n", 400)

    def test_equal_content_lengths(self):
        self.refused(b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\nx", 400)

    def test_content_length_with_sign_or_list(self):
        for value in (b"+3", b"-3", b"3, 3", b"0x3", b"3 ", b" 3x", b"", b"3\t4", b"\xb3"):
            if value.strip() == b"3":
                continue
            with self.subTest(value):
                self.refused(b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: " + value + b"\r\n\r\nabc", 400)

    def test_content_length_beyond_all_numbers(self):
        self.refused(b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999999\r\n\r\n", 413)

    def test_blank_before_colon(self):
        self.refused(b"POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\n", 400)

    def test_length_beside_chunked(self):
        self.refused(b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n"
                     b"0\r\n\r\n", 400)

    def test_other_codings(self):
        for value in (b"gzip, chunked", b"xchunked", b"identity", b"chunked, chunked"):
            with self.subTest(value):
                self.refused(b"POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: " + value +
                             b"\r\n\r\n0\r\n\r\n", 501)

    def test_two_transfer_encodings(self):
        self.refused(b"POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n"
                     b"Transfer-Encoding: identity\r\n\r\n0\r\n\r\n", 400)

    def test_chunked_with_http10(self):
        self.refused(b"POST /echo HTTP/1.0\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400)

    def test_folded_header(self):
        self.refused(b"GET /calls HTTP/1.1\r\nHost: x\r\nX-A: 1\r\n Content-Length: 3\r\n\r\n", 400)

    def test_bare_line_feeds(self):
        self.refused(b"GET /calls HTTP/1.1\nHost: x\n\n", 400)
        self.refused(b"GET /calls HTTP/1.1\r\nHost: x\r\nX-A: 1\nContent-Length: 3\r\n\r\n", 400)

    def test_bare_carriage_return_and_nul(self):
        self.refused(b"GET /calls HTTP/1.1\r\nHost: x\r\nX-A: 1\rX-B: 2\r\n\r\n", 400)
        self.refused(b"GET /calls HTTP/1.1\r\nHost: x\r\nX-A: 1\0\r\n\r\n", 400)

    def test_malformed_lines(self):
        for data in (b"\r\n\r\n", b"GET\r\n\r\n", b"GET /calls\r\nHost: x\r\n\r\n",
                     b"GET  /calls HTTP/1.1\r\nHost: x\r\n\r\n", b"GET calls HTTP/1.1\r\nHost: x\r\n\r\n",
                     b"GET /calls HTTP/1.1 \r\nHost: x\r\n\r\n", b"GET /calls JUNK/1\r\nHost: x\r\n\r\n",
                     b"GET /calls HTTP/1.1\r\nHost: x\r\n: y\r\n\r\n",
                     b"GET /calls HTTP/1.1\r\nHost: x\r\nnocolon\r\n\r\n", b" GET /calls HTTP/1.1\r\n\r\n",
                     b"GET /calls#x HTTP/1.1\r\nHost: x\r\n\r\n", b"GET /c\xc3\xa4 HTTP/1.1\r\nHost: x\r\n\r\n"):
            with self.subTest(data):
                self.refused(data, 400)

    def test_host(self):
        self.refused(b"GET /calls HTTP/1.1\r\n\r\n", 400)
        self.refused(b"GET /calls HTTP/1.1\r\nHost:\r\n\r\n", 400)
        self.refused(b"GET /calls HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", 400)
        self.refused(b"GET /calls HTTP/1.1\r\nHost: a/b@c\r\n\r\n", 400)
        self.assertEqual(self.send(b"GET /calls HTTP/1.0\r\n\r\n").status, 200)
        self.assertEqual(self.send(b"GET /calls HTTP/1.1\r\nHost: [::1]:8881\r\n\r\n").status, 200)

    def test_versions_and_methods(self):
        self.refused(b"GET /calls HTTP/2.0\r\nHost: x\r\n\r\n", 505)
        self.refused(b"BREW /calls HTTP/1.1\r\nHost: x\r\n\r\n", 501)
        self.refused(b"get /calls HTTP/1.1\r\nHost: x\r\n\r\n", 501)

    def test_compressed_body(self):
        self.refused(b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Encoding: gzip\r\nContent-Length: 1\r\n\r\nx", 415)

    def test_two_authorizations(self):
        self.refused(b"GET /calls HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer a\r\n"
                     b"Authorization: Bearer b\r\n\r\n", 400)


class Chunked(Case):
    HEAD = b"POST /echo HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: Chunked\r\n\r\n"

    def test_good(self):
        answer = self.send(self.HEAD + b"3\r\nabc\r\n00A;ext=\"1\"\r\n0123456789\r\n0\r\nTrailer: x\r\n\r\n")
        self.assertEqual((answer.status, answer.body), (200, b"abc0123456789"))

    def test_byte_by_byte(self):
        s = self.connect()
        s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in self.HEAD + b"3\r\nabc\r\n0\r\n\r\n":
            s.sendall(bytes([byte]))
        self.assertEqual(read_answer(s.makefile("rb")).body, b"abc")

    def test_malformed(self):
        for body in (b"+3\r\nabc\r\n0\r\n\r\n", b"0x3\r\nabc\r\n0\r\n\r\n", b"3\nabc\n0\n\n", b"3\r\nabcd\r\n0\r\n\r\n",
                     b"3 \r\nabc\r\n0\r\n\r\n", b"\r\n", b";x\r\n", b"1000000000000000\r\n", b"-1\r\n",
                     b"3\r\nabc\r\r\n", b"1;" + 300 * b"x", b"0\r\n" + 5000 * b"x"):
            with self.subTest(body):
                self.refused(self.HEAD + body, 400)

    def test_oversize_is_answered_not_reset(self):
        """One chunk that announces too much, and many that add up, each while the peer goes on sending."""
        self.refused(self.HEAD + b"fffffff\r\n" + 300000 * b"x", 413)
        chunk = b"8000\r\n" + 0x8000 * b"x" + b"\r\n"
        self.refused(self.HEAD + 40 * chunk, 413)


class Limits(Case):
    def test_head_of_16_kib(self):
        self.refused(b"GET /calls HTTP/1.1\r\nHost: x\r\nX-A: " + 20000 * b"a" + b"\r\n\r\n", 431)
        self.assertEqual(self.get("/calls", headers="X-A: " + 16000 * "a" + "\r\n").status, 200)

    def test_64_headers(self):
        self.assertEqual(self.get("/calls", headers=63 * "X-A: 1\r\n").status, 200)
        self.refused(b"GET /calls HTTP/1.1\r\nHost: x\r\n" + 64 * b"X-A: 1\r\n" + b"\r\n", 431)

    def test_body_of_the_row(self):
        self.assertEqual(len(self.send(b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n" +
                                       100000 * b"x").body), 100000)

    def test_oversize_body_is_refused_before_it_is_read(self):
        self.refused(b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 200000\r\n\r\n", 413)

    def test_oversize_body_is_answered_while_it_is_sent(self):
        self.refused(b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 500000\r\n\r\n" + 500000 * b"x", 413)

    def test_small_rest_keeps_the_connection(self):
        s = self.connect()
        answer = self.send(b"PATCH /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 2000\r\n\r\n" + 2000 * b"x", s)
        self.assertEqual(answer.status, 413)
        self.assertEqual(self.get("/calls", s).body, b"0")

    def test_anonymous_peers_get_8_mib(self):
        """The row would take 64 MiB; a stranger gets 8, an admin all."""
        size = 9 << 20
        head = f"PUT /big HTTP/1.1\r\nHost: x\r\nContent-Length: {size}\r\n\r\n".encode()
        self.refused(head, 413)
        s = self.connect_tls("admin")
        s.sendall(head + size * b"x")
        self.assertEqual(len(read_answer(s.makefile("rb")).body), size)
        self.refused(head, 413, self.connect_tls("stranger"), b"1")

    def test_65th_connection_of_a_peer(self):
        kept = [self.connect() for _ in range(64)]
        self.assertEqual(self.get("/calls", kept[63]).status, 200)
        extra = socket.create_connection(("127.0.0.1", self.server.tls_port), timeout=10)
        self.sockets.append(extra)
        # Closed as it is accepted: a ClientHello earns nothing, no handshake is paid for.
        try:
            extra.sendall(b"\x16\x03\x01\x00\x05hello")
            self.assertEqual(extra.recv(100), b"")
        except ConnectionResetError:
            pass
        kept[0].close()
        self.eventually(lambda: self.get("/calls") is not None)


class Deadlines(Case):
    """request_ms is 2 s here, handshake_ms 1.5 s."""

    def drip(self, s, data, pause=0.1):
        """Sends a byte at a time until the server hangs up. Returns the answer and how long it took."""
        start = time.monotonic()
        s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            for byte in data:
                s.sendall(bytes([byte]))
                s.settimeout(pause)
                try:
                    if s.recv(1, socket.MSG_PEEK) is not None:
                        break
                except TimeoutError:
                    pass
        except OSError:
            pass
        s.settimeout(10)
        took = time.monotonic() - start
        return read_answer(s.makefile("rb")), took

    def test_slow_head(self):
        answer, took = self.drip(self.connect(), b"GET /calls HTTP/1.1\r\nHost: x\r\nX-A: " + 300 * b"a")
        self.assertEqual(answer.status, 408)
        self.assertTrue(1.5 < took < 15, took)

    def test_slow_body(self):
        answer, took = self.drip(self.connect(), b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 900\r\n\r\n" +
                                 900 * b"a", 0.02)
        self.assertEqual(answer.status, 408)
        self.assertTrue(1.5 < took < 15, took)

    def test_slow_handshake(self):
        s = socket.create_connection(("127.0.0.1", self.server.tls_port), timeout=10)
        self.sockets.append(s)
        start = time.monotonic()
        s.sendall(b"\x16\x03\x01\x02\x00\x01")
        self.assertEqual(s.recv(100), b"")
        self.assertTrue(1 < time.monotonic() - start < 9)

    def test_silent_connection(self):
        s = self.connect()
        start = time.monotonic()
        self.assertEqual(s.recv(100), b"")
        self.assertTrue(2 < time.monotonic() - start < 9)

    def test_handler_too_late(self):
        answer = self.get("/never")
        self.assertEqual(answer.status, 503)
        self.assertEqual(answer.headers["content-type"], "application/problem+json")
        time.sleep(2.5)  # its answer comes and goes nowhere
        self.assertEqual(self.get("/calls").status, 200)

    def test_peer_that_does_not_read(self):
        s = self.connect_tls("admin")
        s.sendall(b"PUT /big HTTP/1.1\r\nHost: x\r\nContent-Length: 30000000\r\n\r\n")
        s.sendall(30000000 * b"x")
        time.sleep(3)  # past the deadline the server lets go
        read = 0
        try:
            while (n := len(s.recv(1 << 20))):
                read += n
        except OSError:
            pass
        self.assertLess(read, 30000000)


class Life(Case):
    def test_pipelining(self):
        s = self.connect()
        s.sendall(3 * b"GET /calls HTTP/1.1\r\nHost: x\r\n\r\n" +
                  b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc")
        stream = s.makefile("rb")
        self.assertEqual([read_answer(stream).body for _ in range(4)], [b"0", b"0", b"0", b"abc"])

    def test_close_and_http10(self):
        for data in (b"GET /calls HTTP/1.1\r\nHost: x\r\nConnection: foo, Close\r\n\r\n",
                     b"GET /calls HTTP/1.0\r\n\r\n"):
            s = self.connect()
            s.sendall(data)
            stream = s.makefile("rb")
            self.assertEqual(read_answer(stream).status, 200)
            self.assertEqual(stream.read(), b"")

    def test_head_and_patch(self):
        s = self.connect()
        s.sendall(b"HEAD /calls HTTP/1.1\r\nHost: x\r\n\r\n")
        stream = s.makefile("rb")
        answer = read_answer(stream, head=True)
        self.assertEqual((answer.status, answer.headers["content-length"]), (200, "1"))
        s.sendall(b"PATCH /echo HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\nhi")
        self.assertEqual(read_answer(stream).body, b"hi")

    def test_expect_continue(self):
        s = self.connect()
        s.sendall(b"POST /echo HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n")
        stream = s.makefile("rb")
        self.assertEqual(read_answer(stream).status, 100)
        s.sendall(b"hi")
        self.assertEqual(read_answer(stream).body, b"hi")
        self.refused_late()

    def refused_late(self):
        s = self.connect()
        s.sendall(b"POST /admin HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n")
        self.assertEqual(read_answer(s.makefile("rb")).status, 403)

    def test_absolute_target(self):
        self.assertEqual(self.send(b"GET http://h:1/calls?a=b HTTP/1.1\r\nHost: x\r\n\r\n").status, 200)

    def test_answer_later(self):
        self.assertEqual(self.get("/later").body, b"late")

    def test_peer_leaves_before_the_answer(self):
        s = self.connect()
        s.sendall(b"GET /later HTTP/1.1\r\nHost: x\r\n\r\n")
        time.sleep(0.1)
        s.close()
        self.eventually(lambda: b"avow_http_requests_abandoned_total 1\n" in self.get("/metrics").body)
        self.assertEqual(self.get("/later").body, b"late")

    def test_stream(self):
        s = self.connect()
        s.sendall(b"GET /stream?end HTTP/1.1\r\nHost: x\r\n\r\n")
        self.assertTrue(s.makefile("rb").read().endswith(b"data: one\n\n"))
        s = self.connect()
        s.sendall(b"GET /stream HTTP/1.1\r\nHost: x\r\n\r\n")
        time.sleep(2.5)  # a stream outlives the request's deadline
        self.assertIn(b"data: one", s.recv(4096))
        s.close()
        self.eventually(lambda: self.get("/calls").body == b"1000")

    def test_kept_alive_requests_do_not_wait_for_acknowledgements(self):
        s = self.connect()
        took = []
        for _ in range(20):
            start = time.monotonic()
            self.get("/calls", s)
            took.append(time.monotonic() - start)
        self.assertLess(min(took), 0.03)  # without TCP_NODELAY each takes 40 ms, however fast the machine

    def test_request_id(self):
        self.assertEqual(self.get("/calls", headers="X-Request-Id: ab_-9\r\n").headers["x-request-id"], "ab_-9")
        for bad in ("a b", 37 * "a", "a;b"):
            self.assertNotEqual(self.get("/calls", headers=f"X-Request-Id: {bad}\r\n").headers["x-request-id"], bad)


class Routes(Case):
    def test_not_found(self):
        answer = self.get("/nothing")
        self.assertEqual(answer.headers["content-type"], "application/problem+json")
        self.assertEqual(answer.json()["status"], 404)
        for path in ("/v2.7/names/x", "/v9/agents/x", "/v2/agents/a/b", "/v2/names/"):
            answer = self.get(path)
            self.assertEqual((answer.status, answer.body), (404, b""), path)

    def test_method(self):
        answer = self.send(b"DELETE /echo HTTP/1.1\r\nHost: x\r\n\r\n")
        self.assertEqual((answer.status, answer.headers["allow"]), (405, "POST, PATCH"))
        answer = self.send(b"PUT /v2/echo HTTP/1.1\r\nHost: x\r\n\r\n")
        self.assertEqual((answer.status, answer.body), (405, b""))

    def test_parameters(self):
        answer = self.get("/hosts/web-1%2e?q=a%20b+c&z").json()
        self.assertEqual((answer["id"], answer["q"]), ("web-1.", "a b c"))
        self.assertEqual(self.get("/v2/names/x/").json()["version"], "2")
        self.assertEqual(self.get("/v2.6/names/x").json()["version"], "2.6")
        for path in ("/hosts/a%2fb", "/hosts/%00", "/hosts/%0a", "/hosts/%4", "/hosts/..", "/hosts/%2e%2e",
                     "/hosts//", "//hosts/a"):
            self.assertEqual(self.get(path).status, 404, path)

    def test_version(self):
        answer = self.get("/version").json()
        self.assertEqual((answer["code"], answer["status"]), (200, "Success"))
        self.assertEqual(answer["results"]["supported_versions"], ["2.0", "2.6", "3.0"])
        self.assertEqual(answer["results"]["current_version"], "2.6")

    def test_health_and_metrics(self):
        self.assertEqual(self.get("/healthz").body, b"ok\n")
        self.assertEqual(self.get("/readyz").json()["ready"], True)
        answer = self.get("/metrics")
        self.assertTrue(answer.headers["content-type"].startswith("application/openmetrics-text"))
        self.assertTrue(answer.body.endswith(b"# EOF\n"))
        self.assertIn(b'avow_http_requests_total{method="GET",route="/healthz",status="200"} 1\n', answer.body)


class Identity(Case):
    ADMIN = b"POST /admin HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n"

    def who(self, client):
        return self.get("/who", self.connect_tls(client)).json()

    def test_roles(self):
        admin = self.who("admin")
        self.assertEqual((admin["verified"], admin["roles"], admin["tenant"], admin["name"]),
                         (True, "admin", "blue", "admin"))
        self.assertEqual(self.who(None), {"tls": True, "certificate": False, "verified": False, "spki": 64 * "0",
                                          "roles": "nobody", "tenant": "", "name": "", "address": "127.0.0.1"})
        plain = self.who("plain")
        self.assertEqual((plain["verified"], plain["roles"]), (True, "nobody"))

    def test_stranger_is_anonymous_with_a_key(self):
        stranger = self.who("stranger")
        self.assertEqual((stranger["certificate"], stranger["verified"], stranger["roles"], stranger["name"]),
                         (True, False, "nobody", ""))
        der = subprocess.run(["openssl", "pkey", "-in", f"{self.dir}/stranger.key", "-pubout", "-outform", "DER"],
                             check=True, capture_output=True).stdout
        import hashlib
        self.assertEqual(stranger["spki"], hashlib.sha256(der).hexdigest())

    def test_rows_let_in_whom_they_name(self):
        for client, status in ((None, 403), ("plain", 403), ("stranger", 403), ("admin", 200)):
            answer = self.send(self.ADMIN, self.connect_tls(client))
            self.assertEqual(answer.status, status, client)
            if status == 403:
                self.assertIn("admin, policy-admin", answer.json()["detail"])
        self.assertEqual(self.send(self.ADMIN).status, 403)

    def test_a_token_never_falls_back_to_the_certificate(self):
        s = self.connect_tls("admin")
        self.assertEqual(self.get("/v2.6/agents/x", s).status, 204)
        self.assertEqual(self.get("/v2.6/agents/x", s, "Authorization: Bearer good\r\n").status, 204)
        answer = self.get("/v2.6/agents/x", s, "Authorization: Bearer bad\r\n")
        self.assertEqual((answer.status, answer.json()), (401, {"errors": [
            {"status": "401", "title": "Unauthorized", "detail": "Invalid authentication token"}]}))
        self.assertEqual(self.get("/v2.6/agents/x", s, "Authorization: Basic eDp5\r\n").status, 401)
        answer = self.send(b"POST /admin HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer good\r\n"
                           b"Content-Length: 0\r\n\r\n", s)
        self.assertEqual(answer.status, 403)
        answer = self.get("/v2.6/agents/x")
        self.assertEqual(answer.status, 403)
        self.assertTrue(answer.json()["errors"][0]["detail"].startswith("Action read_agent requires "))

    def test_keylime_rule_must_be_asked_for(self):
        self.server.stop()
        self.server = Server(self.dir, "any-admin")
        self.assertEqual(self.who("plain")["roles"], "admin")
        self.assertEqual(self.who("stranger")["roles"], "nobody")

    def test_old_tls_is_refused(self):
        context = self.context()
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = ssl.TLSVersion.TLSv1
        context.maximum_version = ssl.TLSVersion.TLSv1_1
        with self.assertRaises((ssl.SSLError, OSError)):
            self.connect_tls(context=context)

    def test_sessions_resume_with_their_identity(self):
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            context = self.context("admin")
            context.maximum_version = version
            first = self.connect_tls(context=context)
            self.assertEqual(self.get("/who", first).json()["roles"], "admin")
            again = self.connect_tls(context=context, session=first.session)
            self.assertEqual(self.get("/who", again).json()["roles"], "admin")
            self.assertTrue(again.session_reused, version)

    def test_rotation_keeps_strangers_and_asks_roles_again(self):
        context = self.context("stranger")
        agent, admin, waiting = self.connect_tls(context=context), self.connect_tls("admin"), self.connect_tls("admin")
        before = agent.getpeercert(binary_form=True)
        self.assertEqual(self.get("/calls", agent).status, 200)
        self.assertEqual(self.get("/calls", admin).status, 200)
        session = agent.session
        waiting.sendall(b"GET /later HTTP/1.1\r\nHost: x\r\n\r\n")
        make_cert(self.dir, "server", "IP:127.0.0.1", "ca")
        self.server.process.send_signal(signal.SIGHUP)
        answer = read_answer(waiting.makefile("rb"))  # what was asked is answered, then the connection ends
        self.assertEqual((answer.status, answer.headers["connection"]), (200, "close"))
        self.assertEqual(admin.recv(100), b"")
        self.assertEqual(self.get("/calls", agent).status, 200)
        new = self.connect_tls(context=context, session=session)
        self.assertNotEqual(new.getpeercert(binary_form=True), before)
        self.assertFalse(new.session_reused)  # an old session is no way past new certificates
        self.assertEqual(self.get("/who", self.connect_tls("admin")).json()["roles"], "admin")

    def test_plain_http_on_the_tls_port_and_back(self):
        s = socket.create_connection(("127.0.0.1", self.server.tls_port), timeout=10)
        self.sockets.append(s)
        s.sendall(b"GET /calls HTTP/1.1\r\nHost: x\r\n\r\n")
        try:
            self.assertNotIn(b"200", s.recv(100))
        except ConnectionResetError:
            pass
        s = self.connect()
        s.sendall(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03")
        self.assertEqual(read_answer(s.makefile("rb")).status, 400)


if __name__ == "__main__":
    unittest.main(argv=sys.argv)
