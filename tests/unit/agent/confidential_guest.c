/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A machine with an AMD processor of our own, for stories: DIR/genuine is the configfs-tsm of its guest,
 * whose reports are good; DIR/stolen that of a machine without such a processor, which hands out the last
 * report of the other one whatever it is asked. DIR/ark.pem is the root to trust, DIR/endorsements what
 * vouches, DIR/image the guest's launch measurement. It ends with its standard input.
 */
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/hex.h"
#include "base/str.h"
#include "crypto/cert.h"
#include "evidence/snp.h"
#include "support/fake_tsm.h"
#include "support/snp_forge.h"
#include "support/support.h"

struct machine {
        struct snp_forge amd;
        pthread_mutex_t lock; /* of LAST: two trees ask */
        uint8_t last[SNP_REPORT_BYTES];
        struct buf table;
};

static void genuine(void *ctx, const uint8_t data[64], unsigned level, struct buf *out, struct buf *aux)
{
        struct machine *m = ctx;

        (void)level;
        (void)pthread_mutex_lock(&m->lock);
        snp_forge_report(&m->amd, 3, false, m->last);
        memcpy(m->last + 0x50, data, 64);
        snp_forge_sign(&m->amd, m->last);
        buf_put(out, m->last, sizeof(m->last));
        buf_put_view(aux, VIEW_BUF(&m->table));
        (void)pthread_mutex_unlock(&m->lock);
}

static void stolen(void *ctx, const uint8_t data[64], unsigned level, struct buf *out, struct buf *aux)
{
        struct machine *m = ctx;

        (void)data, (void)level;
        (void)pthread_mutex_lock(&m->lock);
        buf_put(out, m->last, sizeof(m->last));
        buf_put_view(aux, VIEW_BUF(&m->table));
        (void)pthread_mutex_unlock(&m->lock);
}

/* The chip's certificate, as the host gives it along. */
static void make_table(struct machine *m)
{
        static const uint8_t vcek[] = {0x63, 0xda, 0x75, 0x8d, 0xe6, 0x64, 0x45, 0x64,
                                       0xad, 0xc5, 0xf4, 0xb9, 0x3b, 0xe8, 0xac, 0xcd};
        AUTO(buf_free) struct buf der = {0};
        struct snp_forge_leaf leaf;

        snp_forge_leaf_init(&m->amd, false, &leaf);
        snp_forge_leaf(&m->amd, &leaf, &der);
        buf_put(&m->table, vcek, sizeof(vcek));
        buf_le32(&m->table, 48);
        buf_le32(&m->table, (uint32_t)der.len);
        for (size_t i = 0; i < 24; i++)
                buf_u8(&m->table, 0);
        buf_put_view(&m->table, VIEW_BUF(&der));
}

static void write_file(const char *dir, const char *name, struct view v)
{
        AUTO(mem_free_p) char *path = str_fmt("%s/%s", dir, name);
        struct err err = ERR_INIT;

        assert_ok(file_write(path, v, 0644, &err), &err);
}

static void make_dir(const char *dir, const char *name, char **ret)
{
        *ret = str_fmt("%s/%s", dir, name);
        assert_non_null(*ret);
        assert_int_equal(mkdir(*ret, 0755), 0);
}

static void write_endorsements(struct machine *m, const char *dir)
{
        AUTO(mem_free_p) char *folder = NULL;
        AUTO(mem_free_p) char *pem = NULL;
        AUTO(cert_free_p) struct cert *root = NULL;
        AUTO(buf_free) struct buf ark = {0};
        AUTO(buf_free) struct buf ask = {0};
        AUTO(buf_free) struct buf image = {0};
        struct err err = ERR_INIT;

        make_dir(dir, "endorsements", &folder);
        snp_forge_ca(&m->amd, FORGE_ARK, &ark);
        snp_forge_ca(&m->amd, FORGE_ASK, &ask);
        write_file(folder, "ark.der", VIEW_BUF(&ark));
        write_file(folder, "ask.der", VIEW_BUF(&ask));
        assert_ok(cert_parse_der(VIEW_BUF(&ark), &root, &err), &err);
        assert_ok(cert_pem(root, &pem, &err), &err);
        write_file(dir, "ark.pem", view_str(pem));
        buf_hex(&image, VIEW(m->last + 0x90, SNP_DIGEST_BYTES));
        write_file(dir, "image", VIEW_BUF(&image));
}

static void serve(void **state)
{
        const char *dir = *state;
        char *folders[2] = {NULL, NULL};
        struct machine m = {.table = {0}};
        struct fake_tsm trees[] = {{.provider = "sev_guest", .make = genuine, .ctx = &m},
                                   {.provider = "sev_guest", .make = stolen, .ctx = &m}};
        char c;

        assert_int_equal(pthread_mutex_init(&m.lock, NULL), 0);
        snp_forge_init(&m.amd, SNP_MILAN);
        snp_forge_report(&m.amd, 3, false, m.last);
        make_table(&m);
        make_dir(dir, "genuine", &folders[0]);
        make_dir(dir, "stolen", &folders[1]);
        for (size_t i = 0; i < 2; i++) {
                trees[i].folder = folders[i];
                fake_tsm_start(&trees[i]);
        }
        write_endorsements(&m, dir); /* its last file says that all is there */
        while (read(STDIN_FILENO, &c, 1) > 0)
                ;
        for (size_t i = 0; i < 2; i++) {
                fake_tsm_stop(&trees[i]);
                mem_free_p(&folders[i]);
        }
        buf_free(&m.table);
        snp_forge_done(&m.amd);
}

int main(int argc, char **argv)
{
        const struct CMUnitTest tests[] = {cmocka_unit_test_prestate(serve, argv[argc - 1])};

        return cmocka_run_group_tests(tests, NULL, NULL);
}
