/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Long options from tables. getopt_long keeps its state in globals and prints by itself; the commands need
 * neither: what a person gets wrong travels as an error like any other, with the option that was probably
 * meant.
 */
#include "tenant/options.h"

#include <stdio.h>
#include <string.h>

#include "base/str.h"

static const struct option_row *find(const struct option_row *rows, const char *name, size_t len)
{
        for (; rows && rows->name; rows++)
                if (strlen(rows->name) == len && strncmp(rows->name, name, len) == 0)
                        return rows;
        return NULL;
}

static int unknown(const struct option_row *rows, const char *name, size_t len, struct err *err)
{
        const char *names[OPTION_LIST_MAX], *near;
        size_t n = 0;
        char typed[64];

        (void)snprintf(typed, sizeof(typed), "%.*s", (int)(len < 60 ? len : 60), name);
        for (; rows && rows->name && n < ARRAY_LEN(names); rows++)
                names[n++] = rows->name;
        near = str_nearest(typed, names, n);
        if (near)
                return err_set(err, ERR_CONFIG, 0, "unknown option '--%s': did you mean '--%s'?", typed,
                               near);
        return err_set(err, ERR_CONFIG, 0, "unknown option '--%s'; --help lists the options", typed);
}

static int store(const struct option_row *row, const char *value, void *values, struct err *err)
{
        char *at = (char *)values + row->offset;
        struct option_list *list;

        switch (row->kind) {
        case OPTION_FLAG:
                *(bool *)(void *)at = true;
                return 0;
        case OPTION_TEXT:
                *(const char **)(void *)at = value;
                return 0;
        case OPTION_LIST:
                list = (struct option_list *)(void *)at;
                if (list->n == OPTION_LIST_MAX)
                        return err_set(err, ERR_CONFIG, 0, "option '--%s' given more than %d times",
                                       row->name, OPTION_LIST_MAX);
                list->v[list->n++] = value;
                return 0;
        }
        return err_set(err, ERR_BUG, 0, "option '--%s' has no kind", row->name);
}

int options_read(const struct option_row *rows, int argc, char **argv, void *values, struct err *err)
{
        int n_args = 0;

        for (int i = 0; i < argc; i++) {
                const char *name = argv[i] + 2, *value;
                const struct option_row *row;
                size_t len;

                if (strcmp(argv[i], "--") == 0) {
                        while (++i < argc)
                                argv[n_args++] = argv[i];
                        break;
                }
                if (strncmp(argv[i], "--", 2) != 0) {
                        if (argv[i][0] == '-' && argv[i][1])
                                return err_set(err, ERR_CONFIG, 0,
                                               "unknown option '%s'; --help lists the options", argv[i]);
                        argv[n_args++] = argv[i];
                        continue;
                }
                len = strcspn(name, "=");
                value = name[len] ? name + len + 1 : NULL;
                row = find(rows, name, len);
                if (!row)
                        return unknown(rows, name, len, err);
                if (row->kind == OPTION_FLAG && value)
                        return err_set(err, ERR_CONFIG, 0, "option '--%s' takes no value", row->name);
                if (row->kind != OPTION_FLAG && !value) {
                        if (++i == argc)
                                return err_set(err, ERR_CONFIG, 0, "option '--%s' needs a value (%s)",
                                               row->name, row->metavar);
                        value = argv[i];
                }
                if (store(row, value, values, err) < 0)
                        return -(int)err->kind;
        }
        return n_args;
}
