# SPDX-License-Identifier: Apache-2.0
bin_PROGRAMS += tenant/avow
noinst_LTLIBRARIES += tenant/libtenant.la
tenant_libtenant_la_SOURCES = \
	tenant/command.h tenant/commands.h tenant/tables.h \
	tenant/api.c tenant/api.h \
	tenant/approving.c \
	tenant/audit.c \
	tenant/boot_draft.c tenant/boot_draft.h \
	tenant/catalogue.c tenant/catalogue.h \
	tenant/commands.c \
	tenant/completion.c \
	tenant/deb_control.c tenant/deb_control.h \
	tenant/endorsements.c tenant/endorsements.h \
	tenant/evidence.c \
	tenant/evidence_logs.c tenant/evidence_logs.h \
	tenant/evidence_save.c \
	tenant/evidence_tee.c tenant/evidence_tee.h \
	tenant/evidence_tee_print.c \
	tenant/evidence_tee_work.h \
	tenant/file_hash.c tenant/file_hash.h \
	tenant/host.c tenant/host_add.c tenant/host_history.c tenant/host_watch.c \
	tenant/host.c tenant/host_add.c tenant/host_history.c tenant/host_prepare.c tenant/host_watch.c \
	tenant/hook.c \
	tenant/hosts.c tenant/hosts.h \
	tenant/load.c tenant/load.h \
	tenant/ima_draft.c tenant/ima_draft.h \
	tenant/init.c tenant/init.h tenant/init_config.c tenant/init_files.c tenant/init_pki.c \
	tenant/module.c tenant/module_remote.c \
	tenant/options.c tenant/options.h \
	tenant/output.c tenant/output.h \
	tenant/pkcs11.c tenant/pkcs11.h \
	tenant/policy.c \
	tenant/policy_check.c tenant/policy_check.h \
	tenant/policy_diff.c tenant/policy_diff.h tenant/policy_diff_part.h \
	tenant/policy_diff_files.c tenant/policy_diff_rules.c \
	tenant/keylime_in.c tenant/keylime_in.h tenant/keylime_in_boot.c \
	tenant/keylime_out.c tenant/keylime_out.h tenant/keylime_out_boot.c \
	tenant/policy_keylime.c \
	tenant/policy_draft.c tenant/policy_draft.h \
	tenant/policy_fleet.c tenant/policy_gather.c tenant/policy_make.c tenant/policy_make.h \
	tenant/policy_sign.c \
	tenant/policy_remote.c tenant/policy_remote.h \
	tenant/policy_update.c \
	tenant/prepare.c tenant/prepare.h tenant/prepare_logs.c \
	tenant/proof.c \
	tenant/revocation.c tenant/revocations.h \
	tenant/receipt.c \
	tenant/receipt_get.c \
	tenant/result.c \
	tenant/secret.c tenant/secrets.h tenant/secret_adopt.c tenant/secret_approve.c tenant/secret_put.c tenant/secret_read.c \
	tenant/sealing.c tenant/sealing.h \
	tenant/signer.c tenant/signer.h \
	tenant/settings.c tenant/settings.h \
	tenant/source_deb.c tenant/source_dpkg.c tenant/source_root.c tenant/source_rpm.c tenant/sources.h \
	tenant/status.c \
	tenant/target.c tenant/target.h \
	tenant/tree.c tenant/tree.h \
	tenant/trust.c
tenant_avow_SOURCES = tenant/main.c
tenant_avow_LDADD = tenant/libtenant.la $(JANSSON_LIBS)
tenant_libtenant_la_LIBADD = $(P11KIT_LIBS) $(LIBARCHIVE_LIBS) $(RPM_LIBS) lib/endorse/libendorse.la lib/http/libhttp.la lib/store/libstore.la lib/crypto/libcrypto.la lib/wire/libwire.la lib/policy/libpolicy.la
