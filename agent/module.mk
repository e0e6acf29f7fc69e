# SPDX-License-Identifier: Apache-2.0
# The halves are libraries, so that unit tests can link them: agent/libnet.la (net.mk) and agent/libagent.la, and
# what both need in agent/libboth.la.
noinst_LTLIBRARIES += agent/libboth.la
agent_libboth_la_SOURCES = \
	agent/acl.c agent/acl.h \
	agent/conf.c agent/conf.h \
	agent/conf_launch.c agent/conf_launch.h \
	agent/measure.c agent/measure.h \
	agent/peer.c agent/peer.h \
	agent/unix_listen.c agent/unix_listen.h \
	agent/watch.c agent/watch.h \
	agent/frame.c agent/frame.h \
	agent/launch_link.c agent/launch_link.h \
	agent/privsep.c agent/privsep.h
agent_libboth_la_LIBADD = lib/crypto/libcrypto.la lib/base/libbase.la
noinst_LTLIBRARIES += agent/libagent.la
agent_libagent_la_SOURCES = \
	agent/child.c agent/child.h \
	agent/counters.c agent/counters.h \
	agent/half.c agent/half.h agent/half_private.h \
	agent/half_answer.c \
	agent/half_launch.c \
	agent/half_logs.c \
	agent/half_receipts.c \
	agent/half_secrets.c \
	agent/half_trust.c \
	agent/identity.c agent/identity.h \
	agent/inventory.c agent/inventory.h \
	agent/kernel_list.c agent/kernel_list.h \
	agent/launch_ledger.c agent/launch_ledger.h \
	agent/launch_serve.c agent/launch_serve.h \
	agent/launch_permit.c agent/launch_permit.h agent/launch_permit_private.h \
	agent/launch_running.c \
	agent/local_hooks.c agent/local_hooks.h \
	agent/pcr_log.c agent/pcr_log.h \
	agent/pcr_merge.c agent/pcr_merge.h \
	agent/handout.c agent/handout.h \
	agent/handout_chain.c agent/handout_chain.h \
	agent/receipts.c agent/receipts.h \
	agent/seal_plain.c agent/seal_plain.h \
	agent/secret_files.c agent/secret_files.h \
	agent/secrets.c agent/secrets.h agent/secrets_private.h \
	agent/secrets_copies.c \
	agent/sockets.c agent/sockets.h \
	agent/tee.c agent/tee.h agent/tee_sev_guest.c agent/tee_tsm.c \
	agent/unit_stop.c agent/unit_stop.h \
	agent/verifier_keys.c agent/verifier_keys.h \
	agent/wipe.c agent/wipe.h agent/wipe_private.h \
	agent/wipe_journal.c agent/wipe_journal.h \
	agent/wipe_prove.c \
	agent/wipe_steps.c
agent_libagent_la_LIBADD = agent/libboth.la lib/wire/libwire.la lib/evidence/libevidence.la lib/tpm/libtpm.la lib/crypto/libcrypto.la \
	lib/base/libbase.la $(SYSTEMD_LIBS)

include agent/net.mk

sbin_PROGRAMS += agent/avow-agent
agent_avow_agent_SOURCES = agent/main.c
agent_avow_agent_LDADD = agent/libagent.la

# A program of its own, so that the half with the TPM loads no HTTP and the other one no TPM stack.
pkglibexec_PROGRAMS = agent/avow-agent-net
agent_avow_agent_net_SOURCES = agent/net_main.c agent/rights.c agent/rights.h
agent_avow_agent_net_LDADD = agent/libnet.la agent/libboth.la lib/http/libhttp.la lib/wire/libwire.la lib/evidence/libevidence.la \
	lib/crypto/libcrypto.la lib/base/libbase.la $(SYSTEMD_LIBS)
AM_CPPFLAGS += -DAVOW_LIBEXECDIR='"$(pkglibexecdir)"'

include agent/launch.mk
