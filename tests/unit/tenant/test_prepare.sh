#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# avow host prepare, on root folders made of what a real boot left behind (tests/vectors/boot): what is there, what is
# missing, what is written, and what is left alone.
set -u
avow=${top_builddir:?}/tenant/avow
vectors=${top_srcdir:?}/tests/vectors/boot/seabios-ima-sig
rules=$top_srcdir/contrib/ima/ima-policy
dir=$(mktemp -d /tmp/avow.XXXXXX)
trap 'rm -rf "$dir"' EXIT
failed=0

# make_root NAME: a host on which nothing is missing
make_root() {
	root=$dir/$1
	mkdir -p "$root"/{boot/grub,dev,etc/ima,proc/sys/kernel,sys/kernel/security/{ima,tpm0},sys/class/tpm/tpm0/pcr-sha256}
	echo 6.1.0-test >"$root/proc/sys/kernel/osrelease"
	echo 0 >"$root/proc/sys/kernel/kexec_load_disabled"
	echo 'quiet ima_policy="critical_data|tcb" lockdown=integrity' >"$root/proc/cmdline"
	printf 'CONFIG_%s\n' IMA=y SECURITYFS=y IMA_MEASURE_PCR_IDX=10 SECURITY_LOCKDOWN_LSM=y TCG_TIS=y >"$root/boot/config-6.1.0-test"
	echo 'none [integrity] confidentiality' >"$root/sys/kernel/security/lockdown"
	cp "$rules" "$root/etc/ima/ima-policy"
	echo avow-agent:x:990:990::/:/bin/false >"$root/etc/passwd"
	echo 2 >"$root/sys/class/tpm/tpm0/tpm_version_major"
	touch "$root/dev/tpmrm0"
	cp "$vectors/binary_bios_measurements" "$root/sys/kernel/security/tpm0/"
	python3 - "$vectors" "$rules" "$root" <<'END'
import hashlib, struct, sys
vectors, rules, root = sys.argv[1:]
values = open(vectors + "/1_ecc_sha256.pcrs", "rb").read()[132 + 4 + 4:]  # behind the selection and two counts
for n in range(8):
    with open(f"{root}/sys/class/tpm/tpm0/pcr-sha256/{n}", "w") as f:
        f.write(values[66 * n + 2:66 * n + 34].hex().upper() + "\n")
def counted(data):
    return struct.pack("<I", len(data)) + data
data = counted(b"sha256:\0" + hashlib.sha256(open(rules, "rb").read()).digest()) + counted(b"/etc/ima/ima-policy\0")
entry = struct.pack("<I", 10) + hashlib.sha1(data).digest() + counted(b"ima-ng") + counted(data)
with open(root + "/sys/kernel/security/ima/binary_runtime_measurements", "wb") as f:
    f.write(open(vectors + "/1_ima.bin", "rb").read() + entry)
END
}

# expect STATUS PATTERN…: what prepare says of $root; [OPTION…] in $options
options=
expect() {
	local status=$1 got
	shift
	# shellcheck disable=SC2086 # several options, or none
	"$avow" host prepare $options --rules "$rules" --root "$root" >"$dir/out" 2>&1
	got=$?
	[ "$got" -eq "$status" ] || { echo "FAIL: ${root##*/}: $got, expected $status"; cat "$dir/out"; failed=1; }
	for pattern in "$@"; do
		grep -Eq -- "$pattern" "$dir/out" || { echo "FAIL: ${root##*/}: does not say '$pattern'"; cat "$dir/out"; failed=1; }
	done
}

make_root ready
before=$(cd "$root" && find . -type f -exec sha256sum {} + | sort)
expect 0 '^kernel +ok ' '^rules +ok ' '^command-line +ok ' '^lockdown +ok ' '^list +ok +[0-9]+ entries, template ima-sig, files by sha256' \
	'^rules-in-force +ok +the kernel read them: entry [0-9]+' '^kexec +ok ' '^tpm +ok ' '^bank +ok ' \
	'^boot-log +ok +[0-9]+ events' '^agent +ok ' "digest: $(sha256sum <"$rules" | cut -c-64)"
[ "$before" = "$(cd "$root" && find . -type f -exec sha256sum {} + | sort)" ] || { echo 'FAIL: a file of a host that is ready was changed'; failed=1; }
options='--check'
expect 0

