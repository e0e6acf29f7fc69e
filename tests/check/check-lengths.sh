#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# House rule: a function has at most 100 lines (aim at 30), a file at most 800 (aim at 400). Const tables are free.
. "$(dirname "$0")/common.sh"

findings=$(awk '
function file_done()
{
	if (file != "" && lines > 800)
		print file ":1: " lines " lines without its tables, at most 800: cut it in two by subject"
}
FNR == 1 {
	file_done()
	file = FILENAME
	lines = 0
	table = 0
	start = 0
}
/^(static )?const .*=[ \t]*\{?$/ || /^static .*const .*= \{/ { if ($0 !~ /;[ \t]*$/) table = 1 }
!table { lines++ }
table && /^};?$/ { table = 0 }
/^[A-Za-z_].*\(/ && !start { name = $0; sub(/\(.*/, "", name); sub(/.*[ *]/, "", name); head = FNR }
/^\{$/ && !table { start = head ? head : FNR }
/^}$/ && start {
	if (FNR - start + 1 > 100)
		print FILENAME ":" start ": " name "() has " FNR - start + 1 " lines, at most 100: give its parts names"
	start = 0
}
END { file_done() }' $(sources $libs $programs tests))
finish
