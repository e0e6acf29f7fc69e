/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Workloads with an X.509-SVID: whoever issued it (SPIRE, after attesting node and process) vouches for the
 * process, and the key signs what it loaded. Spec: SPIFFE X509-SVID §2: exactly one URI, of the scheme
 * spiffe; it may be that of no CA.
 */
#include "verifier/adapter.h"

static bool serves(const char *technology)
{
        return str_equal(technology, "spiffe");
}

static const char *refuses(const struct adapter_rules *rules, const struct cert *leaf)
{
        (void)rules; /* an SVID says nothing of TEEs */
        return cert_n_uris(leaf) == 1 && str_starts(cert_uri(leaf, 0), "spiffe://")
                       ? NULL
                       : "The certificate has not exactly one URI, of the scheme spiffe: it is no SVID.";
}

const struct adapter_ops adapter_spiffe = {.name = "spiffe", .serves = serves, .refuses = refuses};
