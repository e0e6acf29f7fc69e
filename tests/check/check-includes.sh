#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# House rule: who may include whom. The arrows of docs/architecture.md:
# base <- crypto <- {tpm, evidence} <- policy <- wire <- {http, store} <- endorse; programs use lib, never each
# other; only lib/tpm knows ESYS; lib/evidence and lib/policy are pure (bytes and a time in, a verdict out).
. "$(dirname "$0")/common.sh"

files=$(sources $libs $programs)

arrows=$(code $files | awk '
BEGIN {
	n = split("base crypto tpm,evidence policy wire http,store endorse", level, " ")
	for (i = 1; i <= n; i++) {
		m = split(level[i], f, ",")
		for (k = 1; k <= m; k++)
			rank[f[k]] = i
	}
	split("agent registrar verifier tenant", p, " ")
	for (i in p)
		program[p[i]] = 1
}
{
	match($0, /^[^:]*:[0-9]+:/)
	at = substr($0, 1, RLENGTH)
	line = substr($0, RLENGTH + 1)
	if (line !~ /^[ \t]*#[ \t]*include/)
		next
	path = at
	n = split(path, part, "/")
	mine = part[1] == "lib" ? part[2] : part[1]
	if (line ~ /tss2_(esys|fapi|sys)\.h/ && mine != "tpm")
		print at " only lib/tpm may use ESYS: ask for what you need in lib/tpm"
	if (!match(line, /"[^"]+"/))
		next
	name = substr(line, RSTART + 1, RLENGTH - 2)
	if (name ~ /\.\.\//)
		print at " \"" name "\": name the folder from the top (\"crypto/cert.h\"), no ../"
	split(name, q, "/")
	theirs = name ~ /\// ? q[1] : ""
	if (theirs == "lib")
		print at " \"" name "\": without lib/, as everywhere (\"crypto/cert.h\")"
	if (theirs == "tests" || theirs == "support")
		print at " \"" name "\": the product never includes a test"
	if (theirs in program && theirs != mine)
		print at " \"" name "\": " mine " never includes another program'"'"'s header: move what both need to lib/"
	if (part[1] == "lib" && theirs in rank && theirs != mine && rank[theirs] >= rank[mine])
		print at " \"" name "\": the arrow from lib/" mine " to lib/" theirs " points the wrong way"
	if ((mine == "evidence" || mine == "policy") && theirs == "tpm")
		print at " \"" name "\": lib/" mine " is pure and never touches a TPM"
}')

pure=$(code $(sources lib/evidence lib/policy) | awk '
BEGIN {
	n = split("sys/socket.h netinet/in.h arpa/inet.h netdb.h time.h sys/time.h unistd.h fcntl.h sys/stat.h " \
		"sys/mman.h dirent.h pthread.h signal.h poll.h sys/epoll.h event2/event.h curl/curl.h sqlite3.h " \
		"base/file.h base/log.h crypto/random.h", h, " ")
	for (i = 1; i <= n; i++)
		header[h[i]] = 1
	n = split("time clock_gettime gettimeofday clock_now_ms clock_mono_ms clock_boot_us open openat fopen fdopen " \
		"fread fwrite fprintf printf socket connect send recv getenv secure_getenv yaml_load " \
		"conf_load file_read uuid_random random_bytes getrandom RAND_bytes log_debug cert_load key_load", c, " ")
	for (i = 1; i <= n; i++)
		call[c[i]] = 1
}
{
	match($0, /^[^:]*:[0-9]+:/)
	at = substr($0, 1, RLENGTH)
	line = substr($0, RLENGTH + 1)
	if (line ~ /^[ \t]*#[ \t]*include/) {
		name = line
		sub(/^[^"<]*["<]/, "", name)
		sub(/[">].*$/, "", name)
		if (name in header)
			print at " <" name ">: this folder is pure: let the caller pass bytes and times"
		next
	}
	if (line ~ /(^|[^A-Za-z_0-9])FILE[ \t]*\*/)
		print at " FILE: this folder is pure: let the caller pass bytes"
	if (line ~ /Esys_|Tss2_/)
		print at " ESYS: this folder is pure"
	while (match(line, /[A-Za-z_][A-Za-z_0-9]*[ \t]*\(/)) {
		name = substr(line, RSTART, RLENGTH - 1)
		sub(/[ \t]+$/, "", name)
		if (name in call)
			print at " " name "(): this folder is pure: let the caller pass bytes and times"
		line = substr(line, RSTART + RLENGTH)
	}
}')

findings=$(printf '%s\n%s\n' "$arrows" "$pure" | sed '/^$/d')
finish
