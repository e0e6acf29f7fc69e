/* SPDX-License-Identifier: Apache-2.0 */
/*
 * avow-run: asks the agent of this host to run a module. It has no rights and is believed nothing: it opens
 * the module and hands the descriptor over with its own standard input, output and error; the agent's
 * launcher does the rest (SR-21). Signals go on to the module, its exit status comes back. Spec: avow-run(1).
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "agent/launch_wire.h"
#include "base/file.h"
#include "base/hex.h"
#include "base/mem.h"
#include "base/str.h"
#include "config.h"

#define EXIT_REFUSED 126
#define EXIT_USAGE   2

struct run {
        struct launch_ask ask;
        const char *socket, *module, *input, *receipt, *signature, *envelope;
        struct buf nonce, signature_bytes, envelope_bytes;
        int fds[LAUNCH_N_FDS];
        int conn, signals;
        bool stopped; /* by SIGTSTP, until SIGCONT */
        bool got_receipt;
};

static const char usage[] =
        "usage: avow-run [OPTION...] MODULE [-- ARGUMENT...]\n"
        "Runs a WebAssembly module as the agent of this host and its verifier allow it.\n\n"
        "  -r, --runtime NAME    one of launch.runtimes in agent.yaml; may be left out if there is one\n"
        "  -s, --secret NAME     gives the module this secret, as the file /secrets/NAME; may be repeated\n"
        "  -i, --input FILE      the module's standard input: copied and digested first\n"
        "      --receipt FILE    writes the receipt of the execution there\n"
        "      --nonce HEX       1 to 64 bytes of the client's that stand in permit and receipt\n"
        "      --signature FILE  a detached signature of the module (raw Ed25519 or DER ECDSA)\n"
        "      --envelope FILE   or a DSSE envelope\n"
        "  -e, --explain         says what would happen, and runs nothing\n"
        "      --socket FILE     where the launcher is (default " AVOW_RUNDIR "/launch.sock)\n"
        "      --version         print the version\n"
        "  -h, --help            print this\n\n"
        "The exit status is the module's; 126 if it was not launched, and why is on standard error.\n";

static int complain(const char *what, const char *why)
{
        (void)fprintf(stderr, "avow-run: %s%s%s\n", what, why ? ": " : "", why ? why : "");
        return EXIT_USAGE;
}

/* What is to be printed comes from the agent, and in it may be names of the asker's or a stranger's. */
static void print_text(FILE *to, struct view text)
{
        for (size_t i = 0; i < text.len; i++) {
                uint8_t ch = text.p[i];

                if ((ch < 0x20 && ch != '\n') || ch == 0x7f)
                        (void)fprintf(to, "\\x%02x", ch);
                else
                        (void)fputc(ch, to);
        }
}

/* ---- what is asked */

static int read_signed(const char *path, struct buf *ret, struct view *ret_view)
{
        struct err err = ERR_INIT;

        if (path && file_read(path, LAUNCH_WIRE_SIGNED_MAX, ret, &err) < 0)
                return complain(err.text, NULL);
        *ret_view = VIEW_BUF(ret);
        return 0;
}

