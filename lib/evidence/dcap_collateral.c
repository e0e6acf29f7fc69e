/* SPDX-License-Identifier: Apache-2.0 */
/*
 * TCB info and QE identity, from their JSON into plain values. Levels are put into order here, highest first,
 * so that "the first level that fits" means the same whatever order a file has. A status word that is not
 * known fails the whole document: a word of tomorrow may well mean "worse".
 *
 * Spec: Intel API v4; TCB info version 3, QE identity version 2. Versions before are refused: TCB info
 * version 2 has no id, so one of SGX would pass for one of TDX.
 */
#include "evidence/dcap_collateral.h"

#include <string.h>

#include "base/hex.h"
#include "base/mem.h"
#include "base/str.h"

static const char *const status_names[DCAP_N_STATUSES] = {
        [DCAP_STATUS_NONE] = "none",
        [DCAP_UP_TO_DATE] = "UpToDate",
        [DCAP_SW_HARDENING] = "SWHardeningNeeded",
        [DCAP_CONFIGURATION] = "ConfigurationNeeded",
        [DCAP_CONFIGURATION_AND_SW] = "ConfigurationAndSWHardeningNeeded",
        [DCAP_OUT_OF_DATE] = "OutOfDate",
        [DCAP_OUT_OF_DATE_CONFIGURATION] = "OutOfDateConfigurationNeeded",
        [DCAP_REVOKED] = "Revoked",
        [DCAP_TD_RELAUNCH] = "TDRelaunchAdvised",
        [DCAP_TD_RELAUNCH_CONFIGURATION] = "TDRelaunchAdvisedConfigurationNeeded",
};

const char *dcap_status_name(enum dcap_status status)
{
        return (size_t)status < DCAP_N_STATUSES ? status_names[status] : status_names[DCAP_STATUS_NONE];
}

bool dcap_status_by_name(const char *name, enum dcap_status *ret)
{
        for (size_t i = DCAP_UP_TO_DATE; i <= DCAP_REVOKED; i++)
                if (strcmp(status_names[i], name) == 0) {
                        *ret = (enum dcap_status)i;
                        return true;
                }
        return false;
}

/* Exactly N bytes in hex of either case: Intel and its mirrors differ in it. */
static int get_bytes(const json_t *obj, const char *name, uint8_t *ret, size_t n, struct err *err)
{
        AUTO(buf_free)
        struct buf b = {0};
        const char *text = NULL;
        int r = json_get_str(obj, name, &text, err);

        if (r >= 0 && hex_decode_any(view_str(text), n, &b, err) < 0)
                r = err_wrap(err, "member '%s'", name);
        if (r >= 0 && b.len != n)
                r = err_set(err, ERR_FORMAT, 0, "member '%s': %zu bytes, expected %zu", name, b.len, n);
        if (r >= 0)
                memcpy(ret, b.p, n);
        return r;
}

static int get_le64(const json_t *obj, const char *name, uint64_t *ret, struct err *err)
{
        uint8_t b[8];
        struct cursor c = cursor_of(VIEW_ARRAY(b));
        int r = get_bytes(obj, name, b, sizeof(b), err);

        if (r >= 0 && !cursor_le64(&c, ret))
                return err_set(err, ERR_BUG, 0, "eight bytes are too few");
        return r;
}

/* MISCSELECT is written as the bytes of the report, not as a number: seen in Intel's sample data. */
static int get_le32(const json_t *obj, const char *name, uint32_t *ret, struct err *err)
{
        uint8_t b[4];
        struct cursor c = cursor_of(VIEW_ARRAY(b));
        int r = get_bytes(obj, name, b, sizeof(b), err);

        if (r >= 0 && !cursor_le32(&c, ret))
                return err_set(err, ERR_BUG, 0, "four bytes are too few");
        return r;
}

static int get_u16(const json_t *obj, const char *name, uint16_t *ret, struct err *err)
{
        int64_t x = 0;
        int r = json_get_int(obj, name, 0, UINT16_MAX, &x, err);

        if (r >= 0)
                *ret = (uint16_t)x;
        return r;
}

