# SPDX-License-Identifier: Apache-2.0
http_test_libs = lib/http/libhttp.la lib/wire/libwire.la lib/crypto/libcrypto.la lib/base/libbase.la \
	$(EVENT_LIBS) $(OPENSSL_LIBS) $(CURL_LIBS) $(SYSTEMD_LIBS) $(JANSSON_LIBS)
check_PROGRAMS += tests/unit/http/server
tests_unit_http_server_LDADD = $(http_test_libs)
http_tests = tests/unit/http/test_client tests/unit/http/test_head tests/unit/http/test_metrics \
	tests/unit/http/test_nomem tests/unit/http/test_peer tests/unit/http/test_router tests/unit/http/test_tls \
	tests/unit/http/test_workers
check_PROGRAMS += $(http_tests)
TESTS += $(http_tests) tests/unit/http/test_raw_sockets.sh
EXTRA_DIST += tests/unit/http/test_raw_sockets.sh tests/unit/http/raw_sockets.py
tests_unit_http_test_client_LDADD = $(http_test_libs) $(TEST_LIBS)
tests_unit_http_test_head_LDADD = $(http_test_libs) $(TEST_LIBS)
tests_unit_http_test_metrics_LDADD = $(http_test_libs) $(TEST_LIBS)
tests_unit_http_test_peer_LDADD = $(http_test_libs) $(TEST_LIBS)
tests_unit_http_test_router_LDADD = $(http_test_libs) $(TEST_LIBS)
tests_unit_http_test_nomem_LDADD = $(http_test_libs) $(TEST_LIBS)
tests_unit_http_test_tls_LDADD = $(http_test_libs) $(TEST_LIBS)
tests_unit_http_test_workers_LDADD = $(http_test_libs) $(TEST_LIBS)
