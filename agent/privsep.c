/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Frames and messages between the halves of the agent. The threat is a network half that a server took over:
 * it can ask for what the table permits, as often as it likes, and nothing else. So decoders demand exact
 * lengths and no rest, lengths are checked against named limits before anything is kept, and the table of
 * states is here, beside the types, where a test can walk it. Spec: style guide, privilege separation; SR-13.
 */
#include "agent/privsep.h"

#include "agent/frame.h"
#include "base/str.h"

#define ALWAYS                                                                                               \
        {                                                                                                    \
                [PRIVSEP_STATE_STARTING] = true, [PRIVSEP_STATE_READY] = true                                \
        }
#define READY                                                                                                \
        {                                                                                                    \
                [PRIVSEP_STATE_READY] = true                                                                 \
        }

static const struct {
        enum privsep_type type;
        const char *name;
        bool in[PRIVSEP_N_STATES]; /* asked by the network half */
        size_t max;                /* bytes of a request; 0: PRIVSEP_REQUEST_MAX */
} table[] = {
        {PRIVSEP_STATUS, "status", ALWAYS, 0},
        {PRIVSEP_IDENTITY, "identity", READY, 0},
        {PRIVSEP_ACTIVATE, "activate", READY, 0},
        {PRIVSEP_SESSION, "session", READY, 0},
        {PRIVSEP_COLLECT, "collect", READY, 0},
        {PRIVSEP_REVOKE, "revoke", READY, PRIVSEP_REVOKE_MAX},
        {PRIVSEP_SECRETS, "secrets", READY, PRIVSEP_SECRETS_MAX},
        {PRIVSEP_WANTED, "wanted", READY, 0},
        {PRIVSEP_SHOW, "show", READY, 0},
        {PRIVSEP_RELEASE, "release", READY, 0},
        {PRIVSEP_KEYS, "keys", READY, PRIVSEP_KEYS_MAX},
        {PRIVSEP_ALIVE, "alive", READY, 0},
        {PRIVSEP_PERMIT, "permit", READY, PRIVSEP_PERMIT_MAX},
        {PRIVSEP_REACH, "reach", ALWAYS, 0},
        {PRIVSEP_RECEIPTS, "receipts", READY, 0},
        {PRIVSEP_COUNTERSIGNED, "countersigned", READY, PRIVSEP_COUNTERSIGNED_MAX},
        {PRIVSEP_EVENT, "event", {0}, 0},
};

bool privsep_permitted(enum privsep_type type, enum privsep_state state)
{
        for (size_t i = 0; i < ARRAY_LEN(table); i++)
                if (table[i].type == type)
                        return state < PRIVSEP_N_STATES && table[i].in[state];
        return false;
}

const char *privsep_type_name(enum privsep_type type)
{
        for (size_t i = 0; i < ARRAY_LEN(table); i++)
                if (table[i].type == type)
                        return table[i].name;
        return "unknown";
}

void privsep_frame_put(struct buf *out, const struct privsep_frame *frame)
{
        frame_put(out,
                  &(struct frame){.type = (uint8_t)frame->type,
                                  .result = (uint8_t)frame->result,
                                  .id = frame->id,
                                  .body = frame->body},
                  PRIVSEP_FRAME_MAX);
}

int privsep_frame_take(struct view in, size_t max, struct privsep_frame *ret, struct err *err)
{
        struct frame f;
        int used = frame_take(in, max, &f, err);

        if (used <= 0)
                return used;
        if (f.result > PRIVSEP_FAILED || str_equal(privsep_type_name((enum privsep_type)f.type), "unknown"))
                return err_set(err, ERR_FORMAT, 0, "frame of type %u, result %u", f.type, f.result);
        *ret = (struct privsep_frame){(enum privsep_type)f.type, (enum privsep_result)f.result, f.id, f.body};
        return used;
}

/* Before the type is there, the header alone is waited for, whatever it says: it is short. */
int privsep_request_take(struct view in, struct privsep_frame *ret, struct err *err)
{
        size_t max = PRIVSEP_REQUEST_MAX;

        for (size_t i = 0; in.len > 4 && i < ARRAY_LEN(table); i++)
                if (table[i].type == in.p[4] && table[i].max > max)
                        max = table[i].max;
        if (in.len < FRAME_HEADER_BYTES)
                return 0;
        return privsep_frame_take(in, max, ret, err);
}

