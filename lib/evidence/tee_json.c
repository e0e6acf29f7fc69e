/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Evidence in words. Nothing here decides anything; unknown bits are shown as such and never dropped, so
 * that nobody believes to have seen everything when he has not.
 */
#include "evidence/tee_json.h"

#include <stdio.h>
#include <string.h>

#include "base/hex.h"
#include "base/json.h"
#include "base/mem.h"

#define EVENT_TEXT_BYTES_MAX 512

static json_t *words(const char *const *v, size_t n)
{
        json_t *list = json_array();

        for (size_t i = 0; list && i < n; i++)
                if (json_array_append_new(list, json_string(v[i])) < 0) {
                        json_decref(list);
                        list = NULL;
                }
        return list;
}

static json_t *check_json(const struct tee_check *c)
{
        AUTO(json_free_p) json_t *j = json_object();

        if (!j || json_set_str(j, "name", c->name) < 0 ||
            json_set_str(j, "state", tee_state_name(c->state)) < 0 ||
            (c->reason[0] && json_set_str(j, "reason", c->reason) < 0) ||
            (c->text[0] && json_set_str(j, "text", c->text) < 0))
                return NULL;
        return TAKE(j);
}

json_t *tee_result_to_json(const struct tee_result *r, const char *verdict)
{
        AUTO(json_free_p) json_t *j = json_object();
        AUTO(json_free_p) json_t *checks = json_array();
        const char *reasons[TEE_CHECKS_MAX];
        size_t n = 0;

        while (n < TEE_CHECKS_MAX && (reasons[n] = tee_reason(r, n)))
                n++;
        for (size_t i = 0; i < r->n_checks; i++)
                if (json_array_append_new(checks, check_json(&r->checks[i])) < 0)
                        return NULL;
        if (json_set_str(j, "verdict", verdict) < 0 ||
            json_object_set_new(j, "reasons", words(reasons, n)) < 0 ||
            json_object_set_new(j, "flags", words(r->flags, r->n_flags)) < 0 ||
            json_object_set(j, "checks", checks) < 0)
                return NULL;
        return TAKE(j);
}

/* ---- SEV-SNP ---- */

struct bit {
        unsigned bit;
        const char *name;
};

/* NAMES of the bits of X that are set; those without a name as "bit N". */
static json_t *bits(uint64_t x, const struct bit *names, size_t n)
{
        json_t *list = json_array();

        for (unsigned i = 0; list && i < 64; i++) {
                const char *name = NULL;
                char plain[16];

                if (!(x >> i & 1))
                        continue;
                for (size_t k = 0; k < n; k++)
                        if (names[k].bit == i)
                                name = names[k].name;
                (void)snprintf(plain, sizeof(plain), "bit %u", i);
                if (json_array_append_new(list, json_string(name ? name : plain)) < 0) {
                        json_decref(list);
                        list = NULL;
                }
        }
        return list;
}

static json_t *tcb_json(enum snp_line line, const struct snp_tcb *tcb)
{
        AUTO(json_free_p) json_t *j = json_object();

        if (!j || (line == SNP_TURIN && json_set_int(j, "fmc", tcb->fmc) < 0) ||
            json_set_int(j, "bootloader", tcb->bootloader) < 0 || json_set_int(j, "tee", tcb->tee) < 0 ||
            json_set_int(j, "snp", tcb->snp) < 0 || json_set_int(j, "microcode", tcb->microcode) < 0)
                return NULL;
        return TAKE(j);
}

static int set_tcb(json_t *j, const char *name, enum snp_line line, const uint8_t raw[8])
{
        struct snp_tcb tcb;

        if (!snp_tcb_decode(line, raw, &tcb))
                return json_set_hex(j, name, VIEW(raw, 8));
        return json_object_set_new(j, name, tcb_json(line, &tcb));
}

static int set_version(json_t *j, const char *name, const struct snp_version *v)
{
        char text[32];

        (void)snprintf(text, sizeof(text), "%u.%u build %u", v->major, v->minor, v->build);
        return json_set_str(j, name, text);
}

static int set_hex64(json_t *j, const char *name, uint64_t x)
{
        char text[24];

        (void)snprintf(text, sizeof(text), "0x%llx", (unsigned long long)x);
        return json_set_str(j, name, text);
}

