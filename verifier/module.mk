# SPDX-License-Identifier: Apache-2.0
noinst_LTLIBRARIES += verifier/libverifier.la
verifier_libverifier_la_SOURCES = \
	verifier/approvals_routes.c \
	verifier/adapter.c verifier/adapter.h verifier/adapter_enarx.c verifier/adapter_spiffe.c \
	verifier/adopt.c verifier/adopt.h \
	verifier/appraise_away.c verifier/appraise_away.h \
	verifier/attest.c verifier/attest.h \
	verifier/challenges.c verifier/challenges.h \
	verifier/endorsed.c verifier/endorsed.h \
	verifier/enrol.c verifier/enrol.h \
	verifier/events.c verifier/events.h \
	verifier/evidence.c \
	verifier/generation.c \
	verifier/fuse.c verifier/fuse.h \
	verifier/gather.c verifier/gather.h \
	verifier/holds.c verifier/holds.h \
	verifier/hosts.c verifier/hosts.h \
	verifier/hosts_routes.c \
	verifier/keys.c verifier/keys.h \
	verifier/launch.c \
	verifier/load.c \
	verifier/monitor_routes.c \
	verifier/modules.c verifier/modules.h verifier/modules_routes.c \
	verifier/outbox.c verifier/outbox.h verifier/outbox_renumber.c verifier/outbox_renumber.h \
	verifier/permits.c verifier/permits.h \
	verifier/policies_routes.c verifier/policy_desk.h \
	verifier/policy_test.c verifier/policy_test.h \
	verifier/react.c verifier/react.h \
	verifier/proofs.c verifier/proofs.h \
	verifier/record.c \
	verifier/records_routes.c \
	verifier/release.c verifier/release.h \
	verifier/receipts.c \
	verifier/releases.c verifier/releases.h \
	verifier/result_routes.c \
	verifier/results.c verifier/results.h \
	verifier/reply.c verifier/reply.h \
	verifier/revocation.c verifier/revocation.h \
	verifier/rules.c verifier/rules.h \
	verifier/session_routes.c \
	verifier/secrets.c verifier/secrets.h \
	verifier/secrets_routes.c \
	verifier/sessions.c verifier/sessions.h \
	verifier/signers.c verifier/signers.h \
	verifier/settings.c verifier/settings.h \
	verifier/status_routes.c \
	verifier/trial.c verifier/trial.h \
	verifier/trust.c verifier/trust.h \
	verifier/trust_routes.c \
	verifier/v2_routes.c \
	verifier/verifier.c verifier/verifier.h \
	verifier/view.c verifier/view.h \
	verifier/wait.c verifier/wait.h \
	verifier/watch.c \
	verifier/workload_judge.c verifier/workload_judge.h \
	verifier/workload_routes.c \
	verifier/workloads.c verifier/workloads.h
nodist_verifier_libverifier_la_SOURCES = verifier/openapi.c
sbin_PROGRAMS += verifier/avow-verifier
verifier_avow_verifier_SOURCES = verifier/main.c
verifier_avow_verifier_LDADD = verifier/libverifier.la lib/endorse/libendorse.la lib/store/libstore.la lib/http/libhttp.la \
	lib/wire/libwire.la lib/policy/libpolicy.la lib/evidence/libevidence.la lib/crypto/libcrypto.la \
	lib/base/libbase.la $(SQLITE_LIBS) $(CURL_LIBS) $(EVENT_LIBS) $(SYSTEMD_LIBS) $(JANSSON_LIBS) $(OPENSSL_LIBS) -lpthread
