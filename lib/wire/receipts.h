/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_WIRE_RECEIPTS_H
#define AVOW_WIRE_RECEIPTS_H

#include "crypto/digest.h"
#include "evidence/receipt.h"
#include "wire/ask.h"
#include "wire/wire.h"

/*
 * A host shows its receipts to be countersigned (POST /avow/v1/agents/:id/receipts): 200 if the verifier has
 * decided about each, else 201 with a challenge of seconds. The host answers that as any other, and asks
 * again. Spec: docs/protocol.md, "Receipts"; SR-14, SR-24.
 */
#define WIRE_RECEIPTS_MAX      16
#define WIRE_RECEIPTS_BODY_MAX (2u << 20)

struct wire_receipts_request {
        size_t n; /* 1 to WIRE_RECEIPTS_MAX */
        struct receipt_file file[WIRE_RECEIPTS_MAX];
};
int wire_receipts_request_encode(const struct wire_receipts_request *m, struct buf *ret,
                                 struct err *err) MUST_USE;
/* RET is for _done() on success only. */
int wire_receipts_request_decode(struct view body, struct wire_receipts_request *ret,
                                 struct err *err) MUST_USE;
void wire_receipts_request_done(struct wire_receipts_request *m);

struct wire_receipts_answer {
        char *ak_certificate; /* PEM, or NULL */
        size_t n;
        struct wire_receipts_item {
                struct digest digest;
                char *countersignature; /* NULL: not decided yet */
                char *refused;          /* why it never will be; NULL: it is not refused */
        } item[WIRE_RECEIPTS_MAX];
        bool has_next;
        struct wire_next next;
};
int wire_receipts_answer_encode(const struct wire_receipts_answer *m, struct buf *ret,
                                struct err *err) MUST_USE;
int wire_receipts_answer_decode(struct view body, struct wire_receipts_answer *ret, struct err *err) MUST_USE;
void wire_receipts_answer_done(struct wire_receipts_answer *m);

#endif
