/* SPDX-License-Identifier: Apache-2.0 */
/*
 * put_secret CONFIG NAME=TEXT…: plays the owner and the verifier for tests of hand-outs that need neither:
 * puts secrets, approved for what PCR 15 is now with `release: local`, into the state directory of an agent
 * that is not running.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/log.h"
#include "base/str.h"
#include "unit/agent/owner_kit.h"

static void put_file(const struct half *h, const char *folder, const char *name, const struct buf *text)
{
        AUTO(mem_free_p) char *path = str_fmt("%s/%s/%s.json", h->config->state_dir, folder, name);
        struct err err = ERR_INIT;

        if (!path || file_write(path, VIEW_BUF(text), 0600, &err) < 0) {
                (void)fprintf(stderr, "put_secret: %s\n", err.text);
                exit(1);
        }
}

static void put(const struct kit *k, const char *arg)
{
        const char *equals = strchr(arg, '=');
        struct buf text = {0};
        char name[65] = "";

        if (!equals || (size_t)(equals - arg) >= sizeof(name)) {
                (void)fprintf(stderr, "put_secret: %s: NAME=TEXT is expected\n", arg);
                exit(2);
        }
        memcpy(name, arg, (size_t)(equals - arg));
        kit_secret(k, name, view_str(equals + 1), true, &text);
        put_file(k->half, "secrets", name, &text);
        buf_free(&text);
}

int main(int argc, char **argv)
{
        AUTO(half_free_p) struct half *h = NULL;
        AUTO(approval_done) struct approval a = {0};
        struct agent_config *config = NULL;
        struct err err = ERR_INIT;
        struct buf text = {0};
        struct kit kit;

        log_init("put_secret", LOG_LEVEL_ERROR);
        if (argc < 3 || agent_config_load(argv[1], &config, &err) < 0 ||
            half_new(config, NULL, &h, &err) < 0 || half_start(h, &err) < 0) {
                (void)fprintf(stderr, "put_secret: %s\n", argc < 3 ? "CONFIG NAME=TEXT..." : err.text);
                return 1;
        }
        kit_make(&kit, h);
        for (int i = 2; i < argc; i++)
                put(&kit, argv[i]);
        kit_approval(&kit, h->counters.floor.value + 1, true, false, &text);
        if (approval_decode(VIEW_BUF(&text), &a, &err) < 0)
                return 1;
        put_file(h, "approvals", a.id, &text);
        buf_free(&text);
        kit_done(&kit);
        return 0;
}
