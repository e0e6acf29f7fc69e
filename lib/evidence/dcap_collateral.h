/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_EVIDENCE_DCAP_COLLATERAL_H
#define AVOW_EVIDENCE_DCAP_COLLATERAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/err.h"
#include "base/json.h"
#include "base/macro.h"
#include "crypto/pubkey.h"
#include "evidence/dcap_quote.h"
#include "evidence/pck.h"

/*
 * What Intel says about platforms and quoting enclaves: TCB info and QE identity, each a JSON object signed
 * as the bytes it stands in. Read the signature first (signed_json_cut, signed_json_check), then parse the
 * body that was signed. Unknown members are ignored, unknown words are errors.
 * Spec: Intel API for provisioning certification v4, "Get TCB Info", "Get Quoting Enclave Identity".
 */
#define SIGNED_JSON_BYTES_MAX (1024u * 1024u)
#define TCB_LEVELS_MAX        256
#define TCB_MODULES_MAX       16
#define TCB_ADVISORIES_MAX    128

enum dcap_status {
        DCAP_STATUS_NONE = 0, /* not known: never good */
        DCAP_UP_TO_DATE,
        DCAP_SW_HARDENING,
        DCAP_CONFIGURATION,
        DCAP_CONFIGURATION_AND_SW,
        DCAP_OUT_OF_DATE,
        DCAP_OUT_OF_DATE_CONFIGURATION,
        DCAP_REVOKED,
        DCAP_TD_RELAUNCH,
        DCAP_TD_RELAUNCH_CONFIGURATION,
        DCAP_N_STATUSES
};

/* "UpToDate", …, Intel's words; "none". */
const char *dcap_status_name(enum dcap_status status);
/* Words that collateral may hold: all but the two of a relaunch, which are only ever concluded. */
bool dcap_status_by_name(const char *name, enum dcap_status *ret) MUST_USE;

/* The object that is member NAME of TEXT, exactly as it stands, and the 64 bytes of member "signature". */
struct signed_json {
        struct view body; /* borrowed from TEXT */
        uint8_t signature[64];
};
int signed_json_cut(struct view text, const char *name, struct signed_json *ret, struct err *err) MUST_USE;
/* ECDSA P-256, SHA-256 over the body's bytes. Return: 0 and the answer. */
int signed_json_check(const struct signed_json *j, const struct pubkey *key, bool *ret_good,
                      struct err *err) MUST_USE;

/* What is alike in levels of platforms, modules and enclaves. */
struct tcb_verdict {
        enum dcap_status status;
        int64_t date_ms;
        const json_t *advisories; /* array of strings, borrowed from the document; or NULL */
};

struct tcb_level {
        uint8_t sgx[PCK_COMPONENTS], tdx[16];
        uint16_t pcesvn;
        struct tcb_verdict is;
};

struct svn_level {
        uint16_t isv_svn;
        struct tcb_verdict is;
};

/* A TDX module: the one before versions (no id, no levels), or of one major version. */
struct tdx_module {
        bool there;
        uint8_t id; /* of "TDX_nn" */
        uint8_t mr_signer[48];
        uint64_t attributes, attributes_mask;
        size_t n_levels;
        struct svn_level *levels; /* highest first */
};

/* Issue and end of either document, in ms. */
struct tcb_window {
        int64_t issue_ms, next_update_ms;
        int64_t evaluation_number;
};

struct tcb_info {
        json_t *doc;
        enum dcap_tee tee;
        struct tcb_window window;
        uint8_t fmspc[6], pceid[2];
        struct tdx_module module; /* TDX */
        size_t n_modules;
        struct tdx_module *modules;
        size_t n_levels;
        struct tcb_level *levels; /* highest first */
};

struct qe_identity {
        json_t *doc;
        enum dcap_tee tee;
        struct tcb_window window;
        uint32_t misc_select, misc_select_mask;
        uint8_t attributes[16], attributes_mask[16], mr_signer[32];
        uint16_t prod_id;
        size_t n_levels;
        struct svn_level *levels; /* highest first */
};

/* Return: 0; -ERR_FORMAT, -ERR_LIMIT, -ERR_NOMEM. RET is done with the _done function, also on failure (it
 * is empty then). */
int tcb_info_parse(struct view body, struct tcb_info *ret, struct err *err) MUST_USE;
void tcb_info_done(struct tcb_info *info);
int qe_identity_parse(struct view body, struct qe_identity *ret, struct err *err) MUST_USE;
void qe_identity_done(struct qe_identity *qe);

#endif
