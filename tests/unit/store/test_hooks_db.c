/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Hooks, the revocations that were received, and the outbox between them: who gets what, and that a later
 * event of a host never overtakes an earlier one (SR-8).
 */
#include "store/hooks_db.h"

#include <stdlib.h>

#include "pump.h"
#include "store/registrar_db.h"

struct row {
        char id[32], error[32];
        int64_t n, attempts, next_at_ms;
        enum outbox_state state;
        bool words; /* payload, jws and nonce are there */
};

struct fixture {
        char dir[TMPDIR_BYTES], url[64];
        struct pump pump;
        struct registrar_db *db;
        struct hooks_db *hooks;
        /* the last answer */
        int told;
        enum store_outcome outcome;
        enum err_kind kind;
        size_t n;
        int64_t next;
        struct hook hook; /* the first */
        char names[8][16];
        struct {
                int64_t n, n_hooks, n_delivered, n_parked;
                char id[32], nonce[40];
                bool words;
        } received[8];
        struct row rows[8];
        struct hooks_counts counts;
};

static int setup(void **state)
{
        struct fixture *f = calloc(1, sizeof(*f));
        struct err err = ERR_INIT;

        tmpdir_make(f->dir);
        (void)snprintf(f->url, sizeof(f->url), "sqlite:%s/r.db", f->dir);
        pump_init(&f->pump);
        assert_ok(registrar_db_open(f->url, pump_post, &f->pump, NULL, &f->db, &err), &err);
        assert_ok(hooks_db_new(registrar_db_store(f->db), NULL, &f->hooks, &err), &err);
        *state = f;
        return 0;
}

static int teardown(void **state)
{
        struct fixture *f = *state;

        registrar_db_close(f->db);
        hooks_db_free(f->hooks);
        hook_done(&f->hook);
        pump_done(&f->pump);
        tmpdir_remove(f->dir);
        free(f);
        return 0;
}

/* ---- answers ---- */

static void told(struct fixture *f, enum store_outcome outcome, const struct err *err, size_t n)
{
        f->told++;
        f->outcome = outcome;
        f->kind = err ? err->kind : 0;
        f->n = n;
        assert_int_equal(outcome == STORE_FAILED, err != NULL);
}

static void on_hooks(void *ctx, const struct hooks_result *r)
{
        struct fixture *f = ctx;
        struct err err = ERR_INIT;

        told(f, r->outcome, r->err, r->n);
        hook_done(&f->hook);
        if (r->n)
                assert_ok(hook_dup(&r->hooks[0], &f->hook, &err), &err);
        for (size_t i = 0; i < r->n && i < ARRAY_LEN(f->names); i++)
                (void)snprintf(f->names[i], sizeof(f->names[i]), "%s", r->hooks[i].name);
}

static void on_received(void *ctx, const struct received_result *r)
{
        struct fixture *f = ctx;

        told(f, r->outcome, r->err, r->n);
        for (size_t i = 0; i < r->n && i < ARRAY_LEN(f->received); i++) {
                f->received[i].n = r->list[i].n;
                f->received[i].n_hooks = r->list[i].n_hooks;
                f->received[i].n_delivered = r->list[i].n_delivered;
                f->received[i].n_parked = r->list[i].n_parked;
                f->received[i].words = r->list[i].payload && r->list[i].jws;
                (void)snprintf(f->received[i].id, sizeof(f->received[i].id), "%s", r->list[i].id);
                (void)snprintf(f->received[i].nonce, sizeof(f->received[i].nonce), "%s", r->list[i].nonce);
        }
}

static void on_rows(void *ctx, const struct outbox_result *r)
{
        struct fixture *f = ctx;

        told(f, r->outcome, r->err, r->n);
        f->next = r->next_at_ms;
        for (size_t i = 0; r->rows && i < r->n && i < ARRAY_LEN(f->rows); i++) {
                const struct outbox_row *row = &r->rows[i];

                f->rows[i] = (struct row){.n = row->n,
                                          .attempts = row->attempts,
                                          .next_at_ms = row->next_at_ms,
                                          .state = row->state,
                                          .words = row->payload && row->jws && row->nonce};
                (void)snprintf(f->rows[i].id, sizeof(f->rows[i].id), "%s", row->id);
                (void)snprintf(f->rows[i].error, sizeof(f->rows[i].error), "%s",
                               row->error ? row->error : "");
        }
}

