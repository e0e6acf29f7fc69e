#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""House rule: docs/openapi-PROGRAM.yaml is YAML, its references lead somewhere, and it has exactly the routes under /avow/v1
that the program's route tables have."""
import glob
import os
import re
import sys

try:
    import yaml
except ImportError:
    print("SKIP: python3-yaml is not installed")
    sys.exit(77)

TOP = os.environ.get("top_srcdir") or os.path.join(os.path.dirname(os.path.abspath(__file__)), "../..")
METHODS = {"get", "put", "post", "patch", "delete"}
findings = []


def references(node):
    if isinstance(node, dict):
        for key, value in node.items():
            if key == "$ref":
                yield value
            else:
                yield from references(value)
    elif isinstance(node, list):
        for value in node:
            yield from references(value)


for program in ("verifier", "registrar"):
    name = f"docs/openapi-{program}.yaml"
    with open(os.path.join(TOP, name), encoding="utf-8") as f:
        doc = yaml.safe_load(f)
    if not str(doc.get("openapi", "")).startswith("3."):
        findings.append(f"{name}: no OpenAPI 3")
    described = {(m, p) for p, item in doc["paths"].items() for m in item if m in METHODS}
    routes = {("get", "/avow/v1/openapi.yaml")}  # lib/http/ops.c
    for source in glob.glob(os.path.join(TOP, program, "*.c")):
        with open(source, encoding="utf-8") as f:
            for method, path in re.findall(r'\{HTTP_(\w+), "(/avow/v1/[^"]*)"', f.read()):
                routes.add((method.lower(), re.sub(r":(\w+)", r"{\1}", path)))
    if len(routes) < 5:
        findings.append(f"{program}: only {len(routes)} routes were found in its sources")
    findings += [f"{name}: {m.upper()} {p} is missing" for m, p in sorted(routes - described)]
    findings += [f"{name}: {m.upper()} {p} is no route" for m, p in sorted(described - routes)]
    for path, item in doc["paths"].items():
        for method in METHODS & set(item):
            parameters = [r if "$ref" not in r else doc["components"]["parameters"].get(r["$ref"].rsplit("/", 1)[1], {})
                          for r in item.get("parameters", []) + item[method].get("parameters", [])]
            inside = {p.get("name") for p in parameters if p.get("in") == "path"}
            if inside != set(re.findall(r"\{(\w+)\}", path)):
                findings.append(f"{name}: {method.upper()} {path}: its path's parameters are not those that are described")
            if "responses" not in item[method] or not ("security" in item[method] or "x-roles" in item[method]):
                findings.append(f"{name}: {method.upper()} {path}: no responses, or no word on who may")
    for reference in set(references(doc)):
        node = doc
        for part in reference.removeprefix("#/").split("/"):
            node = node.get(part) if isinstance(node, dict) else None
        if node is None:
            findings.append(f"{name}: {reference} leads nowhere")

print("\n".join(findings))
sys.exit(1 if findings else 0)
