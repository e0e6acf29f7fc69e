# SPDX-License-Identifier: Apache-2.0
"""A laboratory for integration tests: a folder of its own under /tmp, software TPMs with EK certificates, free ports, and the real
programs. Whatever was started is stopped when the test ends, however it ends.

    with Lab() as lab:
        host = lab.host("web-1", {"wasmtime": b"version 1"})
        lab.policy("workers", host)
        lab.start_servers()
        host.start()
        lab.avow("host", "add", "web-1", "--tofu", "--policy", "workers")
        lab.wait_state("web-1", "pass")
"""
import atexit
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

import peer

TOP = os.environ.get("top_srcdir") or os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.environ.get("top_builddir") or os.getcwd()
SCALE = int(os.environ.get("TEST_SCALE", "1"))
PATIENCE = 3  # what is waited for has this many times its time: on a busy machine late is not wrong
SKIP = 77

PROGRAMS = {"avow": "tenant/avow", "avow-registrar": "registrar/avow-registrar", "avow-verifier": "verifier/avow-verifier",
            "avow-agent": "agent/avow-agent", "avow-run": "agent/avow-run"}


def say(text):
    print(f"[{time.strftime('%H:%M:%S')}] {text}", flush=True)


def check(condition, text):
    if not condition:
        raise AssertionError(text)
    say("ok: " + text)


def program(name):
    path = os.path.join(BUILD, PROGRAMS[name])
    return path if os.path.exists(path) else name


class Daemon:
    """One of our programs, with its log in a file."""

    def __init__(self, lab, name, args, env=None, log=None):
        self.lab, self.name, self.args, self.env = lab, name, args, env or {}
        self.log_path = os.path.join(lab.dir, (log or name) + ".log")
        self.process = None

    def start(self):
        with open(self.log_path, "ab") as log:
            self.process = subprocess.Popen([program(self.name), *self.args], stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                            env={**os.environ, **self.env}, start_new_session=True)
        return self

    def alive(self):
        return self.process is not None and self.process.poll() is None

    def kill(self):
        """kill -9 of the program and of what it started."""
        if self.process:
            try:
                os.killpg(self.process.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
            self.process.wait()
            self.process = None

    def stop(self):
        """An orderly end. Returns the exit status."""
        if not self.process:
            return None
        self.process.send_signal(signal.SIGTERM)
        try:
            status = self.process.wait(20 * SCALE)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"{self.name} did not end within {20 * SCALE} s of SIGTERM")
        self.kill()
        return status

    def signal(self, number):
        self.process.send_signal(number)

    def log(self):
        try:
            return open(self.log_path, errors="replace").read()
        except FileNotFoundError:
            return ""


class SoftTpm:
    """contrib/soft-tpm, shared between programs."""

    def __init__(self, lab, name, shared=True):
        self.lab, self.name, self.shared = lab, name, shared
        self.command("make")
        self.tcti = self.command("start").strip()

    def command(self, verb):
        # swtpm stays behind and must not hold our pipe
        with tempfile.TemporaryFile() as out:
            p = subprocess.run([os.path.join(TOP, "contrib/soft-tpm"), verb, self.lab.tpm_dir, self.name], stdout=out,
                               stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
                               env={**os.environ, "SHARED": "yes" if self.shared else "no"})
            out.seek(0)
            text = out.read().decode()
        if p.returncode:
            raise RuntimeError(f"soft-tpm {verb}: {text}")
        return text

    def tool(self, name, *args, check=True):
        return peer.run("tpm2_" + name, *args, env={"TPM2TOOLS_TCTI": self.tcti}, check=check)

    def pcr(self, pcr, bank="sha256"):
        path = os.path.join(self.lab.dir, f"pcr-{self.name}")
        self.tool("pcrread", f"{bank}:{pcr}", "-o", path)
        return open(path, "rb").read()


