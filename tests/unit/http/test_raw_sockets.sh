# SPDX-License-Identifier: Apache-2.0
# The server against peers that write bytes, not requests: see raw_sockets.py.
if ! command -v python3 >/dev/null || ! command -v openssl >/dev/null; then
        echo "python3 or openssl is missing" >&2
        test -n "${CI:-}" && exit 1
        exit 77
fi
exec python3 "$top_srcdir/tests/unit/http/raw_sockets.py" "$top_builddir/tests/unit/http/server"
