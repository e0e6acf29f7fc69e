#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The commands that need no server, on files: their answers are their exit codes and their words.
set -u
avow=${top_builddir:?}/tenant/avow
vectors=${top_srcdir:?}/tests/vectors/bundle
bundle=$vectors/small.avow-evidence
dir=$(mktemp -d /tmp/avow.XXXXXX)
trap 'rm -rf "$dir"' EXIT
failed=0

# expect STATUS WORDS COMMAND…: the command answers so, and says that (a grep -E pattern; "" for anything).
expect() {
	local status=$1 words=$2
	shift 2
	"$avow" "$@" >"$dir/out" 2>&1
	local got=$?
	if [ "$got" -ne "$status" ]; then
		echo "FAIL: avow $*: $got, expected $status"
		cat "$dir/out"
		failed=1
	elif [ -n "$words" ] && ! grep -Eq -- "$words" "$dir/out"; then
		echo "FAIL: avow $*: does not say '$words'"
		cat "$dir/out"
		failed=1
	fi
}

a=aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa
cat >"$dir/old.yaml" <<END
format: avow-policy/1
name: edge
runtimes:
  - {name: n, path: /n, digests: $a}
END
sed 's/aaaa$/aaab/; s/aaaa}/aaab}/' "$dir/old.yaml" >"$dir/new.yaml"
sed 's/digests/digets/' "$dir/old.yaml" >"$dir/typo.yaml"

# check
expect 0 'edge +sha256' policy check "$dir/old.yaml" "$dir/new.yaml"
expect 2 "typo.yaml:4:25: unknown key 'digets'; did you mean 'digests'" policy check "$dir/typo.yaml"
expect 2 'No such file' policy check "$dir/none.yaml"
expect 2 'Is a directory' policy check "$dir"
expect 0 '"schema": "avow.policy-check/1"' -o json policy check "$dir/old.yaml"

# diff
expect 0 '' policy diff "$dir/old.yaml" "$dir/old.yaml"
expect 1 "^- digest n /n: a+$" policy diff "$dir/old.yaml" "$dir/new.yaml"
expect 1 "^\+ digest n /n: a+b$" policy diff "$dir/old.yaml" "$dir/new.yaml"
expect 1 '"change": "removed"' -o json policy diff "$dir/old.yaml" "$dir/new.yaml"

# make, and predict what a shell computes: one file, extended once from zero
printf 'not a program\n' >"$dir/tool"
expect 0 "$(sha256sum "$dir/tool" | cut -c-64)" policy make --name tools "$dir/tool"
expect 0 '' policy make --name tools --out "$dir/made.yaml" "tool=$dir/tool"
expect 2 'File exists' policy make --name tools --out "$dir/made.yaml" "tool=$dir/tool"
expect 0 '^tools|tools ' policy check "$dir/made.yaml"
hex=$(printf '%064d' 0)$(sha256sum "$dir/tool" | cut -c-64)
value=$(printf "$(printf '%s' "$hex" | sed 's/../\\x&/g')" | sha256sum | cut -c-64)
expect 0 "^15:sha256=$value" policy predict "$dir/made.yaml"
cat >"$dir/agent.yaml" <<END
host: {id: web-1}
runtimes:
  - {name: tool, path: tool, libs: none, files: [agent.yaml]}
END
expect 0 "path: $dir/agent.yaml" policy make --agent-config "$dir/agent.yaml"
expect 2 'from what' policy make
expect 2 'is no regular file' policy make "x=$dir"
expect 2 'expected private, all or none' policy make --libs some "x=$dir/tool"

# evidence
expect 0 "web-1" evidence show "$bundle"
expect 0 '"schema": "avow.evidence-content/1"' -o json evidence show "$bundle"

# logs as a host has them, replayed to what was quoted
boot=${top_srcdir:?}/tests/vectors/boot
shim=$boot/secureboot-shim-grub-ima-sig
expect 0 "leads to the quoted values of PCR 0 1 2 3 4 5 6 7 8 9 14" \
	evidence show --type boot-log --pcrs "$shim/1_ecc_sha256.pcrs" "$shim/binary_bios_measurements"
expect 0 "'SecureBoot' .* = 1$" evidence show --type boot-log "$shim/binary_bios_measurements"
expect 0 "BOOTX64.EFI' .the log's claim" evidence show --type boot-log "$shim/binary_bios_measurements"
expect 1 "DOES NOT lead to the quoted values of PCR 0 1 4 7 8 9 14" \
	evidence show --type boot-log --pcrs "$boot/uefi-direct-ima-sig/1_ecc_sha256.pcrs" "$shim/binary_bios_measurements"
