/* SPDX-License-Identifier: Apache-2.0 */
/*
 * EK certificates from NV. The vendor's index may be larger than the certificate, filled up with 0x00 or
 * 0xff; the outer DER length says where the certificate ends. Read with the index's own empty auth where its
 * attributes allow that, else as owner. Spec: TCG EK Credential Profile 2.2.1.4 (certificates), 2.2.1.5.2
 * (0x01C00100-0x01C001FF: chain).
 */
#include <string.h>

#include "tpm/ek.h"
#include "tpm/private.h"

#define NV_CHAIN_FIRST 0x01c00100u
#define NV_CHAIN_LAST  0x01c001ffu
#define NV_CHUNK       512u /* every TPM reads that much at once (PT_NV_BUFFER_MAX) */

struct nv {
        ESYS_TR handle, auth;
        UINT16 size;
};

/* Return: 1; 0 if there is no such index, or one that cannot be read; < 0. */
static int nv_find(struct tpm *tpm, TPM2_HANDLE index, struct nv *ret, struct err *err)
{
        AUTO(tpm_esys_free_p)
        TPM2B_NV_PUBLIC *public = NULL;
        ESYS_TR handle = ESYS_TR_NONE;
        TPMA_NV a;
        TSS2_RC rc;

        TPM_CALL(rc,
                 Esys_TR_FromTPMPublic(tpm->esys, index, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, &handle));
        if ((rc & ~TPM2_RC_N_MASK & 0xffff) == TPM2_RC_HANDLE)
                return 0;
        if (rc != TSS2_RC_SUCCESS)
                return tpm_err(err, rc, "TPM2_NV_ReadPublic of 0x%08x", index);
        TPM_CALL(rc, Esys_NV_ReadPublic(tpm->esys, handle, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, &public,
                                        NULL));
        if (rc != TSS2_RC_SUCCESS) {
                (void)Esys_TR_Close(tpm->esys, &handle);
                return tpm_err(err, rc, "TPM2_NV_ReadPublic of 0x%08x", index);
        }
        a = public->nvPublic.attributes;
        if (!(a & TPMA_NV_WRITTEN) || !(a & (TPMA_NV_AUTHREAD | TPMA_NV_OWNERREAD))) {
                (void)Esys_TR_Close(tpm->esys, &handle);
                return 0;
        }
        *ret = (struct nv){.handle = handle,
                           .auth = a & TPMA_NV_AUTHREAD ? handle : ESYS_TR_RH_OWNER,
                           .size = public->nvPublic.dataSize};
        return 1;
}

/* The certificate's length: the outer SEQUENCE. Bytes that are no DER are kept whole: the reader will say so.
 */
static size_t der_length(struct view v)
{
        struct cursor c = cursor_of(v);
        size_t n = 0;
        uint8_t tag, first, byte;

        if (!cursor_u8(&c, &tag) || !cursor_u8(&c, &first) || tag != 0x30)
                return v.len;
        if (first < 0x80)
                n = first;
        else if (first > 0x84 || first == 0x80)
                return v.len;
        else
                for (int i = 0; i < (first & 0x7f); i++) {
                        if (!cursor_u8(&c, &byte))
                                return v.len;
                        n = n << 8 | byte;
                }
        if (n > c.left)
                return v.len;
        return c.at + n;
}

static int nv_read(struct tpm *tpm, const struct nv *nv, struct buf *ret, struct err *err)
{
        for (UINT16 at = 0; at < nv->size;) {
                AUTO(tpm_esys_free_p)
                TPM2B_MAX_NV_BUFFER *data = NULL;
                UINT16 n = (UINT16)(nv->size - at > (int)NV_CHUNK ? (int)NV_CHUNK : nv->size - at);
                TSS2_RC rc;

                TPM_CALL(rc, Esys_NV_Read(tpm->esys, nv->auth, nv->handle, ESYS_TR_PASSWORD, ESYS_TR_NONE,
                                          ESYS_TR_NONE, n, at, &data));
                if (rc != TSS2_RC_SUCCESS)
                        return tpm_err(err, rc, "TPM2_NV_Read");
                if (data->size == 0 || data->size > n)
                        return err_set(err, ERR_TPM, 0, "TPM2_NV_Read gave %u of %u bytes", data->size, n);
                buf_put(ret, data->buffer, data->size);
                at = (UINT16)(at + data->size);
        }
        return buf_ok(ret) ? 0 : err_nomem(err);
}

/* Appends the bytes of INDEX, cut at the certificate's end unless WHOLE. Return: 1, 0 if there is none, < 0.
 */
static int nv_certificate(struct tpm *tpm, TPM2_HANDLE index, bool whole, struct buf *ret, struct err *err)
{
        AUTO(buf_free)
        struct buf all = {0};
        struct nv nv;
        int r = nv_find(tpm, index, &nv, err);

        if (r <= 0)
                return r;
        r = nv_read(tpm, &nv, &all, err);
        (void)Esys_TR_Close(tpm->esys, &nv.handle);
        if (r < 0)
                return err_wrap(err, "certificate in NV index 0x%08x", index);
        buf_put(ret, all.p, whole ? all.len : der_length(VIEW_BUF(&all)));
        return buf_ok(ret) ? 1 : err_nomem(err);
}

int tpm_ek_certificate(struct tpm *tpm, enum tpm_ek_type type, struct buf *ret, struct err *err)
{
        static const TPM2_HANDLE index[] = {
                [TPM_EK_RSA2048] = 0x01c00002, [TPM_EK_P256] = 0x01c0000a, [TPM_EK_P384] = 0x01c00016};
        int r = nv_certificate(tpm, index[type], false, ret, err);

        return r < 0 ? r : 0;
}

int tpm_ek_chain(struct tpm *tpm, struct buf *ret, struct err *err)
{
        AUTO(tpm_esys_free_p)
        TPMS_CAPABILITY_DATA *data = NULL;
        TPMI_YES_NO more;
        TSS2_RC rc;

        TPM_CALL(rc, Esys_GetCapability(tpm->esys, ESYS_TR_NONE, ESYS_TR_NONE, ESYS_TR_NONE, TPM2_CAP_HANDLES,
                                        NV_CHAIN_FIRST, TPM2_MAX_CAP_HANDLES, &more, &data));
        if (rc != TSS2_RC_SUCCESS)
                return tpm_err(err, rc, "TPM2_GetCapability(NV indices)");
        for (UINT32 i = 0; i < data->data.handles.count; i++) {
                TPM2_HANDLE index = data->data.handles.handle[i];
                int r;

                if (index < NV_CHAIN_FIRST || index > NV_CHAIN_LAST)
                        break;
                r = nv_certificate(tpm, index, true, ret, err);
                if (r < 0)
                        return r;
        }
        return 0;
}
