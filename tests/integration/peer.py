# SPDX-License-Identifier: Apache-2.0
"""An attester of our own making, for tests: the push protocol spoken with Python's standard library and tpm2-tools, with none of
avow's code in it. It is the independent witness that the protocol is what docs/protocol.md says, and the attacker of the adversary
stories, who may bend any message before it is sent.
"""
import base64
import contextlib
import hashlib
import hmac
import http.client
import json
import os
import ssl
import struct
import string
import subprocess
import time
import urllib.parse

JSON = "application/json"
JSON_API = "application/vnd.api+json"
RS, LF = b"\x1e", b"\n"


def run(*args, env=None, check=True, input=None):
    p = subprocess.run(args, capture_output=True, env={**os.environ, **(env or {})}, input=input)
    if check and p.returncode:
        raise RuntimeError(f"{' '.join(args)}: {p.returncode}: {p.stderr.decode(errors='replace')[-400:]}")
    return p


def b64(data):
    return base64.b64encode(data).decode()


class Connection:
    """One kept-alive HTTPS connection; cert may be None."""

    def __init__(self, url, ca, cert=None, key=None):
        self.url = urllib.parse.urlsplit(url)
        self.context = ssl.create_default_context(cafile=ca)
        self.context.verify_flags &= ~getattr(ssl, "VERIFY_X509_STRICT", 0)
        if cert:
            self.context.load_cert_chain(cert, key)
        self.http = None

    def request(self, method, path, body=None, type=JSON, headers=None, raw=False):
        """Returns (status, document or text, headers)."""
        data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        head = dict(headers or {})
        if data is not None:
            head["Content-Type"] = type
        for last in (False, True):
            try:
                if self.http is None:
                    self.http = http.client.HTTPSConnection(self.url.hostname, self.url.port, context=self.context,
                                                            timeout=30)
                self.http.request(method, path, body=data, headers=head)
                r = self.http.getresponse()
                text = r.read()
                break
            except (http.client.HTTPException, OSError):
                self.http = None
                if last:
                    raise
        if raw:
            return r.status, text, r.headers
        try:
            return r.status, json.loads(text) if text else None, r.headers
        except ValueError:
            return r.status, text.decode(errors="replace"), r.headers

    def close(self):
        if self.http:
            self.http.close()
            self.http = None


