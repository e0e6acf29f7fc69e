/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The text of a policy, read once. Its writer is a person, and a slip decides whether a fleet passes: so
 * there is one spelling for everything, nothing is ignored, nothing is guessed, and every refusal names the
 * line, what stands there, what could stand there, and the key that was probably meant. Whoever may push
 * policies controls this input; the sizes are limited all the same. The format: avow-policy(5).
 */
#include <string.h>

#include "base/hex.h"
#include "base/mem.h"
#include "policy/parse_impl.h"

#define INTERVAL_MIN_MS      100
#define INTERVAL_MAX_MS      (24 * 3600 * 1000)
#define DESTROY_AFTER_MAX_MS (30 * 24 * 3600 * 1000LL)

/* Short lists can be written as one item. */
const struct yaml_node *const *parse_items(const struct yaml_node *const *node, size_t *ret_n)
{
        if ((*node)->kind == YAML_LIST) {
                *ret_n = (*node)->n;
                return (const struct yaml_node *const *)(*node)->items;
        }
        *ret_n = 1;
        return node;
}

/* A digest in lower- or upper-case hex of the bank's length. */
int parse_bank_digest(const struct policy_build *b, const struct yaml_node *node, struct buf *ret,
                      struct err *err)
{
        enum digest_alg other = b->head.bank == DIGEST_SHA256 ? DIGEST_SHA384 : DIGEST_SHA256;
        struct err inner = ERR_INIT;
        const char *text;
        int r = yaml_str(node, &text, err);

        if (r < 0)
                return r;
        buf_reset(ret);
        if (hex_decode_any(view_str(text), DIGEST_BYTES_MAX, ret, &inner) < 0) {
                if (inner.kind == ERR_NOMEM)
                        return err_nomem(err);
                return yaml_err(node, err, "%s is no digest: expected %zu hexadecimal digits", SHOW(text),
                                2 * b->head.digest_size);
        }
        if (ret->len == b->head.digest_size)
                return 0;
        if (ret->len == digest_size(other))
                return yaml_err(node, err,
                                "a %s digest in a policy for bank %s; write 'pcr: {bank: %s}', or the "
                                "%s digest of the file",
                                digest_name(other), digest_name(b->head.bank), digest_name(other),
                                digest_name(b->head.bank));
        return yaml_err(node, err, "a digest of %zu digits; %s has %zu%s", 2 * ret->len,
                        digest_name(b->head.bank), 2 * b->head.digest_size,
                        ret->len == digest_size(DIGEST_SHA1) ? " (sha1 is never enough)" : "");
}

/* `HEX`, or a map {digest, until, comment} of which KEYS (N_KEYS) are allowed. */
static int read_entry(const struct policy_build *b, const struct yaml_node *node, const char *const *keys,
                      size_t n_keys, struct buf *ret_bytes, struct policy_digest *ret, struct err *err)
{
        const struct yaml_node *digest, *until, *comment;
        int r;

        *ret = (struct policy_digest){.until_ms = POLICY_NEVER, .line = node->line, .file = POLICY_NO_FILE};
        if (node->kind != YAML_MAP)
                return parse_bank_digest(b, node, ret_bytes, err);
        r = yaml_only(node, keys, n_keys, err);
        if (r < 0)
                return r;
        r = yaml_need(node, "digest", &digest, err);
        if (r < 0)
                return r;
        ret->line = digest->line;
        until = yaml_get(node, "until");
        comment = yaml_get(node, "comment");
        if (until) {
                r = yaml_time(until, &ret->until_ms, err);
                if (r < 0)
                        return r;
        }
        if (comment) {
                r = yaml_str(comment, &ret->comment, err);
                if (r < 0)
                        return r;
        }
        return parse_bank_digest(b, digest, ret_bytes, err);
}

