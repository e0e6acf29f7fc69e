/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How much of an event's data its digest covers. The specification says it for some types of events; for the
 * others firmware and boot loaders do as they like, so it is found out: a digest that is over (a part of) the
 * data is over nothing else. What comes out as covered is as true as the quoted register; all the rest is a
 * claim of whoever handed the log over, the event's type among it.
 */
#include "evidence/bootlog.h"
#include "evidence/efi.h"

#define TRIES_MAX 6
#define ASCII_MAX 128 /* of a name that was measured in ASCII */

/* The rules. Spec: PFP §10.4.1; what firmware and boot loaders do where it leaves them free. */
enum rule {
        FREE,     /* over something else, unless it turns out to be over the data */
        WHOLE,    /* over the data */
        VARIABLE, /* over the variable's value alone, or over the data */
};

static enum rule rule_of(uint32_t type)
{
        switch (type) {
        case EV_SEPARATOR:
        case EV_ACTION:
        case EV_S_CRTM_VERSION:
        case EV_EFI_ACTION:
        case EV_EFI_GPT_EVENT:
        case EV_EFI_VARIABLE_DRIVER_CONFIG:
        case EV_EFI_VARIABLE_AUTHORITY:
        case EV_EFI_VARIABLE_BOOT2:
        case EV_EFI_SPDM_DEVICE_POLICY:
        case EV_EFI_SPDM_DEVICE_AUTHORITY:
        case EV_OMIT_BOOT_DEVICE_EVENTS:
                return WHOLE;
        case EV_EFI_VARIABLE_BOOT:
                return VARIABLE;
        default:
                return FREE;
        }
}

/* Return: 1 if the digest is over V, which then is *RET; 0; -ERR_CRYPTO. */
static int is_over(struct view digest, enum digest_alg bank, struct view v, struct view *ret, struct err *err)
{
        struct digest d;
        int r = digest_bytes(bank, v, &d, err);

        if (r < 0)
                return r;
        if (!view_equal(digest, digest_view(&d)))
                return 0;
        *ret = v;
        return 1;
}

static struct view without_end(struct view v, size_t n)
{
        for (size_t i = 0; i < n; i++)
                if (v.len <= i || v.p[v.len - 1 - i])
                        return v;
        return VIEW(v.p, v.len - n);
}

/* Behind "grub_cmd: ", "kernel_cmdline: " and the like. */
static struct view behind_label(struct view v)
{
        for (size_t i = 0; i + 2 <= v.len && i < 64 && v.p[i]; i++)
                if (v.p[i] == ':' && v.p[i + 1] == ' ')
                        return VIEW(v.p + i + 2, v.len - i - 2);
        return v;
}

/* What a tagged event holds. */
static struct view behind_tag(struct view v)
{
        struct cursor c = cursor_of(v);
        struct view inside;

        return cursor_skip(&c, 4) && cursor_le32_bytes(&c, &inside) && c.left == 0 ? inside : v;
}

/*
 * systemd's stub measures names in ASCII with their NUL, and writes them into the log in UTF-16. Return: as
 * is_over(); *RET is the data, whose text is covered.
 */
static int is_over_ascii(struct view digest, enum digest_alg bank, struct view utf16, struct view *ret,
                         struct err *err)
{
        struct cursor c = cursor_of(utf16);
        uint8_t ascii[ASCII_MAX];
        struct view ignored;
        uint16_t u;
        size_t n = 0;
        int r;

        while (n < sizeof(ascii) && cursor_le16(&c, &u)) {
                if (u > 0x7f)
                        return 0;
                ascii[n++] = (uint8_t)u;
        }
        if (n == 0 || c.left || ascii[n - 1])
                return 0;
        r = is_over(digest, bank, VIEW(ascii, n), &ignored, err);
        if (r > 0)
                *ret = utf16;
        return r;
}

/* What the digest may be over, besides all of the data. Return: how many. */
static size_t list_tries(const struct bootlog_event *e, struct view ret[TRIES_MAX])
{
        struct efi_variable variable;
        struct err ignored = ERR_INIT;
        size_t n = 0;

        ret[n++] = e->data;
        if (rule_of(e->type) == VARIABLE && efi_variable_parse(e->data, &variable, &ignored) == 0)
                ret[n++] = variable.data;
        if (rule_of(e->type) != FREE)
                return n;
        ret[n++] = without_end(e->data, 1);
        ret[n++] = without_end(e->data, 2);
        ret[n++] = behind_label(e->data);
        ret[n++] = without_end(behind_label(e->data), 1);
        if (e->type == EV_EVENT_TAG)
                ret[n++] = behind_tag(e->data);
        return n;
}

int bootlog_covered(const struct bootlog_event *e, enum digest_alg bank, struct view *ret, struct err *err)
{
        struct view digest = bootlog_event_digest(e, bank);
        struct view tries[TRIES_MAX];
        size_t n = list_tries(e, tries);
        int r = 0;

        *ret = VIEW_NONE;
        if (digest.len == 0)
                return err_set(err, ERR_FORMAT, 0, "event %zu of the boot log has no digest of the bank %s",
                               e->number, digest_name(bank));
        for (size_t i = 0; r == 0 && i < n; i++)
                r = is_over(digest, bank, tries[i], ret, err);
        if (r == 0 && rule_of(e->type) == FREE)
                r = is_over_ascii(digest, bank, e->data, ret, err);
        if (r != 0)
                return r < 0 ? r : BOOTLOG_COVERED;
        return rule_of(e->type) == FREE ? BOOTLOG_OUTSIDE : BOOTLOG_CONTRADICTS;
}