# each thing, taken away alone
make_root no-ima && sed -i '/CONFIG_IMA=y/d' "$root/boot/config-6.1.0-test" && expect 1 "^kernel +missing +'6.1.0-test' is built without CONFIG_IMA=y$"
make_root module && sed -i 's/TCG_TIS=y/TCG_TIS=m/' "$root/boot/config-6.1.0-test" && expect 1 '^kernel +missing .*CONFIG_TCG_TIS=y or'
make_root other-rules && echo 'measure func=BPRM_CHECK' >"$root/etc/ima/ima-policy" && expect 1 '^rules +missing ' 'mv /etc/ima/ima-policy ' '^rules-in-force +ok '
make_root no-tcb && echo 'quiet ima_policy=tcb2 lockdown=integrity' >"$root/proc/cmdline" && expect 1 '^command-line +missing ' 'add these words where'
make_root open && echo '[none] integrity confidentiality' >"$root/sys/kernel/security/lockdown" && expect 1 '^lockdown +missing ' '^kexec +missing '
make_root kexec-off && rm "$root/sys/kernel/security/lockdown" && echo 1 >"$root/proc/sys/kernel/kexec_load_disabled" && expect 1 '^kexec +ok '
make_root not-loaded && cp "$vectors/1_ima.bin" "$root/sys/kernel/security/ima/binary_runtime_measurements" && expect 1 '^rules-in-force +next boot .*does not show' 'say \+IMA'
make_root no-list && rm -r "$root/sys/kernel/security/ima" && expect 1 '^list +unknown '
make_root sha1 && cp "$vectors/../seabios-ima-legacy/1_ima.bin" "$root/sys/kernel/security/ima/binary_runtime_measurements" && expect 1 '^list +missing +files are measured with sha1' 'ima_hash=sha256'
make_root torn && truncate -s -3 "$root/sys/kernel/security/ima/binary_runtime_measurements" && expect 2 'binary_runtime_measurements: entry'
make_root no-tpm && rm -r "$root/sys/class/tpm" && expect 1 '^tpm +missing +there is none'
make_root zeros && for n in 0 1 2 3 4 5 6 7; do printf '%064d\n' 0 >"$root/sys/class/tpm/tpm0/pcr-sha256/$n"; done && expect 1 '^bank +missing .*zero' '^boot-log +missing .*PCR 0 '
make_root sha1-bank && mv "$root/sys/class/tpm/tpm0/pcr-sha256" "$root/sys/class/tpm/tpm0/pcr-sha1" && expect 1 '^bank +missing ' 'tpm2_pcrallocate'
make_root pcr4 && printf '%064d\n' 1 >"$root/sys/class/tpm/tpm0/pcr-sha256/4" && expect 1 '^boot-log +missing .*PCR 4 '
make_root no-log && rm "$root/sys/kernel/security/tpm0/binary_bios_measurements" && expect 1 '^boot-log +unknown '
make_root cut-log && truncate -s 500 "$root/sys/kernel/security/tpm0/binary_bios_measurements" && expect 1 '^boot-log +missing +it cannot be read: '
make_root no-user && echo root:x:0:0::/root:/bin/sh >"$root/etc/passwd" && expect 1 '^agent +missing ' systemd-sysusers

# installing: --check writes nothing, prepare does, once, and for the next boot
make_root fresh
rm -r "$root/etc/ima" && mkdir -p "$root/etc/default" && touch "$root/etc/default/grub" && echo quiet >"$root/proc/cmdline"
expect 1 '^rules +missing +there is no' '^command-line +missing '
[ ! -e "$root/etc/ima" ] && [ ! -e "$root/etc/default/grub.d" ] || { echo 'FAIL: --check wrote something'; failed=1; }
options=
expect 1 '^written +/etc/ima/ima-policy$' '^written +/etc/default/grub.d/avow.cfg$' '^rules +ok ' '^command-line +next boot ' 'update-grub, then reboot'
cmp "$rules" "$root/etc/ima/ima-policy" || failed=1
words=$(GRUB_CMDLINE_LINUX=quiet bash -c '. "$1"; echo "$GRUB_CMDLINE_LINUX"' bash "$root/etc/default/grub.d/avow.cfg")
[ "$words" = 'quiet ima_policy=tcb ima_hash=sha256 lockdown=integrity' ] || { echo "FAIL: GRUB would read '$words'"; failed=1; }
echo "linux /vmlinuz root=/dev/sda1 $words" >"$root/boot/grub/grub.cfg"
expect 1 '^ +then: +reboot$'
! grep -q ^written "$dir/out" || { echo 'FAIL: written again'; failed=1; }

"$avow" -o json host prepare --check --rules "$rules" --root "$root" >"$dir/out"
python3 - "$dir/out" <<'END' || failed=1
import json, sys
doc = json.load(open(sys.argv[1]))
assert doc["schema"] == "avow.host-prepare/1" and doc["ready"] is False and doc["written"] == [], doc
assert {c["name"]: c["state"] for c in doc["checks"]}["command-line"] == "next boot", doc
assert all("mend" in c for c in doc["checks"] if c["state"] in ("missing", "next boot")), doc
END
root=$dir/ready
"$avow" host prepare --rules "$dir/none" --root "$root" >"$dir/out" 2>&1
[ $? -eq 2 ] && grep -q 'rules names them' "$dir/out" || { echo 'FAIL: rules that are not there'; cat "$dir/out"; failed=1; }
exit $failed
