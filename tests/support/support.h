/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_TESTS_SUPPORT_H
#define AVOW_TESTS_SUPPORT_H

/* What every unit test needs, with cmocka: #include "support/support.h" and link $(TEST_LIBS). */

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "base/err.h"
#include "base/mem.h"

/* Success and failure, showing the error's text when it is not what was expected. */
#define assert_ok(r, err_ptr) support_assert_ok((r), (err_ptr), __FILE__, __LINE__)
#define assert_err(r, kind_, err_ptr, part)                                                                  \
        support_assert_err((r), (kind_), (err_ptr), (part), __FILE__, __LINE__)
void support_assert_ok(int r, const struct err *err, const char *file, int line);
/* PART (or NULL) must be in the text. */
void support_assert_err(int r, enum err_kind kind, const struct err *err, const char *part, const char *file,
                        int line);

#define assert_view(v, text)                                                                                 \
        do {                                                                                                 \
                struct view view_ = (v);                                                                     \
                assert_int_equal(view_.len, strlen(text));                                                   \
                assert_memory_equal(view_.p, (text), view_.len);                                             \
        } while (0)

/* Outputs are filled with 0xaa before the call; what failed must have left them so. */
#define POISON(x)          memset(&(x), 0xaa, sizeof(x))
#define assert_poisoned(x) assert_true(support_is_poison(&(x), sizeof(x)))
bool support_is_poison(const void *p, size_t n);

/* A copy of V whose last byte is followed by a page that cannot be read. */
struct guarded {
        struct view v;
        void *map;
        size_t map_len;
};
struct view guard_bytes(struct guarded *g, struct view v);
void guard_free(struct guarded *g);

/* Calls TRY with a guarded copy of every proper prefix of V; of V with each bit flipped. WHAT says which. */
typedef void try_fn(struct view bytes, const char *what, void *ctx);
void each_truncation(struct view v, try_fn *try, void *ctx);
void each_bit_flip(struct view v, try_fn *try, void *ctx);

/*
 * Out of memory. oom_each() runs RUN with its 1st, 2nd, … allocation failing, until it gets by without
 * meeting the failure. Every run before that must return -ERR_NOMEM (and leak nothing: run under ASan); the
 * last must return 0. RUN starts from scratch each time and frees what it made. jansson is covered too.
 */
typedef int oom_fn(void *ctx, struct err *err);
void oom_each(oom_fn *run, void *ctx);
/*
 * As oom_each(), for what parses JSON text. jansson's lexer reports a failed allocation as bad syntax, or
 * ignores that its token buffer did not grow; so any error will do, or none, and only crashes and leaks count
 * until no allocation fails any more.
 */
void oom_any(oom_fn *run, void *ctx);
/* By hand: the N-th allocation from now fails (once). oom_off(): did it happen? */
void oom_at(size_t n);
bool oom_off(void);

/* A folder /tmp/avow.XXXXXX (short: socket paths end at 108 bytes), and its removal with all in it. */
#define TMPDIR_BYTES 32
void tmpdir_make(char ret[TMPDIR_BYTES]);
void tmpdir_remove(const char *dir);

#endif
