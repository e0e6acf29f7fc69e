/* SPDX-License-Identifier: Apache-2.0 */
/* The log of PCR 15 against a real TPM: restarts, crashes between append and extend, boots, other writers. */
#include "support/support.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/pcr_log.h"
#include "agent/pcr_merge.h"
#include "base/file.h"
#include "unit/tpm/swtpm.h"

static struct swtpm emulator;
static struct tpm_bank_set banks;
static char dir[TMPDIR_BYTES], foreign[64], file[64];

/* The extend of the code under test: a crash can be put before it. */
static bool crash;
int __real_tpm_pcr_extend(struct tpm *tpm, unsigned pcr, const struct digest *d, size_t n, struct err *err);
int __wrap_tpm_pcr_extend(struct tpm *tpm, unsigned pcr, const struct digest *d, size_t n, struct err *err);
int __wrap_tpm_pcr_extend(struct tpm *tpm, unsigned pcr, const struct digest *d, size_t n, struct err *err)
{
        if (crash)
                _exit(9);
        return __real_tpm_pcr_extend(tpm, pcr, d, n, err);
}

static struct tpm *open_tpm(void)
{
        struct err err = ERR_INIT;
        struct tpm *tpm = NULL;

        assert_ok(tpm_open(emulator.tcti, &tpm, &err), &err);
        return tpm;
}

/* A new TPM state, a new folder. */
static int setup(void **state)
{
        struct err err = ERR_INIT;
        struct tpm_banks have;
        struct tpm *tpm;

        (void)state;
        swtpm_start(&emulator);
        tmpdir_make(dir);
        (void)snprintf(foreign, sizeof(foreign), "%s/systemd.log", dir);
        (void)snprintf(file, sizeof(file), "%s/pcr15.log", dir);
        tpm = open_tpm();
        assert_ok(tpm_banks_read(tpm, &have, &err), &err);
        assert_ok(tpm_banks_choose(&have, NULL, 0, 15, &banks, &err), &err);
        tpm_free(tpm);
        return 0;
}

static int teardown(void **state)
{
        (void)state;
        tmpdir_remove(dir);
        swtpm_stop(&emulator);
        return 0;
}

static struct pcr_log *open_log(struct tpm *tpm)
{
        struct pcr_log_options o = {.dir = dir, .foreign = foreign, .pcr = 15, .banks = banks};
        struct err err = ERR_INIT;
        struct pcr_log *log = NULL;

        assert_ok(pcr_log_new(&o, &log, &err), &err);
        assert_ok(pcr_log_open(log, tpm, &err), &err);
        return log;
}

static struct measurement measurement_of(const char *content)
{
        struct measurement m = {.n = banks.n, .size_bytes = strlen(content)};
        struct err err = ERR_INIT;

        for (size_t i = 0; i < banks.n; i++)
                assert_ok(digest_bytes(banks.v[i], view_str(content), &m.digests[i], &err), &err);
        return m;
}

static void measure(struct pcr_log *log, struct tpm *tpm, const char *path, const char *content)
{
        struct measurement m = measurement_of(content);
        struct err err = ERR_INIT;

        assert_ok(pcr_log_measure(log, tpm, "rt", path, &m, &err), &err);
}

/* The register in every bank is what extending the digests of CONTENTS from zero gives. */
static void assert_register(struct tpm *tpm, const char *const *contents, size_t n)
{
        struct digest now[TPM_MAX_BANKS], value, d;
        struct err err = ERR_INIT;

        assert_ok(tpm_pcr_read_banks(tpm, 15, &banks, now, &err), &err);
        for (size_t b = 0; b < banks.n; b++) {
                digest_zero(banks.v[b], &value);
                for (size_t i = 0; i < n; i++) {
                        assert_ok(digest_bytes(banks.v[b], view_str(contents[i]), &d, &err), &err);
                        assert_ok(digest_extend(&value, digest_view(&d), &err), &err);
                }
                assert_true(digest_equal(&value, &now[b]));
        }
}

