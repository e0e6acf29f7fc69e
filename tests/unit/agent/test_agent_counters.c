/* SPDX-License-Identifier: Apache-2.0 */
/* The agent's counters against a real TPM 2.0 (swtpm), and what stands in their way (SR-11). */
#include "support/support.h"

#include <stdlib.h>
#include <unistd.h>

#include "agent/counters.h"
#include "base/file.h"
#include "evidence/counter_check.h"
#include "evidence/sealed.h"
#include "evidence/tpm_public.h"
#include "unit/tpm/swtpm.h"

#define CHALLENGE view_str("a challenge")

static struct swtpm emulator;
static char dir[TMPDIR_BYTES];

/* One start of the agent, as far as its counters are concerned. */
struct start {
        struct agent_config *config;
        struct tpm *tpm;
        struct identity id;
        struct counters c;
};

static int setup(void **state)
{
        (void)state;
        swtpm_start(&emulator);
        tmpdir_make(dir);
        return 0;
}

static int teardown(void **state)
{
        (void)state;
        tmpdir_remove(dir);
        swtpm_stop(&emulator);
        return 0;
}

static void start_with(struct start *s, const char *state_dir, const char *extra)
{
        char text[512], path[64], folder[64];
        struct err err = ERR_INIT;

        *s = (struct start){.tpm = NULL};
        (void)snprintf(path, sizeof(path), "%s/agent.yaml", dir);
        (void)snprintf(folder, sizeof(folder), "%s/%s", dir, state_dir);
        (void)snprintf(text, sizeof(text), "host: {id: web-1}\nstate: {dir: %s}\ntpm: {tcti: \"%s\"%s}\n%s",
                       folder, emulator.tcti, strncmp(extra, ", ", 2) == 0 ? extra : "",
                       strncmp(extra, ", ", 2) == 0 ? "" : extra);
        assert_ok(file_write(path, view_str(text), 0600, &err), &err);
        assert_ok(file_mkdirs(folder, 0700, &err), &err);
        assert_ok(agent_config_load(path, &s->config, &err), &err);
        assert_ok(tpm_open(emulator.tcti, &s->tpm, &err), &err);
        assert_ok(identity_load(&s->id, s->tpm, s->config, &err), &err);
        assert_ok(counters_load(&s->c, s->tpm, &s->id, s->config, &err), &err);
}

static void end(struct start *s)
{
        counters_done(&s->c);
        identity_done(&s->id);
        tpm_free(s->tpm);
        agent_config_free(s->config);
}

static void assert_tool(const char *line)
{
        assert_int_equal(swtpm_tool(&emulator, line), 0);
}

/* What the TPM certifies, checked as the verifier does: the value of each. */
static void assert_certified(struct start *s, uint64_t epoch, uint64_t floor)
{
        const uint32_t indices[] = {SEAL_NV_EPOCH, SEAL_NV_FLOOR};
        const uint64_t values[] = {epoch, floor};
        struct tpm_signed signed_values[2] = {{.message = {0}}};
        AUTO(pubkey_free_p) struct pubkey *key = NULL;
        struct tpm_public ak;
        struct err err = ERR_INIT;

        assert_ok(pubkey_from_spki(VIEW_BUF(&s->c.spki), &key, &err), &err);
        assert_ok(tpm2b_public_parse(tpm_ak_public(s->id.ak), &ak, &err), &err);
        assert_ok(counters_certify(&s->c, s->id.ak, CHALLENGE, &signed_values[0], &signed_values[1], &err),
                  &err);
        for (size_t i = 0; i < 2; i++) {
                struct counter_shown shown;
                struct tpm_name name;
                const char *why;

                assert_ok(sealed_counter_name(indices[i], key, &name, &err), &err);
                assert_ok(counter_check(&ak, NULL, VIEW_BUF(&signed_values[i].message),
                                        VIEW_BUF(&signed_values[i].signature), CHALLENGE,
                                        tpm_name_view(&name), &shown, &why, &err),
                          &err);
                assert_null(why);
                assert_int_equal(shown.value, values[i]);
                tpm_signed_done(&signed_values[i]);
        }
}

static void made_once(void **state)
{
        struct start s;
        uint64_t epoch, floor;

        (void)state;
        start_with(&s, "state", "");
        assert_true(s.c.usable);
        epoch = s.c.epoch.value;
        floor = s.c.floor.value;
        assert_true(epoch > 0 && floor > 0);
        assert_certified(&s, epoch, floor);
        end(&s);
        start_with(&s, "state", "");
        assert_true(s.c.usable);
        assert_certified(&s, epoch, floor);
        end(&s);
        swtpm_restart(&emulator); /* a boot */
        start_with(&s, "state", "");
        assert_certified(&s, epoch, floor);
        end(&s);
}

static void the_floor_is_raised(void **state)
{
        struct start s;
        struct err err = ERR_INIT;
        uint64_t epoch, floor;

        (void)state;
        start_with(&s, "state", "");
        epoch = s.c.epoch.value;
        floor = s.c.floor.value;
        assert_ok(counters_raise_floor(&s.c, s.tpm, floor + 3, &err), &err);
        assert_int_equal(s.c.floor.value, floor + 3);
        assert_ok(counters_raise_floor(&s.c, s.tpm, floor, &err), &err); /* above it already */
        assert_certified(&s, epoch, floor + 3);
        assert_err(counters_raise_floor(&s.c, s.tpm, UINT64_MAX, &err), ERR_LIMIT, &err, "too far");
        err_clear(&err);
        assert_certified(&s, epoch, floor + 3);
        end(&s);
}

