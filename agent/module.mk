# SPDX-License-Identifier: Apache-2.0
# The halves are libraries, so that unit tests can link them: agent/libnet.la (net.mk), and the rest here.
noinst_LTLIBRARIES += agent/libagent.la
agent_libagent_la_SOURCES = \
	agent/conf.c agent/conf.h \
	agent/measure.c agent/measure.h \
	agent/pcr_log.c agent/pcr_log.h \
	agent/pcr_merge.c agent/pcr_merge.h \
	agent/privsep.c agent/privsep.h
agent_libagent_la_LIBADD = lib/evidence/libevidence.la lib/tpm/libtpm.la lib/crypto/libcrypto.la \
	lib/base/libbase.la $(SYSTEMD_LIBS)

include agent/net.mk
