/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The inside of libavow-evidence: what tee_types.c does, behind an interface of plain C that names none of
 * our types. Nothing is decided here.
 */
#include "evidence/avow-evidence.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"
#include "evidence/tee_json.h"
#include "evidence/tee_types.h"

#define EVIDENCE_BYTES_MAX (16u * 1024 * 1024)

struct avow_evidence {
        struct endorsements *heap;
        struct dcap_warm *warm;
        struct tee_trust trust;
        bool has_log, has_id_auth;
        unsigned statuses;
        struct buf report_data, log, id_auth;
        struct buf bytes; /* what was judged: WORK borrows from it */
        const struct tee_type *type;
        struct tee_work work;
        char *json;
        struct err err;
};

struct avow_evidence *avow_evidence_new(void)
{
        struct avow_evidence *e = mem_zalloc(1, sizeof(*e));

        if (!e || endorsements_new(&e->heap, &e->err) < 0 || dcap_warm_new(&e->warm, &e->err) < 0) {
                if (e)
                        endorsements_free(e->heap);
                free(e);
                return NULL;
        }
        e->statuses = DCAP_STATUSES_DEFAULT;
        return e;
}

/* Forgets what came out. */
static void forget(struct avow_evidence *e)
{
        tee_work_done(&e->work);
        e->work = (struct tee_work){.verify = true};
        e->type = NULL;
        free(e->json);
        e->json = NULL;
        buf_reset(&e->bytes);
}

void avow_evidence_free(struct avow_evidence *e)
{
        if (!e)
                return;
        forget(e);
        endorsements_free(e->heap);
        dcap_warm_free(e->warm);
        buf_free(&e->report_data);
        buf_free(&e->log);
        buf_free(&e->id_auth);
        buf_free(&e->bytes);
        free(e);
}

const char *avow_evidence_error(const struct avow_evidence *e)
{
        return e->err.kind == ERR_NONE ? "no error" : e->err.text;
}

static int keep(struct avow_evidence *e, struct buf *to, const void *bytes, size_t size, size_t max)
{
        err_clear(&e->err);
        if (size > max) {
                (void)err_set(&e->err, ERR_LIMIT, 0, "%zu bytes; at most %zu are taken", size, max);
                return AVOW_EVIDENCE_ERROR;
        }
        buf_reset(to);
        buf_put(to, bytes, size);
        if (buf_ok(to))
                return 0;
        (void)err_nomem(&e->err);
        return AVOW_EVIDENCE_ERROR;
}

int avow_evidence_add_endorsement(struct avow_evidence *e, const void *bytes, size_t size)
{
        enum endorsement_kind kind = ENDORSEMENT_UNKNOWN;

        err_clear(&e->err);
        if (endorsements_add(e->heap, VIEW(bytes, size), &kind, &e->err) < 0)
                return AVOW_EVIDENCE_ERROR;
        return kind != ENDORSEMENT_UNKNOWN;
}

int avow_evidence_expect_report_data(struct avow_evidence *e, const void *bytes, size_t size)
{
        if (size == SNP_DATA_BYTES)
                return keep(e, &e->report_data, bytes, size, size);
        err_clear(&e->err);
        (void)err_set(&e->err, ERR_FORMAT, 0, "report data has %d bytes, not %zu", SNP_DATA_BYTES, size);
        return AVOW_EVIDENCE_ERROR;
}

int avow_evidence_set_event_log(struct avow_evidence *e, const void *bytes, size_t size)
{
        e->has_log = true;
        return keep(e, &e->log, bytes, size, BOOTLOG_BYTES_MAX);
}

int avow_evidence_set_id_auth(struct avow_evidence *e, const void *bytes, size_t size)
{
        e->has_id_auth = true;
        return keep(e, &e->id_auth, bytes, size, BOOTLOG_BYTES_MAX);
}

