# SPDX-License-Identifier: Apache-2.0
noinst_LTLIBRARIES += verifier/libverifier.la
verifier_libverifier_la_SOURCES = \
	verifier/hosts.c verifier/hosts.h \
	verifier/rules.c verifier/rules.h \
	verifier/sessions.c verifier/sessions.h \
	verifier/settings.c verifier/settings.h
