# SPDX-License-Identifier: Apache-2.0
noinst_LTLIBRARIES += registrar/libregistrar.la
registrar_libregistrar_la_SOURCES = \
	registrar/ak_ca.c \
	registrar/candidates.c registrar/candidates.h \
	registrar/enrol.c registrar/enrol.h \
	registrar/settings.c registrar/settings.h
registrar_libregistrar_la_LIBADD = lib/store/libstore.la lib/http/libhttp.la lib/wire/libwire.la \
	lib/evidence/libevidence.la lib/crypto/libcrypto.la lib/base/libbase.la $(JANSSON_LIBS)