static void on_counts(void *ctx, const struct hooks_counts *counts, const struct err *err)
{
        struct fixture *f = ctx;

        told(f, STORE_OK, err, 0);
        f->counts = *counts;
}

static void on_pruned(void *ctx, size_t n, int64_t next, const struct err *err)
{
        struct fixture *f = ctx;

        told(f, err ? STORE_FAILED : STORE_OK, err, n);
        f->next = next;
}

/* ---- questions ---- */

static enum store_outcome add(struct fixture *f, const char *name, const char *tenant,
                              const struct hook_filter *filter)
{
        const struct hook h = {.name = (char *)name,
                               .tenant = (char *)tenant,
                               .url = (char *)"https://x/",
                               .secret = (char *)"whsec_one",
                               .filter = filter ? *filter : (struct hook_filter){0},
                               .created_at_ms = 7};

        ASK(f, hooks_db_add(f->hooks, &h, NULL, on_hooks, f, err));
        return f->outcome;
}

static enum store_outcome take(struct fixture *f, const struct received *r)
{
        ASK(f, hooks_db_receive(f->hooks, r, NULL, on_received, f, err));
        return f->outcome;
}

static struct received revocation(const char *host, int64_t seq, char id[32])
{
        (void)snprintf(id, 32, "%s/%lld", host, (long long)seq);
        return (struct received){.id = id,
                                 .tenant = (char *)"default",
                                 .host = (char *)host,
                                 .seq = seq,
                                 .reaction = (char *)"suspend",
                                 .payload = id,
                                 .jws = (char *)"a.b.c",
                                 .nonce = (char *)"00112233445566778899aabbccddeeff",
                                 .issued_at_ms = 1,
                                 .received_at_ms = 1000 + seq};
}

/* Return: its number. */
static int64_t receive(struct fixture *f, const char *host, int64_t seq)
{
        char id[32];
        struct received r = revocation(host, seq, id);

        assert_int_equal(take(f, &r), STORE_OK);
        return f->received[0].n;
}

/* What is due of HOOK, as "a/1 b/2". */
static const char *due(struct fixture *f, const char *hook, int64_t now_ms)
{
        static char text[128];

        ASK(f, hooks_db_due(f->hooks, hook, now_ms, 8, on_rows, f, err));
        assert_int_equal(f->outcome, STORE_OK);
        text[0] = '\0';
        for (size_t i = 0; i < f->n; i++) {
                assert_true(f->rows[i].words);
                assert_int_equal(f->rows[i].state, OUTBOX_READY);
                (void)snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s%s", i ? " " : "",
                               f->rows[i].id);
        }
        return text;
}

static void attempted(struct fixture *f, const char *hook, int64_t n, enum outbox_state state,
                      int64_t next_at_ms, const char *error)
{
        ASK(f, hooks_db_attempted(f->hooks, hook, n, state, 500, next_at_ms, error, on_rows, f, err));
        assert_int_equal(f->outcome, STORE_OK);
}

static void delivered(struct fixture *f, const char *hook, int64_t n)
{
        attempted(f, hook, n, OUTBOX_DELIVERED, 0, NULL);
}

static int64_t replay(struct fixture *f, const char *hook, const char *id, int64_t since_ms)
{
        const struct replay what = {id, since_ms};

        ASK(f, hooks_db_replay(f->hooks, NULL, hook, &what, NULL, on_rows, f, err));
        return f->outcome == STORE_OK ? (int64_t)f->n : -(int64_t)f->outcome;
}

/* ---- hooks ---- */

