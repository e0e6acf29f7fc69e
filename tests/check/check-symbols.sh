#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# House rule: no global name of ours is also one of a library that we link: the loader would hand ours to that
# library (libyaml calls a yaml_free() of its own), and nobody would notice before it crashes.
. "$(dirname "$0")/common.sh"

build=${top_builddir:-.}
archives=$(find "$build/lib" -path '*/.libs/*.a' 2>/dev/null)
if [ -z "$archives" ]; then
	echo 'SKIP: nothing is built'
	exit 77
fi
libraries=$(for program in "$build"/agent/avow-agent "$build"/registrar/avow-registrar "$build"/verifier/avow-verifier \
	"$build"/tenant/avow "$build"/tests/unit/base/test_*; do
	case $program in *.o | *.log | *.trs) continue ;; esac
	[ -x "$program" ] && ldd "$program" 2>/dev/null | awk '$3 ~ /^\// && $3 !~ /san\.so/ { print $3 }'
done | sort -u)
if [ -z "$libraries" ]; then
	echo 'SKIP: no program is built'
	exit 77
fi
theirs=$(nm -D --defined-only $libraries 2>/dev/null | awk 'NF == 3 && $2 ~ /[TDBRVW]/ { sub(/@.*/, "", $3); print $3 }' | sort -u)
findings=$(nm -g --defined-only $archives 2>/dev/null | awk 'NF == 3 && $2 ~ /[TDBRC]/ { print $3 }' | sort -u |
	comm -12 - <(printf '%s\n' "$theirs") | sed 's/.*/&: a library that we link has a global of this name: rename ours/')
finish