static json_t *guest_policy_json(const struct snp_report *r)
{
        static const struct bit names[] = {
                {SNP_POLICY_SMT, "SMT is allowed"},
                {SNP_POLICY_ONE, "reserved, has to be one"},
                {SNP_POLICY_MIGRATE_MA, "a migration agent is allowed"},
                {SNP_POLICY_DEBUG, "debugging is allowed: the host may read the memory"},
                {SNP_POLICY_SINGLE_SOCKET, "one socket only"},
                {SNP_POLICY_CXL, "CXL is allowed"},
                {SNP_POLICY_AES_256_XTS, "AES-256-XTS is demanded"},
                {SNP_POLICY_RAPL_DIS, "RAPL has to be off"},
                {SNP_POLICY_CIPHERTEXT_HIDING, "ciphertext hiding is demanded"},
                {SNP_POLICY_PAGE_SWAP_DISABLE, "page swapping is forbidden"},
        };
        AUTO(json_free_p) json_t *j = json_object();
        char abi[16];

        (void)snprintf(abi, sizeof(abi), "%u.%u", snp_abi_major(r), snp_abi_minor(r));
        if (!j || set_hex64(j, "value", r->policy) < 0 || json_set_str(j, "firmware_abi_at_least", abi) < 0 ||
            json_object_set_new(j, "says", bits(r->policy >> 16 << 16, names, ARRAY_LEN(names))) < 0)
                return NULL;
        return TAKE(j);
}

static json_t *platform_json(const struct snp_report *r)
{
        static const struct bit names[] = {
                {SNP_PLATFORM_SMT, "SMT is on"},
                {SNP_PLATFORM_TSME, "TSME is on"},
                {SNP_PLATFORM_ECC, "memory has ECC"},
                {SNP_PLATFORM_RAPL_DIS, "RAPL is off"},
                {SNP_PLATFORM_CIPHERTEXT_HIDING, "ciphertext hiding is on"},
                {SNP_PLATFORM_ALIAS_CHECK, "memory was checked for aliases"},
                {SNP_PLATFORM_TIO, "SEV-TIO is on"},
        };
        AUTO(json_free_p) json_t *j = json_object();

        if (!j || set_hex64(j, "value", r->platform_info) < 0 ||
            json_object_set_new(j, "says", bits(r->platform_info, names, ARRAY_LEN(names))) < 0)
                return NULL;
        return TAKE(j);
}

static const char *key_name(uint8_t key)
{
        return key == SNP_KEY_VCEK   ? "VCEK, the chip's"
               : key == SNP_KEY_VLEK ? "VLEK, a provider's"
               : key == SNP_KEY_NONE ? "none"
                                     : "unknown";
}

static int set_cpu(json_t *j, const struct snp_report *r)
{
        char text[64];

        if (!r->has_cpu)
                return 0;
        (void)snprintf(text, sizeof(text), "family %02xh model %02xh stepping %u", r->family, r->model,
                       r->stepping);
        return json_set_str(j, "processor", text);
}

static int set_platform(json_t *j, const struct snp_report *r, enum snp_line line)
{
        return set_tcb(j, "reported_tcb", line, r->reported_tcb) < 0 ||
                               set_tcb(j, "committed_tcb", line, r->committed_tcb) < 0 ||
                               set_tcb(j, "current_tcb", line, r->current_tcb) < 0 ||
                               set_tcb(j, "launch_tcb", line, r->launch_tcb) < 0 ||
                               set_version(j, "committed_firmware", &r->committed) < 0 ||
                               set_version(j, "current_firmware", &r->current) < 0 || set_cpu(j, r) < 0 ||
                               json_set_hex(j, "chip_id", r->chip_id) < 0 ||
                               json_set_bool(j, "chip_id_masked", r->mask_chip_key) < 0 ||
                               (r->has_mitigations &&
                                (set_hex64(j, "launch_mitigations", r->launch_mit_vector) < 0 ||
                                 set_hex64(j, "current_mitigations", r->current_mit_vector) < 0))
                       ? -1
                       : 0;
}

json_t *snp_report_to_json(const struct snp_report *r, enum snp_line line)
{
        AUTO(json_free_p) json_t *j = json_object();

        if (!j || json_set_int(j, "version", r->version) < 0 ||
            json_set_str(j, "product", snp_line_name(line)) < 0 || json_set_int(j, "vmpl", r->vmpl) < 0 ||
            json_set_str(j, "signed_by", key_name(r->signing_key)) < 0 ||
            json_object_set_new(j, "guest_policy", guest_policy_json(r)) < 0 ||
            json_object_set_new(j, "platform", platform_json(r)) < 0 || set_platform(j, r, line) < 0 ||
            json_set_hex(j, "measurement", r->measurement) < 0 ||
            json_set_hex(j, "report_data", r->report_data) < 0 ||
            json_set_hex(j, "host_data", r->host_data) < 0 ||
            json_set_int(j, "guest_svn", r->guest_svn) < 0 ||
            json_set_hex(j, "family_id", r->family_id) < 0 || json_set_hex(j, "image_id", r->image_id) < 0 ||
            json_set_hex(j, "id_key_digest", r->id_key_digest) < 0 ||
            json_set_bool(j, "author_key", r->author_key_en) < 0 ||
            json_set_hex(j, "author_key_digest", r->author_key_digest) < 0 ||
            json_set_hex(j, "report_id", r->report_id) < 0 ||
            json_set_hex(j, "report_id_of_migration_agent", r->report_id_ma) < 0)
                return NULL;
        return TAKE(j);
}

