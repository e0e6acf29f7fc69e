# SPDX-License-Identifier: Apache-2.0
"""Guests with a real kernel: QEMU without KVM boots Debian's stock kernel with a software TPM; the real agent in it attests to the real
servers of a Lab outside.

    with machines() as lab:
        guest = Guest(lab, "worker")
        guest.boot()
        guest.run("avow-agent ...")

A guest's disk holds busybox and the programs as built, with the libraries that ldd names; the initial file system loads modules and
mounts it. What the guest says on its console is kept where logs of tests are, when a test fails.
"""
import base64
import contextlib
import gzip
import json
import os
import re
import shutil
import socket
import struct
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "integration"))
import lab as laboratory  # noqa: E402
from lab import BUILD, SCALE, SKIP, TOP, Lab, check, say  # noqa: E402

CACHE = os.environ.get("AVOW_GUEST_CACHE") or os.path.join(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "avow/guest")
ROOT = os.path.join(CACHE, "root")
OVMF = "/usr/share/OVMF"
COMMAND_LINE = "console=ttyS0 panic=-1 rootfstype=ramfs ima_policy=tcb ima_template=ima-sig ima_hash=sha256 lockdown=integrity"
RULES = os.path.join(TOP, "contrib/ima/ima-policy")
MODULES = ("failover net_failover virtio_ring virtio virtio_pci_modern_dev virtio_pci_legacy_dev virtio_pci virtio_net virtio_console "
           "virtio_blk").split()
HOST = "10.0.2.2"  # the machine outside, as the guest sees it
PROGRAMS = {"/usr/sbin/avow-agent": "agent/avow-agent", "/usr/libexec/avow/avow-agent-net": "agent/avow-agent-net",
            "/usr/bin/avow": "tenant/avow", "/usr/bin/guest_tool": "tests/vm/guest_tool"}
LIST = "/sys/kernel/security/ima/binary_runtime_measurements"
BOOT_LOG = "/sys/kernel/security/tpm0/binary_bios_measurements"
BOOT_SECONDS = 300  # one takes 4 to 20 on an idle machine


def skip(reason):
    print(f"skipped: {reason}", flush=True)
    sys.exit(SKIP)


def output(*args):
    return subprocess.run(args, check=True, capture_output=True, text=True, stdin=subprocess.DEVNULL).stdout


def needed():
    """Skips the test where there is no QEMU or nothing to boot."""
    for name in ("qemu-system-x86_64", "swtpm", "swtpm_setup", "mcopy", "strip", "mkfs.ext4"):
        if not shutil.which(name, path=os.environ["PATH"] + ":/usr/sbin:/sbin"):
            skip(f"{name} is not installed (contrib/install-packages vm)")
    p = subprocess.run([os.path.join(HERE, "fetch.sh"), CACHE], capture_output=True, text=True, stdin=subprocess.DEVNULL)
    if p.returncode:
        skip((p.stderr.strip().splitlines() or ["fetch.sh failed"])[-1])


def kernel(part="vmlinuz"):
    """Its path, or that of its configuration ("config")."""
    boot = os.path.join(ROOT, "boot")
    return os.path.join(boot, next(name for name in sorted(os.listdir(boot)) if name.startswith(part + "-")))


def archive(files):
    """A cpio archive (newc) of {path: content}: bytes are files, "-> TARGET" links, None folders."""
    parts, seen = [], set()

    def add(path, mode, data):
        name = path.encode() + b"\0"
        head = b"070701" + b"".join(b"%08X" % n for n in (len(seen) + 1, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(name), 0)) + name
        parts.append(head + b"\0" * (-len(head) % 4) + data + b"\0" * (-len(data) % 4))
        seen.add(path)

    def folder(path):
        if path and path not in seen:
            folder(os.path.dirname(path))
            add(path, 0o40755, b"")

    for path, content in sorted(files.items()):
        path = path.lstrip("/")
        folder(os.path.dirname(path))
        if content is None:
            folder(path)
        elif isinstance(content, str):
            add(path, 0o120777, content.removeprefix("-> ").encode())
        else:
            add(path, 0o100755, content)
    add("TRAILER!!!", 0, b"")
    return gzip.compress(b"".join(parts), 1, mtime=0)


