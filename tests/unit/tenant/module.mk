# SPDX-License-Identifier: Apache-2.0
check_PROGRAMS += tests/unit/tenant/test_options tests/unit/tenant/test_output
TESTS += tests/unit/tenant/test_options tests/unit/tenant/test_output
tests_unit_tenant_test_options_LDADD = tenant/libtenant.la $(TEST_LIBS)
tests_unit_tenant_test_output_LDADD = tenant/libtenant.la $(TEST_LIBS) $(JANSSON_LIBS)
check_PROGRAMS += tests/unit/tenant/test_hosts
TESTS += tests/unit/tenant/test_hosts tests/unit/tenant/test_commands.sh
EXTRA_DIST += tests/unit/tenant/test_commands.sh tests/unit/tenant/commands.py
tests_unit_tenant_test_hosts_LDADD = tenant/libtenant.la $(TEST_LIBS) $(JANSSON_LIBS)
TESTS += tests/unit/tenant/test_offline.sh tests/unit/tenant/test_manual.sh
EXTRA_DIST += tests/unit/tenant/test_offline.sh tests/unit/tenant/test_manual.sh
# Recorded evidence of processors, through the program
TESTS += tests/unit/tenant/test_tee_vectors.sh
EXTRA_DIST += tests/unit/tenant/test_tee_vectors.sh tests/unit/tenant/tee_vectors.py
TESTS += tests/unit/tenant/test_prepare.sh
EXTRA_DIST += tests/unit/tenant/test_prepare.sh
TESTS += tests/unit/tenant/test_policy_sources.sh
EXTRA_DIST += tests/unit/tenant/test_policy_sources.sh
TESTS += tests/unit/tenant/test_policy_layers.sh
EXTRA_DIST += tests/unit/tenant/test_policy_layers.sh
TESTS += tests/unit/tenant/test_policy_update.sh
EXTRA_DIST += tests/unit/tenant/test_policy_update.sh
TESTS += tests/unit/tenant/test_receipt.sh
EXTRA_DIST += tests/unit/tenant/test_receipt.sh
