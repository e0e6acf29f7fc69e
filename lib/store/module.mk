# SPDX-License-Identifier: Apache-2.0
noinst_LTLIBRARIES += lib/store/libstore.la
lib_store_libstore_la_SOURCES = \
	lib/store/audit.c lib/store/audit.h \
	lib/store/copy.h \
	lib/store/engine.h \
	lib/store/hooks_db.c lib/store/hooks_db.h \
	lib/store/hooks_outbox.c lib/store/hooks_proof.c lib/store/hooks_prune.c \
	lib/store/hooks_request.c lib/store/hooks_request.h \
	lib/store/hooks_schema.c \
	lib/store/registrar_db.c lib/store/registrar_db.h \
	lib/store/registrar_schema.c lib/store/registrar_schema.h \
	lib/store/sqlite.c \
	lib/store/store.c lib/store/store.h \
	lib/store/verifier_db.c lib/store/verifier_db.h \
	lib/store/verifier_generation.c lib/store/verifier_generation.h \
	lib/store/verifier_history.c \
	lib/store/verifier_hosts.c \
	lib/store/verifier_keys.c lib/store/verifier_keys.h \
	lib/store/verifier_logs.c \
	lib/store/verifier_outbox.c lib/store/verifier_outbox.h \
	lib/store/verifier_permits.c lib/store/verifier_permits.h \
	lib/store/verifier_policies.c \
	lib/store/verifier_request.h \
	lib/store/verifier_revocations.c lib/store/verifier_revocations.h \
	lib/store/verifier_schema.c \
	lib/store/verifier_secrets.c lib/store/verifier_secrets.h \
	lib/store/verifier_receipts.c lib/store/verifier_receipts.h \
	lib/store/verifier_workloads.c lib/store/verifier_workloads.h
lib_store_libstore_la_LIBADD = lib/crypto/libcrypto.la $(SQLITE_LIBS) -lpthread
