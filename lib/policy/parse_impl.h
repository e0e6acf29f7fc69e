/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_POLICY_PARSE_IMPL_H
#define AVOW_POLICY_PARSE_IMPL_H

#include "base/map.h"
#include "base/yaml.h"
#include "policy/allow.h"
#include "policy/build.h"
#include "policy/pattern.h"
#include "policy/policy_boot.h"
#include "policy/policy_ima.h"

/* Reading a policy's text: for parse*.c alone. Every refusal starts with FILE:LINE:COLUMN. */

/* Items of lists that are not digests of files: what is searched one by one is short, whoever wrote it. */
#define PARSE_LIST_MAX   100000u /* packages, required files */
#define PARSE_SEARCH_MAX 4096u   /* rules, signers, kernels, keys, digests of events */

struct parse {
        struct policy_build *b;
        struct view text; /* all of it, for the columns in blocks */
        struct map keys;  /* struct policy_key by name, the nearest layer's of those read so far */
};

/* ---- parse.c: format 1 ---- */

/* Short lists can be written as one item: items of a list, or the node itself. */
const struct yaml_node *const *parse_items(const struct yaml_node *const *node, size_t *ret_n);
int parse_name(const struct yaml_node *node, const char **ret, struct err *err) MUST_USE;
/* A digest of the policy's bank. */
int parse_bank_digest(const struct policy_build *b, const struct yaml_node *node, struct buf *ret,
                      struct err *err) MUST_USE;
/* What a document says in format 1's words, as far as none before it said it. */
struct parse_stated {
        bool bank, measurements, mode, on_fail; /* said by a nearer document */
};
int parse_pcr_head(struct policy_build *b, const struct yaml_node *pcr, struct parse_stated *stated,
                   struct err *err) MUST_USE;
int parse_rules(struct policy_build *b, const struct yaml_node *root, struct parse_stated *stated,
                struct err *err) MUST_USE;

/* ---- parse_list.c: what several sections are made of ---- */

/* A zeroed element of SIZE bytes for each item of a list of at most LIMIT, kept. NULL with ERR. */
void *parse_elements(struct policy_build *b, const struct yaml_node *list, size_t limit, size_t size,
                     struct err *err) MUST_USE;

/* Text that is kept. */
int parse_text(struct policy_build *b, const struct yaml_node *node, const char **ret,
               struct err *err) MUST_USE;
/* MAP's `until` (or POLICY_NEVER), noted as an end; its `comment` (or ""), kept. */
int parse_until(struct policy_build *b, const struct yaml_node *map, int64_t *ret, struct err *err) MUST_USE;
int parse_comment(struct policy_build *b, const struct yaml_node *map, const char **ret,
                  struct err *err) MUST_USE;

/* A digest of a file: SHA-256 or better, SHA-1 too if SHA1. */
int parse_file_digest(const struct yaml_node *node, bool sha1, struct digest *ret, struct err *err) MUST_USE;
/* One or a list of them, kept. */
int parse_file_digests(struct policy_build *b, const struct yaml_node *node, bool sha1,
                       const struct digest **ret, size_t *ret_n, struct err *err) MUST_USE;

/* Patterns: a text or a list; kept. RET_TEXTS: as written. WHAT they are over, for messages.
 * -ERR_CONFIG for none at all, and for one that everything matches. */
int parse_patterns(struct policy_build *b, const struct yaml_node *node, const char *what,
                   const struct pattern_set **ret, const char *const **ret_texts, size_t *ret_n,
                   struct err *err) MUST_USE;

/* Digests into a set. */
struct parse_set {
        struct allow_builder *into;
        bool sha1;
        const char *fixed_path; /* NULL: items have a `path` of their own, or none */
        bool until, files;      /* may items have these? */
        bool paths;             /* may items have a `path`? */
};
/* A list of items: HEX, or a map. */
int parse_set_items(struct parse *p, const struct yaml_node *list, const struct parse_set *set,
                    struct err *err) MUST_USE;
/* A literal block in sha256sum's form. RET_N: entries; RET_LAST: the block's last line. */
int parse_set_block(struct parse *p, const struct yaml_node *block, const struct parse_set *set,
                    uint32_t label, uint32_t *ret_n, uint32_t *ret_last, struct err *err) MUST_USE;

/* ---- the sections of format 2; what is made belongs to P's policy ---- */

int parse_ima(struct parse *p, const struct yaml_node *node, const struct policy_ima **ret,
              struct err *err) MUST_USE;
/* parse_ima_keys.c: the parts of it about keys and names. */
struct parse_ima {
        struct parse *p;
        struct policy_ima *ima;
        bool sha1;
        struct allow_builder *keyring_keys, *buffer_digests;
};
int parse_ima_keys(struct parse_ima *x, const struct yaml_node *node, struct err *err) MUST_USE;
int parse_ima_signed(struct parse_ima *x, const struct yaml_node *node, struct err *err) MUST_USE;
int parse_ima_keyrings(struct parse_ima *x, const struct yaml_node *node, struct err *err) MUST_USE;
int parse_ima_buffers(struct parse_ima *x, const struct yaml_node *node, struct err *err) MUST_USE;

int parse_boot(struct parse *p, const struct yaml_node *node, const struct policy_boot **ret,
               struct err *err) MUST_USE;

#endif
