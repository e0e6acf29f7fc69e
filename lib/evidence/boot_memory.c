/* SPDX-License-Identifier: Apache-2.0 */
#include "evidence/boot_memory.h"

#include <stdlib.h>

#include "base/json.h"
#include "base/mem.h"
#include "evidence/boot_record.h"

struct boot_memory *boot_memory_new(void)
{
        return mem_zalloc(1, sizeof(struct boot_memory));
}

void boot_memory_free(struct boot_memory *m)
{
        if (!m)
                return;
        buf_free(&m->command_line);
        free(m);
}

struct boot_memory *boot_memory_dup(const struct boot_memory *m)
{
        AUTO(boot_memory_free_p) struct boot_memory *copy = boot_memory_new();

        if (!copy)
                return NULL;
        *copy = *m;
        copy->command_line = (struct buf){0};
        buf_put_view(&copy->command_line, VIEW_BUF(&m->command_line));
        return buf_ok(&copy->command_line) ? TAKE(copy) : NULL;
}

void boot_memory_put(struct json_out *o, const char *name, const struct boot_memory *m)
{
        json_out_object(o, name);
        if (m->has_command_line)
                json_out_hex(o, "command_line", VIEW_BUF(&m->command_line));
        json_out_bool(o, "command_line_allowed", m->command_line_allowed);
        json_out_int(o, "explained", m->explained);
        json_out_bool(o, "kernel_allowed", m->kernel_allowed);
        json_out_int(o, "secure_boot", m->secure_boot);
        json_out_object_end(o);
}

int boot_memory_from_json(const json_t *j, struct boot_memory **ret, struct err *err)
{
        static const char *const names[] = {"command_line", "command_line_allowed", "explained",
                                            "kernel_allowed", "secure_boot"};
        AUTO(boot_memory_free_p) struct boot_memory *m = boot_memory_new();
        int64_t explained = 0, secure_boot = 0;
        int r;

        if (!m)
                return err_nomem(err);
        r = json_only(j, names, ARRAY_LEN(names), err);
        if (r == 0)
                r = json_get_int(j, "explained", 0, BOOT_PCRS, &explained, err);
        if (r == 0)
                r = json_get_int(j, "secure_boot", BOOT_UNKNOWN, BOOT_ON, &secure_boot, err);
        if (r == 0)
                r = json_get_bool(j, "kernel_allowed", &m->kernel_allowed, err);
        if (r == 0)
                r = json_get_bool(j, "command_line_allowed", &m->command_line_allowed, err);
        if (r == 0)
                r = json_opt_hex(j, "command_line", BOOT_COMMAND_LINE_MAX, &m->command_line, err);
        if (r < 0)
                return r;
        m->has_command_line = r > 0;
        m->explained = (uint32_t)explained;
        m->secure_boot = (enum boot_switch)secure_boot;
        *ret = TAKE(m);
        return 0;
}
