/* SPDX-License-Identifier: Apache-2.0 */
/* The log of launches beside the permits, told as stories: what is in one and not in the other is found. */
#include "base/hex.h"
#include "evidence/launch.h"
#include "unit/policy/story.h"

#define PCR  LAUNCH_PCR_DEFAULT
#define MASK (1u << 15 | 1u << PCR)

static const char node[] = NODE "  - " A "\n";

/* A story with a log of launches, whole and by record. */
struct told {
        struct story s;
        struct buf log;
        size_t starts[16], n;
        struct ledger_permit permits[4];
};

static struct digest of(uint8_t byte)
{
        struct digest d = {.alg = DIGEST_SHA256, .len = 32};

        memset(d.b, byte, d.len);
        return d;
}

static const char *id_of(unsigned n)
{
        static char ids[10][UUID_TEXT_BYTES];

        (void)snprintf(ids[n], sizeof(ids[n]), "00000000-0000-4000-8000-00000000000%u", n);
        return ids[n];
}

/* Permit N is for launch N of module N. */
static void permit(struct told *t, unsigned n, int64_t cache_until_ms)
{
        struct ledger_permit *p = &t->permits[t->s.n_permits++];

        *p = (struct ledger_permit){.launch = of((uint8_t)n),
                                    .module = of((uint8_t)(0x10 + n)),
                                    .closure = of(0x77),
                                    .runtime = "node",
                                    .issued_at_ms = t->s.now_ms,
                                    .expires_at_ms = t->s.now_ms + 30000,
                                    .cache_until_ms = cache_until_ms};
        memcpy(p->id, id_of(n), sizeof(p->id));
        t->s.permits = t->permits;
}

static void write_down(struct told *t, struct cel_record *rec, bool honest)
{
        struct err err = ERR_INIT;

        rec->pcr = PCR;
        rec->ours = rec->has_timestamp = true;
        rec->n_digests = 1;
        rec->digests[0] = of(0xee);
        if (honest)
                assert_ok(launch_record_digest(DIGEST_SHA256, rec, &rec->digests[0], &err), &err);
        t->starts[t->n++] = t->log.len;
        assert_ok(cel_record_write(rec, &t->log, &err), &err);
        assert_ok(digest_extend(&t->s.host.tpm.pcrs.v[PCR], digest_view(&rec->digests[0]), &err), &err);
}

/* The record of launch L of module M under permit P. */
static struct cel_record launched(uint8_t l, uint8_t m, unsigned p, bool cached)
{
        return (struct cel_record){.kind = (char *)CEL_KIND_LAUNCH,
                                   .launch = of(l),
                                   .module = of((uint8_t)(0x10 + m)),
                                   .closure = of(0x77),
                                   .runtime = (char *)"node",
                                   .permit = (char *)(uintptr_t)id_of(p),
                                   .cached = cached};
}

static void launch(struct told *t, uint8_t l, uint8_t m, unsigned p, bool cached)
{
        struct cel_record rec = launched(l, m, p, cached);

        write_down(t, &rec, true);
}

static void begin(struct told *t)
{
        *t = (struct told){.n = 0};
        story_begin(&t->s, node, DIGEST_SHA256);
        soft_host_measure(&t->s.host, "node", "/usr/bin/node", 'a');
        t->s.mask = MASK;
}

static void end(struct told *t)
{
        story_end(&t->s);
        buf_free(&t->log);
}

/* A round in which the log comes from where it was left, or from its beginning. */
static void round_from(struct told *t, bool whole)
{
        const struct continuation *before = t->s.before;
        size_t first = !whole && before && before->launches.known ? before->launches.entries : 0;
        size_t at = first < t->n ? t->starts[first] : t->log.len;

        t->s.launch_first = first;
        t->s.launches = VIEW(t->log.p ? (const void *)(t->log.p + at) : "", t->log.len - at);
        (void)story_round(&t->s);
}

/* What the verifier does with the marks. */
static void take_marks(struct told *t)
{
        for (size_t m = 0; m < t->s.r.n_marks; m++)
                for (size_t i = 0; i < t->s.n_permits; i++) {
                        if (strcmp(t->permits[i].id, t->s.r.marks[m].id) != 0)
                                continue;
                        t->permits[i].recorded |= t->s.r.marks[m].recorded;
                        if (t->s.r.marks[m].closed)
                                t->permits[i] = t->permits[--t->s.n_permits];
                        break;
                }
}