#define CONTENTS(...)                                                                                        \
        (const char *const[]){__VA_ARGS__}, sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *)

static void records_then_extends(void **state)
{
        AUTO(tpm_free_p) struct tpm *tpm = open_tpm();
        AUTO(pcr_log_free_p) struct pcr_log *log = open_log(tpm);
        AUTO(buf_free) struct buf slice = {0};
        struct err err = ERR_INIT;
        struct stat st;

        (void)state;
        assert_int_equal(banks.n, 3);
        assert_true(pcr_log_began(log));
        assert_true(pcr_log_explains(log));
        assert_null(pcr_log_newest(log, "/a"));
        measure(log, tpm, "/a", "a1");
        measure(log, tpm, "/b", "b1");
        measure(log, tpm, "/a", "a2");
        assert_register(tpm, CONTENTS("a1", "b1", "a2"));
        assert_int_equal(pcr_log_count(log), 3);
        assert_int_equal(pcr_log_newest(log, "/a")->size_bytes, 2);
        assert_ok(pcr_log_check(log, tpm, &err), &err);
        assert_true(pcr_log_explains(log));
        assert_int_equal(stat(file, &st), 0);
        assert_int_equal(st.st_mode & 0777, 0600);
        assert_int_equal(pcr_log_slice(log, 1, 1, 1 << 20, &slice, &err), 1);
        assert_int_equal(slice.p[0], 0x1e);
        buf_reset(&slice);
        assert_int_equal(pcr_log_slice(log, 0, 20, slice.cap + 700, &slice, &err) < 3, 1);
        buf_reset(&slice);
        assert_int_equal(pcr_log_slice(log, 9, 20, 1 << 20, &slice, &err), 0);
}

static void a_restart_finds_its_list(void **state)
{
        AUTO(tpm_free_p) struct tpm *tpm = open_tpm();
        struct pcr_log *log = open_log(tpm);

        (void)state;
        measure(log, tpm, "/a", "a1");
        pcr_log_free(log);
        log = open_log(tpm);
        assert_false(pcr_log_began(log));
        assert_true(pcr_log_explains(log));
        assert_int_equal(pcr_log_count(log), 1);
        assert_register(tpm, CONTENTS("a1"));
        pcr_log_free(log);
}

static void crash_before_extend(const char *path, const char *content)
{
        int status = 0;
        pid_t pid = fork();

        if (pid == 0) {
                struct tpm *tpm = open_tpm();
                struct pcr_log *log = open_log(tpm);

                crash = true;
                measure(log, tpm, path, content);
                _exit(0);
        }
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 9);
}

static void a_crash_between_log_and_extend_is_repaired(void **state)
{
        struct tpm *tpm;
        struct pcr_log *log;

        (void)state;
        crash_before_extend("/a", "a1"); /* the very first record */
        tpm = open_tpm();
        assert_register(tpm, NULL, 0);
        log = open_log(tpm);
        assert_true(pcr_log_explains(log));
        assert_register(tpm, CONTENTS("a1"));
        measure(log, tpm, "/b", "b1");
        pcr_log_free(log);
        crash_before_extend("/a", "a2");
        assert_register(tpm, CONTENTS("a1", "b1"));
        log = open_log(tpm);
        assert_register(tpm, CONTENTS("a1", "b1", "a2"));
        assert_int_equal(pcr_log_count(log), 3);
        pcr_log_free(log);
        log = open_log(tpm); /* and only once */
        assert_register(tpm, CONTENTS("a1", "b1", "a2"));
        pcr_log_free(log);
        tpm_free(tpm);
}

