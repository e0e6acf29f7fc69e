#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# House rule: the licence stands in line 1 (line 2 behind a #!), and nothing is left unfinished in the source.
. "$(dirname "$0")/common.sh"

kinds=(-name '*.[ch]' -o -name '*.sh' -o -name '*.mk' -o -name '*.awk' -o -name '*.py' -o -name '*.service' -o -name '*.socket' -o
	-name '*.am' -o -name '*.ac')
licence=$(for file in $(find Makefile.am configure.ac $libs $programs policies contrib docs tests \
	-type f \( "${kinds[@]}" -o -perm -u+x ! -name '*.so*' \) 2>/dev/null | sort); do
	case $file in */corpus/* | */vectors/*) continue ;; esac
	head -n 2 "$file" | tr -d '\0' | grep -q 'SPDX-License-Identifier: Apache-2.0' ||
		echo "$file:1: no licence: begin with SPDX-License-Identifier: Apache-2.0"
done)
unfinished=$(grep -nE '(^|[^A-Za-z_])(TO[D]O|FIX[M]E)([^A-Za-z_]|$)' $(sources $libs $programs tests) |
	sed 's/^\([^:]*:[0-9]*:\).*/\1 unfinished: do it now, or write it down outside of the source/')
findings=$(printf '%s\n%s\n' "$licence" "$unfinished" | sed '/^$/d')
finish
