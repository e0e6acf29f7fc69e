/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Enarx keeps. Their certificates come from a Steward, which looked at the evidence of the processor before
 * it signed; of that evidence nothing stands in the certificate but, for keeps under plain KVM, a marker:
 * those ran outside of any TEE.
 */
#include "crypto/cert_ext.h"
#include "verifier/adapter.h"

#define OID_KVM "1.3.6.1.4.1.58270.1.1"

static bool serves(const char *technology)
{
        return str_equal(technology, "enarx") || str_starts(technology, "enarx_");
}

static const char *refuses(const struct adapter_rules *rules, const struct cert *leaf)
{
        struct view value;

        return !rules->simulated && cert_extension(leaf, OID_KVM, &value) > 0
                       ? "The certificate is that of a keep under plain KVM, outside of any TEE."
                       : NULL;
}

const struct adapter_ops adapter_enarx = {.name = "enarx", .serves = serves, .refuses = refuses};
