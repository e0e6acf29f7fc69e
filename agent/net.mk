# SPDX-License-Identifier: Apache-2.0
# The network half; agent/module.mk links it into avow-agent.
noinst_LTLIBRARIES += agent/libnet.la
agent_libnet_la_SOURCES = \
	agent/net.c agent/net.h \
	agent/net_backoff.c agent/net_backoff.h \
	agent/net_convert.c agent/net_convert.h \
	agent/net_flow.c agent/net_flow.h \
	agent/net_key.c agent/net_key.h \
	agent/net_listen.c agent/net_listen.h \
	agent/net_machine.h \
	agent/net_receipts.c \
	agent/net_release.c \
	agent/net_steps.c \
	agent/net_tpm.c agent/net_tpm.h \
	agent/net_wait.c agent/net_wait.h \
	agent/source_limit.c agent/source_limit.h
