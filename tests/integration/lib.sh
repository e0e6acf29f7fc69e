# SPDX-License-Identifier: Apache-2.0
# What every integration test needs: `. "${top_srcdir:?}/tests/integration/lib.sh"` first thing.
#
# A test gets a folder of its own ($WORK, short: socket paths end at 108 bytes), starts what it needs with
# start(), and at its end, however it ends, what it started is stopped by process id and the folder is removed
# (AVOW_TEST_KEEP=1 keeps it). Ports are free ones of the loopback. Nothing outside $WORK is written.
#
# Exit 77 skips, which is a failure where CI is set.

set -u
: "${top_builddir:?run it with tests/run -b BUILDDIR tests/integration/TEST}"
export LC_ALL=C
unset TPM2TOOLS_TCTI TCTI TSS2_LOG NOTIFY_SOCKET LISTEN_FDS LISTEN_PID WATCHDOG_USEC
export TSS2_LOG=all+NONE # what fails says so itself

TEST=$(basename "$0")
WORK=$(mktemp -d /tmp/avow.XXXXXX) || exit 99
PIDS=()
AGENT=$top_builddir/agent/avow-agent
REGISTRAR=$top_builddir/registrar/avow-registrar
VERIFIER=$top_builddir/verifier/avow-verifier
AVOW=$top_builddir/tenant/avow

# ---- the frame ----

# say TEXT: what happens now
say() { printf '%s: %s\n' "$TEST" "$*"; }

# fail TEXT...: the test has failed; shows the ends of all logs, and the reason last: it is what a summary cuts to
fail() {
	for log in "$WORK"/*.log; do
		[ -s "$log" ] && { printf -- '---- %s\n' "$log"; tail -n 25 "$log"; } >&2
	done
	printf '%s: FAILED: %s\n' "$TEST" "$*" >&2
	exit 1
}

skip() {
	printf '%s: skipped: %s\n' "$TEST" "$*" >&2
	[ -n "${CI:-}" ] && exit 1
	exit 77
}

# need PROGRAM...: skips the test if one is missing
need() {
	for program in "$@"; do
		command -v "$program" >/dev/null || skip "$program is not installed"
	done
}

cleanup() {
	local status=$?
	trap - EXIT INT TERM
	for pid in "${PIDS[@]}"; do kill "$pid" 2>/dev/null; done
	for pid in "${PIDS[@]}"; do
		for _ in $(seq 50); do kill -0 "$pid" 2>/dev/null || break; sleep 0.1; done
		kill -9 "$pid" 2>/dev/null
		wait "$pid" 2>/dev/null
	done
	if [ -n "${AVOW_TEST_KEEP:-}" ]; then say "kept $WORK"; else rm -rf "$WORK"; fi
	exit "$status"
}
trap cleanup EXIT
trap 'exit 130' INT TERM

# start NAME COMMAND...: in the background, output to $WORK/NAME.log, pid in $PID and $WORK/NAME.pid
start() {
	local name=$1
	shift
	"$@" >>"$WORK/$name.log" 2>&1 &
	PID=$!
	PIDS+=("$PID")
	echo "$PID" >"$WORK/$name.pid"
}

# faked SPEC COMMAND...: with another time ("+40d", "@2020-01-01 00:00:00"). Not through faketime(1), which would
# stand between start() and the process.
faked() {
	local spec=$1 lib
	lib=$(ls /usr/lib/*/faketime/libfaketime.so.1 /usr/lib/faketime/libfaketime.so.1 2>/dev/null | head -n 1)
	[ -n "$lib" ] || skip "libfaketime is not installed"
	shift
	export ASAN_OPTIONS="${ASAN_OPTIONS:+$ASAN_OPTIONS:}verify_asan_link_order=0"
	exec env LD_PRELOAD="$lib" FAKETIME="$spec" FAKETIME_DONT_FAKE_MONOTONIC=1 "$@"
}

