# SPDX-License-Identifier: Apache-2.0
verifier_tests = \
	tests/unit/verifier/test_gather \
	tests/unit/verifier/test_hosts \
	tests/unit/verifier/test_keys \
	tests/unit/verifier/test_modules \
	tests/unit/verifier/test_releases \
	tests/unit/verifier/test_results \
	tests/unit/verifier/test_secrets \
	tests/unit/verifier/test_sessions \
	tests/unit/verifier/test_signers \
	tests/unit/verifier/test_trust \
	tests/unit/verifier/test_workloads
check_PROGRAMS += $(verifier_tests)
TESTS += $(verifier_tests)
verifier_test_libs = verifier/libverifier.la lib/endorse/libendorse.la lib/store/libstore.la lib/http/libhttp.la lib/wire/libwire.la \
	lib/policy/libpolicy.la lib/evidence/libevidence.la lib/crypto/libcrypto.la $(TEST_LIBS)
tests_unit_verifier_test_hosts_LDADD = tests/support/libplaytpm.la $(verifier_test_libs)
tests_unit_verifier_test_gather_LDADD = $(verifier_test_libs)
tests_unit_verifier_test_secrets_LDADD = $(verifier_test_libs)
tests_unit_verifier_test_sessions_LDADD = $(verifier_test_libs)
tests_unit_verifier_test_keys_LDADD = $(verifier_test_libs)
tests_unit_verifier_test_workloads_LDADD = $(verifier_test_libs) -lpthread
tests_unit_verifier_test_signers_LDADD = $(verifier_test_libs)
tests_unit_verifier_test_trust_LDADD = $(verifier_test_libs)
tests_unit_verifier_test_modules_LDADD = $(verifier_test_libs)
tests_unit_verifier_test_releases_LDADD = $(verifier_test_libs)
tests_unit_verifier_test_results_LDADD = tests/support/libplaytpm.la $(verifier_test_libs)