static void test_hooks(void **state)
{
        struct fixture *f = *state;

        assert_int_equal(add(f, "b", "default", NULL), STORE_OK);
        assert_int_equal(add(f, "a", "acme", NULL), STORE_OK);
        assert_string_equal(f->hook.name, "a");
        assert_string_equal(f->hook.url, "https://x/");
        assert_int_equal(f->hook.created_at_ms, 7);
        assert_int_equal(add(f, "a", "default", NULL), STORE_CONFLICT); /* names are everybody's */
        ASK(f, hooks_db_list(f->hooks, NULL, on_hooks, f, err));
        assert_int_equal(f->n, 2);
        assert_string_equal(f->names[0], "a");
        assert_string_equal(f->names[1], "b");
        ASK(f, hooks_db_list(f->hooks, "acme", on_hooks, f, err));
        assert_int_equal(f->n, 1);
        ASK(f, hooks_db_get(f->hooks, "default", "a", on_hooks, f, err));
        assert_int_equal(f->outcome, STORE_NOT_FOUND); /* another tenant's */

        ASK(f, hooks_db_rotate(f->hooks, "acme", "a", "whsec_two", NULL, on_hooks, f, err));
        assert_string_equal(f->hook.secret, "whsec_two");
        assert_string_equal(f->hook.old_secret, "whsec_one");
        ASK(f, hooks_db_rotate(f->hooks, "acme", "a", NULL, NULL, on_hooks, f, err));
        assert_string_equal(f->hook.secret, "whsec_two");
        assert_null(f->hook.old_secret);
        ASK(f, hooks_db_rotate(f->hooks, "default", "a", "x", NULL, on_hooks, f, err));
        assert_int_equal(f->outcome, STORE_NOT_FOUND);

        ASK(f, hooks_db_pause(f->hooks, NULL, "a", true, NULL, on_hooks, f, err));
        assert_true(f->hook.paused);
        ASK(f, hooks_db_pause(f->hooks, NULL, "a", false, NULL, on_hooks, f, err));
        assert_false(f->hook.paused);

        ASK(f, hooks_db_remove(f->hooks, "default", "a", NULL, on_hooks, f, err));
        assert_int_equal(f->outcome, STORE_NOT_FOUND);
        ASK(f, hooks_db_remove(f->hooks, "acme", "a", NULL, on_hooks, f, err));
        assert_int_equal(f->outcome, STORE_OK);
        ASK(f, hooks_db_get(f->hooks, NULL, "a", on_hooks, f, err));
        assert_int_equal(f->outcome, STORE_NOT_FOUND);
        assert_string_equal(hook_kind_name(HOOK_EXEC), "exec");
        assert_string_equal(hook_kind_name((enum hook_kind)99), "?");
}

static void configure(struct fixture *f, const struct hook *hooks, size_t n)
{
        ASK(f, hooks_db_configure(f->hooks, hooks, n, on_hooks, f, err));
}

static void test_configured(void **state)
{
        struct fixture *f = *state;
        struct hook file[] = {{.name = (char *)"journal",
                               .tenant = (char *)"default",
                               .kind = HOOK_JOURNAL,
                               .configured = true},
                              {.name = (char *)"page",
                               .tenant = (char *)"default",
                               .kind = HOOK_EXEC,
                               .program = (char *)"page.sh",
                               .configured = true}};

        configure(f, file, 2);
        assert_int_equal(f->n, 2);
        receive(f, "h", 1);
        ASK(f, hooks_db_pause(f->hooks, NULL, "page", true, NULL, on_hooks, f, err));
        assert_int_equal(f->outcome, STORE_OK);
        ASK(f, hooks_db_remove(f->hooks, NULL, "page", NULL, on_hooks, f, err));
        assert_int_equal(f->outcome, STORE_CONFLICT); /* the file's: it says what there is (SR-8) */
        ASK(f, hooks_db_rotate(f->hooks, NULL, "page", "x", NULL, on_hooks, f, err));
        assert_int_equal(f->outcome, STORE_CONFLICT);

        file[1].program = (char *)"other.sh";
        configure(f, file + 1, 1); /* the journal goes, and what it had yet to get */
        assert_int_equal(f->n, 1);
        assert_string_equal(f->hook.program, "other.sh");
        assert_true(f->hook.paused); /* an admin's word stays */
        assert_string_equal(due(f, "journal", 1), "");
        assert_string_equal(due(f, "page", 1), "h/1");

        assert_int_equal(add(f, "mine", "default", NULL), STORE_OK);
        file[0].name = (char *)"mine";
        configure(f, file, 2);
        assert_int_equal(f->outcome, STORE_FAILED);
        assert_int_equal(f->kind, ERR_CONFIG);
        ASK(f, hooks_db_get(f->hooks, NULL, "page", on_hooks, f, err));
        assert_int_equal(f->outcome, STORE_OK); /* nothing was changed */
}

