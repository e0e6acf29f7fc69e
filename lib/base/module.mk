# SPDX-License-Identifier: Apache-2.0
noinst_LTLIBRARIES += lib/base/libbase.la
lib_base_libbase_la_SOURCES = \
	lib/base/bytes.c lib/base/bytes.h \
	lib/base/err.c lib/base/err.h \
	lib/base/macro.h \
	lib/base/mem.c lib/base/mem.h
lib_base_libbase_la_LIBADD = $(JANSSON_LIBS) $(YAML_LIBS) $(SYSTEMD_LIBS)