class Host:
    """A host: a TPM, runtime files, an agent."""

    def __init__(self, lab, name, runtimes, **options):
        self.lab, self.name = lab, name
        self.dir = os.path.join(lab.dir, name)
        self.state = os.path.join(self.dir, "state")
        os.makedirs(self.dir)
        self.tpm = SoftTpm(lab, name)
        self.runtimes = {}
        for runtime, content in runtimes.items():
            self.runtimes[runtime] = self.write(runtime, content)
        self.config = os.path.join(self.dir, "agent.yaml")
        self.write_config(**options)
        self.agent = Daemon(lab, "avow-agent", ["-c", self.config], log=name)

    def write(self, runtime, content):
        """Puts a runtime's file in place, as an update does: a new file renamed over the old."""
        path = os.path.join(self.dir, runtime)
        with open(path + ".new", "wb") as f:
            f.write(content)
        os.chmod(path + ".new", 0o755)
        os.rename(path + ".new", path)
        return path

    def write_config(self, peer="avow", interval=None, extra=""):
        lab = self.lab
        lines = [f"host:\n  id: {self.name}", f"state:\n  dir: {self.state}", f"tpm:\n  tcti: '{self.tpm.tcti}'",
                 f"registrar:\n  url: {lab.registrar_url}\n  ca: {lab.ca}",
                 f"verifier:\n  url: {lab.verifier_url}\n  ca: {lab.ca}\n  peer: {peer}", f"interval: {interval or lab.interval}",
                 "runtimes:" if self.runtimes else "runtimes: []"]
        for name, path in self.runtimes.items():
            lines.append(f"- name: {name}\n  path: {path}")
        with open(self.config, "w") as f:
            f.write("\n".join(lines) + "\n" + extra)

    def start(self):
        self.agent.start()
        return self

    def stop(self):
        return self.agent.stop()

    def reboot(self):
        """The agent ends, the TPM is reset, the agent starts."""
        self.agent.stop()
        self.tpm.command("reboot")
        self.agent.start()


