#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# House rule: the source looks as clang-format 14 and .clang-format make it. Other versions differ in details, so
# with them (or without any) the test is skipped.
. "$(dirname "$0")/common.sh"

format=
for name in clang-format-14 clang-format; do
	if command -v "$name" >/dev/null && "$name" --version | grep -q 'version 14\.'; then
		format=$name
		break
	fi
done
if [ -z "$format" ]; then
	echo 'SKIP: clang-format 14 is not installed'
	exit 77
fi
findings=$("$format" --dry-run -Werror $(sources $libs $programs tests) 2>&1 | grep 'clang-format-violations' |
	sed -E 's/^([^:]*:[0-9]+):.*/\1: formatted differently: run clang-format -i on it/' | sort -u -t: -k1,1)
finish
