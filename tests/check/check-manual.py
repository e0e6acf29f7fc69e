#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""House rule: a configuration's page lists the keys that the program has, with the type, default, limits, choices and
restart mark that stand in its table; and mandoc finds nothing to say about any page.

A key is an item `.It Li KEY Pq TYPE`, with `, Em required` or `, Em restart` behind the type, up to the next item."""
import os
import re
import shutil
import subprocess
import sys

TOP = os.environ.get("top_srcdir") or os.path.join(os.path.dirname(os.path.abspath(__file__)), "../..")
MAN = os.path.join(TOP, "docs/man")
PAGES = {"avow-agent.yaml.5": "agent/conf.c", "avow-registrar.yaml.5": "registrar/settings.c",
         "avow-verifier.yaml.5": "verifier/settings.c", "avow.yaml.5": "tenant/settings.c"}
TYPES = {"STR": "text", "PATH": "path", "INT": "number", "BOOL": "yes or no", "DURATION": "duration", "SIZE": "size",
         "LIST": "list", "PATHS": "list of paths", "MAPS": "list of maps", "TREE": "map"}
findings = []


def read(path):
    with open(os.path.join(TOP, path), encoding="utf-8") as f:
        return f.read()


def number(text):
    """A C integer expression of literals and DAY."""
    text = re.sub(r"LL\b", "", text.replace("DAY", "86400000").replace("INT64_MAX", str(2**63 - 1)))
    if not re.fullmatch(r"[\d *()]+", text):
        raise SystemExit(f"cannot read the limit {text}")
    return eval(text)  # digits, '*' and brackets only


def tables(source):
    """NAME -> [key: dict of members] for every struct conf_key table."""
    found = {}
    choices = {m[1]: re.findall(r'"([^"]*)"', m[2]) for m in
               re.finditer(r"\*const (\w+)\[\] = \{(.*?)\};", source + read("lib/base/log.c"), re.S)}
    for name, body in re.findall(r"static const struct conf_key (\w+)\[\] = \{(.*?)\n\};", source, re.S):
        keys = found[name] = []
        for row in re.findall(r"\{(\s*\.path.*?)\},?\n", body + "\n", re.S):
            key = {"choices": []}
            for member, value in re.findall(r"\.(\w+) = (\"[^\"]*\"(?: *\"[^\"]*\")*|[^,}]+|\w+ \w+ \"[^\"]*\")", row):
                key[member] = value.strip()
            key["path"] = key["path"].strip('"')
            if "def" in key:
                key["def"] = re.search(r'\.def = (.*?),\n|\.def = ([^,]*)', row)[0][7:].strip().rstrip(",")
                key["def"] = re.sub(r'AVOW_SYSCONFDIR "', '"/etc/avow', key["def"])
                key["def"] = re.sub(r'AVOW_RUNDIR "', '"/run/avow', key["def"])
                key["def"] = re.sub(r'AVOW_CACHEDIR "', '"/var/cache/avow', key["def"])
                key["def"] = re.sub(r'AVOW_STATEDIR "', '"/var/lib/avow', key["def"]).replace('" "', "").replace('""', "")
                key["def"] = key["def"].replace('"', "").replace(" /", "/")
            key["choices"] = choices.get(key.get("choices") or "", []) if isinstance(key["choices"], str) else []
            keys.append(key)
    return found


def human(kind, n):
    units = {"DURATION": ((86400000, "d"), (3600000, "h"), (60000, "m"), (1000, "s"), (1, "ms")),
             "SIZE": ((2**30, "GiB"), (2**20, "MiB"), (2**10, "KiB"), (1, ""))}.get(kind, ((1, ""),))
    for unit, name in units:
        if n and n % unit == 0:
            return f"{n // unit}{name}"
    return {"DURATION": "0s"}.get(kind, "0")


def limits(kind, key):
    low, high = number(key.get("min", "0")), number(key.get("max", "0"))
    if not high:
        return None
    return f"At least {human(kind, low)}" if high == 2**63 - 1 else f"From {human(kind, low)} to {human(kind, high)}"


def items(page):
    """KEY -> (what stands behind it, text)."""
    found = {}
    for block in re.split(r"^\.It Li ", page, flags=re.M)[1:]:
        head, _, text = block.partition("\n")
        text = re.split(r"^\.(?:It|Sh)\b", text, flags=re.M)[0]
        names, _, marks = head.partition(" Pq ")
        for name in re.sub(r"\\&", "", names).split(" , "):
            found[name.strip()] = (marks, plain(text))
    return found


def plain(text):
    text = re.sub(r"^\.(?:Li|Pa|Em|Xr|Ql|Pq|Dq) ", "", text, flags=re.M)
    return re.sub(r"\s+", " ", text.replace("\\&", "").replace("\\-", "-")).replace(" ,", ",")


def check_key(page, key, found):
    kind = key["type"][5:]
    if key["path"] not in found:
        findings.append(f"{page}: key {key['path']} is missing")
        return
    marks, text = found[key["path"]]
    flags = key.get("flags", "")
    for word, flag in (("required", "CONF_REQUIRED"), ("restart", "CONF_RESTART")):
        if (f"Em {word}" in marks) != (flag in flags):
            findings.append(f"{page}: {key['path']}: '{word}' {'is missing' if flag in flags else 'is not true'}")
    if marks.split(" , Em")[0] != TYPES[kind]:
        findings.append(f"{page}: {key['path']}: says type '{marks.split(' , Em')[0]}', is {TYPES[kind]}")
    wanted = [key["def"]] if "def" in key else []
    wanted += key["choices"] + [limits(kind, key)]
    for word in wanted:
        if word and not re.search(r"(?<![\w-])" + re.escape(word) + r"(?![\w-])", text):
            findings.append(f"{page}: {key['path']}: does not say '{word}'")


for page, source in PAGES.items():
    known = tables(read(source))
    if "keys" not in known or not known["keys"]:
        raise SystemExit(f"{source}: no table of keys found")
    found = items(read(f"docs/man/{page}"))
    names = set()
    parents = {key["item"]: key["path"] + "[]." for key in known["keys"] if "item" in key}
    for table, keys in known.items():
        for key in keys:
            key["path"] = parents.get(table, "") + key["path"]
            check_key(page, key, found)
            names.add(key["path"])
    for name in found:
        if re.fullmatch(r"[a-z_0-9\[\].]+", name) and name not in names:
            findings.append(f"{page}: key {name} is in no table")

if shutil.which("mandoc"):
    for page in sorted(os.listdir(MAN)):
        done = subprocess.run(["mandoc", "-Tlint", "-Wwarning", os.path.join(MAN, page)], capture_output=True, text=True)
        findings += done.stdout.splitlines()

print("\n".join(findings))
sys.exit(1 if findings else 0)