# stop NAME [SIGNAL]: ends what start() started and waits for it; its exit status in $STATUS
stop() {
	local pid
	pid=$(cat "$WORK/$1.pid")
	kill "-${2:-TERM}" "$pid" 2>/dev/null
	wait "$pid" 2>/dev/null
	STATUS=$?
	rm -f "$WORK/$1.pid"
	local left=()
	for p in "${PIDS[@]}"; do [ "$p" = "$pid" ] || left+=("$p"); done
	PIDS=("${left[@]+"${left[@]}"}")
}

alive() { kill -0 "$(cat "$WORK/$1.pid")" 2>/dev/null; }

# free_port: a free port
free_port() {
	python3 - <<'END'
import random, socket
while True:
    port = random.randrange(20000, 32000)
    try:
        s = socket.socket(); s.bind(("127.0.0.1", port)); s.close()
    except OSError:
        continue
    print(port)
    break
END
}

# wait_for SECONDS COMMAND...: until it succeeds
wait_for() {
	local end=$((SECONDS + $1 * ${TEST_SCALE:-1}))
	shift
	until "$@" >/dev/null 2>&1; do
		[ "$SECONDS" -lt "$end" ] || return 1
		sleep 0.1
	done
}

port_open() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }
# wait_port PORT [SECONDS]
wait_port() { wait_for "${2:-10}" port_open "$1"; }

# expect_log NAME TEXT [SECONDS]: the log of NAME says TEXT (fixed string)
expect_log() {
	wait_for "${3:-5}" grep -qF -- "$2" "$WORK/$1.log" || fail "the log of $1 does not say: $2"
}

# equal WHAT GOT WANTED
equal() { [ "$2" = "$3" ] || fail "$1: got '$2', wanted '$3'"; }

# json FILE PYTHON-EXPRESSION OVER d: prints it
json() { python3 -c 'import json,sys; d=json.load(open(sys.argv[1])); print(eval(sys.argv[2]))' "$1" "$2"; }

# ---- certificates ----

# pki: $WORK/pki/ca.{pem,key} and the registrar's server, admin, auditor, verifier and plain client certificates
pki() {
	mkdir -p "$WORK/pki"
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$WORK/pki/ca.key" \
		-out "$WORK/pki/ca.pem" -subj "/CN=$TEST CA" -days 30 \
		-addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign,cRLSign 2>/dev/null ||
		fail "openssl cannot make a CA"
	pki_issue server "DNS:localhost,IP:127.0.0.1"
	pki_issue admin "URI:urn:avow:role:admin"
	pki_issue auditor "URI:urn:avow:role:auditor"
	pki_issue verifier "URI:urn:avow:role:verifier,URI:urn:avow:role:admin"
	pki_issue client "DNS:client"
	pki_key audit
}

# pki_key NAME: a P-256 key $WORK/pki/NAME.key
pki_key() {
	openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$WORK/pki/$1.key" 2>/dev/null ||
		fail "openssl cannot make a key"
}

# pki_issue NAME SAN [DAYS]: $WORK/pki/NAME.{pem,key}
pki_issue() {
	local d=$WORK/pki
	pki_key "$1"
	openssl req -new -key "$d/$1.key" -subj "/CN=$1" 2>/dev/null |
		openssl x509 -req -CA "$d/ca.pem" -CAkey "$d/ca.key" -set_serial "0x$(openssl rand -hex 15)" \
			-days "${3:-20}" -extfile <(printf 'subjectAltName=%s\nbasicConstraints=critical,CA:FALSE\n' "$2") \
			-out "$d/$1.pem" 2>/dev/null || fail "openssl cannot issue a certificate"
}

# curl_as NAME CURL-ARGUMENT...: with the certificate of NAME ("nobody": none); prints the status, body in $WORK/body
curl_as() {
	local who=$1 cert=()
	shift
	[ "$who" = nobody ] || cert=(--cert "$WORK/pki/$who.pem" --key "$WORK/pki/$who.key")
	curl -sS --max-time 20 --cacert "$WORK/pki/ca.pem" "${cert[@]+"${cert[@]}"}" -o "$WORK/body" -w '%{http_code}' "$@" \
		2>>"$WORK/curl.log"
}

