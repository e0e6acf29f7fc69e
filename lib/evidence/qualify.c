/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Qualifying data of avow peers. Agent and verifier both compute it with this file: the agent in the process
 * that holds the TPM, which fixes the purpose by the kind of request and so never signs what the other
 * process (or a verifier) made up. Spec: SR-13.
 */
#include "evidence/qualify.h"

#include <string.h>

#include "base/str.h"

static int qualify(const char *label, const char *verifier_id, const char *host_id, struct view challenge,
                   struct view more, struct digest *ret, struct err *err)
{
        struct view parts[] = {view_str(label), view_str(verifier_id), view_str(host_id), challenge, more};

        if (strlen(verifier_id) != QUALIFY_VERIFIER_ID_CHARS)
                return err_set(err, ERR_FORMAT, 0, "verifier id %s is no UUID", SHOW(verifier_id));
        if (!str_valid_host_id(host_id))
                return err_set(err, ERR_FORMAT, 0, "host id %s is none", SHOW(host_id));
        return digest_parts(DIGEST_SHA256, parts, ARRAY_LEN(parts), ret, err);
}

/* Every purpose has one length of challenge. */
static int is_long(struct view challenge, size_t want, struct err *err)
{
        return challenge.len == want ? 0
                                     : err_set(err, ERR_FORMAT, 0, "challenge of %zu bytes (%zu are wanted)",
                                               challenge.len, want);
}

static int is_digest(struct view v, const char *of, struct err *err)
{
        return v.len == digest_size(DIGEST_SHA256)
                       ? 0
                       : err_set(err, ERR_FORMAT, 0, "%s digest of %zu bytes", of, v.len);
}

int qualify_heartbeat(const char *verifier_id, const char *host_id, struct view challenge, struct digest *ret,
                      struct err *err)
{
        int r = is_long(challenge, QUALIFY_CHALLENGE_BYTES, err);

        if (r < 0)
                return r;
        return qualify("avow/heartbeat/v1", verifier_id, host_id, challenge, VIEW_NONE, ret, err);
}

int qualify_session(const char *verifier_id, const char *host_id, struct view challenge,
                    struct view spki_sha256, struct digest *ret, struct err *err)
{
        int r = is_long(challenge, QUALIFY_SESSION_CHALLENGE_BYTES, err);

        if (r >= 0)
                r = is_digest(spki_sha256, "key", err);
        if (r < 0)
                return r;
        return qualify("avow/session/v1", verifier_id, host_id, challenge, spki_sha256, ret, err);
}

/* For evidence that something waits for, which the request's digest names. */
static int qualify_request(const char *label, const char *verifier_id, const char *host_id,
                           struct view challenge, struct view request_sha256, struct digest *ret,
                           struct err *err)
{
        int r = is_long(challenge, QUALIFY_CHALLENGE_BYTES, err);

        if (r >= 0)
                r = is_digest(request_sha256, "request", err);
        if (r < 0)
                return r;
        return qualify(label, verifier_id, host_id, challenge, request_sha256, ret, err);
}

int qualify_release(const char *verifier_id, const char *host_id, struct view challenge,
                    struct view request_sha256, struct digest *ret, struct err *err)
{
        return qualify_request("avow/release/v1", verifier_id, host_id, challenge, request_sha256, ret, err);
}

int qualify_permit(const char *verifier_id, const char *host_id, struct view challenge,
                   struct view request_sha256, struct digest *ret, struct err *err)
{
        return qualify_request("avow/permit/v1", verifier_id, host_id, challenge, request_sha256, ret, err);
}

int qualify_revocation(const char *verifier_id, const char *host_id, const char *revocation_id,
                       struct view nonce, struct digest *ret, struct err *err)
{
        struct view parts[] = {view_str(revocation_id), nonce};
        struct digest challenge;
        int r;

        if (nonce.len != QUALIFY_NONCE_BYTES)
                return err_set(err, ERR_FORMAT, 0, "nonce of %zu bytes (%d are wanted)", nonce.len,
                               QUALIFY_NONCE_BYTES);
        r = digest_parts(DIGEST_SHA256, parts, ARRAY_LEN(parts), &challenge, err);
        return r < 0 ? r
                     : qualify("avow/revocation/v1", verifier_id, host_id, digest_view(&challenge), VIEW_NONE,
                               ret, err);
}
