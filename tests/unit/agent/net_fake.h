/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_TESTS_NET_FAKE_H
#define AVOW_TESTS_NET_FAKE_H

#include "agent/privsep.h"
#include "support/support.h"

/* What a TPM half would say: a P-256 AK, one EK, three banks, a log of one record. */

/* The AK's TPM2B_PUBLIC, 90 bytes with its size. */
static inline struct view fake_ak(uint8_t bytes[static 128])
{
        static const uint8_t head[] = {0x00, 0x58, 0x00, 0x23, 0x00, 0x0b, 0x00, 0x05,
                                       0x00, 0x72, 0x00, 0x00, 0x00, 0x10, 0x00, 0x18,
                                       0x00, 0x0b, 0x00, 0x03, 0x00, 0x10, 0x00, 0x20};
        memcpy(bytes, head, sizeof(head));
        memset(bytes + sizeof(head), 0x11, 32);
        bytes[sizeof(head) + 32] = 0x00;
        bytes[sizeof(head) + 33] = 0x20;
        memset(bytes + sizeof(head) + 34, 0x22, 32);
        return VIEW(bytes, sizeof(head) + 66);
}

static inline void fake_identity(struct privsep_identity *id, uint8_t ak[static 128])
{
        static const uint8_t name[34] = {0x00, 0x0b, 0x01};
        static const uint8_t certificate[] = {0x30, 0x03, 0x02, 0x01, 0x05};
        *id = (struct privsep_identity){
                .host_id = view_str("web-1"),
                .ek_public = view_str("EK"),
                .ek_certificate = VIEW_ARRAY(certificate),
                .ak_public = fake_ak(ak),
                .ak_name = VIEW_ARRAY(name),
                .boot_time_ms = 1795282871000,
                .log_entries = 1,
                .quote_bank = DIGEST_SHA256,
                .pcr = 15,
                .n_banks = 3,
                .banks = {{DIGEST_SHA1, 0xffffff}, {DIGEST_SHA256, 0xffffff}, {DIGEST_SHA384, 0xffffff}},
        };
}

#define FAKE_LOG "\x1e{\"pcr\":15}\n"

static inline void fake_evidence(struct privsep_evidence *e, uint32_t log_offset)
{
        *e = (struct privsep_evidence){
                .quote = {view_str("quote"), view_str("signature")},
                .time = {view_str("time"), view_str("signature")},
                .bank = DIGEST_SHA256,
                .mask = 1u << 15,
                .log_offset = log_offset,
                .log_count = 1 - log_offset,
                .log_total = 1,
                .log = log_offset == 0 ? view_str(FAKE_LOG) : VIEW_NONE,
        };
        digest_zero(DIGEST_SHA256, &e->pcrs[15]);
}

#endif
