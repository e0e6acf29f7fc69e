/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Asking the processor, where the kernel is the test: configfs-tsm from a folder that counts and answers like
 * it, /dev/sev-guest from wrapped ioctls, an enclave's two files.
 */
#include "agent/tee.h"

#include <errno.h>
#include <linux/sev-guest.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/str.h"
#include "evidence/snp.h"
#include "support/fake_tsm.h"
#include "support/support.h"

static const uint8_t data[TEE_DATA_BYTES] = {1, 2, 3, [63] = 64};

/* ---- configfs-tsm ---- */

/* "Report": level, and the data. */
static void make(void *ctx, const uint8_t in[64], unsigned level, struct buf *out, struct buf *aux)
{
        unsigned *n = ctx;

        ++*n;
        buf_u8(out, (uint8_t)level);
        buf_put(out, in, 64);
        buf_str(aux, "table");
}

struct tree {
        char folder[64];
        struct fake_tsm tsm;
        unsigned n_made;
        struct agent_config config;
};

static void tree_init(struct tree *t, const char *provider, bool no_levels)
{
        *t = (struct tree){.folder = "/tmp/avow.XXXXXX"};
        assert_non_null(mkdtemp(t->folder));
        t->tsm = (struct fake_tsm){.folder = t->folder,
                                   .provider = provider,
                                   .no_levels = no_levels,
                                   .make = make,
                                   .ctx = &t->n_made};
        t->config.tee.tsm = t->folder;
}

static void tree_done(struct tree *t)
{
        fake_tsm_stop(&t->tsm);
        assert_int_equal(rmdir(t->folder), 0);
}

static void reports(void **state)
{
        struct err err = ERR_INIT;
        struct tee_made m = {0};
        enum tee_kind kind = TEE_SGX;
        struct tree t;

        (void)state;
        tree_init(&t, "sev_guest", false);
        t.tsm.floor = 2;
        fake_tsm_start(&t.tsm);
        assert_true(tee_source_look(&t.config, &kind));
        assert_int_equal(kind, TEE_SNP);
        for (unsigned wanted = 0; wanted <= 3; wanted += 3) {
                t.config.tee.privlevel = wanted;
                assert_ok(tee_source_make(&t.config, kind, data, &m, &err), &err);
                assert_int_equal(m.evidence.len, 65);
                assert_int_equal(m.evidence.p[0], wanted > 2 ? wanted : 2); /* the floor, if it is above */
                assert_memory_equal(m.evidence.p + 1, data, 64);
                assert_view(VIEW_BUF(&m.table), "table");
                tee_made_done(&m);
                m = (struct tee_made){0};
        }
        assert_int_equal(t.n_made, 2);
        assert_err(tee_source_make(&t.config, TEE_TDX, data, &m, &err), ERR_IO, &err, "tdx");
        tree_done(&t);
}

/* The SVSM reports on its virtual TPM; the certificates are those of an ordinary report. */
static void below_the_guest(void **state)
{
        struct err err = ERR_INIT;
        struct tee_made m = {0};
        struct tree t;

        (void)state;
        tree_init(&t, "sev_guest", false);
        t.tsm.manifest = "the TPM's key";
        t.tsm.floor = 2;
        fake_tsm_start(&t.tsm);
        t.config.tee.svsm = true;
        assert_ok(tee_source_make(&t.config, TEE_SNP, data, &m, &err), &err);
        assert_int_equal(t.n_made, 2);
        assert_view(VIEW_BUF(&t.tsm.service), "svsmc476f1eb-0123-45a5-9641-b4e7dde5bfe30");
        assert_int_equal(m.evidence.len, 65);
        assert_memory_equal(m.evidence.p + 1, data, 64);
        assert_view(VIEW_BUF(&m.manifest), "the TPM's key");
        assert_view(VIEW_BUF(&m.table), "table");
        tee_made_done(&m);
        tree_done(&t);
        tree_init(&t, "sev_guest", false);
        fake_tsm_start(&t.tsm);
        m = (struct tee_made){0};
        assert_err(tee_tsm_make(t.folder, 0, true, data, &m, &err), ERR_IO, &err, "service_provider");
        tee_made_done(&m);
        tree_done(&t);
}

