/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The tables of hooks, a part of the registrar's schema. `state` of an outbox row is enum outbox_state: of
 * each hook and host at most one row is ready or parked, and that is the oldest that was not delivered, so
 * that the question "what is due" is a walk along one index whatever waits behind it.
 */
#include "store/registrar_schema.h"

const char hooks_migration[] =
        "CREATE TABLE hooks ("
        " name TEXT NOT NULL PRIMARY KEY, tenant TEXT NOT NULL, kind BIGINT NOT NULL,"
        " configured BIGINT NOT NULL, paused BIGINT NOT NULL, url TEXT, ca_pem TEXT, cert_pem TEXT,"
        " key_pem TEXT, secret TEXT, old_secret TEXT, program TEXT, timeout_ms BIGINT NOT NULL,"
        " f_hosts TEXT, f_labels TEXT, f_policies TEXT, f_severities TEXT, f_reactions TEXT,"
        " actor TEXT, created_at_ms BIGINT NOT NULL);"
        "CREATE TABLE revocations ("
        " n BIGINT NOT NULL PRIMARY KEY, tenant TEXT NOT NULL, id TEXT NOT NULL, host TEXT NOT NULL,"
        " seq BIGINT NOT NULL, reaction TEXT NOT NULL, severity TEXT, policy TEXT, labels TEXT,"
        " payload TEXT NOT NULL, jws TEXT NOT NULL, nonce TEXT NOT NULL,"
        " issued_at_ms BIGINT NOT NULL, received_at_ms BIGINT NOT NULL,"
        " UNIQUE (tenant, id));"
        "CREATE INDEX revocations_host ON revocations (host, n);"
        "CREATE INDEX revocations_received ON revocations (received_at_ms);"
        "CREATE TABLE outbox ("
        " hook TEXT NOT NULL, n BIGINT NOT NULL, host TEXT NOT NULL, seq BIGINT NOT NULL,"
        " state BIGINT NOT NULL, attempts BIGINT NOT NULL, next_at_ms BIGINT NOT NULL,"
        " delivered_at_ms BIGINT NOT NULL, error TEXT,"
        " PRIMARY KEY (hook, n));"
        "CREATE INDEX outbox_due ON outbox (hook, state, next_at_ms);"
        "CREATE INDEX outbox_order ON outbox (hook, host, state, seq);"
        "CREATE INDEX outbox_revocation ON outbox (n)";

/* What a host's TPM says of a wipe comes later than the revocation, and stays as long as it. */
const char proofs_migration[] = "ALTER TABLE revocations ADD COLUMN proof TEXT;"
                                "ALTER TABLE revocations ADD COLUMN proof_at_ms BIGINT NOT NULL DEFAULT 0";