sed 's/set timeout=0/set timeout=9/' "$shim/binary_bios_measurements" >"$dir/forged"
expect 0 "set timeout=9' .the log's claim" evidence show --type boot-log --pcrs "$shim/1_ecc_sha256.pcrs" "$dir/forged"
head -c 1000 "$shim/binary_bios_measurements" >"$dir/cut"
expect 2 'event 5 of the boot log, at byte 648' evidence show --type boot-log "$dir/cut"
expect 0 '"leads_to"' -o json \
	evidence show --type boot-log --pcrs "$shim/1_rsa_sha256.pcrs" "$shim/binary_bios_measurements"
for form in bin txt; do
	expect 0 'covers the first 81 entries .the bank has SHA-1, padded' \
		evidence show --type ima --pcrs "$boot/seabios-ima-sig/4_ecc_sha384.pcrs" "$boot/seabios-ima-sig/4_ima.$form"
done
expect 0 '/mnt/bin/signed-rsa, signed by key 2a31b4cc$' evidence show --type ima "$shim/2_ima.bin"
expect 0 'VIOLATION .* .the log.s claim' evidence show --type ima "$shim/3_ima.bin"
expect 1 'DOES NOT lead to the quoted value of PCR 10' \
	evidence show --type ima --pcrs "$shim/2_ecc_sha256.pcrs" "$shim/1_ima.bin"
head -c 300 "$shim/1_ima.bin" >"$dir/cut.ima"
expect 2 'entry 2 of the measurement list' evidence show --type ima "$dir/cut.ima"
expect 2 'goes with --type ima' evidence show --pcrs "$shim/1_ecc_sha256.pcrs" "$bundle"
expect 0 'Verdict: +PASS' evidence verify --policy "$vectors/policy.yaml" "$bundle"
expect 0 'no --ak-ca' evidence verify --policy "$vectors/policy.yaml" "$bundle"
expect 0 'certified by the given CA' evidence verify --policy "$vectors/policy.yaml" --ak-ca "$vectors/ak-ca.pem" "$bundle"
expect 0 '"state": "pass"' -o json evidence verify --policy "$vectors/policy.yaml" "$bundle"
expect 1 'digest-not-allowed' evidence verify --policy "$dir/old.yaml" "$bundle"
expect 1 'runtime-missing' evidence verify --policy "$dir/old.yaml" "$bundle"
expect 2 'name the policy' evidence verify "$bundle"
expect 2 "did you mean '--policy'" evidence verify --polcy "$dir/old.yaml" "$bundle"
head -c 1000 "$bundle" >"$dir/cut.avow-evidence"
expect 2 'cut.avow-evidence' evidence verify --policy "$vectors/policy.yaml" "$dir/cut.avow-evidence"
sed 's/"host": "web-1"/"host": "web-2"/' "$bundle" >"$dir/other.avow-evidence"
expect 1 'REFUSED' evidence verify --policy "$vectors/policy.yaml" "$dir/other.avow-evidence"
sed 's/"cel": "[^"]*"/"cel": ""/' "$bundle" >"$dir/no-log.avow-evidence"
expect 2 'No such file' evidence verify --policy "$vectors/policy.yaml" "$dir/none"
expect 2 'Is a directory' evidence show "$dir"
: >"$dir/empty"
expect 2 'empty: evidence bundle: JSON: there is nothing in it' evidence verify --policy "$vectors/policy.yaml" "$dir/empty"
expect 2 'Is a directory' -c "$dir" status
expect 3 'INCONCLUSIVE' evidence verify --policy "$vectors/policy.yaml" "$dir/no-log.avow-evidence"

# a policy from evidence, under which that evidence passes; and none from what is not authentic
expect 2 "PCR 15 cannot have a fixed value" policy make --from-evidence "$bundle" --fix-pcr 15
expect 0 '' policy make --name worker --from-evidence "$bundle" --out "$dir/worker.yaml"
expect 0 'PASS' evidence verify --policy "$dir/worker.yaml" "$bundle"
expect 2 'no ground for a policy' policy make --from-evidence "$dir/other.avow-evidence"
expect 0 'web-1 +pass +pass' policy test --evidence "$bundle" "$dir/worker.yaml"
expect 1 'web-1 +pass +fail' policy test --evidence "$bundle" "$dir/old.yaml"

exit "$failed"