/* The digests of the newest file. */
static int read_file_digests(struct policy_build *b, const struct yaml_node *node, struct err *err)
{
        static const char *const keys[] = {"digest", "until", "comment"};
        AUTO(buf_free)
        struct buf bytes = {0};
        const struct yaml_node *const *items;
        size_t n, first = b->digests.n;
        int r;

        items = parse_items(&node, &n);
        if (n == 0)
                return yaml_err(node, err, "no digest: a file needs at least one");
        for (size_t i = 0; i < n; i++) {
                struct policy_digest d;

                r = read_entry(b, items[i], keys, ARRAY_LEN(keys), &bytes, &d, err);
                if (r < 0)
                        return r;
                /* A long list is checked by the index, not here: only near neighbours are compared. */
                if (b->digests.n > first &&
                    view_equal(VIEW_BUF(&bytes),
                               VIEW(b->digest_bytes.p + b->digest_bytes.len - bytes.len, bytes.len)))
                        return yaml_err(items[i], err, "the same digest as in the line before");
                d.file = 0;
                r = policy_build_digest(b, VIEW_BUF(&bytes), d, err);
                if (r < 0)
                        return r;
        }
        return 0;
}

static int read_file(struct policy_build *b, const struct yaml_node *node, const struct yaml_node *digests,
                     struct err *err)
{
        const struct yaml_node *path = yaml_get(node, "path");
        const char *text = "";
        int r;

        if (path) {
                r = yaml_str(path, &text, err);
                if (r < 0)
                        return r;
        }
        r = policy_build_file(b, text, node->line, err);
        return r < 0 ? r : read_file_digests(b, digests, err);
}

static int read_files(struct policy_build *b, const struct yaml_node *files, struct err *err)
{
        static const char *const keys[] = {"path", "digests"};
        int r = yaml_want_list(files, POLICY_DIGESTS_MAX, err);

        if (r < 0)
                return r;
        if (files->n == 0)
                return yaml_err(files, err, "no file: a runtime needs at least one");
        for (size_t i = 0; i < files->n; i++) {
                const struct yaml_node *digests, *file = files->items[i];

                r = yaml_only(file, keys, ARRAY_LEN(keys), err);
                if (r < 0)
                        return r;
                r = yaml_need(file, "digests", &digests, err);
                if (r < 0)
                        return r;
                r = read_file(b, file, digests, err);
                if (r < 0)
                        return r;
        }
        return 0;
}

int parse_name(const struct yaml_node *node, const char **ret, struct err *err)
{
        int r = yaml_str(node, ret, err);

        if (r < 0)
                return r;
        if (!str_valid_name(*ret))
                return yaml_err(node, err,
                                "%s is no name: expected 1 to 64 of A-Z a-z 0-9 _ . - starting with a "
                                "letter or digit",
                                SHOW(*ret));
        return 0;
}

/* Return: 0; -ERR_CONFIG if the same document (from runtime FIRST on) has the name already; and *RET_NEARER:
 * a nearer document has it, and speaks for it. */
static int name_is_new(const struct policy_build *b, const struct yaml_node *node, const char *name,
                       size_t first, bool *ret_nearer, struct err *err)
{
        const struct policy_runtime *have = b->runtimes.p;

        *ret_nearer = false;
        for (size_t i = 0; i < b->runtimes.n; i++) {
                if (!str_equal(have[i].name, name))
                        continue;
                if (i >= first)
                        return yaml_err(node, err, "runtime '%s' stands already in line %u", name,
                                        have[i].line);
                *ret_nearer = true;
        }
        return 0;
}

static int read_runtime(struct policy_build *b, const struct yaml_node *node, size_t first, struct err *err)
{
        static const char *const keys[] = {"name", "required", "files", "path", "digests"};
        const struct yaml_node *name_node, *files, *digests, *required_node;
        const char *name;
        bool required = true, nearer;
        int r = yaml_only(node, keys, ARRAY_LEN(keys), err);

        if (r < 0 || (r = yaml_need(node, "name", &name_node, err)) < 0 ||
            (r = parse_name(name_node, &name, err)) < 0 ||
            (r = name_is_new(b, name_node, name, first, &nearer, err)) < 0 || nearer)
                return r;
        required_node = yaml_get(node, "required");
        if (required_node && (r = yaml_bool(required_node, &required, err)) < 0)
                return r;
        files = yaml_get(node, "files");
        digests = yaml_get(node, "digests");
        if (files && (digests || yaml_get(node, "path")))
                return yaml_err(files, err,
                                "runtime '%s' has 'files' and also 'path' or 'digests': use 'files' for a "
                                "runtime of several files, 'path' and 'digests' for one of a single file",
                                name);
        if (!files && !digests)
                return yaml_err(node, err, "runtime '%s' has no 'digests' and no 'files'", name);
        r = policy_build_runtime(b, name, required, node->line, err);
        if (r < 0)
                return r;
        return files ? read_files(b, files, err) : read_file(b, node, digests, err);
}

