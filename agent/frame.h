/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_AGENT_FRAME_H
#define AVOW_AGENT_FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/err.h"

/*
 * What the agent's processes say to each other over their sockets: be32 length of what follows | u8 type | u8
 * result | be16 0 | be32 id | body. Integers are big-endian, byte strings have a be32 length in front.
 * Everything decoded is borrowed from the frame. The types are those of agent/privsep.h (network half) and
 * agent/launch_link.h (launcher), each language on its own socket.
 */
#define FRAME_HEADER_BYTES 12

struct frame {
        uint8_t type, result;
        uint32_t id;
        struct view body;
};

/* Appends a frame of at most MAX bytes; a longer one fails OUT. */
void frame_put(struct buf *out, const struct frame *frame, size_t max);
/*
 * Takes the first frame out of IN, whose length may be at most MAX. Return: bytes used; 0 if IN holds no
 * whole frame yet; -ERR_FORMAT or -ERR_LIMIT.
 */
int frame_take(struct view in, size_t max, struct frame *ret, struct err *err) MUST_USE;

/* Parts of bodies. A read that fails moves nothing. */
void frame_put_bytes(struct buf *out, struct view v);
bool frame_get_bytes(struct cursor *c, struct view *ret) MUST_USE;
bool frame_get_bool(struct cursor *c, bool *ret) MUST_USE;
/* The end of a decoder: OK, and no rest. Return: 0; -ERR_FORMAT naming WHAT and the place. */
int frame_done(bool ok, const struct cursor *c, const char *what, struct err *err) MUST_USE;

#endif
