/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The host's store of secrets. Three things on the disk, none of which opens anything without this host's
 * TPM: sealed secrets, approvals, and the log of who got copies. The verifier's set replaces the first two as
 * a whole; each file is written under another name and renamed, new ones first and old ones removed last, so
 * that a crash or a full disk in between leaves a mixture in which every file is whole, and the same set may
 * be taken again.
 *
 * The log of copies is written ahead: its line is on the disk before the first byte of a secret leaves, so
 * that after a power loss a wipe names one unit too many rather than one too few.
 *
 * Spec: SR-5, SR-6, SR-25; docs/protocol.md, "Secrets".
 */
#include "agent/secrets.h"

#include <errno.h>
#include <string.h>

#include "agent/secrets_private.h"
#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "wire/wire.h"

static const char *const folders[] = {"secrets", "approvals"};

char *secrets_path(const struct secrets *s, enum secrets_kind kind, const char *name)
{
        return str_fmt("%s/%s/%s.json", s->dir, folders[kind], name);
}

/* ---- the index */

static void clear_index(struct secrets_index *index)
{
        free(index->secrets);
        free(index->approvals);
        *index = (struct secrets_index){0};
}

static void *grow(void **list, size_t *n, size_t size)
{
        void *more = mem_resize(*list, *n + 1, size);

        if (!more)
                return NULL;
        *list = more;
        memset((char *)more + *n * size, 0, size);
        return (char *)more + (*n)++ * size;
}

static int index_secret(struct secrets_index *index, const struct secret_file *f, struct err *err)
{
        struct secrets_entry *e = grow((void **)&index->secrets, &index->n_secrets, sizeof(*e));

        if (!e)
                return err_nomem(err);
        memcpy(e->name, f->name, sizeof(e->name));
        memcpy(e->class, f->scope.class, sizeof(e->class));
        e->version = f->version;
        e->revocable = f->revocable;
        e->release_local = f->release_local;
        e->plain = f->kind == SEALED_PCR;
        return 0;
}

static int index_approval(struct secrets_index *index, const struct approval *a, struct err *err)
{
        struct secrets_approval *e = grow((void **)&index->approvals, &index->n_approvals, sizeof(*e));

        if (!e)
                return err_nomem(err);
        memcpy(e->id, a->id, sizeof(a->id));
        memcpy(e->class, a->scope.class, sizeof(e->class));
        e->version = a->version;
        return 0;
}

/* Decodes TEXT as what KIND says and puts it into INDEX; its name into RET. */
static int index_text(struct secrets_index *index, enum secrets_kind kind, struct view text,
                      char ret_name[SECRETS_NAME_BYTES], struct err *err)
{
        int r;

        if (kind == SECRETS_SECRET) {
                AUTO(secret_file_done) struct secret_file f = {0};

                r = secret_file_decode(text, &f, err);
                if (r >= 0)
                        memcpy(ret_name, f.name, sizeof(f.name));
                return r < 0 ? r : index_secret(index, &f, err);
        }
        AUTO(approval_done) struct approval a = {0};
        r = approval_decode(text, &a, err);
        if (r >= 0)
                memcpy(ret_name, a.id, sizeof(a.id));
        return r < 0 ? r : index_approval(index, &a, err);
}

static int read_file(const struct secrets *s, enum secrets_kind kind, const char *name, struct buf *ret,
                     struct err *err)
{
        AUTO(mem_free_p) char *path = secrets_path(s, kind, name);

        return path ? file_read(path, SECRET_FILE_BYTES_MAX, ret, err) : err_nomem(err);
}

static int load_one(struct secrets *s, enum secrets_kind kind, const char *file, struct strv *odd,
                    struct err *err)
{
        AUTO(mem_free_p) char *name = str_ndup(file, strlen(file) - strlen(".json"));
        AUTO(buf_free) struct buf text = {0};
        struct err why = ERR_INIT;
        char inside[SECRETS_NAME_BYTES] = "";
        int r;

        if (!name)
                return err_nomem(err);
        r = read_file(s, kind, name, &text, &why);
        if (r >= 0)
                r = index_text(&s->index, kind, VIEW_BUF(&text), inside, &why);
        if (r >= 0 && str_equal(inside, name))
                return 0;
        if (r == -ERR_NOMEM)
                return err_nomem(err);
        if (r >= 0) { /* somebody renamed it */
                if (kind == SECRETS_SECRET)
                        s->index.n_secrets--;
                else
                        s->index.n_approvals--;
                (void)err_set(&why, ERR_FORMAT, 0, "its name inside is %s", SHOW(inside));
        }
        return strv_take(odd, str_fmt("%s/%s: %s", folders[kind], SHOW(file), why.text)) < 0 ? err_nomem(err)
                                                                                             : 0;
}

