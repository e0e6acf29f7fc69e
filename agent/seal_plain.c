/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Plain PCR objects, for those who have a use for them: a child of the owner's storage key whose only policy
 * is PolicyPCR. The parent is made from the template that key files mean by 0x40000001, so tpm2_load finds
 * it. The secret crosses the bus encrypted, in a session salted to the EK.
 *
 * Spec: SR-6; draft-bottomley-tpm2-keys.
 */
#include "agent/seal_plain.h"

#include <errno.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "crypto/authpolicy.h"
#include "evidence/pcr.h"
#include "evidence/tss2_pem.h"
#include "tpm/seal.h"

/* All of standard input. */
static int read_secret(struct secret *ret, struct err *err)
{
        AUTO(secret_free) struct secret room = {0};
        size_t n = 0;

        if (secret_alloc(&room, TPM_SEAL_BYTES_MAX + 1) < 0)
                return err_nomem(err);
        while (n < room.len) {
                ssize_t got = read(STDIN_FILENO, room.p + n, room.len - n);

                if (got < 0 && errno == EINTR)
                        continue;
                if (got < 0)
                        return err_errno(err, errno, "standard input");
                if (got == 0)
                        break;
                n += (size_t)got;
        }
        if (n == 0 || n > TPM_SEAL_BYTES_MAX)
                return err_set(err, ERR_LIMIT, 0, "standard input: a plain object holds 1 to %d bytes",
                               TPM_SEAL_BYTES_MAX);
        if (secret_alloc(ret, n) < 0)
                return err_nomem(err);
        for (size_t i = 0; i < n; i++)
                ret->p[i] = room.p[i];
        return 0;
}

static int write_pem(const struct tpm_sealed *sealed, struct err *err)
{
        AUTO(buf_free) struct buf pem = {0};
        const struct tss2_key key = {.type = TSS2_SEALED,
                                     .empty_auth = true,
                                     .parent = TPM_OWNER,
                                     .public_area = VIEW_BUF(&sealed->public_area),
                                     .private_area = VIEW_BUF(&sealed->private_area)};
        int r = tss2_pem_write(&key, &pem, err);

        return r < 0 ? r : fd_write(STDOUT_FILENO, "standard output", VIEW_BUF(&pem), err);
}

int seal_plain(const struct agent_config *config, const char *pcrs, struct err *err)
{
        AUTO(tpm_free_p) struct tpm *tpm = NULL;
        AUTO(tpm_ek_free_p) struct tpm_ek *ek = NULL;
        AUTO(tpm_sealed_done) struct tpm_sealed sealed = {0};
        AUTO(secret_free) struct secret secret = {0};
        enum tpm_ek_type type;
        struct pcr_selection selection;

        if (!tpm_ek_type_by_name(config->tpm.ek, &type))
                type = TPM_EK_P256; /* auto: any will do for the salt of a session */
        if (pcr_selection_parse(pcrs, &selection, err) < 0)
                return err_wrap(err, "--seal-pcrs");
        if (read_secret(&secret, err) < 0 || tpm_open(config->tpm.tcti, &tpm, err) < 0 ||
            tpm_ek_load(tpm, type, &ek, err) < 0 ||
            tpm_seal_pcr(tpm, ek, TPM_OWNER, VIEW(secret.p, secret.len), selection.bank, selection.mask,
                         &sealed, err) < 0)
                return -(int)err->kind;
        return write_pem(&sealed, err);
}
