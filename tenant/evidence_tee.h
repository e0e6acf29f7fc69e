/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_TENANT_EVIDENCE_TEE_H
#define AVOW_TENANT_EVIDENCE_TEE_H

#include <stddef.h>

#include "evidence/endorsements.h"
#include "tenant/command.h"

/*
 * `avow evidence show|verify --type TYPE FILE`: files of a processor's evidence. They hold no bundle of ours,
 * so the two commands of evidence.c hand over as soon as a type is named.
 */
struct tee_options {
        const char *type; /* NULL: a bundle */
        struct option_list endorsements;
        const char *log, *id_auth, *manifest, *report_data, *bundle, *ek;
        bool ignore_dates;
};

/* Rows for the option tables: MEMBER is the struct tee_options in VALUES. */
#define TEE_SHOW_ROWS(VALUES, MEMBER)                                                                        \
        {                                                                                                    \
                "type", "TYPE",                                                                              \
                        "FILE is no bundle, but: snp, snp-certificate, snp-id-block, snp-csr, tdx, sgx, "    \
                        "sgx-csr, ccel, tpm",                                                                \
                        OPTION_TEXT, offsetof(VALUES, MEMBER.type)                                           \
        }
#define TEE_VERIFY_ROWS(VALUES, MEMBER)                                                                      \
        TEE_SHOW_ROWS(VALUES, MEMBER),                                                                       \
                {"endorsements", "PATH", "a file or folder of certificates, revocation lists, collateral",   \
                 OPTION_LIST, offsetof(VALUES, MEMBER.endorsements)},                                        \
                {"report-data", "HEX", "with --type: what the report data has to be, 64 bytes", OPTION_TEXT, \
                 offsetof(VALUES, MEMBER.report_data)},                                                      \
                {"bundle", "FILE", "with --type: the host's own evidence, to whose key it has to be bound",  \
                 OPTION_TEXT, offsetof(VALUES, MEMBER.bundle)},                                              \
                {"log", "FILE", "with --type tdx: the event log to replay to the TD's registers",            \
                 OPTION_TEXT, offsetof(VALUES, MEMBER.log)},                                                 \
                {"ek", "FILE",                                                                               \
                 "the public endorsement key of the host's TPM, PEM, which an SVSM's manifest has to name",  \
                 OPTION_TEXT, offsetof(VALUES, MEMBER.ek)},                                                  \
                {"manifest", "FILE", "with --type snp: the SVSM's manifest that came with the report",       \
                 OPTION_TEXT, offsetof(VALUES, MEMBER.manifest)},                                            \
                {"id-auth", "FILE", "with --type snp-id-block: the ID authentication information",           \
                 OPTION_TEXT, offsetof(VALUES, MEMBER.id_auth)},                                             \
        {                                                                                                    \
                "ignore-dates", NULL,                                                                        \
                        "with --type tdx or sgx: check no dates of certificates and collateral",             \
                        OPTION_FLAG, offsetof(VALUES, MEMBER.ignore_dates)                                   \
        }

/* What --endorsements names, or else what `avow endorsements` keeps. Return: 0; < 0. */
int evidence_tee_heap(const struct tee_options *o, struct endorsements **ret, struct err *err) MUST_USE;

/* --ek FILE as the SHA-256 of the key. Return: 0; < 0. */
int evidence_tee_ek(const char *path, struct digest *ret, struct err *err) MUST_USE;

/* Return: an enum answer, or < 0. AT and POLICIES are evidence verify's. */
int evidence_tee_verify(const struct session *s, const struct tee_options *o, const char *at,
                        const struct option_list *policies, const char *path, struct err *err) MUST_USE;
int evidence_tee_show(const struct session *s, const struct tee_options *o, const char *path,
                      struct err *err) MUST_USE;

#endif
