#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Every fuzz target over its corpus (tests/fuzz/corpus/NAME), without a fuzzer. A target without one is an error:
# a few good inputs are what lets a fuzzer get anywhere.
set -u
build=${top_builddir:?}/tests/fuzz
source=${top_srcdir:?}/tests/fuzz
failed=0
for target in "$source"/fuzz_*.c; do
	name=$(basename "$target" .c)
	corpus=$source/corpus/${name#fuzz_}
	if [ ! -d "$corpus" ]; then
		echo "FAIL: $name has no corpus: put small valid inputs into tests/fuzz/corpus/${name#fuzz_}/"
		failed=1
	elif ! timeout 120 "$build/$name" "$corpus"; then
		echo "FAIL: $name"
		failed=1
	fi
done
exit "$failed"
