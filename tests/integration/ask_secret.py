#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""ask_secret.py SOCKET NAME: a workload that asks agent.sock; prints the secret, or the refusal (exit 1).
--as UNIT NAME SOCKET: plays systemd at credentials.sock. --raw FILE SOCKET: sends a file. --crowd N SOCKET NAME: N
connections that say nothing; prints how many were held."""
import secrets
import socket
import sys
import time


def connect(path, address=None):
    s = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    s.settimeout(45)
    if address:
        s.bind(b"\0" + address)
    s.connect(path)
    return s


def read_all(s):
    data = b""
    try:
        while chunk := s.recv(65536):
            data += chunk
    except ConnectionResetError:
        pass
    return data


def ask(path, name):
    s = connect(path)
    s.sendall(name.encode() + b"\n")
    head, _, body = read_all(s).partition(b"\n")
    words = head.decode().split(" ")
    if words[0] != "ok" or len(body) != int(words[1]):
        print(head.decode(errors="replace"))
        return 1
    sys.stdout.write(body.decode())
    return 0


def crowd(n, path):
    held = []
    for _ in range(n):
        held.append(connect(path))
    time.sleep(1)
    refused = 0
    for s in held:
        s.setblocking(False)
        try:
            refused += s.recv(100).startswith(b"no ")
        except BlockingIOError:
            pass
    print(f"held {n - refused} of {n}")


def main():
    args = sys.argv[1:]
    if args[0] == "--as":
        _, unit, name, path = args
        s = connect(path, f"{secrets.token_hex(8)}/unit/{unit}/{name}".encode())
        sys.stdout.write(read_all(s)[:200].decode(errors="replace"))
    elif args[0] == "--raw":
        s = connect(args[2])
        with open(args[1], "rb") as f:
            s.sendall(f.read())
        s.shutdown(socket.SHUT_WR)
        sys.stdout.write(read_all(s)[:200].decode(errors="replace"))
    elif args[0] == "--crowd":
        crowd(int(args[1]), args[2])
    else:
        return ask(*args)
    return 0


sys.exit(main())
