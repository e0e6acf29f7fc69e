/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which source there is. configfs-tsm comes first: it is the same for all vendors. /dev/sev-guest is what
 * kernels before 6.7 have. An enclave has neither: there a library OS (Gramine) shows two files.
 */
#include "agent/tee.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"

void tee_made_done(struct tee_made *m)
{
        buf_free(&m->evidence);
        buf_free(&m->table);
        buf_free(&m->manifest);
}

static bool is_there(const char *path, int how)
{
        return path && access(path, how) == 0;
}

bool tee_source_look(const struct agent_config *config, enum tee_kind *ret)
{
        struct err unused = ERR_INIT; /* a folder without a provider is a machine that is no such guest */

        if (is_there(config->tee.tsm, W_OK) && tee_tsm_kind(config->tee.tsm, ret, &unused) == 0)
                return true;
        *ret = TEE_SNP;
        if (is_there(config->tee.sev_guest, R_OK | W_OK))
                return true;
        *ret = TEE_SGX;
        return is_there(config->tee.attestation, R_OK);
}

/* Gramine: the data into one file, the quote out of another. Spec: Gramine manual, "Attestation and secret
 * provisioning". */
static int make_sgx(const char *folder, const uint8_t data[TEE_DATA_BYTES], struct tee_made *ret,
                    struct err *err)
{
        AUTO(mem_free_p) char *in = str_fmt("%s/user_report_data", folder);
        AUTO(mem_free_p) char *out = str_fmt("%s/quote", folder);
        AUTO(fd_close_p) int fd = -1;
        int r;

        if (!in || !out)
                return err_nomem(err);
        fd = open(in, O_WRONLY | O_CLOEXEC);
        if (fd < 0)
                return err_errno(err, errno, "%s", in);
        r = fd_write(fd, in, VIEW(data, TEE_DATA_BYTES), err);
        fd_close_p(&fd);
        if (r < 0)
                return r;
        fd = open(out, O_RDONLY | O_CLOEXEC);
        if (fd < 0)
                return err_errno(err, errno, "%s", out);
        return fd_read(fd, out, TEE_EVIDENCE_BYTES_MAX, &ret->evidence, err);
}

int tee_source_make(const struct agent_config *config, enum tee_kind kind, const uint8_t data[TEE_DATA_BYTES],
                    struct tee_made *ret, struct err *err)
{
        enum tee_kind is;
        int r;

        if (!tee_source_look(config, &is) || is != kind)
                return err_set(err, ERR_IO, 0, "there is no evidence of kind %s any more",
                               tee_kind_name(kind));
        if (kind == TEE_SGX)
                return make_sgx(config->tee.attestation, data, ret, err);
        if (is_there(config->tee.tsm, W_OK) && tee_tsm_kind(config->tee.tsm, &is, err) == 0)
                return tee_tsm_make(config->tee.tsm, config->tee.privlevel, config->tee.svsm, data, ret, err);
        err_clear(err);
        r = tee_sev_guest_make(config->tee.sev_guest, config->tee.privlevel, data, ret, err);
        return r;
}
