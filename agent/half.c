/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The TPM half's life. It starts with everything or not at all: a TPM, both keys, every file readable, and
 * then the measurements. Once it is ready, nothing ends it but a signal: a TPM that goes away (or forgets our
 * keys) makes it STARTING again, and it comes back by itself. Spec: docs/architecture.md, "Decisions".
 */
#include "agent/half.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "agent/half_private.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/str.h"

#define FOREIGN_LOG    "/run/log/systemd/tpm2-measure.log"
#define SETTLE_LOOK_MS 50
#define RETRY_FIRST_MS 1000
#define RETRY_LAST_MS  60000

static int take_lock(struct half *h, struct err *err)
{
        AUTO(mem_free_p) char *path = NULL;
        int r = file_mkdirs(h->config->state_dir, 0700, err);

        if (r < 0)
                return err_wrap(err, "state.dir");
        path = str_fmt("%s/lock", h->config->state_dir);
        if (!path)
                return err_nomem(err);
        h->lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
        if (h->lock < 0)
                return err_errno(err, errno, "%s", SHOW(path));
        if (flock(h->lock, LOCK_EX | LOCK_NB) < 0)
                return err_set(err, ERR_CONFIG, 0, "another avow-agent runs on the state directory %s",
                               SHOW(h->config->state_dir));
        return 0;
}

/* btime of /proc/stat: the wall clock at boot. It moves with clock steps, so the first answer of a boot is
 * kept. */
static uint64_t read_btime_ms(void)
{
        AUTO(buf_free) struct buf text = {0};
        struct err ignored = ERR_INIT;
        const char *at;
        char *s;
        uint64_t seconds = 0;

        if (file_read("/proc/stat", 1 << 20, &text, &ignored) < 0 || !(s = buf_take_str(&text)))
                return (uint64_t)clock_now_ms() - clock_boot_us() / 1000;
        at = strstr(s, "\nbtime ");
        if (!at || str_parse_uint(VIEW(at + 7, strcspn(at + 7, "\n")), UINT32_MAX, &seconds, &ignored) < 0)
                seconds = ((uint64_t)clock_now_ms() - clock_boot_us() / 1000) / 1000;
        free(s);
        return seconds * 1000;
}

static int read_boot_time(struct half *h, struct err *err)
{
        AUTO(mem_free_p) char *path = str_fmt("%s/boot", h->config->state_dir), *line = NULL;
        AUTO(buf_free) struct buf id = {0}, kept = {0};
        struct err ignored = ERR_INIT;
        struct view rest;
        int r;

        if (!path)
                return err_nomem(err);
        r = file_read("/proc/sys/kernel/random/boot_id", 64, &id, err);
        if (r < 0)
                return r;
        if (file_read(path, 128, &kept, &ignored) >= 0 && kept.len > id.len &&
            view_equal(VIEW(kept.p, id.len), VIEW_BUF(&id))) {
                rest = VIEW(kept.p + id.len, kept.len - id.len);
                if (str_parse_uint(rest, UINT64_MAX / 2, &h->boot_time_ms, &ignored) >= 0)
                        return 0;
        }
        h->boot_time_ms = read_btime_ms();
        line = str_fmt("%.*s%llu", (int)id.len, (const char *)id.p, (unsigned long long)h->boot_time_ms);
        return line ? file_write(path, view_str(line), 0600, err) : err_nomem(err);
}

int half_new(struct agent_config *config, half_slow_fn *slow, struct half **ret, struct err *err)
{
        AUTO(half_free_p) struct half *h = mem_zalloc(1, sizeof(*h));
        int r;

        if (!h) {
                agent_config_free(config);
                return err_nomem(err);
        }
        *h = (struct half){.config = config, .slow = slow, .lock = -1};
        r = take_lock(h, err);
        if (r >= 0)
                r = read_boot_time(h, err);
        if (r >= 0)
                r = watch_new(&h->watch, err);
        if (r >= 0)
                r = half_logs_new(h, err);
        if (r >= 0)
                r = half_secrets_new(h, err);
        if (r >= 0)
                r = half_launch_new(h, err);
        if (r >= 0)
                r = half_receipts_new(h, err);
        if (r >= 0)
                r = half_trust_new(h, err);
        if (r < 0)
                return r;
        *ret = TAKE(h);
        return 0;
}

