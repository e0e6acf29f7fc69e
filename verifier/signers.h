/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_VERIFIER_SIGNERS_H
#define AVOW_VERIFIER_SIGNERS_H

#include <stddef.h>

#include "base/conf.h"
#include "base/str.h"
#include "crypto/dsse.h"

/* Whose signatures on policies count, and how many of them a policy needs: `policy.signers` and
 * `policy.signatures` of verifier.yaml. */
struct signer_key {
        char *name;
        struct pubkey *key;
};
struct signers {
        struct signer_key *v;
        size_t n;
        size_t needed; /* different ones; 0: unsigned policies are taken, too */
};

/* Loads what is named. Return: 0; -ERR_CONFIG with its place, for a name or a key that stands twice and for
 * more signatures than signers; -ERR_IO, -ERR_FORMAT naming the key. */
int signers_load(const struct conf *conf, struct signers *ret, struct err *err) MUST_USE;
void signers_done(struct signers *s);

/* The names of those who signed D, in the order of the configuration, appended to RET. D may have no
 * signature. Return: 0; -ERR_CRYPTO, -ERR_NOMEM. */
int signers_of(const struct signers *s, const struct dsse *d, struct strv *ret, struct err *err) MUST_USE;

#endif
