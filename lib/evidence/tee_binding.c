/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Named and rooted. The data is over a label of its own, so that no other use of report data says the same;
 * both parts stand behind their lengths, so that no byte can move from one to the other. Spec: SR-19.
 */
#include "evidence/tee_binding.h"

#include <string.h>

#include "base/mem.h"
#include "crypto/digest.h"

#define LABEL "avow-tee-1"

int tee_binding_data(struct view challenge, const struct tpm_public *ak, uint8_t ret[TEE_BINDING_BYTES],
                     struct err *err)
{
        AUTO(buf_free) struct buf b = {0};
        struct tpm_name name;
        struct digest d;
        int r = tpm_public_name(ak, &name, err);

        if (r < 0)
                return r;
        if (challenge.len > UINT16_MAX)
                return err_set(err, ERR_FORMAT, 0, "a challenge of %zu bytes", challenge.len);
        buf_put(&b, LABEL, sizeof(LABEL));
        buf_be16_bytes(&b, challenge);
        buf_be16_bytes(&b, tpm_name_view(&name));
        if (!buf_ok(&b))
                return err_nomem(err);
        r = digest_bytes(DIGEST_SHA512, VIEW_BUF(&b), &d, err);
        if (r >= 0)
                memcpy(ret, d.b, TEE_BINDING_BYTES);
        return r;
}

int tee_binding_check(const struct tee_binding *b, struct view report_data, struct view image,
                      struct tee_result *ret, struct err *err)
{
        uint8_t want[TEE_BINDING_BYTES];
        int r = tee_binding_data(b->challenge, b->ak, want, err);

        if (r < 0)
                return r;
        if (!equal_ct(want, sizeof(want), report_data.p, report_data.len)) {
                tee_fail(ret, "binding", "binding-mismatch",
                         "the report data does not name this attestation key under this challenge");
        } else if (b->images && tee_set_has(b->images, image)) {
                tee_pass(ret, "binding");
                tee_flag(ret, "binding-rooted");
        } else if (b->rooted) {
                tee_fail(ret, "binding", "binding-not-rooted",
                         "software in that guest names this key, and could name any host's");
        } else {
                tee_pass(ret, "binding");
                tee_flag(ret, "binding-named");
        }
        return 0;
}

static int same_key(const struct azure_hcl *hcl, const struct tpm_public *ak, bool *ret, struct err *err)
{
        AUTO(pubkey_free_p) struct pubkey *theirs = NULL;
        AUTO(pubkey_free_p) struct pubkey *ours = NULL;
        struct digest a, b;
        int r = azure_hcl_ak(hcl, &theirs, err);

        *ret = false;
        if (r == -ERR_FORMAT) { /* it names no key, so not this one */
                err_clear(err);
                return 0;
        }
        if (r >= 0)
                r = tpm_public_key(ak, &ours, err);
        if (r >= 0)
                r = pubkey_spki_sha256(theirs, &a, err);
        if (r >= 0)
                r = pubkey_spki_sha256(ours, &b, err);
        if (r >= 0)
                *ret = digest_equal(&a, &b);
        return r < 0 ? r : 0;
}

/* The text names the right key; did the guest have no say in it? */
static void rooted_by(const struct tee_binding *b, const char *not_rooted, struct tee_result *ret)
{
        if (not_rooted && b->rooted) {
                tee_fail(ret, "binding", "binding-not-rooted", "%s", not_rooted);
                return;
        }
        tee_pass(ret, "binding");
        tee_flag(ret, not_rooted ? "binding-named" : "binding-rooted");
}

int tee_binding_check_hcl(const struct tee_binding *b, const struct azure_hcl *hcl, bool launch_known,
                          struct tee_result *ret, struct err *err)
{
        bool good = false;
        int r = same_key(hcl, b->ak, &good, err);

        if (r < 0)
                return r;
        if (good)
                rooted_by(b,
                          launch_known
                                  ? NULL
                                  : "the policy names no measurement and no ID key of the paravisor, and "
                                    "any guest can write such a text",
                          ret);
        else
                tee_fail(ret, "binding", "binding-mismatch",
                         "the paravisor's text has another attestation key than the host's quote");
        return 0;
}

static int same_ek(const struct svsm_manifest *m, const struct digest *ek, bool *ret, struct err *err)
{
        AUTO(pubkey_free_p) struct pubkey *key = NULL;
        struct digest spki;
        int r = m->has_ek ? tpm_public_key(&m->ek, &key, err) : 0;

        *ret = false;
        if (r == -ERR_FORMAT) { /* its numbers are no key, so not this one */
                err_clear(err);
                return 0;
        }
        if (r >= 0 && key) {
                r = pubkey_spki_sha256(key, &spki, err);
                *ret = r >= 0 && digest_equal(&spki, ek);
        }
        return r;
}

int tee_binding_check_svsm(const struct tee_binding *b, const struct svsm_manifest *manifest,
                           struct view report_data, bool launch_known, struct tee_result *ret,
                           struct err *err)
{
        uint8_t nonce[TEE_BINDING_BYTES];
        bool same = false;
        struct digest d;
        int r = tee_binding_data(b->challenge, b->ak, nonce, err);

        if (r >= 0)
                r = svsm_report_data(VIEW_ARRAY(nonce), manifest, &d, err);
        if (r >= 0 && b->ek)
                r = same_ek(manifest, b->ek, &same, err);
        if (r < 0)
                return r;
        if (!equal_ct(d.b, d.len, report_data.p, report_data.len))
                tee_fail(
                        ret, "binding", "binding-mismatch",
                        "the report data is not over this attestation key, this challenge and this manifest");
        else if (b->ek && !same)
                tee_fail(ret, "binding", "binding-mismatch",
                         "the SVSM's virtual TPM has another endorsement key than the host's");
        else
                rooted_by(b,
                          !b->ek ? "which endorsement key the host's TPM has is not known here"
                          : !launch_known
                                  ? "the policy names no measurement and no ID key of the SVSM, and any "
                                    "guest can write such a manifest"
                                  : NULL,
                          ret);
        return 0;
}