int avow_evidence_accept_statuses(struct avow_evidence *e, const char *words)
{
        unsigned statuses = 0;

        err_clear(&e->err);
        while (*(words += strspn(words, " "))) {
                size_t len = strcspn(words, " ");
                enum dcap_status status = DCAP_STATUS_NONE;
                char word[TEE_WORD_BYTES];

                (void)snprintf(word, sizeof(word), "%.*s", len < sizeof(word) ? (int)len : 0, words);
                for (int k = DCAP_UP_TO_DATE; k < DCAP_N_STATUSES; k++)
                        if (k != DCAP_REVOKED && str_equal(word, dcap_status_name((enum dcap_status)k)))
                                status = (enum dcap_status)k;
                if (status == DCAP_STATUS_NONE) {
                        (void)err_set(&e->err, ERR_FORMAT, 0, "%s is no TCB status that could be accepted",
                                      SHOW_VIEW(VIEW(words, len)));
                        return AVOW_EVIDENCE_ERROR;
                }
                statuses |= DCAP_STATUS(status);
                words += len;
        }
        e->statuses = statuses;
        return 0;
}

static int number_of(const struct tee_work *w)
{
        const char *word = tee_work_verdict(w);

        if (str_starts(word, tee_verdict_name(TEE_ACCEPT)))
                return AVOW_EVIDENCE_ACCEPT;
        if (str_equal(word, tee_verdict_name(TEE_REJECT)))
                return AVOW_EVIDENCE_REJECT;
        return str_equal(word, tee_verdict_name(TEE_MALFORMED)) ? AVOW_EVIDENCE_MALFORMED
                                                                : AVOW_EVIDENCE_UNDECIDED;
}

static int64_t to_ms(int64_t s)
{
        return s > INT64_MAX / 1000 ? INT64_MAX : s < INT64_MIN / 1000 ? INT64_MIN : s * 1000;
}

int avow_evidence_verify(struct avow_evidence *e, const char *type, const void *bytes, size_t size,
                         int64_t at)
{
        const struct tee_type *t = tee_type_find(type);

        forget(e);
        err_clear(&e->err);
        if (!t) {
                (void)err_set(&e->err, ERR_FORMAT, 0, "%s is no type of evidence", SHOW(type));
                return AVOW_EVIDENCE_ERROR;
        }
        if (keep(e, &e->bytes, bytes, size, EVIDENCE_BYTES_MAX) < 0)
                return AVOW_EVIDENCE_ERROR;
        e->work.bytes = VIEW_BUF(&e->bytes);
        e->work.warm = e->warm;
        e->trust.heap = e->heap;
        e->work.trust = &e->trust;
        e->work.at_ms = to_ms(at);
        e->work.report_data = VIEW_BUF(&e->report_data);
        e->work.has_log = e->has_log;
        e->work.log = VIEW_BUF(&e->log);
        e->work.has_id_auth = e->has_id_auth;
        e->work.id_auth = VIEW_BUF(&e->id_auth);
        e->work.snp = &snp_policy_reference;
        e->work.dcap.statuses = e->statuses;
        if (t->run(&e->work, &e->err) < 0) {
                struct err why = e->err;

                forget(e);
                e->err = why;
                return AVOW_EVIDENCE_ERROR;
        }
        e->type = t;
        return number_of(&e->work);
}

const char *avow_evidence_verdict_word(const struct avow_evidence *e)
{
        return e->type ? tee_work_verdict(&e->work) : tee_verdict_name(TEE_UNDECIDED);
}

size_t avow_evidence_n_checks(const struct avow_evidence *e)
{
        return e->work.result.n_checks;
}

int avow_evidence_get_check(const struct avow_evidence *e, size_t n, struct avow_evidence_check *ret)
{
        const struct tee_check *c;

        if (n >= e->work.result.n_checks)
                return AVOW_EVIDENCE_ERROR;
        c = &e->work.result.checks[n];
        *ret = (struct avow_evidence_check){.name = c->name,
                                            .state = c->state == TEE_PASS   ? AVOW_EVIDENCE_PASSED
                                                     : c->state == TEE_FAIL ? AVOW_EVIDENCE_FAILED
                                                                            : AVOW_EVIDENCE_SKIPPED,
                                            .reason = c->reason,
                                            .text = c->text};
        return 0;
}

const char *avow_evidence_json(struct avow_evidence *e)
{
        AUTO(json_free_p) json_t *doc = NULL;

        if (!e->type || e->json)
                return e->json;
        doc = tee_result_to_json(&e->work.result, tee_work_verdict(&e->work));
        if (!doc || json_set_str(doc, "type", e->type->name) < 0 ||
            json_set_time(doc, "at", e->work.at_ms) < 0 ||
            (e->work.status && json_object_set(doc, "status", e->work.status) < 0) ||
            (e->work.content && json_object_set(doc, "content", e->work.content) < 0))
                return NULL;
        return e->json = json_print(doc);
}
