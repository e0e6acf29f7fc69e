# SPDX-License-Identifier: Apache-2.0
wire_tests = \
	tests/unit/wire/test_ear \
	tests/unit/wire/test_event \
	tests/unit/wire/test_launch \
	tests/unit/wire/test_malformed \
	tests/unit/wire/test_messages \
	tests/unit/wire/test_registrar \
	tests/unit/wire/test_secrets \
	tests/unit/wire/test_small \
	tests/unit/wire/test_tee_ear \
	tests/unit/wire/test_workload
check_PROGRAMS += $(wire_tests)
TESTS += $(wire_tests)
EXTRA_DIST += tests/unit/wire/samples.h
wire_ldadd = lib/wire/libwire.la $(TEST_LIBS)
tests_unit_wire_test_event_LDADD = $(wire_ldadd)
tests_unit_wire_test_launch_LDADD = $(wire_ldadd) $(JANSSON_LIBS)
tests_unit_wire_test_malformed_LDADD = $(wire_ldadd)
tests_unit_wire_test_messages_LDADD = $(wire_ldadd)
tests_unit_wire_test_registrar_LDADD = $(wire_ldadd)
tests_unit_wire_test_secrets_LDADD = $(wire_ldadd)
tests_unit_wire_test_small_LDADD = $(wire_ldadd)
tests_unit_wire_test_tee_ear_LDADD = $(wire_ldadd)
tests_unit_wire_test_ear_LDADD = $(wire_ldadd)
tests_unit_wire_test_workload_LDADD = $(wire_ldadd) $(JANSSON_LIBS)
