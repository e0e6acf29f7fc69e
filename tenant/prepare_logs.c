/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the kernel's list and the firmware's log of this boot show about measuring itself. The list is read
 * and not replayed to PCR 10, which moves while we look; the verifier does that with a quote.
 */
#include <string.h>

#include "evidence/bootlog.h"
#include "evidence/ima.h"
#include "tenant/prepare.h"

#define LIST_PATH      "/sys/kernel/security/ima/binary_runtime_measurements"
#define BOOT_LOG_PATH  "/sys/kernel/security/tpm0/binary_bios_measurements"
#define LIST_BYTES_MAX (256u << 20)

/* What is looked for in the list. */
struct seen {
        uint64_t n;
        char template[IMA_TEMPLATE_MAX + 1]; /* of the first entry */
        char alg[32];
        bool without_tpm;  /* the first entry's boot_aggregate is zeros */
        uint64_t rules_at; /* 1 + the entry's number; 0: not there */
};

static bool is_zero(struct view v)
{
        for (size_t i = 0; i < v.len; i++)
                if (v.p[i])
                        return false;
        return true;
}

static int read_list(const struct prepare *p, struct view bytes, struct seen *ret, struct err *err)
{
        const struct ima_list list = {.form = IMA_BINARY, .log_hash = DIGEST_SHA1, .bytes = bytes};
        AUTO(ima_reader_free_p) struct ima_reader *reader = NULL;
        struct ima_entry entry;
        int r = ima_reader_new(&list, &reader, err);

        while (r >= 0 && (r = ima_next(reader, &entry, err)) > 0) {
                struct ima_event event;
                struct digest rules;

                if (entry.violation)
                        continue;
                if ((r = ima_event_decode(&entry, &event, err)) < 0)
                        break;
                if (ret->n++ == 0) {
                        memcpy(ret->template, entry.form->name, sizeof(ret->template));
                        (void)snprintf(ret->alg, sizeof(ret->alg), "%.*s", (int)event.alg_name.len,
                                       (const char *)event.alg_name.p);
                        ret->without_tpm = is_zero(event.digest);
                }
                if (ret->rules_at || !event.alg_known ||
                    !view_equal(event.name, view_str(PREPARE_RULES_PATH)))
                        continue;
                if ((r = digest_bytes(event.alg, VIEW_BUF(&p->rules), &rules, err)) < 0)
                        break;
                if (view_equal(digest_view(&rules), event.digest))
                        ret->rules_at = entry.number + 1;
        }
        return r < 0 ? err_wrap(err, LIST_PATH) : 0;
}

static void say_list(struct prepare *p, const struct seen *seen)
{
        if (seen->without_tpm) {
                prepare_say(p, "list", PREPARE_MISSING,
                            "the kernel measured before it had a TPM (boot_aggregate is zeros)");
                prepare_mend(p, "boot a kernel with the TPM's driver built in, not as a module");
        } else if (strcmp(seen->alg, "sha1") == 0 || strcmp(seen->alg, "md5") == 0) {
                prepare_say(p, "list", PREPARE_MISSING, "files are measured with %s (template %s)", seen->alg,
                            seen->template);
                prepare_mend(
                        p, "have ima_hash=sha256 on the command line, and no ima_template=ima; then reboot");
        } else {
                prepare_say(p, "list", PREPARE_OK, "%llu entries, template %s, files by %s",
                            (unsigned long long)seen->n, seen->template, seen->alg);
        }
}

static void say_in_force(struct prepare *p, const struct seen *seen)
{
        p->rules_in_force = seen->rules_at != 0;
        if (p->rules_in_force) {
                prepare_say(p, "rules-in-force", PREPARE_OK, "the kernel read them: entry %llu",
                            (unsigned long long)seen->rules_at - 1);
        } else {
                prepare_say(p, "rules-in-force", p->rules_installed ? PREPARE_NEXT_BOOT : PREPARE_MISSING,
                            "the kernel's list does not show them");
                prepare_mend(p, "reboot; if they are still missing then, ima_policy=tcb is not on the "
                                "command line, or "
                                "systemd is built without IMA ('systemctl --version' has to say +IMA)");
        }
}

