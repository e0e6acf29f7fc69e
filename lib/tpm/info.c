/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the TPM says about itself: who made it, and whether it is in lockout. Lockout does not stop
 * attestation (our keys are noDA, SR-11), but an operator wants to see it. An endorsement password does stop
 * it, since nothing can be made under the endorsement hierarchy then; so it is asked for before the first
 * failure. Spec: TPM 2.0 Part 2, 6.13 (TPM_PT), 8.6 (TPMA_PERMANENT).
 */
#include <string.h>

#include "tpm/context.h"
#include "tpm/private.h"

static void text_of(uint32_t value, char *at)
{
        for (int i = 0; i < 4; i++) {
                char c = (char)(value >> (24 - 8 * i));

                at[i] = c == '\0' || (c >= ' ' && c <= '~') ? c : '?';
        }
}

static void take(uint32_t property, uint32_t value, struct tpm_info *info)
{
        if (property == TPM2_PT_MANUFACTURER)
                text_of(value, info->manufacturer);
        else if (property >= TPM2_PT_VENDOR_STRING_1 && property <= TPM2_PT_VENDOR_STRING_4)
                text_of(value, info->vendor + 4 * (property - TPM2_PT_VENDOR_STRING_1));
        else if (property == TPM2_PT_FIRMWARE_VERSION_1)
                info->firmware |= (uint64_t)value << 32;
        else if (property == TPM2_PT_FIRMWARE_VERSION_2)
                info->firmware |= value;
        else if (property == TPM2_PT_LOCKOUT_COUNTER)
                info->lockout_counter = value;
        else if (property == TPM2_PT_PERMANENT) {
                info->lockout = value & TPMA_PERMANENT_INLOCKOUT;
                info->endorsement_auth_set = value & TPMA_PERMANENT_ENDORSEMENTAUTHSET;
                info->owner_auth_set = value & TPMA_PERMANENT_OWNERAUTHSET;
                info->lockout_auth_set = value & TPMA_PERMANENT_LOCKOUTAUTHSET;
        }
}

static int read_from(struct tpm *tpm, uint32_t first, struct tpm_info *info, struct err *err)
{
        AUTO(tpm_esys_free_p)
        TPMS_CAPABILITY_DATA *data = NULL;
        TPMI_YES_NO more;
        TSS2_RC rc;

        TPM_CALL(rc,
                 Esys_GetCapability(tpm->esys, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE,
                                    TPM2_CAP_TPM_PROPERTIES, first, TPM2_MAX_TPM_PROPERTIES, &more, &data));
        if (rc != TSS2_RC_SUCCESS)
                return tpm_err(err, rc, "TPM2_GetCapability(properties)");
        for (UINT32 i = 0; i < data->data.tpmProperties.count; i++) {
                const TPMS_TAGGED_PROPERTY *p = &data->data.tpmProperties.tpmProperty[i];

                take(p->property, p->value, info);
        }
        return 0;
}

int tpm_info_read(struct tpm *tpm, struct tpm_info *ret, struct err *err)
{
        struct tpm_info info = {0};
        int r;

        r = read_from(tpm, TPM2_PT_FIXED, &info, err);
        if (r >= 0)
                r = read_from(tpm, TPM2_PT_VAR, &info, err);
        if (r < 0)
                return r;
        *ret = info;
        return 0;
}
