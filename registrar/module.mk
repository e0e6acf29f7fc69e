# SPDX-License-Identifier: Apache-2.0
sbin_PROGRAMS += registrar/avow-registrar
noinst_LTLIBRARIES += registrar/libregistrar.la
registrar_libregistrar_la_SOURCES = \
	registrar/ak_ca.c \
	registrar/api_hooks.c \
	registrar/api_native.c registrar/api_proofs.c registrar/api_revocations.c registrar/api_status.c \
	registrar/api_v2.c \
	registrar/candidates.c registrar/candidates.h \
	registrar/delivery.c registrar/delivery.h registrar/delivery_impl.h \
	registrar/delivery_agent.c registrar/delivery_kinds.c registrar/delivery_setup.c registrar/delivery_targets.c \
	registrar/enrol.c registrar/enrol.h \
	registrar/exec_hook.c registrar/exec_hook.h \
	registrar/keep.c registrar/keep.h \
	registrar/networks.c registrar/networks.h \
	registrar/registrar.c registrar/registrar.h \
	registrar/settings.c registrar/settings.h
nodist_registrar_libregistrar_la_SOURCES = registrar/openapi.c
registrar_libregistrar_la_LIBADD = lib/store/libstore.la lib/http/libhttp.la lib/wire/libwire.la \
	lib/evidence/libevidence.la lib/crypto/libcrypto.la lib/base/libbase.la $(SYSTEMD_LIBS) $(JANSSON_LIBS)
registrar_avow_registrar_SOURCES = registrar/main.c
registrar_avow_registrar_LDADD = registrar/libregistrar.la
