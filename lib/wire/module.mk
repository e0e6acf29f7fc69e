# SPDX-License-Identifier: Apache-2.0
noinst_LTLIBRARIES += lib/wire/libwire.la
lib_wire_libwire_la_SOURCES = \
	lib/wire/approval.c lib/wire/approval.h \
	lib/wire/ask.c lib/wire/ask.h \
	lib/wire/attestation.c lib/wire/attestation.h \
	lib/wire/capabilities.c lib/wire/capabilities.h \
	lib/wire/ear.c lib/wire/ear.h \
	lib/wire/envelope.c lib/wire/envelope.h \
	lib/wire/event.c lib/wire/event.h \
	lib/wire/evidence.c lib/wire/evidence.h \
	lib/wire/field.c lib/wire/field.h lib/wire/field_key.c \
	lib/wire/launch.c lib/wire/launch.h \
	lib/wire/meta.c lib/wire/meta.h \
	lib/wire/owner.c lib/wire/owner.h \
	lib/wire/permit.c lib/wire/permit.h \
	lib/wire/problem.c lib/wire/problem.h \
	lib/wire/refusal.c lib/wire/refusal.h \
	lib/wire/receipts.c lib/wire/receipts.h \
	lib/wire/registration.c lib/wire/registration.h \
	lib/wire/release.c lib/wire/release.h \
	lib/wire/retry.c lib/wire/retry.h \
	lib/wire/secret_file.c lib/wire/secret_file.h \
	lib/wire/session.c lib/wire/session.h \
	lib/wire/tee_ear.c lib/wire/tee_ear.h \
	lib/wire/target.c lib/wire/target.h \
	lib/wire/v2host.c lib/wire/v2host.h \
	lib/wire/version.c lib/wire/version.h \
	lib/wire/workload.c lib/wire/workload.h \
	lib/wire/wire.c lib/wire/wire.h
lib_wire_libwire_la_LIBADD = lib/evidence/libevidence.la lib/crypto/libcrypto.la lib/base/libbase.la
