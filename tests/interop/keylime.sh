# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# Real Keylime 7.14.3 for the tests of this folder: installed once from the Python package index into a virtual
# environment in the user's cache, configured from its own templates into the test's folder, on free ports.
#
# Sourced after tests/integration/lib.sh. keylime_install, then keylime_configure DIR, then keylime_start NAME and `keylime NAME ARG...`.

keylime_version=7.14.3
keylime_home=${XDG_CACHE_HOME:-$HOME/.cache}/avow/keylime-$keylime_version
interop=${top_srcdir:?}/tests/interop

keylime_skip() {
	echo "$1"
	exit 77
}

# Installs into the cache unless that was done with the same list of packages.
keylime_install() {
	local want
	want=$(sha256sum <"$interop/keylime-requirements.txt")
	mkdir -p "$(dirname "$keylime_home")"
	exec 8>"$keylime_home.lock"
	flock 8
	if [ "$(cat "$keylime_home/installed" 2>/dev/null)" != "$want" ]; then
		[ -d /usr/lib/python3/dist-packages/gpg ] || keylime_skip 'SKIP interop: Debian package python3-gpg is missing'
		rm -rf "$keylime_home"
		/usr/bin/python3 -m venv "$keylime_home" || keylime_skip 'SKIP interop: Debian package python3-venv is missing'
		# The wheel has no templates: they are in the source distribution.
		if ! "$keylime_home/bin/pip" download -q --no-deps --no-binary :all: -d "$keylime_home/source" \
			"keylime==$keylime_version" ||
			! "$keylime_home/bin/pip" install -q -r "$interop/keylime-requirements.txt"; then
			keylime_skip 'SKIP interop: package index not reachable'
		fi
		tar -xzf "$keylime_home/source/keylime-$keylime_version.tar.gz" -C "$keylime_home/source" || return 1
		"$keylime_home/bin/pip" install -q --no-deps "$keylime_home/source/keylime-$keylime_version" || return 1
		ln -s /usr/lib/python3/dist-packages/gpg "$(echo "$keylime_home"/lib/python3*/site-packages)/gpg"
		printf '%s\n' "$want" >"$keylime_home/installed"
	fi
	flock -u 8
	exec 8>&-
}

# keylime PROGRAM ARG...: keylime_registrar, keylime_verifier, keylime_tenant with the test's configuration
keylime() (
	keylime_exec "$@"
)

# The same in place of the shell, so that start() knows the program's own process.
keylime_exec() {
	local program=$1
	shift
	mkdir -p "$keylime_dir/tmp"
	exec "${keylime_prefix[@]}" env KEYLIME_TEST=True KEYLIME_DIR="$keylime_dir" TMPDIR="$keylime_dir/tmp" PATH="$keylime_home/bin:$PATH" \
		KEYLIME_VERIFIER_CONFIG="$keylime_dir/conf/verifier.conf" \
		KEYLIME_REGISTRAR_CONFIG="$keylime_dir/conf/registrar.conf" \
		KEYLIME_TENANT_CONFIG="$keylime_dir/conf/tenant.conf" \
		KEYLIME_CA_CONFIG="$keylime_dir/conf/ca.conf" \
		KEYLIME_LOGGING_CONFIG="$keylime_dir/conf/logging.conf" \
		"$keylime_home/bin/keylime_$program" "$@"
}

# keylime_set FILE OPTION VALUE
keylime_set() {
	sed -i "s|^$2 *=.*|$2 = $3|" "$keylime_dir/conf/$1.conf"
	grep -q "^$2 = " "$keylime_dir/conf/$1.conf" || sed -i "/^\[$1\]/a $2 = $3" "$keylime_dir/conf/$1.conf"
}

# Three different free ports, outside of the ranges that others take theirs from.
keylime_ports() {
	python3 - <<-'END'
		import random, socket
		held = []
		while len(held) < 3:
		    s = socket.socket()
		    try:
		        s.bind(("127.0.0.1", random.randrange(10000, 19999)))
		    except OSError:
		        continue
		    held.append(s)
		print(*(s.getsockname()[1] for s in held))
	END
}

# keylime_configure DIR: all configuration files, on free ports, in push mode
keylime_configure() {
	keylime_dir=$1
	read -r keylime_verifier_port keylime_registrar_port keylime_registrar_tls_port < <(keylime_ports)
	mkdir -p "$keylime_dir/conf" "$keylime_dir/tpm_cert_store"
	"$keylime_home/bin/keylime_upgrade_config" --defaults --out "$keylime_dir/conf" \
		--templates "$keylime_home/source/keylime-$keylime_version/templates" >"$keylime_dir/convert.log" 2>&1 || return 1
	keylime_set verifier mode push
	keylime_set verifier port "$keylime_verifier_port"
	keylime_set verifier registrar_port "$keylime_registrar_tls_port"
	keylime_set verifier quote_interval 2
	keylime_set verifier num_workers 1
	keylime_set verifier shutdown_drain_timeout 1
	keylime_set verifier enabled_revocation_notifications '[]'
	keylime_set registrar port "$keylime_registrar_port"
	keylime_set registrar tls_port "$keylime_registrar_tls_port"
	keylime_set tenant verifier_port "$keylime_verifier_port"
	keylime_set tenant registrar_port "$keylime_registrar_tls_port"
	keylime_set tenant tpm_cert_store "$keylime_dir/tpm_cert_store"
}

# keylime_start NAME PORT: verifier or registrar, until it listens; in a process group of its own, because they leave
# children behind
keylime_prefix=()
keylime_groups=()
keylime_start() {
	keylime_prefix=(setsid)
	start "keylime-$1" keylime_exec "$1"
	keylime_prefix=()
	keylime_groups+=("$PID")
	wait_port "$2" 60 || fail "Keylime's $1 does not start"
}

# keylime_kill GROUP: at once (asked nicely, the verifier takes its time), and the sockets that it leaves as root
keylime_kill() {
	local pids pid
	pids=$(pgrep -g "$1")
	kill -KILL -- "-$1" 2>/dev/null
	for pid in $pids; do rm -f "/run/keylime/shared_data.$pid.sock"; done
}

# keylime_stop NAME
keylime_stop() {
	keylime_kill "$(cat "$WORK/keylime-$1.pid")"
	stop "keylime-$1" KILL
}

keylime_cleanup() {
	local status=$? group
	for group in "${keylime_groups[@]}"; do keylime_kill "$group"; done
	return "$status"
}
trap 'keylime_cleanup; cleanup' EXIT
