/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The launcher with a TPM half that this test plays: real processes, real leases, real FIFOs. The runtime is
 * cat(1), which "runs" a module by printing it, and a secret by opening it.
 */
#include "support/support.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/launch_link.h"
#include "agent/launch_wire.h"
#include "agent/launcher.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/hex.h"
#include "base/str.h"
#include "evidence/launch.h"

#define SECRET   "hunter2"
#define HOST     "web-1"
#define WAIT_MS  20000
#define MODULE   "\0asm\1\0\0\0"
#define MODULE_N 8

static char dir[64];

/* One launcher, and us as its TPM half. */
struct lab {
        pid_t pid;
        int link;
        struct buf in;
        struct frame frame; /* the last that came; points into IN until the next */
        int used;
};

struct asker {
        int conn, out; /* what the module prints comes out of OUT */
        uint8_t packet[4096];
        size_t n;
};

static char *in_dir(const char *name)
{
        char *path = str_fmt("%s/%s", dir, name);

        assert_non_null(path);
        return path;
}

static void write_file(const char *name, const void *p, size_t n, mode_t mode)
{
        AUTO(mem_free_p) char *path = in_dir(name);
        struct err err = ERR_INIT;

        assert_ok(file_write(path, VIEW(p, n), mode, &err), &err);
}

static void copy_cat(const char *name)
{
        AUTO(buf_free) struct buf bytes = {0};
        struct err err = ERR_INIT;

        assert_ok(file_read("/bin/cat", 1 << 24, &bytes, &err), &err);
        write_file(name, bytes.p, bytes.len, 0755);
}

