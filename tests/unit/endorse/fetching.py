#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""`avow endorsements` against stand-ins of AMD's and Intel's servers: what is asked for, what is kept, what is
not, and that nothing takes longer or more than it may. Evidence and answers are those of the fuzz corpora: they
are ours, and of a vendor that does not exist."""
import base64
import http.server
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse

SRC, BUILD = os.environ["top_srcdir"], os.environ["top_builddir"]
AVOW = os.path.join(BUILD, "tenant/avow")
failures = []


def corpus(name):
    with open(os.path.join(SRC, "tests/fuzz/corpus", name), "rb") as f:
        return f.read()[1:]  # the first byte chooses in the fuzz target


def pem(der):
    text = base64.encodebytes(der).decode()
    return f"-----BEGIN CERTIFICATE-----\n{text}-----END CERTIFICATE-----\n".encode()


LEAF, CRL, REPORT, QUOTE = corpus("snp/leaf"), corpus("snp/crl"), corpus("snp/report"), corpus("dcap/quote-v4-td10")
TCB_INFO = corpus("dcap/cut")
IDENTITY = b'{"enclaveIdentity":' + corpus("dcap/td-qe-identity") + b',"signature":"' + b"00" * 64 + b'"}'
INTEL_CRL = corpus("dcap/crl")
NOW = "2026-06-15T00:00:00Z"


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.asked, self.answers = [], {}
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_address[1]}"


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.server.asked.append(self.path)
        for start, answer in self.server.answers.items():
            if self.path.startswith(start):
                answer = answer(self.server) if callable(answer) else answer
                status, body, headers = answer if isinstance(answer, tuple) else (200, answer, {})
                break
        else:
            status, body, headers = 404, b"", {}
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        try:
            self.wfile.write(body)
        except OSError:
            pass  # the client had enough

    def log_message(self, *args):
        pass


def check(good, what, *more):
    print(("ok   " if good else "BAD  ") + what)
    if not good:
        failures.append(" ".join(map(str, (what, *more))))


def avow(*args):
    done = subprocess.run([AVOW, "-o", "json", "endorsements", *args], capture_output=True, text=True, timeout=60,
                          check=False)
    doc = json.loads(done.stdout) if done.stdout.startswith("{") else None
    return done.returncode, doc, done.stderr


def outcomes(doc):
    return [piece["outcome"] for piece in doc["pieces"]]


def good_amd():
    return {"/vcek/v1/Turin/cert_chain": pem(LEAF), "/vcek/v1/Turin/crl": CRL, "/vcek/v1/": LEAF}


def good_intel():
    chain = {"TCB-Info-Issuer-Chain": urllib.parse.quote(pem(LEAF).decode()),
             "SGX-Enclave-Identity-Issuer-Chain": urllib.parse.quote(pem(LEAF).decode())}
    return {"/tdx/certification/v4/tcb?fmspc=": (200, TCB_INFO, chain),
            "/tdx/certification/v4/qe/identity": (200, IDENTITY, chain),
            "/sgx/certification/v4/pckcrl?ca=": INTEL_CRL, "/IntelSGXRootCA.der": INTEL_CRL}


def amd(server, folder):
    report = os.path.join(folder, "report")
    with open(report, "wb") as f:
        f.write(REPORT)
    cache = os.path.join(folder, "amd")

    def fetch(at=NOW, timeout="20s", into=cache):
        server.asked.clear()
        return avow("fetch", "--type", "snp", "--amd-url", server.url, "--cache", into, "--at", at, "--timeout", timeout,
                    report)

    server.answers = good_amd()
    code, doc, err = fetch()
    chip = REPORT[0x1a0:0x1a0 + 8].hex()
    tcb = REPORT[0x180:0x188]
    want = f"/vcek/v1/Turin/{chip}?fmcSPL={tcb[0]:02}&blSPL={tcb[1]:02}&teeSPL={tcb[2]:02}&snpSPL={tcb[3]:02}&ucodeSPL={tcb[7]:02}"
    check(code == 0 and outcomes(doc) == ["fetched"] * 3, "all is fetched", code, doc, err)
    check(server.asked == [want, "/vcek/v1/Turin/cert_chain", "/vcek/v1/Turin/crl"], "by chip and reported TCB",
          server.asked, want)
    code, doc, err = fetch()
    check(code == 0 and outcomes(doc) == ["kept"] * 3 and not server.asked, "what holds is not asked for again", doc)

    server.answers = {}
    code, doc, err = fetch(at="2027-01-14T12:00:00Z")  # all of it ends within three days
    check(code == 0 and set(outcomes(doc)) == {"not renewed"}, "what cannot be renewed is used to its end", doc, err)
    code, doc, err = fetch(at="2029-01-01T00:00:00Z")
    check(code == 3 and outcomes(doc) == ["failed"] * 3 and "404" in doc["pieces"][0]["why"], "… and not longer", doc)
    server.answers = good_amd()
    code, doc, err = fetch(at="2029-01-01T00:00:00Z")
    check(code == 3 and "good until" in doc["pieces"][0]["why"], "an answer that holds no more is not kept", doc)

    fresh = os.path.join(folder, "fresh")
    server.answers = dict(good_amd(), **{"/vcek/v1/": CRL})
    code, doc, err = fetch(into=fresh)
    check(code == 3 and outcomes(doc)[0] == "failed" and "not certificates" in doc["pieces"][0]["why"],
          "another thing than asked for is not kept", doc)
    check(not any(name.endswith(".der") for name in os.listdir(fresh)), "… and not written")
    server.answers = dict(good_amd(), **{"/vcek/v1/": LEAF + b"\0" * (5 << 20)})
    code, doc, err = fetch(into=fresh)
    check(code == 3 and outcomes(doc)[0] == "failed", "an answer that is too large is not read", doc)

    turns = iter([(429, b"", {"Retry-After": "1"}), LEAF])
    server.answers = dict(good_amd(), **{"/vcek/v1/": lambda server: next(turns)})
    code, doc, err = fetch(into=fresh)
    check(code == 0 and outcomes(doc)[0] == "fetched" and len(server.asked) == 2, "too busy: asked once more", doc,
          server.asked)
    busy = os.path.join(folder, "busy")
    server.answers = {"/": (429, b"", {"Retry-After": "3600"})}
    began = time.monotonic()
    code, doc, err = fetch(into=busy, timeout="2s")
    check(code == 3 and time.monotonic() - began < 2 and "429" in doc["pieces"][0]["why"], "too busy for too long", doc)
    server.answers = {"/": lambda server: time.sleep(8) or b""}
    began = time.monotonic()
    code, doc, err = fetch(into=busy, timeout="1s")
    check(code == 3 and time.monotonic() - began < 6 and outcomes(doc) == ["failed"] * 3,
          "a silent server: all ends in time", time.monotonic() - began, doc)
    return cache


def intel(server, folder):
    quote = os.path.join(folder, "quote")
    with open(quote, "wb") as f:
        f.write(QUOTE)
    cache = os.path.join(folder, "intel")

    def fetch():
        server.asked.clear()
        return avow("fetch", "--type", "tdx", "--intel-url", server.url, "--intel-root-url", server.url, "--cache",
                    cache, "--at", NOW, quote)

    server.answers = good_intel()
    server.answers["/tdx/certification/v4/qe/identity"] = (200, IDENTITY, {})
    code, doc, err = fetch()
    check(code == 3 and outcomes(doc) == ["fetched", "failed", "fetched", "fetched"] and
          "SGX-Enclave-Identity-Issuer-Chain" in doc["pieces"][1]["why"], "collateral without its signer", doc, err)
    check(server.asked[0].startswith("/tdx/certification/v4/tcb?fmspc=") and
          server.asked[2] == "/sgx/certification/v4/pckcrl?ca=platform&encoding=der", "paths", server.asked)
    server.answers = good_intel()
    code, doc, err = fetch()
    check(code == 0 and outcomes(doc) == ["kept", "fetched", "kept", "kept"], "… then with it", doc, err)
    check(sum(name.endswith(".chain.pem") for name in os.listdir(cache)) == 2, "chains lie beside the documents")
    code, doc, err = avow("fetch", "--type", "tdx", "--cache", cache, os.path.join(folder, "report"))
    check(code == 2 and doc is None, "a report is no quote", code, err)


def bundles(folder, cache):
    bundle, other = os.path.join(folder, "bundle"), os.path.join(folder, "other")
    code, doc, err = avow("export", "--cache", cache, "--out", bundle)
    check(code == 0, "exported", err)
    code, doc, err = avow("import", "--cache", other, bundle)
    check(code == 0, "imported", err)
    here, there = avow("show", "--cache", cache)[1], avow("show", "--cache", other)[1]
    check(here["pieces"] == there["pieces"] and len(here["pieces"]) == 3 and
          all("good_until" in piece for piece in here["pieces"]), "the same is there", here, there)
    with open(bundle, encoding="utf-8") as f:
        content = json.load(f)
    for change, what in (({"name": "../x"}, "a path as a name"), ({"bytes": "aGVsbG8="}, "no endorsement"),
                         ({"more": 1}, "a member that is not known")):
        broken = dict(content, pieces=content["pieces"][:2] + [dict(content["pieces"][2], **change)])
        with open(bundle, "w", encoding="utf-8") as f:
            json.dump(broken, f)
        empty = os.path.join(folder, "empty")
        code, doc, err = avow("import", "--cache", empty, bundle)
        check(code == 2 and "piece 2" in err and not os.path.exists(empty), f"refused whole: {what}", code, err)
    single = os.path.join(folder, "one.crl")
    with open(single, "wb") as f:
        f.write(CRL)
    code, doc, err = avow("import", "--cache", other, single)
    check(code == 0 and "one.crl" in os.listdir(other), "a single piece", err)
    code, doc, err = avow("import", "--cache", other, os.path.join(folder, "report"))
    check(code == 2, "… of nothing known", code, err)
    check(avow("show", "--cache", os.path.join(folder, "nowhere"))[1]["pieces"] == [], "an empty cache is no error")


with tempfile.TemporaryDirectory() as scratch:
    peer = Server()
    filled = amd(peer, scratch)
    intel(peer, scratch)
    bundles(scratch, filled)
for line in failures:
    print(line)
sys.exit(1 if failures else 0)