/* Undefined by somebody: made anew, above, under the same name. */
static void undefined_and_made_anew(void **state)
{
        struct start s;
        struct tpm_signed a = {.message = {0}}, b = {.message = {0}};
        struct err err = ERR_INIT;
        uint64_t epoch, floor;

        (void)state;
        start_with(&s, "state", "");
        epoch = s.c.epoch.value;
        floor = s.c.floor.value;
        assert_tool("tpm2_nvundefine -C o 0x01810100");
        assert_err(counters_certify(&s.c, s.id.ak, CHALLENGE, &a, &b, &err), ERR_TPM, &err, "0x01810100");
        err_clear(&err);
        assert_ok(counters_load(&s.c, s.tpm, &s.id, s.config, &err), &err);
        assert_true(s.c.epoch.value > epoch);
        assert_certified(&s, s.c.epoch.value, floor);
        end(&s);
}

static void a_lost_state_directory(void **state)
{
        struct start s;
        uint64_t epoch;

        (void)state;
        start_with(&s, "state", "");
        epoch = s.c.epoch.value;
        end(&s);
        start_with(&s, "another", "");
        assert_true(s.c.usable && s.c.epoch.value > epoch);
        assert_certified(&s, s.c.epoch.value, s.c.floor.value);
        end(&s);
}

static void an_index_of_others(void **state)
{
        struct start s;
        struct err err = ERR_INIT;

        (void)state;
        assert_tool("tpm2_nvdefine -C o -s 8 -a 'ownerread|ownerwrite|authread' 0x01810101");
        start_with(&s, "state", "");
        assert_false(s.c.usable);
        assert_err(counters_raise_floor(&s.c, s.tpm, 1, &err), ERR_CONFIG, &err, "no counters");
        end(&s);
        assert_tool("tpm2_nvreadpublic 0x01810101"); /* left alone */
        assert_tool("tpm2_nvundefine -C o 0x01810101");
        start_with(&s, "state", "");
        assert_true(s.c.usable);
        end(&s);
}

/* Defined, and then the power went before the first increment. */
static void half_made(void **state)
{
        struct start s;
        uint64_t before;

        (void)state;
        start_with(&s, "state", "");
        before = s.c.floor.value;
        end(&s);
        assert_tool("tpm2_nvreadpublic 0x01810100 > pub; "
                    "sed -n 's/.*authorization policy: *//p' pub | xxd -r -p > policy; "
                    "tpm2_nvundefine -C o 0x01810100; "
                    "tpm2_nvdefine -C o -s 8 -a 'nt=counter|policywrite|authread|ownerread|no_da' -L policy "
                    "0x01810100");
        start_with(&s, "state", "");
        assert_true(s.c.usable && s.c.epoch.value > before); /* above all that were undefined */
        assert_certified(&s, s.c.epoch.value, before);
        end(&s);
}

static void an_owner_password(void **state)
{
        char path[64], extra[128];
        struct start s;
        struct err err = ERR_INIT;

        (void)state;
        (void)snprintf(path, sizeof(path), "%s/owner", dir);
        (void)snprintf(extra, sizeof(extra), ", owner_auth: %s", path);
        assert_tool("tpm2_changeauth -c o secret");
        start_with(&s, "state", "");
        assert_false(s.c.usable); /* we were not given it */
        end(&s);
        assert_ok(file_write(path, view_str("wrong\n"), 0600, &err), &err);
        start_with(&s, "state", extra);
        assert_false(s.c.usable);
        end(&s);
        assert_ok(file_write(path, view_str("secret\n"), 0600, &err), &err);
        start_with(&s, "state", extra);
        assert_true(s.c.usable);
        end(&s);
        start_with(&s, "state", ""); /* once they are there, nothing needs it */
        assert_true(s.c.usable);
        assert_ok(counters_raise_floor(&s.c, s.tpm, s.c.floor.value + 1, &err), &err);
        end(&s);
}

static void none_for_keylime(void **state)
{
        struct start s;

        (void)state;
        start_with(&s, "state", "verifier: {peer: keylime}\n");
        assert_false(s.c.usable);
        end(&s);
        assert_int_not_equal(swtpm_tool(&emulator, "tpm2_nvreadpublic 0x01810100"), 0);
}

static void a_spoilt_key(void **state)
{
        char path[64];
        struct start s;
        struct err err = ERR_INIT;

        (void)state;
        start_with(&s, "state", "");
        end(&s);
        (void)snprintf(path, sizeof(path), "%s/state/counter.key", dir);
        assert_ok(file_write(path, view_str("no key"), 0600, &err), &err);
        start_with(&s, "state", "");
        assert_false(s.c.usable); /* and the counters stay: who removes the file wants new ones */
        end(&s);
        assert_int_equal(unlink(path), 0);
        start_with(&s, "state", "");
        assert_true(s.c.usable);
        end(&s);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test_setup_teardown(made_once, setup, teardown),
                cmocka_unit_test_setup_teardown(the_floor_is_raised, setup, teardown),
                cmocka_unit_test_setup_teardown(undefined_and_made_anew, setup, teardown),
                cmocka_unit_test_setup_teardown(a_lost_state_directory, setup, teardown),
                cmocka_unit_test_setup_teardown(an_index_of_others, setup, teardown),
                cmocka_unit_test_setup_teardown(half_made, setup, teardown),
                cmocka_unit_test_setup_teardown(an_owner_password, setup, teardown),
                cmocka_unit_test_setup_teardown(none_for_keylime, setup, teardown),
                cmocka_unit_test_setup_teardown(a_spoilt_key, setup, teardown),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