static bool get_state(struct cursor *c, enum privsep_state *ret)
{
        struct cursor at = *c;
        uint8_t byte;

        if (!cursor_u8(&at, &byte) || byte >= PRIVSEP_N_STATES)
                return false;
        *ret = byte;
        *c = at;
        return true;
}

void privsep_activate_put(struct buf *out, const struct privsep_activate *m)
{
        frame_put_bytes(out, m->id_object);
        frame_put_bytes(out, m->secret);
}

int privsep_activate_get(struct view in, struct privsep_activate *ret, struct err *err)
{
        struct cursor c = cursor_of(in);
        struct privsep_activate m;
        bool ok = frame_get_bytes(&c, &m.id_object) && frame_get_bytes(&c, &m.secret);
        int r = frame_done(ok, &c, "activate", err);

        if (r >= 0)
                *ret = m;
        return r;
}

void privsep_session_put(struct buf *out, const struct privsep_session *m)
{
        frame_put_bytes(out, m->verifier_id);
        frame_put_bytes(out, m->challenge);
        frame_put_bytes(out, m->spki_sha256);
}

int privsep_session_get(struct view in, struct privsep_session *ret, struct err *err)
{
        struct cursor c = cursor_of(in);
        struct privsep_session m;
        bool ok = frame_get_bytes(&c, &m.verifier_id) && frame_get_bytes(&c, &m.challenge) &&
                  frame_get_bytes(&c, &m.spki_sha256);
        int r = frame_done(ok, &c, "session", err);

        if (r >= 0)
                *ret = m;
        return r;
}

void privsep_collect_put(struct buf *out, const struct privsep_collect *m)
{
        frame_put_bytes(out, m->verifier_id);
        frame_put_bytes(out, m->challenge);
        buf_be16(out, m->bank);
        buf_be32(out, m->mask);
        buf_be32(out, m->log_offset);
        buf_be32(out, m->log_max);
        buf_u8(out, m->uefi);
        buf_be64(out, m->ima_offset);
        buf_be64(out, m->ima_at);
        buf_be32(out, m->ima_max);
        buf_be32(out, m->launch_offset);
        buf_be32(out, m->launch_max);
        buf_u8(out, m->tee);
}

static bool get_tee(struct cursor *c, uint8_t *ret)
{
        return cursor_u8(c, ret) && *ret <= TEE_N_KINDS;
}

static bool get_collect(struct cursor *c, struct privsep_collect *m)
{
        return frame_get_bytes(c, &m->verifier_id) && frame_get_bytes(c, &m->challenge) &&
               cursor_be16(c, &m->bank) && cursor_be32(c, &m->mask) && cursor_be32(c, &m->log_offset) &&
               cursor_be32(c, &m->log_max) && frame_get_bool(c, &m->uefi) && cursor_be64(c, &m->ima_offset) &&
               cursor_be64(c, &m->ima_at) && cursor_be32(c, &m->ima_max) &&
               cursor_be32(c, &m->launch_offset) && cursor_be32(c, &m->launch_max) && get_tee(c, &m->tee);
}

int privsep_collect_get(struct view in, struct privsep_collect *ret, struct err *err)
{
        struct cursor c = cursor_of(in);
        struct privsep_collect m;
        int r = frame_done(get_collect(&c, &m), &c, "collect", err);

        if (r >= 0)
                *ret = m;
        return r;
}

void privsep_revoke_put(struct buf *out, const struct privsep_revoke *m)
{
        frame_put_bytes(out, m->jws);
        frame_put_bytes(out, m->nonce);
}

int privsep_revoke_get(struct view in, struct privsep_revoke *ret, struct err *err)
{
        struct cursor c = cursor_of(in);
        struct privsep_revoke m;
        bool ok = frame_get_bytes(&c, &m.jws) && frame_get_bytes(&c, &m.nonce) && m.jws.len != 0 &&
                  (m.nonce.len == 0 || m.nonce.len == PRIVSEP_NONCE_BYTES);
        int r = frame_done(ok, &c, "revoke", err);

        if (r >= 0)
                *ret = m;
        return r;
}

