# SPDX-License-Identifier: Apache-2.0
"""Sealed secrets with tpm2-tools alone: an object of an avow.secret/1 document is imported, loaded and unsealed, step by
step, by somebody who has the documents, root on the machine and none of our programs. tests/integration/lab.py has the TPMs.
"""
import base64
import hashlib
import json
import os
import socket
import subprocess

from lab import Lab, say

EPOCH, FLOOR = 0x01810100, 0x01810101


def der(data):
    """(tag, content) of each value in DER bytes."""
    while data:
        tag, n, at = data[0], data[1], 2
        if n >= 0x80:
            at = 2 + (n & 0x7f)
            n = int.from_bytes(data[2:at], "big")
        yield tag, data[at:at + n]
        data = data[at + n:]


def tss2_parts(pem):
    """The public area, the private area and the seed of a TSS2 PEM text."""
    text = pem.split("-----BEGIN TSS2 PRIVATE KEY-----")[1].split("-----END")[0]
    (_, body), = der(base64.b64decode(text))
    octets, seed = [], b""
    for tag, content in der(body):
        if tag == 0x04:
            octets.append(content)
        if tag == 0xa2:
            seed = next(der(content))[1]
    public, private = octets
    return public, private, seed


def sha256(data):
    return hashlib.sha256(data).digest()


class Refused(Exception):
    """The TPM (or its tools) said no."""


class Toolbox:
    """tpm2-tools on one TPM, in a folder of their own. Nobody else may use the TPM meanwhile: it is tidied between steps."""

    def __init__(self, tpm, folder):
        self.tpm, self.dir, self.kind = tpm, folder, "rsa"
        os.makedirs(folder, exist_ok=True)

    def path(self, name):
        return os.path.join(self.dir, name)

    def write(self, name, data):
        with open(self.path(name), "wb") as f:
            f.write(data)
        return self.path(name)

    def read(self, name):
        with open(self.path(name), "rb") as f:
            return f.read()

    def tool(self, name, *args):
        p = subprocess.run(["tpm2_" + name, *args], cwd=self.dir, capture_output=True, stdin=subprocess.DEVNULL,
                           env={**os.environ, "TPM2TOOLS_TCTI": self.tpm.tcti})
        if p.returncode:
            raise Refused(f"tpm2_{name} {' '.join(args)}: {p.stderr.decode(errors='replace')}")
        return p.stdout

    def tidy(self):
        self.tool("flushcontext", "-t")
        self.tool("flushcontext", "-l")

    def ek_session(self):
        """A policy session that may use the EK once."""
        self.tool("startauthsession", "--policy-session", "-S", "ek.session")
        self.tool("policysecret", "-Q", "-S", "ek.session", "-c", "e")
        return "session:ek.session"

    def ek_done(self):
        self.tool("flushcontext", "ek.session")

    def ek(self):
        """The EK's context, which is good until the next reboot."""
        self.tool("createek", "-c", "ek.ctx", "-G", self.kind, "-u", "ek.pub")
        self.tool("flushcontext", "-t")

    def import_object(self, document, kind="rsa"):
        """Imports under the EK of this kind (tpm2_createek -G) and keeps object.pub and object.priv."""
        self.kind = kind
        public, private, seed = tss2_parts(document["object"])
        self.write("object.pub", public)
        self.write("object.dup", private)
        self.write("object.seed", seed)
        self.ek()
        try:
            self.tool("import", "-C", "ek.ctx", "-P", self.ek_session(), "-u", "object.pub", "-i", "object.dup", "-s",
                      "object.seed", "-r", "object.priv")
        finally:
            self.ek_done()
            self.tool("flushcontext", "-t")

    def load_object(self):
        self.ek()
        try:
            self.tool("load", "-C", "ek.ctx", "-P", self.ek_session(), "-u", "object.pub", "-r", "object.priv", "-c", "object.ctx")
        finally:
            self.ek_done()
            self.tool("flushcontext", "-t")

    def key(self, name, spki):
        """Loads a public key from its SPKI, and its name. It takes a transient slot: flush -t when done."""
        self.write(name + ".pem", b"-----BEGIN PUBLIC KEY-----\n" + base64.encodebytes(spki) + b"-----END PUBLIC KEY-----\n")
        kind = "rsa" if bytes.fromhex("2a864886f70d010101") in spki else "ecc"
        self.tool("loadexternal", "-Q", "-C", "e", "-G", kind, "-u", name + ".pem", "-c", name + ".ctx", "-n", name + ".name")
        self.tool("flushcontext", "-t")

    def authorize(self, key, approved, policy_ref, signature):
        """PolicyAuthorize by KEY (loaded before) over APPROVED."""
        self.write("approved", approved)
        self.write("ref", policy_ref)
        self.write("message", approved + policy_ref)
        self.write("signature", signature)
        self.tool("verifysignature", "-c", key + ".ctx", "-g", "sha256", "-m", "message", "-s", "signature", "-t", "ticket")
        self.tool("flushcontext", "-t")
        self.tool("policyauthorize", "-Q", "-S", "policy.session", "-i", "approved", "-q", "ref", "-n", key + ".name", "-t", "ticket")

    def counter(self, index, value, operation):
        self.write("operand", value.to_bytes(8, "big"))
        self.tool("policynv", "-Q", "-S", "policy.session", "-C", hex(index), "-i", "operand", hex(index), operation)

    def release(self, approval, sign, lease):
        """PolicySigned with what SIGN(bytes) gives for this session's nonce."""
        release = approval["release"]
        ref = sha256(b"avow-release-v1\0" + release["verifier"].encode() + b"\0" + approval["host"].encode() + b"\0")
        self.key("release", base64.b64decode(release["key"]))
        common = ["-S", "policy.session", "-g", "sha256", "-c", "release.ctx", "-t", str(lease), "-x", "-q", ref.hex()]
        self.tool("policysigned", *common, "--raw-data", "to-sign")
        self.write("release.sig", sign(self.read("to-sign")))
        self.tool("policysigned", "-Q", *common, "-s", "release.sig", "-f", "ecdsa")
        self.tool("flushcontext", "-t")

    def begin(self):
        self.tool("startauthsession", "--policy-session", "-S", "policy.session")

    def policy(self, secret, approval, bracket, sign=None, lease=60):
        """The chain of SR-1 up to the epoch, in a session that begin() started."""
        ref = policy_ref(secret)
        bank, pcrs = next(iter(approval["pcrs"].items()))
        self.tool("policypcr", "-Q", "-S", "policy.session", "-l", f"{bank}:{','.join(map(str, pcrs))}")
        self.counter(approval["floor"]["index"], approval["floor"]["version"], "ule")
        if approval["release"]:
            self.release(approval, sign, lease)
        owner = approval["owner"]
        self.key("approval", base64.b64decode(owner["key"]))
        self.authorize("approval", bytes.fromhex(bracket["digest"]), ref, base64.b64decode(bracket["signature"]))
        if owner.get("root"):
            self.key("root", base64.b64decode(owner["root"]))
            approved = sha256(sha256(bytes(32) + (0x16a).to_bytes(4, "big") + self.read("approval.name")) + ref)
            self.authorize("root", approved, ref, base64.b64decode(owner["delegation"]))
        self.counter(secret["epoch"]["index"], secret["epoch"]["value"], "eq")

    def unseal(self):
        return self.tool("unseal", "-c", "object.ctx", "-p", "session:policy.session")

    def end(self):
        self.tidy()

    def open(self, secret, approval, bracket, sign=None, lease=60):
        """All of it: Refused, or the secret."""
        self.load_object()
        self.begin()
        try:
            self.policy(secret, approval, bracket, sign, lease)
            return self.unseal()
        finally:
            self.end()


