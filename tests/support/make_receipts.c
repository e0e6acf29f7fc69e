/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Receipts for tests of what reads them: `make_receipts DIR` makes final, tainted, provisional, lost
 * and of-another-verifier (each NAME.avow-receipt), what they are of (module, input, output), and what they
 * are checked with: roots/ak-ca.pem and jwks.json; roots-of-others/ holds a CA that never heard of them.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/file.h"
#include "crypto/jws.h"
#include "support/play_receipt.h"
#include "support/support.h"

static const char *folder;

static void put(const char *name, struct view content)
{
        AUTO(mem_free_p) char *path = str_fmt("%s/%s", folder, name);
        struct err err = ERR_INIT;

        assert_non_null(path);
        assert_ok(file_write(path, content, 0644, &err), &err);
}

static void put_receipt(const char *name, const struct play_receipt *w)
{
        AUTO(mem_free_p) char *file = str_fmt("%s.avow-receipt", name);
        AUTO(buf_free) struct buf text = {0};
        struct err err = ERR_INIT;

        assert_ok(receipt_file_encode(&w->f, &text, &err), &err);
        put(file, VIEW_BUF(&text));
}

static void put_ca(const char *name, const struct play_receipt *w)
{
        AUTO(mem_free_p) char *dir = str_fmt("%s/%s", folder, name), *file = str_fmt("%s/ak-ca.pem", name);
        AUTO(mem_free_p) char *pem = NULL;
        struct err err = ERR_INIT;

        assert_ok(file_mkdirs(dir, 0755, &err), &err);
        assert_ok(cert_pem(w->ca, &pem, &err), &err);
        put(file, view_str(pem));
}

static void make_all(void **state)
{
        AUTO(mem_free_p) char *jwks = NULL;
        struct play_receipt w, other;
        struct err err = ERR_INIT;

        (void)state;
        play_receipt_begin(&w);
        play_receipt_begin(&other);
        put("module", view_str("module"));
        put("input", view_str("input"));
        put("output", view_str("output"));
        put_ca("roots", &w);
        put_ca("roots-of-others", &other);
        assert_ok(jwks_make((const struct pubkey *const[]){w.verifier_public}, 1, &jwks, &err), &err);
        put("jwks.json", view_str(jwks));
        put_receipt("final", &w);
        play_receipt_countersign(&w, RECEIPT_TAINTED);
        put_receipt("tainted", &w);
        play_receipt_countersign(&other, RECEIPT_FINAL);
        free(w.f.countersignature);
        w.f.countersignature = str_dup(other.f.countersignature);
        put_receipt("of-another-verifier", &w);
        free(TAKE(w.f.countersignature));
        put_receipt("provisional", &w);
        w.r.exit = RECEIPT_LOST;
        w.r.why = str_dup("the agent was ended");
        w.r.has_output = false;
        play_receipt_sign(&w);
        play_receipt_countersign(&w, RECEIPT_FINAL);
        put_receipt("lost", &w);
        play_receipt_end(&w);
        play_receipt_end(&other);
}

int main(int argc, char **argv)
{
        const struct CMUnitTest tests[] = {cmocka_unit_test(make_all)};

        if (argc != 2) {
                (void)fprintf(stderr, "usage: make_receipts DIR\n");
                return 2;
        }
        folder = argv[1];
        return cmocka_run_group_tests(tests, NULL, NULL);
}
