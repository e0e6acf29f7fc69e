# SPDX-License-Identifier: Apache-2.0
base_tests = \
	tests/unit/base/test_base64 \
	tests/unit/base/test_bytes \
	tests/unit/base/test_clock \
	tests/unit/base/test_closure \
	tests/unit/base/test_conf \
	tests/unit/base/test_file \
	tests/unit/base/test_hex \
	tests/unit/base/test_json \
	tests/unit/base/test_json_out \
	tests/unit/base/test_map \
	tests/unit/base/test_mem \
	tests/unit/base/test_str \
	tests/unit/base/test_yaml
check_PROGRAMS += $(base_tests)
TESTS += $(base_tests)
tests_unit_base_test_base64_LDADD = $(TEST_LIBS)
tests_unit_base_test_bytes_LDADD = $(TEST_LIBS)
tests_unit_base_test_clock_LDADD = $(TEST_LIBS)
tests_unit_base_test_closure_LDADD = $(TEST_LIBS)
tests_unit_base_test_conf_LDADD = $(TEST_LIBS)
tests_unit_base_test_file_LDADD = $(TEST_LIBS)
tests_unit_base_test_hex_LDADD = $(TEST_LIBS)
tests_unit_base_test_json_LDADD = $(TEST_LIBS)
tests_unit_base_test_json_out_LDADD = $(TEST_LIBS)
tests_unit_base_test_map_LDADD = $(TEST_LIBS)
tests_unit_base_test_mem_LDADD = $(TEST_LIBS)
tests_unit_base_test_str_LDADD = $(TEST_LIBS)
tests_unit_base_test_yaml_LDADD = $(TEST_LIBS)
tests_unit_base_test_file_LDFLAGS = $(AM_LDFLAGS) -Wl,--wrap=write -Wl,--wrap=fsync -Wl,--wrap=rename
