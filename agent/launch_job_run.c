/* SPDX-License-Identifier: Apache-2.0 */
/*
 * While it runs. The first look at its mappings comes when the module opens its first secret, which it cannot
 * before the loader has mapped everything; or a quarter of a second after the start. Until then the closure
 * is held still. A runtime that has mapped a file for execution that its manifest lacks is killed at that
 * look; what it loads later is reported at each interval, and judged by the verifier (dlopen and JIT output
 * are outside the claim, SR-22).
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/launch_job.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/hex.h"
#include "base/mem.h"
#include "base/str.h"

#define FIRST_LOOK_MS  250
#define READER_STEP_MS 2
#define READER_SLOW_MS 25
#define READER_FAST_MS 2000 /* after the start: a module that wants a secret mostly wants it at once */
#define FOREIGN_BYTES  (64u << 20)

static void stop(struct launch_job *j, const char *why)
{
        if (j->stopped[0] == '\0')
                (void)snprintf(j->stopped, sizeof(j->stopped), "%s", why);
        launch_signal(&j->process, SIGKILL);
}

/* ---- mappings */

static void put_line(struct strv *lines, const struct digest *d, const char *path, bool *ok)
{
        char hex[2 * DIGEST_BYTES_MAX + 1];

        (void)hex_write(hex, digest_view(d));
        *ok = *ok && strv_take(lines, str_fmt("%s  %s\n", hex, path)) >= 0;
}

static struct launch_file_held *file_of(const struct launch_job *j, const struct map_row *row)
{
        for (size_t i = 0; i < j->files.n; i++)
                if (j->files.files[i].executable && map_id_equal(&j->files.files[i].id, &row->id))
                        return &j->files.files[i];
        return NULL;
}

/* The digest of what is under that name now, which need not be what is mapped: the line says that it is not
 * of the closure, and helps to find it. All zeros: it cannot be read (it was removed, or is in memory). */
static void digest_foreign(struct view path, struct digest *ret)
{
        AUTO(mem_free_p) char *name = str_ndup((const char *)path.p, path.len);
        AUTO(buf_free) struct buf bytes = {0};
        struct err ignored = ERR_INIT;

        digest_zero(DIGEST_SHA256, ret);
        if (name && name[0] == '/' && file_read(name, FOREIGN_BYTES, &bytes, &ignored) >= 0 &&
            digest_bytes(DIGEST_SHA256, VIEW_BUF(&bytes), ret, &ignored) < 0)
                digest_zero(DIGEST_SHA256, ret);
}

/* Sorts, drops what is there twice, joins. */
static void join(struct strv *lines, struct buf *out)
{
        strv_sort(lines);
        for (size_t i = 0; i < lines->n; i++)
                if (i == 0 || !str_equal(lines->items[i], lines->items[i - 1]))
                        buf_str(out, lines->items[i]);
}

static int look(struct launch_job *j, struct buf *ret_lines, struct buf *ret_foreign, struct err *err)
{
        uid_t uid = geteuid() == 0 ? j->peer.uid : geteuid();
        AUTO(buf_free) struct buf text = {0};
        AUTO(strv_done) struct strv lines = {0};
        AUTO(strv_done) struct strv foreign = {0};
        struct view rest;
        struct map_row row;
        bool ok = true;
        int r = maps_read(j->process.pid, uid, j->h->gid, &text, err);

        rest = VIEW_BUF(&text);
        while (r >= 0 && (r = map_row_take(&rest, &row, err)) > 0) {
                struct launch_file_held *file;
                struct digest digest;
                AUTO(mem_free_p) char *path = NULL;

                if (!row.executable || row.id.ino == 0)
                        continue;
                file = file_of(j, &row);
                if (file) {
                        r = launch_file_again(file, err);
                        put_line(&lines, &file->sha256, file->path, &ok);
                        continue;
                }
                path = str_ndup((const char *)row.path.p, row.path.len);
                ok = ok && path;
                if (!ok)
                        break;
                digest_foreign(row.path, &digest);
                put_line(&foreign, &digest, path, &ok);
                put_line(&lines, &digest, path, &ok);
        }
        join(&lines, ret_lines);
        join(&foreign, ret_foreign);
        if (r >= 0 && (!ok || !buf_ok(ret_lines) || !buf_ok(ret_foreign)))
                return err_nomem(err);
        return r < 0 ? r : 0;
}