static void a_cut_record_is_cut_off(void **state)
{
        AUTO(tpm_free_p) struct tpm *tpm = open_tpm();
        struct pcr_log *log = open_log(tpm);
        struct err err = ERR_INIT;
        struct stat before, after;

        (void)state;
        measure(log, tpm, "/a", "a1");
        pcr_log_free(log);
        assert_int_equal(stat(file, &before), 0);
        assert_ok(file_append(file, view_str("\x1e{\"pcr\":15,\"dig"), 0600, &err), &err);
        log = open_log(tpm);
        assert_true(pcr_log_explains(log));
        assert_int_equal(stat(file, &after), 0);
        assert_int_equal(before.st_size, after.st_size);
        measure(log, tpm, "/b", "b1");
        assert_register(tpm, CONTENTS("a1", "b1"));
        assert_true(pcr_log_explains(log));
        pcr_log_free(log);
}

static void a_new_boot_begins_anew(void **state)
{
        struct tpm *tpm = open_tpm();
        struct pcr_log *log = open_log(tpm);
        char old[80];

        (void)state;
        measure(log, tpm, "/a", "a1");
        pcr_log_free(log);
        tpm_free(tpm);
        swtpm_restart(&emulator);
        tpm = open_tpm();
        log = open_log(tpm);
        assert_true(pcr_log_began(log));
        assert_int_equal(pcr_log_count(log), 0);
        assert_true(pcr_log_explains(log));
        (void)snprintf(old, sizeof(old), "%s.old", file);
        assert_true(file_exists(old));
        measure(log, tpm, "/a", "a1");
        assert_register(tpm, CONTENTS("a1"));
        pcr_log_free(log);
        tpm_free(tpm);
}

static void a_cleared_tpm_is_no_new_boot(void **state)
{
        AUTO(tpm_free_p) struct tpm *tpm = open_tpm();
        struct pcr_log *log = open_log(tpm);

        (void)state;
        measure(log, tpm, "/a", "a1");
        pcr_log_free(log);
        assert_int_equal(swtpm_tool(&emulator, "tpm2_clear"), 0);
        log = open_log(tpm);
        assert_false(pcr_log_began(log));
        assert_true(pcr_log_explains(log));
        assert_int_equal(pcr_log_count(log), 1);
        pcr_log_free(log);
}

static void an_extend_without_a_log_is_reported(void **state)
{
        AUTO(tpm_free_p) struct tpm *tpm = open_tpm();
        AUTO(pcr_log_free_p) struct pcr_log *log = open_log(tpm);
        struct measurement m = measurement_of("stranger");
        struct err err = ERR_INIT;

        (void)state;
        measure(log, tpm, "/a", "a1");
        assert_ok(tpm_pcr_extend(tpm, 15, m.digests, m.n, &err), &err);
        assert_ok(pcr_log_check(log, tpm, &err), &err);
        assert_false(pcr_log_explains(log));
        measure(log, tpm, "/b", "b1");
        assert_register(tpm, CONTENTS("a1", "stranger", "b1"));
        assert_false(pcr_log_explains(log));
        assert_int_equal(pcr_log_count(log), 2);
}

/* What systemd writes: a record of its own, and an extend. */
static void systemd_measures(struct tpm *tpm, const char *text, unsigned pcr, bool at_once)
{
        AUTO(buf_free) struct buf b = {0};
        struct measurement m = measurement_of(text);
        struct err err = ERR_INIT;

        buf_fmt(&b, "\x1e{\"pcr\":%u,\"digests\":[", pcr);
        for (size_t i = 0; i < m.n; i++) {
                buf_fmt(&b, "%s{\"hashAlg\":\"%s\",\"digest\":\"", i ? "," : "",
                        digest_name(m.digests[i].alg));
                for (size_t k = 0; k < m.digests[i].len; k++)
                        buf_fmt(&b, "%02x", m.digests[i].b[k]);
                buf_str(&b, "\"}");
        }
        buf_fmt(&b,
                "],\"content_type\":\"systemd\",\"content\":{\"string\":\"%s\",\"bootId\":"
                "\"0123456789abcdef0123456789abcdef\",\"timestamp\":1000,\"eventType\":\"machine-id\"}}\n",
                text);
        assert_true(buf_ok(&b));
        assert_ok(file_append(foreign, VIEW_BUF(&b), 0600, &err), &err);
        if (at_once)
                assert_ok(__real_tpm_pcr_extend(tpm, pcr, m.digests, m.n, &err), &err);
}