static void lab_start(struct lab *lab)
{
        AUTO(mem_free_p)
        char *text = str_fmt(
                "state: {dir: %s/state}\nrun: {dir: %s/run}\ninterval: 500ms\n"
                "runtimes:\n- {name: cat, path: %s/cat}\n- {name: other, path: %s/cat, files: [%s/note]}\n"
                "launch:\n  enabled: true\n  start_timeout: 20s\n  runtimes:\n"
                "  - {name: cat, argv: ['{module}', '{args}', '{secrets}/key'], env: [A=b]}\n"
                "  - {name: other, argv: ['{file:%s/note}', '{module}', '{args}'], module: name}\n",
                dir, dir, dir, dir, dir, dir);
        struct launch_link_ready ready = {.host = view_str(HOST), .pcr = 13};
        AUTO(buf_free) struct buf body = {0}, out = {0};
        AUTO(mem_free_p) char *config = in_dir("agent.yaml");
        struct err err = ERR_INIT;
        int fds[2];

        assert_non_null(text);
        write_file("agent.yaml", text, strlen(text), 0644);
        write_file("note", "note\n", 5, 0644);
        copy_cat("cat");
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
        lab->pid = fork();
        if (lab->pid == 0) {
                (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
                (void)close(fds[0]);
                _exit(launcher_main(config, fds[1], &err) < 0);
        }
        (void)close(fds[1]);
        lab->link = fds[0];
        launch_link_ready_put(&body, &ready);
        launch_link_put(&out, LAUNCH_LINK_READY, 0, VIEW_BUF(&body));
        assert_ok(fd_write(lab->link, "link", VIEW_BUF(&out), &err), &err);
}

/* The next frame of the launcher's. Return: false at its end, or if none comes. */
static bool next(struct lab *lab)
{
        struct err err = ERR_INIT;

        if (lab->used)
                memmove(lab->in.p, lab->in.p + lab->used, lab->in.len - (size_t)lab->used);
        lab->in.len -= (size_t)lab->used;
        for (;;) {
                struct pollfd fd = {.fd = lab->link, .events = POLLIN};
                uint8_t bytes[4096];
                ssize_t n;

                lab->used = launch_link_take(VIEW_BUF(&lab->in), &lab->frame, &err);
                assert_true(lab->used >= 0);
                if (lab->used > 0)
                        return true;
                if (poll(&fd, 1, WAIT_MS) != 1)
                        return false;
                n = read(lab->link, bytes, sizeof(bytes));
                if (n <= 0)
                        return false;
                buf_put(&lab->in, bytes, (size_t)n);
        }
}

static void expect(struct lab *lab, enum launch_link_type type)
{
        assert_true(next(lab));
        assert_string_equal(launch_link_name(lab->frame.type), launch_link_name((uint8_t)type));
}

static void answer(const struct lab *lab, enum launch_link_type type, const struct buf *body)
{
        AUTO(buf_free) struct buf out = {0};
        struct err err = ERR_INIT;

        launch_link_put(&out, type, lab->frame.id, body ? VIEW_BUF(body) : VIEW_NONE);
        assert_ok(fd_write(lab->link, "link", VIEW_BUF(&out), &err), &err);
}

static void grant(struct lab *lab)
{
        AUTO(buf_free) struct buf body = {0};

        launch_link_granted_put(&body,
                                &(struct launch_link_granted){.permit = view_str("p"), .lifetime_ms = 10000});
        answer(lab, LAUNCH_LINK_GRANTED, &body);
}

static void open_secret(struct lab *lab)
{
        AUTO(buf_free) struct buf body = {0};

        launch_link_opened_put(&body, &(struct launch_link_opened){.secret = view_str(SECRET)});
        answer(lab, LAUNCH_LINK_OPENED, &body);
}

static void refuse(struct lab *lab, const char *text)
{
        AUTO(buf_free) struct buf body = {0};

        launch_link_refused_put(&body, &(struct launch_link_refused){.text = view_str(text),
                                                                     .next = view_str("avow module allow")});
        answer(lab, LAUNCH_LINK_REFUSED, &body);
}

static int end_status(struct lab *lab)
{
        struct launch_link_ended m;
        struct err err = ERR_INIT;

        expect(lab, LAUNCH_LINK_ENDED);
        assert_ok(launch_link_ended_get(lab->frame.body, &m, &err), &err);
        answer(lab, LAUNCH_LINK_ENDED, NULL);
        return m.status;
}

static void lab_stop(struct lab *lab)
{
        int status;

        (void)close(lab->link);
        assert_int_equal(waitpid(lab->pid, &status, 0), lab->pid);
        assert_true(WIFEXITED(status));
        assert_int_equal(WEXITSTATUS(status), 0);
        buf_free(&lab->in);
}

/* ---- who asks */

static int module_fd(const void *p, size_t n)
{
        AUTO(mem_free_p) char *path = in_dir("module.wasm");

        write_file("module.wasm", p, n, 0644);
        return open(path, O_RDWR | O_CLOEXEC);
}

static void ask_with(struct asker *a, const struct launch_ask *ask, int module)
{
        AUTO(mem_free_p) char *path = in_dir("run/launch.sock");
        struct sockaddr_un sa = {.sun_family = AF_UNIX};
        AUTO(buf_free) struct buf packet = {0};
        union {
                char bytes[CMSG_SPACE(sizeof(int) * LAUNCH_N_FDS)];
                struct cmsghdr align;
        } control = {{0}};
        int out[2], fds[LAUNCH_N_FDS] = {module, open("/dev/null", O_RDONLY | O_CLOEXEC), -1, 2};
        struct iovec iov;
        struct msghdr m = {.msg_iov = &iov,
                           .msg_iovlen = 1,
                           .msg_control = control.bytes,
                           .msg_controllen = sizeof(control.bytes)};
        struct cmsghdr *c = CMSG_FIRSTHDR(&m);
        int64_t until = clock_mono_ms() + WAIT_MS;

        memcpy(sa.sun_path, path, strlen(path) + 1);
        a->conn = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
        while (connect(a->conn, (const struct sockaddr *)&sa, sizeof(sa)) < 0) {
                assert_true(clock_mono_ms() < until);
                (void)usleep(2000);
        }
        assert_int_equal(pipe2(out, O_CLOEXEC), 0);
        fds[LAUNCH_FD_STDOUT] = out[1];
        a->out = out[0];
        buf_u8(&packet, LAUNCH_WIRE_ASK);
        launch_ask_put(&packet, ask);
        iov = (struct iovec){packet.p, packet.len};
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(sizeof(fds));
        memcpy(CMSG_DATA(c), fds, sizeof(fds));
        assert_int_equal(sendmsg(a->conn, &m, 0), packet.len);
        (void)close(fds[LAUNCH_FD_STDIN]);
        (void)close(out[1]);
}

static void ask(struct asker *a, const char *runtime, const char *secret)
{
        struct launch_ask m = {.runtime = view_str(runtime), .n_secrets = secret ? 1 : 0};
        int module = module_fd(MODULE, MODULE_N);

        if (secret)
                m.secrets[0] = view_str(secret);
        ask_with(a, &m, module);
        (void)close(module);
}

static void expect_packet(struct asker *a, enum launch_wire_type type)
{
        struct pollfd fd = {.fd = a->conn, .events = POLLIN};
        ssize_t n;

        assert_int_equal(poll(&fd, 1, WAIT_MS), 1);
        n = recv(a->conn, a->packet, sizeof(a->packet) - 1, 0);
        assert_true(n > 0);
        a->n = (size_t)n;
        a->packet[n] = '\0';
        if (a->packet[0] != type)
                print_message("packet %u: %s\n", a->packet[0], (const char *)a->packet + 1);
        assert_int_equal(a->packet[0], type);
}

static void expect_refusal(struct asker *a, const char *part)
{
        expect_packet(a, LAUNCH_WIRE_REFUSED);
        if (!strstr((const char *)a->packet + 1, part))
                fail_msg("'%s' is not in '%s'", part, (const char *)a->packet + 1);
}

static void asker_done(struct asker *a)
{
        (void)close(a->conn);
        (void)close(a->out);
}

static size_t read_out(const struct asker *a, char *ret, size_t size)
{
        size_t n = 0;
        ssize_t r;

        while ((r = read(a->out, ret + n, size - n)) > 0)
                n += (size_t)r;
        return n;
}

/* ---- tests */

static void a_module_runs_with_its_secret(void **state)
{
        static const char printed[] = MODULE SECRET;
        struct lab lab = {0};
        struct asker a;
        struct launch_link_begin begin;
        struct launch_link_mapped mapped;
        struct launch_ended ended;
        struct err err = ERR_INIT;
        char text[64];

        (void)state;
        lab_start(&lab);
        ask(&a, "cat", "key");
        expect(&lab, LAUNCH_LINK_BEGIN);
        assert_ok(launch_link_begin_get(lab.frame.body, &begin, &err), &err);
        grant(&lab);
        expect(&lab, LAUNCH_LINK_RECORD);
        answer(&lab, LAUNCH_LINK_RECORDED, NULL);
        expect(&lab, LAUNCH_LINK_MAPPED);
        assert_ok(launch_link_mapped_get(lab.frame.body, &mapped, &err), &err);
        assert_int_equal(mapped.foreign.len, 0);
        assert_non_null(memmem(mapped.lines.p, mapped.lines.len, "/cat\n", 5));
        assert_non_null(memmem(mapped.lines.p, mapped.lines.len, "libc.so.6\n", 10));
        answer(&lab, LAUNCH_LINK_RECORDED, NULL);
        expect(&lab, LAUNCH_LINK_SECRET);
        assert_true(view_equal(lab.frame.body, view_str("key")));
        open_secret(&lab);
        assert_int_equal(end_status(&lab), 0);
        expect_packet(&a, LAUNCH_WIRE_ENDED);
        assert_ok(launch_ended_get(VIEW(a.packet + 1, a.n - 1), &ended, &err), &err);
        assert_int_equal(ended.status, 0);
        assert_int_equal(read_out(&a, text, sizeof(text)), MODULE_N + strlen(SECRET));
        assert_memory_equal(text, printed, MODULE_N + strlen(SECRET));
        asker_done(&a);
        lab_stop(&lab);
}

/* The verifier says no: the asker hears why, and what to do. */
static void a_refusal_is_explained(void **state)
{
        struct lab lab = {0};
        struct asker a;

        (void)state;
        lab_start(&lab);
        ask(&a, "cat", NULL);
        expect(&lab, LAUNCH_LINK_BEGIN);
        refuse(&lab, "the module is not allowed");
        expect_refusal(&a, "not allowed; next: avow module allow");
        asker_done(&a);
        ask(&a, "nothing", NULL);
        expect_refusal(&a, "no runtime 'nothing'");
        asker_done(&a);
        ask(&a, "", NULL);
        expect_refusal(&a, "say which with --runtime");
        asker_done(&a);
        ask(&a, "other", "key");
        expect_refusal(&a, "gives its modules no secrets");
        asker_done(&a);
        lab_stop(&lab);
}

/* What is no module, no file, no ask, is told so; and the launcher lives on. */
static void nonsense_is_refused(void **state)
{
        struct launch_ask m = {.runtime = view_str("cat")};
        struct lab lab = {0};
        struct asker a;
        int fds[2], module;

        (void)state;
        lab_start(&lab);
        module = module_fd("\0bsm\1\0\0\0", MODULE_N);
        ask_with(&a, &m, module);
        expect_refusal(&a, "the module");
        asker_done(&a);
        (void)close(module);
        assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
        ask_with(&a, &m, fds[0]);
        expect_refusal(&a, "no regular file");
        asker_done(&a);
        (void)close(fds[0]);
        (void)close(fds[1]);
        lab_stop(&lab);
}

/* A writer that has the module open, and changes it while the verifier is asked, changes nothing: what was
 * digested is what runs. */
static void a_module_swapped_during_the_launch(void **state)
{
        struct launch_ask m = {.runtime = view_str("cat")};
        struct launch_link_begin begin;
        struct lab lab = {0};
        struct digest digest;
        struct err err = ERR_INIT;
        struct asker a;
        char text[64], hex[65];
        int module;

        (void)state;
        lab_start(&lab);
        module = module_fd(MODULE, MODULE_N);
        ask_with(&a, &m, module);
        expect(&lab, LAUNCH_LINK_BEGIN);
        assert_int_equal(pwrite(module, "XXXXXXXXXXXXXXXX", 16, 0), 16);
        assert_ok(launch_link_begin_get(lab.frame.body, &begin, &err), &err);
        assert_ok(digest_bytes(DIGEST_SHA256, VIEW(MODULE, MODULE_N), &digest, &err), &err);
        (void)hex_write(hex, digest_view(&digest));
        assert_non_null(memmem(begin.launch.p, begin.launch.len, hex, 64));
        grant(&lab);
        expect(&lab, LAUNCH_LINK_RECORD);
        answer(&lab, LAUNCH_LINK_RECORDED, NULL);
        (void)end_status(&lab); /* cat finds no secrets/key, and says so */
        assert_int_equal(read_out(&a, text, sizeof(text)), MODULE_N);
        assert_memory_equal(text, MODULE, MODULE_N);
        asker_done(&a);
        (void)close(module);
        lab_stop(&lab);
}

static bool lease_is_breaking(void)
{
        AUTO(buf_free) struct buf locks = {0};
        struct err err = ERR_INIT;

        assert_ok(file_read("/proc/locks", 1 << 20, &locks, &err), &err);
        return locks.len && memmem(locks.p, locks.len, "BREAKING", 8);
}

/* A runtime that somebody has open for writing is not started; one that is opened while the verifier is asked
 * is not, either; nor one that maps a library that its closure lacks. */
static void a_swapped_runtime_does_not_start(void **state)
{
        AUTO(mem_free_p) char *cat = in_dir("cat");
        struct lab lab = {0};
        struct asker a;
        pid_t writer;
        int fd;

        (void)state;
        lab_start(&lab);
        fd = open(cat, O_WRONLY | O_CLOEXEC);
        assert_true(fd >= 0);
        ask(&a, "cat", NULL);
        expect_refusal(&a, "open for writing");
        asker_done(&a);
        (void)close(fd);

        ask(&a, "cat", NULL);
        expect(&lab, LAUNCH_LINK_BEGIN);
        writer = fork();
        if (writer == 0) /* waits until the lease is given back */
                _exit(open(cat, O_WRONLY | O_CLOEXEC) < 0);
        while (waitpid(writer, NULL, WNOHANG) == 0 && !lease_is_breaking())
                (void)usleep(2000);
        grant(&lab);
        expect_refusal(&a, "opened for writing while it was started");
        expect(&lab, LAUNCH_LINK_CANCEL);
        assert_int_equal(waitpid(writer, NULL, 0), writer);
        asker_done(&a);
        lab_stop(&lab);
}

/* The order to stop, the asker's end, the agent's end: the module does not outlive them. */
static void what_ends_a_module(void **state)
{
        struct lab lab = {0};
        struct asker a;
        struct launch_ended ended;
        struct err err = ERR_INIT;
        AUTO(buf_free) struct buf out = {0};

        (void)state;
        lab_start(&lab);
        for (int i = 0; i < 3; i++) { /* each waits at its FIFO */
                ask(&a, "cat", "key");
                expect(&lab, LAUNCH_LINK_BEGIN);
                grant(&lab);
                expect(&lab, LAUNCH_LINK_RECORD);
                answer(&lab, LAUNCH_LINK_RECORDED, NULL);
                expect(&lab, LAUNCH_LINK_MAPPED);
                answer(&lab, LAUNCH_LINK_RECORDED, NULL);
                expect(&lab, LAUNCH_LINK_SECRET);
                if (i == 0) {
                        buf_str(&out, "revoked");
                        answer(&lab, LAUNCH_LINK_STOP, &out);
                        assert_int_equal(end_status(&lab), SIGKILL);
                        expect_packet(&a, LAUNCH_WIRE_ENDED);
                        assert_ok(launch_ended_get(VIEW(a.packet + 1, a.n - 1), &ended, &err), &err);
                        assert_true(ended.by_signal && ended.status == SIGKILL);
                        assert_view(ended.text, "revoked");
                } else if (i == 1) {
                        uint8_t signal_packet[] = {LAUNCH_WIRE_SIGNAL, SIGTERM};

                        assert_int_equal(send(a.conn, signal_packet, 2, 0), 2);
                        assert_int_equal(end_status(&lab), SIGTERM);
                } else {
                        (void)close(a.conn);
                        a.conn = -1;
                        assert_int_equal(end_status(&lab), SIGKILL);
                }
                asker_done(&a);
        }
        lab_stop(&lab);
}

/* A secret that is refused ends the module: an empty file would be an empty password. */
static void a_secret_that_does_not_come(void **state)
{
        struct lab lab = {0};
        struct asker a;

        (void)state;
        lab_start(&lab);
        ask(&a, "cat", "key");
        expect(&lab, LAUNCH_LINK_BEGIN);
        grant(&lab);
        expect(&lab, LAUNCH_LINK_RECORD);
        answer(&lab, LAUNCH_LINK_RECORDED, NULL);
        expect(&lab, LAUNCH_LINK_MAPPED);
        answer(&lab, LAUNCH_LINK_RECORDED, NULL);
        expect(&lab, LAUNCH_LINK_SECRET);
        refuse(&lab, "not released");
        assert_int_equal(end_status(&lab), SIGKILL);
        expect_packet(&a, LAUNCH_WIRE_ENDED);
        assert_non_null(memmem(a.packet, a.n, "not released", 12));
        asker_done(&a);
        lab_stop(&lab);
}

/* The other runtime: a private copy, a name that ends in .wasm, arguments, a receipt's digest; and with the
 * agent gone in the middle nothing is left. */
static void copies_names_and_receipts(void **state)
{
        static const char printed[] = "note\n" MODULE;
        struct launch_ask m = {.runtime = view_str("other"), .receipt = true};
        AUTO(mem_free_p) char *launches = in_dir("run/launch");
        AUTO(buf_free) struct buf receipt = {0};
        struct strv left = {0};
        struct lab lab = {0};
        struct launch_link_ended ended;
        struct digest digest;
        struct err err = ERR_INIT;
        struct asker a;
        char text[64];
        int module = module_fd(MODULE, MODULE_N);

        (void)state;
        lab_start(&lab);
        ask_with(&a, &m, module);
        expect(&lab, LAUNCH_LINK_BEGIN);
        grant(&lab);
        expect(&lab, LAUNCH_LINK_RECORD);
        answer(&lab, LAUNCH_LINK_RECORDED, NULL);
        expect(&lab, LAUNCH_LINK_ENDED);
        assert_ok(launch_link_ended_get(lab.frame.body, &ended, &err), &err);
        assert_int_equal(ended.status, 0);
        assert_true(ended.receipt && ended.has_output);
        assert_ok(digest_bytes(DIGEST_SHA256, VIEW(printed, sizeof(printed) - 1), &digest, &err), &err);
        assert_memory_equal(ended.output, digest.b, 32);
        buf_str(&receipt, "the receipt");
        answer(&lab, LAUNCH_LINK_ENDED, &receipt);
        expect_packet(&a, LAUNCH_WIRE_RECEIPT);
        assert_string_equal((const char *)a.packet + 1, "the receipt");
        expect_packet(&a, LAUNCH_WIRE_ENDED);
        assert_int_equal(read_out(&a, text, sizeof(text)), sizeof(printed) - 1);
        assert_memory_equal(text, printed, sizeof(printed) - 1);
        asker_done(&a);
        (void)close(module);

        ask(&a, "cat", "key");
        expect(&lab, LAUNCH_LINK_BEGIN);
        grant(&lab);
        expect(&lab, LAUNCH_LINK_RECORD);
        answer(&lab, LAUNCH_LINK_RECORDED, NULL);
        expect(&lab, LAUNCH_LINK_MAPPED);
        lab_stop(&lab);
        assert_int_equal(read_out(&a, text, sizeof(text)), MODULE_N); /* the end of its output: it is dead */
        asker_done(&a);
        memset(&lab, 0, sizeof(lab));
        lab_start(&lab);
        ask(&a, "nothing", NULL);
        expect_refusal(&a, "no runtime");
        asker_done(&a);
        assert_ok(file_list(launches, "", &left, &err), &err);
        assert_int_equal(left.n, 0);
        lab_stop(&lab);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(a_module_runs_with_its_secret),
                cmocka_unit_test(a_refusal_is_explained),
                cmocka_unit_test(nonsense_is_refused),
                cmocka_unit_test(a_module_swapped_during_the_launch),
                cmocka_unit_test(a_swapped_runtime_does_not_start),
                cmocka_unit_test(what_ends_a_module),
                cmocka_unit_test(a_secret_that_does_not_come),
                cmocka_unit_test(copies_names_and_receipts),
        };

        (void)snprintf(dir, sizeof(dir), "/tmp/avow.XXXXXX");
        if (!mkdtemp(dir))
                return 1;
        (void)chmod(dir, 0755);
        return cmocka_run_group_tests(tests, NULL, NULL);
}
