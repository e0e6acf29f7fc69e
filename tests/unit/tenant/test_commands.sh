# SPDX-License-Identifier: Apache-2.0
# The commands that talk to servers, against stand-ins: see commands.py.
if ! command -v python3 >/dev/null || ! command -v openssl >/dev/null; then
        echo "python3 or openssl is missing" >&2
        test -n "${CI:-}" && exit 1
        exit 77
fi
exec python3 "$top_srcdir/tests/unit/tenant/commands.py" "$top_builddir/tenant/avow"
