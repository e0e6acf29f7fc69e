/* SPDX-License-Identifier: Apache-2.0 */
/* Which releases are signed: for whom, for what, and every reason why not. */
#include "verifier/releases.h"

#include <stdlib.h>

#include "base/str.h"
#include "crypto/tpm_key.h"
#include "evidence/seal_policy.h"
#include "evidence/sealed.h"
#include "support/support.h"
#include "wire/approval.h"

#define VERIFIER "4b1f1c9e-52a7-4c0e-9e57-0a8b6a7c1d2f"
#define OTHER    "11111111-52a7-4c0e-9e57-0a8b6a7c1d2f"

struct world {
        struct key *owner, *agent, *release;
        struct pubkey *agent_public, *release_public;
        struct counters_record counters;
        struct release_facts facts;
        struct wire_release_request m;
        /* two approvals of web-1, and one of web-2 */
        char *text[3];
        struct digest bracket[3];
};

static void make_approval(struct world *w, const char *host, uint64_t version, char **ret_text,
                          struct digest *ret_bracket)
{
        struct err err = ERR_INIT;
        struct approval a = {.scope = {.tenant = "acme", .class = "model"},
                             .pcrs = {DIGEST_SHA256, 1u << 15},
                             .floor_index = w->counters.floor.index,
                             .floor_name = w->counters.floor.name,
                             .version = version,
                             .n_brackets = 1,
                             .created_at_ms = 1795300871123};
        AUTO(buf_free) struct buf message = {0};
        struct buf text = {0};
        struct digest ref;

        (void)snprintf(a.scope.host, sizeof(a.scope.host), "%s", host);
        assert_ok(key_public(w->owner, &a.owner.key, &err), &err);
        assert_ok(key_public(w->release, &a.release_key, &err), &err);
        memcpy(a.verifier, VERIFIER, sizeof(a.verifier));
        a.brackets = mem_zalloc(1, sizeof(*a.brackets));
        assert_ok(digest_bytes(DIGEST_SHA256, view_str("pcrs"), &a.brackets[0].pcr_digest, &err), &err);
        assert_ok(approval_rebuild(&a, &err), &err);
        assert_ok(secret_scope_ref(&a.scope, &ref, &err), &err);
        seal_approval_message(&a.brackets[0].digest, digest_view(&ref), &message);
        assert_ok(tpm_key_sign(w->owner, VIEW_BUF(&message), &a.brackets[0].signature, &err), &err);
        assert_ok(approval_encode(&a, &text, &err), &err);
        *ret_bracket = a.brackets[0].digest;
        *ret_text = buf_take_str(&text);
        approval_done(&a);
}

static void ask(struct world *w, size_t i, const char *name, size_t approval)
{
        struct wire_release_item *item = &w->m.item[i];

        if (w->m.n <= i)
                w->m.n = i + 1;
        (void)snprintf(item->name, sizeof(item->name), "%s", name);
        memset(item->nonce, (int)(i + 1), sizeof(item->nonce));
        memcpy(item->approval, w->bracket[approval].b, sizeof(item->approval));
}

static int setup(void **state)
{
        struct world *w = calloc(1, sizeof(*w));
        struct key **const keys[] = {&w->owner, &w->agent, &w->release};
        AUTO(buf_free) struct buf spki = {0};
        struct err err = ERR_INIT;

        for (size_t i = 0; i < ARRAY_LEN(keys); i++)
                assert_ok(key_generate_ec(CURVE_P256, keys[i], &err), &err);
        assert_ok(key_public(w->agent, &w->agent_public, &err), &err);
        assert_ok(key_public(w->release, &w->release_public, &err), &err);
        assert_ok(pubkey_spki(w->agent_public, &spki, &err), &err);
        assert_ok(counters_set(&w->counters, VIEW_BUF(&spki), SEAL_NV_EPOCH, SEAL_NV_FLOOR, &err), &err);
        w->counters.known = true;
        w->counters.floor.value = 5;
        w->facts = (struct release_facts){.verifier_id = VERIFIER,
                                          .tenant = "acme",
                                          .host = "web-1",
                                          .key = w->release,
                                          .public = w->release_public,
                                          .counters = &w->counters,
                                          .lease_s = 60};
        make_approval(w, "web-1", 5, &w->text[0], &w->bracket[0]);
        make_approval(w, "web-1", 9, &w->text[1], &w->bracket[1]);
        make_approval(w, "web-2", 9, &w->text[2], &w->bracket[2]);
        ask(w, 0, "db", 0);
        *state = w;
        return 0;
}

static int teardown(void **state)
{
        struct world *w = *state;

        key_free(w->owner);
        key_free(w->agent);
        key_free(w->release);
        pubkey_free(w->agent_public);
        pubkey_free(w->release_public);
        for (size_t i = 0; i < ARRAY_LEN(w->text); i++)
                free(w->text[i]);
        free(w);
        return 0;
}

/* Decides with all three approvals on record; those whose bit is in WITHDRAWN are. */
static struct wire_release_answer decide(const struct world *w, unsigned withdrawn)
{
        struct release_approval list[3];
        struct wire_release_answer a = {.lease_s = 0};
        struct err err = ERR_INIT;