static int get_window(const json_t *doc, struct tcb_window *ret, struct err *err)
{
        int r = json_get_time(doc, "issueDate", &ret->issue_ms, err);

        if (r >= 0)
                r = json_get_time(doc, "nextUpdate", &ret->next_update_ms, err);
        if (r >= 0)
                r = json_get_int(doc, "tcbEvaluationDataNumber", 0, INT32_MAX, &ret->evaluation_number, err);
        return r;
}

static int get_verdict(const json_t *level, struct tcb_verdict *ret, struct err *err)
{
        const json_t *item;
        const char *word = NULL;
        size_t i;
        int r = json_get_str(level, "tcbStatus", &word, err);

        if (r < 0)
                return r;
        if (!dcap_status_by_name(word, &ret->status))
                return err_set(err, ERR_FORMAT, 0, "member 'tcbStatus': %s is not known", SHOW(word));
        r = json_get_time(level, "tcbDate", &ret->date_ms, err);
        if (r >= 0)
                r = json_opt_array(level, "advisoryIDs", TCB_ADVISORIES_MAX, &ret->advisories, err);
        if (r < 0)
                return r;
        json_array_foreach (ret->advisories, i, item)
                if (!json_is_string(item))
                        return err_set(err, ERR_FORMAT, 0, "member 'advisoryIDs': entry %zu is no string", i);
        return 0;
}

static int get_components(const json_t *tcb, const char *name, uint8_t ret[16], struct err *err)
{
        const json_t *list = NULL, *item;
        size_t i;
        int r = json_get_array(tcb, name, 16, &list, err);

        if (r < 0)
                return r;
        if (json_array_size(list) != 16)
                return err_set(err, ERR_FORMAT, 0, "member '%s': %zu components, expected 16", name,
                               json_array_size(list));
        json_array_foreach (list, i, item) {
                int64_t svn = 0;

                if (!json_is_object(item))
                        return err_set(err, ERR_FORMAT, 0, "member '%s': component %zu is no object", name,
                                       i);
                r = json_get_int(item, "svn", 0, UINT8_MAX, &svn, err);
                if (r < 0)
                        return err_wrap(err, "member '%s': component %zu", name, i);
                ret[i] = (uint8_t)svn;
        }
        return 0;
}

static int get_level(const json_t *j, enum dcap_tee tee, struct tcb_level *ret, struct err *err)
{
        const json_t *tcb = NULL;
        int r = json_get_object(j, "tcb", &tcb, err);

        if (r >= 0)
                r = get_components(tcb, "sgxtcbcomponents", ret->sgx, err);
        if (r >= 0)
                r = get_u16(tcb, "pcesvn", &ret->pcesvn, err);
        if (r >= 0 && tee == DCAP_TDX)
                r = get_components(tcb, "tdxtcbcomponents", ret->tdx, err);
        return r < 0 ? r : get_verdict(j, &ret->is, err);
}

static int byte_order(const uint8_t *a, const uint8_t *b, size_t n)
{
        for (size_t i = 0; i < n; i++)
                if (a[i] != b[i])
                        return a[i] < b[i] ? 1 : -1;
        return 0;
}

/* Highest first: SGX components one after the other, then PCESVN, then TDX components. */
static int level_order(const void *pa, const void *pb)
{
        const struct tcb_level *a = pa, *b = pb;
        int r = byte_order(a->sgx, b->sgx, sizeof(a->sgx));

        if (r == 0 && a->pcesvn != b->pcesvn)
                r = a->pcesvn < b->pcesvn ? 1 : -1;
        return r ? r : byte_order(a->tdx, b->tdx, sizeof(a->tdx));
}

static int svn_order(const void *pa, const void *pb)
{
        const struct svn_level *a = pa, *b = pb;

        return a->isv_svn == b->isv_svn ? 0 : a->isv_svn < b->isv_svn ? 1 : -1;
}

