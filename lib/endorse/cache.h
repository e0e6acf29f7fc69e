/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_ENDORSE_CACHE_H
#define AVOW_ENDORSE_CACHE_H

#include <jansson.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/err.h"
#include "base/macro.h"
#include "evidence/endorsements.h"

/*
 * Endorsements in a folder: one file a piece, under a name that says what it is for. Files are replaced
 * whole; several programs may share the folder. Nothing in it is trusted: whoever can write there can keep
 * evidence from being accepted, and no more.
 *
 * A bundle carries a folder to where there is no network: one JSON file,
 *   {"schema": "avow.endorsements/1", "pieces": [{"name": "…", "bytes": "base64"}, …]}.
 */
#define ENDORSE_PIECE_BYTES_MAX  (4u * 1024 * 1024)
#define ENDORSE_BUNDLE_BYTES_MAX (96u * 1024 * 1024)
#define ENDORSE_PIECES_MAX       4096

/* A name of a piece: as str_valid_name(). */
bool endorse_valid_name(const char *name) MUST_USE;

/* Appends the piece. Return: 0; -ERR_IO with code ENOENT if there is none. */
int endorse_cache_read(const char *folder, const char *name, struct buf *ret, struct err *err) MUST_USE;
/* Makes the folder if need be. Return: 0; -ERR_CONFIG for a name that is none; -ERR_IO. */
int endorse_cache_write(const char *folder, const char *name, struct view piece, struct err *err) MUST_USE;
/* All pieces into HEAP. Return: 0, also for a folder that is not there; -ERR_IO, -ERR_LIMIT, -ERR_NOMEM. */
int endorse_cache_load(const char *folder, struct endorsements *heap, struct err *err) MUST_USE;
/* [{"name", "kind", "bytes", "good_until"?}], by name. Return: as above. */
int endorse_cache_list(const char *folder, json_t **ret, struct err *err) MUST_USE;

/* A bundle of all pieces, appended as text. */
int endorse_bundle_write(const char *folder, struct buf *ret, struct err *err) MUST_USE;
/* Puts a bundle's pieces into the folder; what is no endorsement is refused, and nothing written then.
 * *RET_N: how many. Return: 0; -ERR_FORMAT, -ERR_LIMIT, -ERR_IO, -ERR_NOMEM. */
int endorse_bundle_read(const char *folder, struct view bundle, size_t *ret_n, struct err *err) MUST_USE;

#endif