static int read_runtimes(struct policy_build *b, const struct yaml_node *node, struct err *err)
{
        size_t first = b->runtimes.n;
        int r = yaml_want_list(node, POLICY_RUNTIMES_MAX, err);

        for (size_t i = 0; r == 0 && i < node->n; i++)
                r = read_runtime(b, node->items[i], first, err);
        b->head.judges_log = true;
        return r;
}

/* A record of somebody else: by digest, or by the text that it shows and hashes to. */
static int read_record(struct policy_build *b, const struct yaml_node *node, struct err *err)
{
        static const char *const by_digest[] = {"digest", "until", "comment", "string"};
        static const char *const by_string[] = {"string", "comment", "digest"};
        AUTO(buf_free)
        struct buf bytes = {0};
        struct policy_record record = {.line = node->line, .digest = UINT32_MAX};
        const struct yaml_node *string = yaml_get(node, "string"), *comment = yaml_get(node, "comment");
        struct policy_digest d;
        int r;

        if (string && yaml_get(node, "digest"))
                return yaml_err(node, err,
                                "a record is allowed by its 'digest' or by its 'string', not by both");
        if (!string) {
                r = read_entry(b, node, by_digest, ARRAY_LEN(by_digest), &bytes, &d, err);
                if (r < 0)
                        return r;
                record.comment = d.comment;
                record.digest = (uint32_t)b->digests.n;
                r = policy_build_digest(b, VIEW_BUF(&bytes), d, err);
                return r < 0 ? r : policy_build_record(b, record, err);
        }
        r = yaml_only(node, by_string, ARRAY_LEN(by_string), err);
        if (r < 0 || (r = yaml_str(string, &record.string, err)) < 0)
                return r;
        if (strspn(record.string, "*?") == strlen(record.string))
                return yaml_err(string, err,
                                "%s would allow any record: give at least the beginning of its text, "
                                "such as 'machine-id:*'",
                                SHOW(record.string));
        if (comment && (r = yaml_str(comment, &record.comment, err)) < 0)
                return r;
        return policy_build_record(b, record, err);
}

static int read_records(struct policy_build *b, const struct yaml_node *node, struct err *err)
{
        int r = yaml_want_list(node, POLICY_DIGESTS_MAX, err);

        for (size_t i = 0; r == 0 && i < node->n; i++)
                r = read_record(b, node->items[i], err);
        b->head.judges_log = true;
        return r;
}

static int read_deny(struct policy_build *b, const struct yaml_node *node, struct err *err)
{
        static const char *const keys[] = {"digest", "comment"};
        AUTO(buf_free)
        struct buf bytes = {0};
        int r = yaml_want_list(node, POLICY_DIGESTS_MAX, err);

        for (size_t i = 0; r == 0 && i < node->n; i++) {
                struct policy_digest d;

                r = read_entry(b, node->items[i], keys, ARRAY_LEN(keys), &bytes, &d, err);
                if (r == 0)
                        r = policy_build_denied(b, VIEW_BUF(&bytes), d, err);
        }
        return r;
}

/* Why a PCR's value cannot be fixed; NULL if it can. */
static const char *pcr_objection(const struct policy_build *b, unsigned pcr)
{
        if (pcr == b->head.pcr)
                return "it holds the measurements: say what is allowed there under 'runtimes' and 'records'";
        if (pcr == 10)
                return "the kernel's file measurements change it all the time";
        if (pcr == 16 || pcr == 23)
                return "anybody on the host can reset it";
        return NULL;
}

