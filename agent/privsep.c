/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Frames and messages between the halves of the agent. The threat is a network half that a server took over:
 * it can ask for what the table permits, as often as it likes, and nothing else. So decoders demand exact
 * lengths and no rest, lengths are checked against named limits before anything is kept, and the table of
 * states is here, beside the types, where a test can walk it. Spec: style guide, privilege separation; SR-13.
 */
#include "agent/privsep.h"

#include "base/str.h"

#define FRAME_HEADER 12

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
        if (frame->body.len > PRIVSEP_FRAME_MAX - FRAME_HEADER) {
                out->failed = true;
                return;
        }
        buf_be32(out, (uint32_t)(frame->body.len + FRAME_HEADER - 4));
        buf_u8(out, (uint8_t)frame->type);
        buf_u8(out, (uint8_t)frame->result);
        buf_be16(out, 0);
        buf_be32(out, frame->id);
        buf_put_view(out, frame->body);
}

int privsep_frame_take(struct view in, size_t max, struct privsep_frame *ret, struct err *err)
{
        struct cursor c = cursor_of(in);
        struct privsep_frame f = {0};
        uint8_t type, result;
        uint16_t zero;
        uint32_t len;

        if (!cursor_be32(&c, &len))
                return 0;
        if (len < FRAME_HEADER - 4)
                return err_set(err, ERR_FORMAT, 0, "frame of %u bytes", len);
        if (len > max - 4)
                return err_set(err, ERR_LIMIT, 0, "frame of %u bytes: at most %zu", len, max - 4);
        if (c.left < len)
                return 0;
        if (!cursor_u8(&c, &type) || !cursor_u8(&c, &result) || !cursor_be16(&c, &zero) ||
            !cursor_be32(&c, &f.id) || !cursor_take(&c, len - (FRAME_HEADER - 4), &f.body))
                return 0;
        if (zero != 0 || result > PRIVSEP_FAILED || str_equal(privsep_type_name(type), "unknown"))
                return err_set(err, ERR_FORMAT, 0, "frame of type %u, result %u", type, result);
        f.type = type;
        f.result = result;
        *ret = f;
        return (int)c.at;
}

/* Before the type is there, the header alone is waited for, whatever it says: it is short. */
int privsep_request_take(struct view in, struct privsep_frame *ret, struct err *err)
{
        size_t max = PRIVSEP_REQUEST_MAX;

        for (size_t i = 0; in.len > 4 && i < ARRAY_LEN(table); i++)
                if (table[i].type == in.p[4] && table[i].max > max)
                        max = table[i].max;
        if (in.len < FRAME_HEADER)
                return 0;
        return privsep_frame_take(in, max, ret, err);
}

static void put_bytes(struct buf *out, struct view v)
{
        buf_be32(out, (uint32_t)v.len);
        buf_put_view(out, v);
}

static bool get_bytes(struct cursor *c, struct view *ret)
{
        struct cursor at = *c;
        uint32_t len;

        if (!cursor_be32(&at, &len) || !cursor_take(&at, len, ret))
                return false;
        *c = at;
        return true;
}

