/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the rules in force say about how a host started: as effective_ima.c does it, over the layers of all
 * versions. A list is judged only if every version in force states it, because one that does not holds too.
 */
#include "policy/effective_impl.h"

#include "crypto/digest.h"

static const struct policy_boot *boot_of(const struct policy_effective *e, size_t layer)
{
        return e->layers[layer].part->boot;
}

static void say(const struct policy_effective *e, size_t layer, struct policy_source *ret)
{
        if (ret)
                *ret = e->layers[layer];
}

bool policy_effective_judges_boot(const struct policy_effective *e)
{
        return e->judges_boot;
}

/* ---- settings ---- */

static bool says_log(const struct policy_part *part, unsigned what)
{
        (void)what;
        return part->boot && part->boot->log_stated;
}

static bool says_secure_boot(const struct policy_part *part, unsigned what)
{
        (void)what;
        return part->boot && part->boot->secure_boot_stated;
}

enum policy_boot_log policy_effective_boot_log(const struct policy_effective *e)
{
        enum policy_boot_log mildest = POLICY_LOG_REQUIRED;

        for (size_t v = 0; v < e->n; v++) {
                const struct policy_part *part = effective_nearest(e, v, says_log, 0);

                if (part && part->boot->log > mildest)
                        mildest = part->boot->log;
        }
        return mildest;
}

/* Versions that say different things allow both. */
enum policy_secure_boot policy_effective_secure_boot(const struct policy_effective *e)
{
        enum policy_secure_boot all = POLICY_SECURE_BOOT_ON;

        for (size_t v = 0; v < e->n; v++) {
                const struct policy_part *part = effective_nearest(e, v, says_secure_boot, 0);
                enum policy_secure_boot one = part ? part->boot->secure_boot : POLICY_SECURE_BOOT_ON;

                if (v > 0 && one != all)
                        return POLICY_SECURE_BOOT_ANY;
                all = one;
        }
        return all;
}

/* ---- which lists are judged ---- */

static bool states_list(const struct policy_part *part, unsigned what)
{
        return part->boot && part->boot->lists[what].stated;
}

static bool states_keys(const struct policy_part *part, unsigned what)
{
        return part->boot && part->boot->keys[what].stated;
}

static bool states_kernels(const struct policy_part *part, unsigned what)
{
        (void)what;
        return part->boot && part->boot->kernels_stated;
}

static bool states_command_lines(const struct policy_part *part, unsigned what)
{
        (void)what;
        return part->boot && part->boot->command_lines_stated;
}

bool policy_effective_judges_boot_list(const struct policy_effective *e, enum policy_boot_list list)
{
        return effective_all_say(e, states_list, list);
}

bool policy_effective_judges_boot_keys(const struct policy_effective *e, enum policy_boot_keys keys)
{
        return effective_all_say(e, states_keys, keys);
}

bool policy_effective_judges_kernels(const struct policy_effective *e)
{
        return effective_all_say(e, states_kernels, 0);
}

bool policy_effective_judges_command_lines(const struct policy_effective *e)
{
        return effective_all_say(e, states_command_lines, 0);
}

const char *policy_boot_list_name(enum policy_boot_list list)
{
        static const char *const names[POLICY_BOOT_N_LISTS] = {"firmware", "drivers",  "loaders",
                                                               "initrds",  "mok_list", "mok_list_x"};

        return names[list];
}

const char *policy_boot_keys_name(enum policy_boot_keys keys)
{
        static const char *const names[POLICY_BOOT_N_KEYS] = {"pk",        "kek",       "db",
                                                              "vendor_db", "dbx_floor", "authorities"};

        return names[keys];
}

/* ---- what is in them ---- */

/* A value of a list: POLICY_ALLOWED, POLICY_EXPIRED, or POLICY_UNKNOWN. */
static enum policy_answer find(const struct policy_effective *e, const struct policy_value *values, size_t n,
                               struct view digest, const struct policy_value **ret)
{
        enum policy_answer answer = POLICY_UNKNOWN;

        for (size_t i = 0; i < n && answer != POLICY_ALLOWED; i++) {
                if (!view_equal(digest_view(&values[i].digest), digest))
                        continue;
                *ret = &values[i];
                answer = values[i].until_ms > e->at_ms ? POLICY_ALLOWED : POLICY_EXPIRED;
        }
        return answer;
}

