#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A policy that is based on another file, as its author keeps it: put together from both, errors named in the file that
# is at fault; and what `policy check` doubts.
set -u
avow=$(cd "${top_builddir:?}" && pwd)/tenant/avow
examples=$(cd "${top_srcdir:?}" && pwd)/policies/examples
dir=$(mktemp -d /tmp/avow.XXXXXX)
trap 'rm -rf "$dir"' EXIT
mkdir "$dir/repository"
cd "$dir" || exit 99
failed=0

# expect STATUS TEXT ARG…: avow answers so, and says so.
expect() {
	local status=$1 text=$2 got
	shift 2
	"$avow" "$@" >out 2>&1
	got=$?
	if [ "$got" -ne "$status" ] || ! grep -qF -- "$text" out; then
		echo "FAIL: avow $*: $got (expected $status), without '$text'"
		cat out
		failed=1
	fi
}

web=repository/web.yaml base=repository/debian-12.yaml
sed '/^---$/,$d' "$examples/web.yaml" >$web
sed '1,/^---$/d' "$examples/web.yaml" >$base # what a repository has as two files
line() {
	grep -n "$1" $base | cut -d: -f1
}

expect 0 '"layers": 3' -o json policy check $web
expect 0 '"packages": 4' -o json policy check $web
expect 0 '"layers": 3' -o json policy check "$examples/web.yaml"

# as some write their files
{ echo '# what every host has'; echo ---; cat $base; } >x && mv x $base
expect 0 '"layers": 3' -o json policy check $web

# a slip in the base is the base's
sed -i 's/exclude:/exclde:/' $base
expect 2 "$base:$(line exclde):3: unknown key 'exclde'; did you mean 'exclude'?" policy check $web
sed -i 's/exclde:/exclude:/' $base
# and one in the policy its own
sed -i 's/overlays:/overlay:/' $web
expect 2 "$web:$(grep -n overlay: $web | cut -d: -f1):1: unknown key 'overlay'; did you mean 'overlays'?" policy check $web
sed -i 's/overlay:/overlays:/' $web

# what is signed is all of it, and needs nothing beside it
openssl ecparam -name prime256v1 -genkey -noout -out key.pem 2>/dev/null
expect 0 'payload' policy sign $web --key key.pem
cp out signed.json
expect 0 '"layers": 3' -o json policy check signed.json

rm $base
expect 2 "$web:8:11: based on 'debian-12', and there is no file $base; if the verifier has it: avow policy show debian-12 --text > $base" policy check $web

# the base of a base, and a circle
printf 'format: avow-policy/2\nname: debian-12\nbased_on: site\nima: {}\n' >$base
printf 'format: avow-policy/2\nname: site\nmode: observe\nima: {waive: [required, tmpfs]}\n' >repository/site.yaml
expect 0 "note: mode: observe" policy check $web
expect 0 "note: ima.waive gives up 'tmpfs'" policy check $web
expect 0 "ima.measuring names no rules: every host stays inconclusive" policy check $web
printf 'format: avow-policy/2\nname: site\nbased_on: web\nima: {}\n' >repository/site.yaml
expect 2 'more than 8 documents' policy check $web

# packages that have ended
printf 'format: avow-policy/2\nname: p\nima:\n  packages:\n    - name: old\n      until: 2020-01-01T00:00:00Z\n      files: |\n        %064d  /x\n' 1 >p.yaml
expect 0 "p.yaml:5: note: package 'old' has ended" policy check p.yaml
expect 0 'ima.required is empty' policy check p.yaml
exit $failed
