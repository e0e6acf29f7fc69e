#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# avow(1) names every command and every option that the program has, and no option that it does not have.
set -u
avow=${top_builddir:?}/tenant/avow
page=${top_srcdir:?}/docs/man/avow.1
failed=0

complain() {
	echo "FAIL: $*"
	failed=1
}

known=' --config --output --server --help --version '
n=0
while read -r noun verb; do
	n=$((n + 1))
	name=$noun${verb:+ $verb}
	section=$(awk -v name="$name" '
		/^\.It Cm / { split($0, w, " "); at = $3 " " $4; here = ($0 ".") ~ "^\\.It Cm " name "[ .]" }
		/^\.Ss|^\.Sh/ { here = 0 }
		here' "$page")
	[ -n "$section" ] || complain "no '.It Cm $name' in $page"
	# shellcheck disable=SC2086 # two words, or one
	for option in $("$avow" $noun $verb --help | sed -n 's/^  --\([a-z0-9-]*\).*/\1/p'); do
		known="$known--$option "
		grep -Eq "Fl -$option( |$)" <<<"$section" || complain "$name: --$option is not in $page"
	done
done < <("$avow" --help | sed -n 's/^  \([a-z]* \{0,1\}[a-z]*\)  .*/\1/p')
[ "$n" -ge 20 ] || complain "only $n commands were found in the help"

for option in $(grep -o 'Fl -[a-z0-9-]\{2,\}' "$page" | sed 's/Fl -/--/' | sort -u); do
	case $known in *" $option "*) ;; *) complain "$page: $option is no option" ;; esac
done
exit $failed