/* Somebody else writes between our question and its answer. */
static void not_our_answer(void **state)
{
        struct err err = ERR_INIT;
        struct tee_made m = {0};
        struct tree t;

        (void)state;
        tree_init(&t, "tdx_guest", true);
        t.tsm.intruders = 2;
        fake_tsm_start(&t.tsm);
        assert_ok(tee_tsm_make(t.folder, 3, false, data, &m, &err), &err);
        assert_int_equal(t.n_made, 3);
        assert_int_equal(m.evidence.len, 65);
        assert_int_equal(m.evidence.p[0], 0); /* a TD has no such levels */
        assert_memory_equal(m.evidence.p + 1, data, 64);
        tee_made_done(&m);
        m = (struct tee_made){0};
        t.tsm.intruders = 1000;
        assert_err(tee_tsm_make(t.folder, 0, false, data, &m, &err), ERR_IO, &err, "not to our questions");
        tee_made_done(&m);
        tree_done(&t);
}

static void no_provider(void **state)
{
        struct err err = ERR_INIT;
        struct tee_made m = {0};
        enum tee_kind kind;
        struct tree t;

        (void)state;
        tree_init(&t, "arm_cca_guest", false);
        fake_tsm_start(&t.tsm);
        assert_err(tee_tsm_kind(t.folder, &kind, &err), ERR_CONFIG, &err, "arm_cca_guest");
        assert_false(tee_source_look(&t.config, &kind));
        tree_done(&t);
        err_clear(&err);
        assert_err(tee_tsm_make("/nowhere/at/all", 0, false, data, &m, &err), ERR_IO, &err,
                   "/nowhere/at/all");
        assert_false(tee_source_look(&(struct agent_config){0}, &kind));
}

/* ---- /dev/sev-guest ---- */

static struct {
        unsigned n_extended, n_plain;
        unsigned busy; /* so many times */
        bool refuse_extended, refuse_plain;
        uint32_t status, size;
        uint8_t table[512];
        unsigned vmpl;
} firmware;

int __wrap_ioctl(int fd, unsigned long request, void *arg);
int __wrap_ioctl(int fd, unsigned long request, void *arg)
{
        struct snp_guest_request_ioctl *io = arg;
        bool extended = request == SNP_GET_EXT_REPORT;
        struct snp_ext_report_req *ext = (void *)(uintptr_t)io->req_data;
        struct snp_report_req *req = extended ? &ext->data : (void *)(uintptr_t)io->req_data;
        struct snp_report_resp *resp = (void *)(uintptr_t)io->resp_data;

        (void)fd;
        assert_true(extended || request == SNP_GET_REPORT);
        assert_int_equal(io->msg_version, 1);
        assert_memory_equal(req->user_data, data, 64);
        firmware.n_extended += extended;
        firmware.n_plain += !extended;
        firmware.vmpl = req->vmpl;
        if (firmware.busy) {
                firmware.busy--;
                io->vmm_error = SNP_GUEST_VMM_ERR_BUSY;
                errno = EAGAIN;
                return -1;
        }
        if (extended ? firmware.refuse_extended : firmware.refuse_plain) {
                io->vmm_error = SNP_GUEST_VMM_ERR_INVALID_LEN;
                io->fw_error = 0x16;
                errno = EIO;
                return -1;
        }
        if (extended) {
                assert_int_equal(ext->certs_len % 4096, 0);
                memcpy((void *)(uintptr_t)ext->certs_address, firmware.table, sizeof(firmware.table));
        }
        memset(resp, 0, sizeof(*resp));
        memcpy(resp->data, &firmware.status, 4);
        memcpy(resp->data + 4, &firmware.size, 4);
        memset(resp->data + 32, 0x5e, SNP_REPORT_BYTES);
        return 0;
}

static void firmware_init(void)
{
        memset(&firmware, 0, sizeof(firmware));
        firmware.size = SNP_REPORT_BYTES;
}