static int get_svn_levels(const json_t *doc, struct svn_level **ret, size_t *ret_n, struct err *err)
{
        const json_t *list = NULL, *item, *tcb = NULL;
        struct svn_level *v;
        size_t i;
        int r = json_get_array(doc, "tcbLevels", TCB_LEVELS_MAX, &list, err);

        if (r < 0)
                return r;
        v = mem_zalloc(json_array_size(list) + 1, sizeof(*v));
        if (!v)
                return err_nomem(err);
        json_array_foreach (list, i, item) {
                if (!json_is_object(item))
                        r = err_set(err, ERR_FORMAT, 0, "it is no object");
                else
                        r = json_get_object(item, "tcb", &tcb, err);
                if (r >= 0)
                        r = get_u16(tcb, "isvsvn", &v[i].isv_svn, err);
                if (r >= 0)
                        r = get_verdict(item, &v[i].is, err);
                if (r < 0) {
                        free(v);
                        return err_wrap(err, "TCB level %zu", i);
                }
        }
        qsort(v, json_array_size(list), sizeof(*v), svn_order);
        *ret = v;
        *ret_n = json_array_size(list);
        return 0;
}

static int get_module(const json_t *j, struct tdx_module *ret, struct err *err)
{
        int r = get_bytes(j, "mrsigner", ret->mr_signer, sizeof(ret->mr_signer), err);

        if (r >= 0)
                r = get_le64(j, "attributes", &ret->attributes, err);
        if (r >= 0)
                r = get_le64(j, "attributesMask", &ret->attributes_mask, err);
        ret->there = r >= 0;
        return r;
}

/* "TDX_nn", nn in hex of either case. */
static int get_module_id(const json_t *j, uint8_t *ret, struct err *err)
{
        const char *id = NULL;
        int high, low, r = json_get_str(j, "id", &id, err);

        if (r < 0)
                return r;
        high = strlen(id) == 6 ? hex_digit((uint8_t)id[4]) : -1;
        low = high < 0 ? -1 : hex_digit((uint8_t)id[5]);
        if (low < 0 || !str_starts(id, "TDX_"))
                return err_set(err, ERR_FORMAT, 0, "member 'id': %s is no TDX module", SHOW(id));
        *ret = (uint8_t)(high << 4 | low);
        return 0;
}

static int get_modules(const json_t *doc, struct tcb_info *ret, struct err *err)
{
        const json_t *one = NULL, *list = NULL, *item;
        size_t i;
        int r = json_get_object(doc, "tdxModule", &one, err);

        if (r >= 0)
                r = get_module(one, &ret->module, err);
        if (r >= 0)
                r = json_opt_array(doc, "tdxModuleIdentities", TCB_MODULES_MAX, &list, err);
        if (r < 0)
                return err_wrap(err, "TDX modules");
        ret->modules = mem_zalloc(json_array_size(list) + 1, sizeof(*ret->modules));
        if (!ret->modules)
                return err_nomem(err);
        json_array_foreach (list, i, item) {
                struct tdx_module *m = &ret->modules[ret->n_modules++];

                r = json_is_object(item) ? get_module_id(item, &m->id, err)
                                         : err_set(err, ERR_FORMAT, 0, "it is no object");
                if (r >= 0)
                        r = get_module(item, m, err);
                if (r >= 0)
                        r = get_svn_levels(item, &m->levels, &m->n_levels, err);
                for (size_t k = 0; r >= 0 && k < i; k++)
                        if (ret->modules[k].id == m->id)
                                r = err_set(err, ERR_FORMAT, 0, "its id stands twice");
                if (r < 0)
                        return err_wrap(err, "TDX module identity %zu", i);
        }
        return 0;
}

static int get_levels(const json_t *doc, struct tcb_info *ret, struct err *err)
{
        const json_t *list = NULL, *item;
        size_t i;
        int r = json_get_array(doc, "tcbLevels", TCB_LEVELS_MAX, &list, err);

        if (r < 0)
                return r;
        ret->levels = mem_zalloc(json_array_size(list) + 1, sizeof(*ret->levels));
        if (!ret->levels)
                return err_nomem(err);
        json_array_foreach (list, i, item) {
                r = json_is_object(item) ? get_level(item, ret->tee, &ret->levels[i], err)
                                         : err_set(err, ERR_FORMAT, 0, "it is no object");
                if (r < 0)
                        return err_wrap(err, "TCB level %zu", i);
        }
        ret->n_levels = json_array_size(list);
        qsort(ret->levels, ret->n_levels, sizeof(*ret->levels), level_order);
        return 0;
}