static void systemds_records_are_carried(void **state)
{
        AUTO(tpm_free_p) struct tpm *tpm = open_tpm();
        struct err err = ERR_INIT;
        struct pcr_log *log;

        (void)state;
        systemd_measures(tpm, "machine-id:x", 15, true);
        systemd_measures(tpm, "phase", 11, true); /* another register's are none of ours */
        log = open_log(tpm);
        assert_true(pcr_log_explains(log));
        assert_int_equal(pcr_log_count(log), 1);
        measure(log, tpm, "/a", "a1");
        systemd_measures(tpm, "file-system:/x", 15, true);
        assert_ok(pcr_log_check(log, tpm, &err), &err);
        assert_true(pcr_log_explains(log));
        assert_int_equal(pcr_log_count(log), 3);
        measure(log, tpm, "/b", "b1");
        pcr_log_free(log);
        log = open_log(tpm); /* nothing is taken twice */
        assert_true(pcr_log_explains(log));
        assert_int_equal(pcr_log_count(log), 4);
        assert_register(tpm, CONTENTS("machine-id:x", "a1", "file-system:/x", "b1"));
        pcr_log_free(log);
        assert_int_equal(unlink(foreign), 0); /* kexec: /run is new, the register is not */
        log = open_log(tpm);
        assert_true(pcr_log_explains(log));
        assert_int_equal(pcr_log_count(log), 4);
        pcr_log_free(log);
}

static void two_writers_in_one_moment_are_sorted_out(void **state)
{
        AUTO(tpm_free_p) struct tpm *tpm = open_tpm();
        struct pcr_log *log;
        struct err err = ERR_INIT;

        (void)state;
        crash_before_extend("/a", "a1");
        systemd_measures(tpm, "machine-id:x", 15, true); /* between our record and our extend */
        log = open_log(tpm);
        assert_true(pcr_log_explains(log));
        assert_int_equal(pcr_log_count(log), 2);
        assert_register(tpm, CONTENTS("machine-id:x", "a1"));
        assert_ok(pcr_log_check(log, tpm, &err), &err);
        assert_true(pcr_log_explains(log));
        pcr_log_free(log);
}

static void a_full_disk_extends_nothing(void **state)
{
        AUTO(tpm_free_p) struct tpm *tpm = open_tpm();
        AUTO(pcr_log_free_p) struct pcr_log *log = open_log(tpm);
        struct measurement m = measurement_of("b1");
        struct err err = ERR_INIT;

        (void)state;
        measure(log, tpm, "/a", "a1");
        assert_int_equal(unlink(file), 0);
        assert_int_equal(symlink("/dev/full", file), 0); /* what cannot be written to, for root as well */
        assert_err(pcr_log_measure(log, tpm, "rt", "/b", &m, &err), ERR_IO, &err, "measurement of");
        assert_register(tpm, CONTENTS("a1"));
        assert_int_equal(pcr_log_count(log), 1);
}

static void a_broken_file_is_put_aside_and_shows(void **state)
{
        AUTO(tpm_free_p) struct tpm *tpm = open_tpm();
        struct pcr_log *log = open_log(tpm);
        struct err err = ERR_INIT;
        char broken[80];

        (void)state;
        measure(log, tpm, "/a", "a1");
        pcr_log_free(log);
        assert_ok(file_write(file, view_str("\x1e{\"pcr\":\"fifteen\"}\n"), 0600, &err), &err);
        log = open_log(tpm);
        assert_false(pcr_log_explains(log));
        assert_int_equal(pcr_log_count(log), 0);
        (void)snprintf(broken, sizeof(broken), "%s.broken", file);
        assert_true(file_exists(broken));
        pcr_log_free(log);
}

