# SPDX-License-Identifier: Apache-2.0
"""What the adversary stories have in common: a lab with a victim (a real agent that passes) and an attacker who has a genuine TPM of
his own, or who is root on the victim's machine. After the attack the victim has to be as it was.
"""
import contextlib
import json

import peer
from lab import Lab, check, say

RUNTIME = b"#!/bin/true\nruntime version 1\n"
# What fails under this policy is destroyed at once, so that an attack which fails somebody else would show (SR-4).
DESTROYS = "on_fail: {reaction: destroy, destroy_after: 0s}\n"


@contextlib.contextmanager
def victim(name="victim", verifier=None, agent=True, **options):
    """A lab, and a host in it that passes. VERIFIER: environment overrides of the verifier, {"CLOCK_TOLERANCE": "1s"}."""
    with Lab(**options) as lab:
        lab.verifier.env = {"AVOW_VERIFIER_" + k: v for k, v in (verifier or {}).items()}
        host = lab.host(name, {"wasmtime": RUNTIME})
        lab.start_servers()
        lab.policy("workers", host, extra=DESTROYS)
        if agent:
            host.start()
            lab.wait(lambda: lab.avow("host", "add", name, "--tofu", "--policy", "workers", ok=None).returncode == 0,
                     name + " to be registered and added")
            lab.wait_state(name, "pass")
        yield lab, host


def attester(lab, name, policy="workers", **options):
    """An enrolled attester under the attacker's control, that measured the approved runtime and passes."""
    p = lab.peer(name, **options)
    p.enrol()
    lab.avow("host", "add", name, "--tofu", "--policy", policy)
    p.session()
    p.measure(RUNTIME)
    check(p.attest() == "pass", f"{name} passes with honest evidence")
    return p


def passes(p, text):
    """The attester proves itself again, as if nothing had been."""
    evaluation = p.attest()
    check(evaluation == "pass", f"{text} (it is {evaluation})")


def secrets_survive(lab, name, text):
    """SR-4: nothing of the host was revoked, and the epoch that its secrets are sealed to is what it was."""
    shown = lab.show(name)
    told = [r["reaction"] for r in lab.json("revocation", "list", "--host", name)["revocations"]]
    check(shown["trust"] != "revoked" and shown["trust_detail"]["wipe"] == "none" and "destroy" not in told,
          f"{text}: it revoked nothing, {name} is {shown['trust']}")


def still_passes(lab, name):
    lab.wait_attested(name)
    check(lab.show(name)["state"] == "pass", f"{name} still passes")
    check(lab.show(name)["trust"] == "trusted", f"{name} is still trusted")
    secrets_survive(lab, name, "what was done in its name")


def refused(lab, name, status, doc, text):
    """SR-4: refused, counted, and no verdict was changed by it."""
    check(400 <= status < 500, f"{text}: refused with {status} {json.dumps(doc)[:120] if doc else ''}")
    shown = lab.show(name)
    check(shown["state"] in ("pass", "late", "lost"), f"{text}: it changed no verdict, {name} is {shown['state']}")
    secrets_survive(lab, name, text)


def metric(lab, connection_url, name):
    status, text, _ = lab.connection(connection_url).request("GET", "/metrics", raw=True)
    assert status == 200, status
    return sum(float(line.rsplit(" ", 1)[1]) for line in text.decode().splitlines()
               if line.startswith(name) and not line.startswith("#"))


__all__ = ["RUNTIME", "attester", "check", "metric", "passes", "peer", "refused", "say", "secrets_survive", "still_passes", "victim"]
