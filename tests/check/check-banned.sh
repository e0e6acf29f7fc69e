#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# House rule: calls that have a safer form here. tests/check/banned.allow lists the exceptions, with reasons;
# an exception that nothing uses any more is an error too.
. "$(dirname "$0")/common.sh"

# where ; call ; what instead
rules='
all;strcpy;str_dup(), buf_str() or snprintf()
all;strcat;buf_str()
all;strncpy;str_ndup() or memcpy() with a checked length
all;sprintf;snprintf() or buf_fmt()
all;vsprintf;vsnprintf()
all;gets;fd_read()
all;strtok;a struct cursor
source;strtol;str_parse_int()
source;strtoll;str_parse_int()
source;strtoul;str_parse_uint()
source;strtoull;str_parse_uint()
source;strtod;str_parse_int()
source;atoi;str_parse_int()
source;atol;str_parse_int()
source;atoll;str_parse_int()
source;atof;str_parse_int()
source;sscanf;a struct cursor
all;alloca;mem_alloc()
source;rand;random_bytes()
source;srand;random_bytes()
source;random;random_bytes()
all;tmpnam;mkstemp()
source;json_dumps;json_print()
all;mktemp;mkstemp()
source;system;posix_spawn() or fork() and execve() with a fixed path
source;popen;posix_spawn() or fork() and execve() with a fixed path
source;memcmp;equal_ct() for secrets, digests, tokens and nonces; view_equal() for public bytes
source;malloc;mem_alloc()
source;calloc;mem_zalloc()
source;realloc;mem_resize()
source;reallocarray;mem_resize()
source;strdup;str_dup()
source;strndup;str_ndup()
source;asprintf;str_fmt()
source;vasprintf;str_fmt()
lib;exit;a returned error: a library never ends the program
lib;abort;a returned error: a library never ends the program
lib;printf;a returned value: a library never prints
lib;puts;a returned value: a library never prints
lib;fputs;a returned value: a library never prints
lib;fprintf;a returned value: a library never prints
lib;perror;err_errno(): a library never prints
lib;log_error;a returned error: programs log it once, at the edge
lib;log_warning;a returned error: programs log it once, at the edge
lib;log_info;a returned error or log_debug(): programs log at the edge
lib;log_err;a returned error: programs log it once, at the edge
lib;log_with;a returned error or log_debug(): programs log at the edge
'

# hits WHERE CALLS DIR...: "FILE CALL LINE" of each call in the folders
hits() {
	local calls=$1
	shift
	code $(sources "$@") | awk -v calls="$calls" '
	BEGIN { n = split(calls, call, " "); for (i = 1; i <= n; i++) banned[call[i]] = 1 }
	{
		match($0, /^[^:]*:[0-9]+:/)
		split(substr($0, 1, RLENGTH - 1), at, ":")
		rest = substr($0, RLENGTH + 1)
		if (rest ~ /^[ \t]*#/)
			next
		while (match(rest, /[A-Za-z_][A-Za-z_0-9]*[ \t]*\(/)) {
			name = substr(rest, RSTART, RLENGTH - 1)
			sub(/[ \t]+$/, "", name)
			before = RSTART > 1 ? substr(rest, RSTART - 1, 1) : ""
			if (name in banned && before != "." && before != ">" && !(at[1] ~ /^lib\/base\/log\./ && name ~ /^log_/))
				print at[1], name, at[2]
			rest = substr(rest, RSTART + RLENGTH)
		}
	}'
}

calls_of() { printf '%s' "$rules" | awk -F';' -v w="$1" '$1 == w { print $2 }' | tr '\n' ' '; }

found=$( {
	hits "$(calls_of all)" $libs $programs tests
	hits "$(calls_of source)" $libs $programs
	hits "$(calls_of lib)" $libs
} | sort -u)

findings=$(
	{ printf '%s' "$rules" | sed '/^$/d; s/^/R;/'; sed '/^#/d; /^$/d; s/^/A;/' "$here/banned.allow"; printf '%s\n' "$found" | sed '/^$/d; s/^/H;/'; } |
		awk -F';' '
		$1 == "R" { instead[$3] = $4; for (i = 5; i <= NF; i++) instead[$3] = instead[$3] ";" $i }
		$1 == "A" {
			split($2, f, /[ \t]+/)
			allowed[f[1] " " f[2]] = 1
			if (f[3] == "")
				print "tests/check/banned.allow: " $2 ": an exception needs its reason behind it"
		}
		$1 == "H" {
			split($2, f, " ")
			key = f[1] " " f[2]
			used[key] = 1
			if (!(key in allowed))
				print f[1] ":" f[3] ": " f[2] "() is banned: use " instead[f[2]]
		}
		END {
			for (key in allowed)
				if (!(key in used))
					print "tests/check/banned.allow: \"" key "\" is not needed any more: take it out"
		}' | sort
)
finish
