/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_TESTS_LAUNCH_KIT_H
#define AVOW_TESTS_LAUNCH_KIT_H

#include "agent/launch_link.h"
#include "unit/agent/wipe_host.h"
#include "wire/permit.h"

/* Launcher, network half and verifier around the TPM half of wipe_host. Calls assert by themselves. */

/* A host that launches; its half, with a launcher attached. CACHE is launch.permits.cache. */
struct half *launch_kit_start(const char *cache);

/* A launch of module N in runtime "rt"; the same N twice is the same module, and another launch. */
struct launch launch_kit_launch(unsigned n);

/* What the launcher says. */
void launch_kit_begin(struct half *h, uint32_t id, const struct launch *l);
void launch_kit_say(struct half *h, enum launch_link_type type, uint32_t id, struct view body);
void launch_kit_mapped(struct half *h, uint32_t id, const char *lines, const char *foreign);
/* The next frame to it, which must be of TYPE and for ID; its body, until the next call. */
struct view launch_kit_hear(struct half *h, enum launch_link_type type, uint32_t id);
/* The next frame must be a refusal whose text holds PART. */
void launch_kit_refused(struct half *h, uint32_t id, enum launch_link_why why, const char *part);
void launch_kit_silent(struct half *h);

/* What the verifier's question is now; 0: none. RET is the launch in it. */
uint32_t launch_kit_wanted(struct half *h, struct launch *ret);
struct permit launch_kit_permit(const struct launch *l);
/* Brings a permit for NUMBER, signed by KEY. */
void launch_kit_answer(struct half *h, uint32_t number, const struct permit *p, const struct key *key);
void launch_kit_reach(struct half *h, const char *why_not);
/* From begin to GRANTED; to RECORDED. */
void launch_kit_grant(struct half *h, uint32_t id, const struct launch *l);
void launch_kit_run(struct half *h, uint32_t id, const struct launch *l);

/* The launch log as it would be sent; it must replay to the register in every bank. */
struct cel_log *launch_kit_log(struct half *h, struct buf *text);

#endif
