# SPDX-License-Identifier: Apache-2.0
# Prints FILE:LINE:CODE with comments, string contents and character constants blanked out.
FNR == 1 { in_comment = 0 }
{
	out = ""
	n = length($0)
	for (i = 1; i <= n; i++) {
		c = substr($0, i, 1)
		two = substr($0, i, 2)
		if (in_comment) {
			if (two == "*/") {
				in_comment = 0
				i++
			}
			continue
		}
		if (two == "/*") {
			in_comment = 1
			i++
			continue
		}
		if (two == "//")
			break
		# the name in an #include is code for us, not a string
		if ((c == "\"" || c == "'") && out !~ /^[ \t]*#[ \t]*include/) {
			out = out c
			for (i++; i <= n && (d = substr($0, i, 1)) != c; i++)
				if (d == "\\")
					i++
			out = out c
			continue
		}
		out = out c
	}
	print FILENAME ":" FNR ":" out
}