void privsep_show_put(struct buf *out, const struct privsep_show *m)
{
        buf_be32(out, m->number);
        privsep_collect_put(out, &m->collect);
}

int privsep_show_get(struct view in, struct privsep_show *ret, struct err *err)
{
        struct cursor c = cursor_of(in);
        struct privsep_show m;
        bool ok = cursor_be32(&c, &m.number) && get_collect(&c, &m.collect);
        int r = frame_done(ok, &c, "show", err);

        if (r >= 0)
                *ret = m;
        return r;
}

void privsep_release_put(struct buf *out, const struct privsep_release *m)
{
        buf_be32(out, m->number);
        buf_u8(out, m->granted);
        buf_u8(out, m->final);
        buf_be32(out, m->lease_s);
        frame_put_bytes(out, m->signature);
        frame_put_bytes(out, m->text);
}

int privsep_release_get(struct view in, struct privsep_release *ret, struct err *err)
{
        struct cursor c = cursor_of(in);
        struct privsep_release m;
        bool ok = cursor_be32(&c, &m.number) && frame_get_bool(&c, &m.granted) &&
                  frame_get_bool(&c, &m.final) && cursor_be32(&c, &m.lease_s) &&
                  frame_get_bytes(&c, &m.signature) && frame_get_bytes(&c, &m.text) &&
                  m.granted == (m.signature.len > 0) && m.granted == (m.lease_s > 0);
        int r = frame_done(ok, &c, "release", err);

        if (r >= 0)
                *ret = m;
        return r;
}

void privsep_permit_put(struct buf *out, const struct privsep_permit *m)
{
        buf_be32(out, m->number);
        buf_u8(out, m->final);
        frame_put_bytes(out, m->permit);
        frame_put_bytes(out, m->text);
        frame_put_bytes(out, m->where);
        frame_put_bytes(out, m->next);
}

int privsep_permit_get(struct view in, struct privsep_permit *ret, struct err *err)
{
        struct cursor c = cursor_of(in);
        struct privsep_permit m;
        bool ok = cursor_be32(&c, &m.number) && frame_get_bool(&c, &m.final) &&
                  frame_get_bytes(&c, &m.permit) && frame_get_bytes(&c, &m.text) &&
                  frame_get_bytes(&c, &m.where) && frame_get_bytes(&c, &m.next) &&
                  (m.permit.len == 0) == (m.text.len > 0);
        int r = frame_done(ok, &c, "permit", err);

        if (r >= 0)
                *ret = m;
        return r;
}

void privsep_reach_put(struct buf *out, const struct privsep_reach *m)
{
        buf_u8(out, m->reachable);
        frame_put_bytes(out, m->text);
}

int privsep_reach_get(struct view in, struct privsep_reach *ret, struct err *err)
{
        struct cursor c = cursor_of(in);
        struct privsep_reach m;
        bool ok = frame_get_bool(&c, &m.reachable) && frame_get_bytes(&c, &m.text) &&
                  m.reachable == (m.text.len == 0);
        int r = frame_done(ok, &c, "reach", err);

        if (r >= 0)
                *ret = m;
        return r;
}

void privsep_wanted_put(struct buf *out, const struct privsep_wanted *m)
{
        buf_be32(out, m->number);
        frame_put_bytes(out, m->body);
}

int privsep_wanted_get(struct view in, struct privsep_wanted *ret, struct err *err)
{
        struct cursor c = cursor_of(in);
        struct privsep_wanted m;
        bool ok = cursor_be32(&c, &m.number) && frame_get_bytes(&c, &m.body) &&
                  (m.number > 0) == (m.body.len > 0);
        int r = frame_done(ok, &c, "wanted", err);

        if (r >= 0)
                *ret = m;
        return r;
}

void privsep_status_put(struct buf *out, const struct privsep_status *m)
{
        buf_u8(out, (uint8_t)m->state);
        buf_u8(out, m->lockout);
        buf_u8(out, m->log_explains);
        buf_be32(out, m->log_entries);
        frame_put_bytes(out, m->problem);
}

