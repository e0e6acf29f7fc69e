/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From a name to an enrolled host: ask the registrar, check what it says, write, then put the host into the
 * table.
 *
 * The key's own attributes are checked here once more (SR-10): a registrar that was fooled must not be able
 * to make us believe a key that can sign anything. A name without a binding is not enrolled (SR-9).
 */
#include "verifier/enrol.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/log.h"
#include "base/str.h"
#include "wire/wire.h"

#define ANSWER_BYTES_MAX (256 * 1024)
#define FETCH_MS         15000

struct job {
        struct verifier *v;
        struct enrolment e;
        bool dry;
        enrol_done_fn done;
        void *ctx;
};

static void job_free(struct job *job)
{
        if (!job)
                return;
        enrolment_free(&job->e);
        free(job);
}

static void finish(struct job *job, int status, const char *detail)
{
        job->done(job->ctx, status, detail, status == 201 ? hosts_find(job->v->hosts, job->e.name) : NULL);
        job_free(job);
}

/* ---- writing ---- */

static int add_to_table(struct job *job, struct verifier_host *from, struct err *err)
{
        const char *name = job->e.name;
        struct host *host = NULL;
        int r = hosts_add(job->v->hosts, job->v->rules, from, clock_now_ms(), loop_now_ms(), &host, err);

        if (r < 0)
                return r;
        host->shown = verifier_shown(job->v, host);
        events_emit(job->v->events, "host.added", name, host_shown_name(host->shown), NULL, NULL);
        log_info("host %s is enrolled", SHOW(name));
        return 0;
}

/* Read back, since a name may bring trust with it from before. */
static void on_read_back(void *ctx, enum store_outcome outcome, struct verifier_host *hosts, size_t n,
                         const struct err *store_err)
{
        struct job *job = ctx;
        struct err err = ERR_INIT;
        int r = 0;

        if (outcome == STORE_FAILED)
                log_err(store_err, "host %s is enrolled, but cannot be used before a restart",
                        SHOW(job->e.name));
        else if (n == 1 && (r = add_to_table(job, &hosts[0], &err)) < 0)
                log_err(&err, "host %s is enrolled, but cannot be used before a restart", SHOW(job->e.name));
        if (outcome == STORE_FAILED || r < 0)
                finish(job, 503, "Enrolled; the verifier's log says why it cannot be used yet.");
        else if (n != 1)
                finish(job, 409, "The host was removed again meanwhile.");
        else
                finish(job, 201, NULL);
}

static void on_written(void *ctx, enum store_outcome outcome, const struct err *store_err)
{
        struct job *job = ctx;
        struct err err = ERR_INIT;

        switch (outcome) {
        case STORE_CONFLICT:
                finish(job, 409,
                       "A host of this name is enrolled already: remove it first ('avow host remove').");
                return;
        case STORE_NOT_FOUND:
                finish(job, 404, "There is no policy of this name: push it first ('avow policy push').");
                return;
        case STORE_FAILED:
                log_err(store_err, "writing the enrolment of host %s", SHOW(job->e.name));
                finish(job, 503, "The enrolment could not be written; the verifier's log says why.");
                return;
        case STORE_OK:
        default:
                break;
        }
        if (verifier_db_get(job->v->db, job->e.tenant, job->e.name, on_read_back, job, &err) < 0)
                finish(job, 503, "Enrolled; the verifier has no memory to use it before a restart.");
}

static void write_enrolment(struct job *job)
{
        struct audit_entry entry = {.time_ms = clock_now_ms(),
                                    .tenant = job->e.tenant,
                                    .actor = job->e.actor,
                                    .action = "host.add",
                                    .object = job->e.name};
        AUTO(json_free_p)
        json_t *detail = json_pack("{s:s?, s:s, s:s?, s:s?}", "policy", job->e.policy, "peer",
                                   job->e.keylime ? "keylime" : "avow", "ek_sha256", job->e.ek_sha256,
                                   "bound_by", job->e.bound_by);
        AUTO(mem_free_p) char *text = detail ? json_print(detail) : NULL;
        struct tpm_public ak;
        struct err err = ERR_INIT;
        const char *why = NULL;

        if (tpm2b_public_parse(VIEW_BUF(&job->e.ak), &ak, &err) < 0) {
                finish(job, 400, "The attestation key is no TPM2B_PUBLIC of a kind that is known here.");
                return;
        }
        why = tpm_public_ak_refusal(&ak);
        if (why) {
                log_warning("host %s is not enrolled: its AK %s", SHOW(job->e.name), why);
                finish(job, 400, why);
                return;
        }
        if (hosts_find(job->v->hosts, job->e.name)) {
                finish(job, 409,
                       "A host of this name is enrolled already: remove it first ('avow host remove').");
                return;
        }
        if (job->e.policy && !rules_find(job->v->rules, job->e.policy)) {
                finish(job, 404, "There is no policy of this name: push it first ('avow policy push').");
                return;
        }
        if (job->dry) {
                finish(job, 200, NULL);
                return;
        }
        job->e.enrolled_at_ms = clock_now_ms();
        entry.detail = text;
        if (verifier_db_add(job->v->db, &job->e, &entry, on_written, job, &err) < 0)
                finish(job, 503, "Out of memory.");
}