/* Looks and reports; the answer comes by the link. */
static int report_mappings(struct launch_job *j, struct err *err)
{
        AUTO(buf_free) struct buf lines = {0}, foreign = {0}, body = {0};
        int r = j->checked ? 0 : launch_files_still(&j->files, err);

        if (r >= 0)
                r = look(j, &lines, &foreign, err);
        if (r < 0)
                return r;
        if (lines.len > LAUNCH_LINK_LINES_MAX || foreign.len > LAUNCH_LINK_LINES_MAX)
                return err_set(err, ERR_LIMIT, 0, "the runtime has mapped more files than can be reported");
        launch_link_mapped_put(&body, &(struct launch_link_mapped){VIEW_BUF(&lines), VIEW_BUF(&foreign)});
        if (!buf_ok(&body))
                return err_nomem(err);
        j->waits = JOB_WAITS_MAPPED;
        j->mapped_mono_ms = clock_mono_ms();
        r = job_send(j, LAUNCH_LINK_MAPPED, VIEW_BUF(&body), err);
        if (r >= 0 && !j->checked && foreign.len)
                r = err_set(
                        err, ERR_PEER, 0,
                        "runtime %s has mapped a file for execution that its closure lacks: %.*s; it got no "
                        "secret",
                        j->launch.runtime,
                        (int)((const uint8_t *)memchr(foreign.p, '\n', foreign.len) - foreign.p),
                        (const char *)foreign.p);
        return r;
}

/* ---- secrets */

static bool secrets_left(const struct launch_job *j)
{
        for (size_t i = 0; i < j->launch.n_secrets; i++)
                if (j->reader[i] == -1)
                        return true;
        return false;
}

static void find_readers(struct launch_job *j)
{
        for (size_t i = 0; i < j->launch.n_secrets; i++)
                if (j->reader[i] == -1)
                        j->reader[i] = launch_folder_reader(&j->folder, j->launch.secrets[i]);
}

/* One question at a time. Return: 1 if one was asked. */
static int ask_secret(struct launch_job *j, struct err *err)
{
        for (size_t i = 0; i < j->launch.n_secrets; i++) {
                int r;

                if (j->reader[i] < 0)
                        continue;
                j->asked_secret = i;
                j->waits = JOB_WAITS_SECRET;
                r = job_send(j, LAUNCH_LINK_SECRET, view_str(j->launch.secrets[i]), err);
                return r < 0 ? r : 1;
        }
        return 0;
}

/* A pipe holds 64 KiB, which is more than a secret has. */
static int hand_over(struct launch_job *j, struct view body, struct err *err)
{
        size_t i = j->asked_secret;
        struct launch_link_opened m;
        int r = launch_link_opened_get(body, &m, err);

        if (r >= 0)
                r = fd_write(j->reader[i], "a secret's FIFO", m.secret, err);
        fd_close_p(&j->reader[i]);
        j->reader[i] = -2;
        launch_folder_served(&j->folder, j->launch.secrets[i]);
        return r;
}

/* ---- what comes */