/* ---- the merge alone */

static struct cel_record record(const char *text, bool ours, uint64_t us)
{
        struct cel_record r = {
                .pcr = 15, .n_digests = 1, .ours = ours, .has_timestamp = true, .timestamp_us = us};
        struct err err = ERR_INIT;

        assert_ok(digest_bytes(DIGEST_SHA256, view_str(text), &r.digests[0], &err), &err);
        return r;
}

static void every_interleaving_is_found(void **state)
{
        struct cel_record a[3], b[3];
        const struct cel_record *pa[3], *pb[3], *order[6];
        struct err err = ERR_INIT;

        (void)state;
        for (int i = 0; i < 3; i++) {
                char text[8];

                (void)snprintf(text, sizeof(text), "a%d", i);
                a[i] = record(text, true, 100);
                (void)snprintf(text, sizeof(text), "b%d", i);
                b[i] = record(text, false, 100);
                pa[i] = &a[i];
                pb[i] = &b[i];
        }
        for (unsigned pattern = 0; pattern < 64; pattern++) {
                struct pcr_merge m;
                struct digest now;
                size_t i = 0, j = 0;

                if (__builtin_popcount(pattern) != 3)
                        continue;
                for (unsigned k = 0; k < 6; k++)
                        order[k] = pattern >> k & 1 ? pa[i++] : pb[j++];
                assert_ok(pcr_replay(order, 6, DIGEST_SHA256, &now, &err), &err);
                POISON(m);
                assert_ok(pcr_merge(pa, 3, pb, 3, &now, 1, &m, &err), &err);
                assert_true(m.explains);
                assert_memory_equal(m.order, order, sizeof(order));
                pcr_merge_done(&m);
        }
}

static int merge_once(void *ctx, struct err *err)
{
        const struct cel_record *both = ctx, *pa = &both[0], *pb = &both[1];
        struct pcr_merge m;
        struct digest now;
        int r;

        digest_zero(DIGEST_SHA256, &now);
        r = pcr_merge(&pa, 1, &pb, 1, &now, 1, &m, err);
        if (r == 0) {
                assert_false(m.explains);
                assert_ptr_equal(m.order[0], pa); /* by time */
                pcr_merge_done(&m);
        }
        return r;
}

static void memory_runs_out(void **state)
{
        struct cel_record both[] = {record("a", true, 1), record("b", false, 2)};

        (void)state;
        oom_each(merge_once, both);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(records_then_extends, setup, teardown),
                cmocka_unit_test_setup_teardown(a_restart_finds_its_list, setup, teardown),
                cmocka_unit_test_setup_teardown(a_crash_between_log_and_extend_is_repaired, setup, teardown),
                cmocka_unit_test_setup_teardown(a_cut_record_is_cut_off, setup, teardown),
                cmocka_unit_test_setup_teardown(a_new_boot_begins_anew, setup, teardown),
                cmocka_unit_test_setup_teardown(a_cleared_tpm_is_no_new_boot, setup, teardown),
                cmocka_unit_test_setup_teardown(an_extend_without_a_log_is_reported, setup, teardown),
                cmocka_unit_test_setup_teardown(systemds_records_are_carried, setup, teardown),
                cmocka_unit_test_setup_teardown(two_writers_in_one_moment_are_sorted_out, setup, teardown),
                cmocka_unit_test_setup_teardown(a_full_disk_extends_nothing, setup, teardown),
                cmocka_unit_test_setup_teardown(a_broken_file_is_put_aside_and_shows, setup, teardown),
                cmocka_unit_test(every_interleaving_is_found),
                cmocka_unit_test(memory_runs_out),
        };

        return cmocka_run_group_tests_name("agent/pcr_log", tests, NULL, NULL);
}
