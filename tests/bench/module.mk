# SPDX-License-Identifier: Apache-2.0
# Benchmarks. `make check` builds them where cmocka is (their TPMs in software assert with it), so that they do not rot;
# tests/bench/attest and its neighbours run them.
check_PROGRAMS += tests/bench/bootlog tests/bench/fill tests/bench/fleet tests/bench/ima tests/bench/keeps tests/bench/policy tests/bench/policy_text tests/bench/tee
tests_bench_tee_SOURCES = tests/bench/tee.c
tests_bench_tee_LDADD = tests/support/libsoftquote.la tests/support/libsnpforge.la lib/evidence/libevidence.la \
	lib/crypto/libcrypto.la tests/support/libsupport.la lib/base/libbase.la $(CMOCKA_LIBS) $(JANSSON_LIBS) $(OPENSSL_LIBS)
tests_bench_bootlog_SOURCES = tests/bench/bootlog.c
tests_bench_bootlog_LDADD = lib/evidence/libevidence.la lib/crypto/libcrypto.la lib/base/libbase.la $(JANSSON_LIBS) $(OPENSSL_LIBS)
tests_bench_policy_SOURCES = tests/bench/policy.c
tests_bench_policy_LDADD = lib/policy/libpolicy.la lib/evidence/libevidence.la lib/crypto/libcrypto.la lib/base/libbase.la $(JANSSON_LIBS) $(OPENSSL_LIBS)
tests_bench_policy_text_SOURCES = tests/bench/policy_text.c
tests_bench_policy_text_LDADD = $(tests_bench_policy_LDADD)
tests_bench_ima_SOURCES = tests/bench/ima.c
tests_bench_ima_LDADD = tests/support/libplaytpm.la lib/policy/libpolicy.la lib/evidence/libevidence.la \
	lib/crypto/libcrypto.la tests/support/libsupport.la lib/base/libbase.la $(CMOCKA_LIBS) $(JANSSON_LIBS) $(OPENSSL_LIBS)
tests_bench_fleet_SOURCES = tests/bench/fleet.c
tests_bench_fleet_LDADD = tests/support/libplaytpm.la lib/http/libhttp.la lib/wire/libwire.la \
	lib/evidence/libevidence.la lib/crypto/libcrypto.la tests/support/libsupport.la \
	lib/base/libbase.la $(CMOCKA_LIBS) $(CURL_LIBS) $(EVENT_LIBS) $(JANSSON_LIBS) $(OPENSSL_LIBS)
tests_bench_fill_SOURCES = tests/bench/fill.c
tests_bench_fill_LDADD = tests/support/libplaytpm.la lib/store/libstore.la lib/http/libhttp.la \
	lib/evidence/libevidence.la lib/crypto/libcrypto.la tests/support/libsupport.la lib/base/libbase.la \
	$(SQLITE_LIBS) $(CMOCKA_LIBS) $(CURL_LIBS) $(EVENT_LIBS) $(SYSTEMD_LIBS) $(JANSSON_LIBS) $(OPENSSL_LIBS) -lpthread
tests_bench_keeps_SOURCES = tests/bench/keeps.c
tests_bench_keeps_LDADD = lib/http/libhttp.la lib/wire/libwire.la lib/evidence/libevidence.la lib/crypto/libcrypto.la \
	lib/base/libbase.la $(CURL_LIBS) $(EVENT_LIBS) $(SYSTEMD_LIBS) $(JANSSON_LIBS) $(OPENSSL_LIBS)
