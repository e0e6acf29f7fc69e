/* SPDX-License-Identifier: Apache-2.0 */
/* Digests of many files in one pass each, with contexts and a block that are used again. */
#include "tenant/file_hash.h"

#include <errno.h>
#include <openssl/evp.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"

#define BLOCK_BYTES (1u << 17)

struct file_hasher {
        struct digest_ctx *ctx;
        EVP_MD *md5; /* NULL: not wanted, or not to be had */
        EVP_MD_CTX *md5_ctx;
        uint8_t *block;
        struct file_hashed now; /* head and size of the file that is being read */
};

size_t file_head(int fd, uint8_t ret[FILE_HEAD_BYTES])
{
        ssize_t n = pread(fd, ret, FILE_HEAD_BYTES, 0);

        return n > 0 ? (size_t)n : 0;
}

static int start_md5(struct file_hasher *h, struct err *err)
{
        if (!EVP_DigestInit_ex2(h->md5_ctx, h->md5, NULL))
                return err_set(err, ERR_CRYPTO, 0, "MD5 cannot be started");
        return 0;
}

int file_hasher_new(enum digest_alg alg, bool md5, struct file_hasher **ret, struct err *err)
{
        AUTO(file_hasher_free_p) struct file_hasher *h = mem_zalloc(1, sizeof(*h));
        int r;

        if (!h || !(h->block = mem_alloc(BLOCK_BYTES)))
                return err_nomem(err);
        r = digest_ctx_new(alg, &h->ctx, err);
        if (r < 0)
                return r;
        h->md5 = md5 ? EVP_MD_fetch(NULL, "MD5", NULL) : NULL;
        if (h->md5) {
                h->md5_ctx = EVP_MD_CTX_new();
                if (!h->md5_ctx)
                        return err_nomem(err);
                r = start_md5(h, err);
                if (r < 0)
                        return r;
        }
        *ret = TAKE(h);
        return 0;
}

void file_hasher_free(struct file_hasher *h)
{
        if (!h)
                return;
        digest_ctx_free(h->ctx);
        EVP_MD_CTX_free(h->md5_ctx);
        EVP_MD_free(h->md5);
        free(h->block);
        free(h);
}

int file_hasher_update(struct file_hasher *h, struct view data, struct err *err)
{
        size_t head = FILE_HEAD_BYTES - h->now.head_len;

        if (head > data.len)
                head = data.len;
        if (head)
                memcpy(h->now.head + h->now.head_len, data.p, head);
        h->now.head_len += head;
        h->now.size += data.len;
        if (h->md5 && !EVP_DigestUpdate(h->md5_ctx, data.p, data.len))
                return err_set(err, ERR_CRYPTO, 0, "MD5 failed");
        return digest_ctx_update(h->ctx, data, err);
}

int file_hasher_final(struct file_hasher *h, struct file_hashed *ret, struct err *err)
{
        struct file_hashed done = h->now;
        int r = digest_ctx_final(h->ctx, &done.digest, err);

        h->now = (struct file_hashed){0};
        if (r < 0 || !h->md5) {
                *ret = done;
                return r;
        }
        if (!EVP_DigestFinal_ex(h->md5_ctx, done.md5, NULL))
                return err_set(err, ERR_CRYPTO, 0, "MD5 failed");
        done.has_md5 = true;
        *ret = done;
        return start_md5(h, err);
}

int file_hasher_fd(struct file_hasher *h, int fd, const char *name, struct file_hashed *ret, struct err *err)
{
        struct file_hashed dropped;
        struct err ignored = ERR_INIT;
        int r = 0;

        while (r == 0) {
                ssize_t n = read(fd, h->block, BLOCK_BYTES);

                if (n == 0)
                        return file_hasher_final(h, ret, err);
                if (n > 0)
                        r = file_hasher_update(h, VIEW(h->block, (size_t)n), err);
                else if (errno != EINTR)
                        r = err_errno(err, errno, "read '%s'", name);
        }
        if (file_hasher_final(h, &dropped, &ignored) < 0)
                err_clear(&ignored); /* the first failure is the one to tell */
        return r;
}