static void test_filters(void **state)
{
        struct fixture *f = *state;
        const struct {
                struct hook_filter filter;
                bool wants;
        } rows[] = {
                {{0}, true},
                {{.hosts = (char *)"[\"x\",\"web-1\"]"}, true},
                {{.hosts = (char *)"[\"web\"]"}, false},
                {{.hosts = (char *)"[]"}, false},
                {{.policies = (char *)"[\"workers\"]"}, true},
                {{.policies = (char *)"[\"other\"]"}, false},
                {{.severities = (char *)"[\"critical\"]"}, false}, /* the revocation does not say */
                {{.reactions = (char *)"[\"destroy\"]"}, true},
                {{.reactions = (char *)"[\"suspend\",\"reinstate\"]"}, false},
                {{.labels = (char *)"{\"zone\":\"a\"}"}, true},
                {{.labels = (char *)"{\"zone\":\"a\",\"tier\":\"1\"}"}, true},
                {{.labels = (char *)"{\"zone\":\"b\"}"}, false},
                {{.labels = (char *)"{\"rack\":\"a\"}"}, false},
                {{.hosts = (char *)"[\"web-1\"]", .policies = (char *)"[\"other\"]"},
                 false}, /* all must fit */
        };
        char id[32], name[16];
        struct received r = revocation("web-1", 1, id);

        r.policy = (char *)"workers";
        r.reaction = (char *)"destroy";
        r.labels = (char *)"{\"zone\":\"a\",\"tier\":\"1\"}";
        for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
                (void)snprintf(name, sizeof(name), "h%zu", i);
                assert_int_equal(add(f, name, "default", &rows[i].filter), STORE_OK);
        }
        assert_int_equal(add(f, "foreign", "acme", NULL), STORE_OK);
        assert_int_equal(take(f, &r), STORE_OK);
        for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
                (void)snprintf(name, sizeof(name), "h%zu", i);
                if ((due(f, name, 1)[0] != '\0') != rows[i].wants)
                        fail_msg("filter %zu", i);
        }
        assert_string_equal(due(f, "foreign", 1), "");
        /* without labels, a filter for labels lets nothing through */
        r = revocation("web-1", 2, id);
        r.policy = (char *)"workers";
        r.reaction = (char *)"destroy";
        assert_int_equal(take(f, &r), STORE_OK);
        assert_int_equal(f->received[0].n_hooks, 4); /* h0, h1, h4, h7 */
}

/* ---- revocations ---- */