json_t *snp_leaf_to_json(const struct snp_leaf *leaf, enum snp_line line, enum snp_signing_key kind)
{
        AUTO(json_free_p) json_t *j = json_object();

        if (!j || json_set_str(j, "kind", kind == SNP_KEY_VLEK ? "VLEK" : "VCEK") < 0 ||
            json_set_str(j, "product", leaf->product) < 0 ||
            json_object_set_new(j, "tcb", tcb_json(line, &leaf->tcb)) < 0 ||
            (kind == SNP_KEY_VLEK ? json_set_str(j, "provider", leaf->csp_id)
                                  : json_set_hex(j, "chip_id", leaf->hwid)) < 0)
                return NULL;
        return TAKE(j);
}

/* ---- Intel ---- */

static json_t *enclave_json(const struct sgx_report *e)
{
        static const struct bit names[] = {{0, "initialised"},      {1, "debug: its memory can be read"},
                                           {2, "64-bit"},           {4, "provisioning key"},
                                           {5, "launch token key"}, {6, "CET"},
                                           {7, "key separation"}};
        AUTO(json_free_p) json_t *j = json_object();

        if (!j || json_set_hex(j, "mrenclave", e->mr_enclave) < 0 ||
            json_set_hex(j, "mrsigner", e->mr_signer) < 0 || json_set_int(j, "isvprodid", e->prod_id) < 0 ||
            json_set_int(j, "isvsvn", e->isv_svn) < 0 ||
            json_object_set_new(j, "attributes", bits(e->flags, names, ARRAY_LEN(names))) < 0 ||
            set_hex64(j, "xfrm", e->xfrm) < 0 || set_hex64(j, "miscselect", e->misc_select) < 0 ||
            json_set_hex(j, "cpusvn", e->cpu_svn) < 0 || json_set_hex(j, "configid", e->config_id) < 0 ||
            json_set_int(j, "configsvn", e->config_svn) < 0 ||
            json_set_hex(j, "isvfamilyid", e->family_id) < 0)
                return NULL;
        return TAKE(j);
}

static int set_rtmrs(json_t *j, const struct td_report *td)
{
        static const char *const names[TD_RTMRS] = {"rtmr0", "rtmr1", "rtmr2", "rtmr3"};
        int r = 0;

        for (size_t i = 0; i < TD_RTMRS; i++)
                r |= json_set_hex(j, names[i], td->rtmr[i]);
        return r;
}

static json_t *td_json(const struct td_report *td)
{
        static const struct bit names[] = {{0, "debug: its memory can be read"},
                                           {28, "SEPT_VE_DISABLE"},
                                           {30, "protection keys"},
                                           {31, "key locker"},
                                           {63, "performance monitoring"}};
        AUTO(json_free_p) json_t *j = json_object();

        if (!j || json_set_hex(j, "mrtd", td->mr_td) < 0 || set_rtmrs(j, td) < 0 ||
            json_object_set_new(j, "attributes", bits(td->attributes, names, ARRAY_LEN(names))) < 0 ||
            set_hex64(j, "xfam", td->xfam) < 0 || json_set_hex(j, "mrconfigid", td->mr_config_id) < 0 ||
            json_set_hex(j, "mrowner", td->mr_owner) < 0 ||
            json_set_hex(j, "mrownerconfig", td->mr_owner_config) < 0 ||
            json_set_hex(j, "tee_tcb_svn", td->tee_tcb_svn) < 0 ||
            json_set_hex(j, "mrseam", td->mr_seam) < 0 ||
            json_set_hex(j, "mrsignerseam", td->mr_signer_seam) < 0 ||
            set_hex64(j, "seam_attributes", td->seam_attributes) < 0 ||
            (td->tee_tcb_svn2.p && json_set_hex(j, "tee_tcb_svn2", td->tee_tcb_svn2) < 0) ||
            (td->mr_service_td.p && json_set_hex(j, "mrservicetd", td->mr_service_td) < 0))
                return NULL;
        return TAKE(j);
}