def tree(files, into):
    """The same as a folder."""
    for path, content in files.items():
        path = into + path
        os.makedirs(path if content is None else os.path.dirname(path), exist_ok=True)
        if isinstance(content, str):
            os.symlink(content.removeprefix("-> "), path)
        elif content is not None:
            with open(path, "wb") as f:
                f.write(content)
            os.chmod(path, 0o755)


def read(path):
    with open(path, "rb") as f:
        return f.read()


def libraries(path):
    """The shared objects that a program needs, as the loader finds them."""
    return set(re.findall(r"(/\S+) \(0x", output("ldd", path)))


def stripped(path, into):
    """As `make install-strip` installs it: a guest has little memory and no haste to read symbols."""
    out = os.path.join(into, os.path.basename(path))
    subprocess.run(["strip", "-o", out, path], check=True)
    return read(out)


def shell():
    """busybox under all its names."""
    busybox = os.path.join(ROOT, "bin/busybox")
    return {**{"/bin/" + name: "-> busybox" for name in output(busybox, "--list").split()}, "/bin/busybox": read(busybox)}


def initial_file_system():
    files = {**dict.fromkeys(("/proc", "/sys", "/dev", "/disk")), **shell(), "/init": read(os.path.join(HERE, "initramfs.sh"))}
    for module in MODULES:
        folder = next(d for d, _, names in os.walk(os.path.join(ROOT, "lib/modules")) if module + ".ko" in names)
        files[f"/modules/{module}.ko"] = read(os.path.join(folder, module + ".ko"))
    return archive(files)


def system(work):
    """{path: content} of a disk, without what a guest adds."""
    files = {**dict.fromkeys(("/proc", "/sys", "/dev", "/run", "/tmp", "/root", "/var/lib/avow", "/var/opt")), **shell()}
    needs = {path for path in output("/sbin/ldconfig", "-p").split() if path.endswith("/libtss2-tcti-device.so.0")}
    for path, built in PROGRAMS.items():
        built = os.path.join(BUILD, built)
        files[path] = stripped(built, work)
        needs |= libraries(built)
    for path in needs | {library for need in needs for library in libraries(need)}:
        files[os.path.normpath(path)] = read(path)
    files["/usr/sbin/avow-agent-net"] = "-> ../libexec/avow/avow-agent-net"
    files["/etc/passwd"] = b"root:x:0:0:root:/root:/bin/sh\navow-agent:x:990:990::/:/bin/false\n"
    files["/etc/group"] = b"root:x:0:\navow-agent:x:990:\n"
    files["/boot/" + os.path.basename(kernel("config"))] = read(kernel("config"))
    files["/etc/ima/ima-policy"] = files["/usr/share/avow/ima/ima-policy"] = read(RULES)
    files["/sbin/init"] = read(os.path.join(HERE, "init.sh"))
    return files


@contextlib.contextmanager
def machines(interval="3s"):
    """A lab whose servers guests can reach."""
    needed()
    with Lab(interval=interval, init=("--name", "127.0.0.1", "--name", HOST)) as lab:
        lab.system, lab.guests = system(lab.dir), []
        lab.initrd = os.path.join(lab.dir, "initrd")
        with open(lab.initrd, "wb") as f:
            f.write(initial_file_system())
        try:
            lab.start_servers()
            yield lab
        except Exception:
            for guest in lab.guests:
                guest.keep()
            raise
        finally:
            for guest in lab.guests:
                guest.kill()