static void test_received_once(void **state)
{
        struct fixture *f = *state;
        char id[32];
        struct received r = revocation("web-1", 3, id);

        assert_int_equal(add(f, "a", "default", NULL), STORE_OK);
        assert_int_equal(take(f, &r), STORE_OK);
        assert_int_equal(f->received[0].n, 1);
        assert_int_equal(f->received[0].n_hooks, 1);
        r.nonce = (char *)"ffffffffffffffffffffffffffffffff";
        assert_int_equal(take(f, &r),
                         STORE_NOT_FOUND); /* known: as it was, with the nonce of the first time */
        assert_string_equal(f->received[0].nonce, "00112233445566778899aabbccddeeff");
        ASK(f, hooks_db_deliveries(f->hooks, NULL, "a", false, 0, 8, on_rows, f, err));
        assert_int_equal(f->n, 1);
        r.payload = (char *)"another";
        assert_int_equal(take(f, &r), STORE_CONFLICT);
        r.tenant = (char *)"acme"; /* another tenant's host of that name is another host */
        assert_int_equal(take(f, &r), STORE_OK);
        assert_int_equal(f->received[0].n, 2);
        assert_int_equal(f->received[0].n_hooks, 0);

        ASK(f, hooks_db_revocation(f->hooks, "default", "web-1/3", on_received, f, err));
        assert_int_equal(f->outcome, STORE_OK);
        assert_true(f->received[0].words);
        ASK(f, hooks_db_revocation(f->hooks, "default", "web-1/4", on_received, f, err));
        assert_int_equal(f->outcome, STORE_NOT_FOUND);
}

static void test_pages(void **state)
{
        struct fixture *f = *state;

        for (int i = 1; i <= 3; i++) {
                receive(f, "a", i);
                receive(f, "b", i);
        }
        ASK(f, hooks_db_revocations(f->hooks, NULL, NULL, 0, 4, on_received, f, err));
        assert_int_equal(f->n, 4);
        assert_string_equal(f->received[0].id, "b/3");
        assert_string_equal(f->received[3].id, "a/2");
        assert_false(f->received[0].words);
        ASK(f, hooks_db_revocations(f->hooks, NULL, NULL, f->received[3].n, 4, on_received, f, err));
        assert_int_equal(f->n, 2);
        assert_string_equal(f->received[1].id, "a/1");
        ASK(f, hooks_db_revocations(f->hooks, NULL, "b", 0, 8, on_received, f, err));
        assert_int_equal(f->n, 3);
        ASK(f, hooks_db_revocations(f->hooks, "acme", NULL, 0, 8, on_received, f, err));
        assert_int_equal(f->n, 0);
}

/* ---- order ---- */

static void test_order(void **state)
{
        struct fixture *f = *state;
        int64_t a1, a2, a3, b1;

        assert_int_equal(add(f, "x", "default", NULL), STORE_OK);
        assert_int_equal(add(f, "y", "default", NULL), STORE_OK);
        a1 = receive(f, "a", 1);
        a3 = receive(f, "a", 3); /* arrived before the second */
        a2 = receive(f, "a", 2);
        b1 = receive(f, "b", 1);
        assert_string_equal(due(f, "x", 1), "a/1 b/1");
        delivered(f, "x", b1);
        assert_string_equal(due(f, "x", 1), "a/1");
        attempted(f, "x", a1, OUTBOX_READY, 900, "no");
        assert_string_equal(due(f, "x", 899), "");
        assert_int_equal(f->next, 900);
        assert_string_equal(due(f, "x", 900), "a/1");
        assert_int_equal(f->rows[0].attempts, 1);
        assert_string_equal(f->rows[0].error, "no");
        attempted(f, "x", a1, OUTBOX_PARKED, 0, "gave up");
        assert_string_equal(due(f, "x", INT64_MAX), ""); /* nothing of its host overtakes what is parked */
        assert_int_equal(f->next, 0);
        receive(f, "a", 4);
        assert_string_equal(due(f, "x", INT64_MAX), "");
        assert_string_equal(due(f, "y", 1), "a/1 b/1"); /* and the other hook goes on */
        delivered(f, "y", a1);
        assert_string_equal(due(f, "y", 1), "a/2 b/1");
        delivered(f, "y", a2);
        assert_string_equal(due(f, "y", 1), "a/3 b/1");
        delivered(f, "y", a3);
        assert_string_equal(due(f, "y", 1), "b/1 a/4");
        delivered(f, "y", a3); /* told twice: nothing moves */
        attempted(f, "y", a3, OUTBOX_READY, 0, "late");
        assert_string_equal(due(f, "y", 1), "b/1 a/4");

        ASK(f, hooks_db_deliveries(f->hooks, NULL, "x", true, 0, 8, on_rows, f, err));
        assert_int_equal(f->n, 1);
        assert_int_equal(f->rows[0].state, OUTBOX_PARKED);
        assert_string_equal(f->rows[0].error, "gave up");
        ASK(f, hooks_db_deliveries(f->hooks, NULL, "x", false, a1, 2, on_rows, f, err));
        assert_int_equal(f->n, 2);
        assert_int_equal(f->rows[0].n, a3);
        ASK(f, hooks_db_deliveries(f->hooks, NULL, "none", false, 0, 2, on_rows, f, err));
        assert_int_equal(f->outcome, STORE_NOT_FOUND);

        ASK(f, hooks_db_counts(f->hooks, on_counts, f, err));
        assert_int_equal(f->counts.revocations, 5);
        assert_int_equal(f->counts.parked, 1);
        assert_int_equal(f->counts.pending, 5); /* x: three that wait; y: a/4, b/1 */
        ASK(f, hooks_db_get(f->hooks, NULL, "x", on_hooks, f, err));
        assert_int_equal(f->hook.n_pending, 3);
        assert_int_equal(f->hook.n_parked, 1);
        assert_int_equal(f->hook.n_delivered, 1);
        assert_int_equal(f->hook.delivered_at_ms, 500);
        ASK(f, hooks_db_revocation(f->hooks, NULL, "a/1", on_received, f, err));
        assert_int_equal(f->received[0].n_hooks, 2);
        assert_int_equal(f->received[0].n_delivered, 1);
        assert_int_equal(f->received[0].n_parked, 1);
        assert_string_equal(outbox_state_name(OUTBOX_WAITING), "pending");
        assert_string_equal(outbox_state_name(OUTBOX_PARKED), "parked");
}

