/* SPDX-License-Identifier: Apache-2.0 */
/* `tee: {tdx: …, sgx: …}` of a policy: what an Intel quote has to say. Words and numbers: evidence/dcap.h. */
#include <stddef.h>
#include <string.h>

#include "policy/policy_tee_impl.h"

static int read_allowed(struct policy_tee_build *b, const struct yaml_node *node, void *to, void *at,
                        struct err *err)
{
        (void)b, (void)to;
        return tee_read_allowed(node, at, err);
}

static int read_statuses(struct policy_tee_build *b, const struct yaml_node *node, void *to, void *at,
                         struct err *err)
{
        const struct yaml_node *const *items;
        const char *names[DCAP_N_STATUSES];
        unsigned *ret = at;
        size_t n, choice, n_names = 0;
        int r = tee_list(&node, &items, &n, err);

        (void)b, (void)to;
        for (int s = DCAP_UP_TO_DATE; s < DCAP_N_STATUSES; s++)
                names[n_names++] = dcap_status_name((enum dcap_status)s);
        *ret = 0;
        for (size_t i = 0; r == 0 && i < n; i++) {
                r = yaml_choice(items[i], names, n_names, &choice, err);
                if (r == 0 && choice + DCAP_UP_TO_DATE == DCAP_REVOKED)
                        return yaml_err(items[i], err, "a revoked platform is never accepted");
                *ret |= r == 0 ? DCAP_STATUS(choice + DCAP_UP_TO_DATE) : 0;
        }
        return r;
}

static int read_advisories(struct policy_tee_build *b, const struct yaml_node *node, void *to, void *at,
                           struct err *err)
{
        struct dcap_policy *p = to;
        struct tee_set texts = {0};
        const char **words;
        int r = tee_read_texts(b, node, &texts, err);

        (void)at;
        if (r < 0)
                return r;
        words = tee_keep(b, texts.n, sizeof(*words), err);
        if (!words)
                return -ERR_NOMEM;
        for (size_t i = 0; i < texts.n; i++)
                words[i] = (const char *)texts.v[i].p; /* kept with its NUL */
        p->restrict_advisories = true;
        p->advisories = words;
        p->n_advisories = texts.n;
        return 0;
}

static int read_number(struct policy_tee_build *b, const struct yaml_node *node, void *to, void *at,
                       struct err *err)
{
        (void)b, (void)to;
        return yaml_int(node, 0, INT32_MAX, at, err);
}

static int read_sept(struct policy_tee_build *b, const struct yaml_node *node, void *to, void *at,
                     struct err *err)
{
        static const char *const words[] = {"any", "required"};
        bool *ret = at;
        size_t choice = 0;
        int r = yaml_choice(node, words, ARRAY_LEN(words), &choice, err);

        (void)b, (void)to;
        *ret = choice == 1;
        return r;
}

static int read_service_td(struct policy_tee_build *b, const struct yaml_node *node, void *to, void *at,
                           struct err *err)
{
        bool *ret = at, allowed = false;
        int r = tee_read_allowed(node, &allowed, err);

        (void)b, (void)to;
        *ret = !allowed;
        return r;
}

static int read_u16(const struct yaml_node *map, const char *name, uint16_t *ret, struct err *err)
{
        const struct yaml_node *node;
        int64_t x = 0;
        int r = yaml_need(map, name, &node, err);

        if (r == 0)
                r = yaml_int(node, 0, UINT16_MAX, &x, err);
        *ret = (uint16_t)x;
        return r;
}

static int read_signers(struct policy_tee_build *b, const struct yaml_node *node, void *to, void *at,
                        struct err *err)
{
        static const char *const keys[] = {"mrsigner", "isvprodid", "isvsvn", "comment"};
        const struct yaml_node *const *items, *signer;
        struct dcap_rules *rules = at;
        struct dcap_signer *signers;
        size_t n;
        int r = tee_list(&node, &items, &n, err);

        (void)to;
        if (r < 0)
                return r;
        signers = tee_keep(b, n, sizeof(*signers), err);
        if (!signers)
                return -ERR_NOMEM;
        for (size_t i = 0; r == 0 && i < n; i++) {
                r = yaml_only(items[i], keys, ARRAY_LEN(keys), err);
                if (r == 0)
                        r = yaml_need(items[i], "mrsigner", &signer, err);
                if (r == 0)
                        r = tee_hex(signer, signers[i].mr_signer, sizeof(signers[i].mr_signer), err);
                if (r == 0)
                        r = read_u16(items[i], "isvprodid", &signers[i].prod_id, err);
                if (r == 0)
                        r = read_u16(items[i], "isvsvn", &signers[i].svn_floor, err);
        }
        rules->has_signers = true;
        rules->signers = signers;
        rules->n_signers = n;
        return r;
}

#define AT(member) offsetof(struct dcap_policy, member)
#define COMMON                                                                                               \
        {"statuses", AT(statuses), 0, read_statuses}, {"advisories", 0, 0, read_advisories},                 \
                {"evaluation_number", AT(min_evaluation_number), 0, read_number},                            \
        {                                                                                                    \
                "debug", AT(allow_debug), 0, read_allowed                                                    \
        }

int tee_read_tdx(struct policy_tee_build *b, const struct yaml_node *node, struct err *err)
{
        static const struct policy_tee_member members[] = {
                COMMON,
                {"sept_ve_disable", AT(require_sept_ve_disable), 0, read_sept},
                {"service_td", AT(rules.refuse_service_td), 0, read_service_td},
                {"mrtd", AT(rules.mr_td), 48, NULL},
                {"mrseam", AT(rules.mr_seam), 48, NULL},
                {"rtmr0", AT(rules.rtmr[0]), 48, NULL},
                {"rtmr1", AT(rules.rtmr[1]), 48, NULL},
                {"rtmr2", AT(rules.rtmr[2]), 48, NULL},
                {"rtmr3", AT(rules.rtmr[3]), 48, NULL},
                {"mrconfigid", AT(rules.mr_config_id), 48, NULL},
                {"mrowner", AT(rules.mr_owner), 48, NULL},
                {"mrownerconfig", AT(rules.mr_owner_config), 48, NULL},
        };

        return tee_read_members(b, node, members, ARRAY_LEN(members), &b->t->tdx, err);
}

int tee_read_sgx(struct policy_tee_build *b, const struct yaml_node *node, struct err *err)
{
        static const struct policy_tee_member members[] = {
                COMMON,
                {"mrenclave", AT(rules.mr_enclave), 32, NULL},
                {"signers", AT(rules), 0, read_signers},
        };

        return tee_read_members(b, node, members, ARRAY_LEN(members), &b->t->sgx, err);
}
