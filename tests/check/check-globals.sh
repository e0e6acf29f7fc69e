#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# House rule: no mutable file-scope variables. A program's state is one struct made in main and passed down.
# Exceptions: the log's level and target (lib/base/log.c), a signal flag (volatile sig_atomic_t), and what a
# library's callback without a context must leave for its caller (_Thread_local, set and read in one call).
. "$(dirname "$0")/common.sh"

findings=$(code $(sources $libs $programs) | awk '
{
	match($0, /^[^:]*:[0-9]+:/)
	at = substr($0, 1, RLENGTH)
	line = substr($0, RLENGTH + 1)
	if (at ~ /^lib\/base\/log\.c:/ || line !~ /^static / || line ~ /(^| )const( |\*)|\*const / || line ~ /sig_atomic_t|_Thread_local/)
		next
	head = line
	sub(/=.*/, "", head)
	if (head !~ /\(/ && (line ~ /;[ \t]*$/ || line ~ /=/))
		print at " a mutable variable of the whole file: make it const, or put it into the program'"'"'s struct"
}')
finish
