# SPDX-License-Identifier: Apache-2.0
evidence_tests = \
	tests/unit/evidence/test_authenticate \
	tests/unit/evidence/test_bootlog \
	tests/unit/evidence/test_bootlog_events \
	tests/unit/evidence/test_bundle \
	tests/unit/evidence/test_ccel \
	tests/unit/evidence/test_cel \
	tests/unit/evidence/test_counters \
	tests/unit/evidence/test_dcap \
	tests/unit/evidence/test_dcap_vectors \
	tests/unit/evidence/test_ima \
	tests/unit/evidence/test_ima_table \
	tests/unit/evidence/test_ima_memory \
	tests/unit/evidence/test_launch \
	tests/unit/evidence/test_pcr \
	tests/unit/evidence/test_quote \
	tests/unit/evidence/test_receipt \
	tests/unit/evidence/test_sealed \
	tests/unit/evidence/test_snp \
	tests/unit/evidence/test_snp_form \
	tests/unit/evidence/test_snp_vectors \
	tests/unit/evidence/test_svsm \
	tests/unit/evidence/test_tee_binding \
	tests/unit/evidence/test_tee_types \
	tests/unit/evidence/test_tpm_public \
	tests/unit/evidence/test_tss2_pem \
	tests/unit/evidence/test_verdict \
	tests/unit/evidence/test_wasm \
	tests/unit/evidence/test_wasm_vectors \
	tests/unit/evidence/test_wipe_proof
check_PROGRAMS += $(evidence_tests)
TESTS += $(evidence_tests)
check_LTLIBRARIES += tests/unit/evidence/libvectors.la
tests_unit_evidence_libvectors_la_SOURCES = tests/unit/evidence/vectors.c tests/unit/evidence/vectors.h
tests_unit_evidence_libvectors_la_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
EVIDENCE_TEST_LIBS = tests/unit/evidence/libvectors.la tests/support/libplaytpm.la \
	lib/evidence/libevidence.la lib/crypto/libcrypto.la $(TEST_LIBS) $(OPENSSL_LIBS)
tests_unit_evidence_test_authenticate_LDADD = $(EVIDENCE_TEST_LIBS)
tests_unit_evidence_test_bootlog_LDADD = $(EVIDENCE_TEST_LIBS)
tests_unit_evidence_test_bootlog_events_LDADD = $(EVIDENCE_TEST_LIBS)
tests_unit_evidence_test_bundle_LDADD = $(EVIDENCE_TEST_LIBS)
tests_unit_evidence_test_ccel_LDADD = $(EVIDENCE_TEST_LIBS)
tests_unit_evidence_test_cel_LDADD = $(EVIDENCE_TEST_LIBS)
tests_unit_evidence_test_counters_LDADD = $(EVIDENCE_TEST_LIBS)
dcap_kit = tests/unit/evidence/dcap_kit.c tests/unit/evidence/dcap_kit.h
tests_unit_evidence_test_dcap_SOURCES = tests/unit/evidence/test_dcap.c $(dcap_kit)
tests_unit_evidence_test_dcap_vectors_SOURCES = tests/unit/evidence/test_dcap_vectors.c $(dcap_kit)
tests_unit_evidence_test_dcap_LDADD = tests/support/libsoftquote.la $(EVIDENCE_TEST_LIBS)
tests_unit_evidence_test_dcap_vectors_LDADD = $(EVIDENCE_TEST_LIBS)
tests_unit_evidence_test_ima_LDADD = $(EVIDENCE_TEST_LIBS)
tests_unit_evidence_test_ima_table_LDADD = $(EVIDENCE_TEST_LIBS)
tests_unit_evidence_test_ima_memory_LDADD = $(EVIDENCE_TEST_LIBS) $(JANSSON_LIBS)
tests_unit_evidence_test_launch_LDADD = $(EVIDENCE_TEST_LIBS) $(JANSSON_LIBS)
tests_unit_evidence_test_pcr_LDADD = $(EVIDENCE_TEST_LIBS)
tests_unit_evidence_test_quote_LDADD = $(EVIDENCE_TEST_LIBS)
tests_unit_evidence_test_receipt_LDADD = $(EVIDENCE_TEST_LIBS)
tests_unit_evidence_test_sealed_LDADD = $(EVIDENCE_TEST_LIBS)
tests_unit_evidence_test_snp_LDADD = tests/support/libsnpforge.la $(EVIDENCE_TEST_LIBS)
tests_unit_evidence_test_snp_form_LDADD = tests/support/libsnpforge.la $(EVIDENCE_TEST_LIBS)
tests_unit_evidence_test_snp_vectors_LDADD = $(EVIDENCE_TEST_LIBS) $(JANSSON_LIBS)
tests_unit_evidence_test_svsm_LDADD = $(EVIDENCE_TEST_LIBS)
tests_unit_evidence_test_tee_types_LDADD = tests/support/libsnpforge.la $(EVIDENCE_TEST_LIBS) $(JANSSON_LIBS)
tests_unit_evidence_test_tee_binding_LDADD = tests/support/libsnpforge.la $(EVIDENCE_TEST_LIBS)
tests_unit_evidence_test_tpm_public_LDADD = $(EVIDENCE_TEST_LIBS)
tests_unit_evidence_test_tss2_pem_LDADD = $(EVIDENCE_TEST_LIBS)
tests_unit_evidence_test_verdict_LDADD = $(EVIDENCE_TEST_LIBS)
tests_unit_evidence_test_wasm_LDADD = $(EVIDENCE_TEST_LIBS)
tests_unit_evidence_test_wasm_vectors_LDADD = $(EVIDENCE_TEST_LIBS)
tests_unit_evidence_test_wipe_proof_LDADD = $(EVIDENCE_TEST_LIBS)
# The walk over every bit of a real bundle
check_PROGRAMS += tests/unit/evidence/bit_walk
tests_unit_evidence_bit_walk_LDADD = lib/policy/libpolicy.la lib/evidence/libevidence.la \
	lib/crypto/libcrypto.la lib/base/libbase.la $(OPENSSL_LIBS) $(JANSSON_LIBS)
dist_check_SCRIPTS += tests/unit/evidence/bit-walk.sh
TESTS += tests/unit/evidence/bit-walk.sh
EXTRA_DIST += tests/vectors/boot tests/vectors/bundle tests/vectors/ima \
	tests/vectors/ek/ecc384.pub tests/vectors/ek/ecc521.pub tests/vectors/ek/rsa3072.pub