static void a_launch_and_its_permit(void **state)
{
        struct told t;

        (void)state;
        begin(&t);
        round_from(&t, false); /* an empty log */
        EXPECT(&t.s, VERDICT_PASS, NULL);
        assert_true(t.s.before->launches.known && t.s.before->launches.entries == 0);
        permit(&t, 1, 0);
        launch(&t, 1, 1, 1, false);
        round_from(&t, false);
        EXPECT(&t.s, VERDICT_PASS, NULL);
        assert_int_equal(t.s.r.n_marks, 1);
        assert_true(t.s.r.marks[0].recorded && t.s.r.marks[0].closed);
        take_marks(&t);
        assert_int_equal(t.s.n_permits, 0);
        /* what was judged is not judged again, neither under another policy nor from the beginning */
        story_push(&t.s, NODE "  - " A "\n  - " B "\n", NOON);
        round_from(&t, false);
        EXPECT(&t.s, VERDICT_PASS, NULL);
        round_from(&t, true);
        EXPECT(&t.s, VERDICT_PASS, NULL);
        assert_int_equal(t.s.before->launches.entries, 1);
        end(&t);
}

static void launches_without_permits(void **state)
{
        static const struct {
                uint8_t l, m;
                unsigned p;
                bool cached;
                const char *says;
        } cases[] = {
                {1, 1, 2, false, "no permit of this id"},
                {2, 1, 1, false, "another launch"},
                {1, 2, 1, false, "another module"},
                {2, 1, 1, true, "not be used from a cache"},
        };

        (void)state;
        for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
                const struct finding *f;
                struct told t;

                begin(&t);
                round_from(&t, false);
                permit(&t, 1, 0);
                launch(&t, cases[i].l, cases[i].m, cases[i].p, cases[i].cached);
                round_from(&t, false);
                EXPECT(&t.s, VERDICT_FAIL, "launch-without-permit");
                f = verdict_find(t.s.r.verdict, "launch-without-permit");
                assert_int_equal(f->severity, SEVERITY_CRITICAL);
                story_says(f->what, cases[i].says);
                end(&t);
        }
}

static void one_permit_for_two_launches(void **state)
{
        struct told t;

        (void)state;
        begin(&t);
        round_from(&t, false);
        permit(&t, 1, 0);
        launch(&t, 1, 1, 1, false);
        launch(&t, 1, 1, 1, false);
        round_from(&t, false);
        EXPECT(&t.s, VERDICT_FAIL, "launch-without-permit");
        end(&t);
}

static void from_the_cache(void **state)
{
        struct told t;

        (void)state;
        begin(&t);
        round_from(&t, false);
        permit(&t, 1, t.s.now_ms + 60000);
        launch(&t, 1, 1, 1, false);
        launch(&t, 5, 1, 1, true);
        round_from(&t, false);
        EXPECT(&t.s, VERDICT_PASS, NULL);
        take_marks(&t);
        assert_true(t.s.n_permits == 1 && t.permits[0].recorded);
        story_pass_time(&t.s, 120000); /* an outage: the record comes late */
        launch(&t, 6, 1, 1, true);
        round_from(&t, false);
        EXPECT(&t.s, VERDICT_PASS, NULL);
        take_marks(&t);
        assert_int_equal(t.s.n_permits, 0);
        launch(&t, 7, 1, 1, true);
        round_from(&t, false);
        EXPECT(&t.s, VERDICT_FAIL, "launch-without-permit");
        end(&t);
}

static void a_permit_without_launch(void **state)
{
        struct told t;

        (void)state;
        begin(&t);
        permit(&t, 1, 0);
        round_from(&t, false); /* there is time yet */
        EXPECT(&t.s, VERDICT_PASS, NULL);
        assert_int_equal(t.s.r.n_marks, 0);
        story_pass_time(&t.s, 60000);
        round_from(&t, false);
        EXPECT(&t.s, VERDICT_PASS, "permit-without-launch");
        take_marks(&t);
        assert_int_equal(t.s.n_permits, 0);
        round_from(&t, false); /* said once */
        assert_null(verdict_find(t.s.r.verdict, "permit-without-launch"));
        end(&t);
}

