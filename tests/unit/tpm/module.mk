# SPDX-License-Identifier: Apache-2.0
check_PROGRAMS += tests/unit/tpm/test_tpm
TESTS += tests/unit/tpm/test_tpm
tests_unit_tpm_test_tpm_SOURCES = tests/unit/tpm/test_tpm.c tests/unit/tpm/swtpm.c tests/unit/tpm/swtpm.h
tests_unit_tpm_test_tpm_LDADD = lib/tpm/libtpm.la $(TEST_LIBS)
