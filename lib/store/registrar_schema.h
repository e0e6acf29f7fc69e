/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_STORE_REGISTRAR_SCHEMA_H
#define AVOW_STORE_REGISTRAR_SCHEMA_H

#include "store/store.h"

/* The registrar's database; for registrar_db.c and its tests. */
extern const struct store_schema registrar_schema;
/* Its third part: hooks_schema.c. */
extern const char hooks_migration[];
extern const char proofs_migration[];

#endif
