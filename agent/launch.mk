# SPDX-License-Identifier: Apache-2.0
# The launcher, a program of its own beside the two halves, and avow-run, which asks it.
noinst_LTLIBRARIES += agent/liblaunch.la agent/liblaunchwire.la
agent_liblaunchwire_la_SOURCES = agent/launch_wire.c agent/launch_wire.h
agent_liblaunchwire_la_LIBADD = lib/base/libbase.la
agent_liblaunch_la_SOURCES = \
	agent/launch_copy.c agent/launch_copy.h \
	agent/launch_files.c agent/launch_files.h \
	agent/launch_folder.c agent/launch_folder.h \
	agent/launch_job.c agent/launch_job.h \
	agent/launch_job_ask.c \
	agent/launch_job_run.c \
	agent/launch_maps.c agent/launch_maps.h \
	agent/launch_output.c agent/launch_output.h \
	agent/launch_start.c agent/launch_start.h \
	agent/launcher.c agent/launcher.h
agent_liblaunch_la_LIBADD = agent/liblaunchwire.la agent/libboth.la lib/evidence/libevidence.la lib/crypto/libcrypto.la lib/base/libbase.la

pkglibexec_PROGRAMS += agent/avow-agent-launch
agent_avow_agent_launch_SOURCES = agent/launcher_main.c
agent_avow_agent_launch_LDADD = agent/liblaunch.la $(SYSTEMD_LIBS)

bin_PROGRAMS += agent/avow-run
agent_avow_run_SOURCES = agent/run_main.c
agent_avow_run_LDADD = agent/liblaunchwire.la lib/base/libbase.la $(SYSTEMD_LIBS)

nodewasidir = $(datadir)/avow
dist_nodewasi_DATA = contrib/wasm-runtimes/node-wasi.js
EXTRA_DIST += contrib/wasm-runtimes/install