class Guest:
    """A machine of its own: a TPM with EK certificates, a disk, a console. FIRMWARE: "bios", or "secure" for Secure Boot with Microsoft's
    keys, shim and GRUB. RUNTIMES: {name: content}, on the disk as /var/opt/NAME. KEXEC: it has a kernel to start by itself."""

    def __init__(self, lab, name, firmware="bios", runtimes=None, kexec=False):
        self.lab, self.name, self.firmware = lab, name, firmware
        self.dir = os.path.join(lab.dir, "vm-" + name)
        self.tpm = os.path.join(lab.tpm_dir, name)
        self.console = os.path.join(self.dir, "console.log")
        self.qemu = self.control = None
        self.passed = 0
        self.runtimes = dict(runtimes or {})
        self.files = {"/boot/vmlinuz": read(kernel()), "/boot/initrd": read(lab.initrd)} if kexec else {}
        os.makedirs(self.dir)
        subprocess.run([os.path.join(TOP, "contrib/soft-tpm"), "make", lab.tpm_dir, name], check=True, stdin=subprocess.DEVNULL)
        self.make_disk()
        lab.guests.append(self)

    # ---- what it is made of

    def make_disk(self):
        files = {**self.lab.system, **self.files, "/etc/avow/ca.pem": read(self.lab.ca), "/etc/avow/agent.yaml": self.agent_yaml().encode()}
        files.update((f"/var/opt/{name}", content) for name, content in self.runtimes.items())
        root = os.path.join(self.dir, "root")
        tree(files, root)
        self.disk = os.path.join(self.dir, "disk")
        subprocess.run(["/sbin/mkfs.ext4", "-q", "-E", "root_owner=0:0", "-d", root, self.disk, "192M"], check=True, capture_output=True)
        shutil.rmtree(root)

    def agent_yaml(self):
        urls = "".join(f"{server}: {{url: 'https://{HOST}:{port}', ca: /etc/avow/ca.pem}}\n" for server, port in
                       (("registrar", self.lab.registrar_port), ("verifier", self.lab.verifier_port)))
        return (f"host: {{id: {self.name}}}\nstate: {{dir: /var/lib/avow}}\n{urls}runtimes:\n"
                + "".join(f"- {{name: {name}, path: /var/opt/{name}}}\n" for name in self.runtimes))

    def boot_disk(self, command_line):
        """A FAT file system with shim, GRUB, its configuration, the kernel."""
        image = os.path.join(self.dir, "esp")
        signed = {"EFI/BOOT/BOOTX64.EFI": "usr/lib/shim/shimx64.efi.signed",
                  "EFI/BOOT/grubx64.efi": "usr/lib/grub/x86_64-efi-signed/grubx64.efi.signed"}
        grub = os.path.join(self.dir, "grub.cfg")
        with open(grub, "w") as f:
            f.write(f"set timeout=0\nmenuentry guest {{\n linux /vmlinuz {command_line}\n initrd /initrd\n}}\n")
        with open(image, "wb") as f:
            f.truncate(40 << 20)
        subprocess.run(["mformat", "-i", image, "-F", "::"], check=True)
        subprocess.run(["mmd", "-i", image, "::EFI", "::EFI/BOOT", "::EFI/debian"], check=True)
        files = {to: os.path.join(ROOT, what) for to, what in signed.items()}
        for to, what in {**files, "EFI/debian/grub.cfg": grub, "vmlinuz": kernel(), "initrd": self.lab.initrd}.items():
            subprocess.run(["mcopy", "-o", "-i", image, what, "::" + to], check=True)
        return image

    # ---- power

    def boot(self, command_line=COMMAND_LINE, firmware=()):
        """Until it takes commands. FIRMWARE: further options of QEMU."""
        started = time.monotonic()
        sock, port = os.path.join(self.dir, "tpm.sock"), os.path.join(self.dir, "port.sock")
        for path in (sock, port):
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path)
        subprocess.run(["swtpm", "socket", "--tpm2", "--tpmstate", "dir=" + self.tpm, "--ctrl", "type=unixio,path=" + sock, "--terminate",
                        "--daemon", "--log", "file=" + os.path.join(self.dir, "swtpm.log")], check=True, stdin=subprocess.DEVNULL)
        args = ["qemu-system-x86_64", "-machine", "q35" + (",smm=on" if self.firmware == "secure" else ""), "-accel", "tcg,thread=multi",
                "-cpu", "max", "-smp", "1", "-m", "512", "-nodefaults", "-display", "none", "-no-reboot",
                "-serial", "file:" + self.console, "-chardev", "socket,id=tpm,path=" + sock, "-tpmdev", "emulator,id=tpm,chardev=tpm",
                "-device", "tpm-crb,tpmdev=tpm", "-netdev", "user,id=net", "-device", "virtio-net-pci,netdev=net,romfile=",
                "-chardev", f"socket,id=port,path={port},server=on,wait=off", "-device", "virtio-serial-pci",
                "-device", "virtserialport,chardev=port,name=control",
                "-drive", f"if=none,id=disk,format=raw,file={self.disk}", "-device", "virtio-blk-pci,drive=disk,serial=guest-disk", *firmware]
        if self.firmware == "secure":
            variables = os.path.join(self.dir, "variables")
            if not os.path.exists(variables):
                shutil.copy(os.path.join(OVMF, "OVMF_VARS_4M.ms.fd"), variables)
            args += ["-global", "driver=cfi.pflash01,property=secure,value=on", "-global", "ICH9-LPC.disable_s3=1",
                     "-drive", f"if=pflash,format=raw,readonly=on,file={OVMF}/OVMF_CODE_4M.secboot.fd",
                     "-drive", f"if=pflash,format=raw,file={variables}",
                     "-drive", f"if=none,id=esp,format=raw,readonly=on,file={self.boot_disk(command_line)}",
                     "-device", "virtio-blk-pci,drive=esp,bootindex=0"]
        else:
            args += ["-kernel", kernel(), "-initrd", self.lab.initrd, "-append", command_line]
        with open(os.path.join(self.dir, "qemu.log"), "ab") as log:
            self.qemu = subprocess.Popen(args, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self.control = self.lab.wait(lambda: self.connect(port), f"QEMU of {self.name}", 60)
        self.answer("booting", BOOT_SECONDS)
        say(f"{self.name} is up after {time.monotonic() - started:.1f} s")
        return self

    def connect(self, path):
        s = socket.socket(socket.AF_UNIX)
        try:
            s.connect(path)
        except OSError:
            s.close()
            self.check_alive("starting")
            return None
        return s

    def check_alive(self, doing):
        if self.qemu.poll() is not None:
            raise AssertionError(f"{self.name} went down while {doing} (QEMU ended with {self.qemu.returncode})")

    def answer(self, doing, seconds):
        """A line from the guest: (status, text)."""
        line, deadline = b"", time.monotonic() + seconds * SCALE
        self.control.settimeout(1)
        while not line.endswith(b"\n"):
            if time.monotonic() > deadline:
                raise AssertionError(f"{self.name} did not answer within {seconds * SCALE} s, {doing}")
            self.check_alive(doing)
            with contextlib.suppress(TimeoutError):
                line += self.control.recv(1 << 16)
        status, _, text = line.decode().partition(" ")
        return int(status), base64.b64decode(text).decode(errors="replace")

    def run(self, command, ok=(0,), seconds=60):
        """Does COMMAND in the guest's shell. Returns what it said; OK: exit statuses that are right, None for any."""
        self.control.sendall(base64.b64encode(command.encode()) + b"\n")
        status, text = self.answer(f"doing {command!r}", seconds)
        if ok is not None and status not in ok:
            raise AssertionError(f"{self.name}: {command!r} ended with {status}: {text}")
        return text

    def put(self, path, content):
        """Writes a file in the guest, as an update does: a new one renamed over the old."""
        self.run(f"mkdir -p $(dirname {path})\nbase64 -d >{path}.new <<'END'\n{base64.encodebytes(content).decode()}END\n"
                 f"chmod 755 {path}.new && mv {path}.new {path}")

    def kexec(self, command_line):
        """Another kernel without a reboot: firmware and TPM notice nothing."""
        self.run(f"guest_tool kexec /boot/vmlinuz /boot/initrd '{command_line}'")
        self.control.sendall(base64.b64encode(b"guest_tool kexec") + b"\n")
        self.answer("starting another kernel", BOOT_SECONDS)
        say(f"{self.name} runs another kernel")

    def off(self):
        """An orderly power off."""
        self.control.sendall(base64.b64encode(b"sync; mount -o remount,ro /; poweroff -f") + b"\n")
        try:
            self.qemu.wait(60 * SCALE)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"{self.name} does not power off") from None
        self.kill()

    def kill(self):
        if self.control:
            self.control.close()
        if self.qemu:
            self.qemu.kill()
            self.qemu.wait()
        self.qemu = self.control = None

    def keep(self):
        """The test fails: what the guest said last, here and whole in a file that stays."""
        logs = os.path.join(BUILD, "test-logs")
        os.makedirs(logs, exist_ok=True)
        for name in ("console.log", "qemu.log"):
            with contextlib.suppress(FileNotFoundError):
                kept = os.path.join(logs, f"guest-{os.path.basename(sys.argv[0])}-{self.name}-{name}")
                shutil.copy(os.path.join(self.dir, name), kept)
                text = read(kept).decode(errors="replace").splitlines()
                print(f"---- {kept}\n" + "\n".join(text[-25:]), flush=True)

    # ---- the agent in it

    def start_agent(self):
        self.run("avow-agent -c /etc/avow/agent.yaml >/dev/console 2>&1 & echo $! >/run/agent.pid")

    def enrol(self, policy):
        """Adds it under POLICY once its agent has registered."""
        self.lab.wait(lambda: self.lab.avow("host", "add", self.name, "--tofu", "--policy", policy, ok=None).returncode == 0,
                      f"{self.name} to be registered and added", 120)

    def run_runtimes(self):
        for name in self.runtimes:
            self.run("/var/opt/" + name)

    def make_policy(self, name, *options):
        """A policy made in the guest, of what its kernel and its firmware have seen so far; pushed."""
        self.lab.wait(lambda: b"is registered" in read(self.console), f"{self.name} to be registered", 120)
        self.run(f"avow policy make --name {name} --agent-config /etc/avow/agent.yaml --from-ima-log {LIST} --boot-log {BOOT_LOG} "
                 f"--rules /etc/ima/ima-policy {' '.join(options)} --out /run/policy.yaml", seconds=120)
        path = os.path.join(self.lab.dir, name + ".yaml")
        with open(path, "w") as f:
            f.write(self.run("cat /run/policy.yaml"))
        self.lab.avow("policy", "push", path)

    def never_passes(self, story, *codes):
        """Since the last pass that was waited for there was no other, and new evidence does not pass for one of CODES."""
        self.lab.wait_attested(self.name, 1, 120)  # it may have been on its way
        for _ in range(2):
            self.lab.wait_attested(self.name, 1, 120)
            shown, found = self.lab.show(self.name), self.lab.findings(self.name)
            check(shown["state"] in ("fail", "inconclusive") and set(codes) & set(found),
                  f"{story}: {self.name} does not pass, it is {shown['state']}: {', '.join(sorted(set(found)))}")
        check(self.passes() == self.passed, f"{story}: nor did it pass in between")

    def passes(self):
        """How often it has begun to pass."""
        return self.lab.verifier.log().count(f"host '{self.name}' is pass (was")

    def explained(self):
        """What an administrator is told about a host that does not pass."""
        return self.lab.avow("host", "explain", self.name, ok=(1, 3)).stdout

    def wait_state(self, state, seconds=120):
        self.lab.wait_state(self.name, state, seconds)
        self.passed = self.passes()

    def prepared(self):
        """What `avow host prepare` finds missing, {check: state}: nothing on a guest that is as it should be."""
        said = json.loads(self.run("avow -o json host prepare --check --rules /usr/share/avow/ima/ima-policy", ok=(0, 1)))
        return {c["name"]: c["state"] for c in said["checks"] if c["state"] != "ok"}

    def reboot(self, **options):
        """Down in order, up again, its agent too."""
        self.off()
        self.boot(**options)
        self.start_agent()
        self.run_runtimes()


__all__ = ["COMMAND_LINE", "RULES", "Guest", "check", "laboratory", "machines", "say"]
