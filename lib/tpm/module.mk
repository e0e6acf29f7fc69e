# SPDX-License-Identifier: Apache-2.0
noinst_LTLIBRARIES += lib/tpm/libtpm.la
lib_tpm_libtpm_la_SOURCES = \
	lib/tpm/ak.c lib/tpm/ak.h lib/tpm/ak_private.h \
	lib/tpm/attest.c \
	lib/tpm/context.c lib/tpm/context.h \
	lib/tpm/ek.c lib/tpm/ek.h \
	lib/tpm/info.c \
	lib/tpm/marshal.c \
	lib/tpm/nv.c \
	lib/tpm/nv_counter.c lib/tpm/nv_counter.h \
	lib/tpm/parent.c lib/tpm/parent.h \
	lib/tpm/pcrs.c lib/tpm/pcrs.h \
	lib/tpm/policy.c lib/tpm/policy.h \
	lib/tpm/private.h \
	lib/tpm/seal.c lib/tpm/seal.h \
	lib/tpm/unseal.c
lib_tpm_libtpm_la_LIBADD = lib/crypto/libcrypto.la lib/base/libbase.la $(TSS2_LIBS)
