/* SPDX-License-Identifier: Apache-2.0 */
#include "unit/agent/launch_kit.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/file.h"
#include "support/support.h"
#include "wire/launch.h"

static struct buf heard; /* of the last frame */

struct half *launch_kit_start(const char *cache)
{
        char extra[256], runtime[64];
        struct err err = ERR_INIT;
        struct half *h;

        (void)snprintf(runtime, sizeof(runtime), "%s/rt", wipe_host.dir);
        (void)snprintf(
                extra, sizeof(extra),
                "runtimes:\n- {name: rt, path: %s}\n"
                "launch: {enabled: true, permits: {cache: %s}, runtimes: [{name: rt, argv: ['{module}']}]}\n",
                runtime, cache);
        assert_ok(file_write(runtime, view_str("runtime"), 0755, &err), &err);
        wipe_host_configure(extra);
        h = wipe_host_start();
        half_launcher_attach(h);
        (void)launch_kit_hear(h, LAUNCH_LINK_READY, 0);
        return h;
}

struct launch launch_kit_launch(unsigned n)
{
        struct launch l = {.host = HOST, .runtime = "rt", .size = 8};
        char module[32];
        struct err err = ERR_INIT;

        (void)snprintf(module, sizeof(module), "module %u", n);
        assert_ok(uuid_random(l.id, &err), &err);
        assert_ok(digest_bytes(DIGEST_SHA256, view_str(module), &l.sha256, &err), &err);
        assert_ok(digest_bytes(DIGEST_SHA384, view_str(module), &l.sha384, &err), &err);
        assert_ok(digest_bytes(DIGEST_SHA256, view_str("closure"), &l.closure, &err), &err);
        assert_ok(launch_arguments(NULL, 0, &l.arguments, &err), &err);
        return l;
}

void launch_kit_say(struct half *h, enum launch_link_type type, uint32_t id, struct view body)
{
        const struct frame f = {.type = (uint8_t)type, .id = id, .body = body};
        struct err err = ERR_INIT;

        assert_ok(half_launcher_take(h, &f, &err), &err);
        (void)half_turn(h, clock_mono_ms());
}

void launch_kit_begin(struct half *h, uint32_t id, const struct launch *l)
{
        AUTO(buf_free) struct buf text = {0}, body = {0};
        struct err err = ERR_INIT;

        assert_ok(launch_encode(l, &text, &err), &err);
        launch_link_begin_put(&body, &(struct launch_link_begin){.launch = VIEW_BUF(&text)});
        launch_kit_say(h, LAUNCH_LINK_BEGIN, id, VIEW_BUF(&body));
}

void launch_kit_mapped(struct half *h, uint32_t id, const char *lines, const char *foreign)
{
        AUTO(buf_free) struct buf body = {0};

        launch_link_mapped_put(&body, &(struct launch_link_mapped){view_str(lines), view_str(foreign)});
        launch_kit_say(h, LAUNCH_LINK_MAPPED, id, VIEW_BUF(&body));
}

struct view launch_kit_hear(struct half *h, enum launch_link_type type, uint32_t id)
{
        struct buf *out = launches_out(half_launches(h));
        struct err err = ERR_INIT;
        struct frame f;
        int used = launch_link_take(VIEW_BUF(out), &f, &err);

        if (used <= 0)
                fail_msg("launch %u: no frame, %s is expected", id, launch_link_name((uint8_t)type));
        if (f.type != (uint8_t)type || f.id != id)
                fail_msg("%s for %u, and %s for %u is expected", launch_link_name(f.type), f.id,
                         launch_link_name((uint8_t)type), id);
        buf_reset(&heard);
        buf_put_view(&heard, f.body);
        memmove(out->p, out->p + used, out->len - (size_t)used);
        out->len -= (size_t)used;
        return VIEW_BUF(&heard);
}

void launch_kit_refused(struct half *h, uint32_t id, enum launch_link_why why, const char *part)
{
        struct launch_link_refused no;
        struct err err = ERR_INIT;
        char text[1024];

        assert_ok(launch_link_refused_get(launch_kit_hear(h, LAUNCH_LINK_REFUSED, id), &no, &err), &err);
        (void)snprintf(text, sizeof(text), "%.*s", (int)no.text.len, (const char *)no.text.p);
        if (!strstr(text, part))
                fail_msg("'%s' does not say '%s'", text, part);
        assert_int_equal(no.why, why);
}

void launch_kit_silent(struct half *h)
{
        assert_int_equal(launches_out(half_launches(h))->len, 0);
}

static enum privsep_result tell(struct half *h, enum privsep_type type, struct view body, struct buf *out,
                                struct view *ret)
{
        struct privsep_frame request = {.type = type, .id = 7, .body = body}, reply;
        struct err err = ERR_INIT;

