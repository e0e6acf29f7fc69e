/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The SGX extension is a SEQUENCE of (OID, value) pairs whose OIDs all start with the extension's own. Order
 * is not promised, optional parts come and go (platform instance and configuration stand in the Platform
 * CA's certificates only), so pairs are picked by OID; what is picked must stand there once.
 *
 * Spec: see pck.h.
 */
#include "evidence/pck.h"

#include <string.h>

#include "crypto/cert_ext.h"
#include "crypto/der.h"

#define OID_TEXT "1.2.840.113741.1.13.1"

enum { TAG_INTEGER = 0x02, TAG_OCTETS = 0x04, TAG_OID = 0x06, TAG_SEQUENCE = 0x30 };
enum { PART_TCB = 2, PART_PCEID = 3, PART_FMSPC = 4 };
enum { TCB_PCESVN = 17, TCB_CPUSVN = 18 };

static const uint8_t prefix[] = {0x2a, 0x86, 0x48, 0x86, 0xf8, 0x4d, 0x01, 0x0d, 0x01};

struct pair {
        struct view oid; /* without the common prefix */
        uint8_t tag;
        struct view value;
};

static int take_pair(struct cursor *c, struct pair *ret, struct err *err)
{
        struct view both, oid, value;
        struct cursor in;
        uint8_t tag;

        if (!der_take(c, &tag, &both) || tag != TAG_SEQUENCE)
                return err_set(err, ERR_FORMAT, 0, "no pair at byte %zu", c->at);
        in = cursor_of(both);
        if (!der_take(&in, &tag, &oid) || tag != TAG_OID || !der_take(&in, &tag, &value) || in.left)
                return err_set(err, ERR_FORMAT, 0, "the pair before byte %zu is not one", c->at);
        if (oid.len <= sizeof(prefix) || !view_equal(VIEW(oid.p, sizeof(prefix)), VIEW_ARRAY(prefix)))
                return err_set(err, ERR_FORMAT, 0, "the pair before byte %zu has a foreign OID", c->at);
        *ret = (struct pair){VIEW(oid.p + sizeof(prefix), oid.len - sizeof(prefix)), tag, value};
        return 0;
}

static int octets(const struct pair *p, const char *what, uint8_t *ret, size_t n, struct err *err)
{
        if (p->tag != TAG_OCTETS || p->value.len != n)
                return err_set(err, ERR_FORMAT, 0, "%s: expected %zu octets", what, n);
        memcpy(ret, p->value.p, n);
        return 0;
}

static int number(const struct pair *p, unsigned part, uint16_t max, uint16_t *ret, struct err *err)
{
        uint32_t x = 0;

        if (p->tag != TAG_INTEGER || p->value.len < 1 || p->value.len > 3 || (p->value.p[0] & 0x80))
                return err_set(err, ERR_FORMAT, 0, "TCB part %u: expected a small number", part);
        for (size_t i = 0; i < p->value.len; i++)
                x = x << 8 | p->value.p[i];
        if (x > max)
                return err_set(err, ERR_FORMAT, 0, "TCB part %u: %u is more than %u", part, x, max);
        *ret = (uint16_t)x;
        return 0;
}

static int tcb_part(const struct pair *p, unsigned part, struct pck *ret, struct err *err)
{
        uint16_t x = 0;
        int r;

        if (part == TCB_CPUSVN)
                return octets(p, "CPUSVN", ret->cpu_svn, sizeof(ret->cpu_svn), err);
        r = number(p, part, part == TCB_PCESVN ? UINT16_MAX : UINT8_MAX, &x, err);
        if (part == TCB_PCESVN)
                ret->pcesvn = x;
        else
                ret->components[part - 1] = (uint8_t)x;
        return r;
}

static int tcb(const struct pair *p, struct pck *ret, struct err *err)
{
        struct cursor c = cursor_of(p->value);
        uint32_t seen = 0;
        struct pair sub;

        if (p->tag != TAG_SEQUENCE)
                return err_set(err, ERR_FORMAT, 0, "TCB: expected a SEQUENCE");
        while (c.left) {
                unsigned part;
                int r = take_pair(&c, &sub, err);

                if (r < 0)
                        return r;
                if (sub.oid.len != 2 || sub.oid.p[0] != PART_TCB || sub.oid.p[1] < 1 ||
                    sub.oid.p[1] > TCB_CPUSVN)
                        return err_set(err, ERR_FORMAT, 0, "TCB: a part of another kind");
                part = sub.oid.p[1];
                if (seen & 1u << part)
                        return err_set(err, ERR_FORMAT, 0, "TCB part %u stands twice", part);
                seen |= 1u << part;
                r = tcb_part(&sub, part, ret, err);
                if (r < 0)
                        return r;
        }
        if (seen != 0x7fffe) /* bits 1 to 18 */
                return err_set(err, ERR_FORMAT, 0, "TCB: parts are missing");
        return 0;
}

int pck_parse(struct view extension, struct pck *ret, struct err *err)
{
        struct cursor outer = cursor_of(extension), c;
        struct view all;
        struct pck pck = {0};
        uint32_t seen = 0;
        uint8_t tag;

        if (!der_take(&outer, &tag, &all) || tag != TAG_SEQUENCE || outer.left)
                return err_set(err, ERR_FORMAT, 0, "SGX extension: expected one SEQUENCE");
        c = cursor_of(all);
        while (c.left) {
                struct pair p;
                int r = take_pair(&c, &p, err);

                if (r < 0)
                        return err_wrap(err, "SGX extension");
                if (p.oid.len != 1 || p.oid.p[0] >= 32)
                        continue;
                if (seen & 1u << p.oid.p[0])
                        return err_set(err, ERR_FORMAT, 0, "SGX extension: part %u stands twice", p.oid.p[0]);
                seen |= 1u << p.oid.p[0];
                if (p.oid.p[0] == PART_TCB)
                        r = tcb(&p, &pck, err);
                else if (p.oid.p[0] == PART_PCEID)
                        r = octets(&p, "PCEID", pck.pceid, sizeof(pck.pceid), err);
                else if (p.oid.p[0] == PART_FMSPC)
                        r = octets(&p, "FMSPC", pck.fmspc, sizeof(pck.fmspc), err);
                if (r < 0)
                        return err_wrap(err, "SGX extension");
        }
        if (!(seen & 1u << PART_TCB) || !(seen & 1u << PART_PCEID) || !(seen & 1u << PART_FMSPC))
                return err_set(err, ERR_FORMAT, 0, "SGX extension: TCB, PCEID or FMSPC is missing");
        *ret = pck;
        return 0;
}

int pck_of_cert(const struct cert *cert, struct pck *ret, struct err *err)
{
        struct view extension;
        size_t n = cert_extension(cert, OID_TEXT, &extension);

        if (n != 1)
                return err_set(err, ERR_FORMAT, 0, "PCK certificate: %zu SGX extensions, expected one", n);
        return pck_parse(extension, ret, err);
}
