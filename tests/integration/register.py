#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A host that registers at the registrar, made of tpm2-tools and the wire's description alone: an independent
witness. Prints one line per step, "register 200" and "activate 200", and the status text after it."""
import argparse
import base64
import hashlib
import hmac
import json
import os
import ssl
import struct
import subprocess
import sys
import urllib.error
import urllib.request

NV = {"rsa": "0x01C00002", "ecc": "0x01C0000A", "ecc384": "0x01C00016"}
PERSISTENT = {"ecc384": "0x81010016"}  # swtpm_setup leaves the EK of its certificate there


class Tpm:
    def __init__(self, state):
        self.state = state
        os.makedirs(state, exist_ok=True)

    def path(self, name):
        return os.path.join(self.state, name)

    def run(self, *args):
        r = subprocess.run(args, capture_output=True, text=True, cwd=self.state)
        if r.returncode != 0:
            sys.exit("%s: %s" % (" ".join(args), r.stderr))
        return r.stdout

    def read(self, name):
        with open(self.path(name), "rb") as f:
            return f.read()

    def flush(self):
        self.run("tpm2_flushcontext", "-t")

    def ek(self, kind):
        """The EK's context or handle, and its TPM2B_PUBLIC."""
        handle = PERSISTENT.get(kind)
        if handle is None:
            handle = "ek-%s.ctx" % kind
            self.run("tpm2_createek", "-Q", "-c", handle, "-G", kind, "-u", "ek.pub")
            self.flush()
        self.run("tpm2_readpublic", "-Q", "-c", handle, "-f", "tss", "-o", "ek.pub")
        self.flush()
        return handle, self.read("ek.pub")

    def session(self, kind):
        """Authorises the EK: its policy, or nothing for the high-range template, which has userWithAuth."""
        if kind in PERSISTENT:
            return []
        self.run("tpm2_startauthsession", "-Q", "--policy-session", "-S", "ek.session")
        self.run("tpm2_policysecret", "-Q", "-S", "ek.session", "-c", "e")
        return ["-P", "session:ek.session"]

    def end_session(self, auth):
        if auth:
            self.run("tpm2_flushcontext", "ek.session")

    def ak(self, ek, ek_kind, kind):
        """Makes an AK below the EK; its TPM2B_PUBLIC and name."""
        base = "fixedtpm|fixedparent|sensitivedataorigin|userwithauth|noda|sign"
        algorithm, attributes = {
            "ecc": ("ecc256:ecdsa-sha256:null", base + "|restricted"),
            "rsa": ("rsa2048:rsassa-sha256:null", base + "|restricted"),
            "unrestricted": ("ecc256:ecdsa-sha256:null", base),
            "movable": ("ecc256:ecdsa-sha256:null", base.replace("fixedtpm|fixedparent|", "") + "|restricted"),
        }[kind]
        auth = self.session(ek_kind)
        self.run("tpm2_create", "-Q", "-C", ek, *auth, "-G", algorithm, "-g", "sha256", "-a", attributes,
                 "-u", "ak.pub", "-r", "ak.priv")
        self.end_session(auth)
        self.flush()
        auth = self.session(ek_kind)
        self.run("tpm2_load", "-Q", "-C", ek, *auth, "-u", "ak.pub", "-r", "ak.priv", "-c", "ak.ctx", "-n", "ak.name")
        self.end_session(auth)
        self.flush()
        return self.read("ak.pub")

    def certificate(self, kind):
        self.run("tpm2_nvread", "-Q", NV[kind], "-C", "o", "-o", "ek.der")
        return self.read("ek.der")

    def activate(self, ek, ek_kind, blob):
        with open(self.path("blob"), "wb") as f:
            f.write(blob)
        auth = self.session(ek_kind)
        r = subprocess.run(["tpm2_activatecredential", "-Q", "-c", "ak.ctx", "-C", ek, "-i", "blob", "-o", "secret", *auth],
                           capture_output=True, text=True, cwd=self.state)
        self.end_session(auth)
        self.flush()
        return self.read("secret") if r.returncode == 0 else None


