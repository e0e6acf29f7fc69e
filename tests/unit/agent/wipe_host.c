/* SPDX-License-Identifier: Apache-2.0 */
#include "unit/agent/wipe_host.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/json.h"
#include "crypto/jws.h"
#include "evidence/sealed.h"
#include "evidence/wipe_proof.h"
#include "support/support.h"

struct wipe_host wipe_host;
static const uint8_t nonce[16] = {0x4e, 1, 2, 3};

void wipe_host_configure(const char *extra)
{
        char text[1024];
        struct err err = ERR_INIT;

        (void)snprintf(text, sizeof(text),
                       "host: {id: " HOST "}\nstate: {dir: %s}\ntpm: {tcti: \"%s\"}\n"
                       "verifier: {url: \"https://127.0.0.1:1\", keys: %s/keys.json}\n"
                       "on_revocation: {dir: %s, timeout: 500ms}\nrun: {dir: %s/run}\n"
                       "secrets: {dir: %s/secrets}\n%s\n",
                       wipe_host.state, wipe_host.emulator.tcti, wipe_host.dir, wipe_host.hooks,
                       wipe_host.dir, wipe_host.dir, extra);
        assert_ok(file_write(wipe_host.config, view_str(text), 0600, &err), &err);
}

static void write_keys(void)
{
        /* One key for both uses: what each is for is decided by the type of what is signed. */
        const struct pubkey *list[] = {wipe_host.public, wipe_host.public};
        static const char *const uses[] = {"revocation", "release"};
        AUTO(mem_free_p) char *path = str_fmt("%s/keys.json", wipe_host.dir), *text = NULL;
        AUTO(json_free_p) json_t *set = NULL;
        AUTO(mem_free_p) char *out = NULL;
        struct err err = ERR_INIT;

        assert_ok(jwks_make(list, 2, &text, &err), &err);
        assert_ok(json_parse(view_str(text), 65536, &set, &err), &err);
        for (size_t i = 0; i < 2; i++)
                assert_int_equal(
                        json_set_str(json_array_get(json_object_get(set, "keys"), i), "use", uses[i]), 0);
        out = json_print(set);
        assert_ok(file_write(path, view_str(out), 0600, &err), &err);
}

int wipe_host_setup(void **state)
{
        struct err err = ERR_INIT;

        (void)state;
        swtpm_start(&wipe_host.emulator);
        tmpdir_make(wipe_host.dir);
        (void)snprintf(wipe_host.config, sizeof(wipe_host.config), "%s/agent.yaml", wipe_host.dir);
        (void)snprintf(wipe_host.state, sizeof(wipe_host.state), "%s/state", wipe_host.dir);
        (void)snprintf(wipe_host.hooks, sizeof(wipe_host.hooks), "%s/hooks", wipe_host.dir);
        assert_ok(key_generate_ec(CURVE_P256, &wipe_host.verifier, &err), &err);
        assert_ok(key_generate_ec(CURVE_P256, &wipe_host.stranger, &err), &err);
        assert_ok(key_public(wipe_host.verifier, &wipe_host.public, &err), &err);
        write_keys();
        wipe_host_configure("");
        return 0;
}

int wipe_host_teardown(void **state)
{
        (void)state;
        pubkey_free(TAKE(wipe_host.public));
        key_free(TAKE(wipe_host.verifier));
        key_free(TAKE(wipe_host.stranger));
        tmpdir_remove(wipe_host.dir);
        swtpm_stop(&wipe_host.emulator);
        return 0;
}

struct half *wipe_host_start(void)
{
        struct agent_config *config = NULL;
        struct half *h = NULL;
        struct err err = ERR_INIT;

        assert_ok(agent_config_load(wipe_host.config, &config, &err), &err);
        assert_ok(half_new(config, NULL, &h, &err), &err);
        assert_ok(half_start(h, &err), &err);
        assert_true(h->counters.usable);
        return h;
}

struct half *wipe_host_restart(struct half *h)
{
        half_free(h);
        return wipe_host_start();
}

uint64_t wipe_host_epoch(struct half *h)
{
        struct tpm_counter now;
        struct err err = ERR_INIT;

        assert_ok(tpm_counter_read(h->tpm, SEAL_NV_EPOCH, h->counters.public, &now, &err), &err);
        assert_true(now.fit);
        return now.value;
}