json_t *dcap_quote_to_json(const struct dcap_quote *q)
{
        AUTO(json_free_p) json_t *j = json_object();
        const char *body = q->body == DCAP_BODY_SGX    ? "SGX enclave"
                           : q->body == DCAP_BODY_TD10 ? "TD, TDX 1.0"
                                                       : "TD, TDX 1.5";

        if (!j || json_set_int(j, "version", q->version) < 0 || json_set_str(j, "of", body) < 0 ||
            json_object_set_new(j, q->tee == DCAP_TDX ? "td" : "enclave",
                                q->tee == DCAP_TDX ? td_json(&q->td) : enclave_json(&q->sgx)) < 0 ||
            json_set_hex(j, "report_data", q->report_data) < 0 ||
            json_set_hex(j, "qe_vendor", q->qe_vendor) < 0 ||
            json_set_hex(j, "user_data", q->user_data) < 0 ||
            json_object_set_new(j, "quoting_enclave", enclave_json(&q->qe)) < 0 ||
            json_set_int(j, "certification_data_type", q->cert_type) < 0 ||
            json_set_int(j, "trailing_bytes", (int64_t)q->trailing.len) < 0)
                return NULL;
        return TAKE(j);
}

static json_t *platform_of_pck(const struct pck *pck)
{
        AUTO(json_free_p) json_t *j = json_object();

        if (!j || json_set_hex(j, "fmspc", VIEW_ARRAY(pck->fmspc)) < 0 ||
            json_set_hex(j, "pceid", VIEW_ARRAY(pck->pceid)) < 0 ||
            json_set_int(j, "pcesvn", pck->pcesvn) < 0 ||
            json_set_hex(j, "components", VIEW_ARRAY(pck->components)) < 0)
                return NULL;
        return TAKE(j);
}

json_t *dcap_status_to_json(const struct dcap_result *r)
{
        AUTO(json_free_p) json_t *j = json_object();
        AUTO(json_free_p) json_t *list = json_array();

        for (size_t i = 0; i < r->n_advisories; i++)
                if (json_array_append_new(list, json_string(r->advisories[i])) < 0)
                        return NULL;
        if (!j || json_set_str(j, "overall", dcap_status_name(r->overall)) < 0 ||
            json_set_str(j, "platform", dcap_status_name(r->platform)) < 0 ||
            (r->quote.tee == DCAP_TDX && json_set_str(j, "module", dcap_status_name(r->module)) < 0) ||
            json_set_str(j, "quoting_enclave", dcap_status_name(r->qe)) < 0 ||
            (r->tcb_date_ms && json_set_time(j, "tcb_date", r->tcb_date_ms) < 0) ||
            (r->evaluation_number >= 0 &&
             json_set_int(j, "evaluation_data_number", r->evaluation_number) < 0) ||
            (r->next_update_ms != INT64_MAX &&
             json_set_time(j, "collateral_good_until", r->next_update_ms) < 0) ||
            json_object_set(j, "advisories", list) < 0 ||
            (r->has_pck && json_object_set_new(j, "certified_platform", platform_of_pck(&r->pck)) < 0))
                return NULL;
        return TAKE(j);
}

/* ---- the event log of a confidential guest ---- */

static json_t *event_json(const struct bootlog_event *e)
{
        AUTO(json_free_p) json_t *j = json_object();
        AUTO(buf_free) struct buf text = {0};
        const char *type = bootlog_type_name(e->type);
        struct err unused = ERR_INIT;
        struct view bytes;
        bool covered = bootlog_covered(e, DIGEST_SHA384, &bytes, &unused) == BOOTLOG_COVERED;
        char number[16];

        bootlog_describe(e, &text);
        if (text.len > EVENT_TEXT_BYTES_MAX)
                text.len = EVENT_TEXT_BYTES_MAX;
        buf_u8(&text, 0);
        (void)snprintf(number, sizeof(number), "0x%x", e->type);
        if (!buf_ok(&text) || !j || json_set_int(j, "event", (int64_t)e->number) < 0 ||
            json_set_int(j, "register", e->pcr) < 0 || json_set_str(j, "type", type ? type : number) < 0 ||
            json_set_hex(j, "sha384", bootlog_event_digest(e, DIGEST_SHA384)) < 0 ||
            json_set_str(j, "text", (const char *)text.p) < 0 ||
            json_set_bool(j, "digest_covers_text", covered) < 0)
                return NULL;
        return TAKE(j);
}

json_t *ccel_to_json(const struct bootlog *log, const struct digest replayed[TD_RTMRS])
{
        static const char *const names[TD_RTMRS] = {"rtmr0", "rtmr1", "rtmr2", "rtmr3"};
        AUTO(json_free_p) json_t *j = json_object();
        AUTO(json_free_p) json_t *events = json_array();
        struct bootlog_pos pos = {0};
        struct bootlog_event e;

        while (bootlog_next(log, &pos, &e))
                if (json_array_append_new(events, event_json(&e)) < 0)
                        return NULL;
        for (size_t i = 0; i < TD_RTMRS; i++)
                if (json_set_hex(j, names[i], digest_view(&replayed[i])) < 0)
                        return NULL;
        if (json_set_int(j, "bytes", (int64_t)log->bytes.len) < 0 || json_object_set(j, "events", events) < 0)
                return NULL;
        return TAKE(j);
}
