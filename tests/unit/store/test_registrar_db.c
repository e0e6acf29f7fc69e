/* SPDX-License-Identifier: Apache-2.0 */
/* The registrar's data: a name belongs to one EK, whatever order things come in. */
#include "store/registrar_db.h"

#include <stdlib.h>

#include "pump.h"

struct fixture {
        char dir[TMPDIR_BYTES], url[64];
        struct pump pump;
        struct registrar_db *db;
        /* the last answer */
        int told;
        enum store_outcome outcome;
        size_t n;
        char names[8][90], ek[90], ak[90];
        bool bound, active;
        enum bound_by by;
        int64_t regcount, registered;
        struct registrar_counts counts;
};

static int setup(void **state)
{
        struct fixture *f = calloc(1, sizeof(*f));
        struct err err = ERR_INIT;

        tmpdir_make(f->dir);
        (void)snprintf(f->url, sizeof(f->url), "sqlite:%s/r.db", f->dir);
        pump_init(&f->pump);
        assert_ok(registrar_db_open(f->url, pump_post, &f->pump, NULL, &f->db, &err), &err);
        *state = f;
        return 0;
}

static int teardown(void **state)
{
        struct fixture *f = *state;

        registrar_db_close(f->db);
        pump_done(&f->pump);
        tmpdir_remove(f->dir);
        free(f);
        return 0;
}

static void on_result(void *ctx, const struct registrar_result *r)
{
        struct fixture *f = ctx;

        f->told++;
        f->outcome = r->outcome;
        f->n = r->n_hosts;
        f->ek[0] = f->ak[0] = '\0';
        for (size_t i = 0; i < r->n_hosts && i < 8; i++)
                (void)snprintf(f->names[i], sizeof(f->names[i]), "%s", r->hosts[i].name);
        if (r->n_hosts == 0)
                return;
        f->bound = r->hosts[0].bound;
        f->active = r->hosts[0].active;
        f->by = r->hosts[0].binding.by;
        f->regcount = r->hosts[0].identity.regcount;
        f->registered = r->hosts[0].identity.registered_at_ms;
        if (f->active) {
                (void)snprintf(f->ek, sizeof(f->ek), "%s", r->hosts[0].identity.ek_sha256);
                (void)snprintf(f->ak, sizeof(f->ak), "%s", r->hosts[0].identity.ak_name);
        } else if (r->hosts[0].binding.ek_sha256) {
                (void)snprintf(f->ek, sizeof(f->ek), "%s", r->hosts[0].binding.ek_sha256);
        }
}

static struct identity identity(const char *ek, const char *serial, const char *ak)
{
        return (struct identity){.ek = {(uint8_t *)"EK", 2, 2, false},
                                 .ek_sha256 = (char *)ek,
                                 .ek_cert = {(uint8_t *)"CERT", 4, 4, false},
                                 .ek_cert_serial = (char *)serial,
                                 .ak = {(uint8_t *)"AK", 2, 2, false},
                                 .ak_name = (char *)ak,
                                 .port = 9002,
                                 .activated_at_ms = 5};
}

static enum store_outcome activate(struct fixture *f, const char *name, const char *ek, const char *serial,
                                   const char *ak)
{
        struct identity id = identity(ek, serial, ak);

        ASK(f, registrar_db_activate(f->db, NULL, name, &id, NULL, on_result, f, err));
        return f->outcome;
}

static enum store_outcome bind(struct fixture *f, const char *name, enum bound_by by, const char *ek,
                               const char *serial)
{
        struct binding b = {
                .by = by, .ek_sha256 = (char *)ek, .ek_cert_serial = (char *)serial, .bound_at_ms = 1};

        ASK(f, registrar_db_bind(f->db, NULL, name, &b, NULL, on_result, f, err));
        return f->outcome;
}

static enum store_outcome get(struct fixture *f, const char *tenant, const char *name)
{
        ASK(f, registrar_db_get(f->db, tenant, name, on_result, f, err));
        return f->outcome;
}

static void one_ek_a_name(void **state)
{
        struct fixture *f = *state;

        assert_int_equal(get(f, NULL, "web-1"), STORE_NOT_FOUND);
        assert_int_equal(activate(f, "web-1", "e1", NULL, "a1"), STORE_OK);
        assert_true(f->active);
        assert_false(f->bound);
        assert_int_equal(f->regcount, 1);
        assert_int_equal(activate(f, "web-1", "e2", NULL, "a2"), STORE_CONFLICT);
        assert_int_equal(get(f, NULL, "web-1"), STORE_OK);
        assert_string_equal(f->ek, "e1");
        assert_string_equal(f->ak, "a1");
        assert_int_equal(activate(f, "web-1", "e1", NULL, "a3"), STORE_OK); /* a new AK of the same TPM */
        assert_string_equal(f->ak, "a3");
        assert_int_equal(f->regcount, 2);
        assert_int_equal(get(f, "acme", "web-1"),
                         STORE_NOT_FOUND); /* another tenant's name is another name */
        assert_int_equal(activate(f, "web-2", "e1", NULL, "a4"), STORE_OK);
        ASK(f, registrar_db_find_ek(f->db, NULL, "e1", on_result, f, err));
        assert_int_equal(f->n, 2);
        ASK(f, registrar_db_delete(f->db, NULL, "web-1", NULL, on_result, f, err));
        assert_int_equal(f->outcome, STORE_OK);
        ASK(f, registrar_db_delete(f->db, NULL, "web-1", NULL, on_result, f, err));
        assert_int_equal(f->outcome, STORE_NOT_FOUND);
        assert_int_equal(activate(f, "web-1", "e2", NULL, "a2"), STORE_OK); /* the admin removed it */
}

