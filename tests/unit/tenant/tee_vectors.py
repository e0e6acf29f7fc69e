#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Every case and every edited file of $AVOW_VECTORS/tee through `avow evidence show|verify --type`: verdict,
reasons, flags and exit code are the ones that the vectors' manifest says, and every truncation is refused
with a clean answer. Prints the table. The files are other people's and stay where they are."""
import glob
import json
import os
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor

VECTORS = os.environ.get("AVOW_VECTORS")
if not VECTORS:
    print("SKIP: AVOW_VECTORS is not set: no recorded evidence")
    sys.exit(77)
TOP = os.path.join(VECTORS, "tee") if os.path.isdir(os.path.join(VECTORS, "tee")) else VECTORS
AVOW = os.path.join(os.environ["top_builddir"], "tenant/avow")
EXIT = {"accept": 0, "accept-with-trailing": 0, "reject": 1, "malformed": 2}  # all others: 3
# It says provisional-firmware, but all its TCBs and versions are equal.
WRONG_FLAGS = {"snp/azure-hcl-evidence-v1"}
# The manifest's reference policy, in the product's words.
REFERENCE = """format: avow-policy/2
name: reference
tee:
  kinds: [snp, tdx, sgx]
  revocation: if-given
  snp: {vlek: allowed, provisional_firmware: allowed, vmpl: [0, 1, 2, 3]}
  tdx:
    statuses: [UpToDate, SWHardeningNeeded, ConfigurationNeeded, ConfigurationAndSWHardeningNeeded]
    service_td: allowed
  sgx:
    statuses: [UpToDate, SWHardeningNeeded, ConfigurationNeeded, ConfigurationAndSWHardeningNeeded]
"""
# The same evidence, in the requests that it came in.
REQUESTS = {f"{folder} request": folder for folder in ("enarx/sgx-xeon-csr", "enarx/snp-milan-csr")}
BY_DEFAULT = ("sgx/v3-processor-ca-full-collateral", "reject", ["tcb-ConfigurationAndSWHardeningNeeded"])
POLICY = os.path.join(tempfile.mkdtemp(), "reference.yaml")
failures = []


def path(*names):
    return os.path.join(TOP, *names)


def load(*names):
    with open(path(*names), encoding="utf-8") as f:
        return json.load(f)


def avow(*args):
    """Exit code and document. An answer is a document, whatever it is."""
    done = subprocess.run([AVOW, "-o", "json", *args], capture_output=True, text=True, timeout=60, check=False)
    if done.returncode not in (0, 1, 2, 3) or not done.stdout:
        raise SystemExit(f"{args}: {done.returncode} {done.stdout} {done.stderr}")
    return done.returncode, json.loads(done.stdout)


def evidence_of(case):
    if case in REQUESTS:
        return glob.glob(path(REQUESTS[case], "*.csr"))[0]
    if case.startswith("tpm/"):
        return path(case, "evidence.json")
    for name in ("hcl-report.bin", "report.bin", "quote.bin", "quote.dat", "ccel-data.bin", "vcek.der"):
        if os.path.exists(path(case, name)):
            return path(case, name)
    raise SystemExit(f"{case}: no evidence")


def options_of(case, expected):
    """The type, and the options that stand for the manifest's reference policy."""
    kind = expected["kind"]
    if kind == "ccel-log":
        return ["--type", "ccel"]
    if kind == "tpm-quote":
        return ["--type", "tpm", "--report-data", expected["qualifying_data"]]
    if case in REQUESTS:  # they bring along what vouches for them, up to AMD's certificates
        return ["--type", kind[:3] + "-csr", "--policy", POLICY, "--at", expected["verify_at"],
                "--endorsements", path("roots")]
    if kind in ("snp-report", "snp-endorsement-only"):
        kind = "snp" if kind == "snp-report" else "snp-certificate"
        options = ["--type", kind, "--policy", POLICY, "--endorsements", path("roots/amd")]
        options += ["--at", expected.get("verify_at") or "2026-04-06T00:00:00Z"]
    else:
        options = ["--type", kind[:3], "--endorsements", path("roots/intel")]
        options += ["--at", expected["verify_at"]] if expected.get("verify_at") else ["--ignore-dates"]
        options += ["--policy", POLICY]
        if os.path.exists(path(case, "ccel-data.bin")):
            options += ["--log", path(case, "ccel-data.bin")]
    if case != "sgx/v3-synthetic-root":
        return options + ["--endorsements", path(case)]
    return ["--type", "sgx", "--policy", POLICY, "--ignore-dates", "--endorsements", path(case)]


def say(name, code, doc, want):
    good = doc["verdict"] == want[0] and code == EXIT.get(doc["verdict"], 3)
    good = good and (want[1] is None or sorted(doc["reasons"]) == sorted(want[1]))
    good = good and (want[2] is None or sorted(doc["flags"]) == sorted(want[2]))
    tiers = {0: ("affirming", "warning"), 1: ("contraindicated",), 2: ("contraindicated",)}.get(code, ("none",))
    whole = doc["type"] in ("snp", "tdx", "sgx")
    good = good and (doc["ear"]["submods"][doc["type"]]["ear.status"] in tiers if whole else "ear" not in doc)
    print(f"{'ok  ' if good else 'BAD '} {name:52} {code} {doc['verdict']:22} {' '.join(doc['reasons'])}")
    if not good:
        failures.append(f"{name}: expected {want}, found {code} {doc['verdict']} {doc['reasons']} {doc['flags']}")