/* Closes what hangs on the TPM. */
static void close_tpm(struct half *h)
{
        if (h->handout)
                handout_lose_tpm(h->handout);
        counters_done(&h->counters);
        identity_done(&h->id);
        half_launch_close(h);
        pcr_log_free(TAKE(h->log));
        inventory_free(TAKE(h->inventory));
        tpm_free(TAKE(h->tpm));
        h->state = PRIVSEP_STATE_STARTING;
}

void half_free(struct half *h)
{
        if (!h)
                return;
        close_tpm(h);
        half_trust_free(h);
        half_launch_free(h);
        half_receipts_free(h);
        half_secrets_free(h);
        watch_free(h->watch);
        kernel_list_free(h->ima);
        fd_close_p(&h->lock);
        agent_config_free(h->config);
        free(h);
}

static void slow(struct half *h, const char *doing)
{
        log_debug("%s", doing);
        if (h->slow)
                h->slow(doing);
}

/* ---- start */

static const char *set_or_not(bool set)
{
        return set ? "set" : "not set";
}

static int look_at_tpm(struct half *h, struct err *err)
{
        struct tpm_info info;
        int r = tpm_info_read(h->tpm, &info, err);

        if (r < 0)
                return r;
        log_with(LOG_LEVEL_INFO,
                 LOG_FIELDS({"AVOW_TPM_MANUFACTURER", info.manufacturer}, {"AVOW_TPM_VENDOR", info.vendor}),
                 "TPM %s %s, firmware %llx", SHOW(info.manufacturer), SHOW(info.vendor),
                 (unsigned long long)info.firmware);
        h->lockout = info.lockout;
        if (info.lockout)
                log_warning("the TPM is in dictionary attack lockout (%u failures): attestation goes on; who "
                            "else "
                            "uses the TPM waits, or clears it with tpm2_dictionarylockout -c",
                            info.lockout_counter);
        log_with(LOG_LEVEL_INFO,
                 LOG_FIELDS({"AVOW_TPM_OWNER_AUTH", info.owner_auth_set ? "set" : "empty"},
                            {"AVOW_TPM_LOCKOUT_AUTH", info.lockout_auth_set ? "set" : "empty"}),
                 "the TPM's owner password is %s, its lockout password is %s%s",
                 set_or_not(info.owner_auth_set), set_or_not(info.lockout_auth_set),
                 info.owner_auth_set && info.lockout_auth_set
                         ? ""
                         : ": without them root may undefine counters, clear the TPM and set its clock; that "
                           "is "
                           "seen, but not prevented (tpm2_changeauth -c o, -c l; then tpm.owner_auth)");
        if (info.endorsement_auth_set)
                return err_set(
                        err, ERR_CONFIG, 0,
                        "the TPM's endorsement hierarchy has a password, so its endorsement key cannot be "
                        "used: set it to empty (tpm2_changeauth -c e -p PASSWORD)");
        return 0;
}

static int choose_banks(struct half *h, struct err *err)
{
        int r = tpm_banks_read(h->tpm, &h->banks, err);
        size_t left = 0;

        if (r >= 0)
                r = tpm_banks_choose(&h->banks, (const char *const *)h->config->tpm.banks,
                                     h->config->tpm.n_banks, h->config->tpm.pcr, &h->used, err);
        if (r < 0)
                return r;
        for (size_t i = 0; i < h->banks.n; i++)
                left += h->banks.v[i].mask >> h->config->tpm.pcr & 1;
        if (left > h->used.n)
                log_warning("tpm.banks leaves %zu active bank(s) of PCR %u without measurements: a policy "
                            "must not "
                            "look there",
                            left - h->used.n, h->config->tpm.pcr);
        return 0;
}

static void say_explains(struct half *h)
{
        bool explains = pcr_log_explains(h->log);

        if (!explains && !h->said_unexplained)
                log_with(LOG_LEVEL_WARNING, LOG_FIELDS({"AVOW_EVENT", "log-does-not-explain"}),
                         "PCR %u holds extends that neither this agent's log nor systemd's explains: "
                         "something else "
                         "extends it (tpm.pcr moves the measurements), or the log was lost; the verifier "
                         "will say "
                         "inconclusive until the next boot",
                         h->config->tpm.pcr);
        if (explains && h->said_unexplained)
                log_info("the log explains PCR %u again", h->config->tpm.pcr);
        h->said_unexplained = !explains;
}