static int read_pcr_values(struct policy_build *b, const struct yaml_node *map, struct err *err)
{
        AUTO(buf_free)
        struct buf bytes = {0};
        uint32_t nearer = b->head.pcr_mask; /* a nearer document speaks for these */
        int r = yaml_want_map(map, err);

        for (size_t i = 0; r == 0 && i < map->n; i++) {
                const struct yaml_node *value = map->items[i];
                const struct yaml_node *const *items;
                const char *why;
                int64_t pcr;
                size_t n;

                r = yaml_int(map->keys[i], 0, POLICY_PCRS - 1, &pcr, err);
                if (r < 0)
                        return r;
                why = pcr_objection(b, (unsigned)pcr);
                if (why)
                        return yaml_err(map->keys[i], err, "PCR %u cannot have a fixed value: %s",
                                        (unsigned)pcr, why);
                items = parse_items(&value, &n);
                if (n == 0)
                        return yaml_err(value, err, "no value for PCR %u", (unsigned)pcr);
                for (size_t k = 0; r == 0 && k < n && !(nearer & 1u << pcr); k++) {
                        r = parse_bank_digest(b, items[k], &bytes, err);
                        if (r == 0)
                                r = policy_build_pcr_value(b, (unsigned)pcr, VIEW_BUF(&bytes), items[k]->line,
                                                           err);
                }
        }
        return r;
}

/* Bank and register, which all else rests on: of the nearest document that states them. */
int parse_pcr_head(struct policy_build *b, const struct yaml_node *node, struct parse_stated *stated,
                   struct err *err)
{
        static const char *const keys[] = {"bank", "measurements", "values"};
        static const char *const banks[] = {"sha256", "sha384"};
        const struct yaml_node *bank, *measurements;
        enum digest_alg alg;
        size_t choice = 0;
        int64_t pcr = 15;
        int r = yaml_only(node, keys, ARRAY_LEN(keys), err);

        if (r < 0)
                return r;
        bank = yaml_get(node, "bank");
        if (bank && (r = yaml_choice(bank, banks, ARRAY_LEN(banks), &choice, err)) < 0)
                return r;
        measurements = yaml_get(node, "measurements");
        if (measurements && (r = yaml_int(measurements, 8, 15, &pcr, err)) < 0)
                return r;
        if (pcr == 10)
                return yaml_err(measurements, err, "PCR 10 belongs to the kernel's file measurements");
        alg = choice ? DIGEST_SHA384 : DIGEST_SHA256;
        if (bank && stated->bank && alg != b->head.bank)
                return yaml_err(bank, err, "bank %s in a policy whose other document has %s: they need one",
                                digest_name(alg), digest_name(b->head.bank));
        if (bank) {
                b->head.bank = alg;
                b->head.digest_size = digest_size(alg);
        }
        if (measurements && !stated->measurements)
                b->head.pcr = (unsigned)pcr;
        stated->bank |= bank != NULL;
        stated->measurements |= measurements != NULL;
        return 0;
}

static int read_freshness(struct policy_build *b, const struct yaml_node *node, struct err *err)
{
        static const char *const keys[] = {"interval", "grace", "lease", "reappraise_within"};
        int64_t *const slots[] = {&b->head.interval_ms, &b->head.grace_ms, &b->head.lease_ms,
                                  &b->head.reappraise_ms};
        int r = yaml_only(node, keys, b->head.format == 1 ? 3 : ARRAY_LEN(keys), err);

        for (size_t i = 0; r == 0 && i < ARRAY_LEN(keys); i++) {
                const struct yaml_node *value = yaml_get(node, keys[i]);

                if (!value || *slots[i])
                        continue; /* a nearer document said it */
                r = yaml_duration(value, slots[i], err);
                if (r == 0 && (*slots[i] < INTERVAL_MIN_MS || *slots[i] > INTERVAL_MAX_MS))
                        return yaml_err(value, err, "'%s' must be between 100ms and 1d", keys[i]);
        }
        if (r == 0 && b->head.lease_ms && b->head.interval_ms && b->head.lease_ms < b->head.interval_ms)
                return yaml_err(
                        yaml_get(node, "lease") ? yaml_get(node, "lease") : node, err,
                        "'lease' is shorter than 'interval': every host would lose it between two reports");
        return r;
}