static int load_kind(struct secrets *s, enum secrets_kind kind, struct strv *odd, struct err *err)
{
        AUTO(mem_free_p) char *dir = str_fmt("%s/%s", s->dir, folders[kind]);
        AUTO(strv_done) struct strv names = {0};
        int r = dir ? file_mkdirs(dir, 0700, err) : err_nomem(err);

        if (r >= 0)
                r = file_list(dir, ".json", &names, err);
        for (size_t i = 0; r >= 0 && i < names.n && i < SECRETS_MAX; i++)
                r = load_one(s, kind, names.items[i], odd, err);
        return r;
}

int secrets_new(const char *state_dir, struct secrets **ret, struct strv *ret_odd, struct err *err)
{
        AUTO(secrets_free_p) struct secrets *s = mem_zalloc(1, sizeof(*s));
        int r;

        if (!s || !(s->dir = str_dup(state_dir)))
                return err_nomem(err);
        r = load_kind(s, SECRETS_SECRET, ret_odd, err);
        if (r >= 0)
                r = load_kind(s, SECRETS_APPROVAL, ret_odd, err);
        if (r >= 0)
                r = secrets_copies_load(s, err);
        if (r < 0)
                return err_wrap(err, "secrets in %s", SHOW(state_dir));
        *ret = TAKE(s);
        return 0;
}

void secrets_free(struct secrets *s)
{
        if (!s)
                return;
        clear_index(&s->index);
        free(s->copies);
        free(s->reason_owned);
        free(s->dir);
        free(s);
}

/* ---- taking the verifier's set */

/* One document as it will stand in its file. */
struct item {
        char name[SECRETS_NAME_BYTES];
        struct buf text;
};

struct set {
        struct secrets_index index;
        struct item *items[2];
        size_t n[2];
        uint64_t floor;
};

static void set_done(struct set *set)
{
        for (int kind = 0; kind < 2; kind++) {
                for (size_t i = 0; i < set->n[kind]; i++)
                        buf_free(&set->items[kind][i].text);
                free(set->items[kind]);
        }
        clear_index(&set->index);
}

static bool has(const struct set *set, enum secrets_kind kind, const char *name, size_t len)
{
        for (size_t i = 0; i < set->n[kind]; i++)
                if (view_equal(view_str(set->items[kind][i].name), VIEW(name, len)))
                        return true;
        return false;
}

static bool has_file(const struct set *set, enum secrets_kind kind, const char *file)
{
        return str_ends(file, ".json") && has(set, kind, file, strlen(file) - strlen(".json"));
}

static int take_item(struct set *set, enum secrets_kind kind, const json_t *document, const char *host,
                     struct err *err)
{
        AUTO(mem_free_p) char *line = json_print(document);
        struct item item = {.name = ""}, *more;
        const char *theirs;
        int r;

        if (!line)
                return err_nomem(err);
        theirs = json_string_value(json_object_get(document, "host"));
        if (!theirs || !str_equal(theirs, host))
                return err_set(err, ERR_FORMAT, 0, "it is for another host");
        r = index_text(&set->index, kind, view_str(line), item.name, err);
        if (r < 0)
                return r;
        if (has(set, kind, item.name, strlen(item.name)))
                return err_set(err, ERR_FORMAT, 0, "%s is there twice", SHOW(item.name));
        buf_str(&item.text, line);
        more = mem_resize(set->items[kind], set->n[kind] + 1, sizeof(item));
        if (!more || !buf_ok(&item.text)) {
                buf_free(&item.text);
                set->items[kind] = more ? more : set->items[kind];
                return err_nomem(err);
        }
        set->items[kind] = more;
        more[set->n[kind]++] = item;
        return 0;
}

static int take_items(struct set *set, enum secrets_kind kind, const json_t *j, const char *host,
                      struct err *err)
{
        const json_t *list;
        int r = json_get_array(j, folders[kind], SECRETS_MAX, &list, err);

        for (size_t i = 0; r >= 0 && i < json_array_size(list); i++) {
                r = take_item(set, kind, json_array_get(list, i), host, err);
                if (r < 0)
                        return err_wrap(err, "%s[%zu]", folders[kind], i);
        }
        return r;
}

static int parse_set(struct view text, const char *host, struct set *set, struct err *err)
{
        AUTO(json_free_p) json_t *j = NULL;
        int64_t floor = 0;
        int r = json_parse(text, SECRETS_SET_BYTES, &j, err);

        if (r >= 0)
                r = json_get_int(j, "floor", 0, INT64_MAX, &floor, err);
        if (r >= 0)
                r = take_items(set, SECRETS_SECRET, j, host, err);
        if (r >= 0)
                r = take_items(set, SECRETS_APPROVAL, j, host, err);
        set->floor = (uint64_t)floor;
        return r;
}

static int write_items(struct secrets *s, const struct set *set, enum secrets_kind kind, struct err *err)
{
        for (size_t i = 0; i < set->n[kind]; i++) {
                const struct item *item = &set->items[kind][i];
                AUTO(mem_free_p) char *path = secrets_path(s, kind, item->name);
                AUTO(buf_free) struct buf have = {0};
                struct err ignored = ERR_INIT;
                int r;

                if (!path)
                        return err_nomem(err);
                if (file_read(path, SECRET_FILE_BYTES_MAX, &have, &ignored) >= 0 &&
                    view_equal(VIEW_BUF(&have), VIEW_BUF(&item->text)))
                        continue;
                r = file_write(path, VIEW_BUF(&item->text), 0600, err);
                if (r < 0)
                        return r;
        }
        return 0;
}

