/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_POLICY_POLICY_TEE_H
#define AVOW_POLICY_POLICY_TEE_H

#include <stdbool.h>

#include "base/err.h"
#include "base/macro.h"
#include "base/str.h"
#include "base/yaml.h"
#include "evidence/dcap.h"
#include "evidence/snp_verify.h"

/*
 * What a policy demands of a processor's evidence: `tee:` of avow-policy(5), compiled. Read-only. Without the
 * section none is asked for; with it, one of KINDS has to be there and has to be accepted.
 */
/* Spec: SR-19. */
enum policy_tee_binding {
        POLICY_TEE_ROOTED = 0, /* evidence made outside of the guest's control names this host's keys, or an
                                  image whose only code that can ask for reports is the agent was launched */
        POLICY_TEE_NAMED,      /* software in that TEE names this host's AK; it can name another host's */
};
const char *policy_tee_binding_name(enum policy_tee_binding binding);

struct policy_tee {
        unsigned kinds; /* 1 << enum tee_kind */
        enum policy_tee_binding binding;
        struct snp_policy snp;
        struct dcap_policy tdx, sgx; /* times and report data are the verifier's to fill */
        /*
         * Launch measurements of images whose only code that can ask for reports is the agent: SNP's
         * measurement, TDX's MRTD. What the policy's owner says of them, nobody can check.
         */
        struct tee_set rooted_images;
        struct strv words; /* the section as it was written, value by value: "snp.debug: refused" */
};

/*
 * Reads the section. Return: 0; -ERR_CONFIG with the place; -ERR_LIMIT; -ERR_NOMEM. RET is freed with
 * policy_tee_free(); nothing of NODE is kept.
 */
int policy_tee_parse(const struct yaml_node *node, struct policy_tee **ret, struct err *err) MUST_USE;
void policy_tee_free(struct policy_tee *t);
DEFINE_AUTO(struct policy_tee, policy_tee_free)

/* What is judged by where a policy has no such section: SNP as snp_policy_reference, Intel's platforms
 * UpToDate or SWHardeningNeeded; binding rooted, any kind. */
extern const struct policy_tee policy_tee_default;

#endif
