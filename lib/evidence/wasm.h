/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_EVIDENCE_WASM_H
#define AVOW_EVIDENCE_WASM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "base/err.h"
#include "base/macro.h"

/*
 * WebAssembly modules and components as a row of sections: what a signature in one needs, and no more. The
 * code is not validated, the runtime does that. Refused is what the specification refuses of the row itself:
 * another magic or version, a number that is cut off, longer than five bytes or with bits beyond 32, a
 * section that leaves its module, an unknown section, one of a module that is out of order or there twice,
 * a custom section whose name is not UTF-8, functions and bodies (or data segments and their count) that
 * differ in number. Spec: WebAssembly Core 2.0, §5; Component Model, Binary.md.
 */
#define WASM_BYTES_MAX  (256u << 20)
#define WASM_NESTED_MAX 16 /* levels below the outermost component */

struct wasm {
        struct view bytes;
        bool component;
};

/*
 * Reads all of it, nested modules and components too, so that what follows can rely on its form. RET borrows
 * BYTES. Return: 0; -ERR_FORMAT with the byte; -ERR_LIMIT.
 */
int wasm_parse(struct view bytes, struct wasm *ret, struct err *err) MUST_USE;

struct wasm_section {
        uint8_t id;          /* 0: custom */
        size_t at;           /* where it begins in the module */
        struct view whole;   /* with its id and its length, as they were found */
        struct view content; /* behind them; of a custom section: behind its name, too */
        struct view name;    /* of a custom section */
};
/* The sections of the top level. *POS starts as 0. Return: false at the end. */
bool wasm_next(const struct wasm *wasm, size_t *pos, struct wasm_section *ret);

/*
 * Appends the module without the custom sections of the top level that have one of N names. With CANONICAL,
 * lengths are written in their shortest form, and nested modules and components are treated likewise. Ask
 * buf_ok(). This is what claims are made over.
 */
void wasm_put_without(const struct wasm *wasm, const char *const *names, size_t n, bool canonical,
                      struct buf *out);

/* Appends a custom section. */
void wasm_put_custom(const char *name, struct view content, struct buf *out);

#endif