class Tpm:
    """Keys of an attester in a TPM reached by TCTI; everything through tpm2-tools. Files live in DIR."""

    certificates = {"rsa": "0x01c00002", "ecc": "0x01c0000a", "ecc384": "0x01c00016"}  # NV indices
    persistent = {"ecc384": "0x81010016"}  # swtpm_setup leaves the EK of that certificate there
    fixed = "fixedtpm|fixedparent|"
    signs = "sensitivedataorigin|userwithauth|noda|sign"
    aks = {  # algorithm and attributes
        "ecc": ("ecc256:ecdsa-sha256:null", fixed + signs + "|restricted"),
        "rsa": ("rsa2048:rsassa-sha256:null", fixed + signs + "|restricted"),
        "unrestricted": ("ecc256:ecdsa-sha256:null", fixed + signs),
        "movable": ("ecc256:ecdsa-sha256:null", signs + "|restricted"),
    }
    n_handles = 0
    counters = (0x01810100, 0x01810101)  # epoch, floor
    counter_key = None  # DER, after make_counters()

    def __init__(self, tcti, dir, ek="rsa", ak="ecc"):
        """ak: None to use the one made before in DIR."""
        self.tcti, self.dir, self.ek_kind = tcti, dir, ek
        self.ak_handle = None
        os.makedirs(dir, exist_ok=True)
        self.ek = self.persistent.get(ek, self.f("ek.ctx"))
        if ek not in self.persistent:
            self.tool("createek", "-G", ek, "-c", self.ek, "-u", self.f("ek.pub"))
            self.flush()
        self.tool("readpublic", "-c", self.ek, "-f", "tss", "-o", self.f("ek.pub"))
        self.flush()
        if ak:
            self.make_ak(*self.aks[ak])
        p = self.tool("nvread", self.certificates[ek], "-C", "o", "-o", self.f("ek.der"), check=False)
        self.ek_der = self.read("ek.der") if p.returncode == 0 else None

    def f(self, name):
        return os.path.join(self.dir, name)

    def tool(self, name, *args, check=True):
        return run("tpm2_" + name, *args, env={"TPM2TOOLS_TCTI": self.tcti}, check=check)

    def flush(self):
        self.tool("flushcontext", "-t", check=False)

    @contextlib.contextmanager
    def ek_authorised(self):
        """The arguments that authorise the EK: a session of its policy; none for the high range, which has userWithAuth."""
        if self.ek_kind in self.persistent:
            yield ()
        else:
            self.flush()
            self.tool("startauthsession", "--policy-session", "-S", self.f("session"))
            try:
                self.tool("policysecret", "-S", self.f("session"), "-c", "e")
                yield "-P", "session:" + self.f("session")
            finally:
                self.tool("flushcontext", self.f("session"))
        self.flush()

    def make_ak(self, algorithm, attributes):
        with self.ek_authorised() as auth:
            self.tool("create", "-C", self.ek, *auth, "-G", algorithm, "-g", "sha256", "-a", attributes, "-u", self.f("ak.pub"),
                      "-r", self.f("ak.priv"))
        with self.ek_authorised() as auth:
            self.tool("load", "-C", self.ek, *auth, "-u", self.f("ak.pub"), "-r", self.f("ak.priv"), "-c", self.f("ak.ctx"),
                      "-n", self.f("ak.name"))
        self.ak_handle = None

    def handle(self):
        """The AK's handle, for raw commands: persistent, from the first use on."""
        if self.ak_handle is None:
            Tpm.n_handles += 1
            self.ak_handle = 0x81018000 + (os.getpid() * 64 + Tpm.n_handles) % 0x7000
            self.tool("evictcontrol", "-C", "o", "-c", self.f("ak.ctx"), hex(self.ak_handle))
            self.flush()
        return self.ak_handle

    def read(self, name):
        return open(self.f(name), "rb").read()

    @property
    def ek_public(self):
        return self.read("ek.pub")

    @property
    def ak_public(self):
        return self.read("ak.pub")

    def activate(self, blob):
        open(self.f("blob"), "wb").write(blob)
        with self.ek_authorised() as auth:
            self.tool("activatecredential", "-c", self.f("ak.ctx"), "-C", self.ek, "-i", self.f("blob"), "-o", self.f("secret"),
                      *auth)
        return self.read("secret")

    def certify_ak(self, qualifying):
        """TPM2_Certify of the AK by itself, as a raw command: tpm2_certify takes no qualifying data."""
        handle = struct.pack(">I", self.handle())
        password = struct.pack(">IHBH", 0x40000009, 0, 0, 0)
        body = (handle + handle + struct.pack(">I", 2 * len(password)) + 2 * password
                + struct.pack(">H", len(qualifying)) + qualifying + struct.pack(">H", 0x0010))
        open(self.f("command"), "wb").write(struct.pack(">HII", 0x8002, 10 + len(body), 0x148) + body)
        self.tool("send", "-o", self.f("response"), self.f("command"))
        response = self.read("response")
        code = struct.unpack(">I", response[6:10])[0]
        assert code == 0, f"TPM2_Certify: 0x{code:x}"
        size = struct.unpack(">I", response[10:14])[0]
        parameters = response[14:14 + size]
        n = struct.unpack(">H", parameters[:2])[0]
        return parameters[2:2 + n], parameters[2 + n:]

    def quote(self, qualifying, pcrs):
        """pcrs: "sha256:15". Returns message, signature, Keylime's PCR blob (tpm2-tools' own format)."""
        self.tool("quote", "-c", self.f("ak.ctx"), "-l", pcrs, "-q", qualifying.hex(), "-g", "sha256", "-m", self.f("msg"),
                  "-s", self.f("sig"), "-o", self.f("pcrs"))
        self.flush()
        return self.read("msg"), self.read("sig"), self.read("pcrs")

    def time(self, qualifying):
        self.tool("gettime", "-c", self.f("ak.ctx"), "-g", "sha256", "-q", qualifying.hex(), "--attestation", self.f("msg"),
                  "-o", self.f("sig"))
        self.flush()
        return self.read("msg"), self.read("sig")

    def make_counters(self):
        """The epoch and floor counters of docs/protocol.md §9, with a key of their own; defined and incremented by the owner."""
        key = self.f("counter.key")
        run("openssl", "genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", key)
        run("openssl", "pkey", "-in", key, "-pubout", "-out", key + ".pem")
        self.counter_key = run("openssl", "pkey", "-pubin", "-in", key + ".pem", "-outform", "DER").stdout
        self.tool("loadexternal", "-Q", "-C", "o", "-G", "ecc", "-u", key + ".pem", "-c", self.f("counter.ctx"), "-n", self.f("counter.name"))
        self.flush()

        def step(policy, *parts):
            return hashlib.sha256(policy + b"".join(parts)).digest()

        def word(n):
            return struct.pack(">I", n)
        zero = bytes(32)
        agent = step(step(zero, word(0x160), self.read("counter.name")))  # PolicySigned, no policyRef
        owner = step(step(zero, word(0x151), word(0x40000001)))  # PolicySecret(owner)
        policy = step(step(zero, word(0x171), agent, owner), word(0x16c), word(0x134))  # OR, then NV_Increment
        for name, digest in (("agent", agent), ("owner", owner), ("write", policy)):
            with open(self.f(name + ".policy"), "wb") as f:
                f.write(digest)
        for index in self.counters:
            self.tool("nvdefine", "-C", "o", "-s", "8", "-a", "nt=counter|policywrite|authread|ownerread|no_da", "-L", self.f("write.policy"),
                      hex(index))
            self.tool("startauthsession", "--policy-session", "-S", self.f("session"))
            self.tool("policysecret", "-Q", "-S", self.f("session"), "-c", "o")
            self.tool("policyor", "-Q", "-S", self.f("session"), "-l", f"sha256:{self.f('agent.policy')},{self.f('owner.policy')}")
            self.tool("policycommandcode", "-Q", "-S", self.f("session"), "TPM2_CC_NV_Increment")
            self.tool("nvincrement", "-C", hex(index), "-P", "session:" + self.f("session"), hex(index))
            self.tool("flushcontext", self.f("session"))

    def certify_counter(self, index, qualifying):
        self.tool("nvcertify", "-C", self.f("ak.ctx"), "-g", "sha256", "-c", hex(index), "--size", "8", "--offset", "0", "-q",
                  qualifying.hex(), "--attestation", self.f("msg"), "-o", self.f("sig"), hex(index))
        self.flush()
        return self.read("msg"), self.read("sig")

    def extend(self, pcr, data):
        """The digest of DATA into every bank."""
        spec = ",".join(f"{a}={hashlib.new(a, data).hexdigest()}" for a in ("sha1", "sha256", "sha384"))
        self.tool("pcrextend", f"{pcr}:{spec}")
        return spec

    def pcr(self, pcr, bank="sha256"):
        self.tool("pcrread", f"{bank}:{pcr}", "-o", self.f("pcr.bin"))
        return self.read("pcr.bin")