int prepare_look_at_list(struct prepare *p, struct err *err)
{
        AUTO(buf_free) struct buf bytes = {0};
        struct seen seen = {0};
        int r = prepare_read(p, LIST_PATH, LIST_BYTES_MAX, &bytes, err);

        if (r == PREPARE_THERE) {
                r = read_list(p, VIEW_BUF(&bytes), &seen, err);
                if (r >= 0 && seen.n) {
                        say_list(p, &seen);
                        say_in_force(p, &seen);
                        return 0;
                }
        }
        if (r < 0)
                return r;
        if (r == PREPARE_CLOSED) {
                prepare_say(p, "list", PREPARE_UNKNOWN, LIST_PATH " cannot be read by this user");
                prepare_mend(p, "run it as root");
                return 0;
        }
        prepare_say(p, "list", *p->root ? PREPARE_UNKNOWN : PREPARE_MISSING, "there is no " LIST_PATH);
        prepare_mend(
                p, "mount -t securityfs securityfs /sys/kernel/security; if it is still missing, this kernel "
                   "has no IMA");
        return 0;
}

/* ---- the boot log ---- */

/* The first PCR whose value is not what the log leads to; PCR_COUNT if there is none. */
static int find_unexplained(const struct prepare *p, const struct bootlog *log, unsigned *ret,
                            struct err *err)
{
        struct pcr_values values = {0};
        int r = bootlog_replay(log, DIGEST_SHA256, &values, err);

        if (r < 0)
                return r;
        for (*ret = 0; *ret < 8; ++*ret)
                if ((p->pcrs.mask & values.mask & 1u << *ret) &&
                    !digest_equal(&p->pcrs.v[*ret], &values.v[*ret]))
                        return 0;
        *ret = PCR_COUNT;
        return 0;
}

static int judge_boot_log(struct prepare *p, struct view bytes, struct err *err)
{
        struct bootlog log;
        unsigned pcr = PCR_COUNT;
        int r = bootlog_parse(bytes, &log, err);

        if (r >= 0)
                r = find_unexplained(p, &log, &pcr, err);
        if (r == -ERR_FORMAT || r == -ERR_LIMIT) {
                prepare_say(p, "boot-log", PREPARE_MISSING, "it cannot be read: %s", err->text);
                prepare_mend(p, "update the firmware");
                err_clear(err);
        } else if (r < 0) {
                return r;
        } else if (pcr < PCR_COUNT) {
                prepare_say(p, "boot-log", PREPARE_MISSING, "it does not lead to PCR %u as it is", pcr);
                prepare_mend(p, "reboot; if it stays so, update the firmware");
        } else {
                prepare_say(p, "boot-log", PREPARE_OK, "%zu events, and they lead to PCRs 0 to 7",
                            log.n_events);
        }
        return 0;
}

int prepare_look_at_boot_log(struct prepare *p, struct err *err)
{
        AUTO(buf_free) struct buf bytes = {0};
        int r = prepare_read(p, BOOT_LOG_PATH, BOOTLOG_BYTES_MAX, &bytes, err);

        if (r < 0)
                return r;
        if (r == PREPARE_CLOSED) {
                prepare_say(p, "boot-log", PREPARE_UNKNOWN, BOOT_LOG_PATH " cannot be read by this user");
                prepare_mend(p, "run it as root");
                return 0;
        }
        if (r == PREPARE_THERE && bytes.len)
                return judge_boot_log(p, VIEW_BUF(&bytes), err);
        prepare_say(p, "boot-log", *p->root ? PREPARE_UNKNOWN : PREPARE_MISSING,
                    "there is no " BOOT_LOG_PATH);
        prepare_mend(p, "GRUB with Secure Boot off leaves none: switch it on. A policy can do without "
                        "(boot.log: if-there and ima.waive: [boot-log]), and verdicts then say so");
        return 0;
}
