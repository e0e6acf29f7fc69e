# SPDX-License-Identifier: Apache-2.0
# A fuzz target is one file fuzz_NAME.c with LLVMFuzzerTestOneInput() (fuzz.h) and a corpus in corpus/NAME/. Add it
# to fuzz_targets and say what it links, $(FUZZ_LIBS) last. Usually that brings a main that replays the corpus
# in make check; with --enable-fuzz (clang) it is libFuzzer.
fuzz_targets = \
	tests/fuzz/fuzz_audit \
	tests/fuzz/fuzz_boot \
	tests/fuzz/fuzz_bundle \
	tests/fuzz/fuzz_cel \
	tests/fuzz/fuzz_crypto \
	tests/fuzz/fuzz_dcap \
	tests/fuzz/fuzz_dsse \
	tests/fuzz/fuzz_elf \
	tests/fuzz/fuzz_endorsements \
	tests/fuzz/fuzz_http \
	tests/fuzz/fuzz_ima \
	tests/fuzz/fuzz_json \
	tests/fuzz/fuzz_keylime_policy \
	tests/fuzz/fuzz_launch \
	tests/fuzz/fuzz_launch_wire \
	tests/fuzz/fuzz_modules \
	tests/fuzz/fuzz_pattern \
	tests/fuzz/fuzz_policy \
	tests/fuzz/fuzz_privsep \
	tests/fuzz/fuzz_receipt \
	tests/fuzz/fuzz_seal \
	tests/fuzz/fuzz_secrets \
	tests/fuzz/fuzz_sessions \
	tests/fuzz/fuzz_snp \
	tests/fuzz/fuzz_state \
	tests/fuzz/fuzz_text \
	tests/fuzz/fuzz_tpm \
	tests/fuzz/fuzz_wasm \
	tests/fuzz/fuzz_wire \
	tests/fuzz/fuzz_workload \
	tests/fuzz/fuzz_wipe \
	tests/fuzz/fuzz_yaml
EVIDENCE_FUZZ_LIBS = lib/evidence/libevidence.la lib/crypto/libcrypto.la lib/base/libbase.la $(OPENSSL_LIBS) $(FUZZ_LIBS)
tests_fuzz_fuzz_audit_LDADD = lib/store/libstore.la lib/crypto/libcrypto.la lib/base/libbase.la $(OPENSSL_LIBS) $(FUZZ_LIBS)
tests_fuzz_fuzz_seal_LDADD = $(EVIDENCE_FUZZ_LIBS)
tests_fuzz_fuzz_secrets_LDADD = lib/wire/libwire.la $(EVIDENCE_FUZZ_LIBS)
tests_fuzz_fuzz_sessions_LDADD = verifier/libverifier.la lib/crypto/libcrypto.la lib/base/libbase.la $(OPENSSL_LIBS) $(FUZZ_LIBS)
tests_fuzz_fuzz_boot_LDADD = $(EVIDENCE_FUZZ_LIBS)
tests_fuzz_fuzz_bundle_LDADD = $(EVIDENCE_FUZZ_LIBS)
tests_fuzz_fuzz_cel_LDADD = $(EVIDENCE_FUZZ_LIBS)
tests_fuzz_fuzz_crypto_LDADD = lib/crypto/libcrypto.la lib/base/libbase.la $(OPENSSL_LIBS) $(FUZZ_LIBS)
tests_fuzz_fuzz_ima_LDADD = $(EVIDENCE_FUZZ_LIBS)
tests_fuzz_fuzz_dcap_LDADD = $(EVIDENCE_FUZZ_LIBS)
tests_fuzz_fuzz_dsse_LDADD = lib/crypto/libcrypto.la lib/base/libbase.la $(OPENSSL_LIBS) $(FUZZ_LIBS)
tests_fuzz_fuzz_endorsements_LDADD = $(EVIDENCE_FUZZ_LIBS)
tests_fuzz_fuzz_keylime_policy_LDADD = lib/policy/libpolicy.la $(EVIDENCE_FUZZ_LIBS)
tests_fuzz_fuzz_launch_LDADD = $(EVIDENCE_FUZZ_LIBS)
tests_fuzz_fuzz_modules_LDADD = lib/policy/libpolicy.la $(EVIDENCE_FUZZ_LIBS)
tests_fuzz_fuzz_pattern_LDADD = lib/policy/libpolicy.la $(EVIDENCE_FUZZ_LIBS)
tests_fuzz_fuzz_policy_LDADD = lib/policy/libpolicy.la $(EVIDENCE_FUZZ_LIBS)
tests_fuzz_fuzz_receipt_LDADD = $(EVIDENCE_FUZZ_LIBS)
tests_fuzz_fuzz_snp_LDADD = $(EVIDENCE_FUZZ_LIBS)
tests_fuzz_fuzz_state_LDADD = $(EVIDENCE_FUZZ_LIBS)
tests_fuzz_fuzz_tpm_LDADD = $(EVIDENCE_FUZZ_LIBS)
tests_fuzz_fuzz_wipe_LDADD = $(EVIDENCE_FUZZ_LIBS)
tests_fuzz_fuzz_wasm_LDADD = $(EVIDENCE_FUZZ_LIBS)
tests_fuzz_fuzz_wire_LDADD = lib/wire/libwire.la $(EVIDENCE_FUZZ_LIBS)
tests_fuzz_fuzz_workload_LDADD = lib/wire/libwire.la $(EVIDENCE_FUZZ_LIBS)
tests_fuzz_fuzz_http_LDADD = lib/http/libhttp.la lib/base/libbase.la $(FUZZ_LIBS)
tests_fuzz_fuzz_elf_LDADD = lib/base/libbase.la $(FUZZ_LIBS)
tests_fuzz_fuzz_privsep_LDADD = agent/libboth.la lib/crypto/libcrypto.la lib/base/libbase.la $(OPENSSL_LIBS) $(FUZZ_LIBS)
tests_fuzz_fuzz_launch_wire_LDADD = agent/liblaunch.la $(OPENSSL_LIBS) $(FUZZ_LIBS)
tests_fuzz_fuzz_json_LDADD = lib/base/libbase.la $(FUZZ_LIBS)
tests_fuzz_fuzz_text_LDADD = lib/base/libbase.la $(FUZZ_LIBS)
tests_fuzz_fuzz_yaml_LDADD = lib/base/libbase.la $(FUZZ_LIBS)

check_PROGRAMS += $(fuzz_targets)
EXTRA_DIST += tests/fuzz/fuzz.h tests/fuzz/corpus
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
