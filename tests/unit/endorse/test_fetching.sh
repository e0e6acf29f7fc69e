#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Vendors' servers, played: see fetching.py.
if ! command -v python3 >/dev/null; then
	echo "python3 is missing" >&2
	test -n "${CI:-}" && exit 1
	exit 77
fi
exec python3 "$top_srcdir/tests/unit/endorse/fetching.py"
