#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Makes small.avow-evidence and counters.avow-evidence (the same round, with the counters) anew: a TPM emulator (swtpm), tpm2-tools, openssl and sha256sum make everything in it, and
# none of avow's code, so it also is a witness of the format. Usage: make.sh FOLDER
set -eu
out=$(realpath "${1:?}")
here=$(dirname "$(realpath "$0")")
dir=$(mktemp -d /tmp/avow.XXXXXX)
trap 'kill "$(cat "$dir/pid")" 2>/dev/null || true; rm -rf "$dir"' EXIT
cd "$dir"
mkdir state
swtpm socket --tpm2 --tpmstate dir="$dir/state" --server type=unixio,path="$dir/tpm" \
	--ctrl type=unixio,path="$dir/tpm.ctrl" --flags not-need-init,startup-clear --pid file="$dir/pid" --daemon
export TPM2TOOLS_TCTI=swtpm:path=$dir/tpm

host=web-1
verifier=6b0ad2c8-5a5c-4d5f-9d0e-3f1c2b7a9e10
now=$(($(date +%s) * 1000))

# Three transient objects are all that a small TPM has.
tpm() { "tpm2_$1" "${@:2}" && tpm2_flushcontext -t; }
b64() { base64 -w0 "$1"; }
hex() { od -An -v -tx1 "$1" | tr -d ' \n'; }
number() { echo $((16#$(od -An -v -tx1 -j "$2" -N "$3" "$1" | tr -d ' \n'))); }
time_of() { date -u -d "@$(($1 / 1000))" +%Y-%m-%dT%H:%M:%S.$(printf %03d $(($1 % 1000)))Z; }
pcr15() { tpm2_pcrread sha256:15 | sed -n 's/.*15: 0x//p' | tr A-F a-f; }
attest() { # NAME CHALLENGE-FILE: NAME.msg, NAME.sig, NAME-time.msg, NAME-time.sig
	local qualifying
	qualifying=$( (printf 'avow/heartbeat/v1%s%s' "$verifier" "$host"; cat "$2") | sha256sum | cut -d' ' -f1)
	tpm quote -Q -c ak.ctx -l sha256:15 -q "$qualifying" -g sha256 -m "$1.msg" -s "$1.sig"
	tpm gettime -Q -c ak.ctx -q "$qualifying" -g sha256 -o "$1-time.sig" --attestation "$1-time.msg" >/dev/null
	for index in $epoch $floor; do
		tpm nvcertify -Q -C ak.ctx -c "$index" -q "$qualifying" -g sha256 -f tss -o "$1-$index.sig" --attestation "$1-$index.msg" \
			--size 8 "$index"
	done
}

# The counters of docs/protocol.md §9. A step of a policy: SHA-256 over hex digits.
bytes() { printf '%b' "$(printf %s "$1" | sed 's/../\\x&/g')"; }
step() { bytes "$1" | sha256sum | cut -d' ' -f1; }
epoch=0x01810100 floor=0x01810101
name_of() { tpm2_nvreadpublic "$1" | sed -n 's/^ *name: *//p'; }
make_counter() { # INDEX
	tpm2_nvdefine -Q -C o -s 8 -a 'nt=counter|policywrite|authread|ownerread|no_da' -L write-policy "$1"
	tpm2_startauthsession -S session --policy-session
	tpm2_policysecret -Q -S session -c o
	tpm2_policyor -Q -S session -l "sha256:by-agent,by-owner"
	tpm2_policycommandcode -Q -S session TPM2_CC_NV_Increment
	tpm2_nvincrement -Q -C "$1" -P session:session "$1"
	tpm2_flushcontext session
}

tpm createek -Q -G ecc -c ek.ctx
tpm createak -Q -C ek.ctx -G ecc -g sha256 -s ecdsa -c ak.ctx -u ak.pub -f tss >/dev/null
tpm readpublic -Q -c ak.ctx -f pem -o ak.pem

openssl ecparam -name prime256v1 -genkey -noout -out counter.pem
openssl pkey -in counter.pem -pubout -outform DER -out counter.der
openssl pkey -in counter.pem -pubout -out counter.pub
tpm loadexternal -Q -C e -G ecc -u counter.pub -c counter.ctx -n counter.name
empty=$(printf '0%.0s' {1..64})
by_agent=$(step "$(step "${empty}00000160$(hex counter.name)")") # PolicySigned by that key
by_owner=$(step "$(step "${empty}0000015140000001")")            # PolicySecret of the owner
bytes "$by_agent" >by-agent
bytes "$by_owner" >by-owner
bytes "$(step "$(step "${empty}00000171$by_agent$by_owner")0000016c00000134")" >write-policy # either of them, and NV_Increment
make_counter $epoch
make_counter $floor

# The registrar's statement on the AK.
attributes=$(printf '0x%08x' "$(number ak.pub 6 4)")
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout ca.key -out ca.pem -days 36500 \
	-subj '/CN=avow test AK CA' -addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign 2>/dev/null
printf 'subjectAltName=URI:urn:avow:host:%s,URI:urn:avow:ak-attributes:%s\nextendedKeyUsage=2.23.133.8.3\n' \
	"$host" "$attributes" >ak.ext
openssl x509 -new -force_pubkey ak.pem -subj "/CN=$host" -CA ca.pem -CAkey ca.key -extfile ak.ext -days 36500 \
	-out ak-cert.pem 2>/dev/null

# Two records: the agent's own, and one of systemd.
zero=$(printf '0%.0s' {1..64})
runtime=$(printf runtime | sha256sum | cut -d' ' -f1)
machine=machine-id:0123456789abcdef0123456789abcdef
machine_digest=$(printf %s $machine | sha256sum | cut -d' ' -f1)
{
	printf '\x1e{"pcr":15,"digests":[{"hashAlg":"sha256","digest":"%s"}],"content_type":"systemd",' "$machine_digest"
	printf '"content":{"string":"%s","bootId":"99a0f0e1d2c3b4a5968778695a4b3c2d","timestamp":5012345,' "$machine"
	printf '"eventType":"machine-id"}}\n'
} >cel
tpm2_pcrextend "15:sha256=$machine_digest"
{
	printf '\x1e{"content":{"kind":"measure","path":"/usr/bin/wasmtime","pcr_before":{"sha256":"%s"},' "$(pcr15)"
	printf '"reset":1,"restart":0,"runtime":"wasmtime","size":7,"timestamp":9012345},"content_type":"avow",'
	printf '"digests":[{"digest":"%s","hashAlg":"sha256"}],"pcr":15}\n' "$runtime"
} >>cel
tpm2_pcrextend "15:sha256=$runtime"

# Two rounds: the first one is the bundle's "previous".
openssl rand 32 >challenge-0
openssl rand 32 >challenge
attest first challenge-0
sleep 2
attest second challenge
sed "s/@MACHINE@/$machine_digest/; s/@RUNTIME@/$runtime/" "$here/policy.yaml.in" >"$out/policy.yaml"
value=$(pcr15)
clock=$(number first.msg 76 8)
offset=$(($(number first-time.msg 109 8) - $(number first-time.msg 101 8)))
cat >"$out/small.avow-evidence" <<EOF
{
  "schema": "avow.evidence/1",
  "host": "$host",
  "peer": "avow",
  "verifier_id": "$verifier",
  "ak": "$(b64 ak.pub)",
  "ak_certificate": "$(sed ':a;N;$!ba;s/\n/\\n/g' ak-cert.pem)\n",
  "challenge": "$(b64 challenge)",
  "immediate": false,
  "asked": {"sha256": [15]},
  "issued_at": "$(time_of "$now")",
  "received_at": "$(time_of $((now + 2050)))",
  "clock_tolerance": {"base_ms": 5000, "percent": 35},
  "quote": {"message": "$(b64 second.msg)", "signature": "$(b64 second.sig)", "pcrs": {"sha256": {"15": "$value"}}},
  "time": {"message": "$(b64 second-time.msg)", "signature": "$(b64 second-time.sig)"},
  "previous": {"clock": $clock, "reset": $(number first.msg 84 4), "restart": $(number first.msg 88 4), "safe": true,
    "received_at": "$(time_of $((now + 50)))", "time_offset": $offset, "pcrs": {"sha256": {"15": "$value"}},
    "offsets": {"cel": 2}},
  "logs": {"cel": "$(b64 cel)", "ima": null, "uefi": null},
  "tee": [],
  "verdict": {"state": "pass", "enforced": true, "findings": [], "dropped": 0},
  "policy": {"name": "worker", "version": 1, "sha256": "$(sha256sum "$out/policy.yaml" | cut -d' ' -f1)"}
}
EOF
# The same, with the counters, and what the round before showed of them.
{
	sed '/^  "previous":/Q' "$out/small.avow-evidence"
	cat <<EOF
  "counters": {"key": "$(b64 counter.der)",
    "epoch": {"index": $((epoch)), "message": "$(b64 second-$epoch.msg)", "signature": "$(b64 second-$epoch.sig)"},
    "floor": {"index": $((floor)), "message": "$(b64 second-$floor.msg)", "signature": "$(b64 second-$floor.sig)"}},
  "counters_before": {"key": "$(b64 counter.der)",
    "epoch": {"index": $((epoch)), "name": "$(name_of $epoch)", "value": 1},
    "floor": {"index": $((floor)), "name": "$(name_of $floor)", "value": 1}},
EOF
	sed -n '/^  "previous":/,$p' "$out/small.avow-evidence"
} >"$out/counters.avow-evidence"
cp ca.pem "$out/ak-ca.pem"
