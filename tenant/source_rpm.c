/* SPDX-License-Identifier: Apache-2.0 */
/*
 * RPM packages, by their headers: those hold every file's mode and digest, so the payload is not unpacked.
 * librpm reads them, with its own limits; it is not asked for signatures, because which packages are good is
 * the caller's word, as for all sources here. Without librpm (configure --without-rpm) this says so.
 */
#include "config.h"

#include "tenant/sources.h"

#ifdef HAVE_RPM
#include <errno.h>
#include <rpm/header.h>
#include <rpm/rpmfiles.h>
#include <rpm/rpmlib.h>
#include <rpm/rpmpgp.h>
#include <rpm/rpmts.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"

static int add_file(const struct source *s, size_t package, rpmfiles files, int i, size_t *n_weak,
                    struct err *err)
{
        AUTO(mem_free_p) char *name = rpmfilesFN(files, i);
        char merged[CATALOGUE_PATH_MAX + 8];
        enum digest_alg alg;
        struct digest digest;
        size_t len = 0;
        int algo = 0, r;
        const unsigned char *bytes = rpmfilesFDigest(files, i, &algo, &len);
        const char *path = name && !s->split_usr ? catalogue_merged_path(name, merged) : name;

        if (!name)
                return err_nomem(err);
        if (!S_ISREG(rpmfilesFMode(files, i)) || rpmfilesFFlags(files, i) & RPMFILE_GHOST || !bytes ||
            !catalogue_measured(s->catalogue, path, rpmfilesFMode(files, i), VIEW_NONE))
                return 0;
        switch (algo) {
        case PGPHASHALGO_SHA256:
                alg = DIGEST_SHA256;
                break;
        case PGPHASHALGO_SHA384:
                alg = DIGEST_SHA384;
                break;
        case PGPHASHALGO_SHA512:
                alg = DIGEST_SHA512;
                break;
        default:
                (*n_weak)++;
                return 0;
        }
        r = digest_set(alg, VIEW(bytes, len), &digest, err);
        return r < 0 ? r : catalogue_add(s->catalogue, package, path, &digest, err);
}

static int add_header(const struct source *s, Header h, struct err *err)
{
        AUTO(mem_free_p) char *version = headerGetAsString(h, RPMTAG_EVR);
        rpmfiles files = rpmfilesNew(NULL, h, 0, RPMFI_NOFILECLASS | RPMFI_NOFILEDEPS | RPMFI_NOFILELANGS);
        size_t package, n_weak = 0;
        int r = files ? catalogue_package(s->catalogue, headerGetString(h, RPMTAG_NAME), version,
                                          headerGetString(h, RPMTAG_ARCH), &package, err)
                      : err_set(err, ERR_FORMAT, 0, "its header lists no files in order");

        if (r == 0 && rpmfilesFC(files) > (rpm_count_t)SOURCE_ENTRIES_MAX)
                r = err_set(err, ERR_LIMIT, 0, "more than %u files", SOURCE_ENTRIES_MAX);
        for (int i = 0; r == 0 && i < (int)rpmfilesFC(files); i++)
                r = add_file(s, package, files, i, &n_weak, err);
        if (r == 0 && n_weak)
                r = catalogue_note(s->catalogue, err,
                                   "%s: %zu files have MD5 or SHA-1 alone in this package: left out",
                                   headerGetString(h, RPMTAG_NAME), n_weak);
        rpmfilesFree(files);
        return r;
}

int source_rpm(const struct source *s, const char *path, struct err *err)
{
        rpmts ts = rpmtsCreate();
        FD_t fd = Fopen(path, "r.ufdio");
        Header h = NULL;
        int r = 0;
        rpmRC rc;

        (void)rpmtsSetVSFlags(ts, RPMVSF_MASK_NODIGESTS | RPMVSF_MASK_NOSIGNATURES | RPMVSF_NOHDRCHK);
        if (!fd || Ferror(fd)) {
                r = err_set(err, ERR_CONFIG, 0, "cannot be opened: %s", fd ? Fstrerror(fd) : strerror(errno));
        } else {
                rc = rpmReadPackageFile(ts, fd, NULL, &h);
                if (!h || (rc != RPMRC_OK && rc != RPMRC_NOKEY && rc != RPMRC_NOTTRUSTED))
                        r = err_set(err, ERR_FORMAT, 0, "no RPM package, or a damaged one");
        }
        if (r == 0)
                r = add_header(s, h, err);
        headerFree(h);
        if (fd)
                (void)Fclose(fd); /* it was read only */
        rpmtsFree(ts);
        return r < 0 ? err_wrap(err, "%s", path) : 0;
}

#else

int source_rpm(const struct source *s, const char *path, struct err *err)
{
        (void)s;
        return err_set(err, ERR_CONFIG, 0, "%s: this avow was built without librpm and reads no RPM packages",
                       path);
}

#endif
