/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_TESTS_WIPE_HOST_H
#define AVOW_TESTS_WIPE_HOST_H

#include "agent/half_private.h"
#include "crypto/key.h"
#include "unit/tpm/swtpm.h"

/* A host with a real TPM, its TPM half, and the verifier's key: for tests of revocations. Calls assert by
 * themselves. */
#define VERIFIER "0b5a1e0c-7a2b-4c8d-9e1f-123456789abc"
#define HOST     "web-1"

struct wipe_host {
        struct swtpm emulator;
        struct key *verifier, *stranger;
        struct pubkey *public; /* the verifier's */
        char dir[32], config[64], state[64], hooks[64];
};

/* cmocka's setup and teardown; the host is in wipe_host. */
extern struct wipe_host wipe_host;
int wipe_host_setup(void **state);
int wipe_host_teardown(void **state);

void wipe_host_configure(const char *extra);
struct half *wipe_host_start(void);
struct half *wipe_host_restart(struct half *h);
uint64_t wipe_host_epoch(struct half *h);

/* An order as the verifier (or KEY) signs it; the caller's. */
struct words {
        const char *host, *reaction;
        int64_t seq;
        uint64_t epoch;
        const struct key *key;
        bool names_boot; /* reset_count: this boot's */
};
char *wipe_host_sign(struct half *h, const struct words *w);
/* One of the verifier's for this host as it is. */
char *wipe_host_order(struct half *h, const char *reaction, int64_t seq);

/* Hands it to the TPM half; what was answered is in RET. */
enum privsep_result wipe_host_tell(struct half *h, const char *jws, bool with_nonce, struct buf *ret);
/* Judges a proof as a verifier would. Return: is the record in the register? */
bool wipe_host_judge(struct half *h, struct view text, const char *id);
/* Tells, and the proof proves. */
void wipe_host_proves(struct half *h, const char *jws, const char *id);

/* A blob and an approval on the disk, as if they had been sent. */
void wipe_host_put_blobs(void);
bool wipe_host_has_blobs(void);
/* A program in the folder of local hooks. */
void wipe_host_hook(const char *name, const char *body, mode_t mode);
void wipe_host_end_hooks(struct half *h);

#endif