static int read_destroy_now(struct policy_build *b, const struct yaml_node *node, struct err *err)
{
        static const char *const names[] = {"info", "warning", "error", "critical"};
        const struct yaml_node *const *items;
        size_t n, choice = 0;

        items = parse_items(&node, &n);
        for (size_t i = 0; i < n; i++) {
                int r = yaml_choice(items[i], names, ARRAY_LEN(names), &choice, err);

                if (r < 0)
                        return r;
                if (b->head.on_fail.destroy_now & (1u << choice))
                        return yaml_err(items[i], err, "'%s' stands here twice", names[choice]);
                b->head.on_fail.destroy_now |= 1u << choice;
        }
        return 0;
}

/* A word, or {reaction, destroy_after, destroy_now}. Spec: SR-3. */
static int read_on_fail(struct policy_build *b, const struct yaml_node *node, struct err *err)
{
        static const char *const keys[] = {"reaction", "destroy_after", "destroy_now"};
        static const char *const reactions[] = {"suspend", "destroy"};
        const struct yaml_node *reaction = node, *after = NULL, *now = NULL;
        size_t choice = 0;
        int r = 0;

        if (node->kind == YAML_MAP) {
                r = yaml_only(node, keys, ARRAY_LEN(keys), err);
                if (r < 0)
                        return r;
                reaction = yaml_get(node, "reaction");
                after = yaml_get(node, "destroy_after");
                now = yaml_get(node, "destroy_now");
        }
        if (reaction && (r = yaml_choice(reaction, reactions, ARRAY_LEN(reactions), &choice, err)) < 0)
                return r;
        b->head.on_fail.destroy = choice == 1;
        if (after && !b->head.on_fail.destroy)
                return yaml_err(after, err, "'destroy_after' without 'reaction: destroy' delays nothing");
        if (after && (r = yaml_duration(after, &b->head.on_fail.destroy_after_ms, err)) < 0)
                return r;
        if (after && b->head.on_fail.destroy_after_ms > DESTROY_AFTER_MAX_MS)
                return yaml_err(after, err, "'destroy_after' must be 30d or less");
        return now ? read_destroy_now(b, now, err) : 0;
}

static int read_mode(struct policy_build *b, const struct yaml_node *root, struct parse_stated *stated,
                     struct err *err)
{
        static const char *const modes[] = {"enforce", "observe"};
        const struct yaml_node *mode = yaml_get(root, "mode"), *on_fail = yaml_get(root, "on_fail");
        size_t choice = 0;
        int r = 0;

        if (mode && !stated->mode) {
                r = yaml_choice(mode, modes, ARRAY_LEN(modes), &choice, err);
                b->head.enforced = choice == 0;
                stated->mode = true;
        }
        if (r == 0 && on_fail && !stated->on_fail) {
                r = read_on_fail(b, on_fail, err);
                stated->on_fail = true;
        }
        return r;
}

int parse_rules(struct policy_build *b, const struct yaml_node *root, struct parse_stated *stated,
                struct err *err)
{
        static const struct {
                const char *key;
                int (*read)(struct policy_build *b, const struct yaml_node *node, struct err *err);
        } rules[] = {
                {"freshness", read_freshness},
                {"runtimes", read_runtimes},
                {"records", read_records},
                {"deny", read_deny},
        };
        const struct yaml_node *pcr = yaml_get(root, "pcr");
        const struct yaml_node *values = pcr ? yaml_get(pcr, "values") : NULL;
        int r = 0;

        for (size_t i = 0; r == 0 && i < ARRAY_LEN(rules); i++) {
                const struct yaml_node *node = yaml_get(root, rules[i].key);

                if (node)
                        r = rules[i].read(b, node, err);
        }
        if (r == 0 && values)
                r = read_pcr_values(b, values, err);
        return r < 0 ? r : read_mode(b, root, stated, err);
}
