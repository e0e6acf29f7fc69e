/* SPDX-License-Identifier: Apache-2.0 */
/* Reading what a person names on the command line: policies and bundles, from files or standard input. */
#include "tenant/load.h"

#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "policy/signed.h"

int load_bytes(const char *path, size_t max_bytes, struct buf *ret, struct err *err)
{
        if (str_equal(path, "-"))
                return fd_read(STDIN_FILENO, "standard input", max_bytes, ret, err);
        return file_read(path, max_bytes, ret, err);
}

int load_policy(const char *path, struct policy **ret, struct buf *ret_file, struct err *err)
{
        const char *source = str_equal(path, "-") ? "standard input" : path;
        AUTO(buf_free) struct buf file = {0};
        AUTO(dsse_done) struct dsse envelope = {0};
        struct view text;
        int r = load_bytes(path, DSSE_TEXT_MAX, &file, err);

        if (r < 0)
                return r;
        r = policy_unwrap(VIEW_BUF(&file), &envelope, &text, err);
        if (r < 0)
                return err_wrap(err, "%s", source);
        r = policy_parse(text, source, ret, err);
        if (r < 0 || !ret_file)
                return r;
        *ret_file = file;
        file = (struct buf){0};
        return 0;
}

int load_bundle(const char *path, struct bundle **ret, struct err *err)
{
        AUTO(buf_free) struct buf text = {0};
        int r = load_bytes(path, BUNDLE_BYTES_MAX, &text, err);

        if (r < 0)
                return r;
        r = bundle_decode(VIEW_BUF(&text), ret, err);
        return r < 0 ? err_wrap(err, "%s", path) : 0;
}

int load_effective(const char *const *paths, size_t n, int64_t now_ms, struct policy_effective **ret,
                   struct err *err)
{
        struct policy_version versions[EFFECTIVE_VERSIONS_MAX];
        size_t loaded = 0;
        int r = 0;

        if (n == 0 || n > EFFECTIVE_VERSIONS_MAX)
                return err_set(err, ERR_CONFIG, 0, "between 1 and %d policies are possible",
                               EFFECTIVE_VERSIONS_MAX);
        for (; r == 0 && loaded < n; loaded += r == 0) {
                versions[loaded] = (struct policy_version){
                        .version = (uint32_t)(n - loaded),
                        .until_ms = POLICY_NEVER,
                };
                r = load_policy(paths[loaded], &versions[loaded].policy, NULL, err);
        }
        if (r == 0)
                r = policy_effective_new(versions, n, now_ms, ret, err);
        for (size_t i = 0; i < loaded; i++)
                policy_unref(versions[i].policy);
        return r;
}
