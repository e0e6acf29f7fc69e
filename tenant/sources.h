/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_TENANT_SOURCES_H
#define AVOW_TENANT_SOURCES_H

#include <stdbool.h>

#include "base/err.h"
#include "base/macro.h"
#include "tenant/catalogue.h"

/*
 * Where good files come from. Nothing of a package is ever executed, and no program is started to read one:
 * archives of strangers are read in this process, within the limits below, which an error names.
 */
#define SOURCE_ARCHIVE_BYTES_MAX (16ull << 30) /* unpacked, of one package */
#define SOURCE_ENTRIES_MAX       1000000u      /* of one archive; of one folder's files */
#define SOURCE_CONTROL_BYTES_MAX (1u << 20)    /* of a package's control file */

struct source {
        struct catalogue *catalogue;
        bool split_usr;    /* for .deb and .rpm: the hosts' /bin and /lib are folders of their own */
        bool keep_changed; /* for source_dpkg(): what differs from its package is noted only; its caller adds
                              it */
};

/* The files of a .deb: an ar archive with control and data as tar, in gzip, xz, zstd or plain. Return: 0;
 * -ERR_IO, -ERR_FORMAT, -ERR_LIMIT, -ERR_CRYPTO, -ERR_NOMEM, each with PATH. Spec: deb(5). */
int source_deb(const struct source *s, const char *path, struct err *err) MUST_USE;

/*
 * The files that an RPM package's header lists, with their SHA-2 digests there; its payload is not read, so a
 * library is known by its name alone. Return: as source_deb(); -ERR_CONFIG where librpm was not built in.
 */
int source_rpm(const struct source *s, const char *path, struct err *err) MUST_USE;

/*
 * What dpkg has installed below ROOT ("/" for this machine), with the files as they lie there now. A file
 * that differs from the MD5 which its package lists is left out, and noted. ONLY (NULL: all) is a list of
 * packages to read. Return: 0; -ERR_IO, -ERR_FORMAT, -ERR_LIMIT, -ERR_CRYPTO, -ERR_NOMEM; -ERR_CONFIG if
 * there is no such database or package.
 */
int source_dpkg(const struct source *s, const char *root, const struct strv *only, struct err *err) MUST_USE;

/*
 * Every file below ROOT that the kernel would measure, under its package where dpkg has it, else under none:
 * an image's folder, or this machine. Left out are file systems that hold no files of their own (proc, tmpfs,
 * a network's …) mounted below ROOT, /proc, /sys, /dev, /run, /tmp, /var/tmp, and the folders SKIP. A file
 * that differs from its package's MD5 is taken as it lies there, and noted.
 */
int source_root(const struct source *s, const char *root, const struct strv *skip, struct err *err) MUST_USE;

#endif
