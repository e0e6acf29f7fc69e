# SPDX-License-Identifier: Apache-2.0
"""What a host's kernel and firmware leave in securityfs, played: a folder with a measurement list and a boot log, and a TPM whose PCR 10
(and 0 to 9) are extended accordingly. What the entries look like is Linux' and the TCG's word, not avow's: nothing here uses its code.
"""
import hashlib
import os
import struct

from lab import TOP

BIOS = os.path.join(TOP, "tests/vectors/boot/uefi-direct-ima-sig/binary_bios_measurements")
BANKS = ("sha1", "sha256", "sha384")
WAIVED = "[rules, tmpfs, kernel, kexec, required, boot-log]"


def field(data):
    return struct.pack("<I", len(data)) + data


class Securityfs:
    """The list of a kernel with template ima-ng; DIR outlives boots, its content does not."""

    def __init__(self, host):
        self.host, self.tpm = host, host.tpm
        self.dir = os.path.join(host.dir, "securityfs")
        os.makedirs(self.dir, exist_ok=True)
        self.list_path = os.path.join(self.dir, "binary_runtime_measurements")
        self.count_path = os.path.join(self.dir, "runtime_measurements_count")
        self.bios_path = os.path.join(self.dir, "binary_bios_measurements")
        self.boot()

    @property
    def config(self):
        """For agent.yaml."""
        return f"logs:\n  ima: {self.list_path}\n  uefi: {self.bios_path}\n"

    def boot(self):
        """After the TPM's reset: a recorded boot, replayed; then a list with boot_aggregate in it."""
        self.binary, self.lines, self.n = b"", [], 0
        for path in (self.list_path, self.count_path, self.bios_path):
            if os.path.exists(path):
                os.unlink(path)
        with open(BIOS, "rb") as f:
            self.bios = f.read()
        self.extend(replayed(self.bios))
        with open(self.bios_path, "wb") as f:
            f.write(self.bios)
        values = b"".join(self.tpm.pcr(n) for n in range(10))
        self.measure("boot_aggregate", hashlib.sha256(values).digest())

    def extend(self, extends):
        """[(pcr, {bank: digest})], many at once."""
        specs = [f"{pcr}:" + ",".join(f"{b}={d.hex()}" for b, d in digests.items()) for pcr, digests in extends]
        for i in range(0, len(specs), 200):
            self.tpm.tool("pcrextend", *specs[i:i + 200])

    def entry(self, name, digest):
        """Returns (binary entry, text line, what PCR 10 is extended with)."""
        data = field(b"sha256:\0" + digest) + field(name.encode() + b"\0")
        sha1 = hashlib.sha1(data).digest()
        binary = struct.pack("<I", 10) + sha1 + field(b"ima-ng") + field(data)
        extended = {b: hashlib.new(b, data).digest() for b in BANKS[:2]}
        extended["sha384"] = sha1 + bytes(48 - len(sha1))  # as a kernel without that module does
        return binary, f"10 {sha1.hex()} ima-ng sha256:{digest.hex()} {name}\n", extended

    def measure_all(self, files):
        """[(name, digest)]: the register first, then the list, as the reader sees it."""
        entries = [self.entry(name, digest) for name, digest in files]
        self.binary += b"".join(e[0] for e in entries)
        self.lines += [e[1] for e in entries]
        self.n += len(entries)
        # the agent quotes before it reads, so a list that is ahead of the register explains every quote
        with open(self.list_path, "ab") as f:
            f.write(b"".join(e[0] for e in entries))
        with open(self.count_path + ".new", "w") as f:
            f.write(f"{self.n}\n")
        os.rename(self.count_path + ".new", self.count_path)
        self.extend([(10, e[2]) for e in entries])

    def measure(self, name, digest):
        self.measure_all([(name, digest)])

    def execute(self, name, content):
        """A file with CONTENT is executed. Returns its digest in hex."""
        digest = hashlib.sha256(content).digest()
        self.measure(name, digest)
        return digest.hex()


def replayed(log):
    """What a boot log of the crypto-agile form extends: [(pcr, {bank: digest})]."""
    algs = {0x0004: ("sha1", 20), 0x000b: ("sha256", 32), 0x000c: ("sha384", 48), 0x000d: ("sha512", 64)}
    at = 32 + struct.unpack_from("<I", log, 28)[0]  # the header is an event of the old form
    extends = []
    while at < len(log):
        pcr, kind, n = struct.unpack_from("<III", log, at)
        at += 12
        digests = {}
        for _ in range(n):
            name, size = algs[struct.unpack_from("<H", log, at)[0]]
            digests[name] = log[at + 2:at + 2 + size]
            at += 2 + size
        at += 4 + struct.unpack_from("<I", log, at)[0]
        if kind != 3:  # EV_NO_ACTION
            extends.append((pcr, {b: d for b, d in digests.items() if b in BANKS}))
    return extends


def policy(lab, name, host, allowed, extra="", waive=WAIVED, push=True):
    """A policy for HOST's runtimes and the kernel's list: digests in hex that may stand in it."""
    runtimes = ""
    for runtime, path in host.runtimes.items():
        runtimes += f"- name: {runtime}\n  path: {path}\n  digests: [{hashlib.sha256(open(path, 'rb').read()).hexdigest()}]\n"
    digests = "".join(f"    - {d}\n" for d in sorted(set(allowed)))
    text = (f"format: avow-policy/2\nname: {name}\n{extra}" + ("runtimes:\n" + runtimes if runtimes else "")
            + f"ima:\n  waive: {waive}\n  allow:\n{digests}")
    path = os.path.join(lab.dir, name + ".yaml")
    with open(path, "w") as f:
        f.write(text)
    if push:
        lab.avow("policy", "push", path)
    return path
