# SPDX-License-Identifier: Apache-2.0
noinst_LTLIBRARIES += lib/evidence/libevidence.la
lib_evidence_libevidence_la_SOURCES = \
	lib/evidence/ak_certificate.c lib/evidence/ak_certificate.h \
	lib/evidence/authenticate.c lib/evidence/authenticate.h \
	lib/evidence/avow_evidence.c lib/evidence/avow-evidence.h \
	lib/evidence/azure_hcl.c lib/evidence/azure_hcl.h \
	lib/evidence/boot_memory.c lib/evidence/boot_memory.h \
	lib/evidence/boot_record.c lib/evidence/boot_record.h \
	lib/evidence/bootlog.c lib/evidence/bootlog.h \
	lib/evidence/bootlog_cover.c \
	lib/evidence/bootlog_text.c \
	lib/evidence/bundle.c lib/evidence/bundle.h \
	lib/evidence/bundle_decode.c \
	lib/evidence/bundle_encode.c \
	lib/evidence/ccel.c lib/evidence/ccel.h \
	lib/evidence/cel.c lib/evidence/cel.h \
	lib/evidence/cel_replay.c \
	lib/evidence/cel_write.c \
	lib/evidence/continuation.c lib/evidence/continuation.h \
	lib/evidence/counter_check.c lib/evidence/counter_check.h \
	lib/evidence/counters.c lib/evidence/counters.h \
	lib/evidence/dcap.c lib/evidence/dcap.h \
	lib/evidence/dcap_chain.c \
	lib/evidence/dcap_collateral.c lib/evidence/dcap_collateral.h \
	lib/evidence/dcap_judge.c \
	lib/evidence/dcap_quote.c lib/evidence/dcap_quote.h \
	lib/evidence/dcap_tcb.c lib/evidence/dcap_tcb.h \
	lib/evidence/dcap_warm.c lib/evidence/dcap_warm.h \
	lib/evidence/dcap_warm_impl.h \
	lib/evidence/dcap_work.h \
	lib/evidence/dm_table.c lib/evidence/dm_table.h \
	lib/evidence/efi.c lib/evidence/efi.h \
	lib/evidence/enarx_csr.c lib/evidence/enarx_csr.h \
	lib/evidence/endorsements.c lib/evidence/endorsements.h \
	lib/evidence/endorsements_impl.h \
	lib/evidence/endorsements_pick.c \
	lib/evidence/ima.c lib/evidence/ima.h \
	lib/evidence/ima_event.c \
	lib/evidence/ima_memory.c lib/evidence/ima_memory.h \
	lib/evidence/ima_reader.h \
	lib/evidence/ima_replay.c \
	lib/evidence/ima_signature.c lib/evidence/ima_signature.h \
	lib/evidence/ima_size.c lib/evidence/ima_size.h \
	lib/evidence/ima_text.c \
	lib/evidence/launch.c lib/evidence/launch.h \
	lib/evidence/launch_closure.c lib/evidence/launch_closure.h \
	lib/evidence/pcr.c lib/evidence/pcr.h \
	lib/evidence/pcr_blob.c lib/evidence/pcr_blob.h \
	lib/evidence/pck.c lib/evidence/pck.h \
	lib/evidence/possession.c \
	lib/evidence/qualify.c lib/evidence/qualify.h \
	lib/evidence/receipt.c lib/evidence/receipt.h \
	lib/evidence/receipt_countersign.c lib/evidence/receipt_countersign.h \
	lib/evidence/receipt_file.c \
	lib/evidence/receipt_judge.c \
	lib/evidence/revocation_order.c lib/evidence/revocation_order.h \
	lib/evidence/seal_policy.c lib/evidence/seal_policy.h \
	lib/evidence/sealed.c lib/evidence/sealed.h \
	lib/evidence/signed_json.c \
	lib/evidence/snp.h lib/evidence/snp_report.c \
	lib/evidence/snp_bag.c lib/evidence/snp_bag.h \
	lib/evidence/snp_cert.c lib/evidence/snp_cert.h \
	lib/evidence/snp_chain.c \
	lib/evidence/snp_id.c lib/evidence/snp_id.h \
	lib/evidence/snp_policy.c \
	lib/evidence/snp_verify.c lib/evidence/snp_verify.h lib/evidence/snp_work.h \
	lib/evidence/svsm.c lib/evidence/svsm.h \
	lib/evidence/tee.c lib/evidence/tee.h \
	lib/evidence/tee_binding.c lib/evidence/tee_binding.h \
	lib/evidence/tee_json.c lib/evidence/tee_json.h \
	lib/evidence/tee_statement.c lib/evidence/tee_statement.h \
	lib/evidence/tee_csr.c lib/evidence/tee_tpm.c \
	lib/evidence/tee_types.c lib/evidence/tee_types.h \
	lib/evidence/tee_types_impl.h \
	lib/evidence/tpm_attest.c lib/evidence/tpm_attest.h \
	lib/evidence/tpm_public.c lib/evidence/tpm_public.h \
	lib/evidence/tpm_signature.c lib/evidence/tpm_signature.h \
	lib/evidence/tpm_types.h \
	lib/evidence/tss2_pem.c lib/evidence/tss2_pem.h \
	lib/evidence/verdict.c lib/evidence/verdict.h \
	lib/evidence/wasm.c lib/evidence/wasm.h \
	lib/evidence/wasm_claims.c lib/evidence/wasm_claims.h \
	lib/evidence/wipe_proof.c lib/evidence/wipe_proof.h \
	lib/evidence/wipe_proof_codec.c
lib_evidence_libevidence_la_LIBADD = lib/crypto/libcrypto.la lib/base/libbase.la

# For other programs: all that avow_evidence.c needs in one object, jansson too, so that only OpenSSL stands beside
# it, and no name but its own to be seen from outside.
include_HEADERS += lib/evidence/avow-evidence.h
pkgconfigdir = $(libdir)/pkgconfig
nodist_pkgconfig_DATA = lib/evidence/avow-evidence.pc
if EVIDENCE_LIBRARY
evidencelibdir = $(libdir)
nodist_evidencelib_DATA = lib/evidence/libavow-evidence.a
endif
EVIDENCE_PARTS = lib/evidence/.libs/libevidence.a $(JANSSON_ARCHIVE)
lib/evidence/libavow-evidence.a: lib/evidence/libevidence.la
	$(AM_V_AR)$(LD) -r -u avow_evidence_new -o $@.o --start-group $(EVIDENCE_PARTS) --end-group && \
		$(OBJCOPY) --wildcard --keep-global-symbol='avow_evidence_*' $@.o && \
		rm -f $@ && $(AR) rcs $@ $@.o && rm -f $@.o
CLEANFILES += lib/evidence/libavow-evidence.a
