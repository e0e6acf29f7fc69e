# SPDX-License-Identifier: Apache-2.0
noinst_LTLIBRARIES += lib/store/libstore.la
lib_store_libstore_la_SOURCES = \
	lib/store/engine.h \
	lib/store/registrar_db.c lib/store/registrar_db.h \
	lib/store/registrar_schema.c lib/store/registrar_schema.h \
	lib/store/sqlite.c \
	lib/store/store.c lib/store/store.h
lib_store_libstore_la_LIBADD = $(SQLITE_LIBS) -lpthread