static void rewatch(struct half *h)
{
        struct err err = ERR_INIT;
        struct strv paths = {0};
        unsigned failed;

        if (inventory_paths(h->inventory, &paths, &err) < 0) {
                log_err(&err, "watching files");
        } else {
                failed = watch_set(h->watch, &paths);
                if (failed)
                        log_warning("%u file(s) cannot be watched (fs.inotify.max_user_watches?): changes "
                                    "are found "
                                    "by watch.rescan and before each quote",
                                    failed);
        }
        strv_done(&paths);
}

static int start(struct half *h, struct err *err)
{
        struct pcr_log_options options = {
                .dir = h->config->state_dir, .foreign = FOREIGN_LOG, .pcr = h->config->tpm.pcr};
        size_t had;
        int r;

        slow(h, "opening the TPM");
        r = tpm_open(h->config->tpm.tcti, &h->tpm, err);
        if (r >= 0)
                r = look_at_tpm(h, err);
        if (r >= 0)
                r = choose_banks(h, err);
        if (r < 0)
                return r;
        slow(h, "loading keys");
        r = identity_load(&h->id, h->tpm, h->config, err);
        if (r >= 0)
                r = counters_load(&h->counters, h->tpm, &h->id, h->config, err);
        if (r < 0)
                return r;
        slow(h, "measuring runtimes");
        options.banks = h->used;
        r = pcr_log_new(&options, &h->log, err);
        if (r >= 0)
                r = pcr_log_open(h->log, h->tpm, err);
        if (r >= 0)
                r = half_launch_start(h, err);
        if (r >= 0)
                r = half_receipts_start(h, err);
        if (r >= 0)
                r = half_trust_start(h, err); /* a wipe that was cut short comes before everything else */
        if (r >= 0)
                r = inventory_new(h->config, &h->used, &h->inventory, err);
        if (r < 0)
                return r;
        had = pcr_log_count(h->log);
        rewatch(h); /* before the first look, so that no change falls between */
        r = inventory_start(h->inventory, h->log, h->tpm, err);
        if (r < 0)
                return r;
        rewatch(h);
        say_explains(h);
        log_with(LOG_LEVEL_INFO, LOG_FIELDS({"AVOW_HOST", h->id.host_id}),
                 "host %s, EK %s%s, AK %s; %zu new measurement(s) in PCR %u, %zu in this boot", h->id.host_id,
                 tpm_ek_type_name(h->id.ek_type), h->id.ek_certificate.len ? "" : " (no certificate)",
                 h->id.ak_is_new ? "new" : "as before", pcr_log_count(h->log) - had, h->config->tpm.pcr,
                 pcr_log_count(h->log));
        return 0;
}

int half_start(struct half *h, struct err *err)
{
        int r = start(h, err);

        if (r < 0) {
                close_tpm(h);
                return r;
        }
        h->state = PRIVSEP_STATE_READY;
        h->rescan_at_ms = clock_mono_ms() + h->config->rescan_ms;
        h->retry_step_ms = RETRY_FIRST_MS;
        return 0;
}

void half_after_failure(struct half *h, const struct err *err)
{
        bool stale = tpm_err_is_stale(err);

        if (h->state != PRIVSEP_STATE_READY || (!stale && !tpm_err_is_lost(err)))
                return;
        log_err(err,
                stale ? "the TPM forgot a key or session, loading again" : "the TPM is gone, trying again");
        close_tpm(h);
        h->retry_step_ms = RETRY_FIRST_MS;
        h->retry_at_ms = stale ? 0 : clock_mono_ms() + h->retry_step_ms;
}

static void try_again(struct half *h, int64_t mono_ms)
{
        struct err err = ERR_INIT;

        if (half_start(h, &err) >= 0) {
                h->said[0] = '\0';
                log_info("the TPM is back");
                return;
        }
        if (!str_equal(h->said, err.text)) {
                log_err(&err, "start");
                memcpy(h->said, err.text, sizeof(h->said));
        }
        h->retry_at_ms = mono_ms + h->retry_step_ms;
        h->retry_step_ms = h->retry_step_ms * 2 > RETRY_LAST_MS ? RETRY_LAST_MS : h->retry_step_ms * 2;
}

/* ---- while running */

static void say_problem(struct half *h)
{
        const char *blocked = inventory_blocked(h->inventory), *problem = inventory_problem(h->inventory);
        const char *what = blocked ? blocked : problem ? problem : "";

        if (str_equal(h->said, what))
                return;
        (void)snprintf(h->said, sizeof(h->said), "%s", what);
        if (blocked)
                log_error("%s: nothing is attested until this can be measured", blocked);
        else if (problem)
                log_warning("%s", problem);
        else
                log_info("all runtimes can be measured again");
}

