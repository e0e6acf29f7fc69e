# SPDX-License-Identifier: Apache-2.0
# The HTTP server, the client, the loop they share, and what operators ask a server.
noinst_LTLIBRARIES += lib/http/libhttp.la
lib_http_libhttp_la_SOURCES = \
	lib/http/answer.c \
	lib/http/chunks.c \
	lib/http/client.c lib/http/client.h \
	lib/http/conn.c \
	lib/http/fetch.c \
	lib/http/head.c lib/http/head.h \
	lib/http/loop.c lib/http/loop.h \
	lib/http/metrics.c lib/http/metrics.h \
	lib/http/ops.c lib/http/ops.h \
	lib/http/peer.c \
	lib/http/request.c \
	lib/http/role.c lib/http/role.h \
	lib/http/router.c lib/http/router.h \
	lib/http/server.c lib/http/server.h lib/http/server_impl.h \
	lib/http/workers.c lib/http/workers.h
lib_http_libhttp_la_LIBADD = lib/wire/libwire.la lib/crypto/libcrypto.la lib/base/libbase.la $(EVENT_LIBS) $(OPENSSL_LIBS) \
	$(CURL_LIBS) $(SYSTEMD_LIBS) $(JANSSON_LIBS)