static int on_frame(struct launch_job *j, const struct frame *f, struct err *err)
{
        if (f->type == LAUNCH_LINK_STOP) {
                AUTO(mem_free_p) char *why = str_ndup((const char *)f->body.p, f->body.len);

                stop(j, why && *why ? why : "stopped by the agent");
                return 0;
        }
        if (f->type == LAUNCH_LINK_REFUSED) /* an empty secret would be worse than none */
                return job_refusal(f->body, err);
        if (f->type == LAUNCH_LINK_RECORDED && j->waits == JOB_WAITS_MAPPED) {
                j->checked = true;
                launch_files_let_go(&j->files);
        } else if (f->type == LAUNCH_LINK_OPENED && j->waits == JOB_WAITS_SECRET) {
                int r = hand_over(j, f->body, err);

                if (r < 0)
                        return r;
        } else {
                return err_set(err, ERR_BUG, 0, "%s was not asked for", launch_link_name(f->type));
        }
        j->waits = JOB_WAITS_NOT;
        return 0;
}

static int on_link(struct launch_job *j, struct err *err)
{
        struct frame frame;
        int r = job_read(j, err);

        while (r >= 0 && (r = job_next(j, &frame, err)) > 0) {
                int used = r;

                r = on_frame(j, &frame, err);
                job_used(j, used);
        }
        return r;
}

/* Signals of the asker's; with him goes his module. */
static void on_client(struct launch_job *j)
{
        uint8_t packet[8];
        ssize_t n = recv(j->client, packet, sizeof(packet), MSG_DONTWAIT);

        if (n < 0 && (errno == EAGAIN || errno == EINTR))
                return;
        if (n == 2 && packet[0] == LAUNCH_WIRE_SIGNAL && launch_wire_signal(packet[1]))
                launch_signal(&j->process, packet[1]);
        else
                stop(j, n > 0 ? "the asker sent what is no signal" : "the asker is gone");
}

static int tick(struct launch_job *j, int64_t now_ms, struct err *err)
{
        bool reader = false;
        int r;

        if (j->waits != JOB_WAITS_NOT || j->stopped[0])
                return 0;
        find_readers(j);
        for (size_t i = 0; i < j->launch.n_secrets; i++)
                reader = reader || j->reader[i] >= 0;
        if (!j->checked)
                return reader || now_ms - j->started_mono_ms >= FIRST_LOOK_MS ? report_mappings(j, err) : 0;
        r = ask_secret(j, err);
        if (r != 0)
                return r < 0 ? r : 0;
        return now_ms - j->mapped_mono_ms >= j->h->config->interval_ms ? report_mappings(j, err) : 0;
}

static int wait_ms(const struct launch_job *j, int64_t now_ms)
{
        int64_t until = j->checked ? j->mapped_mono_ms + j->h->config->interval_ms
                                   : j->started_mono_ms + FIRST_LOOK_MS;
        int64_t step = now_ms - j->started_mono_ms < READER_FAST_MS ? READER_STEP_MS : READER_SLOW_MS;
        int64_t ms = until > now_ms ? until - now_ms : 0;

        if (j->waits != JOB_WAITS_NOT || j->stopped[0])
                return -1;
        return (int)(secrets_left(j) && step < ms ? step : ms);
}

int job_run(struct launch_job *j)
{
        for (;;) {
                struct pollfd fds[] = {{.fd = j->process.pidfd, .events = POLLIN},
                                       {.fd = j->stopped[0] ? -1 : j->link, .events = POLLIN},
                                       {.fd = j->stopped[0] ? -1 : j->client, .events = POLLIN}};
                struct err err = ERR_INIT;
                int r = 0;

                if (poll(fds, ARRAY_LEN(fds), wait_ms(j, clock_mono_ms())) < 0 && errno != EINTR)
                        stop(j, "poll failed");
                if (fds[0].revents)
                        return launch_process_kill(&j->process);
                if (fds[1].revents)
                        r = on_link(j, &err);
                if (r >= 0 && fds[2].revents)
                        on_client(j);
                if (r >= 0)
                        r = tick(j, clock_mono_ms(), &err);
                if (r < 0) {
                        j->rejected = !j->checked;
                        stop(j, err.text);
                }
        }
}