static bool get_bool(struct cursor *c, bool *ret)
{
        struct cursor at = *c;
        uint8_t byte;

        if (!cursor_u8(&at, &byte) || byte > 1)
                return false;
        *ret = byte;
        *c = at;
        return true;
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

static int done(bool ok, const struct cursor *c, const char *what, struct err *err)
{
        if (ok && c->left == 0)
                return 0;
        return err_set(err, ERR_FORMAT, 0, "%s: malformed at byte %zu", what, c->at);
}

void privsep_activate_put(struct buf *out, const struct privsep_activate *m)
{
        put_bytes(out, m->id_object);
        put_bytes(out, m->secret);
}

int privsep_activate_get(struct view in, struct privsep_activate *ret, struct err *err)
{
        struct cursor c = cursor_of(in);
        struct privsep_activate m;
        bool ok = get_bytes(&c, &m.id_object) && get_bytes(&c, &m.secret);
        int r = done(ok, &c, "activate", err);

        if (r >= 0)
                *ret = m;
        return r;
}

void privsep_session_put(struct buf *out, const struct privsep_session *m)
{
        put_bytes(out, m->verifier_id);
        put_bytes(out, m->challenge);
        put_bytes(out, m->spki_sha256);
}

int privsep_session_get(struct view in, struct privsep_session *ret, struct err *err)
{
        struct cursor c = cursor_of(in);
        struct privsep_session m;
        bool ok =
                get_bytes(&c, &m.verifier_id) && get_bytes(&c, &m.challenge) && get_bytes(&c, &m.spki_sha256);
        int r = done(ok, &c, "session", err);

        if (r >= 0)
                *ret = m;
        return r;
}

void privsep_collect_put(struct buf *out, const struct privsep_collect *m)
{
        put_bytes(out, m->verifier_id);
        put_bytes(out, m->challenge);
        buf_be16(out, m->bank);
        buf_be32(out, m->mask);
        buf_be32(out, m->log_offset);
        buf_be32(out, m->log_max);
        buf_u8(out, m->uefi);
        buf_be64(out, m->ima_offset);
        buf_be64(out, m->ima_at);
        buf_be32(out, m->ima_max);
}

static bool get_collect(struct cursor *c, struct privsep_collect *m)
{
        return get_bytes(c, &m->verifier_id) && get_bytes(c, &m->challenge) && cursor_be16(c, &m->bank) &&
               cursor_be32(c, &m->mask) && cursor_be32(c, &m->log_offset) && cursor_be32(c, &m->log_max) &&
               get_bool(c, &m->uefi) && cursor_be64(c, &m->ima_offset) && cursor_be64(c, &m->ima_at) &&
               cursor_be32(c, &m->ima_max);
}

int privsep_collect_get(struct view in, struct privsep_collect *ret, struct err *err)
{
        struct cursor c = cursor_of(in);
        struct privsep_collect m;
        int r = done(get_collect(&c, &m), &c, "collect", err);

        if (r >= 0)
                *ret = m;
        return r;
}

void privsep_revoke_put(struct buf *out, const struct privsep_revoke *m)
{
        put_bytes(out, m->jws);
        put_bytes(out, m->nonce);
}

int privsep_revoke_get(struct view in, struct privsep_revoke *ret, struct err *err)
{
        struct cursor c = cursor_of(in);
        struct privsep_revoke m;
        bool ok = get_bytes(&c, &m.jws) && get_bytes(&c, &m.nonce) && m.jws.len != 0 &&
                  (m.nonce.len == 0 || m.nonce.len == PRIVSEP_NONCE_BYTES);
        int r = done(ok, &c, "revoke", err);

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
        int r = done(ok, &c, "show", err);

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
        put_bytes(out, m->signature);
        put_bytes(out, m->text);
}

int privsep_release_get(struct view in, struct privsep_release *ret, struct err *err)
{
        struct cursor c = cursor_of(in);
        struct privsep_release m;
        bool ok = cursor_be32(&c, &m.number) && get_bool(&c, &m.granted) && get_bool(&c, &m.final) &&
                  cursor_be32(&c, &m.lease_s) && get_bytes(&c, &m.signature) && get_bytes(&c, &m.text) &&
                  m.granted == (m.signature.len > 0) && m.granted == (m.lease_s > 0);
        int r = done(ok, &c, "release", err);

        if (r >= 0)
                *ret = m;
        return r;
}

void privsep_wanted_put(struct buf *out, const struct privsep_wanted *m)
{
        buf_be32(out, m->number);
        put_bytes(out, m->body);
}

int privsep_wanted_get(struct view in, struct privsep_wanted *ret, struct err *err)
{
        struct cursor c = cursor_of(in);
        struct privsep_wanted m;
        bool ok = cursor_be32(&c, &m.number) && get_bytes(&c, &m.body) && (m.number > 0) == (m.body.len > 0);
        int r = done(ok, &c, "wanted", err);

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
        put_bytes(out, m->problem);
}

int privsep_status_get(struct view in, struct privsep_status *ret, struct err *err)
{
        struct cursor c = cursor_of(in);
        struct privsep_status m;
        bool ok = get_state(&c, &m.state) && get_bool(&c, &m.lockout) && get_bool(&c, &m.log_explains) &&
                  cursor_be32(&c, &m.log_entries) && get_bytes(&c, &m.problem);
        int r = done(ok, &c, "status", err);

        if (r >= 0)
                *ret = m;
        return r;
}

void privsep_identity_put(struct buf *out, const struct privsep_identity *m)
{
        put_bytes(out, m->host_id);
        put_bytes(out, m->ek_public);
        put_bytes(out, m->ek_certificate);
        put_bytes(out, m->ek_chain);
        put_bytes(out, m->ak_public);
        put_bytes(out, m->ak_name);
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
        buf_be64(out, m->ima_entries);
}

int privsep_identity_get(struct view in, struct privsep_identity *ret, struct err *err)
{
        struct cursor c = cursor_of(in);
        struct privsep_identity m;
        bool ok = get_bytes(&c, &m.host_id) && get_bytes(&c, &m.ek_public) &&
                  get_bytes(&c, &m.ek_certificate) && get_bytes(&c, &m.ek_chain) &&
                  get_bytes(&c, &m.ak_public) && get_bytes(&c, &m.ak_name) &&
                  cursor_be64(&c, &m.boot_time_ms) && cursor_be32(&c, &m.log_entries) &&
                  cursor_be16(&c, &m.quote_bank) && cursor_u8(&c, &m.pcr) && cursor_u8(&c, &m.n_banks) &&
                  m.n_banks <= PRIVSEP_MAX_BANKS;
        int r;

        for (size_t i = 0; ok && i < m.n_banks; i++)
                ok = cursor_be16(&c, &m.banks[i].alg) && cursor_be32(&c, &m.banks[i].mask);
        ok = ok && get_bool(&c, &m.has_uefi) && get_bool(&c, &m.has_ima) && cursor_be64(&c, &m.ima_entries);
        r = done(ok, &c, "identity", err);
        if (r >= 0)
                *ret = m;
        return r;
}

void privsep_signed_put(struct buf *out, const struct privsep_signed *m)
{
        put_bytes(out, m->message);
        put_bytes(out, m->signature);
}

static bool get_signed(struct cursor *c, struct privsep_signed *ret)
{
        return get_bytes(c, &ret->message) && get_bytes(c, &ret->signature);
}

int privsep_signed_get(struct view in, struct privsep_signed *ret, struct err *err)
{
        struct cursor c = cursor_of(in);
        struct privsep_signed m;
        bool ok = get_signed(&c, &m);
        int r = done(ok, &c, "signed", err);

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
        put_bytes(out, m->counter_key);
        put_counter(out, &m->epoch);
        put_counter(out, &m->floor);
        buf_be16(out, m->bank);
        buf_be32(out, m->mask);
        for (unsigned i = 0; i < ARRAY_LEN(m->pcrs); i++)
                if (m->mask >> i & 1)
                        put_bytes(out, digest_view(&m->pcrs[i]));
        buf_be32(out, m->log_offset);
        buf_be32(out, m->log_count);
        buf_be32(out, m->log_total);
        put_bytes(out, m->log);
        put_bytes(out, m->uefi);
        buf_be64(out, m->ima_offset);
        buf_be64(out, m->ima_count);
        buf_be64(out, m->ima_total);
        put_bytes(out, m->ima);
}

static bool get_pcrs(struct cursor *c, struct privsep_evidence *m)
{
        struct err ignored = ERR_INIT; /* the place is said by done() */
        enum digest_alg alg;
        struct view v;

        if (!digest_by_tpm_alg(m->bank, &alg) || m->mask >> ARRAY_LEN(m->pcrs))
                return false;
        for (unsigned i = 0; i < ARRAY_LEN(m->pcrs); i++)
                if (m->mask >> i & 1)
                        if (!get_bytes(c, &v) || digest_set(alg, v, &m->pcrs[i], &ignored) < 0)
                                return false;
        return true;
}

int privsep_evidence_get(struct view in, struct privsep_evidence *ret, struct err *err)
{
        struct cursor c = cursor_of(in);
        struct privsep_evidence m = {0};
        bool ok = get_signed(&c, &m.quote) && get_signed(&c, &m.time) && get_bytes(&c, &m.counter_key) &&
                  get_counter(&c, &m.epoch) && get_counter(&c, &m.floor) && cursor_be16(&c, &m.bank) &&
                  cursor_be32(&c, &m.mask) && get_pcrs(&c, &m) && cursor_be32(&c, &m.log_offset) &&
                  cursor_be32(&c, &m.log_count) && cursor_be32(&c, &m.log_total) && get_bytes(&c, &m.log) &&
                  get_bytes(&c, &m.uefi) && cursor_be64(&c, &m.ima_offset) && cursor_be64(&c, &m.ima_count) &&
                  cursor_be64(&c, &m.ima_total) && get_bytes(&c, &m.ima);
        int r = done(ok, &c, "evidence", err);

        if (r >= 0)
                *ret = m;
        return r;
}

void privsep_event_put(struct buf *out, const struct privsep_event *m)
{
        buf_u8(out, (uint8_t)m->state);
        buf_be32(out, m->log_entries);
        buf_be32(out, m->wanted);
}

int privsep_event_get(struct view in, struct privsep_event *ret, struct err *err)
{
        struct cursor c = cursor_of(in);
        struct privsep_event m;
        bool ok = get_state(&c, &m.state) && cursor_be32(&c, &m.log_entries) && cursor_be32(&c, &m.wanted);
        int r = done(ok, &c, "event", err);

        if (r >= 0)
                *ret = m;
        return r;
}
