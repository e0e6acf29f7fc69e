# SPDX-License-Identifier: Apache-2.0
# Shared by the house rules: where the tree is, which files count, and C without comments and strings.
# Each rule prints "FILE:LINE: what is wrong: what to do instead" and exits 1 if it printed anything.
set -u
LC_ALL=C
export LC_ALL
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
cd "${top_srcdir:-$here/../..}" || exit 99

# sources DIR...: the C files below, as they would be in git.
sources() {
	local dir
	for dir in "$@"; do
		if [ -d "$dir" ]; then
			find "$dir" -name '*.[ch]' -type f
		fi
	done | sort
}

# code FILE...: "FILE:LINE:CODE" of every line, comments and the insides of strings blanked out.
code() {
	[ $# -gt 0 ] || return 0
	awk -f "$here/strip.awk" "$@"
}

programs='agent registrar verifier tenant'
libs='lib/base lib/crypto lib/tpm lib/evidence lib/policy lib/wire lib/http lib/store lib/endorse'

# finish: fails the test if the rule's findings (in $findings) are not empty.
finish() {
	if [ -n "$findings" ]; then
		printf '%s\n' "$findings"
		exit 1
	fi
	exit 0
}
