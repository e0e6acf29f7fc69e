/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_TENANT_DEB_CONTROL_H
#define AVOW_TENANT_DEB_CONTROL_H

#include <stdbool.h>

#include "base/bytes.h"
#include "base/err.h"
#include "base/macro.h"

/*
 * Debian's control data: stanzas of "Field: value", parted by empty lines; the control file of a package is
 * one, dpkg's status file one for each package. Spec: Debian Policy §5.1; deb822(5).
 */
struct deb_stanza {
        char *package, *version, *arch, *status; /* NULL: no such field */
};
void deb_stanza_done(struct deb_stanza *s);

/*
 * The next stanza behind *C. Return: 1; 0 at the end; -ERR_FORMAT for a line that is neither a field, nor
 * goes on with one, or a field that stands twice; -ERR_NOMEM.
 */
int deb_stanza_next(struct cursor *c, struct deb_stanza *ret, struct err *err) MUST_USE;

/* The next line of C without its end. Return: false at the end. */
bool deb_line(struct cursor *c, struct view *ret);

#endif
