#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# `avow receipt`, and the program on the page for clients (docs/receipts.md), on receipts that were made for it: what is good,
# what is bad, and what nobody can say yet.
set -u
avow=$(readlink -f "${top_builddir:?}/tenant/avow")
make=$(readlink -f "${top_builddir:?}/tests/support/make_receipts")
page=$(readlink -f "${top_srcdir:?}/docs/receipts.md")
dir=$(mktemp -d /tmp/avow.XXXXXX)
trap 'rm -rf "$dir"' EXIT
cd "$dir" || exit 1
"$make" . >made 2>&1 || { cat made; exit 1; }
failed=0

# expect STATUS WORDS COMMAND…: it answers so, and says that (a grep -E pattern).
expect() {
	local status=$1 words=$2
	shift 2
	"$@" >out 2>&1
	local got=$?
	if [ "$got" -ne "$status" ] || ! grep -Eq -- "$words" out; then
		echo "FAIL: $*: $got, expected $status and '$words'"
		cat out
		failed=1
	fi
}

verify() {
	local status=$1 words=$2 name=$3
	shift 3
	expect "$status" "$words" "$avow" receipt verify "$name.avow-receipt" "$@"
}

full=(--module module --input input --output output --roots roots --jwks jwks.json --nonce 010203 --host edge-7)
verify 0 'Status: +final' final "${full[@]}"
verify 0 "launcher's statement" final "${full[@]}"
verify 0 'not protected against root' final "${full[@]}"
verify 0 'not compared \(no --nonce\)' final --roots roots/ak-ca.pem --jwks jwks.json
verify 1 'Status: +tainted' tainted "${full[@]}"
verify 1 'BAD +countersignature .*pcr-mismatch' tainted "${full[@]}"
verify 3 'Status: +provisional' provisional "${full[@]}"
verify 3 'UNDECIDED' final --module module --jwks jwks.json
verify 3 'not checked \(no --jwks\)' final --roots roots
verify 1 "BAD +countersignature it is not signed by one of the verifier's keys" of-another-verifier "${full[@]}"
verify 1 'BAD +roots' final --roots roots-of-others --jwks jwks.json
verify 1 'BAD +output +the receipt says nothing' lost "${full[@]}"
verify 0 'not seen: .the agent was ended' lost --roots roots --jwks jwks.json
verify 1 'BAD +module' final --module input --roots roots --jwks jwks.json
verify 1 'BAD +input' final --input output --roots roots --jwks jwks.json
verify 1 'BAD +output' final --output input --roots roots --jwks jwks.json
verify 1 'BAD +nonce' final --nonce 010204 --roots roots --jwks jwks.json
verify 1 'BAD +nonce' final --nonce '' --roots roots --jwks jwks.json
verify 1 'BAD +host' final --host edge-8 --roots roots --jwks jwks.json
verify 1 'BAD +previous .*not the receipt before' final --previous lost.avow-receipt --roots roots --jwks jwks.json
verify 2 'nonce' final --nonce xx
verify 2 'No such file' none
verify 2 'No such file' final --module none
verify 2 'receipt' final --previous module
expect 2 'unknown member' "$avow" receipt verify jwks.json
expect 0 '"status": "final"' "$avow" -o json receipt verify final.avow-receipt "${full[@]}"
expect 0 'Nothing of this was verified' "$avow" receipt show tainted.avow-receipt
expect 0 '"schema": "avow.receipt/1"' "$avow" -o json receipt show final.avow-receipt

# The page's program: the same answers.
awk '/^<!-- file: check_receipt.py -->/ { here = 1; next } /^```/ { if (here == 2) exit; if (here == 1) { here = 2; next } } here == 2' "$page" >check_receipt.py
[ "$(grep -c . check_receipt.py)" -le 30 ] || { echo "FAIL: the page's program has more than 30 lines"; failed=1; }
if python3 -c 'import cryptography' 2>/dev/null; then
	check=(python3 check_receipt.py)
	expect 0 'edge-7 ran it: .*3' "${check[@]}" final.avow-receipt edge-7 010203 module input output roots/ak-ca.pem jwks.json
	expect 1 'tainted' "${check[@]}" tainted.avow-receipt edge-7 010203 module input output roots/ak-ca.pem jwks.json
	expect 1 'Error|InvalidSignature' "${check[@]}" provisional.avow-receipt edge-7 010203 module input output roots/ak-ca.pem jwks.json
	expect 1 'Error|InvalidSignature' "${check[@]}" of-another-verifier.avow-receipt edge-7 010203 module input output roots/ak-ca.pem jwks.json
	expect 1 'Error|InvalidSignature' "${check[@]}" final.avow-receipt edge-7 010203 module input output roots-of-others/ak-ca.pem jwks.json
	expect 1 'Error|InvalidSignature' "${check[@]}" final.avow-receipt edge-7 010204 module input output roots/ak-ca.pem jwks.json
	expect 1 'Error|InvalidSignature' "${check[@]}" final.avow-receipt edge-7 010203 input input output roots/ak-ca.pem jwks.json
	expect 1 'Error|InvalidSignature' "${check[@]}" final.avow-receipt edge-8 010203 module input output roots/ak-ca.pem jwks.json
fi

# Every member changed by one character: never good, for neither of them.
cat >tamper.py <<'END'
import json, subprocess, sys
avow, = sys.argv[1:]
good = json.load(open("final.avow-receipt"))
places = [("payload", i) for i in range(8, len(good["payload"]) - 8, 211)]
places += [(("quote", "message"), 40), (("quote", "signature"), 20), (("quote", "pcrs", "sha256", "13"), 5), ("ak", 60), ("ak_certificate", 300),
           ("ak_certificate", -60), ("countersignature", 10), ("countersignature", 200), ("countersignature", -20)]
wrong = 0
for path, at in places:
    new = json.loads(json.dumps(good))
    path, inner = (path,) if isinstance(path, str) else path, new
    for name in path[:-1]:
        inner = inner[name]
    text = list(inner[path[-1]])
    text[at] = "0" if text[at] != "0" else "1"
    inner[path[-1]] = "".join(text)
    json.dump(new, open("changed.avow-receipt", "w"))
    p = subprocess.run([avow, "receipt", "verify", "changed.avow-receipt", "--roots", "roots", "--jwks", "jwks.json"], capture_output=True)
    if p.returncode not in (1, 2):
        print("FAIL: changed at", path, at, "exit", p.returncode)
        wrong = 1
sys.exit(wrong)
END
python3 tamper.py "$avow" || failed=1
exit "$failed"
