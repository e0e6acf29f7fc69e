# SPDX-License-Identifier: Apache-2.0
registrar_tests = \
	tests/unit/registrar/test_candidates \
	tests/unit/registrar/test_delivery \
	tests/unit/registrar/test_enrol \
	tests/unit/registrar/test_networks \
	tests/unit/registrar/test_settings
check_PROGRAMS += $(registrar_tests)
TESTS += $(registrar_tests)
REGISTRAR_TEST_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)/registrar -I$(top_srcdir)/tests/unit/crypto
REGISTRAR_TEST_LIBS = registrar/libregistrar.la $(TEST_LIBS) $(OPENSSL_LIBS)
tests_unit_registrar_test_candidates_CPPFLAGS = $(REGISTRAR_TEST_CPPFLAGS)
tests_unit_registrar_test_candidates_LDADD = $(REGISTRAR_TEST_LIBS)
tests_unit_registrar_test_delivery_CPPFLAGS = $(REGISTRAR_TEST_CPPFLAGS)
tests_unit_registrar_test_delivery_LDADD = $(REGISTRAR_TEST_LIBS)
tests_unit_registrar_test_enrol_SOURCES = tests/unit/registrar/test_enrol.c tests/unit/crypto/test_pki.c
tests_unit_registrar_test_enrol_CPPFLAGS = $(REGISTRAR_TEST_CPPFLAGS)
tests_unit_registrar_test_enrol_LDADD = tests/support/libplaytpm.la $(REGISTRAR_TEST_LIBS)
tests_unit_registrar_test_settings_CPPFLAGS = $(REGISTRAR_TEST_CPPFLAGS)
tests_unit_registrar_test_settings_LDADD = $(REGISTRAR_TEST_LIBS)
tests_unit_registrar_test_networks_CPPFLAGS = $(REGISTRAR_TEST_CPPFLAGS)
tests_unit_registrar_test_networks_LDADD = $(REGISTRAR_TEST_LIBS)