# ---- TPMs ----

# soft_tpm COMMAND…: contrib/soft-tpm
soft_tpm() {
	SHARED=no "$top_srcdir/contrib/soft-tpm" "$@" >>"$WORK/soft-tpm.log" 2>&1 </dev/null || fail "soft-tpm $*"
}

# ek_ca [NAME]: a private EK CA in $WORK/NAME (default ekca); its certificates in $WORK/NAME/roots
ek_ca() { soft_tpm ca "$WORK/${1:-ekca}"; }

declare -A TPM_DIR # where a TPM and its CA are

# tpm_new NAME [EKCA]: a TPM with EK certificates for RSA-2048, ECC P-256 and ECC P-384, and starts it
tpm_new() {
	TPM_DIR[$1]=$WORK/${2:-ekca}
	soft_tpm make "${TPM_DIR[$1]}" "$1" p256
	tpm_start "$1"
}

# tpm_start NAME: starts it (again: a reboot of the host, if it was stopped); the TCTI stays
tpm_start() {
	soft_tpm start "${TPM_DIR[$1]}" "$1"
	PIDS+=("$(cat "${TPM_DIR[$1]}/$1.pid")")
}

# tpm_stop NAME: pulls its plug
tpm_stop() { soft_tpm cut "${TPM_DIR[$1]}" "$1"; }
# tpm_reset NAME: power off and on, in order; PCRs are zero again, the reset count moves
tpm_reset() {
	soft_tpm stop "${TPM_DIR[$1]}" "$1"
	tpm_start "$1"
}
# tpm_tcti NAME: for TPM2TOOLS_TCTI and tpm.tcti
tpm_tcti() { echo "swtpm:path=${TPM_DIR[$1]}/$1.sock"; }
# on_tpm NAME tpm2_…: a tpm2-tools command on that TPM
on_tpm() {
	local name=$1
	shift
	TPM2TOOLS_TCTI=$(tpm_tcti "$name") "$@"
}

# ---- the registrar ----

# registrar_config [EXTRA YAML]: writes $WORK/registrar.yaml; $REGISTRAR_URL
registrar_config() {
	REGISTRAR_PORT=${REGISTRAR_PORT:-$(free_port)}
	REGISTRAR_URL=https://127.0.0.1:$REGISTRAR_PORT
	mkdir -p "$WORK/registrar.yaml.d"
	cat >"$WORK/registrar.yaml" <<-END
		listen: {https: "127.0.0.1:$REGISTRAR_PORT"}
		tls: {cert: pki/server.pem, key: pki/server.key, client_ca: pki/ca.pem}
		store: {url: "sqlite:$WORK/registrar.db"}
		ek: {policy: required, roots: [ekca/roots]}
		ak_ca: {cert: pki/ca.pem, key: pki/ca.key}
		audit: {key: pki/audit.key}
	END
	rm -f "$WORK/registrar.yaml.d/extra.yaml"
	[ -z "${1:-}" ] || printf '%s\n' "$1" >"$WORK/registrar.yaml.d/extra.yaml"
}

# registrar_start: with $WORK/registrar.yaml, until it answers
registrar_start() {
	start registrar "$REGISTRAR" -c "$WORK/registrar.yaml"
	wait_port "$REGISTRAR_PORT" || fail "the registrar does not start"
}

# host_register NAME TPM [ARGUMENT...]: the test's own client (register.py); prints "register CODE" and "activate CODE"
host_register() {
	local name=$1 tpm=$2
	shift 2
	TPM2TOOLS_TCTI=$(tpm_tcti "$tpm") python3 "$top_srcdir/tests/integration/register.py" --url "$REGISTRAR_URL" \
		--ca "$WORK/pki/ca.pem" --name "$name" --state "$WORK/client-$tpm" "$@" 2>>"$WORK/register.log"
}

# steps TEXT: register.py's answer without the words, "register 200 activate 200"
steps() { cut -d' ' -f1,2 | xargs; }
