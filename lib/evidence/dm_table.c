/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The device mapper's words to IMA. The text is made of groups that end with ';', of NAME=VALUE with ','
 * between them; in names a backslash stands before ',', ';', '=' and itself. Whoever sets up a device chooses
 * its name, so nothing is looked for across a separator that is not one.
 */
#include "evidence/dm_table.h"

#include "base/hex.h"

static const struct {
        const char *event;
        bool loads;
} events[] = {
        {"dm_table_load", true},     {"dm_target_update", true}, {"dm_device_resume", false},
        {"dm_device_remove", false}, {"dm_table_clear", false},  {"dm_device_rename", false},
};

static int event_number(struct view event)
{
        for (size_t i = 0; i < ARRAY_LEN(events); i++)
                if (view_equal(event, view_str(events[i].event)))
                        return (int)i;
        return -1;
}

bool dm_table_is(struct view event)
{
        return event_number(event) >= 0;
}

/* Cuts what stands before the next END off *REST, and END with it. */
static struct view cut(struct view *rest, char end)
{
        struct view part = *rest;

        for (size_t i = 0; i < rest->len; i++) {
                if (rest->p[i] == '\\') {
                        i++;
                } else if (rest->p[i] == (uint8_t)end) {
                        part.len = i;
                        *rest = VIEW(rest->p + i + 1, rest->len - i - 1);
                        return part;
                }
        }
        *rest = VIEW_NONE;
        return part;
}

static int take_root(struct view value, struct dm_target *t, struct err *err)
{
        if (value.len == 0 || value.len % 2 || value.len / 2 > sizeof(t->root) ||
            hex_decode_exact(value, t->root, value.len / 2, err) < 0)
                return err_set(err, ERR_FORMAT, 0, "a device mapper's table: its root digest is none");
        t->root_len = value.len / 2;
        return 0;
}

static void take_alg(struct view value, struct dm_target *t)
{
        static const enum digest_alg algs[] = {DIGEST_SHA256, DIGEST_SHA384, DIGEST_SHA512};

        for (size_t i = 0; i < ARRAY_LEN(algs); i++)
                if (view_equal(value, view_str(digest_name(algs[i])))) {
                        t->alg_known = true;
                        t->alg = algs[i];
                }
}

static bool is(struct view v, const char *text)
{
        return view_equal(v, view_str(text));
}

/* One group of a target: "target_index=0,…,target_name=verity,…". */
static int take_target(struct view group, struct dm_table *ret, struct err *err)
{
        struct dm_target *t = &ret->targets[ret->n_targets];
        int r = 0;

        if (ret->n_targets == DM_TARGETS_MAX)
                return err_set(err, ERR_LIMIT, 0, "a device mapper's table has more than %d targets",
                               DM_TARGETS_MAX);
        *t = (struct dm_target){.verity = false};
        while (r == 0 && group.len) {
                struct view value = cut(&group, ','), name = cut(&value, '=');

                if (is(name, "target_name"))
                        t->verity = is(value, "verity");
                else if (is(name, "hash_failed"))
                        t->failed = !is(value, "V");
                else if (is(name, "verity_algorithm"))
                        take_alg(value, t);
                else if (is(name, "root_digest"))
                        r = take_root(value, t, err);
        }
        ret->n_targets++;
        return r;
}

int dm_table_parse(struct view event, struct view text, struct dm_table *ret, struct err *err)
{
        int number = event_number(event);
        struct view rest = text;
        bool device = false;

        *ret = (struct dm_table){.loads = number >= 0 && events[number].loads};
        if (number < 0)
                return err_set(err, ERR_FORMAT, 0, "no event of the device mapper");
        while (rest.len) {
                struct view group = cut(&rest, ';'), first = group, value = cut(&first, ','),
                            name = cut(&value, '=');
                int r = 0;

                if (is(name, "name") && !device) {
                        ret->device = value;
                        device = true;
                } else if (is(name, "target_index")) {
                        r = take_target(group, ret, err);
                }
                if (r < 0)
                        return r;
        }
        if (!device || (ret->loads && ret->n_targets == 0))
                return err_set(err, ERR_FORMAT, 0, "a device mapper's event without a device or a target");
        return 0;
}
