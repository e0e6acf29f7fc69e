#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The house rules themselves: each must find its offender in a small tree, name file and line, and be silent
# about the same tree without it.
set -u
here=$(cd "$(dirname "$0")" && pwd)
tree=$(mktemp -d /tmp/avow.XXXXXX)
trap 'rm -rf "$tree"' EXIT
failed=0

fresh() {
	rm -rf "${tree:?}"/*
	mkdir -p "$tree"/{lib/base,lib/crypto,lib/evidence,lib/policy,lib/http,lib/tpm,agent,verifier,tests/check,contrib,docs,policies}
	cp "$here"/{common.sh,strip.awk} "$here"/../../.clang-format "$tree/tests/check/"
	cp "$here"/../../.clang-format "$tree/"
	printf '# SPDX-License-Identifier: Apache-2.0\n' | tee "$tree/Makefile.am" "$tree/configure.ac" >"$tree/tests/check/banned.allow"
	sed 's|^AT \{0,1\}||' >"$tree/lib/base/good.c" <<-'EOF'
		AT /* SPDX-License-Identifier: Apache-2.0 */
		AT /* memcmp( in a comment and "strcpy(" in a string are nothing */
		AT #include "base/good.h"
		AT
		AT int good(void)
		AT {
		AT         return text("strcpy(a, b) memcmp(") + x->memcmp(1);
		AT }
	EOF
	printf '/* SPDX-License-Identifier: Apache-2.0 */\nint good(void);\n' >"$tree/lib/base/good.h"
}

run() { (cd "$tree" && cp "$here/$1" tests/check/ && top_srcdir=$tree top_builddir=$tree bash "tests/check/$1" 2>&1); }

# finds RULE FILE PLACE TEXT...: with TEXT as FILE, RULE fails and names PLACE
finds() {
	local rule=$1 file=$2 place=$3 out status
	shift 3
	fresh
	out=$(run "$rule")
	status=$?
	if [ "$status" -ne 0 ] && [ "$status" -ne 77 ]; then
		printf 'not ok: %s fails on a good tree:\n%s\n' "$rule" "$out"
		failed=1
		return
	fi
	printf '%s\n' "$@" >"$tree/$file"
	out=$(run "$rule")
	status=$?
	if [ "$status" -eq 1 ] && printf '%s' "$out" | grep -q "^$place"; then
		printf 'ok: %s: %s\n' "$rule" "$out"
	elif [ "$status" -eq 77 ]; then
		printf 'ok: %s skipped: %s\n' "$rule" "$out"
	else
		printf 'not ok: %s says (%s) about %s:\n%s\n' "$rule" "$status" "$place" "$out"
		failed=1
	fi
}

spdx='/* SPDX-License-Identifier: Apache-2.0 */'
finds check-banned.sh lib/base/x.c 'lib/base/x.c:3: memcmp()' "$spdx" '' 'int a = memcmp(b, c, 2);'
finds check-banned.sh agent/x.c 'agent/x.c:2: strcpy()' "$spdx" 'void f(void) { strcpy (a, b); }'
finds check-banned.sh verifier/x.c 'verifier/x.c:2: malloc()' "$spdx" 'void *p = malloc(3);'
finds check-banned.sh lib/http/x.c 'lib/http/x.c:2: exit()' "$spdx" 'void f(void) { exit(1); }'
finds check-banned.sh tests/check/banned.allow 'tests/check/banned.allow: "lib/base/good.c memcmp" is not needed' 'lib/base/good.c memcmp because'
finds check-includes.sh lib/base/x.c 'lib/base/x.c:2: "crypto/cert.h"' "$spdx" '#include "crypto/cert.h"'
finds check-includes.sh lib/evidence/x.c 'lib/evidence/x.c:2: "tpm/ak.h"' "$spdx" '#include "tpm/ak.h"'
finds check-includes.sh lib/http/x.c 'lib/http/x.c:2: "store/store.h"' "$spdx" '#include "store/store.h"'
finds check-includes.sh agent/x.c 'agent/x.c:2: "verifier/core.h"' "$spdx" '#include "verifier/core.h"'
finds check-includes.sh verifier/x.c 'verifier/x.c:2: only lib/tpm' "$spdx" '#include <tss2/tss2_esys.h>'
finds check-includes.sh agent/x.c 'agent/x.c:2: "../lib/base/err.h"' "$spdx" '#include "../lib/base/err.h"'
finds check-includes.sh lib/policy/x.c 'lib/policy/x.c:2: <sys/socket.h>' "$spdx" '#include <sys/socket.h>'
finds check-includes.sh lib/policy/x.c 'lib/policy/x.c:2: time()' "$spdx" 'long t = time(NULL);'
finds check-includes.sh lib/evidence/x.c 'lib/evidence/x.c:2: FILE' "$spdx" 'static void f(FILE *f);'
finds check-globals.sh lib/http/x.c 'lib/http/x.c:2: a mutable variable' "$spdx" 'static int count;'
finds check-globals.sh agent/x.c 'agent/x.c:2: a mutable variable' "$spdx" 'static struct agent agent = {0};'
finds check-lengths.sh lib/base/x.c 'lib/base/x.c:2: long_one() has 104 lines' "$spdx" 'int long_one(void)' '{' "$(yes '        a();' | head -n 101)" '}'
finds check-lengths.sh lib/base/x.c 'lib/base/x.c:1: 801 lines' "$spdx" "$(yes 'int a;' | head -n 800)"
finds check-spdx.sh agent/x.c 'agent/x.c:1: no licence' 'int a;'
finds check-spdx.sh agent/x.c 'agent/x.c:2: unfinished' "$spdx" '/* TO''DO later */'
finds check-format.sh agent/x.c 'agent/x.c:2: formatted differently' "$spdx" 'int  a ;'

exit "$failed"
