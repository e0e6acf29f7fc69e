# SPDX-License-Identifier: Apache-2.0
# House rules, as tests. Each can be run by hand: tests/check/check-banned.sh
house_rules = \
	tests/check/check-banned.sh \
	tests/check/check-format.sh \
	tests/check/check-globals.sh \
	tests/check/check-includes.sh \
	tests/check/check-lengths.sh \
	tests/check/check-manual.py \
	tests/check/check-openapi.py \
	tests/check/check-spdx.sh \
	tests/check/check-symbols.sh \
	tests/check/check-top.sh \
	tests/check/rules-find-offenders.sh \
	tests/check/runner-counts.sh
dist_check_SCRIPTS += $(house_rules)
TESTS += $(house_rules)
EXTRA_DIST += tests/check/common.sh tests/check/strip.awk tests/check/banned.allow

# make cppcheck, make clang-tidy: static analysis of what is shipped; .clang-tidy and cppcheck.allow say what counts.
EXTRA_DIST += tests/check/cppcheck.allow .clang-tidy
checked_folders = $(wildcard $(addprefix $(srcdir)/,lib agent registrar verifier tenant))
cppcheck:
	cppcheck --quiet --error-exitcode=1 --inline-suppr --std=c11 --enable=warning,performance,portability \
		--suppressions-list=$(srcdir)/tests/check/cppcheck.allow -j2 -I$(srcdir)/lib -I$(srcdir) \
		-D__linux__ -DMUST_USE= '-DPRINTF(a,b)=' '-DAUTO(f)=' --cppcheck-build-dir=. $(checked_folders)

tidy_sources = $(shell cd $(srcdir) && find lib agent registrar verifier tenant -name '*.c')
tidy_stamps = $(tidy_sources:%.c=tidy/%.ok)
clang-tidy: $(tidy_stamps)
tidy/%.ok: %.c $(srcdir)/.clang-tidy
	@mkdir -p $(@D)
	$(AM_V_GEN)clang-tidy --quiet --warnings-as-errors='*' $< -- -std=gnu17 $(DEFS) $(DEFAULT_INCLUDES) \
		$(INCLUDES) $(AM_CPPFLAGS) $(filter -I% -D%,$(AM_CFLAGS)) >$@.log 2>&1 || { cat $@.log; exit 1; }
	@touch $@
.PHONY: cppcheck clang-tidy