/* Removes every file of KIND that is not in SET (NULL: all of them); goes on after a failure. */
static int remove_others(struct secrets *s, const struct set *set, enum secrets_kind kind, struct err *err)
{
        AUTO(mem_free_p) char *dir = str_fmt("%s/%s", s->dir, folders[kind]);
        AUTO(strv_done) struct strv names = {0};
        int first = 0, r = dir ? file_list(dir, "", &names, err) : err_nomem(err);

        if (r < 0)
                return r;
        for (size_t i = 0; i < names.n; i++) {
                AUTO(mem_free_p) char *path = str_fmt("%s/%s", dir, names.items[i]);
                struct err why = ERR_INIT;

                if (set && has_file(set, kind, names.items[i]))
                        continue;
                r = path ? file_remove(path, &why) : err_nomem(&why);
                if (r < 0 && first == 0) {
                        first = r;
                        *err = why;
                }
        }
        return first;
}

static int store(struct secrets *s, const struct set *set, struct err *err)
{
        int r = 0;

        for (int kind = 0; r >= 0 && kind < 2; kind++)
                r = write_items(s, set, (enum secrets_kind)kind, err);
        for (int kind = 0; r >= 0 && kind < 2; kind++)
                r = remove_others(s, set, (enum secrets_kind)kind, err);
        return r;
}

int secrets_take(struct secrets *s, const char *host, struct view text, uint64_t *ret_floor, struct err *err)
{
        AUTO(set_done) struct set set = {0};
        int r;

        if (s->reason)
                return err_set(err, ERR_CONFIG, 0, "no secrets are taken: %s", s->reason);
        r = parse_set(text, host, &set, err);
        if (r < 0)
                return err_wrap(err, "the verifier's set of secrets");
        r = store(s, &set, err);
        if (r < 0)
                return r;
        clear_index(&s->index);
        s->index = set.index;
        set.index = (struct secrets_index){0};
        *ret_floor = set.floor;
        return 0;
}

/* ---- reading */

const struct secrets_entry *secrets_find(const struct secrets *s, const char *name)
{
        for (size_t i = 0; i < s->index.n_secrets; i++)
                if (str_equal(s->index.secrets[i].name, name))
                        return &s->index.secrets[i];
        return NULL;
}

size_t secrets_approvals(const struct secrets *s, const struct secrets_approval **ret)
{
        *ret = s->index.approvals;
        return s->index.n_approvals;
}

int secrets_load(const struct secrets *s, const char *name, struct secret_file *ret, struct err *err)
{
        AUTO(buf_free) struct buf text = {0};
        int r = read_file(s, SECRETS_SECRET, name, &text, err);

        return r < 0 ? r : secret_file_decode(VIEW_BUF(&text), ret, err);
}

int secrets_load_approval(const struct secrets *s, const char *id, struct approval *ret, struct err *err)
{
        AUTO(buf_free) struct buf text = {0};
        int r = read_file(s, SECRETS_APPROVAL, id, &text, err);

        return r < 0 ? r : approval_decode(VIEW_BUF(&text), ret, err);
}

/* ---- refusing and forgetting */

static void drop_copies(struct secrets *s)
{
        if (s->on_refuse)
                s->on_refuse(s->on_refuse_ctx);
}

void secrets_refuse(struct secrets *s, const char *reason)
{
        char *copy = str_dup(reason);

        free(s->reason_owned);
        s->reason_owned = copy;
        s->reason = copy ? copy : "this host's secrets are refused"; /* no memory is no way around it */
        drop_copies(s);
}

void secrets_admit(struct secrets *s)
{
        free(s->reason_owned);
        s->reason_owned = NULL;
        s->reason = NULL;
}

const char *secrets_refused(const struct secrets *s)
{
        return s->reason;
}

void secrets_on_refuse(struct secrets *s, void (*fn)(void *ctx), void *ctx)
{
        s->on_refuse = fn;
        s->on_refuse_ctx = ctx;
}

int secrets_forget(struct secrets *s, struct err *err)
{
        struct err other = ERR_INIT;
        int a, b;

        drop_copies(s);
        clear_index(&s->index);
        a = remove_others(s, NULL, SECRETS_SECRET, err);
        b = remove_others(s, NULL, SECRETS_APPROVAL, a < 0 ? &other : err);
        return a < 0 ? a : b;
}

int secrets_not_revocable(const struct secrets *s, struct strv *ret, struct err *err)
{
        for (size_t i = 0; i < s->index.n_secrets; i++)
                if (!s->index.secrets[i].revocable && strv_add(ret, s->index.secrets[i].name) < 0)
                        return err_nomem(err);
        return 0;
}
