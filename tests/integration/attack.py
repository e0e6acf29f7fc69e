# SPDX-License-Identifier: Apache-2.0
"""A host with a sealed secret, and root on it: what the tests of attacks with tpm2-tools alone have in common. The host is
attested, its verifier can revoke it, and the owner has sealed a secret to it; then root has the machine, the documents and
tpm2-tools, and our programs are out of the way.
"""
import os
import shutil
import subprocess

from lab import Lab, check, say
import sealing

RUNTIME = b"version 1"
PLAIN = b"correct horse battery staple"
DESTROY = "on_fail: {reaction: destroy, destroy_after: 0s}\n"


class Attack:
    """LAB with host web-1, its secret `db` (released by the verifier) and `own` (release: local)."""

    def __init__(self, lab):
        self.lab = lab
        self.host = lab.host("web-1", {"wasmtime": RUNTIME})
        lab.start_servers()
        self.policy = shutil.copy(lab.policy("workers", self.host, extra=DESTROY), os.path.join(lab.dir, "good.yaml"))
        self.host.start()
        lab.avow("host", "add", "web-1", "--tofu", "--policy", "workers", "--wait", "60s")
        lab.wait_state("web-1", "pass")
        self.tools = sealing.Toolbox(self.host.tpm, os.path.join(lab.dir, "root"))
        self.release = sealing.signer(os.path.join(lab.pki, "release.key"))
        self.key = self.path("owner.key")
        subprocess.run(["openssl", "genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", self.key],
                       check=True, capture_output=True)
        with open(self.path("plain"), "wb") as f:
            f.write(PLAIN)
        lab.avow("secret", "target", "web-1", "--out", self.path("target"))
        self.counters = sealing.load(self.path("target"))["counters"]
        self.seal("db", "verifier")
        self.seal("own", "local")

    def path(self, name):
        return os.path.join(self.lab.dir, name)

    def seal(self, name, release):
        offline = ["--target", self.path("target"), "--key", self.key, "--release", release]
        self.lab.avow("secret", "seal", name, *offline, "--file", self.path("plain"), "--ek-roots",
                      os.path.join(self.lab.tpm_dir, "roots"), "--out", self.path(name + ".json"))
        self.lab.avow("secret", "approve", name, *offline, "--policy", self.policy, "--out", self.path(name + ".approval"))

    def documents(self, name):
        secret, approval = sealing.load(self.path(name + ".json")), sealing.load(self.path(name + ".approval"))
        return secret, approval, approval["brackets"][0]

    def load(self, name):
        """Root imports and loads NAME's blob."""
        self.tools.import_object(self.documents(name)[0], "rsa")
        self.tools.load_object()

    def opens(self, name, text, sign=None, lease=600):
        self.load(name)
        self.tools.begin()
        try:
            self.tools.policy(*self.documents(name), sign, lease)
            opened = self.tools.unseal()
        finally:
            self.tools.end()
        check(opened == PLAIN, text)

    def refused(self, name, text, at, sign=None, lease=600, load=True):
        """The same, and the TPM says no with AT in its words."""
        if load:
            self.load(name)
        self.tools.begin()
        try:
            self.tools.policy(*self.documents(name), sign, lease)
            self.tools.unseal()
        except sealing.Refused as no:
            check(at in str(no), f"{text}: {' '.join(str(no).split())[:160]}")
            return
        finally:
            self.tools.end()
        raise AssertionError(f"it opened: {text}")

    def epoch(self):
        """Its value as tpm2-tools read it."""
        return int.from_bytes(self.host.tpm.tool("nvread", "-C", "o", "0x01810100").stdout, "big")

    def destroy(self):
        """The verifier revokes the host, with the registers as they were: a policy under which it fails."""
        before = self.counters["epoch"]["value"]
        bad = self.lab.policy("workers", extra=DESTROY, push=False, contents=[("wasmtime", b"version 2")])
        self.lab.avow("policy", "push", "--force", bad)
        self.lab.wait(lambda: self.lab.show("web-1").get("trust") == "revoked", "the host to be revoked", 60)
        self.lab.wait(lambda: self.wiped(), "the wipe to be proven", 60)
        self.host.stop()
        check(self.epoch() > before, "the epoch counter moved on")

    def wiped(self):
        return self.lab.connection(self.lab.verifier_url).request("GET", "/avow/v1/hosts/web-1")[1]["trust_detail"]["wipe"] == "wiped"


def attack():
    return Lab(interval="1s")


__all__ = ["Attack", "DESTROY", "PLAIN", "RUNTIME", "attack", "check", "say", "sealing"]