static void test_replay(void **state)
{
        struct fixture *f = *state;
        const struct hook_filter only_b = {.hosts = (char *)"[\"b\"]"};
        int64_t a1, a2, b1;

        a1 = receive(f, "a", 1);
        assert_int_equal(add(f, "x", "default", NULL), STORE_OK);
        a2 = receive(f, "a", 2);
        b1 = receive(f, "b", 1);
        attempted(f, "x", a2, OUTBOX_PARKED, 0, "gave up");
        delivered(f, "x", b1);
        assert_string_equal(due(f, "x", 1), "");

        assert_int_equal(replay(f, "x", NULL, 0), 1); /* what is parked */
        assert_string_equal(due(f, "x", 1), "a/2");
        assert_int_equal(f->rows[0].attempts, 0);
        assert_int_equal(replay(f, "x", "a/1", 0), 1); /* one that it never had comes first, being older */
        assert_string_equal(due(f, "x", 1), "a/1");
        delivered(f, "x", a1);
        assert_string_equal(due(f, "x", 1), "a/2");
        delivered(f, "x", a2);
        assert_int_equal(replay(f, "x", NULL, 1000), 3); /* all, again, in order */
        assert_string_equal(due(f, "x", 1), "a/1 b/1");
        assert_int_equal(replay(f, "x", NULL, 5000), 0);

        assert_int_equal(replay(f, "x", "c/1", 0), -STORE_CONFLICT);
        assert_int_equal(replay(f, "none", "a/1", 0), -STORE_NOT_FOUND);
        assert_int_equal(add(f, "z", "default", &only_b), STORE_OK);
        assert_int_equal(replay(f, "z", NULL, 1), 1);
        assert_string_equal(due(f, "z", 1), "b/1");
        assert_int_equal(replay(f, "z", "a/1", 0), 1); /* by its id, whatever the filter says */
        assert_string_equal(due(f, "z", 1), "a/1 b/1");
        assert_int_equal(add(f, "foreign", "acme", NULL), STORE_OK);
        assert_int_equal(replay(f, "foreign", "a/1", 0), -STORE_CONFLICT);
        assert_int_equal(replay(f, "foreign", NULL, 1), 0);
}

