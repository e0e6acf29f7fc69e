# SPDX-License-Identifier: Apache-2.0
# A fuzz target is one file fuzz_NAME.c with LLVMFuzzerTestOneInput() (fuzz.h) and a corpus in corpus/NAME/. Add it
# to fuzz_targets and say what it links, $(FUZZ_LIBS) last. Usually that brings a main that replays the corpus
# in make check; with --enable-fuzz (clang) it is libFuzzer.
fuzz_targets = \
	tests/fuzz/fuzz_json \
	tests/fuzz/fuzz_text \
	tests/fuzz/fuzz_yaml
tests_fuzz_fuzz_json_LDADD = lib/base/libbase.la $(FUZZ_LIBS)
tests_fuzz_fuzz_text_LDADD = lib/base/libbase.la $(FUZZ_LIBS)
tests_fuzz_fuzz_yaml_LDADD = lib/base/libbase.la $(FUZZ_LIBS)

check_PROGRAMS += $(fuzz_targets)
EXTRA_DIST += tests/fuzz/fuzz.h
dist_check_SCRIPTS += tests/fuzz/replay-corpora.sh
if FUZZ
FUZZ_LIBS = $(FUZZ_ENGINE)
else
check_LTLIBRARIES += tests/fuzz/libreplay.la
tests_fuzz_libreplay_la_SOURCES = tests/fuzz/replay.c
FUZZ_LIBS = tests/fuzz/libreplay.la lib/base/libbase.la
TESTS += tests/fuzz/replay-corpora.sh
endif
# make fuzz: all targets, and nothing else
fuzz: $(fuzz_targets)
.PHONY: fuzz
