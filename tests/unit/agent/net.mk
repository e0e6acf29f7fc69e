# SPDX-License-Identifier: Apache-2.0
# The network half's tests.
net_tests = \
	tests/unit/agent/test_net_convert \
	tests/unit/agent/test_net_flow \
	tests/unit/agent/test_net_key \
	tests/unit/agent/test_net_run \
	tests/unit/agent/test_net_wait \
	tests/unit/agent/test_source_limit
check_PROGRAMS += $(net_tests)
TESTS += $(net_tests)
EXTRA_DIST += tests/unit/agent/net_fake.h
net_ldadd = agent/libnet.la agent/libboth.la lib/http/libhttp.la lib/wire/libwire.la lib/evidence/libevidence.la \
	lib/crypto/libcrypto.la $(TEST_LIBS)
tests_unit_agent_test_net_convert_LDADD = $(net_ldadd)
tests_unit_agent_test_net_flow_LDADD = $(net_ldadd)
tests_unit_agent_test_net_key_LDADD = $(net_ldadd)
tests_unit_agent_test_net_run_LDADD = $(net_ldadd)
tests_unit_agent_test_net_wait_LDADD = $(net_ldadd)
tests_unit_agent_test_source_limit_LDADD = $(net_ldadd)