static void before_the_verifier_knew_the_host(void **state)
{
        struct told t;

        (void)state;
        begin(&t);
        launch(&t, 1, 1, 1, false);
        round_from(&t, false);
        EXPECT(&t.s, VERDICT_PASS, "launch-before-enrolment");
        end(&t);
}

static void records_of_others(void **state)
{
        static struct cel_foreign file = {.path = (char *)"/tmp/x.so"};
        struct cel_record forged = launched(1, 1, 1, false);
        struct cel_record mapped = {.kind = (char *)CEL_KIND_MAPPED,
                                    .launch = of(1),
                                    .mappings = of(3),
                                    .n_foreign = 1,
                                    .foreign = &file};
        struct told t;

        (void)state;
        file.sha256 = of(4);
        begin(&t);
        round_from(&t, false);
        write_down(&t, &mapped, true);
        round_from(&t, false);
        EXPECT(&t.s, VERDICT_PASS, "runtime-mapping-foreign");
        permit(&t, 1, 0);
        write_down(&t, &forged, false); /* its words are not what was extended */
        round_from(&t, false);
        EXPECT(&t.s, VERDICT_FAIL, "launch-log-foreign");
        end(&t);
}

static void logs_that_lead_nowhere(void **state)
{
        struct told t;

        (void)state;
        begin(&t);
        permit(&t, 1, 0);
        round_from(&t, false);
        launch(&t, 1, 1, 1, false);
        soft_host_extend(&t.s.host, PCR, 'f'); /* and nobody wrote it down */
        round_from(&t, false);
        EXPECT(&t.s, VERDICT_INCONCLUSIVE, "launch-log-does-not-replay");
        assert_int_equal(t.s.r.ask, APPRAISAL_ASK_FULL_LOG);
        assert_null(t.s.r.next);  /* so the marks do not hold */
        t.s.launches = VIEW_NONE; /* the host says it has none any more */
        (void)story_round(&t.s);
        EXPECT(&t.s, VERDICT_INCONCLUSIVE, "launch-log-missing");
        end(&t);

        begin(&t);
        permit(&t, 1, 0);
        round_from(&t, false);
        t.s.launches = VIEW_NONE; /* launches are off: the register stays where it was */
        (void)story_round(&t.s);
        EXPECT(&t.s, VERDICT_PASS, NULL);
        assert_true(t.s.before->launches.known);
        buf_str(&t.log, "rubbish");
        t.s.launches = VIEW_BUF(&t.log);
        (void)story_round(&t.s);
        EXPECT(&t.s, VERDICT_INCONCLUSIVE, "launch-log-malformed");
        t.s.mask = 1u << 15;
        (void)story_round(&t.s);
        EXPECT(&t.s, VERDICT_INCONCLUSIVE, "launch-log-not-quoted");
        end(&t);
}

static void a_new_boot(void **state)
{
        struct told t;

        (void)state;
        begin(&t);
        permit(&t, 1, 0);
        launch(&t, 1, 1, 1, false);
        round_from(&t, false);
        EXPECT(&t.s, VERDICT_PASS, NULL);
        take_marks(&t);
        soft_host_reboot(&t.s.host);
        soft_host_measure(&t.s.host, "node", "/usr/bin/node", 'a');
        t.n = 0;
        buf_reset(&t.log);
        permit(&t, 2, 0);
        launch(&t, 2, 2, 2, false);
        t.s.log_first = 0;
        round_from(&t, true);
        EXPECT(&t.s, VERDICT_PASS, NULL);
        assert_int_equal(t.s.before->launches.entries, 1);
        end(&t);
}

int main(void)
{
        static const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_launch_and_its_permit),
                cmocka_unit_test(launches_without_permits),
                cmocka_unit_test(one_permit_for_two_launches),
                cmocka_unit_test(from_the_cache),
                cmocka_unit_test(a_permit_without_launch),
                cmocka_unit_test(before_the_verifier_knew_the_host),
                cmocka_unit_test(records_of_others),
                cmocka_unit_test(logs_that_lead_nowhere),
                cmocka_unit_test(a_new_boot),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
