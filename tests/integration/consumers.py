# SPDX-License-Identifier: Apache-2.0
"""For tests of hooks: a verifier's signed revocations, and consumers that check what they get with Python alone."""
import base64
import hashlib
import hmac
import http.client
import json
import random
import ssl
import subprocess
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature


def b64u(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


class Signer:
    """A verifier's revocation key."""

    def __init__(self, path):
        self.key = serialization.load_pem_private_key(open(path, "rb").read(), None)
        public = self.key.public_key().public_numbers()
        x, y = (b64u(n.to_bytes(32, "big")) for n in (public.x, public.y))
        self.kid = b64u(hashlib.sha256(f'{{"crv":"P-256","kty":"EC","x":"{x}","y":"{y}"}}'.encode()).digest())  # RFC 7638

    def sign(self, payload, typ="avow-revocation+jwt"):
        head = b64u(json.dumps({"alg": "ES256", "kid": self.kid, "typ": typ}).encode())
        text = head + "." + b64u(json.dumps(payload).encode())
        r, s = decode_dss_signature(self.key.sign(text.encode(), ec.ECDSA(hashes.SHA256())))
        return text + "." + b64u(r.to_bytes(32, "big") + s.to_bytes(32, "big"))

    def revocation(self, host, seq, reaction="suspend", **more):
        return self.sign({"schema": "avow.revocation/1", "id": f"{host}/{seq}", "host": host, "tenant": "default", "reaction": reaction,
                          "nv_index": "0x01810100", "epoch": 1, "issued_at": "2026-11-21T19:30:48.123Z", "verdict": seq, **more})


def check_signature(headers, body, secret):
    """Standard Webhooks, from its specification. SECRET: whsec_… or whpk_…"""
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    assert abs(time.time() - int(headers["webhook-timestamp"])) < 60
    for one in headers["webhook-signature"].split(" "):
        version, sig = one.split(",", 1)
        raw = base64.b64decode(sig)
        key = base64.b64decode(secret.split("_", 1)[1])
        if version == "v1" and secret.startswith("whsec_"):
            if hmac.compare_digest(hmac.new(key, signed, hashlib.sha256).digest(), raw):
                return True
        elif version == "v1a" and secret.startswith("whpk_"):
            try:
                ed25519.Ed25519PublicKey.from_public_bytes(key).verify(raw, signed)
                return True
            except Exception:
                pass
    return False


class Consumer:
    """An HTTP server that keeps what it was sent; MOOD(event) says what it does: 200, another status, "stall" or "close"."""

    def __init__(self, mood=lambda event: 200, tls=None):
        self.mood, self.secret, self.got, self.bad, self.headers = mood, None, [], [], []
        self.lock = threading.Lock()
        consumer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def log_message(self, *args):
                pass

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                event = json.loads(body)
                answer = consumer.mood(event)
                with consumer.lock:
                    if consumer.secret and not check_signature(self.headers, body, consumer.secret):
                        consumer.bad.append(event["id"])
                    consumer.got.append((event, answer))
                    consumer.headers.append(dict(self.headers))
                if answer == "stall":
                    time.sleep(0.6)
                    answer = "close"
                if answer == "close":
                    self.close_connection = True
                    return
                self.send_response(answer)
                if 300 <= answer < 400:
                    self.send_header("Location", "/elsewhere")
                self.send_header("Content-Length", "0")
                self.end_headers()

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 128

            def handle_error(self, request, client_address):
                pass

        self.server = Server(("127.0.0.1", 0), Handler)
        if tls:
            ctx = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            ctx.load_cert_chain(tls[0] + ".pem", tls[0] + ".key")
            ctx.load_verify_locations(tls[1])
            ctx.verify_mode = ssl.CERT_REQUIRED
            self.server.socket = ctx.wrap_socket(self.server.socket, server_side=True, do_handshake_on_connect=False)
        self.url = f"http{'s' if tls else ''}://127.0.0.1:{self.server.server_port}/hook"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def ids(self, accepted_only=False):
        with self.lock:
            return [e["id"] for e, a in self.got if a == 200 or not accepted_only]


class Registrar:
    """The program, and its API with a certificate of WORK/pki."""

    def __init__(self, work, program, port):
        self.work, self.program, self.port, self.process = work, program, port, None

    def start(self):
        self.log = open(f"{self.work}/registrar.log", "a")
        self.process = subprocess.Popen([self.program, "-c", f"{self.work}/registrar.yaml"], stdout=self.log, stderr=self.log)
        for _ in range(200):
            try:
                if self.call("GET", "/version")[0] == 200:
                    return self
            except OSError:
                pass
            assert self.process.poll() is None, "the registrar ended"
            time.sleep(0.05)
        raise AssertionError("the registrar does not start")

    def kill(self):
        self.process.kill()
        self.process.wait()

    def stop(self):
        if self.process:
            self.process.terminate()
            return self.process.wait(20)
        return None

    def connect(self, who="admin"):
        ctx = ssl.create_default_context(cafile=f"{self.work}/pki/ca.pem")
        ctx.load_cert_chain(f"{self.work}/pki/{who}.pem", f"{self.work}/pki/{who}.key")
        return http.client.HTTPSConnection("127.0.0.1", self.port, timeout=20, context=ctx)

    def call(self, method, path, body=None, who="admin", connection=None):
        c = connection or self.connect(who)
        text = body if isinstance(body, (str, bytes)) else json.dumps(body) if body is not None else None
        kind = "application/jose" if isinstance(body, str) else "application/json"
        c.request(method, path, text, {"Content-Type": kind} if text else {})
        answer = c.getresponse()
        data = answer.read()
        return answer.status, json.loads(data) if data and answer.getheader("Content-Type", "").find("json") >= 0 else data

    def add_hook(self, name, consumer, **more):
        status, hook = self.call("POST", "/avow/v1/hooks", {"name": name, "url": consumer.url, **more})
        assert status == 201, (status, hook)
        consumer.secret = hook.get("secret") or hook.get("public_key") or more.get("secret")
        return hook


def wait(seconds, what, condition):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"waited {seconds} s for {what}"
        time.sleep(0.02)


def dice(seed):
    return random.Random(seed)
