/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Replaying a measurement list to a quoted register. The list is read while the kernel goes on measuring, so
 * it is usually longer than what the quote saw: what is looked for is the prefix that leads to the quoted
 * value.
 */
#include <string.h>

#include "crypto/digest_short.h"
#include "evidence/ima_reader.h"

/* What the bank was extended with for an entry. */
static void extended_with(const struct ima_entry *e, const struct ima_reader *r, enum digest_alg bank,
                          enum ima_extended how, uint8_t ret[DIGEST_BYTES_MAX])
{
        if (e->violation)
                memset(ret, 0xff, DIGEST_BYTES_MAX);
        else if (how == IMA_OWN_DIGEST && bank == r->list.log_hash)
                memcpy(ret, e->template_hash.p, e->template_hash.len); /* the reader saw that it fits */
        else if (how == IMA_OWN_DIGEST)
                digest_short(bank, e->data, VIEW_NONE, ret);
        else if (r->list.log_hash == DIGEST_SHA1)
                memcpy(ret, e->template_hash.p, e->template_hash.len); /* RET's rest is zero */
        else
                digest_short(DIGEST_SHA1, e->data, VIEW_NONE, ret);
}

static void take_place(struct ima_replay *ret, uint64_t covered, size_t bytes, uint64_t violations)
{
        ret->matched = true;
        ret->covered = covered;
        ret->covered_bytes = bytes;
        ret->violations = violations;
}

static int replay(const struct ima_list *list, const struct ima_start *start, unsigned pcr,
                  const struct digest *quoted, struct ima_replay *ret, struct err *err)
{
        AUTO(ima_reader_free_p) struct ima_reader *r = NULL;
        struct digest value = start->value;
        struct ima_entry e;
        uint64_t violations = 0;
        bool mark_met = false;
        int n = ima_reader_new(list, &r, err);

        if (n < 0)
                return n;
        if (view_equal(digest_view(&value), digest_view(quoted))) /* both are public */
                take_place(ret, 0, 0, 0);
        for (ret->n = 0; (n = ima_next(r, &e, err)) > 0; ret->n++) {
                uint8_t with[DIGEST_BYTES_MAX] = {0};

                if (e.pcr == pcr) {
                        violations += e.violation;
                        extended_with(&e, r, value.alg, ret->extended, with);
                        digest_short(value.alg, digest_view(&value), VIEW(with, value.len), value.b);
                }
                if (ret->n + 1 == start->mark && digest_equal(&value, &start->mark_value))
                        mark_met = true;
                if (e.pcr == pcr &&
                    view_equal(digest_view(&value), digest_view(quoted))) { /* both are public */
                        take_place(ret, ret->n + 1, e.at + e.len, violations);
                        ret->mark_met = mark_met;
                }
        }
        ret->value = ret->matched ? *quoted : value;
        return n;
}

int ima_replay(const struct ima_list *list, const struct ima_start *start, unsigned pcr,
               const struct digest *quoted, struct ima_replay *ret, struct err *err)
{
        int n;

        *ret = (struct ima_replay){.extended = start->known ? start->extended : IMA_OWN_DIGEST};
        if (start->value.alg != quoted->alg)
                return err_set(err, ERR_BUG, 0, "a bank of %s is replayed to a value of %s",
                               digest_name(start->value.alg), digest_name(quoted->alg));
        n = replay(list, start, pcr, quoted, ret, err);
        if (n < 0 || ret->matched || start->known || quoted->alg == DIGEST_SHA1)
                return n;
        ret->extended = IMA_PADDED_SHA1;
        n = replay(list, start, pcr, quoted, ret, err);
        if (n >= 0 && !ret->matched) {
                ret->extended = IMA_OWN_DIGEST;
                n = replay(list, start, pcr, quoted, ret, err);
        }
        return n;
}

int ima_boot_aggregate(const struct pcr_values *values, struct digest *ret, struct err *err)
{
        return pcr_values_digest(values, values->bank == DIGEST_SHA1 ? 0x0ff : 0x3ff, values->bank, ret, err);
}
