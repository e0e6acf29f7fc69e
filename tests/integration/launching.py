# SPDX-License-Identifier: Apache-2.0
"""Launching modules in a laboratory: a host whose agent launches, a module policy, avow-run, and a client that speaks the
launcher's socket itself. cat(1) stands in for a runtime where what is told is not about runtimes: it "runs" a module by
printing it, and its secret behind it."""
import array
import hashlib
import os
import re
import shutil
import socket
import struct
import subprocess

from lab import TOP, check, program

WASM = b"\0asm\1\0\0\0"


def module(lab, name, text=b""):
    """The smallest module, with a custom section that makes it this one."""
    path = os.path.join(lab.dir, name)
    content = b"\4note" + text
    with open(path, "wb") as f:
        f.write(WASM + b"\0" + bytes([len(content)]) + content)
    return path


def sha256(path):
    return hashlib.sha256(open(path, "rb").read()).hexdigest()


def launching(lab, name, runtimes, extra="", measured=None, **options):
    """A host that launches. RUNTIMES: name -> (executable's path, what launch.runtimes says of it). MEASURED: others, as lab.host()
    takes them."""
    host = lab.host(name, measured or {})
    host.runtimes.update({runtime: path for runtime, (path, _) in runtimes.items()})
    rows = "".join(f"  - {{name: {runtime}, {row}}}\n" for runtime, (_, row) in runtimes.items())
    host.write_config(extra=f"run: {{dir: {host.dir}/run}}\nlaunch:\n  enabled: true\n  runtimes:\n{rows}{extra}", **options)
    return host


def cat_runtime(lab):
    """A runtime that can be swapped."""
    path = os.path.join(lab.dir, "cat")
    shutil.copy(os.path.realpath("/bin/cat"), path)
    return path, "argv: ['{module}', '{args}']"


def run(host, *args, **options):
    """avow-run on HOST: (status, output, what it said)."""
    p = subprocess.run([program("avow-run"), "--socket", os.path.join(host.dir, "run", "launch.sock"), *args], capture_output=True,
                       stdin=subprocess.DEVNULL, **options)
    return p.returncode, p.stdout, p.stderr.decode()


def refused(lab, host, *args):
    """avow-run refuses, and not for want of a verifier: what it says."""
    def asked():
        status, out, said = run(host, *args)
        assert status == 126 and not out, f"{args} ran: {status} {out!r} {said}"
        return "no verifier answers" not in said and said.strip()
    return lab.wait(asked, "the verifier to be asked")


def start(host, *args, stdin=subprocess.DEVNULL):
    return subprocess.Popen([program("avow-run"), "--socket", os.path.join(host.dir, "run", "launch.sock"), *args], stdin=stdin,
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def closure(host, runtime, path):
    """The digest of a runtime's closure, as --explain says it."""
    text = run(host, "--explain", "--runtime", runtime, path)[1].decode()
    return re.search(r"^closure +sha256 ([0-9a-f]{64})$", text, re.M)[1]


def allow(lab, name, modules, closures, extra=""):
    """Pushes a module policy that allows MODULES (paths) in CLOSURES (runtime -> digest)."""
    text = f"format: avow-modules/1\nname: {name}\nallow:\n" + "".join(f"- digest: {sha256(m)}\n" for m in modules)
    text += "closures: {" + ", ".join(f"{r}: [{c}]" for r, c in closures.items()) + "}\n" + extra
    answer = lab.connection(lab.verifier_url).request("PUT", f"/avow/v1/modules/{name}", text.encode(), type="application/yaml")
    check(answer[0] in (200, 201), f"module policy {name} is in force: {answer[0]}")


def packet(runtime="", args=(), secrets=(), flags=0, nonce=b""):
    """An ask as avow-run writes it (agent/launch_wire.h)."""
    def put(b):
        return struct.pack(">I", len(b)) + b
    out = bytes([1, 1, flags]) + put(runtime.encode()) + put(nonce) + put(b"") + put(b"")
    out += struct.pack(">H", len(secrets)) + b"".join(put(s.encode()) for s in secrets)
    out += struct.pack(">H", len(args)) + b"".join(put(a.encode()) for a in args)
    return out + struct.pack(">H", 0)


def ask(host, data, fds):
    """Sends DATA with FDS to the launcher. Return: its answers, up to the end: [(type, body)]."""
    answers = []
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as s:
        s.settimeout(60)
        s.connect(os.path.join(host.dir, "run", "launch.sock"))
        s.sendmsg([data], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))] if fds else [])
        while True:
            got = s.recv(131072)
            if not got:
                return answers
            answers.append((got[0], got[1:]))