class Lab:
    def __init__(self, interval="2s", init=()):
        self.dir = tempfile.mkdtemp(prefix="avow.", dir="/tmp")
        self.tpm_dir = os.path.join(self.dir, "tpm")
        self.etc = os.path.join(self.dir, "etc")
        self.interval, self.daemons, self.hosts, self.tpms = interval, [], {}, []
        atexit.register(self.close)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, lambda *_: sys.exit(1))
        self.registrar_port, self.verifier_port = self.free_port(), self.free_port()
        self.registrar_url = f"https://127.0.0.1:{self.registrar_port}"
        self.verifier_url = f"https://127.0.0.1:{self.verifier_port}"
        peer.run(os.path.join(TOP, "contrib/soft-tpm"), "ca", self.tpm_dir)
        peer.run(program("avow"), "init", self.etc, "--registrar-port", str(self.registrar_port), "--verifier-port",
                 str(self.verifier_port), "--ek-roots", os.path.join(self.tpm_dir, "roots"), "--interval", interval, *init)
        self.pki = os.path.join(self.etc, "pki")
        self.ca = os.path.join(self.pki, "ca.pem")
        self.registrar = self.daemon("avow-registrar", "-c", os.path.join(self.etc, "registrar.yaml"))
        self.verifier = self.daemon("avow-verifier", "-c", os.path.join(self.etc, "verifier.yaml"))

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        if kind and kind is not SystemExit:
            say(f"FAILED: {value!r}")
            for d in [*self.daemons, *(h.agent for h in self.hosts.values())]:
                print(f"---- {os.path.basename(d.log_path)}\n" + "\n".join(d.log().splitlines()[-30:]))
        self.close()

    def close(self):
        if not self.dir:
            return
        for d in [*(h.agent for h in self.hosts.values()), *self.daemons]:
            d.kill()
        for tpm in [*(h.tpm for h in self.hosts.values()), *self.tpms]:
            tpm.command("stop")
        if os.environ.get("KEEP"):
            say(f"kept: {self.dir}")
        else:
            shutil.rmtree(self.dir, ignore_errors=True)
        self.dir = None

    def free_port(self):
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            return s.getsockname()[1]

    def daemon(self, name, *args, **options):
        d = Daemon(self, name, list(args), **options)
        self.daemons.append(d)
        return d

    def host(self, name, runtimes, **options):
        h = self.hosts[name] = Host(self, name, runtimes, **options)
        return h

    def tpm(self, name):
        t = SoftTpm(self, name)
        self.tpms.append(t)
        return t

    def peer(self, name, tpm=None, **options):
        """An attester that is not ours (peer.py), on a TPM of its own."""
        tpm = tpm or self.tpm(name)
        keys = peer.Tpm(tpm.tcti, os.path.join(self.dir, "peer-" + name), **options)
        return peer.Peer(name, keys, self.registrar_url, self.verifier_url, self.ca, keys.dir)

    # ---- servers ----

    def wait_port(self, daemon, port, seconds=20):
        self.wait(lambda: self.port_answers(port) or (not daemon.alive() and self.died(daemon)), f"{daemon.name} to listen", seconds)

    def died(self, daemon):
        raise AssertionError(f"{daemon.name} ended: {daemon.log()[-2000:]}")

    def port_answers(self, port):
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return True
        except OSError:
            return False

    def start_servers(self):
        for d, port in ((self.registrar, self.registrar_port), (self.verifier, self.verifier_port)):
            d.start()
            self.wait_port(d, port)

    def connection(self, url, role="admin"):
        cert = (os.path.join(self.pki, role + ".pem"), os.path.join(self.pki, role + ".key")) if role else ()
        return peer.Connection(url, self.ca, *cert)

    # ---- the command line ----

    def avow(self, *args, ok=(0,), env=None):
        p = subprocess.run([program("avow"), "-c", os.path.join(self.etc, "avow.yaml"), *args], capture_output=True, text=True,
                           stdin=subprocess.DEVNULL, env={**os.environ, **(env or {})})
        if ok is not None and p.returncode not in ok:
            raise AssertionError(f"avow {' '.join(args)}: exit {p.returncode}\n{p.stdout}{p.stderr}")
        return p

    def json(self, *args, ok=(0, 1, 3)):
        return json.loads(self.avow("-o", "json", *args, ok=ok).stdout)

    def policy(self, name, *hosts, extra="", push=True, contents=()):
        """A policy that allows what the hosts' runtimes are now (and CONTENTS: (runtime, bytes)); pushed unless told."""
        import hashlib
        files = {}
        for host in hosts:
            for runtime, path in host.runtimes.items():
                files.setdefault(runtime, []).append(hashlib.sha256(open(path, "rb").read()).hexdigest())
        for runtime, content in contents:
            files.setdefault(runtime, []).append(hashlib.sha256(content).hexdigest())
        text = f"format: avow-policy/1\nname: {name}\n{extra}runtimes:\n"
        for runtime, digests in files.items():
            text += f"- name: {runtime}\n  files:\n  - path: /opt/{runtime}\n    digests:\n"
            text += "".join(f"    - {d}\n" for d in sorted(set(digests)))
        path = os.path.join(self.dir, name + ".yaml")
        with open(path, "w") as f:
            f.write(text)
        if push:
            self.avow("policy", "push", path)
        return path

    # ---- waiting ----

    def wait(self, condition, what, seconds=30):
        """Until CONDITION holds; fails after PATIENCE times SECONDS. A test that asserts how soon measures it itself."""
        deadline = time.monotonic() + seconds * SCALE * PATIENCE
        while True:
            value = condition()
            if value:
                return value
            if time.monotonic() > deadline:
                raise AssertionError(f"waited {seconds * SCALE * PATIENCE} s for {what}")
            time.sleep(0.1)

    def show(self, name):
        return self.json("host", "show", name)

    def wait_state(self, name, state, seconds=30):
        seen = {}

        def reached():
            seen.update(self.show(name))
            return seen.get("state") == state
        try:
            self.wait(reached, f"{name} to be {state}", seconds)
        except AssertionError as e:
            raise AssertionError(f"{e}; it is {seen.get('state')}: {seen.get('summary')}") from None
        say(f"{name} is {state}")
        return seen

    def wait_attested(self, name, rounds=1, seconds=30):
        """ROUNDS more pieces of evidence were recorded."""
        n = self.show(name).get("n_evidence", 0)
        self.wait(lambda: self.show(name).get("n_evidence", 0) >= n + rounds, f"{rounds} more rounds of {name}", seconds)

    def findings(self, name):
        """The codes of the findings of the last verdict."""
        return [f["code"] for f in ((self.json("host", "explain", name).get("verdict") or {}).get("findings") or [])]
