# SPDX-License-Identifier: Apache-2.0
# Helpers for unit tests. $(TEST_LIBS) brings them to every test, and lets a test fail the n-th allocation.
check_LTLIBRARIES += tests/support/libsupport.la
tests_support_libsupport_la_SOURCES = tests/support/support.c tests/support/oom.c tests/support/support.h
tests_support_libsupport_la_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