def expected_of(case):
    return load(REQUESTS.get(case, case), "expected.json")


def run_case(case):
    expected = expected_of(case)
    code, doc = avow("evidence", "verify", *options_of(case, expected), evidence_of(case))
    flags = None if case in WRONG_FLAGS else expected.get("flags")
    shown = avow("evidence", "show", "--type", doc["type"], evidence_of(case))
    return case, code, doc, (expected["expect"], expected.get("reasons", []), flags), shown


def edit(data, edits):
    for e in edits:
        if "truncate" in e:
            data = data[:e["truncate"]]
        elif "append" in e:
            data += bytes.fromhex(e["append"])
        elif "set" in e:
            new = bytes.fromhex(e["set"])
            data = data[:e["offset"]] + new + data[e["offset"] + len(new):]
        else:
            data = data[:e["offset"]] + bytes([data[e["offset"]] ^ e["xor"]]) + data[e["offset"] + 1:]
    return data


def run_mutant(mutant, folder, number):
    base = mutant["base"].removeprefix("dev/")
    case = os.path.dirname(base)
    with open(path(base), "rb") as f:
        data = edit(f.read(), mutant["edits"])
    file = os.path.join(folder, f"mutant-{number}")
    with open(file, "wb") as f:
        f.write(data)
    code, doc = avow("evidence", "verify", *options_of(case, load(case, "expected.json")), file)
    return f"{case} {mutant['id']}", code, doc, (mutant["expect"], None, None)


def run_cut(case, data, length, folder):
    file = os.path.join(folder, f"cut-{case.replace('/', '-')}-{length}")
    with open(file, "wb") as f:
        f.write(data[:length])
    code, doc = avow("evidence", "verify", *options_of(case, expected_of(case)), file)
    os.unlink(file)
    if (code, doc["verdict"]) not in ((1, "reject"), (2, "malformed")) or not doc["reasons"][0].endswith("malformed"):
        failures.append(f"{case} cut to {length}: {code} {doc['verdict']}")


def id_block():
    code, doc = avow("evidence", "verify", "--type", "snp-id-block", "--id-auth", path("snp/id-block/auth_info.b64"),
                     path("snp/id-block/id_block.b64"))
    expected = load("snp/id-block/expected.json")
    say("snp/id-block", code, doc, ("accept", [], None))
    for name in ("id_key_digest", "author_key_digest"):
        if doc["content"][name] != expected[name]:
            failures.append(f"snp/id-block: {name}")


def by_default():
    """Without a policy fewer of Intel's statuses are good than the reference policy takes."""
    case, verdict, reasons = BY_DEFAULT
    options = options_of(case, load(case, "expected.json"))
    at = options.index("--policy")
    code, doc = avow("evidence", "verify", *options[:at], *options[at + 2:], evidence_of(case))
    say(f"{case} without a policy", code, doc, (verdict, reasons, None))


def main():
    with open(POLICY, "w", encoding="utf-8") as f:
        f.write(REFERENCE)
    kinds = ("snp", "tdx", "sgx", "ccel", "tpm")
    cases = sorted(f"{kind}/{name}" for kind in kinds for name in os.listdir(path(kind)))
    cases += ["enarx/sgx-xeon-csr", "enarx/snp-milan-csr", *REQUESTS]
    cases.remove("snp/id-block")
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(2) as pool:
        for name, code, doc, want, shown in pool.map(run_case, cases):
            say(name, code, doc, want)
            if shown[0] != 0 or shown[1]["content"] == {}:
                failures.append(f"{name}: not shown")
        id_block()
        by_default()
        mutants = load("mutants.json")
        for result in pool.map(lambda m: run_mutant(m[1], folder, m[0]), enumerate(mutants)):
            say(*result)
        cuts = []
        for case in cases:  # every length is walked by the unit tests of lib/evidence; here the program, in steps
            with open(evidence_of(case), "rb") as f:
                data = f.read()
            if data.startswith(b"HCLA"):
                data = data.rstrip(b"\0")  # padding
            doc = avow("evidence", "show", "--type", options_of(case, expected_of(case))[1],
                       evidence_of(case))[1]
            end = len(data) - doc["content"].get("trailing_bytes", 0)
            end = doc["content"].get("bytes", end) if case.startswith("ccel") else end
            end = len(data.rstrip()) if case.startswith("tpm") else end
            cuts += [(case, data, n) for n in sorted({0, 1, end - 1, *range(2, end, max(1, end // 12))})
                     if not (case.startswith("ccel") and n > 65)]
        list(pool.map(lambda c: run_cut(*c, folder), cuts))
    print(f"{len(cases) + 1} cases, {len(mutants)} mutants, {len(cuts)} truncations, {len(failures)} failures")
    for line in failures:
        print(line)
    return 1 if failures or len(mutants) < 90 or len(cases) < 20 else 0


try:
    STATUS = main()
finally:
    shutil.rmtree(os.path.dirname(POLICY))
sys.exit(STATUS)