/* ---- asking the registrar ---- */

static int copy_member(const json_t *j, const char *name, char **ret, struct err *err)
{
        const char *text = NULL;

        if (json_opt_str(j, name, &text, err) < 0)
                return -(int)err->kind;
        free(*ret);
        *ret = text ? str_dup(text) : NULL;
        return text && !*ret ? err_nomem(err) : 0;
}

/* What the registrar says about the host. *RET_WHY: why it is not enough, for the administrator. */
static int read_registration(const json_t *j, struct enrolment *e, const char **ret_why, struct err *err)
{
        const json_t *findings = json_object_get(j, "ek_findings");
        const char *name = NULL;

        if (json_get_str(j, "name", &name, err) < 0 || copy_member(j, "bound_by", &e->bound_by, err) < 0 ||
            copy_member(j, "ek_sha256", &e->ek_sha256, err) < 0 ||
            copy_member(j, "ek_class", &e->ek_class, err) < 0 ||
            copy_member(j, "ak_certificate", &e->ak_certificate, err) < 0)
                return -(int)err->kind;
        if (!str_equal(name, e->name))
                return err_set(err, ERR_PEER, 0, "the answer is about another host");
        if (json_is_array(findings) && json_array_size(findings)) {
                free(e->ek_findings);
                e->ek_findings = json_print(findings);
                if (!e->ek_findings)
                        return err_nomem(err);
        }
        if (!e->bound_by || str_equal(e->bound_by, "none")) {
                *ret_why = "The name is not bound to a TPM: bind it first ('avow host add' does, or --tofu).";
                return 0;
        }
        if (!json_is_string(json_object_get(j, "ak"))) {
                *ret_why = "The host has not registered yet: start avow-agent there, and try again.";
                return 0;
        }
        return json_get_base64(j, "ak", WIRE_PUBLIC_MAX, &e->ak, err);
}

static void on_registration(void *ctx, const struct http_response *res, const struct err *call_err)
{
        struct job *job = ctx;
        AUTO(json_free_p) json_t *j = NULL;
        struct err err = ERR_INIT;
        const char *why = NULL;
        int r;

        if (!res) {
                log_err(call_err, "asking the registrar for host %s", SHOW(job->e.name));
                finish(job, 502, "The registrar was not reached; the verifier's log says why.");
                return;
        }
        if (res->status == 404) {
                finish(job, 404, "The registrar knows no host of this name.");
                return;
        }
        if (res->status != 200) {
                log_warning("the registrar answers %d for host %s", res->status, SHOW(job->e.name));
                finish(job, 502,
                       res->status == 403
                               ? "The registrar does not know this verifier: its certificate needs "
                                 "the role verifier."
                               : "The registrar gave no usable answer; the log has its status.");
                return;
        }
        r = json_parse(res->body, ANSWER_BYTES_MAX, &j, &err);
        if (r >= 0)
                r = read_registration(j, &job->e, &why, &err);
        if (r < 0) {
                log_err(&err, "the registrar's answer for host %s", SHOW(job->e.name));
                finish(job, 502, "The registrar's answer cannot be read; the verifier's log says why.");
        } else if (why) {
                finish(job, 409, why);
        } else {
                write_enrolment(job);
        }
}

static struct job *job_new(struct verifier *v, struct enrolment *e, bool dry, enrol_done_fn done, void *ctx)
{
        struct job *job = mem_zalloc(1, sizeof(*job));

        if (!job) {
                done(ctx, 503, "Out of memory.", NULL);
                return NULL;
        }
        *job = (struct job){.v = v, .e = *e, .dry = dry, .done = done, .ctx = ctx};
        *e = (struct enrolment){.keylime = false};
        return job;
}

void enrol_from_registrar(struct verifier *v, struct enrolment *enrolment, bool dry, enrol_done_fn done,
                          void *ctx)
{
        struct job *job = job_new(v, enrolment, dry, done, ctx);
        AUTO(mem_free_p) char *url = NULL;
        struct err err = ERR_INIT;

        if (!job)
                return;
        if (!v->registrar) {
                finish(job, 503, "registrar.url is not configured at this verifier.");
                return;
        }
        url = str_fmt("%s/avow/v1/hosts/%s", conf_str(v->settings.conf, "registrar.url"), job->e.name);
        if (!url || http_client_send(v->registrar,
                                     &(struct http_call){.method = "GET",
                                                         .url = url,
                                                         .timeout_ms = FETCH_MS,
                                                         .max_response_bytes = ANSWER_BYTES_MAX},
                                     on_registration, job, NULL, &err) < 0)
                finish(job, 503, url ? err.text : "Out of memory.");
}

void enrol_with_key(struct verifier *v, struct enrolment *enrolment, enrol_done_fn done, void *ctx)
{
        struct job *job = job_new(v, enrolment, false, done, ctx);

        if (job)
                write_enrolment(job);
}