enum policy_answer policy_effective_boot_find(const struct policy_effective *e, enum policy_boot_list list,
                                              struct view digest, const struct policy_value **ret,
                                              struct policy_source *ret_source)
{
        enum policy_answer best = POLICY_UNKNOWN;

        for (size_t i = 0; i < e->n_layers && best != POLICY_ALLOWED; i++) {
                const struct policy_boot *boot = boot_of(e, i);
                const struct policy_value *found = NULL;
                enum policy_answer answer =
                        boot ? find(e, boot->lists[list].p, boot->lists[list].n, digest, &found)
                             : POLICY_UNKNOWN;

                if (answer == POLICY_UNKNOWN || (answer == POLICY_EXPIRED && best == POLICY_EXPIRED))
                        continue;
                best = answer;
                *ret = found;
                say(e, i, ret_source);
        }
        return best;
}

const struct policy_kernel *policy_effective_next_kernel(const struct policy_effective *e,
                                                         struct policy_boot_pos *pos,
                                                         struct policy_source *ret)
{
        for (; pos->layer < e->n_layers; pos->layer++, pos->item = 0) {
                const struct policy_boot *boot = boot_of(e, pos->layer);

                while (boot && pos->item < boot->n_kernels) {
                        const struct policy_kernel *k = &boot->kernels[pos->item++];

                        if (k->until_ms <= e->at_ms)
                                continue;
                        say(e, pos->layer, ret);
                        return k;
                }
        }
        return NULL;
}

bool policy_kernel_is(const struct policy_kernel *k, struct view digest, bool file)
{
        const struct policy_value *values = file ? k->file : k->authenticode;
        size_t n = file ? k->n_file : k->n_authenticode;

        for (size_t i = 0; i < n; i++)
                if (view_equal(digest_view(&values[i].digest), digest))
                        return true;
        return false;
}

const char *policy_effective_command_line(const struct policy_effective *e, struct view text,
                                          struct policy_source *ret)
{
        for (size_t i = 0; i < e->n_layers; i++) {
                const struct policy_boot *boot = boot_of(e, i);
                size_t n =
                        boot && boot->command_lines ? pattern_match(boot->command_lines, text) : PATTERN_NONE;

                if (n == PATTERN_NONE)
                        continue;
                say(e, i, ret);
                return boot->command_line_texts[n];
        }
        return NULL;
}

const char *policy_effective_next_command_line(const struct policy_effective *e, struct policy_boot_pos *pos)
{
        for (; pos->layer < e->n_layers; pos->layer++, pos->item = 0) {
                const struct policy_boot *boot = boot_of(e, pos->layer);

                if (boot && pos->item < boot->n_command_lines)
                        return boot->command_line_texts[pos->item++];
        }
        return NULL;
}

const struct policy_boot_key *policy_effective_next_key(const struct policy_effective *e,
                                                        enum policy_boot_keys keys,
                                                        struct policy_boot_pos *pos,
                                                        struct policy_source *ret)
{
        for (; pos->layer < e->n_layers; pos->layer++, pos->item = 0) {
                const struct policy_boot *boot = boot_of(e, pos->layer);

                if (!boot || pos->item >= boot->keys[keys].n)
                        continue;
                say(e, pos->layer, ret);
                return &boot->keys[keys].p[pos->item++];
        }
        return NULL;
}

bool policy_boot_key_is(const struct policy_boot_key *key, const struct efi_signature *sig)
{
        struct digest digest;
        struct err err = ERR_INIT;

        if (key->has_owner &&
            !view_equal(VIEW(key->owner, sizeof(key->owner)), VIEW(sig->owner, sizeof(sig->owner))))
                return false;
        switch (sig->kind) {
        case EFI_SIG_X509:
                return key->certificate && digest_bytes(DIGEST_SHA256, sig->data, &digest, &err) == 0 &&
                       view_equal(digest_view(&digest), VIEW(key->sha256, sizeof(key->sha256)));
        case EFI_SIG_SHA256:
                return !key->certificate && view_equal(sig->data, VIEW(key->sha256, sizeof(key->sha256)));
        case EFI_SIG_X509_SHA256: /* of the part of a certificate that is signed; a time follows */
                return !key->certificate && sig->data.len >= sizeof(key->sha256) &&
                       view_equal(VIEW(sig->data.p, sizeof(key->sha256)),
                                  VIEW(key->sha256, sizeof(key->sha256)));
        default:
                return false;
        }
}
