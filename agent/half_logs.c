/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The kernel's list and the firmware's log, as the TPM half reads them: only root may. Neither is parsed
 * here beyond where entries end. A host whose log cannot be read goes on attesting without it; what that
 * means is for the verifier to say, who knows the policy.
 */
#include <unistd.h>

#include "agent/half_private.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "evidence/bootlog.h"
#include "evidence/tee_binding.h"

/* Reading from where it was left off takes milliseconds; a list of a million entries from its beginning takes
 * minutes, and the TPM half has others to answer. */
#define IMA_READ_MS 2000
/* Of a list in one request: it is held several times over on its way, and has to get through a thin line
 * before the request's deadline. */
#define IMA_PART_BYTES (2u << 20)

int half_logs_new(struct half *h, struct err *err)
{
        return h->config->ima_log ? kernel_list_new(h->config->ima_log, &h->ima, err) : 0;
}

void half_logs_offer(struct half *h, struct privsep_identity *ret)
{
        ret->has_ima = h->ima && kernel_list_count(h->ima, &ret->ima_entries) > 0;
        enum tee_kind kind;

        ret->has_uefi = h->config->uefi_log && access(h->config->uefi_log, R_OK) == 0;
        ret->tee = h->config->peer == AGENT_PEER_AVOW && tee_source_look(h->config, &kind) ? PRIVSEP_TEE(kind)
                                                                                           : 0;
        if (ret->tee && !h->told_tee)
                log_info("the processor can be asked for evidence of kind %s", tee_kind_name(kind));
        h->told_tee = ret->tee != 0;
}

/* Each trouble is told once, until it is over. */
static void say(bool *said, const struct err *err, const char *what)
{
        if (!*said)
                log_err(err, "%s is not shown to the verifier", what);
        *said = true;
}

static int read_uefi(struct half *h, size_t left, struct buf *ret, struct err *err)
{
        size_t max = left < BOOTLOG_BYTES_MAX ? left : BOOTLOG_BYTES_MAX;
        int r = file_read(h->config->uefi_log, max, ret, err);

        if (r >= 0)
                h->said_uefi = false;
        if (r >= 0 || r == -ERR_NOMEM)
                return r;
        buf_reset(ret);
        say(&h->said_uefi, err, "the firmware's log");
        err_clear(err);
        return 0;
}

static int read_ima(struct half *h, const struct privsep_collect *m, size_t left, struct buf *out,
                    struct privsep_evidence *ret, struct err *err)
{
        const struct kernel_list_ask ask = {.first = m->ima_offset,
                                            .at = m->ima_at,
                                            .max_entries = m->ima_max,
                                            .max_bytes = left < IMA_PART_BYTES ? left : IMA_PART_BYTES,
                                            .until_ms = clock_mono_ms() + IMA_READ_MS};
        struct kernel_list_part part;
        int r = kernel_list_read(h->ima, &ask, out, &part, err);

        if (r == -ERR_NOMEM)
                return r;
        ret->ima_offset = part.first;
        ret->ima_count = part.n;
        ret->ima_total = part.total;
        if (r >= 0)
                h->said_ima = false;
        else
                say(&h->said_ima, err, "the kernel's list from there on");
        err_clear(err);
        return 0;
}

/* What the processor is to sign: this host's key, and the challenge that the quote beside it answers. */
static int make_tee(struct half *h, const struct privsep_collect *m, struct tee_made *made, struct err *err)
{
        uint8_t data[TEE_DATA_BYTES];
        struct tpm_public ak;
        int r = tpm2b_public_parse(tpm_ak_public(h->id.ak), &ak, err);

        if (r >= 0)
                r = tee_binding_data(m->challenge, &ak, data, err);
        if (r < 0)
                return r;
        if (h->slow)
                h->slow("asking the processor for evidence");
        return tee_source_make(h->config, (enum tee_kind)(m->tee - 1), data, made, err);
}

int half_tee_collect(struct half *h, const struct privsep_collect *m, struct tee_made *made,
                     struct privsep_evidence *ret, struct err *err)
{
        int r;

        if (!m->tee || h->config->peer != AGENT_PEER_AVOW)
                return 0;
        r = make_tee(h, m, made, err);
        if (r == -ERR_NOMEM)
                return r;
        if (r < 0) {
                say(&h->said_tee, err, "evidence of the processor");
                err_clear(err);
                tee_made_done(made);
                return 0;
        }
        h->said_tee = false;
        ret->tee = (struct tee_shown){.kind = (enum tee_kind)(m->tee - 1),
                                      .evidence = VIEW_BUF(&made->evidence),
                                      .table = VIEW_BUF(&made->table),
                                      .manifest = VIEW_BUF(&made->manifest)};
        return 0;
}

int half_logs_collect(struct half *h, const struct privsep_collect *m, size_t left, struct buf *uefi,
                      struct buf *ima, struct privsep_evidence *ret, struct err *err)
{
        if (m->uefi && h->config->uefi_log && read_uefi(h, left, uefi, err) < 0)
                return -ERR_NOMEM;
        ret->ima_offset = ret->ima_total = m->ima_offset;
        if (m->ima_max && h->ima && read_ima(h, m, left - uefi->len, ima, ret, err) < 0)
                return -ERR_NOMEM;
        ret->uefi = VIEW_BUF(uefi);
        ret->ima = VIEW_BUF(ima);
        return 0;
}
