/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The kernel's side of configfs-tsm, played by threads. What the agent wrote waits in a FIFO that is always
 * open here; whoever serves a file takes it first, so that writing and then reading is in order, as it is
 * with the kernel.
 */
#include "support/fake_tsm.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PROVIDER, GENERATION, FLOOR, OUT, AUX, MANIFEST };
static const char *const names[FAKE_TSM_FILES] = {"provider", "generation", "privlevel_floor",
                                                  "outblob",  "auxblob",    "manifestblob"};
static const char *const inputs[FAKE_TSM_INPUTS] = {"inblob", "privlevel", "service_provider", "service_guid",
                                                    "service_manifest_version"};

static void need(bool good, const char *what)
{
        if (good)
                return;
        (void)fprintf(stderr, "fake configfs-tsm: %s: %s\n", what, strerror(errno));
        abort();
}

static void entry_path(const struct fake_tsm *t, const char *name, char ret[256])
{
        need(snprintf(ret, 256, "%s/avow-agent%s%s", t->folder, *name ? "/" : "", name) < 256, name);
}

/* What was written since. */
static void take_inputs(struct fake_tsm *t)
{
        uint8_t bytes[128];
        ssize_t n = read(t->in[0], bytes, sizeof(bytes));

        if (n > 0) {
                memset(t->data, 0, sizeof(t->data));
                memcpy(t->data, bytes, n > 64 ? 64 : (size_t)n);
                t->generation++;
        }
        n = t->in[1] < 0 ? 0 : read(t->in[1], bytes, sizeof(bytes) - 1);
        if (n > 0) {
                t->level = bytes[0] - (unsigned)'0';
                t->generation++;
        }
        for (size_t i = 2; i < FAKE_TSM_INPUTS && t->in[i] >= 0; i++) {
                n = read(t->in[i], bytes, sizeof(bytes) - 1);
                if (n <= 0)
                        continue;
                buf_put(&t->service, bytes, (size_t)n);
                t->generation++;
        }
}

static void make(struct fake_tsm *t)
{
        buf_reset(&t->out);
        buf_reset(&t->aux);
        if (t->intruders) {
                t->intruders--;
                t->generation++;
                memset(t->data, 0xee, sizeof(t->data));
        }
        t->make(t->ctx, t->data, t->level, &t->out, &t->aux);
}

static void answer(struct fake_tsm *t, int which, struct buf *ret)
{
        take_inputs(t);
        if (which == PROVIDER)
                buf_fmt(ret, "%s\n", t->provider);
        else if (which == GENERATION)
                buf_fmt(ret, "%llu\n", (unsigned long long)t->generation);
        else if (which == FLOOR)
                buf_fmt(ret, "%u\n", t->floor);
        else if (which == OUT)
                make(t);
        else if (which == MANIFEST)
                buf_str(ret, t->manifest);
        if (which == OUT || which == AUX)
                buf_put_view(ret, which == OUT ? VIEW_BUF(&t->out) : VIEW_BUF(&t->aux));
        need(buf_ok(ret), "memory");
}

static void *serve(void *ctx)
{
        struct fake_tsm_file *f = ctx;
        struct fake_tsm *t = f->t;
        char fresh[260];

        (void)snprintf(fresh, sizeof(fresh), "%s.new", f->path);
        for (;;) {
                struct buf b = {0};
                bool ends;
                int fd = open(f->path, O_WRONLY | O_CLOEXEC); /* waits for a reader */

                need(fd >= 0 && mkfifo(fresh, 0600) == 0 && rename(fresh, f->path) == 0, f->path);
                (void)pthread_mutex_lock(&t->lock);
                ends = t->ends;
                if (!ends)
                        answer(t, f->which, &b);
                (void)pthread_mutex_unlock(&t->lock);
                for (size_t at = 0; at < b.len;) {
                        ssize_t n = write(fd, b.p + at, b.len - at);

                        if (n < 0) /* the reader went away */
                                break;
                        at += (size_t)n;
                }
                (void)close(fd);
                buf_free(&b);
                if (ends)
                        return NULL;
        }
}

static int open_input(const struct fake_tsm *t, const char *name)
{
        char path[256];
        int fd;

        entry_path(t, name, path);
        need(mkfifo(path, 0600) == 0, path);
        fd = open(path, O_RDWR | O_NONBLOCK | O_CLOEXEC);
        need(fd >= 0, path);
        return fd;
}

void fake_tsm_start(struct fake_tsm *t)
{
        char path[256];

        (void)signal(SIGPIPE, SIG_IGN); /* a reader may go away */
        need(pthread_mutex_init(&t->lock, NULL) == 0, "lock");
        entry_path(t, "", path);
        need(mkdir(path, 0700) == 0, path);
        t->in[0] = open_input(t, inputs[0]);
        t->in[1] = t->no_levels ? -1 : open_input(t, inputs[1]);
        for (size_t i = 2; i < FAKE_TSM_INPUTS; i++)
                t->in[i] = t->manifest ? open_input(t, inputs[i]) : -1;
        for (int i = 0; i < FAKE_TSM_FILES; i++) {
                struct fake_tsm_file *f = &t->file[t->n];

                if ((i == FLOOR && t->no_levels) || (i == MANIFEST && !t->manifest))
                        continue;
                f->t = t;
                f->which = i;
                entry_path(t, names[i], f->path);
                need(mkfifo(f->path, 0600) == 0, f->path);
                need(pthread_create(&f->thread, NULL, serve, f) == 0, "thread");
                t->n++;
        }
}

void fake_tsm_stop(struct fake_tsm *t)
{
        char path[256];

        (void)pthread_mutex_lock(&t->lock);
        t->ends = true;
        (void)pthread_mutex_unlock(&t->lock);
        for (size_t i = 0; i < t->n; i++) {
                int fd = open(t->file[i].path, O_RDONLY | O_CLOEXEC); /* wakes it */

                (void)pthread_join(t->file[i].thread, NULL);
                (void)close(fd);
                (void)unlink(t->file[i].path);
        }
        for (size_t i = 0; i < FAKE_TSM_INPUTS; i++)
                if (t->in[i] >= 0) {
                        (void)close(t->in[i]);
                        entry_path(t, inputs[i], path);
                        (void)unlink(path);
                }
        entry_path(t, "", path);
        (void)rmdir(path);
        buf_free(&t->service);
        buf_free(&t->out);
        buf_free(&t->aux);
}