def policy_ref(document):
    parts = ["avow-approval-v1", document["tenant"], document["class"]] + ([document["host"]] if document["host_only"] else [])
    return sha256(b"".join(p.encode() + b"\0" for p in parts))


def load(path):
    with open(path) as f:
        return json.load(f)


def signer(key_file):
    """A function that signs bytes with an EC key, as OpenSSL's DER."""
    def sign(data):
        return subprocess.run(["openssl", "dgst", "-sha256", "-sign", key_file], input=data, capture_output=True, check=True).stdout
    return sign


# ---- with our programs

def host_with_secrets(runtimes, *names):
    """A laboratory and a host in it whose agent gives these secrets to root. Neither is started."""
    lab = Lab()
    host = lab.host("web-1", runtimes)
    host.run = os.path.join(host.dir, "run")
    os.mkdir(host.run)
    rows = "".join(f"  - {{secret: {name}, uid: 0, uid_only: true}}\n" for name in names)
    host.write_config(extra=f"run:\n  dir: {host.run}\nsecrets:\n  acl:\n{rows}")
    return lab, host


def openssl_key(lab, name, *kind):
    """A private key (P-256 unless KIND says so) and its path."""
    path = os.path.join(lab.dir, name)
    subprocess.run(["openssl", "genpkey", *(kind or ("-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256")), "-out", path], check=True,
                   capture_output=True)
    return path


def delegated_key(lab, root, name, label):
    """Options for a new approval key that ROOT vouches for, for one class."""
    key, delegation = openssl_key(lab, label + ".key"), os.path.join(lab.dir, label + ".delegation")
    subprocess.run(["openssl", "pkey", "-in", key, "-pubout", "-out", key + ".pub"], check=True)
    lab.avow("secret", "delegate", name, "--root", root, "--key", key + ".pub", "--out", delegation)
    return "--key", key, "--delegation", delegation


def approve(lab, name, policy, key, *more, host="web-1"):
    """The one approval that 'avow secret approve' makes of this."""
    approval, = lab.json("secret", "approve", name, host, "--policy", policy, *key, *more)["approvals"]
    say(f"approved {approval['id']}, version {approval['version']}")
    return approval


def approval_state(lab, approval):
    listed = lab.json("secret", "approvals", "--host", approval["host"])["approvals"]
    return next(a["state"] for a in listed if a["id"] == approval["id"])


def read_secret(host, name):
    """The agent's answer on its socket: the secret, or the word of its refusal."""
    with socket.socket(socket.AF_UNIX) as s:
        s.settimeout(60)
        try:
            s.connect(host.run + "/agent.sock")
        except OSError as e:
            return str(e)
        s.sendall(name.encode() + b"\n")
        data = b""
        while chunk := s.recv(65536):
            data += chunk
    head, _, rest = data.partition(b"\n")
    words = head.decode().split(" ")
    return rest if words[0] == "ok" else " ".join(words[1:])


def roll_out(lab, host, content):
    """A new runtime, and a boot."""
    host.stop()
    host.write("wasmtime", content)
    host.tpm.command("reboot")
    host.start()
    lab.wait_attested("web-1", 2, 60)
    lab.wait_state("web-1", "pass", 60)