static void put_entry(size_t at, uint8_t guid, uint32_t offset, uint32_t len)
{
        memset(firmware.table + at, guid, 16);
        memcpy(firmware.table + at + 16, &offset, 4);
        memcpy(firmware.table + at + 20, &len, 4);
}

static void made(size_t table)
{
        struct err err = ERR_INIT;
        struct tee_made m = {0};

        assert_ok(tee_sev_guest_make("/dev/null", 1, data, &m, &err), &err);
        assert_int_equal(m.evidence.len, SNP_REPORT_BYTES);
        assert_int_equal(m.evidence.p[0] & m.evidence.p[SNP_REPORT_BYTES - 1], 0x5e);
        assert_int_equal(m.table.len, table);
        assert_int_equal(firmware.vmpl, 1);
        tee_made_done(&m);
}

static void not_made(enum err_kind kind, const char *part)
{
        struct err err = ERR_INIT;
        struct tee_made m = {0};

        assert_err(tee_sev_guest_make("/dev/null", 1, data, &m, &err), kind, &err, part);
        tee_made_done(&m);
}

static void from_the_device(void **state)
{
        (void)state;
        firmware_init();
        made(0); /* the host has no certificates */
        assert_int_equal(firmware.n_extended, 1);
        put_entry(0, 0x11, 100, 50);
        put_entry(24, 0x22, 150, 7);
        made(157); /* as far as they go */
        put_entry(24, 0x22, 150, 1u << 30);
        made(0); /* no table at all: the report is good without */
        firmware.busy = 2;
        made(0);
        assert_int_equal(firmware.n_extended, 6);
        assert_int_equal(firmware.n_plain, 0);
        firmware.refuse_extended = true;
        made(0);
        assert_int_equal(firmware.n_plain, 1);
        firmware.refuse_plain = true;
        not_made(ERR_IO, "firmware error 0x16");
}

static void bad_answers(void **state)
{
        struct err err = ERR_INIT;
        struct tee_made m = {0};

        (void)state;
        firmware_init();
        firmware.status = 0x27;
        not_made(ERR_FORMAT, "status 39");
        firmware_init();
        firmware.size = SNP_REPORT_BYTES + 1;
        not_made(ERR_FORMAT, "1185");
        assert_err(tee_sev_guest_make("/nowhere", 0, data, &m, &err), ERR_IO, &err, "/nowhere");
}

/* ---- an enclave ---- */

static void from_files(void **state)
{
        char folder[] = "/tmp/avow.XXXXXX";
        AUTO(buf_free) struct buf told = {0};
        AUTO(mem_free_p) char *in = NULL;
        AUTO(mem_free_p) char *out = NULL;
        struct agent_config config = {.tee.attestation = folder};
        struct err err = ERR_INIT;
        struct tee_made m = {0};
        enum tee_kind kind = TEE_SNP;

        (void)state;
        assert_non_null(mkdtemp(folder));
        in = str_fmt("%s/user_report_data", folder);
        out = str_fmt("%s/quote", folder);
        assert_true(tee_source_look(&config, &kind));
        assert_int_equal(kind, TEE_SGX);
        assert_err(tee_source_make(&config, kind, data, &m, &err), ERR_IO, &err, "user_report_data");
        err_clear(&err);
        assert_ok(file_write(in, VIEW_NONE, 0600, &err), &err);
        assert_ok(file_write(out, view_str("a quote"), 0600, &err), &err);
        assert_ok(tee_source_make(&config, kind, data, &m, &err), &err);
        assert_view(VIEW_BUF(&m.evidence), "a quote");
        assert_ok(file_read(in, 100, &told, &err), &err);
        assert_true(view_equal(VIEW_BUF(&told), VIEW_ARRAY(data)));
        tee_made_done(&m);
        assert_ok(file_remove(in, &err), &err);
        assert_ok(file_remove(out, &err), &err);
        assert_int_equal(rmdir(folder), 0);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(reports),         cmocka_unit_test(below_the_guest),
                cmocka_unit_test(not_our_answer),  cmocka_unit_test(no_provider),
                cmocka_unit_test(from_the_device), cmocka_unit_test(bad_answers),
                cmocka_unit_test(from_files),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
