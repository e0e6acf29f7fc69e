/* SPDX-License-Identifier: Apache-2.0 */
/* Local hooks, one after the other. A program that somebody else could have put there is not run. */
#include "agent/local_hooks.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/program.h"
#include "base/str.h"

#define LOOK_AGAIN_MS 1000

struct local_hooks {
        char *dir;
        int64_t timeout_ms;
        struct buf event;
        struct strv names;
        size_t next; /* of names */
        pid_t pid;   /* 0: none runs */
        int64_t deadline_ms;
        bool late;
};

int local_hooks_new(const char *dir, int64_t timeout_ms, struct local_hooks **ret, struct err *err)
{
        AUTO(local_hooks_free_p) struct local_hooks *h = mem_zalloc(1, sizeof(*h));

        if (!h || !(h->dir = str_dup(dir)))
                return err_nomem(err);
        h->timeout_ms = timeout_ms;
        *ret = TAKE(h);
        return 0;
}

void local_hooks_configure(struct local_hooks *h, int64_t timeout_ms)
{
        h->timeout_ms = timeout_ms;
}

static void give_up(struct local_hooks *h)
{
        if (h->pid)
                program_kill(h->pid);
        h->pid = 0;
        strv_done(&h->names);
        h->names = (struct strv){0};
        h->next = 0;
        buf_reset(&h->event);
}

void local_hooks_free(struct local_hooks *h)
{
        if (!h)
                return;
        give_up(h);
        buf_free(&h->event);
        free(h->dir);
        free(h);
}

int local_hooks_start(struct local_hooks *h, struct view event, struct err *err)
{
        struct err why = ERR_INIT;

        give_up(h);
        if (program_check_folder(h->dir, PROGRAM_ROOTS_OR_OURS, &why) < 0) {
                if (why.code != ENOENT)
                        log_err(&why, "local hooks");
                return 0;
        }
        buf_put_view(&h->event, event);
        if (!buf_ok(&h->event))
                return err_nomem(err);
        return file_list(h->dir, "", &h->names, err);
}

static int run_one(struct local_hooks *h, const char *name, int64_t mono_ms, struct err *err)
{
        AUTO(mem_free_p) char *path = str_fmt("%s/%s", h->dir, name);
        pid_t pid;
        int r;

        if (!path)
                return err_nomem(err);
        r = program_check(path, PROGRAM_ROOTS_OR_OURS, err);
        if (r >= 0)
                r = program_start(path, VIEW_BUF(&h->event), &pid, err);
        if (r < 0)
                return r;
        h->pid = pid;
        h->late = false;
        h->deadline_ms = mono_ms + h->timeout_ms;
        return 0;
}

/* The running program ended. */
static void took(struct local_hooks *h, int status)
{
        const char *name = h->names.items[h->next - 1];

        if (h->late)
                log_warning("local hook %s: killed at its time limit", SHOW(name));
        else if (WIFSIGNALED(status))
                log_warning("local hook %s: ended by signal %d", SHOW(name), WTERMSIG(status));
        else if (WEXITSTATUS(status))
                log_warning("local hook %s: exit status %d", SHOW(name), WEXITSTATUS(status));
        else
                log_info("local hook %s: done", SHOW(name));
        (void)kill(-h->pid, SIGKILL); /* what it left behind */
        h->pid = 0;
}

int64_t local_hooks_turn(struct local_hooks *h, int64_t mono_ms)
{
        int status = 0;

        if (h->pid && mono_ms >= h->deadline_ms && !h->late) {
                h->late = true;
                (void)kill(-h->pid, SIGKILL);
        }
        if (h->pid && waitpid(h->pid, &status, WNOHANG) == h->pid)
                took(h, status);
        while (!h->pid && h->next < h->names.n) {
                struct err err = ERR_INIT;
                const char *name = h->names.items[h->next++];

                if (run_one(h, name, mono_ms, &err) < 0)
                        log_err(&err, "local hook %s", SHOW(name));
        }
        if (!h->pid)
                return -1;
        return h->late || h->deadline_ms - mono_ms > LOOK_AGAIN_MS ? LOOK_AGAIN_MS : h->deadline_ms - mono_ms;
}

bool local_hooks_busy(const struct local_hooks *h)
{
        return h->pid || h->next < h->names.n;
}