        for (size_t i = 0; i < 3; i++)
                list[i] = (struct release_approval){w->text[i], withdrawn >> i & 1};
        assert_ok(releases_decide(&w->m, &w->facts, list, 3, &a, &err), &err);
        return a;
}

static void refused(const struct world *w, unsigned withdrawn, const char *type, const char *where)
{
        struct wire_release_answer a = decide(w, withdrawn);

        assert_int_equal(a.lease_s, 0);
        assert_int_equal(a.n, 0);
        assert_string_equal(a.type, type);
        assert_non_null(a.detail);
        assert_true(str_equal(a.where, where));
        wire_release_answer_done(&a);
}

/* Is the I-th signature by our key, over this nonce and lease, for HOST? */
static bool is_for(const struct world *w, const struct wire_release_answer *a, size_t i, const char *host)
{
        AUTO(buf_free) struct buf message = {0};
        struct err err = ERR_INIT;
        struct digest ref;
        bool good = false;

        assert_ok(seal_release_ref(VERIFIER, host, &ref, &err), &err);
        seal_release_message(VIEW_ARRAY(w->m.item[i].nonce), a->lease_s, digest_view(&ref), &message);
        assert_ok(seal_signature_check(w->release_public, VIEW_BUF(&a->item[i].signature), VIEW_BUF(&message),
                                       &good, &err),
                  &err);
        return good;
}

static void all_are_signed(void **state)
{
        struct world *w = *state;
        struct wire_release_answer a;

        ask(w, 1, "tls.key", 1);
        a = decide(w, 0);
        assert_int_equal(a.n, 2);
        assert_int_equal(a.lease_s, 60);
        assert_string_equal(a.item[1].name, "tls.key");
        assert_true(is_for(w, &a, 0, "web-1"));
        assert_true(is_for(w, &a, 1, "web-1"));
        assert_false(is_for(w, &a, 0, "web-2")); /* relayed: another host's nonce, signed for who asked */
        wire_release_answer_done(&a);
}

static void one_refusal_refuses_all(void **state)
{
        struct world *w = *state;

        ask(w, 1, "tls.key", 1);
        refused(w, 1u << 1, "withdrawn", "tls.key");
        refused(w, 1u << 0, "withdrawn", "db");
        memset(w->m.item[1].approval, 0x5a, 32);
        refused(w, 0, "no-approval", "tls.key");
}

static void an_approval_of_another_host_or_tenant(void **state)
{
        struct world *w = *state;

        ask(w, 0, "db", 2); /* web-2's bracket */
        refused(w, 0, "no-approval", "db");
        ask(w, 0, "db", 0);
        w->facts.tenant = "default";
        refused(w, 0, "no-approval", "db");
}

static void approved_anew_after_it_was_withdrawn(void **state)
{
        struct world *w = *state;
        const struct release_approval list[] = {
                {w->text[0], true}, {"no approval", false}, {w->text[0], false}};
        struct wire_release_answer a = {.lease_s = 0};
        struct err err = ERR_INIT;

        assert_ok(releases_decide(&w->m, &w->facts, list, 3, &a, &err), &err);
        assert_int_equal(a.n, 1);
        wire_release_answer_done(&a);
}

static void floors(void **state)
{
        struct world *w = *state;

        w->counters.floor.value = 6; /* approval 0 is of version 5 */
        refused(w, 0, "floor-not-certified", "db");
        w->counters.floor.value = 0;
        w->counters.known = false;
        refused(w, 0, "floor-not-certified", "db");
        w->counters.known = true;
        w->counters.floor.name.b[9] ^= 1; /* a counter of another make */
        refused(w, 0, "floor-not-certified", "db");
        w->counters.floor.name.b[9] ^= 1;
        w->counters.floor.index++;
        refused(w, 0, "floor-not-certified", "db");
}

static void keys(void **state)
{
        struct world *w = *state;

        w->facts.verifier_id = OTHER;
        refused(w, 0, "other-key", "db");
        w->facts.verifier_id = VERIFIER;
        w->facts.key = w->agent;
        w->facts.public = w->agent_public;
        refused(w, 0, "other-key", "db");
        w->facts.key = NULL;
        refused(w, 0, "no-release-key", NULL);
}

static int run(void *ctx, struct err *err)
{
        const struct world *w = ctx;
        const struct release_approval list[] = {{w->text[0], false}, {w->text[1], false}};
        struct wire_release_answer a = {.lease_s = 0};
        int r = releases_decide(&w->m, &w->facts, list, 2, &a, err);

        wire_release_answer_done(&a);
        return r;
}

static void out_of_memory(void **state)
{
        struct world *w = *state;

        oom_each(run, w);
        memset(w->m.item[0].approval, 0, 32);
        oom_each(run, w);
}

int main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
        static const struct CMUnitTest tests[] = {
                CASE(all_are_signed),
                CASE(one_refusal_refuses_all),
                CASE(an_approval_of_another_host_or_tenant),
                CASE(approved_anew_after_it_was_withdrawn),
                CASE(floors),
                CASE(keys),
                CASE(out_of_memory),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
