/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The verifier's tables, as migrations: never change one that was released, add another.
 *
 * A host is three things that change at different rates: its enrolment (an admin), its state (every round:
 * one row, no index on what changes), and its history (what was found, and the evidence as a bundle without
 * its log). Logs are kept once per host and boot, as segments that only grow; a bundle says how many bytes of
 * which log it saw.
 */
#include "store/audit.h"
#include "store/verifier_request.h"

static const char first[] =
        "CREATE TABLE meta (name TEXT NOT NULL PRIMARY KEY, value TEXT NOT NULL);"
        "CREATE TABLE hosts ("
        " tenant TEXT NOT NULL, name TEXT NOT NULL, keylime BIGINT NOT NULL, policy TEXT, tpm_policy TEXT,"
        " keylime_record TEXT, interval_ms BIGINT NOT NULL, labels TEXT, ak BLOB NOT NULL, ak_certificate "
        "TEXT,"
        " ek_sha256 TEXT, ek_class TEXT, ek_findings TEXT, bound_by TEXT, actor TEXT,"
        " enrolled_at_ms BIGINT NOT NULL, paused BIGINT NOT NULL,"
        " PRIMARY KEY (tenant, name));"
        "CREATE INDEX hosts_policy ON hosts (tenant, policy);"
        "CREATE TABLE states ("
        " tenant TEXT NOT NULL, name TEXT NOT NULL, idx BIGINT NOT NULL, n_evidence BIGINT NOT NULL,"
        " judged BIGINT NOT NULL, verdict BIGINT NOT NULL, enforced BIGINT NOT NULL, verdict_n BIGINT NOT "
        "NULL,"
        " verdict_at_ms BIGINT NOT NULL, evidence_at_ms BIGINT NOT NULL, pass_at_ms BIGINT NOT NULL,"
        " verdict_json TEXT, policy TEXT, policy_version BIGINT NOT NULL, policy_sha256 TEXT,"
        " boot_time_ms BIGINT NOT NULL, boot BIGINT NOT NULL, cel_bytes BIGINT NOT NULL,"
        " asked_full BIGINT NOT NULL, continuation TEXT,"
        " PRIMARY KEY (tenant, name));"
        "CREATE TABLE history ("
        " tenant TEXT NOT NULL, name TEXT NOT NULL, n BIGINT NOT NULL, idx BIGINT NOT NULL,"
        " at_ms BIGINT NOT NULL, verdict BIGINT NOT NULL, enforced BIGINT NOT NULL, changed BIGINT NOT NULL,"
        " verdict_json TEXT, policy TEXT, policy_version BIGINT NOT NULL,"
        " bundle BLOB, bundle_bytes BIGINT NOT NULL, boot BIGINT NOT NULL, cel_bytes BIGINT NOT NULL,"
        " PRIMARY KEY (tenant, name, n));"
        "CREATE TABLE segments ("
        " tenant TEXT NOT NULL, name TEXT NOT NULL, boot BIGINT NOT NULL, at BIGINT NOT NULL,"
        " length BIGINT NOT NULL, bytes BLOB NOT NULL,"
        " PRIMARY KEY (tenant, name, boot, at));"
        "CREATE TABLE policies ("
        " tenant TEXT NOT NULL, name TEXT NOT NULL, version BIGINT NOT NULL, content BLOB NOT NULL,"
        " sha256 TEXT NOT NULL, source TEXT, actor TEXT, created_at_ms BIGINT NOT NULL, until_ms BIGINT NOT "
        "NULL,"
        " PRIMARY KEY (tenant, name, version))";

static const char *const migrations[] = {first,
                                         audit_migration,
                                         verifier_revocations_migration,
                                         verifier_outbox_migration,
                                         verifier_secrets_migration,
                                         verifier_keys_migration,
                                         verifier_policies_migration,
                                         verifier_logs_migration,
                                         verifier_workloads_migration,
                                         verifier_permits_migration,

                                         verifier_receipts_migration};

const struct store_schema verifier_schema = {
        .name = "verifier",
        .application_id = 0x61765666, /* "avVf" */
        .migrations = migrations,
        .n_migrations = ARRAY_LEN(migrations),
};
