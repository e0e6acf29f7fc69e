#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The runner of test scripts (tests/run): passed, failed, skipped and hung tests are told apart, with CI set a skipped
# interop test is a failure, and what a hung test started is gone afterwards.
set -eu
top=$(cd "$(dirname "$0")/../.." && pwd)
dir=$(mktemp -d /tmp/avow.XXXXXX)
trap 'rm -rf "$dir"' EXIT
fail() { echo "FAIL: $*"; cat "$dir/out"; exit 1; }

mkdir "$dir/interop" "$dir/build"
make_test() { printf '#!/bin/bash\n%s\n' "$2" >"$dir/interop/$1" && chmod +x "$dir/interop/$1"; }
make_test passes '[ -n "$top_srcdir" ] && [ "$top_builddir" = "'"$dir/build"'" ]'
make_test fails 'echo this is why; exit 3'
make_test skips 'echo no TPM here; exit 77'
make_test hangs "# timeout: 1
sleep 600 & echo \$! >'$dir/pid'; wait"
make_test one-alone '# alone
[ "$(pgrep -c -f "'"$dir"'/interop/[p]asses")" -eq 0 ]'
echo 'not a test' >"$dir/interop/lib.sh"

status=0
(unset CI && TEST_SCALE=1 "$top/tests/run" -b "$dir/build" -r "$dir/results" -n interop "$dir/interop") >"$dir/out" 2>&1 || status=$?
[ "$status" -eq 1 ] || fail "status $status"
sort "$dir/results" | awk '{ $3 = "S"; print }' >"$dir/sorted"
diff - "$dir/sorted" <<'EOF' || fail 'other results'
FAIL interop/fails S status 3
FAIL interop/hangs S not done after 1 s
PASS interop/one-alone S
PASS interop/passes S
SKIP interop/skips S no TPM here
EOF
grep -q 'this is why' "$dir/out" || fail 'the log of a failed test is not shown'
sleep 0.2
state=$(sed "s|.*) ||" "/proc/$(cat "$dir/pid")/stat" 2>/dev/null | cut -c1) # none, or Z where nobody reaps
[ "${state:-Z}" = Z ] || fail "a process of the hung test is still there ($state)"

rm "$dir/interop/fails" "$dir/interop/hangs" "$dir/results"
(unset CI && "$top/tests/run" -b "$dir/build" -r "$dir/results" "$dir/interop") >"$dir/out" 2>&1 || fail 'a skip is no failure'
! CI=1 "$top/tests/run" -b "$dir/build" -r "$dir/results" "$dir/interop" >"$dir/out" 2>&1 || fail 'with CI it is'
grep -q '^FAIL tests/skips .*CI is set: no TPM here' "$dir/results" || fail 'it does not say why'