def cel_record(data, runtime, path, before, timestamp=1000000, reset=1, banks=("sha1", "sha256", "sha384")):
    """A record of the log, as an agent that measured DATA writes it."""
    return RS + json.dumps({
        "pcr": 15,
        "digests": [{"hashAlg": a, "digest": hashlib.new(a, data).hexdigest()} for a in banks],
        "content_type": "avow",
        "content": {"kind": "measure", "runtime": runtime, "path": path, "size": len(data), "timestamp": timestamp,
                    "pcr_before": before, "reset": reset, "restart": 0},
    }, separators=(",", ":")).encode() + LF


class Registrant:
    """The half of an attester that the registrar sees: claims a name, and proves that its AK is in the TPM of its EK."""

    version = "v2.6"

    def __init__(self, name, tpm, registrar, ca):
        self.name, self.tpm = name, tpm
        self.registrar = Connection(registrar, ca)

    def registration(self):
        return {"ek_tpm": b64(self.tpm.ek_public), "aik_tpm": b64(self.tpm.ak_public),
                "ekcert": b64(self.tpm.ek_der) if self.tpm.ek_der else None, "mtls_cert": "disabled", "ip": None, "port": None}

    def register(self, body=None):
        return self.registrar.request("POST", f"/{self.version}/agents/{self.name}", body or self.registration())

    def tag(self, answer):
        """The proof that the registrar's ANSWER asks for."""
        blob = base64.b64decode(answer["results"]["blob"])
        assert struct.unpack(">II", blob[:8]) == (0xBADCC0DE, 1), "not a credential file"
        secret = self.tpm.activate(blob)
        assert len(secret) == 32 and all(chr(c) in string.ascii_letters + string.digits for c in secret), secret
        return hmac.new(base64.b64encode(secret), self.name.encode(), "sha384").hexdigest()

    def activate(self, answer, tag=None):
        return self.registrar.request("PUT", f"/{self.version}/agents/{self.name}", {"auth_tag": tag or self.tag(answer)})

    def enrol(self):
        status, answer, _ = self.register()
        assert status == 200, (status, answer)
        status, answer, _ = self.activate(answer)
        assert status == 200, (status, answer)