def call(args, method, path, body):
    """Return: the status, and the envelope ({} if there is none)."""
    context = None
    if args.url.startswith("https"):
        context = ssl.create_default_context(cafile=args.ca)
    request = urllib.request.Request(args.url + path, method=method, data=json.dumps(body).encode(),
                                     headers={"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, context=context, timeout=20) as r:
            status, text = r.status, r.read()
    except urllib.error.HTTPError as e:
        status, text = e.code, e.read()
    try:
        return status, json.loads(text)
    except ValueError:
        return status, {}


def report(step, status, envelope):
    print(step, status, envelope.get("status", ""))
    sys.stdout.flush()


def registration(args, tpm, ek_public, ak_public):
    body = {"ek_tpm": base64.b64encode(ek_public).decode(), "aik_tpm": base64.b64encode(ak_public).decode(),
            "ekcert": None, "mtls_cert": "disabled", "ip": "127.0.0.1", "port": 9002,
            "iak_tpm": None, "idevid_tpm": None, "iak_cert": None, "idevid_cert": None, "iak_attest": None,
            "iak_sign": None}
    if args.cert != "none":
        der = tpm.certificate(args.ek) if args.cert == "nv" else open(args.cert, "rb").read()
        body["ekcert"] = base64.b64encode(der).decode()
        if args.chain:
            pem = ssl.DER_cert_to_PEM_cert(der)
            body["ekcert"] = pem + "".join(open(f).read() for f in args.chain)
    return body


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--url", required=True)
    p.add_argument("--ca")
    p.add_argument("--name", required=True)
    p.add_argument("--state", required=True)
    p.add_argument("--version", default="v2.6")
    p.add_argument("--ek", default="rsa", choices=sorted(NV))
    p.add_argument("--ak", default="ecc", choices=["ecc", "rsa", "unrestricted", "movable"])
    p.add_argument("--keep-ak", action="store_true", help="use the AK made before")
    p.add_argument("--cert", default="nv", help="nv, none, or a DER file")
    p.add_argument("--chain", action="append", default=[], help="send a PEM chain: these after the leaf")
    p.add_argument("--step", default="both", choices=["both", "register", "wrong-tag"])
    p.add_argument("--ek-pub", help="claim this EK (TPM2B_PUBLIC) instead of the TPM's")
    p.add_argument("--ak-pub", help="claim this AK (TPM2B_PUBLIC) instead of the TPM's")
    args = p.parse_args()

    tpm = Tpm(args.state)
    ek, ek_public = tpm.ek(args.ek)
    ak_public = tpm.read("ak.pub") if args.keep_ak else tpm.ak(ek, args.ek, args.ak)
    if args.ek_pub:
        ek_public = open(args.ek_pub, "rb").read()
    if args.ak_pub:
        ak_public = open(args.ak_pub, "rb").read()
    status, envelope = call(args, "POST", "/%s/agents/%s" % (args.version, args.name),
                            registration(args, tpm, ek_public, ak_public))
    report("register", status, envelope)
    if status != 200 or args.step == "register":
        return 0 if status == 200 else 1

    blob = base64.b64decode(envelope["results"]["blob"])
    if struct.unpack(">II", blob[:8]) != (0xBADCC0DE, 1):
        sys.exit("not a credential file")
    secret = tpm.activate(ek, args.ek, blob)
    if secret is None:
        print("activate none this TPM cannot open the credential")
        return 1
    if len(secret) != 32 or not secret.isalnum():
        sys.exit("the challenge is not 32 characters")
    tag = hmac.new(base64.b64encode(secret), args.name.encode(), hashlib.sha384).hexdigest()
    if args.step == "wrong-tag":
        tag = "00" + tag[2:] if tag[:2] != "00" else "11" + tag[2:]
    status, envelope = call(args, "PUT", "/%s/agents/%s" % (args.version, args.name), {"auth_tag": tag})
    report("activate", status, envelope)
    return 0 if status == 200 else 1


if __name__ == "__main__":
    sys.exit(main())
