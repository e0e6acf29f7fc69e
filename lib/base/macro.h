/* SPDX-License-Identifier: Apache-2.0 */
#ifndef AVOW_BASE_MACRO_H
#define AVOW_BASE_MACRO_H

/* The few macros that every file may use. */

/* Calls FN (which takes a pointer to the variable) when the variable goes out of scope. */
#define AUTO(fn) __attribute__((cleanup(fn)))

/* Gives the value of a pointer away and leaves NULL behind: `*ret_x = TAKE(x);`. */
#define TAKE(ptr)                                                                                            \
        ({                                                                                                   \
                __typeof__(ptr) take_ = (ptr);                                                               \
                (ptr) = NULL;                                                                                \
                take_;                                                                                       \
        })

/* Defines fn_p(T **), the form that AUTO wants, for a fn(T *) that accepts NULL. */
#define DEFINE_AUTO(type, fn)                                                                                \
        static inline void fn##_p(type **p)                                                                  \
        {                                                                                                    \
                fn(*p);                                                                                      \
        }

#define MUST_USE          __attribute__((warn_unused_result))
#define PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))
#define ARRAY_LEN(a)      (sizeof(a) / sizeof((a)[0]))

#endif
