/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the network half says to the TPM half. In production whoever took the network half over controls it.
 * The first byte chooses a reader, the rest is its input; frames are taken off the front until one is not
 * whole.
 */
#include "agent/privsep.h"
#include "fuzz/fuzz.h"

static void frames(struct view in)
{
        struct privsep_frame f;
        struct err err = ERR_INIT;

        while (in.len) {
                int used = privsep_request_take(in, &f, &err);

                if (used <= 0)
                        return;
                FUZZ_CHECK((size_t)used <= in.len && f.body.len <= PRIVSEP_SECRETS_MAX);
                FUZZ_CHECK(!privsep_permitted(f.type, PRIVSEP_N_STATES));
                in = VIEW(in.p + used, in.len - (size_t)used);
        }
}

/* What is read is written as it came: there is one spelling. */
static void again(const struct buf *b, struct view in)
{
        FUZZ_CHECK(buf_ok(b) && view_equal(VIEW_BUF(b), in));
}

static void messages(uint8_t which, struct view in)
{
        AUTO(buf_free) struct buf b = {0};
        struct err err = ERR_INIT;
        union {
                struct privsep_activate activate;
                struct privsep_session session;
                struct privsep_collect collect;
                struct privsep_status status;
                struct privsep_identity identity;
                struct privsep_evidence evidence;
                struct privsep_event event;
                struct privsep_revoke revoke;
                struct privsep_show show;
                struct privsep_release release;
                struct privsep_wanted wanted;
        } m;
        int r = -1;

        if (which == 1 && (r = privsep_activate_get(in, &m.activate, &err)) == 0)
                privsep_activate_put(&b, &m.activate);
        else if (which == 2 && (r = privsep_session_get(in, &m.session, &err)) == 0)
                privsep_session_put(&b, &m.session);
        else if (which == 3 && (r = privsep_collect_get(in, &m.collect, &err)) == 0)
                privsep_collect_put(&b, &m.collect);
        else if (which == 4 && (r = privsep_status_get(in, &m.status, &err)) == 0)
                privsep_status_put(&b, &m.status);
        else if (which == 5 && (r = privsep_identity_get(in, &m.identity, &err)) == 0)
                privsep_identity_put(&b, &m.identity);
        else if (which == 6 && (r = privsep_evidence_get(in, &m.evidence, &err)) == 0)
                privsep_evidence_put(&b, &m.evidence);
        else if (which == 7 && (r = privsep_event_get(in, &m.event, &err)) == 0)
                privsep_event_put(&b, &m.event);
        else if (which == 8 && (r = privsep_revoke_get(in, &m.revoke, &err)) == 0)
                privsep_revoke_put(&b, &m.revoke);
        else if (which == 9 && (r = privsep_show_get(in, &m.show, &err)) == 0)
                privsep_show_put(&b, &m.show);
        else if (which == 10 && (r = privsep_release_get(in, &m.release, &err)) == 0)
                privsep_release_put(&b, &m.release);
        else if (which == 11 && (r = privsep_wanted_get(in, &m.wanted, &err)) == 0)
                privsep_wanted_put(&b, &m.wanted);
        if (r == 0)
                again(&b, in);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        if (size == 0)
                return 0;
        if (data[0] == 0)
                frames(VIEW(data + 1, size - 1));
        else
                messages(data[0], VIEW(data + 1, size - 1));
        return 0;
}
