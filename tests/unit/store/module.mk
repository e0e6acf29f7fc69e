# SPDX-License-Identifier: Apache-2.0
store_tests = \
	tests/unit/store/test_audit \
	tests/unit/store/test_hooks_db \
	tests/unit/store/test_registrar_db \
	tests/unit/store/test_store \
	tests/unit/store/test_verifier_db \
	tests/unit/store/test_verifier_generation \
	tests/unit/store/test_verifier_keys \
	tests/unit/store/test_verifier_receipts \
	tests/unit/store/test_verifier_workloads \
	tests/unit/store/test_verifier_outbox \
	tests/unit/store/test_verifier_secrets
check_PROGRAMS += $(store_tests)
TESTS += $(store_tests)
EXTRA_DIST += tests/unit/store/pump.h tests/unit/store/verifier_store.h
tests_unit_store_test_audit_LDADD = lib/store/libstore.la $(TEST_LIBS)
tests_unit_store_test_hooks_db_LDADD = lib/store/libstore.la $(TEST_LIBS)
tests_unit_store_test_registrar_db_LDADD = lib/store/libstore.la $(TEST_LIBS)
tests_unit_store_test_store_LDADD = lib/store/libstore.la $(TEST_LIBS)
tests_unit_store_test_verifier_db_LDADD = lib/store/libstore.la $(TEST_LIBS)
tests_unit_store_test_verifier_generation_LDADD = lib/store/libstore.la $(TEST_LIBS)
tests_unit_store_test_verifier_outbox_LDADD = lib/store/libstore.la $(TEST_LIBS)
tests_unit_store_test_verifier_secrets_LDADD = lib/store/libstore.la $(TEST_LIBS)
tests_unit_store_test_verifier_keys_LDADD = lib/store/libstore.la $(TEST_LIBS)
tests_unit_store_test_verifier_receipts_LDADD = lib/store/libstore.la lib/evidence/libevidence.la lib/crypto/libcrypto.la $(TEST_LIBS)
tests_unit_store_test_verifier_workloads_LDADD = lib/store/libstore.la $(TEST_LIBS)
