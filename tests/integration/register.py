#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A host that registers at the registrar (peer.Registrant), for scripts; $TPM2TOOLS_TCTI says where its TPM is. Prints one line per
step, "register 200" and "activate 200", and the status text after it."""
import argparse
import os
import ssl
import sys

import peer


class Registrant(peer.Registrant):
    """Fills in all that a Keylime agent sends; claims what it is told to."""

    def __init__(self, args, tpm):
        super().__init__(args.name, tpm, args.url, args.ca)
        self.args, self.version = args, args.version

    def certificate(self):
        if self.args.cert == "none":
            return None
        der = self.tpm.ek_der if self.args.cert == "nv" else open(self.args.cert, "rb").read()
        if not der:
            sys.exit("the TPM has no certificate for this EK")
        if self.args.chain:
            return ssl.DER_cert_to_PEM_cert(der) + "".join(open(f).read() for f in self.args.chain)
        return peer.b64(der)

    def registration(self):
        body = {**super().registration(), "ekcert": self.certificate(), "ip": "127.0.0.1", "port": 9002, "iak_tpm": None,
                "idevid_tpm": None, "iak_cert": None, "idevid_cert": None, "iak_attest": None, "iak_sign": None}
        for member, file in (("ek_tpm", self.args.ek_pub), ("aik_tpm", self.args.ak_pub)):
            if file:
                body[member] = peer.b64(open(file, "rb").read())
        return body


def report(step, answer):
    status, envelope = answer[:2]
    print(step, status, envelope.get("status", "") if isinstance(envelope, dict) else "")
    sys.stdout.flush()
    return status == 200


def main():
    p = argparse.ArgumentParser()
    p.add_argument("--url", required=True)
    p.add_argument("--ca", required=True)
    p.add_argument("--name", required=True)
    p.add_argument("--state", required=True)
    p.add_argument("--version", default="v2.6")
    p.add_argument("--ek", default="rsa", choices=sorted(peer.Tpm.certificates))
    p.add_argument("--ak", default="ecc", choices=sorted(peer.Tpm.aks))
    p.add_argument("--keep-ak", action="store_true", help="use the AK made before")
    p.add_argument("--cert", default="nv", help="nv, none, or a DER file")
    p.add_argument("--chain", action="append", default=[], help="send a PEM chain: these after the leaf")
    p.add_argument("--step", default="both", choices=["both", "register", "wrong-tag"])
    p.add_argument("--ek-pub", help="claim this EK (TPM2B_PUBLIC) instead of the TPM's")
    p.add_argument("--ak-pub", help="claim this AK (TPM2B_PUBLIC) instead of the TPM's")
    args = p.parse_args()

    host = Registrant(args, peer.Tpm(os.environ["TPM2TOOLS_TCTI"], args.state, args.ek, None if args.keep_ak else args.ak))
    answer = host.register()
    if not report("register", answer) or args.step == "register":
        return answer[0] != 200
    try:
        tag = host.tag(answer[1])
    except RuntimeError as e:
        print("activate none this TPM cannot open the credential")
        print(e, file=sys.stderr)
        return 1
    if args.step == "wrong-tag":
        tag = "00" + tag[2:] if tag[:2] != "00" else "11" + tag[2:]
    return not report("activate", host.activate(answer[1], tag))


if __name__ == "__main__":
    sys.exit(main())
