#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes the lists in this folder from what is written here, and prints what they lead to: written from the kernel's source
(security/integrity/ima: ima_fs.c, ima_template.c, ima_template_lib.c), not from ours. `make.py` writes and prints; `make.py -n` prints."""
import hashlib
import struct
import sys

BANKS = ("sha1", "sha256", "sha384", "sha512")


def le32(n):
    return struct.pack("<I", n)


def digest(alg, content, typed=None):
    """d-ng, d-ngv2: (binary, text)"""
    d = hashlib.new(alg, content).digest()
    words = (typed + ":" if typed else "") + alg + ":"
    return words.encode() + b"\0" + d, words + d.hex()


def name(s):
    """n-ng; a blank is a '_' in both forms, a newline stands as it is in both."""
    b = s.replace(b" ", b"_")
    return b + b"\0", b.decode("latin-1")


def raw(b):
    return b, b.hex()


def number(n, size):
    return n.to_bytes(size, "little"), str(n)


SIG2 = b"\x03\x02\x04" + bytes.fromhex("2a31b4cc") + b"\x00\x08" + b"\x5a" * 8
SIG3 = b"\x06\x03\x04" + bytes.fromhex("14d32ed6") + b"\x00\x04" + b"\xa5" * 4
ODD = b"/mnt/bin/new\nline \xc3\xa9"

# template: its entries as lists of fields
LISTS = {
    "ima-ng": [
        [digest("sha256", b"aggregate"), name(b"boot_aggregate")],
        [digest("sha1", b"a"), name(b"/bin/a")],
        [digest("sha512", b"b"), name(ODD)],
        [digest("sha384", b"c"), name(b"/")],
    ],
    "ima-ngv2": [
        [digest("sha256", b"aggregate", "ima"), name(b"boot_aggregate")],
        [digest("sha256", b"a", "verity"), name(b"/bin/a")],
        [digest("sha256", b"b", "ima"), name(ODD)],
    ],
    "ima-sig": [
        [digest("sha256", b"aggregate"), name(b"boot_aggregate"), raw(b"")],
        [digest("sha256", b"a"), name(b"/bin/a"), raw(SIG2)],
        [digest("sha256", b"b"), name(ODD), raw(b"")],
    ],
    "ima-sigv2": [
        [digest("sha256", b"aggregate", "ima"), name(b"boot_aggregate"), raw(b"")],
        [digest("sha256", b"a", "verity"), name(b"/bin/a"), raw(SIG3)],
        [digest("sha256", b"b", "ima"), name(ODD), raw(SIG2)],
    ],
    "ima-buf": [
        [digest("sha256", b"key"), name(b".ima"), raw(b"key")],
        [digest("sha256", b"ro quiet"), name(b"kexec-cmdline"), raw(b"ro quiet")],
        [digest("sha256", b"name=root;"), name(b"dm_table_load"), raw(b"name=root;")],
    ],
    "ima-modsig": [
        [digest("sha256", b"module and signature"), name(b"/lib/m.ko"), raw(b""), digest("sha256", b"module"), raw(b"\x30\x82" + b"\x11" * 30)],
        [digest("sha256", b"a"), name(b"/bin/a"), raw(SIG2), (b"", ""), raw(b"")],
    ],
    "evm-sig": [
        [digest("sha256", b"a"), name(b"/bin/a"), raw(b"\x05\x02\x04" + b"\x77" * 14), name(b"security.ima|security.selinux"),
         raw(le32(33) + le32(5)), raw(b"\x04" * 38), number(0, 4), number(1000, 4), number(0o100755, 2)],
        [digest("sha256", b"b"), name(b"/bin/b"), raw(b""), raw(b""), raw(b""), raw(b""), number(0, 4), number(0, 4), number(0o100644, 2)],
    ],
    "d-ng|n-ng|iuid|imode": [
        [digest("sha256", b"a"), name(b"/bin/a"), number(33, 4), number(0o100700, 2)],
    ],
}
# The old template: SHA-1 and a name, which is hashed with zeros up to 256.
OLD = [(hashlib.sha1(b"aggregate").digest(), b"boot_aggregate"), (hashlib.sha1(b"a").digest(), b"/bin/a"), (hashlib.sha1(b"b").digest(), b"/mnt/bin/new\nline_"), (bytes(20), b"/" + b"x" * 254)]
VIOLATION = b"/var/log/messages"


def entries(template):
    """(template hash, bytes of the list, line of the text, what is hashed or None)"""
    if template == "ima":
        for d, n in OLD:
            data = d + n.ljust(256, b"\0")
            h = hashlib.sha1(data).digest()
            yield h, le32(10) + h + le32(3) + b"ima" + d + le32(len(n)) + n, f"10 {h.hex()} ima {d.hex()} {n.decode('latin-1')}\n", data
        z = bytes(20)
        yield z, le32(10) + z + le32(3) + b"ima" + z + le32(len(VIOLATION)) + VIOLATION, f"10 {z.hex()} ima {z.hex()} {VIOLATION.decode()}\n", None
        return
    for fields in LISTS[template]:
        data = b"".join(le32(len(b)) + b for b, _ in fields)
        h = hashlib.sha1(data).digest()
        text = " ".join(t for _, t in fields)
        t = template.encode()
        yield h, le32(10) + h + le32(len(t)) + t + le32(len(data)) + data, f"10 {h.hex()} {template} {text}\n", data
    if template in ("ima-ng", "ima-sig"):
        fields = [(b"sha256:\0" + bytes(32), "sha256:" + "00" * 32), name(VIOLATION)] + ([raw(b"")] if template == "ima-sig" else [])
        data = b"".join(le32(len(b)) + b for b, _ in fields)
        t = template.encode()
        yield bytes(20), le32(10) + bytes(20) + le32(len(t)) + t + le32(len(data)) + data, f"10 {'00' * 20} {template} {' '.join(x for _, x in fields)}\n", None


def replay(template, bank, padded):
    value = bytes(hashlib.new(bank).digest_size)
    for h, _, _, data in entries(template):
        if data is None:
            with_ = b"\xff" * len(value)
        elif padded:
            with_ = h.ljust(len(value), b"\0")
        else:
            with_ = hashlib.new(bank, data).digest()
        value = hashlib.new(bank, value + with_).digest()
    return value.hex()


def file_name(template):
    return template.replace("|", "+")


if __name__ == "__main__":
    for template in ["ima", *LISTS]:
        all_ = list(entries(template))
        if "-n" not in sys.argv:
            with open(file_name(template) + ".bin", "wb") as f:
                f.write(b"".join(e[1] for e in all_))
            with open(file_name(template) + ".txt", "wb") as f:
                f.write("".join(e[2] for e in all_).encode("latin-1"))
        print(template, len(all_), "entries", sum(e[3] is None for e in all_), "violations")
        for bank in BANKS:
            print(" ", bank, replay(template, bank, False))
            if bank != "sha1":
                print(" ", bank, "padded", replay(template, bank, True))
