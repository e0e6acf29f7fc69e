# SPDX-License-Identifier: Apache-2.0
base_tests = \
	tests/unit/base/test_closure \
	tests/unit/base/test_hex
check_PROGRAMS += $(base_tests)
TESTS += $(base_tests)
tests_unit_base_test_hex_LDADD = $(TEST_LIBS)
tests_unit_base_test_closure_LDADD = $(TEST_LIBS)
