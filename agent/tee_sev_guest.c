/* SPDX-License-Identifier: Apache-2.0 */
/*
 * /dev/sev-guest: a report, and the certificates that the host has for it. The report comes from the firmware
 * through a channel that the host cannot read or change, but can refuse; the certificates are the host's, who
 * may give none.
 *
 * Spec: Linux, Documentation/virt/coco/sev-guest.rst; AMD 56860 §7.3 (MSG_REPORT_RSP), GHCB 56421 §4.1.8.1.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/sev-guest.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "agent/tee.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "evidence/snp.h"
#include "evidence/snp_bag.h"

#define MESSAGE_VERSION 1
#define TABLE_STEP      4096u            /* the kernel wants whole pages */
#define TABLE_BYTES     (4 * TABLE_STEP) /* what it takes at most, as of 6.12 */
#define RESPONSE_HEADER 32
#define BUSY_TRIES      5
#define BUSY_MS         200

static int call(int fd, unsigned long request, void *req, struct snp_report_resp *resp,
                struct snp_guest_request_ioctl *io)
{
        for (int i = 0;; i++) {
                *io = (struct snp_guest_request_ioctl){.msg_version = MESSAGE_VERSION,
                                                       .req_data = (uintptr_t)req,
                                                       .resp_data = (uintptr_t)resp};
                if (ioctl(fd, request, io) == 0)
                        return 0;
                if (io->vmm_error != SNP_GUEST_VMM_ERR_BUSY || i == BUSY_TRIES)
                        return -1;
                (void)nanosleep(&(struct timespec){.tv_nsec = BUSY_MS * 1000000L}, NULL); /* short is fine */
        }
}

static int failed(const char *device, const char *what, const struct snp_guest_request_ioctl *io, int code,
                  struct err *err)
{
        return err_errno(err, code, "%s: %s (firmware error 0x%x, host's error %u)", device, what,
                         io->fw_error, io->vmm_error);
}

/* Status, size, 24 bytes, the report. */
static int take_report(const char *device, const struct snp_report_resp *resp, struct buf *ret,
                       struct err *err)
{
        struct cursor c = cursor_of(VIEW(resp->data, sizeof(resp->data)));
        struct view report;
        uint32_t status, size;

        if (!cursor_le32(&c, &status) || !cursor_le32(&c, &size) ||
            !cursor_skip(&c, RESPONSE_HEADER - c.at) || !cursor_take(&c, SNP_REPORT_BYTES, &report))
                return err_set(err, ERR_BUG, 0, "a report does not fit its answer");
        if (status || size != SNP_REPORT_BYTES)
                return err_set(err, ERR_FORMAT, 0, "%s: status %u, a report of %u bytes", device, status,
                               size);
        buf_put_view(ret, report);
        return buf_ok(ret) ? 0 : err_nomem(err);
}

/* As much of the area as the table fills. What is no table is left out: the host's mistake is not ours. */
static int take_table(const char *device, struct view area, struct buf *ret, struct err *err)
{
        struct snp_table table;
        struct err why = ERR_INIT;
        size_t end = 0;

        if (snp_table_parse(area, &table, &why) < 0) {
                log_debug("%s: no certificates: %s", device, why.text);
                return 0;
        }
        for (size_t i = 0; i < table.n; i++) {
                size_t to = (size_t)(table.v[i].bytes.p - area.p) + table.v[i].bytes.len;

                end = to > end ? to : end;
        }
        buf_put(ret, area.p, end);
        return buf_ok(ret) ? 0 : err_nomem(err);
}

/* Report and certificates. Return: 1; 0 if the host has no room for the latter, or another refusal that the
 * simple question may not meet; < 0. */
static int ask_extended(int fd, const char *device, const struct snp_report_req *what,
                        struct snp_report_resp *resp, struct tee_made *ret, struct err *err)
{
        AUTO(mem_free_p) uint8_t *area = mem_zalloc(1, TABLE_BYTES);
        struct snp_ext_report_req req = {.data = *what, .certs_address = (uintptr_t)area};
        struct snp_guest_request_ioctl io;
        int r;

        if (!area)
                return err_nomem(err);
        req.certs_len = TABLE_BYTES;
        if (call(fd, SNP_GET_EXT_REPORT, &req, resp, &io) < 0) {
                log_debug("%s: no extended report (host's error %u)", device, io.vmm_error);
                return 0;
        }
        r = take_report(device, resp, &ret->evidence, err);
        if (r >= 0)
                r = take_table(device, VIEW(area, TABLE_BYTES), &ret->table, err);
        return r < 0 ? r : 1;
}

int tee_sev_guest_make(const char *device, unsigned vmpl, const uint8_t data[TEE_DATA_BYTES],
                       struct tee_made *ret, struct err *err)
{
        AUTO(fd_close_p) int fd = open(device, O_RDWR | O_CLOEXEC);
        AUTO(mem_free_p) struct snp_report_resp *resp = mem_zalloc(1, sizeof(*resp));
        struct snp_report_req req = {.vmpl = vmpl};
        struct snp_guest_request_ioctl io;
        int r;

        if (fd < 0)
                return err_errno(err, errno, "%s", device);
        if (!resp)
                return err_nomem(err);
        memcpy(req.user_data, data, TEE_DATA_BYTES);
        r = ask_extended(fd, device, &req, resp, ret, err);
        if (r != 0)
                return r < 0 ? r : 0;
        if (call(fd, SNP_GET_REPORT, &req, resp, &io) < 0)
                return failed(device, "no report", &io, errno, err);
        return take_report(device, resp, &ret->evidence, err);
}
