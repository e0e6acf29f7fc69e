/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pieces by their content. A key is the SHA-256 of the kind and of both texts, the first behind its length,
 * so what is found was made from these very bytes. Who may put a piece in has just found it good; who gets it
 * out still asks everything that depends on a policy or on a time.
 */
#include <stdlib.h>

#include "base/mem.h"
#include "crypto/digest.h"
#include "evidence/dcap_warm_impl.h"

/* What one verification may add, at most: three chains, two lists, two documents, and the links of a pick. */
#define ROOM 64

void dcap_piece_free(struct dcap_piece *piece)
{
        if (!piece)
                return;
        cert_list_done(&piece->chain);
        crl_free(piece->crl);
        tcb_info_done(&piece->info);
        qe_identity_done(&piece->qe);
        pubkey_free(piece->key);
        free(piece);
}

static void free_value(void *value)
{
        dcap_piece_free(value);
}

void dcap_warm_init(struct dcap_warm *warm)
{
        map_init(&warm->pieces, free_value);
        warm->bytes = 0;
}

void dcap_warm_done(struct dcap_warm *warm)
{
        map_done(&warm->pieces);
}

int dcap_warm_new(struct dcap_warm **ret, struct err *err)
{
        *ret = mem_zalloc(1, sizeof(**ret));
        if (!*ret)
                return err_nomem(err);
        dcap_warm_init(*ret);
        return 0;
}

void dcap_warm_free(struct dcap_warm *warm)
{
        if (warm)
                dcap_warm_done(warm);
        free(warm);
}

size_t dcap_warm_count(const struct dcap_warm *warm)
{
        return map_count(&warm->pieces);
}

void dcap_warm_tidy(struct dcap_warm *warm)
{
        if (map_count(&warm->pieces) + ROOM <= DCAP_WARM_PIECES_MAX && warm->bytes <= DCAP_WARM_BYTES_MAX)
                return;
        map_clear(&warm->pieces);
        warm->bytes = 0;
}

static int key_of(const struct dcap_piece_id *id, struct digest *ret, struct err *err)
{
        const uint64_t head[] = {(uint64_t)id->kind, id->text.len};
        const struct view parts[] = {VIEW((const uint8_t *)head, sizeof(head)), id->text, id->by};

        return digest_parts(DIGEST_SHA256, parts, ARRAY_LEN(parts), ret, err);
}

int dcap_warm_get(const struct dcap_warm *warm, const struct dcap_piece_id *id, struct dcap_piece **ret,
                  struct err *err)
{
        struct digest key;
        int r = key_of(id, &key, err);

        *ret = r < 0 ? NULL : map_get_bytes(&warm->pieces, digest_view(&key));
        return r;
}

int dcap_warm_put(struct dcap_warm *warm, const struct dcap_piece_id *id, struct dcap_piece **piece,
                  struct err *err)
{
        struct digest key;
        int r = key_of(id, &key, err);

        if (r < 0)
                return r;
        if (map_put_bytes(&warm->pieces, digest_view(&key), *piece) < 0)
                return err_nomem(err);
        *piece = NULL;
        warm->bytes += id->text.len + id->by.len;
        return 0;
}
