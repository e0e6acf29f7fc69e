/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The launch log: which module was started, by which permit, and what its runtime's process consisted of. The
 * digest that is extended covers every word of a record but its times (evidence/launch.h), so a quote over
 * the launch register covers them too. What root does beside the launcher is in no log of ours: the kernel's
 * list shows that. Spec: SR-23.
 */
#include "agent/launch_ledger.h"

#include <string.h>

#include "base/hex.h"
#include "base/mem.h"
#include "base/str.h"

static int add(struct pcr_log *log, struct tpm *tpm, struct cel_record *rec, struct err *err)
{
        const struct tpm_bank_set *banks = pcr_log_banks(log);
        struct digest digests[TPM_MAX_BANKS];

        for (size_t i = 0; i < banks->n; i++) {
                int r = launch_record_digest(banks->v[i], rec, &digests[i], err);

                if (r < 0)
                        return r;
        }
        return pcr_log_add(log, tpm, rec, digests, banks->n, err);
}

int launch_ledger_launch(struct pcr_log *log, struct tpm *tpm, const struct launch *l,
                         const struct permit *permit, bool cached, struct err *err)
{
        struct cel_record rec = {.kind = (char *)(uintptr_t)CEL_KIND_LAUNCH,
                                 .runtime = (char *)(uintptr_t)l->runtime,
                                 .permit = (char *)(uintptr_t)permit->id,
                                 .module = l->sha256,
                                 .closure = l->closure,
                                 .cached = cached};
        int r = launch_digest(l, &rec.launch, err);

        if (r >= 0)
                r = add(log, tpm, &rec, err);
        return r < 0 ? err_wrap(err, "recording the launch") : 0;
}

/* "SHA256  PATH" of the first line of TEXT, which is cut off. */
static int take_line(struct view *text, struct cel_foreign *ret, struct err *err)
{
        const uint8_t *end = memchr(text->p, '\n', text->len);
        size_t len = end ? (size_t)(end - text->p) : 0, hex = 2 * digest_size(DIGEST_SHA256);
        uint8_t bytes[DIGEST_BYTES_MAX];
        int r;

        if (len < hex + 3 || text->p[hex] != ' ' || text->p[hex + 1] != ' ')
                return err_set(err, ERR_FORMAT, 0, "a mapping is no line of digest and path");
        r = hex_decode_exact(VIEW(text->p, hex), bytes, digest_size(DIGEST_SHA256), err);
        if (r >= 0)
                r = digest_set(DIGEST_SHA256, VIEW(bytes, digest_size(DIGEST_SHA256)), &ret->sha256, err);
        if (r < 0)
                return r;
        ret->path = str_ndup((const char *)text->p + hex + 2, len - hex - 2);
        if (!ret->path)
                return err_nomem(err);
        *text = VIEW(end + 1, text->len - len - 1);
        return 0;
}

int launch_ledger_mapped(struct pcr_log *log, struct tpm *tpm, const struct digest *digest, struct view lines,
                         struct view foreign, struct digest *mapped, struct err *err)
{
        struct cel_foreign files[CEL_FOREIGN_MAX] = {{.path = NULL}};
        struct cel_record rec = {
                .kind = (char *)(uintptr_t)CEL_KIND_MAPPED, .launch = *digest, .foreign = files};
        int r = digest_bytes(DIGEST_SHA256, lines, &rec.mappings, err);

        if (r >= 0 && digest_equal(&rec.mappings, mapped))
                return 0;
        if (r >= 0 && !tpm)
                r = err_set(err, ERR_TPM, 0, "the TPM does not answer");
        while (r >= 0 && foreign.len && rec.n_foreign < CEL_FOREIGN_MAX) {
                r = take_line(&foreign, &files[rec.n_foreign], err);
                rec.n_foreign += r >= 0;
        }
        if (r >= 0)
                r = add(log, tpm, &rec, err);
        for (size_t i = 0; i < rec.n_foreign; i++)
                free(files[i].path);
        if (r < 0)
                return err_wrap(err, "recording what a runtime has mapped");
        *mapped = rec.mappings;
        return 0;
}