int privsep_status_get(struct view in, struct privsep_status *ret, struct err *err)
{
        struct cursor c = cursor_of(in);
        struct privsep_status m;
        bool ok = get_state(&c, &m.state) && frame_get_bool(&c, &m.lockout) &&
                  frame_get_bool(&c, &m.log_explains) && cursor_be32(&c, &m.log_entries) &&
                  frame_get_bytes(&c, &m.problem);
        int r = frame_done(ok, &c, "status", err);

        if (r >= 0)
                *ret = m;
        return r;
}

void privsep_identity_put(struct buf *out, const struct privsep_identity *m)
{
        frame_put_bytes(out, m->host_id);
        frame_put_bytes(out, m->ek_public);
        frame_put_bytes(out, m->ek_certificate);
        frame_put_bytes(out, m->ek_chain);
        frame_put_bytes(out, m->ak_public);
        frame_put_bytes(out, m->ak_name);
        buf_be64(out, m->boot_time_ms);
        buf_be32(out, m->log_entries);
        buf_be16(out, m->quote_bank);
        buf_u8(out, m->pcr);
        buf_u8(out, m->n_banks);
        for (size_t i = 0; i < m->n_banks; i++) {
                buf_be16(out, m->banks[i].alg);
                buf_be32(out, m->banks[i].mask);
        }
        buf_u8(out, m->has_uefi);
        buf_u8(out, m->has_ima);
        buf_u8(out, m->tee);
        buf_be64(out, m->ima_entries);
        buf_u8(out, m->has_launch);
        buf_u8(out, m->launch_pcr);
        buf_be32(out, m->launch_entries);
}

int privsep_identity_get(struct view in, struct privsep_identity *ret, struct err *err)
{
        struct cursor c = cursor_of(in);
        struct privsep_identity m;
        bool ok = frame_get_bytes(&c, &m.host_id) && frame_get_bytes(&c, &m.ek_public) &&
                  frame_get_bytes(&c, &m.ek_certificate) && frame_get_bytes(&c, &m.ek_chain) &&
                  frame_get_bytes(&c, &m.ak_public) && frame_get_bytes(&c, &m.ak_name) &&
                  cursor_be64(&c, &m.boot_time_ms) && cursor_be32(&c, &m.log_entries) &&
                  cursor_be16(&c, &m.quote_bank) && cursor_u8(&c, &m.pcr) && cursor_u8(&c, &m.n_banks) &&
                  m.n_banks <= PRIVSEP_MAX_BANKS;
        int r;

        for (size_t i = 0; ok && i < m.n_banks; i++)
                ok = cursor_be16(&c, &m.banks[i].alg) && cursor_be32(&c, &m.banks[i].mask);
        ok = ok && frame_get_bool(&c, &m.has_uefi) && frame_get_bool(&c, &m.has_ima) && get_tee(&c, &m.tee) &&
             cursor_be64(&c, &m.ima_entries);
        ok = ok && frame_get_bool(&c, &m.has_launch) && cursor_u8(&c, &m.launch_pcr) &&
             cursor_be32(&c, &m.launch_entries);
        r = frame_done(ok, &c, "identity", err);
        if (r >= 0)
                *ret = m;
        return r;
}

void privsep_signed_put(struct buf *out, const struct privsep_signed *m)
{
        frame_put_bytes(out, m->message);
        frame_put_bytes(out, m->signature);
}

static bool get_signed(struct cursor *c, struct privsep_signed *ret)
{
        return frame_get_bytes(c, &ret->message) && frame_get_bytes(c, &ret->signature);
}

int privsep_signed_get(struct view in, struct privsep_signed *ret, struct err *err)
{
        struct cursor c = cursor_of(in);
        struct privsep_signed m;
        bool ok = get_signed(&c, &m);
        int r = frame_done(ok, &c, "signed", err);

        if (r >= 0)
                *ret = m;
        return r;
}

static void put_counter(struct buf *out, const struct privsep_counter *m)
{
        buf_be32(out, m->index);
        privsep_signed_put(out, &m->signed_value);
}

static bool get_counter(struct cursor *c, struct privsep_counter *ret)
{
        return cursor_be32(c, &ret->index) && get_signed(c, &ret->signed_value);
}

