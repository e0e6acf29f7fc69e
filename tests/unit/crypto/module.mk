# SPDX-License-Identifier: Apache-2.0
crypto_tests = \
	tests/unit/crypto/test_cert \
	tests/unit/crypto/test_credential \
	tests/unit/crypto/test_crl \
	tests/unit/crypto/test_digest \
	tests/unit/crypto/test_dsse \
	tests/unit/crypto/test_gcm \
	tests/unit/crypto/test_ecdsa_find \
	tests/unit/crypto/test_ed25519 \
	tests/unit/crypto/test_jws \
	tests/unit/crypto/test_pubkey \
	tests/unit/crypto/test_tls \
	tests/unit/crypto/test_trust
check_PROGRAMS += $(crypto_tests)
TESTS += $(crypto_tests)
CRYPTO_TEST_LIBS = lib/crypto/libcrypto.la $(TEST_LIBS) $(OPENSSL_LIBS)
tests_unit_crypto_test_credential_LDADD = tests/support/libplaytpm.la $(CRYPTO_TEST_LIBS)
tests_unit_crypto_test_cert_SOURCES = tests/unit/crypto/test_cert.c tests/unit/crypto/test_pki.c tests/unit/crypto/test_pki.h
tests_unit_crypto_test_cert_LDADD = $(CRYPTO_TEST_LIBS)
tests_unit_crypto_test_crl_SOURCES = tests/unit/crypto/test_crl.c tests/unit/crypto/test_pki.c tests/unit/crypto/test_pki.h
tests_unit_crypto_test_crl_LDADD = tests/support/libmakecrl.la $(CRYPTO_TEST_LIBS)
tests_unit_crypto_test_tls_SOURCES = tests/unit/crypto/test_tls.c tests/unit/crypto/test_pki.c tests/unit/crypto/test_pki.h
tests_unit_crypto_test_tls_LDADD = $(CRYPTO_TEST_LIBS)
tests_unit_crypto_test_trust_SOURCES = tests/unit/crypto/test_trust.c tests/unit/crypto/test_pki.c tests/unit/crypto/test_pki.h
tests_unit_crypto_test_trust_LDADD = tests/support/libmakecrl.la $(CRYPTO_TEST_LIBS)
tests_unit_crypto_test_digest_LDADD = $(CRYPTO_TEST_LIBS)
tests_unit_crypto_test_dsse_LDADD = $(CRYPTO_TEST_LIBS)
tests_unit_crypto_test_gcm_LDADD = $(CRYPTO_TEST_LIBS)
tests_unit_crypto_test_ecdsa_find_LDADD = $(CRYPTO_TEST_LIBS)
tests_unit_crypto_test_ed25519_LDADD = $(CRYPTO_TEST_LIBS)
tests_unit_crypto_test_jws_LDADD = $(CRYPTO_TEST_LIBS)
tests_unit_crypto_test_pubkey_LDADD = $(CRYPTO_TEST_LIBS)
EXTRA_DIST += \
	tests/vectors/credential/README.md \
	tests/vectors/credential/p256.cred tests/vectors/credential/p256.pem tests/vectors/credential/p256.pub \
	tests/vectors/credential/p384.cred tests/vectors/credential/p384.pem tests/vectors/credential/p384.pub \
	tests/vectors/credential/rsa.cred tests/vectors/credential/rsa.pem tests/vectors/credential/rsa.pub \
	tests/vectors/ek/README.md tests/vectors/ek/root.pem tests/vectors/ek/issuer.pem tests/vectors/ek/rsa2048.der \
	tests/vectors/ek/rsa2048.pub tests/vectors/ek/ecc384.der
