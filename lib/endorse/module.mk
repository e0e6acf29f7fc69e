# SPDX-License-Identifier: Apache-2.0
# Vendors' endorsements of processors: what evidence needs, a cache, bundles, and the requests that fill it.
noinst_LTLIBRARIES += lib/endorse/libendorse.la
lib_endorse_libendorse_la_SOURCES = \
	lib/endorse/cache.c lib/endorse/cache.h \
	lib/endorse/fetch.c lib/endorse/fetch.h \
	lib/endorse/want.c lib/endorse/want.h
lib_endorse_libendorse_la_LIBADD = lib/http/libhttp.la lib/evidence/libevidence.la lib/crypto/libcrypto.la lib/base/libbase.la
