/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The registrar's tables, as migrations: never change one that was released, add another.
 *
 * A name and what an admin said about it (bindings) live apart from what a TPM proved (identities): either
 * may come first, and neither can change the other.
 */
#include "store/registrar_schema.h"
#include "store/audit.h"

static const char first[] = "CREATE TABLE bindings ("
                            " tenant TEXT NOT NULL, name TEXT NOT NULL,"
                            " bound_by BIGINT NOT NULL, ek_sha256 TEXT, ek_cert_serial TEXT,"
                            " actor TEXT, bound_at_ms BIGINT NOT NULL,"
                            " PRIMARY KEY (tenant, name));"
                            "CREATE TABLE identities ("
                            " tenant TEXT NOT NULL, name TEXT NOT NULL,"
                            " ek BLOB NOT NULL, ek_sha256 TEXT NOT NULL, ek_cert BLOB, ek_cert_serial TEXT,"
                            " ek_class TEXT, ek_findings TEXT,"
                            " ak BLOB NOT NULL, ak_name TEXT NOT NULL, ak_cert TEXT,"
                            " mtls_cert TEXT, ip TEXT, port BIGINT NOT NULL, regcount BIGINT NOT NULL,"
                            " registered_at_ms BIGINT NOT NULL, activated_at_ms BIGINT NOT NULL,"
                            " PRIMARY KEY (tenant, name));"
                            "CREATE INDEX identities_ek ON identities (tenant, ek_sha256)";

static const char *const migrations[] = {first, audit_migration, hooks_migration, proofs_migration};

const struct store_schema registrar_schema = {
        .name = "registrar",
        .application_id = 0x61765267, /* "avRg" */
        .migrations = migrations,
        .n_migrations = ARRAY_LEN(migrations),
};
