# SPDX-License-Identifier: Apache-2.0
policy_tests = \
	tests/unit/policy/test_allow \
	tests/unit/policy/test_appraise \
	tests/unit/policy/test_appraise_boot \
	tests/unit/policy/test_appraise_boots \
	tests/unit/policy/test_appraise_change \
	tests/unit/policy/test_appraise_ima \
	tests/unit/policy/test_appraise_intel \
	tests/unit/policy/test_appraise_tee \
	tests/unit/policy/test_appraise_launch \
	tests/unit/policy/test_appraise_trust \
	tests/unit/policy/test_boot_bits \
	tests/unit/policy/test_effective \
	tests/unit/policy/test_examples \
	tests/unit/policy/test_keylime_policy \
	tests/unit/policy/test_module_policy \
	tests/unit/policy/test_pattern \
	tests/unit/policy/test_policy \
	tests/unit/policy/test_policy_boot \
	tests/unit/policy/test_policy_ima \
	tests/unit/policy/test_policy_layers \
	tests/unit/policy/test_policy_tee \
	tests/unit/policy/test_predict \
	tests/unit/policy/test_signed \
	tests/unit/policy/test_tpm_policy
check_PROGRAMS += $(policy_tests)
TESTS += $(policy_tests)
tests_unit_policy_test_allow_LDADD = lib/policy/libpolicy.la $(TEST_LIBS)
tests_unit_policy_test_effective_LDADD = lib/policy/libpolicy.la $(TEST_LIBS)
tests_unit_policy_test_keylime_policy_LDADD = lib/policy/libpolicy.la $(TEST_LIBS)
tests_unit_policy_test_module_policy_LDADD = lib/policy/libpolicy.la $(TEST_LIBS) $(JANSSON_LIBS)
tests_unit_policy_test_pattern_LDADD = lib/policy/libpolicy.la $(TEST_LIBS)
tests_unit_policy_test_policy_LDADD = $(TEXTS_LIBS)
tests_unit_policy_test_policy_boot_LDADD = $(TEXTS_LIBS)
tests_unit_policy_test_policy_ima_LDADD = $(TEXTS_LIBS)
tests_unit_policy_test_policy_layers_LDADD = $(TEXTS_LIBS)
tests_unit_policy_test_predict_LDADD = lib/policy/libpolicy.la $(TEST_LIBS)
tests_unit_policy_test_signed_LDADD = lib/policy/libpolicy.la $(TEST_LIBS)
tests_unit_policy_test_tpm_policy_LDADD = lib/policy/libpolicy.la $(TEST_LIBS)
check_LTLIBRARIES += tests/unit/policy/libtexts.la
tests_unit_policy_libtexts_la_SOURCES = tests/unit/policy/texts.c tests/unit/policy/texts.h
tests_unit_policy_libtexts_la_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
TEXTS_LIBS = tests/unit/policy/libtexts.la lib/policy/libpolicy.la $(TEST_LIBS)
check_LTLIBRARIES += tests/unit/policy/libstory.la
tests_unit_policy_libstory_la_SOURCES = tests/unit/policy/story.c tests/unit/policy/story.h tests/unit/policy/story_ima.h
tests_unit_policy_libstory_la_CFLAGS = $(AM_CFLAGS) $(CMOCKA_CFLAGS)
STORY_LIBS = tests/unit/policy/libstory.la tests/support/libplaytpm.la lib/policy/libpolicy.la $(TEST_LIBS)
tests_unit_policy_test_policy_tee_LDADD = $(STORY_LIBS)
tests_unit_policy_test_appraise_LDADD = $(STORY_LIBS)
tests_unit_policy_test_appraise_boot_LDADD = tests/unit/evidence/libvectors.la $(STORY_LIBS)
tests_unit_policy_test_appraise_boots_LDADD = tests/unit/evidence/libvectors.la $(STORY_LIBS)
tests_unit_policy_test_boot_bits_LDADD = tests/unit/evidence/libvectors.la $(STORY_LIBS)
tests_unit_policy_test_appraise_change_LDADD = $(STORY_LIBS)
tests_unit_policy_test_appraise_ima_LDADD = $(STORY_LIBS)
tests_unit_policy_test_appraise_intel_LDADD = tests/support/libsoftquote.la $(STORY_LIBS)
tests_unit_policy_test_appraise_tee_LDADD = tests/support/libsnpforge.la $(STORY_LIBS)
tests_unit_policy_test_appraise_launch_LDADD = $(STORY_LIBS)
tests_unit_policy_test_appraise_trust_LDADD = $(STORY_LIBS)
tests_unit_policy_test_examples_LDADD = lib/policy/libpolicy.la $(TEST_LIBS)