char *wipe_host_sign(struct half *h, const struct words *w)
{
        AUTO(json_free_p) json_t *j = json_object();
        AUTO(mem_free_p) char *text = NULL, *id = str_fmt("%s/%lld", w->host, (long long)w->seq);
        struct err err = ERR_INIT;
        char *jws = NULL;

        assert_int_equal(json_set_str(j, "schema", "avow.revocation/1") | json_set_str(j, "id", id) |
                                 json_set_str(j, "host", w->host) | json_set_str(j, "verifier", VERIFIER) |
                                 json_set_str(j, "reaction", w->reaction) |
                                 json_set_time(j, "issued_at", 1796126400000) |
                                 json_set_int(j, "nv_index", SEAL_NV_EPOCH) |
                                 json_set_int(j, "epoch", (int64_t)w->epoch) |
                                 json_set_base64(j, "counter_key", VIEW_BUF(&h->counters.spki)),
                         0);
        if (w->names_boot) {
                struct tpm_counters now;

                assert_ok(tpm_clock_read(h->tpm, &now, &err), &err);
                assert_int_equal(json_set_int(j, "reset_count", now.reset), 0);
        }
        text = json_print(j);
        assert_ok(jws_sign(w->key, REVOCATION_TYP, view_str(text), &jws, &err), &err);
        return jws;
}

char *wipe_host_order(struct half *h, const char *reaction, int64_t seq)
{
        return wipe_host_sign(
                h, &(struct words){HOST, reaction, seq, wipe_host_epoch(h), wipe_host.verifier, false});
}

/* Asks; what was answered as text. */
enum privsep_result wipe_host_tell(struct half *h, const char *jws, bool with_nonce, struct buf *ret)
{
        AUTO(buf_free) struct buf body = {0}, out = {0};
        struct privsep_frame request = {.type = PRIVSEP_REVOKE, .id = 5}, reply;
        struct err err = ERR_INIT;

        privsep_revoke_put(
                &body, &(struct privsep_revoke){view_str(jws), with_nonce ? VIEW_ARRAY(nonce) : VIEW_NONE});
        request.body = VIEW_BUF(&body);
        half_answer(h, &request, &out);
        assert_true(privsep_frame_take(VIEW_BUF(&out), PRIVSEP_FRAME_MAX, &reply, &err) > 0);
        buf_reset(ret);
        buf_put_view(ret, reply.body);
        return reply.result;
}

bool wipe_host_judge(struct half *h, struct view text, const char *id)
{
        struct wipe_proof *p = NULL;
        struct tpm_public ak;
        struct wipe_verdict v;
        bool recorded;
        struct err err = ERR_INIT;
        struct pubkey *keys[] = {wipe_host.public};
        struct wipe_expected x = {.keys = keys,
                                  .n_keys = 1,
                                  .pcr = 15,
                                  .ak = &ak,
                                  .host = HOST,
                                  .id = id,
                                  .nonce = VIEW_ARRAY(nonce)};

        assert_ok(tpm2b_public_parse(tpm_ak_public(h->id.ak), &ak, &err), &err);
        assert_ok(wipe_proof_decode(text, &p, &err), &err);
        assert_ok(wipe_proof_judge(p, &x, &v, &err), &err);
        if (!v.proven)
                fail_msg("not proven: %s", v.why);
        assert_true(v.epoch > v.order.epoch);
        recorded = v.recorded;
        wipe_verdict_done(&v);
        wipe_proof_free(p);
        return recorded;
}

void wipe_host_proves(struct half *h, const char *jws, const char *id)
{
        AUTO(buf_free) struct buf out = {0};

        assert_int_equal(wipe_host_tell(h, jws, true, &out), PRIVSEP_OK);
        assert_true(out.len > 0);
        (void)wipe_host_judge(h, VIEW_BUF(&out), id);
}

/* A blob and an approval on the disk, as if they had been sent. */
bool wipe_host_has_blobs(void)
{
        AUTO(mem_free_p)
        char *a = str_fmt("%s/secrets/db.json", wipe_host.state),
             *b = str_fmt("%s/approvals/x.json", wipe_host.state);

        return file_exists(a) || file_exists(b);
}

void wipe_host_put_blobs(void)
{
        AUTO(mem_free_p)
        char *a = str_fmt("%s/secrets/db.json", wipe_host.state),
             *b = str_fmt("%s/approvals/x.json", wipe_host.state);
        struct err err = ERR_INIT;

        assert_ok(file_write(a, view_str("{}"), 0600, &err), &err);
        assert_ok(file_write(b, view_str("{}"), 0600, &err), &err);
}

void wipe_host_hook(const char *name, const char *body, mode_t mode)
{
        AUTO(mem_free_p) char *path = str_fmt("%s/%s", wipe_host.hooks, name);
        struct err err = ERR_INIT;

        assert_ok(file_mkdirs(wipe_host.hooks, 0755, &err), &err);
        assert_ok(file_write(path, view_str(body), mode, &err), &err);
        assert_int_equal(chmod(path, mode), 0);
}

void wipe_host_end_hooks(struct half *h)
{
        for (int i = 0; local_hooks_busy(h->hooks) && i < 600; i++) {
                (void)half_turn(h, clock_mono_ms());
                usleep(20000);
        }
        assert_false(local_hooks_busy(h->hooks));
        (void)half_turn(h, clock_mono_ms());
}