/* A replay of the past while a later one is parked: what is parked comes first in line, and holds the rest
 * back. */
static void test_replay_behind_parked(void **state)
{
        struct fixture *f = *state;
        int64_t a1, a2;

        assert_int_equal(add(f, "x", "default", NULL), STORE_OK);
        a1 = receive(f, "a", 1);
        a2 = receive(f, "a", 2);
        delivered(f, "x", a1);
        attempted(f, "x", a2, OUTBOX_PARKED, 0, "gave up");
        assert_int_equal(replay(f, "x", "a/1", 0), 1);
        assert_string_equal(due(f, "x", 1), "");
        assert_int_equal(replay(f, "x", NULL, 0), 1);
        assert_string_equal(due(f, "x", 1), "a/1");
        /* a replay in the middle of an attempt: the attempt's failure leaves the order as the replay made it
         */
        assert_int_equal(replay(f, "x", NULL, 1000), 2);
        attempted(f, "x", a2, OUTBOX_READY, 0, "late");
        assert_string_equal(due(f, "x", 1), "a/1");
}

/* ---- forgetting ---- */

static size_t prune(struct fixture *f, int64_t since_ms, int64_t n, int64_t after, size_t limit)
{
        const struct hooks_keep keep = {since_ms, n};

        ASK(f, hooks_db_prune(f->hooks, &keep, after, limit, on_pruned, f, err));
        assert_int_equal(f->outcome, STORE_OK);
        return f->n;
}

static int64_t stored(struct fixture *f)
{
        ASK(f, hooks_db_counts(f->hooks, on_counts, f, err));
        return f->counts.revocations;
}

static void test_prune(void **state)
{
        struct fixture *f = *state;
        int64_t n[6];

        assert_int_equal(prune(f, INT64_MAX, 0, 0, 8), 0); /* an empty database */
        assert_int_equal(add(f, "x", "default", NULL), STORE_OK);
        assert_int_equal(add(f, "y", "default", NULL), STORE_OK);
        for (int i = 1; i <= 5; i++)
                n[i] = receive(f, "a", i);
        receive(f, "b", 1);
        assert_int_equal(prune(f, INT64_MAX, 0, 0, 8), 0); /* nobody has got any yet */
        delivered(f, "x", n[1]);
        delivered(f, "x", n[2]);
        delivered(f, "x", n[3]);
        delivered(f, "y", n[1]);
        delivered(f, "y", n[2]);
        attempted(f, "y", n[3], OUTBOX_PARKED, 0, "gave up");
        assert_int_equal(prune(f, 1001, 100, 0, 8), 0); /* of that moment and later: young */
        assert_int_equal(prune(f, 1002, 100, 0, 8), 1); /* a/1 */
        assert_int_equal(stored(f), 5);
        ASK(f, hooks_db_revocation(f->hooks, NULL, "a/1", on_received, f, err));
        assert_int_equal(f->outcome, STORE_NOT_FOUND);
        ASK(f, hooks_db_deliveries(f->hooks, NULL, "x", false, 0, 8, on_rows, f, err));
        assert_int_equal(f->rows[0].n, n[2]);
        assert_int_equal(prune(f, 0, 4, 0, 8), 1); /* a/2: too many, and all have it */
        assert_int_equal(prune(f, INT64_MAX, 0, 0, 8),
                         0); /* a/3 is parked, a/4 waits, a/5 and b/1 are the newest */
        assert_int_equal(stored(f), 4);
        assert_int_equal(replay(f, "y", NULL, 0), 1);
        for (int i = 3; i <= 5; i++) {
                delivered(f, "x", n[i]);
                delivered(f, "y", n[i]);
        }
        assert_int_equal(prune(f, INT64_MAX, 0, 0, 8), 2);
        assert_int_equal(stored(f), 2);
        assert_int_equal(receive(f, "c", 1), n[5] + 2); /* numbers are never given twice */
}

