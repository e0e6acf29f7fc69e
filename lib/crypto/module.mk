# SPDX-License-Identifier: Apache-2.0
noinst_LTLIBRARIES += lib/crypto/libcrypto.la
lib_crypto_libcrypto_la_SOURCES = \
	lib/crypto/authpolicy.c lib/crypto/authpolicy.h \
	lib/crypto/cert.c lib/crypto/cert.h \
	lib/crypto/cert_ask.c lib/crypto/cert_ask.h \
	lib/crypto/cert_ext.c lib/crypto/cert_ext.h \
	lib/crypto/cert_issue.c \
	lib/crypto/cert_tpm.c lib/crypto/cert_tpm.h \
	lib/crypto/credential.c lib/crypto/credential.h \
	lib/crypto/crl.c lib/crypto/crl.h \
	lib/crypto/der.c lib/crypto/der.h \
	lib/crypto/digest.c lib/crypto/digest.h \
	lib/crypto/gcm.c lib/crypto/gcm.h \
	lib/crypto/digest_short.c lib/crypto/digest_short.h \
	lib/crypto/dsse.c lib/crypto/dsse.h \
	lib/crypto/hmac.c \
	lib/crypto/ecdsa_find.c lib/crypto/ecdsa_find.h \
	lib/crypto/ed25519.c lib/crypto/ed25519.h \
	lib/crypto/jwks.c lib/crypto/jwks.h \
	lib/crypto/import_blob.c lib/crypto/import_blob.h \
	lib/crypto/jws.c lib/crypto/jws.h \
	lib/crypto/kdf.c lib/crypto/kdf.h \
	lib/crypto/key.c lib/crypto/key.h \
	lib/crypto/nkey.c lib/crypto/nkey.h \
	lib/crypto/ossl.c lib/crypto/ossl.h lib/crypto/ossl_pss.h \
	lib/crypto/pubkey.c lib/crypto/pubkey.h \
	lib/crypto/random.c lib/crypto/random.h \
	lib/crypto/seed.c lib/crypto/seed.h \
	lib/crypto/skew.h \
	lib/crypto/tls.c lib/crypto/tls.h \
	lib/crypto/tpm_key.c lib/crypto/tpm_key.h \
	lib/crypto/trust.c lib/crypto/trust.h \
	lib/crypto/verify.c
lib_crypto_libcrypto_la_LIBADD = lib/base/libbase.la $(OPENSSL_LIBS)
