# SPDX-License-Identifier: Apache-2.0
# House rules, as tests. Each can be run by hand: tests/check/check-banned.sh
house_rules = \
	tests/check/check-banned.sh \
	tests/check/check-format.sh \
	tests/check/check-globals.sh \
	tests/check/check-includes.sh \
	tests/check/check-lengths.sh \
	tests/check/check-spdx.sh \
	tests/check/check-symbols.sh \
	tests/check/rules-find-offenders.sh
dist_check_SCRIPTS += $(house_rules)
TESTS += $(house_rules)
EXTRA_DIST += tests/check/common.sh tests/check/strip.awk tests/check/banned.allow
