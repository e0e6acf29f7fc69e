/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Entries by their lengths alone. The agent's TPM half walks the kernel's list with this, so it looks at as
 * little as it can: at lengths, and at the name of the one template that has no length of its own.
 */
#include "evidence/ima_size.h"

#include "evidence/ima.h"

#define REGISTER_MAX    255
#define TEMPLATE_HASH   20
#define OLD_DIGEST_SIZE 20

/* cursor_le32_bytes(), telling a length that no entry has from one that is not all there yet. */
static int take_counted(struct cursor *c, uint32_t min, uint32_t max, struct view *ret, struct err *err)
{
        struct cursor at = *c;
        uint32_t len;

        if (!cursor_le32(&at, &len))
                return 0;
        if (len < min || len > max)
                return err_set(err, len < min ? ERR_FORMAT : ERR_LIMIT, 0,
                               "a length of %u bytes, and %u to %u are possible", len, min, max);
        if (!cursor_take(&at, len, ret))
                return 0;
        *c = at;
        return 1;
}

int ima_entry_size(struct view list, size_t *ret_size, struct err *err)
{
        struct cursor c = cursor_of(list);
        struct view ignored, name = VIEW_NONE;
        uint32_t pcr;
        int r;

        if (!cursor_le32(&c, &pcr))
                return 0;
        if (pcr > REGISTER_MAX)
                return err_set(err, ERR_FORMAT, 0, "register %u", pcr);
        if (!cursor_take(&c, TEMPLATE_HASH, &ignored))
                return 0;
        r = take_counted(&c, 1, IMA_TEMPLATE_MAX, &name, err);
        if (r <= 0)
                return r;
        if (view_equal(name, view_str("ima")) && !cursor_take(&c, OLD_DIGEST_SIZE, &ignored))
                return 0;
        r = take_counted(&c, 0, IMA_ENTRY_BYTES_MAX, &ignored, err);
        if (r > 0)
                *ret_size = c.at;
        return r;
}

bool ima_list_is_binary(struct view list)
{
        return list.len >= 4 && list.p[1] == 0 && list.p[2] == 0 && list.p[3] == 0;
}
