# SPDX-License-Identifier: Apache-2.0
agent_tests = \
	tests/unit/agent/test_conf \
	tests/unit/agent/test_privsep
check_PROGRAMS += $(agent_tests)
TESTS += $(agent_tests)
tests_unit_agent_test_conf_LDADD = agent/libagent.la $(TEST_LIBS)
tests_unit_agent_test_privsep_LDADD = agent/libagent.la $(TEST_LIBS)
