# SPDX-License-Identifier: Apache-2.0
noinst_LTLIBRARIES += lib/policy/libpolicy.la
lib_policy_libpolicy_la_SOURCES = \
	lib/policy/allow.c lib/policy/allow.h \
	lib/policy/allow_build.c lib/policy/allow_impl.h \
	lib/policy/appraise.c lib/policy/appraise.h \
	lib/policy/appraise_boot.c lib/policy/judge_boot.h \
	lib/policy/appraise_ima.c lib/policy/ima_work.h \
	lib/policy/appraise_launch.c \
	lib/policy/appraise_tee.c \
	lib/policy/appraise_log.c lib/policy/work.h \
	lib/policy/boot_kernel.c lib/policy/boot_keys.c lib/policy/boot_lines.c \
	lib/policy/build.c lib/policy/build.h \
	lib/policy/effective.c lib/policy/effective.h \
	lib/policy/effective_boot.c lib/policy/effective_impl.h \
	lib/policy/effective_ima.c \
	lib/policy/ima_rules.c lib/policy/ima_rules.h \
	lib/policy/ima_judge.c \
	lib/policy/ima_trust.c \
	lib/policy/ima_words.c \
	lib/policy/judge.c lib/policy/judge.h \
	lib/policy/keylime_policy.c lib/policy/keylime_policy.h \
	lib/policy/ledger.h \
	lib/policy/module_judge.c lib/policy/module_impl.h \
	lib/policy/module_parse.c \
	lib/policy/module_policy.c lib/policy/module_policy.h \
	lib/policy/module_signed.c \
	lib/policy/parse.c lib/policy/parse_impl.h \
	lib/policy/parse_boot.c lib/policy/parse_ima.c lib/policy/parse_ima_keys.c \
	lib/policy/parse_layers.c lib/policy/parse_list.c \
	lib/policy/parse.c \
	lib/policy/parse_tee.c lib/policy/policy_tee.h lib/policy/policy_tee_impl.h \
	lib/policy/parse_tee_dcap.c \
	lib/policy/parse_tee_snp.c \
	lib/policy/pattern.c lib/policy/pattern.h \
	lib/policy/pattern_regex.c lib/policy/pattern_regex.h \
	lib/policy/policy.c lib/policy/policy.h lib/policy/policy_impl.h \
	lib/policy/policy_boot.h lib/policy/policy_ima.h \
	lib/policy/predict.c lib/policy/predict.h \
	lib/policy/signed.c lib/policy/signed.h \
	lib/policy/tpm_policy.c
lib_policy_libpolicy_la_LIBADD = lib/evidence/libevidence.la