static int open_files(struct run *run)
{
        const char *input = run->input;

        run->fds[LAUNCH_FD_MODULE] = open(run->module, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
        if (run->fds[LAUNCH_FD_MODULE] < 0)
                return complain(run->module, strerror(errno));
        run->fds[LAUNCH_FD_STDIN] = input ? open(input, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY) : 0;
        if (run->fds[LAUNCH_FD_STDIN] < 0)
                return complain(input, strerror(errno));
        run->fds[LAUNCH_FD_STDOUT] = 1;
        run->fds[LAUNCH_FD_STDERR] = 2;
        run->ask.input = input != NULL;
        run->ask.receipt = run->receipt != NULL;
        if (read_signed(run->signature, &run->signature_bytes, &run->ask.signature))
                return EXIT_USAGE;
        return read_signed(run->envelope, &run->envelope_bytes, &run->ask.envelope);
}

static void take_limits(struct launch_ask *ask)
{
        for (uint8_t i = 0; i < RLIM_NLIMITS && i < LAUNCH_WIRE_LIMITS_MAX; i++) {
                struct rlimit l;

                if (getrlimit(i, &l) == 0)
                        ask->limits[ask->n_limits++] =
                                (struct launch_limit){i, (uint64_t)l.rlim_cur, (uint64_t)l.rlim_max};
        }
}

static int add(struct view *list, size_t *n, size_t max, const char *text, const char *what)
{
        if (*n == max)
                return complain("too many", what);
        list[(*n)++] = view_str(text);
        return 0;
}

static int parse_nonce(struct run *run, const char *hex)
{
        struct err err = ERR_INIT;

        buf_reset(&run->nonce);
        if (hex_decode(view_str(hex), LAUNCH_WIRE_NONCE_MAX, &run->nonce, &err) < 0 || run->nonce.len == 0)
                return complain("--nonce", "1 to 64 bytes in lower-case hex are expected");
        run->ask.nonce = VIEW_BUF(&run->nonce);
        return 0;
}

enum { OPT_RECEIPT = 256, OPT_NONCE, OPT_SIGNATURE, OPT_ENVELOPE, OPT_SOCKET, OPT_VERSION };
static const struct option options[] = {
        {"runtime", required_argument, NULL, 'r'},
        {"secret", required_argument, NULL, 's'},
        {"input", required_argument, NULL, 'i'},
        {"receipt", required_argument, NULL, OPT_RECEIPT},
        {"nonce", required_argument, NULL, OPT_NONCE},
        {"signature", required_argument, NULL, OPT_SIGNATURE},
        {"envelope", required_argument, NULL, OPT_ENVELOPE},
        {"explain", no_argument, NULL, 'e'},
        {"socket", required_argument, NULL, OPT_SOCKET},
        {"version", no_argument, NULL, OPT_VERSION},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
};

/* One option. Return: 0; or the status to exit with, plus one. */
static int take_option(struct run *run, int c)
{
        switch (c) {
        case 'r':
                run->ask.runtime = view_str(optarg);
                return 0;
        case 's':
                return add(run->ask.secrets, &run->ask.n_secrets, LAUNCH_WIRE_SECRETS_MAX, optarg, "secrets")
                               ? EXIT_USAGE + 1
                               : 0;
        case 'i':
                run->input = optarg;
                return 0;
        case OPT_RECEIPT:
                run->receipt = optarg;
                return 0;
        case OPT_NONCE:
                return parse_nonce(run, optarg) ? EXIT_USAGE + 1 : 0;
        case OPT_SIGNATURE:
                run->signature = optarg;
                return 0;
        case OPT_ENVELOPE:
                run->envelope = optarg;
                return 0;
        case 'e':
                run->ask.explain = true;
                return 0;
        case OPT_SOCKET:
                run->socket = optarg;
                return 0;
        case OPT_VERSION:
                (void)puts("avow-run " PACKAGE_VERSION);
                return 1;
        default:
                (void)fputs(usage, c == 'h' ? stdout : stderr);
                return (c == 'h' ? 0 : EXIT_USAGE) + 1;
        }
}

static int take_arguments(struct run *run, int argc, char **argv)
{
        int i = optind;

        if (i == argc)
                return complain("a module is expected; --help says more", NULL);
        run->module = argv[i++];
        if (i < argc && !str_equal(argv[i], "--"))
                return complain(argv[i], "the module's arguments stand behind --");
        for (i++; i < argc; i++)
                if (add(run->ask.args, &run->ask.n_args, LAUNCH_WIRE_ARGS_MAX, argv[i], "arguments"))
                        return EXIT_USAGE;
        return 0;
}

/* ---- asking */

static int dial(struct run *run)
{
        struct sockaddr_un sa = {.sun_family = AF_UNIX};

        if (strlen(run->socket) >= sizeof(sa.sun_path))
                return complain(run->socket, "too long for a socket's path");
        memcpy(sa.sun_path, run->socket, strlen(run->socket) + 1);
        run->conn = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
        if (run->conn < 0 || connect(run->conn, (const struct sockaddr *)&sa, sizeof(sa)) < 0) {
                (void)fprintf(
                        stderr,
                        "avow-run: not launched: %s: %s (is avow-agent running, with launch.enabled, and are "
                        "you in group avow?)\n",
                        run->socket, strerror(errno));
                return EXIT_REFUSED;
        }
        return 0;
}

static int send_ask(const struct run *run)
{
        AUTO(buf_free) struct buf packet = {0};
        union {
                char bytes[CMSG_SPACE(sizeof(run->fds))];
                struct cmsghdr align;
        } control = {{0}};
        struct iovec iov;
        struct msghdr m = {.msg_iov = &iov,
                           .msg_iovlen = 1,
                           .msg_control = control.bytes,
                           .msg_controllen = sizeof(control.bytes)};
        struct cmsghdr *c = CMSG_FIRSTHDR(&m);

        buf_u8(&packet, LAUNCH_WIRE_ASK);
        launch_ask_put(&packet, &run->ask);
        if (!buf_ok(&packet) || packet.len > LAUNCH_WIRE_PACKET_MAX)
                return complain("arguments, signature and names are too long together", NULL);
        iov = (struct iovec){packet.p, packet.len};
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(sizeof(run->fds));
        memcpy(CMSG_DATA(c), run->fds, sizeof(run->fds));
        if (sendmsg(run->conn, &m, MSG_NOSIGNAL) < 0) {
                (void)fprintf(stderr, "avow-run: not launched: %s\n", strerror(errno));
                return EXIT_REFUSED;
        }
        return 0;
}

/* ---- while it runs */

static int take_signals(struct run *run)
{
        static const int numbers[] = {SIGHUP,  SIGINT,   SIGQUIT, SIGTERM, SIGUSR1,
                                      SIGUSR2, SIGWINCH, SIGTSTP, SIGCONT};
        sigset_t set;

        (void)sigemptyset(&set);
        for (size_t i = 0; i < ARRAY_LEN(numbers); i++)
                (void)sigaddset(&set, numbers[i]);
        (void)sigprocmask(SIG_BLOCK, &set, NULL);
        run->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
        return run->signals < 0 ? complain("signalfd", strerror(errno)) : 0;
}

/* The module is in a session of its own, so what a terminal says to us is for it too. */
static void on_signals(struct run *run)
{
        struct signalfd_siginfo info;

        while (read(run->signals, &info, sizeof(info)) == (ssize_t)sizeof(info)) {
                int number = info.ssi_signo == SIGTSTP ? SIGSTOP : (int)info.ssi_signo;
                uint8_t packet[2] = {LAUNCH_WIRE_SIGNAL, (uint8_t)number};

                if (send(run->conn, packet, sizeof(packet), MSG_NOSIGNAL) < 0)
                        return; /* it ended: said in a moment */
                if (number == SIGSTOP)
                        (void)raise(SIGSTOP); /* going on brings SIGCONT, which goes to the module too */
        }
}

static int write_receipt(struct run *run, struct view receipt)
{
        struct err err = ERR_INIT;

        run->got_receipt = true;
        if (!run->receipt || file_write(run->receipt, receipt, 0644, &err) >= 0)
                return 0;
        (void)fprintf(stderr, "avow-run: the receipt: %s\n", err.text);
        return -1;
}

/* As the module ended, so do we: by the same signal if it was one. */
static int end(const struct run *run, struct view body)
{
        struct launch_ended m;
        struct err err = ERR_INIT;

        if (launch_ended_get(body, &m, &err) < 0)
                return complain(err.text, NULL);
        if (m.text.len) {
                (void)fputs("avow-run: the module was stopped: ", stderr);
                print_text(stderr, m.text);
                (void)fputc('\n', stderr);
        }
        if (run->receipt && !run->got_receipt)
                (void)fputs("avow-run: no receipt came\n", stderr);
        if (m.by_signal) {
                static const struct rlimit no_core = {0, 0};
                sigset_t set;

                (void)setrlimit(RLIMIT_CORE, &no_core);
                (void)signal(m.status, SIG_DFL);
                (void)sigemptyset(&set);
                (void)sigaddset(&set, m.status);
                (void)sigprocmask(SIG_UNBLOCK, &set, NULL);
                (void)raise(m.status);
                return 128 + m.status;
        }
        return m.status;
}

/* One packet. Return: the status to exit with; < 0 to go on. */
static int on_packet(struct run *run, struct view packet)
{
        struct view body = VIEW(packet.p + 1, packet.len - 1);

        switch (packet.p[0]) {
        case LAUNCH_WIRE_REFUSED:
                (void)fputs("avow-run: not launched: ", stderr);
                print_text(stderr, body);
                (void)fputc('\n', stderr);
                return EXIT_REFUSED;
        case LAUNCH_WIRE_EXPLAIN:
                if (body.len == 0)
                        break;
                print_text(stdout, VIEW(body.p + 1, body.len - 1));
                return body.p[0] ? 0 : 1;
        case LAUNCH_WIRE_RECEIPT:
                (void)write_receipt(run, body);
                return -1;
        case LAUNCH_WIRE_ENDED:
                return end(run, body);
        default:
                break;
        }
        return complain("the launcher answers what this avow-run does not know", NULL);
}

static int serve(struct run *run)
{
        AUTO(mem_free_p) uint8_t *packet = mem_alloc(LAUNCH_WIRE_PACKET_MAX);
        int status = -1;

        if (!packet)
                return complain("out of memory", NULL);
        while (status < 0) {
                struct pollfd fds[] = {{.fd = run->signals, .events = POLLIN},
                                       {.fd = run->conn, .events = POLLIN}};
                ssize_t n;

                if (poll(fds, 2, -1) < 0 && errno != EINTR)
                        return complain("poll", strerror(errno));
                if (fds[0].revents)
                        on_signals(run);
                if (!fds[1].revents)
                        continue;
                n = recv(run->conn, packet, LAUNCH_WIRE_PACKET_MAX, 0);
                if (n < 0 && errno == EINTR)
                        continue;
                if (n <= 0) {
                        (void)fputs(
                                "avow-run: not launched, or killed: the launcher ended without an answer "
                                "(the agent "
                                "was stopped, or launch.start_timeout passed; journalctl -u avow-agent)\n",
                                stderr);
                        return EXIT_REFUSED;
                }
                status = on_packet(run, VIEW(packet, (size_t)n));
        }
        return status;
}

static int run_module(struct run *run, int argc, char **argv)
{
        int c, status;

        while ((c = getopt_long(argc, argv, "+r:s:i:eh", options, NULL)) >= 0) {
                status = take_option(run, c);
                if (status)
                        return status - 1;
        }
        status = take_arguments(run, argc, argv);
        if (!status)
                status = open_files(run);
        take_limits(&run->ask);
        if (!status)
                status = take_signals(run);
        if (!status)
                status = dial(run);
        if (!status)
                status = send_ask(run);
        return status ? status : serve(run);
}

int main(int argc, char **argv)
{
        struct run run = {.socket = AVOW_RUNDIR "/launch.sock", .conn = -1, .signals = -1};
        int status = run_module(&run, argc, argv);

        buf_free(&run.nonce);
        buf_free(&run.signature_bytes);
        buf_free(&run.envelope_bytes);
        return status;
}