static void bindings(void **state)
{
        struct fixture *f = *state;

        assert_int_equal(bind(f, "a", BOUND_EK, "e1", NULL), STORE_OK);
        assert_int_equal(activate(f, "a", "e2", NULL, "x"), STORE_CONFLICT);
        assert_int_equal(activate(f, "a", "e1", NULL, "x"), STORE_OK);
        assert_true(f->bound && f->active);
        assert_int_equal(bind(f, "a", BOUND_EK, "e2", NULL), STORE_CONFLICT);
        assert_int_equal(bind(f, "a", BOUND_EK, "e1", NULL), STORE_OK);

        assert_int_equal(bind(f, "b", BOUND_SERIAL, NULL, "0a"), STORE_OK);
        assert_int_equal(activate(f, "b", "e1", "0b", "x"), STORE_CONFLICT);
        assert_int_equal(activate(f, "b", "e1", NULL, "x"), STORE_CONFLICT);
        assert_int_equal(activate(f, "b", "e1", "0a", "x"), STORE_OK);

        assert_int_equal(bind(f, "c", BOUND_TOFU, NULL, NULL), STORE_OK);
        assert_int_equal(activate(f, "c", "e9", NULL, "x"), STORE_OK);
        assert_int_equal(f->by, BOUND_TOFU); /* stays visible */
        assert_int_equal(activate(f, "c", "e8", NULL, "x"), STORE_CONFLICT);

        assert_int_equal(activate(f, "d", "e1", "0a", "x"), STORE_OK);
        assert_int_equal(bind(f, "d", BOUND_SERIAL, NULL, "0b"), STORE_CONFLICT);
        assert_int_equal(bind(f, "d", BOUND_EK, "e1", NULL), STORE_OK);
        assert_string_equal(bound_by_name(BOUND_TOFU), "tofu");
}

static void on_counts(void *ctx, const struct registrar_counts *counts, const struct err *err)
{
        struct fixture *f = ctx;

        assert_null(err);
        f->counts = *counts;
        f->told++;
}

static void lists(void **state)
{
        struct fixture *f = *state;

        assert_int_equal(bind(f, "b", BOUND_TOFU, NULL, NULL), STORE_OK);
        assert_int_equal(activate(f, "c", "e1", NULL, "x"), STORE_OK);
        assert_int_equal(activate(f, "a", "e1", NULL, "x"), STORE_OK);
        ASK(f, registrar_db_list(f->db, NULL, NULL, 2, false, on_result, f, err));
        assert_int_equal(f->n, 2);
        assert_string_equal(f->names[0], "a");
        assert_string_equal(f->names[1], "b");
        ASK(f, registrar_db_list(f->db, NULL, "b", 2, false, on_result, f, err));
        assert_int_equal(f->n, 1);
        assert_string_equal(f->names[0], "c");
        ASK(f, registrar_db_list(f->db, NULL, NULL, 10, true, on_result, f, err));
        assert_int_equal(f->n, 2);
        assert_string_equal(f->names[1], "c");
        ASK(f, registrar_db_counts(f->db, on_counts, f, err));
        assert_int_equal(f->counts.bound, 1);
        assert_int_equal(f->counts.active, 2);
        assert_int_equal(f->counts.tofu, 1);
}

static void on_any(void *ctx, const struct registrar_result *r)
{
        struct fixture *f = ctx;

        f->told++;
        f->outcome = r->outcome;
        f->n = r->err ? (size_t)r->err->kind : 0;
}

/* Out of memory in the request, or on the store's thread: an error, and nothing written. */
static int activate_once(void *ctx, struct err *err)
{
        struct fixture *f = ctx;
        struct identity id = identity("e1", NULL, "a1");

        f->told = 0;
        if (registrar_db_activate(f->db, NULL, "web-1", &id, NULL, on_any, f, err) < 0)
                return -ERR_NOMEM;
        pump_until(&f->pump, &f->told, 1);
        return f->outcome == STORE_OK ? 0 : -(int)f->n;
}

static void oom(void **state)
{
        struct fixture *f = *state;

        oom_each(activate_once, f);
        assert_int_equal(get(f, NULL, "web-1"), STORE_OK);
        assert_int_equal(f->regcount, 1);
}

int main(void)
{
#define T(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)
        const struct CMUnitTest tests[] = {T(one_ek_a_name), T(bindings), T(lists), T(oom)};

        return cmocka_run_group_tests_name("registrar_db", tests, NULL, NULL);
}