int half_look(struct half *h, enum inventory_look look, int64_t mono_ms, struct err *err)
{
        int r = inventory_look(h->inventory, look, mono_ms, h->log, h->tpm, err);

        if (r < 0)
                return r;
        say_problem(h);
        if (r > 0)
                rewatch(h);
        return r;
}

static int64_t turn(struct half *h, int64_t mono_ms)
{
        struct err err = ERR_INIT;
        bool notice, rescan;

        if (h->state != PRIVSEP_STATE_READY && mono_ms >= h->retry_at_ms)
                try_again(h, mono_ms);
        if (h->state != PRIVSEP_STATE_READY)
                return h->retry_at_ms > mono_ms ? h->retry_at_ms - mono_ms : 0;
        notice = watch_drain(h->watch);
        rescan = mono_ms >= h->rescan_at_ms;
        if (rescan)
                h->rescan_at_ms = mono_ms + h->config->rescan_ms;
        if (notice || rescan || inventory_settling(h->inventory)) {
                if (half_look(h, rescan ? INVENTORY_CONTENTS : INVENTORY_MARKS, mono_ms, &err) < 0) {
                        half_after_failure(h, &err);
                        if (h->state == PRIVSEP_STATE_READY)
                                log_err(&err, "looking at the runtimes");
                        return 0;
                }
                if (notice)
                        rewatch(h); /* a replaced file is another inode */
        }
        if (inventory_settling(h->inventory))
                return SETTLE_LOOK_MS;
        if (inventory_blocked(h->inventory))
                return RETRY_FIRST_MS;
        return h->rescan_at_ms > mono_ms ? h->rescan_at_ms - mono_ms : 0;
}

int64_t half_turn(struct half *h, int64_t mono_ms)
{
        int64_t due_ms = turn(h, mono_ms), trust_ms = half_trust_turn(h, mono_ms);
        int64_t launch_ms = half_launch_turn(h, mono_ms), secrets_ms = half_secrets_turn(h, mono_ms);
        int64_t receipts_ms = half_receipts_turn(h, mono_ms);

        due_ms = receipts_ms < due_ms ? receipts_ms : due_ms;
        due_ms = launch_ms < due_ms ? launch_ms : due_ms;
        due_ms = trust_ms < due_ms ? trust_ms : due_ms;
        return secrets_ms < due_ms ? secrets_ms : due_ms;
}

/* All of a reload that can fail. */
static int prepare(struct half *h, const struct agent_config *config, struct inventory **ret, struct err *err)
{
        int r = agent_config_check_reload(h->config, config, err);

        if (r >= 0)
                r = half_secrets_configure(h, config, err);
        if (r >= 0)
                r = half_trust_configure(h, config, err);
        if (r < 0 || h->state != PRIVSEP_STATE_READY)
                return r;
        r = inventory_new(config, &h->used, ret, err);
        return r < 0 ? r : inventory_start(*ret, h->log, h->tpm, err);
}

int half_reload(struct half *h, struct agent_config *new, struct err *err)
{
        AUTO(agent_config_free_p) struct agent_config *config = new;
        AUTO(inventory_free_p) struct inventory *inventory = NULL;
        struct agent_config *old;
        struct inventory *other;
        struct err other_err = ERR_INIT;
        int r = prepare(h, config, &inventory, err);

        if (r < 0) {
                if (half_secrets_configure(h, h->config, &other_err) < 0) /* its files as before */
                        log_err(&other_err, "secrets as files");
                return r;
        }
        half_launch_configure(h, config);
        old = h->config;
        other = h->inventory;
        h->config = TAKE(config);
        if (inventory)
                h->inventory = TAKE(inventory);
        config = old; /* freed with their scope */
        inventory = h->inventory == other ? NULL : other;
        if (h->state == PRIVSEP_STATE_READY)
                rewatch(h);
        h->rescan_at_ms = clock_mono_ms() + h->config->rescan_ms;
        return 0;
}

const struct agent_config *half_config(const struct half *h)
{
        return h->config;
}

enum privsep_state half_state(const struct half *h)
{
        return h->state;
}

struct handout *half_handout(struct half *h)
{
        return h->handout;
}

uint32_t half_log_entries(const struct half *h)
{
        return h->log ? (uint32_t)pcr_log_count(h->log) : 0;
}

int half_watch_fd(const struct half *h)
{
        return watch_fd(h->watch);
}