/* The id, one of two words, and the version. */
static int get_kind(const json_t *doc, const char *sgx, const char *tdx, int64_t version, enum dcap_tee *ret,
                    struct err *err)
{
        const char *id = NULL;
        int64_t found = 0;
        int r = json_get_int(doc, "version", version, version, &found, err);

        if (r >= 0)
                r = json_get_str(doc, "id", &id, err);
        if (r < 0)
                return r;
        if (strcmp(id, sgx) != 0 && strcmp(id, tdx) != 0)
                return err_set(err, ERR_FORMAT, 0, "member 'id': %s is neither %s nor %s", SHOW(id), sgx,
                               tdx);
        *ret = strcmp(id, tdx) == 0 ? DCAP_TDX : DCAP_SGX;
        return 0;
}

int tcb_info_parse(struct view body, struct tcb_info *ret, struct err *err)
{
        struct tcb_info info = {0};
        int64_t type = 0;
        int r = json_parse(body, SIGNED_JSON_BYTES_MAX, &info.doc, err);

        *ret = (struct tcb_info){0};
        if (r >= 0)
                r = get_kind(info.doc, "SGX", "TDX", 3, &info.tee, err);
        if (r >= 0)
                r = get_window(info.doc, &info.window, err);
        if (r >= 0)
                r = json_get_int(info.doc, "tcbType", 0, 0, &type, err);
        if (r >= 0)
                r = get_bytes(info.doc, "fmspc", info.fmspc, sizeof(info.fmspc), err);
        if (r >= 0)
                r = get_bytes(info.doc, "pceId", info.pceid, sizeof(info.pceid), err);
        if (r >= 0 && info.tee == DCAP_TDX)
                r = get_modules(info.doc, &info, err);
        if (r >= 0)
                r = get_levels(info.doc, &info, err);
        if (r < 0) {
                tcb_info_done(&info);
                return err_wrap(err, "TCB info");
        }
        *ret = info;
        return 0;
}

void tcb_info_done(struct tcb_info *info)
{
        for (size_t i = 0; i < info->n_modules; i++)
                free(info->modules[i].levels);
        free(info->modules);
        free(info->levels);
        json_decref(info->doc);
        *info = (struct tcb_info){0};
}

int qe_identity_parse(struct view body, struct qe_identity *ret, struct err *err)
{
        struct qe_identity qe = {0};
        int r = json_parse(body, SIGNED_JSON_BYTES_MAX, &qe.doc, err);

        *ret = (struct qe_identity){0};
        if (r >= 0)
                r = get_kind(qe.doc, "QE", "TD_QE", 2, &qe.tee, err);
        if (r >= 0)
                r = get_window(qe.doc, &qe.window, err);
        if (r >= 0)
                r = get_le32(qe.doc, "miscselect", &qe.misc_select, err);
        if (r >= 0)
                r = get_le32(qe.doc, "miscselectMask", &qe.misc_select_mask, err);
        if (r >= 0)
                r = get_bytes(qe.doc, "attributes", qe.attributes, sizeof(qe.attributes), err);
        if (r >= 0)
                r = get_bytes(qe.doc, "attributesMask", qe.attributes_mask, sizeof(qe.attributes_mask), err);
        if (r >= 0)
                r = get_bytes(qe.doc, "mrsigner", qe.mr_signer, sizeof(qe.mr_signer), err);
        if (r >= 0)
                r = get_u16(qe.doc, "isvprodid", &qe.prod_id, err);
        if (r >= 0)
                r = get_svn_levels(qe.doc, &qe.levels, &qe.n_levels, err);
        if (r < 0) {
                qe_identity_done(&qe);
                return err_wrap(err, "QE identity");
        }
        *ret = qe;
        return 0;
}

void qe_identity_done(struct qe_identity *qe)
{
        free(qe->levels);
        json_decref(qe->doc);
        *qe = (struct qe_identity){0};
}
