/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The list of checks that every kind of processor evidence fills. It has fixed room: the number of checks is
 * ours, not the peer's, and a failure that finds no room takes the last place.
 */
#include "evidence/tee.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const char *const kind_names[TEE_N_KINDS] = {"snp", "tdx", "sgx"};

const char *tee_kind_name(enum tee_kind kind)
{
        return (size_t)kind < ARRAY_LEN(kind_names) ? kind_names[kind] : "unknown";
}

bool tee_kind_by_name(const char *name, enum tee_kind *ret)
{
        for (size_t i = 0; i < ARRAY_LEN(kind_names); i++)
                if (strcmp(kind_names[i], name) == 0) {
                        *ret = (enum tee_kind)i;
                        return true;
                }
        return false;
}

static struct tee_check *add(struct tee_result *r, const char *name, enum tee_state state)
{
        struct tee_check *c;

        if (r->n_checks >= TEE_CHECKS_MAX)
                return NULL;
        c = &r->checks[r->n_checks++];
        *c = (struct tee_check){.name = name, .state = state};
        return c;
}

/* Texts hold names from certificates and files: anything that is not plain ASCII becomes a question mark. */
static PRINTF(2, 0) void set_text(struct tee_check *c, const char *fmt, va_list ap)
{
        (void)vsnprintf(c->text, sizeof(c->text), fmt, ap); /* cut if longer */
        for (char *p = c->text; *p; p++)
                if (*p < ' ' || *p > '~')
                        *p = '?';
}

void tee_pass(struct tee_result *r, const char *name)
{
        (void)add(r, name, TEE_PASS); /* without room it is dropped; failures never are */
}

void tee_skip(struct tee_result *r, const char *name, const char *fmt, ...)
{
        struct tee_check *c = add(r, name, TEE_SKIPPED);
        va_list ap;

        if (!c)
                return;
        va_start(ap, fmt);
        set_text(c, fmt, ap);
        va_end(ap);
}

void tee_fail(struct tee_result *r, const char *name, const char *reason, const char *fmt, ...)
{
        struct tee_check *c = add(r, name, TEE_FAIL);
        va_list ap;

        if (!c) { /* no failure may be lost: the last check becomes it */
                c = &r->checks[TEE_CHECKS_MAX - 1];
                *c = (struct tee_check){.name = name, .state = TEE_FAIL};
        }
        (void)snprintf(c->reason, sizeof(c->reason), "%s", reason);
        va_start(ap, fmt);
        set_text(c, fmt, ap);
        va_end(ap);
}

bool tee_set_has(const struct tee_set *set, struct view v)
{
        for (size_t i = 0; i < set->n; i++)
                if (view_equal(set->v[i], v))
                        return true;
        return false;
}

void tee_ask(struct tee_result *r, const char *name, const char *reason, const struct tee_set *set,
             struct view have)
{
        if (!set->set)
                tee_skip(r, name, "the policy names none");
        else if (tee_set_has(set, have))
                tee_pass(r, name);
        else
                tee_fail(r, name, reason, "it is not among those that the policy names");
}

void tee_flag(struct tee_result *r, const char *flag)
{
        if (!tee_has_flag(r, flag) && r->n_flags < TEE_FLAGS_MAX)
                r->flags[r->n_flags++] = flag;
}

bool tee_has_flag(const struct tee_result *r, const char *flag)
{
        for (size_t i = 0; i < r->n_flags; i++)
                if (strcmp(r->flags[i], flag) == 0)
                        return true;
        return false;
}

bool tee_failed(const struct tee_result *r)
{
        for (size_t i = 0; i < r->n_checks; i++)
                if (r->checks[i].state == TEE_FAIL)
                        return true;
        return false;
}

static bool seen_before(const struct tee_result *r, size_t i)
{
        for (size_t j = 0; j < i; j++)
                if (r->checks[j].state == TEE_FAIL && strcmp(r->checks[j].reason, r->checks[i].reason) == 0)
                        return true;
        return false;
}

const char *tee_reason(const struct tee_result *r, size_t n)
{
        for (size_t i = 0; i < r->n_checks; i++)
                if (r->checks[i].state == TEE_FAIL && !seen_before(r, i) && n-- == 0)
                        return r->checks[i].reason;
        return NULL;
}

const struct tee_check *tee_find(const struct tee_result *r, const char *name)
{
        for (size_t i = 0; i < r->n_checks; i++)
                if (strcmp(r->checks[i].name, name) == 0)
                        return &r->checks[i];
        return NULL;
}

const char *tee_verdict_name(enum tee_verdict verdict)
{
        static const char *const names[] = {
                [TEE_UNDECIDED] = "undecided",
                [TEE_ACCEPT] = "accept",
                [TEE_REJECT] = "reject",
                [TEE_MALFORMED] = "malformed",
                [TEE_NO_COLLATERAL] = "quote-valid-no-collateral",
                [TEE_NO_ENDORSEMENT] = "no-endorsement",
        };

        return (size_t)verdict < ARRAY_LEN(names) ? names[verdict] : names[TEE_UNDECIDED];
}

const char *tee_state_name(enum tee_state state)
{
        return state == TEE_PASS ? "pass" : state == TEE_FAIL ? "fail" : "skipped";
}