void privsep_evidence_put(struct buf *out, const struct privsep_evidence *m)
{
        privsep_signed_put(out, &m->quote);
        privsep_signed_put(out, &m->time);
        frame_put_bytes(out, m->counter_key);
        put_counter(out, &m->epoch);
        put_counter(out, &m->floor);
        buf_be16(out, m->bank);
        buf_be32(out, m->mask);
        for (unsigned i = 0; i < ARRAY_LEN(m->pcrs); i++)
                if (m->mask >> i & 1)
                        frame_put_bytes(out, digest_view(&m->pcrs[i]));
        buf_be32(out, m->log_offset);
        buf_be32(out, m->log_count);
        buf_be32(out, m->log_total);
        frame_put_bytes(out, m->log);
        frame_put_bytes(out, m->uefi);
        buf_be64(out, m->ima_offset);
        buf_be64(out, m->ima_count);
        buf_be64(out, m->ima_total);
        frame_put_bytes(out, m->ima);
        buf_be32(out, m->launch_offset);
        buf_be32(out, m->launch_count);
        buf_be32(out, m->launch_total);
        frame_put_bytes(out, m->launch);
        buf_u8(out, (uint8_t)m->tee.kind);
        frame_put_bytes(out, m->tee.evidence);
        frame_put_bytes(out, m->tee.table);
        frame_put_bytes(out, m->tee.manifest);
}

static bool get_pcrs(struct cursor *c, struct privsep_evidence *m)
{
        struct err ignored = ERR_INIT; /* the place is said by frame_done() */
        enum digest_alg alg;
        struct view v;

        if (!digest_by_tpm_alg(m->bank, &alg) || m->mask >> ARRAY_LEN(m->pcrs))
                return false;
        for (unsigned i = 0; i < ARRAY_LEN(m->pcrs); i++)
                if (m->mask >> i & 1)
                        if (!frame_get_bytes(c, &v) || digest_set(alg, v, &m->pcrs[i], &ignored) < 0)
                                return false;
        return true;
}

static bool get_shown(struct cursor *c, struct tee_shown *ret)
{
        uint8_t kind;

        if (!cursor_u8(c, &kind) || kind >= TEE_N_KINDS)
                return false;
        ret->kind = (enum tee_kind)kind;
        return frame_get_bytes(c, &ret->evidence) && frame_get_bytes(c, &ret->table) &&
               frame_get_bytes(c, &ret->manifest);
}

int privsep_evidence_get(struct view in, struct privsep_evidence *ret, struct err *err)
{
        struct cursor c = cursor_of(in);
        struct privsep_evidence m = {0};
        bool ok = get_signed(&c, &m.quote) && get_signed(&c, &m.time) &&
                  frame_get_bytes(&c, &m.counter_key) && get_counter(&c, &m.epoch) &&
                  get_counter(&c, &m.floor) && cursor_be16(&c, &m.bank) && cursor_be32(&c, &m.mask) &&
                  get_pcrs(&c, &m) && cursor_be32(&c, &m.log_offset) && cursor_be32(&c, &m.log_count) &&
                  cursor_be32(&c, &m.log_total) && frame_get_bytes(&c, &m.log) &&
                  frame_get_bytes(&c, &m.uefi) && cursor_be64(&c, &m.ima_offset) &&
                  cursor_be64(&c, &m.ima_count) && cursor_be64(&c, &m.ima_total) &&
                  frame_get_bytes(&c, &m.ima) && cursor_be32(&c, &m.launch_offset) &&
                  cursor_be32(&c, &m.launch_count) && cursor_be32(&c, &m.launch_total) &&
                  frame_get_bytes(&c, &m.launch) && get_shown(&c, &m.tee);
        int r = frame_done(ok, &c, "evidence", err);

        if (r >= 0)
                *ret = m;
        return r;
}

void privsep_event_put(struct buf *out, const struct privsep_event *m)
{
        buf_u8(out, (uint8_t)m->state);
        buf_be32(out, m->log_entries);
        buf_be32(out, m->wanted);
        buf_be32(out, m->receipts);
}

int privsep_event_get(struct view in, struct privsep_event *ret, struct err *err)
{
        struct cursor c = cursor_of(in);
        struct privsep_event m;
        bool ok = get_state(&c, &m.state) && cursor_be32(&c, &m.log_entries) && cursor_be32(&c, &m.wanted) &&
                  cursor_be32(&c, &m.receipts);
        int r = frame_done(ok, &c, "event", err);

        if (r >= 0)
                *ret = m;
        return r;
}