/* What is skipped holds nothing up, is no delivery, and can be asked for again. */
static void test_skipped(void **state)
{
        struct fixture *f = *state;
        int64_t a1, a2;

        assert_int_equal(add(f, "x", "default", NULL), STORE_OK);
        a1 = receive(f, "a", 1);
        a2 = receive(f, "a", 2);
        attempted(f, "x", a1, OUTBOX_SKIPPED, 0, "no listener");
        assert_string_equal(due(f, "x", 1), "a/2");
        delivered(f, "x", a2);
        ASK(f, hooks_db_get(f->hooks, NULL, "x", on_hooks, f, err));
        assert_int_equal(f->hook.n_skipped, 1);
        assert_int_equal(f->hook.n_delivered, 1);
        assert_int_equal(f->hook.n_pending, 0);
        ASK(f, hooks_db_deliveries(f->hooks, NULL, "x", true, 0, 8, on_rows, f, err));
        assert_int_equal(f->n, 0); /* of the parked */
        ASK(f, hooks_db_deliveries(f->hooks, NULL, "x", false, 0, 8, on_rows, f, err));
        assert_int_equal(f->rows[0].state, OUTBOX_SKIPPED);
        assert_string_equal(f->rows[0].error, "no listener");
        assert_string_equal(outbox_state_name(OUTBOX_SKIPPED), "skipped");
        assert_int_equal(replay(f, "x", "a/1", 0), 1);
        assert_string_equal(due(f, "x", 1), "a/1");
        attempted(f, "x", a1, OUTBOX_SKIPPED, 0, "no listener");
        assert_int_equal(prune(f, INT64_MAX, 0, 0, 8), 1); /* and is not kept for it */
}

/* In steps: each looks at so many, and says where to go on. */
static void test_prune_steps(void **state)
{
        struct fixture *f = *state;

        for (int i = 1; i <= 7; i++)
                receive(f, "a", i);
        assert_int_equal(prune(f, INT64_MAX, 0, 0, 3), 3);
        assert_int_equal(f->next, 3);
        assert_int_equal(prune(f, INT64_MAX, 0, 3, 3), 3);
        assert_int_equal(f->next, 6);
        assert_int_equal(prune(f, INT64_MAX, 0, 6, 3), 0);
        assert_int_equal(f->next, 0);
        assert_int_equal(stored(f), 1);
}

/* ---- out of memory ---- */

/* Never one half of it: a revocation is there with all of its rows, or not at all. */
static void test_oom(void **state)
{
        struct fixture *f = *state;
        const struct hook_filter filter = {.labels = (char *)"{\"zone\":\"a\"}"};
        int64_t there = 0;
        bool met = true;

        assert_int_equal(add(f, "x", "default", NULL), STORE_OK);
        assert_int_equal(add(f, "y", "default", &filter), STORE_OK);
        for (int64_t n = 1; met; n++) {
                struct err err = ERR_INIT;
                char id[32];
                struct received r = revocation("a", n, id);
                int x;

                r.labels = (char *)"{\"zone\":\"a\"}";
                f->told = 0;
                oom_at((size_t)n);
                x = hooks_db_receive(f->hooks, &r, NULL, on_received, f, &err);
                if (x == 0)
                        pump_until(&f->pump, &f->told, 1);
                met = oom_off();
                if (x == 0 && f->outcome == STORE_OK)
                        there++;
                else
                        assert_int_equal(x < 0 ? (int)err.kind : (int)f->kind, ERR_NOMEM);
                assert_int_equal(stored(f), there);
                assert_int_equal(f->counts.pending, 2 * there);
        }
        assert_true(there > 0);
}

int main(void)
{
#define T(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
        const struct CMUnitTest tests[] = {
                T(test_hooks),         T(test_configured),  T(test_filters),
                T(test_received_once), T(test_pages),       T(test_order),
                T(test_skipped),       T(test_replay),      T(test_replay_behind_parked),
                T(test_prune),         T(test_prune_steps), T(test_oom)};

        return cmocka_run_group_tests_name("hooks_db", tests, NULL, NULL);
}