        buf_reset(out);
        half_answer(h, &request, out);
        assert_true(privsep_frame_take(VIEW_BUF(out), PRIVSEP_FRAME_MAX, &reply, &err) > 0);
        *ret = reply.body;
        return reply.result;
}

uint32_t launch_kit_wanted(struct half *h, struct launch *ret)
{
        AUTO(wire_launch_request_done) struct wire_launch_request request = {.claims = NULL};
        AUTO(buf_free) struct buf out = {0};
        struct privsep_wanted wanted;
        struct err err = ERR_INIT;
        struct view body;

        assert_int_equal(tell(h, PRIVSEP_WANTED, VIEW_NONE, &out, &body), PRIVSEP_OK);
        assert_ok(privsep_wanted_get(body, &wanted, &err), &err);
        if (wanted.number == 0)
                return 0;
        assert_true(wanted.number & PRIVSEP_WANTED_LAUNCH);
        assert_ok(wire_launch_request_decode(wanted.body, &request, &err), &err);
        *ret = request.launch;
        return wanted.number;
}

struct permit launch_kit_permit(const struct launch *l)
{
        struct permit p = {.verifier = VERIFIER,
                           .tenant = "default",
                           .launch = *l,
                           .issued_at_s = clock_now_ms() / 1000,
                           .expires_at_s = clock_now_ms() / 1000 + 60};
        struct err err = ERR_INIT;

        assert_ok(uuid_random(p.id, &err), &err);
        assert_ok(launch_digest(l, &p.launch_digest, &err), &err);
        (void)snprintf(p.policy.name, sizeof(p.policy.name), "modules");
        (void)snprintf(p.host_policy.name, sizeof(p.host_policy.name), "hosts");
        p.policy.version = p.host_policy.version = 1;
        digest_zero(DIGEST_SHA256, &p.policy.sha256);
        digest_zero(DIGEST_SHA256, &p.host_policy.sha256);
        p.has_host_policy = true;
        p.line = 3;
        return p;
}

void launch_kit_answer(struct half *h, uint32_t number, const struct permit *p, const struct key *key)
{
        AUTO(buf_free) struct buf body = {0}, out = {0};
        AUTO(mem_free_p) char *jws = NULL;
        struct err err = ERR_INIT;
        struct view text;

        assert_ok(permit_sign(p, key, &jws, &err), &err);
        privsep_permit_put(&body, &(struct privsep_permit){.number = number, .permit = view_str(jws)});
        assert_int_equal(tell(h, PRIVSEP_PERMIT, VIEW_BUF(&body), &out, &text), PRIVSEP_OK);
        (void)half_turn(h, clock_mono_ms());
}

void launch_kit_reach(struct half *h, const char *why_not)
{
        AUTO(buf_free) struct buf body = {0}, out = {0};
        struct view text;

        privsep_reach_put(&body, &(struct privsep_reach){!why_not, view_str(why_not ? why_not : "")});
        assert_int_equal(tell(h, PRIVSEP_REACH, VIEW_BUF(&body), &out, &text), PRIVSEP_OK);
}

void launch_kit_grant(struct half *h, uint32_t id, const struct launch *l)
{
        struct permit p = launch_kit_permit(l);
        struct launch asked;

        launch_kit_begin(h, id, l);
        launch_kit_answer(h, launch_kit_wanted(h, &asked), &p, wipe_host.verifier);
        (void)launch_kit_hear(h, LAUNCH_LINK_GRANTED, id);
}

void launch_kit_run(struct half *h, uint32_t id, const struct launch *l)
{
        launch_kit_grant(h, id, l);
        launch_kit_say(h, LAUNCH_LINK_RECORD, id, VIEW_NONE);
        (void)launch_kit_hear(h, LAUNCH_LINK_RECORDED, id);
}

struct cel_log *launch_kit_log(struct half *h, struct buf *text)
{
        struct cel_start from = {.entry = 0};
        struct digest now[TPM_MAX_BANKS];
        struct cel_replay replay;
        struct cel_log *log = NULL;
        struct err err = ERR_INIT;

        assert_true(pcr_log_slice(h->launch_log, 0, 1000, 1 << 20, text, &err) >= 0);
        assert_ok(cel_parse(VIEW_BUF(text), 1000, &log, &err), &err);
        assert_ok(tpm_pcr_read_banks(h->tpm, 13, &h->used, now, &err), &err);
        for (size_t i = 0; i < h->used.n; i++) {
                digest_zero(h->used.v[i], &from.value);
                assert_ok(cel_replay(log, &from, 13, &now[i], &replay, &err), &err);
                assert_true(replay.matched && replay.n_beyond == 0);
        }
        return log;
}
