#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""`avow` against stand-ins for both servers, which answer as docs/registrar-api.md and docs/verifier-api.md say.

What is tested is what a person and a script get: texts, documents, exit codes. Usage: commands.py AVOW
"""
import base64
import hashlib
import http.server
import json
import os
import subprocess
import sys
import tempfile
import threading
import unittest
import urllib.parse

AVOW = os.path.abspath(sys.argv.pop(1))
DONE, NO, MISUSE, UNDECIDED = 0, 1, 2, 3


def problem(status, detail):
    return status, {"type": "about:blank", "title": "Refused", "status": status, "detail": detail}


class Fake:
    """A server whose routes are a dictionary of (method, path) to an answer or a function of (query, body)."""

    def __init__(self):
        self.routes, self.asked = {}, []
        fake = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *args):
                pass

            def answer(self):
                path, _, query = self.path.partition("?")
                query = dict(urllib.parse.parse_qsl(query))
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                if body and self.headers.get("Content-Type") == "application/yaml":
                    body = body.decode()
                else:
                    body = json.loads(body) if body else None
                fake.asked.append((self.command, path, query, body))
                found = fake.routes.get((self.command, path), problem(404, "no such thing"))
                if callable(found):
                    found = found(query, body)
                status, doc, *headers = found
                data = doc if isinstance(doc, bytes) else json.dumps(doc).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json" if status < 400 else "application/problem+json")
                self.send_header("Content-Length", str(len(data)))
                for name, value in headers:
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(data)

            do_GET = do_POST = do_PUT = do_DELETE = do_PATCH = answer

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def stop(self):
        self.server.shutdown()
        self.server.server_close()


def host(name, state="pass", **more):
    return {"name": name, "tenant": "default", "peer": "avow", "state": state, "trust": "trusted", "enforced": True,
            "policy": {"name": "worker", "version": 3, "sha256": "ab"}, "last_pass": "2026-11-21T20:00:00.000Z",
            "policy_current": {"name": "worker", "version": 3}, "summary": None,
            "ek": {"sha256": "00", "class": "hardware", "bound_by": "ek", "findings": []}, "labels": {}, **more}


def registered(name, proven=True, by="ek"):
    return {"name": name, "tenant": "default", "state": "new", "registered": proven, "bound_by": by,
            "ek_sha256": "00ff", "ek_class": "hardware"}


class Case(unittest.TestCase):
    def setUp(self):
        self.temp = tempfile.TemporaryDirectory(prefix="avow.")
        self.dir = self.temp.name
        self.registrar, self.verifier = Fake(), Fake()
        self.config = self.file("avow.yaml", f"registrar:\n  url: {self.registrar.url}\n"
                                             f"verifier:\n  url: {self.verifier.url}\n")

    def tearDown(self):
        self.registrar.stop()
        self.verifier.stop()
        self.temp.cleanup()

    def file(self, name, text):
        path = os.path.join(self.dir, name)
        with open(path, "w", encoding="utf-8") as f:
            f.write(text)
        return path

    def run_avow(self, *args, expect=DONE):
        done = subprocess.run([AVOW, "-c", self.config, *args], cwd=self.dir, capture_output=True, text=True,
                              stdin=subprocess.DEVNULL, timeout=60)
        self.assertEqual(done.returncode, expect, (args, done.stdout, done.stderr))
        return done

    def json(self, *args, expect=DONE):
        return json.loads(self.run_avow("-o", "json", *args, expect=expect).stdout)


class Add(Case):
    def setUp(self):
        super().setUp()
        self.put = []
        self.registrar.routes[("PUT", "/avow/v1/hosts/web-1")] = lambda q, b: (
            self.put.append((q, b)) or (201, {"schema": "avow.registration/1", **registered("web-1")}))
        self.posted = []
        self.verifier.routes[("POST", "/avow/v1/hosts")] = lambda q, b: (
            self.posted.append((q, b)) or (201, {"schema": "avow.host/1", **host("web-1", "enrolled")}))

    def test_binds_then_enrols(self):
        doc = self.json("host", "add", "web-1", "--ek-sha256", "00ff", "--policy", "worker", "--label", "a=b",
                        "--label", "c=", "--interval", "10s", "--peer", "keylime")
        self.assertEqual(self.put, [({}, {"ek_sha256": "00ff"})])
        self.assertEqual(self.posted, [({}, {"name": "web-1", "policy": "worker", "peer": "keylime",
                                             "interval": "10s", "labels": {"a": "b", "c": ""}})])
        self.assertEqual((doc["schema"], doc["state"], doc["registered"]), ("avow.host/1", "enrolled", True))

    def test_ways_to_name_the_tpm(self):
        self.run_avow("host", "add", "web-1", "--ek-serial", "0a", "--policy", "p")
        self.run_avow("host", "add", "web-1", "--tofu", "--policy", "p")
        manifest = self.file("m", "# hosts\nweb-10 ek-sha256:11\n  web-1\tek-sha256:22 # rack 3\n")
        self.run_avow("host", "add", "web-1", "--manifest", manifest, "--policy", "p")
        self.assertEqual([b for _, b in self.put], [{"ek_cert_serial": "0a"}, {"tofu": True},
                                                    {"ek_sha256": "22", "manifest": True}])

    def test_mistakes(self):
        for args in (["web-1", "--tofu"], ["web-1", "--tofu", "--ek-serial", "1", "--policy", "p"],
                     ["a/b", "--tofu", "--policy", "p"], ["web-1", "--policy", "p", "--tofu", "--label", "x"],
                     ["web-1", "--policy", "p", "--tofu", "--peer", "x"],
                     ["web-1", "--policy", "p", "--tofu", "--wait", "soon"], ["--policy", "p"],
                     ["web-1", "--policy", "p", "--manifest", self.file("m", "web-1 sha256:1\n")],
                     ["web-1", "--policy", "p", "--manifest", self.file("n", "web-2 ek-sha256:1\n")]):
            self.assertNotEqual(self.run_avow("host", "add", *args, expect=MISUSE).stderr, "")
        self.assertEqual(self.posted, [])

    def test_no_binding_is_no_add(self):
        self.run_avow("host", "add", "web-1", "--policy", "p", expect=MISUSE)
        self.registrar.routes[("GET", "/avow/v1/hosts/web-1")] = 200, registered("web-1", by="none")
        done = self.run_avow("host", "add", "web-1", "--policy", "p", expect=MISUSE)
        self.assertIn("--ek-sha256 00ff", done.stderr)
        self.registrar.routes[("GET", "/avow/v1/hosts/web-1")] = 200, registered("web-1")
        self.run_avow("host", "add", "web-1", "--policy", "p")

    def test_not_registered_yet(self):
        self.registrar.routes[("PUT", "/avow/v1/hosts/web-1")] = 201, registered("web-1", False)
        done = self.run_avow("host", "add", "web-1", "--tofu", "--policy", "p", expect=UNDECIDED)
        self.assertIn("--wait", done.stderr)
        self.assertEqual(self.posted, [])
        self.run_avow("host", "add", "web-1", "--tofu", "--bind-only")
        self.registrar.routes[("GET", "/avow/v1/hosts/web-1")] = 200, registered("web-1")
        self.run_avow("host", "add", "web-1", "--tofu", "--policy", "p", "--wait", "5s")
        self.assertEqual(len(self.posted), 1)

    def test_dry_run(self):
        self.run_avow("host", "add", "web-1", "--tofu", "--policy", "p", "--dry-run")
        self.assertEqual((self.put[0][0], self.posted[0][0]), ({"dry_run": "true"}, {"dry_run": "true"}))

    def test_refusals(self):
        self.verifier.routes[("POST", "/avow/v1/hosts")] = problem(409, "enrolled already")
        self.assertIn("enrolled already", self.run_avow("host", "add", "web-1", "--tofu", "--policy", "p",
                                                        expect=NO).stderr)
        self.registrar.routes[("PUT", "/avow/v1/hosts/web-1")] = problem(409, "another EK")
        self.run_avow("host", "add", "web-1", "--ek-sha256", "x", "--policy", "p", expect=NO)
        self.registrar.routes[("PUT", "/avow/v1/hosts/web-1")] = problem(400, "no hex")
        self.run_avow("host", "add", "web-1", "--ek-sha256", "x", "--policy", "p", expect=MISUSE)


class Show(Case):
    def test_list_merges(self):
        self.verifier.routes[("GET", "/avow/v1/hosts")] = 200, {"hosts": [host("a"), host("c", "fail")], "next": None}
        self.registrar.routes[("GET", "/avow/v1/hosts")] = 200, {
            "hosts": [registered("a"), registered("b"), registered("c")], "next": None}
        doc = self.json("host", "list", "--limit", "10", "--after", "A b")
        self.assertEqual([(h["name"], h["state"]) for h in doc["hosts"]], [("a", "pass"), ("b", "new"), ("c", "fail")])
        self.assertIsNone(doc["next"])
        self.assertEqual(self.verifier.asked[-1][2], {"limit": "10", "after": "A b"})
        table = self.run_avow("host", "list").stdout.splitlines()
        self.assertEqual(len(table), 4)
        self.assertTrue(table[0].startswith("HOST"))
        self.assertEqual([h["name"] for h in self.json("host", "list", "--state", "fail")["hosts"]], ["c"])

    def test_list_without_a_server(self):
        self.verifier.routes[("GET", "/avow/v1/hosts")] = 200, {"hosts": [host("a")], "next": None}
        self.registrar.stop()
        done = self.run_avow("host", "list", expect=UNDECIDED)
        self.assertIn("registrar", done.stderr)
        self.assertIn("a ", done.stdout)
        self.registrar = Fake()

    def test_show_and_its_exit_codes(self):
        self.registrar.routes[("GET", "/avow/v1/hosts/a")] = 200, registered("a")
        self.assertEqual(self.json("host", "show", "a")["state"], "new")
        for state, trust, code in (("pass", "trusted", DONE), ("fail", "trusted", NO), ("late", "trusted", UNDECIDED),
                                   ("lost", "trusted", NO), ("inconclusive", "trusted", UNDECIDED),
                                   ("pass", "revoked", NO), ("enrolled", "trusted", DONE)):
            self.verifier.routes[("GET", "/avow/v1/hosts/a")] = 200, {**host("a", state), "trust": trust}
            self.assertEqual(self.json("host", "show", "a", expect=code)["state"], state)
        self.run_avow("host", "show", "b", expect=NO)

    def test_hostile_texts_stay_texts(self):
        self.verifier.routes[("GET", "/avow/v1/hosts/a")] = 200, host("a", summary="\x1b[2Jgone\n")
        self.assertNotIn("\x1b", self.run_avow("host", "show", "a").stdout)
        self.verifier.routes[("GET", "/avow/v1/hosts/a/explain")] = 200, {
            "host": "a", "state": "fail", "text": "one\ntwo \x1b]0;x\x07\n"}
        out = self.run_avow("host", "explain", "a", expect=NO).stdout
        self.assertTrue(out.startswith("a is fail since "))
        self.assertIn("\none\ntwo ", out)
        self.assertNotIn("\x1b", out)
        self.verifier.routes[("GET", "/avow/v1/hosts/a")] = problem(500, "\x1b[31mred")
        self.assertNotIn("\x1b", self.run_avow("host", "show", "a", expect=UNDECIDED).stderr)

    def test_explain_new(self):
        self.registrar.routes[("GET", "/avow/v1/hosts/a")] = 200, registered("a")
        self.assertIn("avow host add a", self.run_avow("host", "explain", "a").stdout)
        self.run_avow("host", "explain", "b", expect=NO)


class Trust(Case):
    HOST = {"schema": "avow.host/1", "name": "a", "state": "pass", "trust": "revoked",
            "trust_detail": {"wipe": "wiped", "revocation": "a/2"}}

    def test_reinstate(self):
        path = "/avow/v1/hosts/a/reinstate"
        self.run_avow("host", "reinstate", "a", expect=MISUSE)  # no reason
        self.assertEqual(self.verifier.asked, [])
        self.verifier.routes[("POST", path)] = 202, self.HOST
        done = self.run_avow("host", "reinstate", "a", "--reason", "disk replaced")
        self.assertIn("when it next passes", done.stderr)
        self.assertEqual(self.verifier.asked[-1][3], {"reason": "disk replaced", "unwiped": False})
        self.run_avow("host", "reinstate", "a", "--reason", "x", "--unwiped", "--dry-run")
        self.assertEqual(self.verifier.asked[-1][2:], ({"dry_run": "true"}, {"reason": "x", "unwiped": True}))
        shown = [self.HOST, {**self.HOST, "trust": "trusted"}]
        self.verifier.routes[("GET", "/avow/v1/hosts/a")] = lambda q, b: (200, shown.pop(0))
        doc = self.json("host", "reinstate", "a", "--reason", "x", "--wait", "60s")
        self.assertEqual((doc["trust"], shown), ("trusted", []))
        self.verifier.routes[("GET", "/avow/v1/hosts/a")] = 200, self.HOST
        self.run_avow("host", "reinstate", "a", "--reason", "x", "--wait", "1s", expect=UNDECIDED)
        self.verifier.routes[("POST", path)] = problem(409, "The wipe of this host has not been proven")
        self.assertIn("not been proven", self.run_avow("host", "reinstate", "a", "--reason", "x", expect=UNDECIDED).stderr)

    def test_holds(self):
        hold = {"policy": "edge", "state": "held", "hosts": 200, "pushed_by": "CN=ann (admin)", "reason": "many"}
        self.verifier.routes[("GET", "/avow/v1/holds")] = 200, {"schema": "avow.holds/1", "holds": [hold]}
        self.assertIn("200", self.run_avow("revocation", "holds").stdout)
        self.verifier.routes[("POST", "/avow/v1/holds/confirm")] = 200, {"schema": "avow.hold/1", **hold}
        self.run_avow("revocation", "confirm", "edge", expect=MISUSE)  # no terminal and no --yes
        self.run_avow("revocation", "confirm", "--yes", expect=MISUSE)  # which?
        self.run_avow("revocation", "confirm", "edge", "--fleet", "--yes", expect=MISUSE)
        self.run_avow("revocation", "confirm", "edge", "--yes")
        self.assertEqual(self.verifier.asked[-1][3], {"policy": "edge"})
        self.run_avow("revocation", "confirm", "--fleet", "--yes")
        self.assertEqual(self.verifier.asked[-1][3], {})
        self.verifier.routes[("POST", "/avow/v1/holds/confirm")] = problem(403, "a second person has to")
        self.assertIn("second person", self.run_avow("revocation", "confirm", "edge", "--yes", expect=UNDECIDED).stderr)

    def test_proof(self):
        path = "/avow/v1/revocations/a/2/proof"
        self.run_avow("revocation", "proof", "a", expect=MISUSE)  # no number
        self.assertEqual(self.registrar.asked, [])
        self.registrar.routes[("GET", path)] = problem(404, "the host has not proven the wipe yet")
        self.assertIn("not proven the wipe", self.run_avow("revocation", "proof", "a/2", expect=NO).stderr)
        self.registrar.routes[("GET", path)] = 200, {"schema": "avow.revocation-proof/1"}
        self.assertEqual(json.loads(self.run_avow("revocation", "proof", "a/2").stdout)["schema"], "avow.revocation-proof/1")
        out = os.path.join(self.dir, "a.proof")
        self.run_avow("revocation", "proof", "a/2", "--out", out)
        self.run_avow("revocation", "proof", "a/2", "--out", out, expect=MISUSE)  # it is there
        self.run_avow("revocation", "proof", "a/2", "--out", out, "--force")
        self.run_avow("revocation", "verify", out, expect=MISUSE)  # members are missing
        self.run_avow("revocation", "verify", os.path.join(self.dir, "none"), expect=MISUSE)
        self.assertEqual(self.verifier.asked, [])  # nobody was asked before the proof was read


class Remove(Case):
    def setUp(self):
        super().setUp()
        for server in (self.registrar, self.verifier):
            server.routes[("DELETE", "/avow/v1/hosts/a")] = 200, {"schema": "avow.removed/1", "name": "a"}

    def test_both(self):
        self.run_avow("host", "remove", "a", expect=MISUSE)  # no terminal and no --yes
        self.assertEqual(self.verifier.asked, [])
        doc = self.json("host", "remove", "a", "--yes")
        self.assertEqual((doc["enrolment"], doc["binding"]), (True, True))
        self.run_avow("host", "remove", "b", "--yes", expect=NO)

    def test_parts_and_dry_run(self):
        self.run_avow("host", "remove", "a", "--yes", "--keep-binding")
        self.assertEqual(self.registrar.asked, [])
        self.run_avow("host", "remove", "a", "--dry-run")
        self.assertEqual(self.registrar.asked[-1][2], {"dry_run": "true"})
        del self.verifier.routes[("DELETE", "/avow/v1/hosts/a")]
        doc = self.json("host", "remove", "a", "--yes")
        self.assertEqual((doc["enrolment"], doc["binding"]), (False, True))


class Watch(Case):
    def test_until(self):
        states = iter(["enrolled", "enrolled", "pass"])
        self.verifier.routes[("GET", "/avow/v1/hosts/a")] = lambda q, b: (200, host("a", next(states, "pass")))
        out = self.run_avow("host", "watch", "a", "--until", "pass", "--every", "100ms", "--timeout", "20s").stdout
        self.assertEqual([line.split("  ")[2] for line in out.splitlines()], ["- -> enrolled", "enrolled -> pass"])
        self.run_avow("host", "watch", "a", "--until", "fail", "--every", "100ms", "--timeout", "300ms",
                      expect=UNDECIDED)

    def test_all_in_pages_and_lines_for_programs(self):
        def page(query, _):
            if "after" in query:
                return 200, {"hosts": [host("b", "fail")], "next": None}
            return 200, {"hosts": [host("a")], "next": "a"}
        self.verifier.routes[("GET", "/avow/v1/hosts")] = page
        out = self.run_avow("-o", "json", "host", "watch", "--every", "100ms", "--timeout", "250ms", expect=NO).stdout
        self.assertEqual([(e["host"], e["was"], e["state"]) for e in map(json.loads, out.splitlines())],
                         [("a", None, "pass"), ("b", None, "fail")])

    def test_a_server_that_is_away_is_waited_for(self):
        self.verifier.stop()
        done = self.run_avow("host", "watch", "a", "--until", "pass", "--every", "100ms", "--timeout", "500ms",
                             expect=UNDECIDED)
        self.assertEqual(len(done.stderr.splitlines()), 1)
        self.verifier = Fake()


class Status(Case):
    def server(self, hosts, not_after="2126-01-01T00:00:00Z"):
        return 200, {"schema": "avow.status/1", "program": "x", "version": "0.1.0", "started_at": "now",
                     "hosts": hosts, "store": "ok", "audit": True,
                     "certificate": {"subject": "CN=x", "not_after": not_after}}

    def test_exit_codes(self):
        self.registrar.routes[("GET", "/avow/v1/status")] = self.server({"bound": 1, "active": 1})
        for hosts, code in (({"pass": 2}, DONE), ({"pass": 2, "fail": 1, "late": 1}, NO), ({"late": 1}, UNDECIDED),
                            ({}, DONE), ({"pass": 1, "lost": 0}, DONE)):
            self.verifier.routes[("GET", "/avow/v1/status")] = self.server(hosts)
            self.assertEqual(self.json("status", expect=code)["verifier"]["hosts"], hosts)
        self.assertIn("1 pass", self.run_avow("status").stdout)

    def test_trust(self):
        self.registrar.routes[("GET", "/avow/v1/status")] = self.server({})
        for trust, held, code in (({"trusted": 2, "suspended": 0, "revoked": 0}, 0, DONE), ({"suspended": 1}, 0, UNDECIDED),
                                  ({"suspended": 1, "revoked": 1}, 0, NO), ({"suspended": 7}, 7, NO)):
            status, doc = self.server({"pass": 2})
            self.verifier.routes[("GET", "/avow/v1/status")] = status, {**doc, "trust": trust, "held": held}
            out = self.run_avow("status", expect=code).stdout
            self.assertEqual("the fuse holds 7 hosts" in out, held == 7)
        self.assertIn("7 suspended", out)

    def test_certificates_that_end(self):
        self.registrar.routes[("GET", "/avow/v1/status")] = self.server({}, "2001-01-01T00:00:00Z")
        self.verifier.routes[("GET", "/avow/v1/status")] = self.server({})
        out = self.run_avow("status", expect=NO).stdout
        self.assertIn("the certificate of registrar expired", out)
        key, crt = f"{self.dir}/k", f"{self.dir}/c"
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                        "-keyout", key, "-out", crt, "-subj", "/CN=me", "-days", "5"], check=True,
                       capture_output=True)
        self.registrar.routes[("GET", "/avow/v1/status")] = self.server({})
        with open(self.config, "a", encoding="utf-8") as f:
            f.write(f"  cert: {crt}\n  key: {key}\n")
        doc = self.json("status")
        self.assertEqual(len(doc["warnings"]), 1)
        self.assertIn("ends in 4 days", doc["warnings"][0])

    def test_a_server_that_is_away(self):
        self.verifier.routes[("GET", "/avow/v1/status")] = self.server({})
        self.registrar.stop()
        doc = self.json("status", expect=UNDECIDED)
        self.assertEqual((doc["registrar"]["reachable"], doc["verifier"]["reachable"]), (False, True))
        self.registrar = Fake()


def b64(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


class Audit(Case):
    """Records signed with openssl: an independent hand wrote what `audit verify` reads."""

    def setUp(self):
        super().setUp()
        self.key = f"{self.dir}/audit.key"
        subprocess.run(["openssl", "genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out",
                        self.key], check=True, capture_output=True)
        spki = subprocess.run(["openssl", "pkey", "-in", self.key, "-pubout", "-outform", "DER"], check=True,
                              capture_output=True).stdout
        x, y = b64(spki[-64:-32]), b64(spki[-32:])
        kid = b64(hashlib.sha256(f'{{"crv":"P-256","kty":"EC","x":"{x}","y":"{y}"}}'.encode()).digest())
        self.header = b64(json.dumps({"alg": "ES256", "kid": kid, "typ": "avow-audit+jwt"}).encode())
        self.jwks = {"keys": [{"kty": "RSA", "n": "x"}, {"kty": "EC", "crv": "P-256", "x": x, "y": y, "kid": kid}]}
        self.lines, prev = [], 64 * "0"
        for seq in range(1, 6):
            self.lines.append(self.record(seq, prev))
            prev = hashlib.sha256(self.lines[-1].encode()).hexdigest()
        self.head = prev
        self.verifier.routes[("GET", "/avow/v1/audit/keys")] = 200, self.jwks
        self.serve(self.lines)

    def record(self, seq, prev):
        payload = b64(json.dumps({"seq": seq, "prev": prev, "time": "2026-11-21T20:00:00.000Z", "tenant": "default",
                                  "actor": "CN=admin", "action": "host.add", "object": f"web-{seq}",
                                  "detail": {"n": seq}}).encode())
        der = subprocess.run(["openssl", "dgst", "-sha256", "-sign", self.key],
                             input=f"{self.header}.{payload}".encode(), check=True, capture_output=True).stdout
        at, raw = 2, b""
        for _ in range(2):
            size = der[at + 1]
            raw += der[at + 2:at + 2 + size].lstrip(b"\0").rjust(32, b"\0")
            at += 2 + size
        return f"{self.header}.{payload}.{b64(raw)}"

    def serve(self, lines):
        def page(query, _):
            after, limit = int(query["after"]), min(int(query["limit"]), 2)  # small pages
            part = lines[after:after + limit]
            return 200, "".join(line + "\n" for line in part).encode(), ("Avow-Audit-Last", str(after + len(part)))
        self.verifier.routes[("GET", "/avow/v1/audit")] = page

    def test_show(self):
        doc = self.json("audit", "show", "--after", "1", "--limit", "2")
        self.assertEqual([(r["seq"], r["object"], r["detail"]) for r in doc["records"]],
                         [(2, "web-2", {"n": 2}), (3, "web-3", {"n": 3})])
        self.assertEqual(doc["next"], 3)
        self.assertIn("CN=admin", self.run_avow("audit", "show").stdout)

    def test_good(self):
        doc = self.json("audit", "verify", "--save", "log")
        self.assertEqual((doc["good"], doc["records"], doc["head"]), (True, 5, self.head))
        keys = self.file("keys", json.dumps(self.jwks))
        self.verifier.stop()
        self.json("audit", "verify", "--file", "log", "--keys", keys, "--head", f"5:{self.head}")
        self.verifier = Fake()

    def test_every_kind_of_change_is_seen(self):
        changed = list(self.lines)
        at = len(changed[2]) // 2
        changed[2] = changed[2][:at] + ("A" if changed[2][at] != "A" else "B") + changed[2][at + 1:]
        swapped = [self.lines[0], self.lines[2], self.lines[1], *self.lines[3:]]
        rewritten = [*self.lines[:2], self.record(3, 64 * "1"), *self.lines[3:]]
        for lines, good in ((changed, 2), (self.lines[:2] + self.lines[3:], 2), (swapped, 1), (self.lines[1:], 0),
                            (rewritten, 2), (self.lines + ["rubbish"], 5)):
            self.serve(lines)
            doc = self.json("audit", "verify", expect=NO)
            self.assertEqual((doc["good"], doc["records"]), (False, good))
            self.assertIn("NOT good", self.run_avow("audit", "verify", expect=NO).stdout)

    def test_cut_off_is_seen_with_a_head(self):
        self.serve(self.lines[:3])
        self.json("audit", "verify")
        self.json("audit", "verify", "--head", f"5:{self.head}", expect=NO)
        self.json("audit", "verify", "--head", "2:" + 64 * "0", expect=NO)
        self.run_avow("audit", "verify", "--head", "x", expect=MISUSE)

    def test_cannot_be_checked(self):
        self.verifier.routes[("GET", "/avow/v1/audit/keys")] = problem(403, "auditor")
        self.run_avow("audit", "verify", expect=UNDECIDED)
        self.run_avow("audit", "verify", "--of", "nobody", expect=MISUSE)


class Save(Case):
    def test_save(self):
        self.verifier.routes[("GET", "/avow/v1/hosts/a/evidence/latest")] = 200, b'{"schema":"avow.evidence/1"}'
        self.verifier.routes[("GET", "/avow/v1/hosts/a/evidence/7")] = 200, b'{"n":7}'
        doc = self.json("evidence", "save", "a")
        self.assertEqual((doc["file"], doc["bytes"]), ("a.avow-evidence", 28))
        self.run_avow("evidence", "save", "a", expect=MISUSE)  # it is there
        self.run_avow("evidence", "save", "a", "--force", "--number", "7")
        with open(f"{self.dir}/a.avow-evidence", encoding="utf-8") as f:
            self.assertEqual(f.read(), '{"n":7}')
        self.run_avow("evidence", "save", "b", expect=NO)
        self.run_avow("evidence", "save", "a", "--number", "x", expect=MISUSE)


class History(Case):
    LINE = {"n": 7, "index": 41, "at": "2026-11-21T20:00:00.000Z", "verdict": "fail", "enforced": True,
            "changed": True, "policy": {"name": "worker", "version": 3}, "evidence": True,
            "codes": ["digest-not-allowed", "x\u001b[2J"]}

    def setUp(self):
        super().setUp()
        self.next = 7
        self.verifier.routes[("GET", "/avow/v1/hosts/web-1/history")] = lambda q, b: (
            200, {"schema": "avow.history/1", "host": "web-1", "entries": [self.LINE], "next": self.next})

    def test_pages(self):
        doc = self.json("host", "history", "web-1", "--before", "8", "--limit", "1")
        self.assertEqual(doc["entries"], [self.LINE])
        self.assertEqual(self.verifier.asked[-1][2], {"before": "8", "limit": "1"})
        done = self.run_avow("host", "history", "web-1")
        self.assertEqual(self.verifier.asked[-1][2], {"limit": "50"})
        for word in ("FINDINGS", "7", "fail", "worker", "digest-not-allowed, x\\x1b[2J"):
            self.assertIn(word, done.stdout)
        self.assertIn("--before 7", done.stderr)
        self.next = None
        self.assertEqual(self.run_avow("host", "history", "web-1").stderr, "")

    def test_mistakes(self):
        for args in (["web-1", "--limit", "0"], ["web-1", "--limit", "1001"], ["web-1", "--before", "x"], [],
                     ["a/b"]):
            self.run_avow("host", "history", *args, expect=MISUSE)
        self.run_avow("host", "history", "web-2", expect=NO)


class Policies(Case):
    TEXT = "format: avow-policy/1\nname: edge\nruntimes:\n- {name: n, digests: %s}\n"

    def setUp(self):
        super().setUp()
        self.old = self.TEXT % (64 * "a")
        self.new = self.file("new.yaml", self.TEXT % (64 * "b"))
        at = {"created_at": "2026-11-21T20:00:00.000Z", "created_by": "ann", "source": "old.yaml"}
        routes = self.verifier.routes
        routes[("GET", "/avow/v1/policies")] = 200, {
            "schema": "avow.policies/1", "policies": [{"name": "edge", "version": 2, "sha256": "ab", "hosts": 3, **at}]}
        routes[("GET", "/avow/v1/policies/edge")] = 200, {
            "schema": "avow.policy/1", "name": "edge", "hosts": 3,
            "versions": [{"version": 2, "sha256": "ab", "until": None, "in_force": True, **at}]}
        for version in ("latest", "1"):
            routes[("GET", f"/avow/v1/policies/edge/versions/{version}")] = 200, {
                "schema": "avow.policy-version/1", "name": "edge", "version": 2, "sha256": "ab", "text": self.old, **at}
        routes[("PUT", "/avow/v1/policies/edge")] = 201, {
            "schema": "avow.policy/1", "name": "edge", "version": 3, "sha256": "cd", "unchanged": False, "hosts": 3, **at}
        self.verdict(0)

    def verdict(self, newly_failing):
        would = "fail" if newly_failing else "pass"
        findings = [{"code": "digest-not-allowed", "severity": "error", "what": "that file is another"}]
        self.verifier.routes[("POST", "/avow/v1/policies/edge/test")] = 200, {
            "schema": "avow.policy-test/1", "newly_failing": newly_failing, "untested": [], "results": [
                {"host": "web-1", "now": "pass", "would": would,
                 "verdict": {"state": would, "enforced": True, "dropped": 0,
                             "findings": findings if newly_failing else []}}]}

    def pushes(self):
        return [a for a in self.verifier.asked if a[0] == "PUT"]

    def test_list_and_show(self):
        self.assertIn("old.yaml", self.run_avow("policy", "list").stdout)
        self.assertIn("ann", self.run_avow("policy", "show", "edge").stdout)
        self.assertEqual(self.run_avow("policy", "show", "--text", "edge").stdout, self.old)
        self.assertEqual(self.run_avow("policy", "show", "edge@1").stdout, self.old)
        self.run_avow("policy", "show", "edgy", expect=NO)

    def test_diff_with_the_verifiers(self):
        out = self.run_avow("policy", "diff", "edge", self.new, expect=NO).stdout
        self.assertIn("+ digest n: " + 64 * "b", out)
        self.run_avow("policy", "diff", "edge@1", "edge")

    def test_push(self):
        out = self.run_avow("policy", "push", self.new).stdout
        self.assertIn("3", out)
        [(_, _, query, body)] = self.pushes()
        self.assertEqual(query["overlap"], "0s")
        self.assertEqual(body, self.TEXT % (64 * "b"))

    def test_push_that_would_fail_hosts(self):
        self.verdict(1)
        done = self.run_avow("policy", "push", self.new, expect=NO)
        self.assertIn("that file is another", done.stdout)
        self.assertIn("--force", done.stderr)
        self.assertEqual(self.pushes(), [])
        self.run_avow("policy", "push", "--force", self.new)
        self.run_avow("policy", "push", "--overlap", "24h", self.new)
        self.assertEqual([p[2]["overlap"] for p in self.pushes()], ["0s", "24h"])
        self.assertEqual([p[2].get("force") for p in self.pushes()], ["true", None])

    def test_push_of_a_new_policy(self):
        del self.verifier.routes[("POST", "/avow/v1/policies/edge/test")]
        self.run_avow("policy", "push", "--dry-run", self.new)
        self.assertEqual(self.pushes()[0][2]["dry_run"], "true")

    def test_push_refused(self):
        self.verifier.routes[("PUT", "/avow/v1/policies/edge")] = problem(400, "edge.yaml:3:1: no such key")
        self.assertIn("edge.yaml:3:1", self.run_avow("policy", "push", self.new, expect=MISUSE).stderr)
        self.run_avow("policy", "push", "--overlap", "soon", self.new, expect=MISUSE)
        broken = self.file("broken.yaml", "format: avow-policy/1\n")
        self.assertIn("broken.yaml:1:1", self.run_avow("policy", "push", broken, expect=MISUSE).stderr)

    def test_test(self):
        self.run_avow("policy", "test", self.new)
        self.verdict(1)
        self.assertIn("that file is another", self.run_avow("policy", "test", self.new, expect=NO).stdout)
        self.run_avow("policy", "test", "--host", "web-1", self.new, expect=NO)
        self.assertEqual(self.verifier.asked[-1][2]["host"], "web-1")


class Secrets(Case):
    """Documents of tests/fuzz/corpus/secrets: the same that the decoders are fuzzed with, signatures good."""

    CORPUS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../fuzz/corpus/secrets")

    def document(self, name):
        with open(os.path.join(self.CORPUS, name), "rb") as f:
            return json.loads(f.read()[1:])

    def keep(self, *documents, epoch=1):
        self.verifier.routes[("GET", "/avow/v1/hosts/web-1/secrets")] = 200, {
            "schema": "avow.secrets/1", "host": "web-1", "secrets": list(documents), "epoch": epoch,
            "floor": {"value": 1, "target": 0}}
        self.verifier.routes[("GET", "/avow/v1/approvals")] = 200, {"approvals": [], "next": None}

    def test_a_local_approval_shows_in_the_list(self):
        for state, release in (("active", "local"), ("pending", "local"), ("withdrawn", "verifier")):
            self.keep(self.document("secret"))
            self.verifier.routes[("GET", "/avow/v1/approvals")] = 200, {
                "approvals": [{"state": "active", "document": self.document("approval")},
                              {"state": state, "document": self.document("approval-local")}], "next": None}
            listed = self.json("secret", "list", "web-1")["secrets"][0]
            self.assertEqual(listed["release"], release)
            self.assertEqual("not protected against root" in (listed["note"] or ""), release == "local")

    def test_list(self):
        self.verifier.routes[("GET", "/avow/v1/hosts")] = lambda q, b: (200, {
            "hosts": [host("web-0" if "after" not in q else "web-1")], "next": None if "after" in q else "web-0"})
        self.verifier.routes[("GET", "/avow/v1/hosts/web-0/secrets")] = 200, {"secrets": []}
        self.keep(self.document("secret"))
        for args in ((), ("web-1",)):
            doc = self.json("secret", "list", *args)
            self.assertEqual([(s["host"], s["name"], s["revocable"], s["release"], s["note"]) for s in doc["secrets"]],
                             [("web-1", "db", "yes", "verifier", None)])
        self.keep(self.document("secret-larger"), epoch=2)
        doc = self.json("secret", "list", "web-1")
        self.assertEqual(doc["secrets"][0]["release"], "local")
        self.assertIn("its epoch has ended", doc["secrets"][0]["note"])

    def test_a_server_that_lies(self):
        for member, value in (("version", 9), ("release", "local"), ("host", "web-2"), ("created_at", "2020-01-01T00:00:00.000Z"),
                              ("revocable", False), ("class", "other")):
            self.keep({**self.document("secret"), member: value})
            done = self.run_avow("secret", "list", "web-1", expect=MISUSE if member in ("revocable", "class") else UNDECIDED)
            self.assertEqual(done.stdout, "")
        approval = self.document("approval")
        approval["brackets"][0]["signature"] = self.document("approval-local")["brackets"][0]["signature"]
        self.verifier.routes[("GET", "/avow/v1/approvals")] = 200, {"approvals": [{"state": "active", "document": approval}]}
        self.assertIn("signature is not good", self.run_avow("secret", "approvals", expect=UNDECIDED).stderr)

    def pages(self, q, _):
        first, second = self.document("approval"), self.document("approval-local")
        page = {"approvals": [{"state": "active", "document": second if "after" in q else first}],
                "next": None if "after" in q else first["id"]}
        return 200, page

    def test_approvals_come_in_pages(self):
        self.verifier.routes[("GET", "/avow/v1/approvals")] = self.pages
        doc = self.json("secret", "approvals")
        self.assertEqual([a["release"] for a in doc["approvals"]], ["verifier", "local"])
        self.assertEqual([q.get("after") for _, _, q, _ in self.verifier.asked], [None, self.document("approval")["id"]])
        self.assertTrue(all(a["n"] == 1 and a["class"] == "db" for a in doc["approvals"]))

    def test_withdraw(self):
        first, second = self.document("approval"), self.document("approval-local")
        self.verifier.routes[("GET", "/avow/v1/approvals")] = self.pages
        self.verifier.routes[("DELETE", "/avow/v1/approvals/" + second["id"])] = 200, {
            "id": second["id"], "host": "web-1", "state": "pending", "floor_target": second["floor"]["version"] + 1}
        done = self.run_avow("secret", "withdraw", second["id"], "--yes")
        self.assertIn(first["id"], done.stderr)  # of the same version: it ends with it
        self.assertIn("pending", done.stdout)
        self.run_avow("secret", "withdraw", "ff" * 16, "--yes", expect=NO)
        self.run_avow("secret", "withdraw", second["id"], expect=MISUSE)
        self.assertEqual(sum(method == "DELETE" for method, *_ in self.verifier.asked), 1)

    def test_a_target_that_lies(self):
        with open(os.path.join(self.CORPUS, "target"), "rb") as f:
            target = json.loads(f.read()[1:])
        self.registrar.routes[("GET", "/avow/v1/hosts/web-1")] = 200, {
            **registered("web-1"), "registered": True, "ek": target["ek"], "ek_certificate": target["ek_certificate"]}
        kept = {**host("web-1"), "counters": target["counters"]}
        self.verifier.routes[("GET", "/avow/v1/keys")] = 200, {
            "schema": "avow.keys/1", "verifier_id": target["verifier"], "revocation": [], "release": []}
        self.verifier.routes[("GET", "/avow/v1/hosts/web-1")] = 200, kept
        doc = json.loads(self.run_avow("secret", "target", "web-1").stdout)
        self.assertEqual((doc["ek"], doc["counters"]), (target["ek"], target["counters"]))
        for name in ("epoch", "floor"):
            counters = {**target["counters"], name: {**target["counters"][name], "index": 0x01810109}}
            self.verifier.routes[("GET", "/avow/v1/hosts/web-1")] = 200, {**kept, "counters": counters}
            self.assertIn("not that of its key", self.run_avow("secret", "target", "web-1", expect=MISUSE).stderr)
        self.verifier.routes[("GET", "/avow/v1/hosts/web-1")] = 200, {**kept, "counters": None}
        self.assertIn("no epoch counter", self.run_avow("secret", "target", "web-1", expect=MISUSE).stderr)


if __name__ == "__main__":
    unittest.main(argv=sys.argv)