class Peer(Registrant):
    """An attester: registers, proves possession, attests. Every message goes through a method that a test may override."""

    def __init__(self, name, tpm, registrar, verifier, ca, dir):
        super().__init__(name, tpm, registrar, ca)
        self.dir = dir
        os.makedirs(dir, exist_ok=True)
        self.cert, self.key = os.path.join(dir, "tls.crt"), os.path.join(dir, "tls.key")
        run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", self.key,
            "-out", self.cert, "-subj", "/CN=" + name, "-days", "2")
        self.verifier = Connection(verifier, ca, self.cert, self.key)
        self.log = b""
        self.n_records = 0
        self.token = self.verifier_id = self.next = None
        self.purpose = "heartbeat", b""  # what evidence is for, and what is signed over with the challenge
        self.boot_time = "2026-01-01T00:00:00Z"

    def spki_sha256(self):
        pub = run("openssl", "x509", "-in", self.cert, "-noout", "-pubkey").stdout
        der = run("openssl", "pkey", "-pubin", "-outform", "der", input=pub).stdout
        return hashlib.sha256(der).digest()

    def registration(self):
        return {**super().registration(), "mtls_cert": open(self.cert).read()}

    # ---- sessions ----

    def qualifying(self, purpose, challenge, host=None):
        return hashlib.sha256(f"avow/{purpose}/v1".encode() + self.verifier_id.encode() + (host or self.name).encode()
                              + challenge).digest()

    def session_request(self, name=None):
        return self.verifier.request("POST", "/v3.0/sessions", {"data": {"type": "session", "attributes": {
            "agent_id": name or self.name,
            "authentication_supported": [{"authentication_class": "pop", "authentication_type": "tpm_pop"}]}}}, JSON_API)

    def session_proof(self, answer, spki=None, name=None):
        """The PATCH for a challenge; returns (status, document)."""
        data = answer["data"]
        self.verifier_id = answer["meta"]["avow"]["verifier_id"]
        challenge = base64.b64decode(
            data["attributes"]["authentication_requested"][0]["chosen_parameters"]["challenge"])
        message, signature = self.tpm.certify_ak(
            self.qualifying("session", challenge + (spki or self.spki_sha256()), name))
        status, doc, _ = self.verifier.request("PATCH", f"/v3.0/sessions/{data['id']}", {"data": {
            "type": "session", "id": data["id"], "attributes": {"agent_id": name or self.name, "authentication_provided": [{
                "authentication_class": "pop", "authentication_type": "tpm_pop",
                "data": {"message": b64(message), "signature": b64(signature)}}]}}}, JSON_API)
        return status, doc

    def session(self):
        status, answer, _ = self.session_request()
        assert status == 200, (status, answer)
        status, doc = self.session_proof(answer)
        assert status == 200 and doc["data"]["attributes"]["evaluation"] == "pass", (status, doc)
        self.token = doc["data"]["attributes"]["token"]

    # ---- attestations ----

    def headers(self):
        return {"Authorization": "Bearer " + self.token}

    def measure(self, data, runtime="wasmtime", path="/opt/wasmtime"):
        """Log, then extend, as an agent does."""
        before = {a: self.tpm.pcr(15, a).hex() for a in ("sha1", "sha256", "sha384")}
        self.log += cel_record(data, runtime, path, before, timestamp=1000000 + self.n_records)
        self.n_records += 1
        self.tpm.extend(15, data)

    def capabilities(self):
        name = self.tpm.read("ak.name")
        return {"data": {"type": "attestation", "attributes": {
            "evidence_supported": [
                {"evidence_class": "certification", "evidence_type": "tpm_quote", "capabilities": {
                    "component_version": "2.0", "hash_algorithms": ["sha256"], "signature_schemes": ["ecdsa"],
                    "available_subjects": {a: list(range(24)) for a in ("sha1", "sha256", "sha384")},
                    "certification_keys": [{
                        "key_class": "asymmetric", "key_algorithm": "ecc", "key_size": 256, "server_identifier": "ak",
                        "local_identifier": name.hex(), "public": b64(self.tpm.ak_public[2:]),
                        "allowable_hash_algorithms": ["sha256"], "allowable_signature_schemes": ["ecdsa"]}]}},
                {"evidence_class": "log", "evidence_type": "cel_log", "capabilities": {
                    "entry_count": self.n_records, "supports_partial_access": True, "appendable": True,
                    "formats": ["application/json-seq"]}}],
            "system_info": {"boot_time": self.boot_time}}}, "meta": {"avow": {"version": 1}}}

    def offer(self):
        """POST the capabilities; keeps what is asked for."""
        while True:
            status, doc, headers = self.verifier.request("POST", f"/v3.0/agents/{self.name}/attestations",
                                                         self.capabilities(), JSON_API, self.headers())
            if status != 429:
                break
            time.sleep(int(headers["Retry-After"]))
        if status == 201:
            self.next = {"index": int(headers["Location"].rsplit("/", 1)[1]),
                         "evidence_requested": doc["data"]["attributes"]["evidence_requested"]}
        return status, doc

    def asked(self, kind):
        return next(e["chosen_parameters"] for e in self.next["evidence_requested"] if e["evidence_type"] == kind)

    def quote_pcrs(self):
        bank, pcrs = next((b, p) for b, p in self.asked("tpm_quote")["selected_subjects"].items() if p)
        return f"{bank}:{','.join(map(str, pcrs))}"

    def quote_data(self):
        purpose, more = self.purpose
        qualifying = self.qualifying(purpose, base64.b64decode(self.asked("tpm_quote")["challenge"]) + more)
        message, signature, pcrs = self.tpm.quote(qualifying, self.quote_pcrs())
        time_message, time_signature = self.tpm.time(qualifying)
        avow = {"time_message": b64(time_message), "time_signature": b64(time_signature)}
        if self.tpm.counter_key:
            avow["counter_key"] = b64(self.tpm.counter_key)
            for name, index in zip(("epoch", "floor"), self.tpm.counters):
                m, s = self.tpm.certify_counter(index, qualifying)
                avow[name] = {"index": index, "message": b64(m), "signature": b64(s)}
        return {"subject_data": b64(pcrs), "message": b64(message), "signature": b64(signature), "avow": avow}

    def log_data(self):
        records = [RS + r for r in self.log.split(RS)[1:]]
        wanted = records[self.asked("cel_log")["starting_offset"]:]
        return {"entries": b64(b"".join(wanted)), "entry_count": len(wanted)}

    def evidence(self):
        makers = {"tpm_quote": ("certification", self.quote_data), "cel_log": ("log", self.log_data)}
        collected = []
        for e in self.next["evidence_requested"]:
            kind = e["evidence_type"]
            collected.append({"evidence_class": makers[kind][0], "evidence_type": kind, "data": makers[kind][1]()})
        return {"data": {"type": "attestation", "attributes": {"evidence_collected": collected}}}

    def send(self, body, index=None):
        """PATCH evidence; follows meta.avow.next. Returns (status, evaluation or document)."""
        path = f"/v3.0/agents/{self.name}/attestations/{self.next['index'] if index is None else index}"
        status, doc, _ = self.verifier.request("PATCH", path, body, JSON_API, self.headers())
        if status == 202:
            self.next = doc["meta"]["avow"]["next"]
            return status, doc["data"]["attributes"]["evaluation"], doc
        return status, None, doc

    # ---- releases ----

    def ask_release(self, secrets, host=None):
        """POST the request; SECRETS: [(name, nonce, bracket)] in bytes. Returns (status, document); keeps its challenge."""
        body = json.dumps({"schema": "avow.release-request/1", "secrets": [
            {"name": n, "nonce": nonce.hex(), "approval": bracket.hex()} for n, nonce, bracket in secrets]}).encode()
        while True:
            status, doc, headers = self.verifier.request("POST", f"/avow/v1/agents/{host or self.name}/releases", body, JSON, self.headers())
            if status != 429:
                break
            time.sleep(int(headers["Retry-After"]))
        if status == 201:
            self.next, self.release_id, self.release_body = doc["next"], doc["id"], body
        return status, doc

    def release_evidence(self):
        """Evidence for the release that was asked for."""
        self.purpose = "release", hashlib.sha256(self.release_body).digest()
        try:
            return self.evidence()
        finally:
            self.purpose = "heartbeat", b""

    def send_release(self, body, id=None):
        """PATCH evidence for it; goes on with the next challenge. Returns (status, document)."""
        status, doc, _ = self.verifier.request("PATCH", f"/avow/v1/agents/{self.name}/releases/{id or self.release_id}", body, JSON_API,
                                               self.headers())
        following = ((doc or {}).get("meta") or {}).get("avow", {}).get("next") if isinstance(doc, dict) else None
        if following:
            self.next = following
        return status, doc

    def release(self, secrets):
        status, doc = self.ask_release(secrets)
        return (status, doc) if status != 201 else self.send_release(self.release_evidence())

    def attest(self):
        """One round, and further ones for as long as the verifier asks again at once. Returns the last evaluation."""
        if self.next is None:
            status, doc = self.offer()
            assert status == 201, (status, doc)
        for _ in range(6):
            status, evaluation, doc = self.send(self.evidence())
            assert status == 202, (status, doc)
            if not doc["meta"]["avow"]["next"].get("deadline_ms"):
                break
        return evaluation
