# SPDX-License-Identifier: Apache-2.0
# Helpers for unit tests. $(TEST_LIBS) brings them to every test, and lets a test fail the n-th allocation.
check_LTLIBRARIES += tests/support/libsupport.la
tests_support_libsupport_la_SOURCES = tests/support/support.c tests/support/oom.c tests/support/support.h
tests_support_libsupport_la_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
# A TPM in software, and the EK and the host around it: tests/support/libplaytpm.la before lib/evidence and lib/crypto.
check_LTLIBRARIES += tests/support/libplaytpm.la
tests_support_libplaytpm_la_SOURCES = tests/support/play_tpm.c tests/support/play_tpm.h \
	tests/support/play_receipt.c tests/support/play_receipt.h \
	tests/support/soft_ek.c tests/support/soft_ek.h tests/support/soft_host.c tests/support/soft_host.h
tests_support_libplaytpm_la_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
# Revocation lists, for what a processor's maker signs.
check_LTLIBRARIES += tests/support/libmakecrl.la
tests_support_libmakecrl_la_SOURCES = tests/support/make_crl.c tests/support/make_crl.h
tests_support_libmakecrl_la_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
# Intel's quotes and what vouches for them: before lib/evidence and lib/crypto.
check_LTLIBRARIES += tests/support/libsoftquote.la
tests_support_libsoftquote_la_SOURCES = tests/support/soft_quote.c tests/support/soft_quote.h
tests_support_libsoftquote_la_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
tests_support_libsoftquote_la_LIBADD = tests/support/libmakecrl.la
# An AMD of our own: SEV-SNP certificates and reports. Before lib/evidence and lib/crypto.
check_LTLIBRARIES += tests/support/libsnpforge.la
tests_support_libsnpforge_la_SOURCES = tests/support/snp_forge.c tests/support/snp_forge.h
tests_support_libsnpforge_la_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
# Receipts as files, for what reads them.
check_PROGRAMS += tests/support/make_receipts
tests_support_make_receipts_LDADD = tests/support/libplaytpm.la lib/evidence/libevidence.la lib/crypto/libcrypto.la $(TEST_LIBS) \
	$(OPENSSL_LIBS)
# configfs-tsm, played by threads.
check_LTLIBRARIES += tests/support/libfaketsm.la
tests_support_libfaketsm_la_SOURCES = tests/support/fake_tsm.c tests/support/fake_tsm.h
tests_support_libfaketsm_la_LIBADD = lib/base/libbase.la -lpthread
