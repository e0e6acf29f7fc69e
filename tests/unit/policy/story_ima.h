/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_TESTS_STORY_IMA_H
#define AVOW_TESTS_STORY_IMA_H

#include "unit/policy/story.h"

/* What the stories about the kernel's list are told with: pieces of policies, and looks at findings. */

#define V2      "format: avow-policy/2\nname: edge\nruntimes: []\n"
#define WAIVED  "  waive: [rules, tmpfs, kernel, kexec, required, boot-log]\n"
#define IMA     V2 "ima:\n" WAIVED
#define LS      "  - {digest: " A ", path: /bin/ls}\n"
#define ALLOW   "  allow:\n"
#define OPENSSL "  packages:\n  - name: openssl\n    version: 3.0.15-1\n    arch: amd64\n"
#define FILES                                                                                                \
        "    files: |\n      " A "  /usr/bin/openssl\n      " B "  /usr/lib/libssl.so.3\n      " C           \
        "  /usr/lib/libcrypto.so.3\n"
#define ONLY_LS IMA ALLOW LS

/* A host under POLICY, in bank SHA-256, whose kernel has begun its list. */
void story_begin_ima(struct story *s, const char *policy);

/* How many findings have this code; the first of them, which must be there. */
size_t story_count(const struct verdict *v, const char *code);
const struct finding *story_found(const struct story *s, const char *code);

#endif
