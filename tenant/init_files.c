/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The files that `avow init` makes: collected, looked for, written. Each is created under its name only if
 * nothing is there (also not in the moment between looking and writing), and is on the disk when it is there.
 * Private keys are 0600 from the first byte, and never in memory that can be swapped.
 */
#include <errno.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "tenant/init.h"

static int add(struct init_items *items, const char *path, mode_t mode, const char *owner, const char *what,
               struct init_item **ret, struct err *err)
{
        struct init_item *item = &items->v[items->n];

        if (items->n == INIT_ITEMS_MAX)
                return err_set(err, ERR_BUG, 0, "avow init makes more than %d files", INIT_ITEMS_MAX);
        *item = (struct init_item){.path = str_dup(path), .mode = mode, .owner = owner, .what = what};
        if (!item->path)
                return err_nomem(err);
        items->n++;
        *ret = item;
        return 0;
}

int init_add_text(struct init_items *items, const char *path, mode_t mode, const char *what, char *text,
                  struct err *err)
{
        AUTO(mem_free_p) char *owned = text;
        struct init_item *item = NULL;
        int r;

        if (!owned)
                return err_nomem(err);
        r = add(items, path, mode, NULL, what, &item, err);
        if (r == 0)
                item->text = TAKE(owned);
        return r;
}

int init_add_secret(struct init_items *items, const char *path, const char *owner, const char *what,
                    struct secret *secret, struct err *err)
{
        struct init_item *item = NULL;
        int r = add(items, path, 0600, owner, what, &item, err);

        if (r < 0) {
                secret_free(secret);
                return r;
        }
        item->secret = *secret;
        *secret = (struct secret){0};
        return 0;
}

int init_add_folder(struct init_items *items, const char *path, mode_t mode, const char *owner,
                    const char *what, struct err *err)
{
        struct init_item *item = NULL;
        int r = add(items, path, mode, owner, what, &item, err);

        if (r == 0)
                item->folder = true;
        return r;
}

void init_items_done(struct init_items *items)
{
        for (size_t i = 0; i < items->n; i++) {
                free(items->v[i].path);
                free(items->v[i].text);
                secret_free(&items->v[i].secret);
        }
        items->n = 0;
}

static char *whole_path(const struct init_plan *p, const struct init_item *item)
{
        return item->path[0] == '/' ? str_dup(item->path) : str_fmt("%s/%s", p->dir, item->path);
}

int init_check(const struct init_plan *p, const struct init_items *items, struct err *err)
{
        for (size_t i = 0; i < items->n; i++) {
                AUTO(mem_free_p) char *path = whole_path(p, &items->v[i]);

                if (!path)
                        return err_nomem(err);
                if (!items->v[i].folder && file_exists(path))
                        return err_set(err, ERR_CONFIG, EEXIST,
                                       "'%s' is there already: avow init never overwrites; choose another "
                                       "folder, or "
                                       "move the old one away",
                                       path);
        }
        return 0;
}

/* Gives a key to the user who will run the daemon, where there is such a user and we may. */
static int give(const struct init_item *item, const char *path, struct err *err)
{
        const struct passwd *user = item->owner && geteuid() == 0 ? getpwnam(item->owner) : NULL;

        if (user && lchown(path, user->pw_uid, user->pw_gid) < 0)
                return err_errno(err, errno, "give '%s' to user '%s'", path, item->owner);
        return 0;
}

static int write_one(const struct init_plan *p, const struct init_item *item, struct err *err)
{
        AUTO(mem_free_p) char *path = whole_path(p, item);
        struct view content;
        int r;

        if (!path)
                return err_nomem(err);
        content = item->secret.p ? VIEW(item->secret.p, item->secret.len)
                                 : view_str(item->text ? item->text : "");
        r = item->folder ? file_mkdirs(path, item->mode, err) : file_create(path, content, item->mode, err);
        return r < 0 ? r : give(item, path, err);
}

int init_write(const struct init_plan *p, const struct init_items *items, struct err *err)
{
        int r = file_mkdirs(p->dir, 0755, err);

        for (int pass = 0; pass < 2; pass++) { /* folders, then files */
                for (size_t i = 0; r == 0 && i < items->n; i++) {
                        if (items->v[i].folder == (pass == 0))
                                r = write_one(p, &items->v[i], err);
                }
        }
        return r;
}
