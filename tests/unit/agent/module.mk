# SPDX-License-Identifier: Apache-2.0
agent_tests = \
	tests/unit/agent/test_acl \
	tests/unit/agent/test_conf \
	tests/unit/agent/test_agent_counters \
	tests/unit/agent/test_half \
	tests/unit/agent/test_handout \
	tests/unit/agent/test_kernel_list \
	tests/unit/agent/test_launcher \
	tests/unit/agent/test_launch_wire \
	tests/unit/agent/test_launch_link \
	tests/unit/agent/test_launches \
	tests/unit/agent/test_pcr_log \
	tests/unit/agent/test_power_loss \
	tests/unit/agent/test_privsep \
	tests/unit/agent/test_receipts \
	tests/unit/agent/test_store \
	tests/unit/agent/test_tee \
	tests/unit/agent/test_unit_stop \
	tests/unit/agent/test_wipe
check_PROGRAMS += $(agent_tests)
TESTS += $(agent_tests)
tests_unit_agent_test_acl_LDADD = agent/libagent.la $(TEST_LIBS)
tests_unit_agent_test_conf_LDADD = agent/libagent.la $(TEST_LIBS)
tests_unit_agent_test_agent_counters_SOURCES = tests/unit/agent/test_agent_counters.c tests/unit/tpm/swtpm.c
tests_unit_agent_test_agent_counters_LDADD = agent/libagent.la $(TEST_LIBS)
tests_unit_agent_test_pcr_log_SOURCES = tests/unit/agent/test_pcr_log.c tests/unit/tpm/swtpm.c
tests_unit_agent_test_pcr_log_LDADD = agent/libagent.la $(TEST_LIBS)
tests_unit_agent_test_pcr_log_LDFLAGS = $(AM_LDFLAGS) -Wl,--wrap=tpm_pcr_extend
# With fault points (base/fault.h): these files' objects stand in for the library's.
tests_unit_agent_test_power_loss_SOURCES = tests/unit/agent/test_power_loss.c tests/unit/agent/wipe_host.c \
	tests/unit/agent/wipe_host.h tests/unit/agent/launch_kit.c tests/unit/agent/launch_kit.h \
	tests/unit/tpm/swtpm.c agent/launch_running.c agent/pcr_log.c agent/wipe.c agent/wipe_prove.c agent/wipe_steps.c
tests_unit_agent_test_power_loss_CPPFLAGS = $(AM_CPPFLAGS) -DAVOW_FAULT_POINTS
tests_unit_agent_test_power_loss_LDADD = agent/libagent.la $(TEST_LIBS)
tests_unit_agent_test_receipts_SOURCES = tests/unit/agent/test_receipts.c tests/unit/agent/wipe_host.c \
	tests/unit/agent/wipe_host.h tests/unit/tpm/swtpm.c agent/receipts.c
tests_unit_agent_test_receipts_CPPFLAGS = $(AM_CPPFLAGS) -DAVOW_FAULT_POINTS
tests_unit_agent_test_receipts_LDADD = agent/libagent.la $(TEST_LIBS)
tests_unit_agent_test_kernel_list_LDADD = agent/libagent.la $(TEST_LIBS)
tests_unit_agent_test_launch_link_LDADD = agent/libagent.la $(TEST_LIBS)
tests_unit_agent_test_launches_SOURCES = tests/unit/agent/test_launches.c tests/unit/agent/launch_kit.c \
	tests/unit/agent/launch_kit.h tests/unit/agent/owner_kit.c tests/unit/agent/owner_kit.h \
	tests/unit/agent/wipe_host.c tests/unit/agent/wipe_host.h tests/unit/tpm/swtpm.c
tests_unit_agent_test_launches_LDADD = agent/libagent.la $(TEST_LIBS)
tests_unit_agent_test_launch_wire_LDADD = agent/liblaunch.la $(TEST_LIBS) $(SYSTEMD_LIBS)
tests_unit_agent_test_launcher_LDADD = agent/liblaunch.la $(TEST_LIBS) $(SYSTEMD_LIBS)
tests_unit_agent_test_privsep_LDADD = agent/libagent.la $(TEST_LIBS)
tests_unit_agent_test_tee_LDADD = tests/support/libfaketsm.la agent/libagent.la $(TEST_LIBS)
tests_unit_agent_test_tee_LDFLAGS = $(AM_LDFLAGS) -Wl,--wrap=ioctl
tests_unit_agent_test_unit_stop_SOURCES = tests/unit/agent/test_unit_stop.c tests/unit/agent/wipe_host.c \
	tests/unit/agent/wipe_host.h tests/unit/tpm/swtpm.c
tests_unit_agent_test_unit_stop_LDADD = agent/libagent.la $(TEST_LIBS) $(SYSTEMD_LIBS)
tests_unit_agent_test_wipe_SOURCES = tests/unit/agent/test_wipe.c tests/unit/agent/wipe_host.c \
	tests/unit/agent/wipe_host.h tests/unit/tpm/swtpm.c
tests_unit_agent_test_wipe_LDADD = agent/libagent.la $(TEST_LIBS)
include tests/unit/agent/net.mk
tests_unit_agent_test_half_SOURCES = tests/unit/agent/test_half.c tests/unit/tpm/swtpm.c
tests_unit_agent_test_half_LDADD = agent/libagent.la $(TEST_LIBS)
tests_unit_agent_test_handout_SOURCES = tests/unit/agent/test_handout.c tests/unit/agent/owner_kit.c \
	tests/unit/agent/owner_kit.h tests/unit/tpm/swtpm.c
tests_unit_agent_test_handout_LDADD = agent/libagent.la $(TEST_LIBS)
check_PROGRAMS += tests/unit/agent/confidential_guest
tests_unit_agent_confidential_guest_LDADD = tests/support/libfaketsm.la tests/support/libsnpforge.la \
	lib/evidence/libevidence.la lib/crypto/libcrypto.la $(TEST_LIBS)
check_PROGRAMS += tests/unit/agent/put_secret
tests_unit_agent_put_secret_SOURCES = tests/unit/agent/put_secret.c tests/unit/agent/owner_kit.c \
	tests/unit/agent/owner_kit.h
tests_unit_agent_put_secret_LDADD = agent/libagent.la $(TEST_LIBS)
tests_unit_agent_test_store_SOURCES = tests/unit/agent/test_store.c tests/unit/agent/owner_kit.c \
	tests/unit/agent/owner_kit.h tests/unit/tpm/swtpm.c
tests_unit_agent_test_store_LDADD = agent/libagent.la $(TEST_LIBS)
tests_unit_agent_test_store_LDFLAGS = $(AM_LDFLAGS) -Wl,--wrap=file_write -Wl,--wrap=file_append
