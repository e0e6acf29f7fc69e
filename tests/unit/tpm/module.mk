# SPDX-License-Identifier: Apache-2.0
check_PROGRAMS += tests/unit/tpm/test_tpm
TESTS += tests/unit/tpm/test_tpm
tests_unit_tpm_test_tpm_SOURCES = tests/unit/tpm/test_tpm.c tests/unit/tpm/swtpm.c tests/unit/tpm/swtpm.h
tests_unit_tpm_test_tpm_LDADD = lib/tpm/libtpm.la $(TEST_LIBS)
seal_tests = tests/unit/tpm/test_nv_counter tests/unit/tpm/test_seal
check_PROGRAMS += $(seal_tests)
TESTS += $(seal_tests)
seal_fixture = tests/unit/tpm/seal_host.c tests/unit/tpm/seal_host.h tests/unit/tpm/swtpm.c tests/unit/tpm/swtpm.h
SEAL_TEST_LIBS = lib/tpm/libtpm.la lib/evidence/libevidence.la $(TEST_LIBS)
tests_unit_tpm_test_nv_counter_SOURCES = tests/unit/tpm/test_nv_counter.c $(seal_fixture)
tests_unit_tpm_test_nv_counter_LDADD = $(SEAL_TEST_LIBS)
tests_unit_tpm_test_seal_SOURCES = tests/unit/tpm/test_seal.c $(seal_fixture)
tests_unit_tpm_test_seal_LDADD = $(SEAL_TEST_LIBS)
tests_unit_tpm_test_seal_LDFLAGS = $(AM_LDFLAGS) -Wl,--wrap=Esys_Unseal
