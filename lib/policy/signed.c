/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Policies in envelopes. An envelope is told from a policy by its first byte and a member's name that no
 * policy has: a policy that is YAML in JSON's style and is mistaken for an envelope is refused, never the
 * other way round, since nothing that lacks "payloadType" is an envelope.
 */
#include "policy/signed.h"

#include <stdlib.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "base/str.h"

static bool is_envelope(struct view file)
{
        static const char member[] = "\"payloadType\"";
        size_t i = 0;

        while (i < file.len && file.p[i] && strchr(" \t\r\n", file.p[i]))
                i++;
        return i < file.len && file.p[i] == '{' &&
               memmem(file.p + i, file.len - i, member, sizeof(member) - 1) != NULL;
}

int policy_unwrap(struct view file, struct dsse *ret, struct view *ret_text, struct err *err)
{
        struct dsse d = {0};

        if (!is_envelope(file)) {
                *ret_text = file;
                return 0;
        }
        if (dsse_parse(file, &d, err) < 0)
                return -(int)err->kind;
        if (!str_equal(d.type, POLICY_DSSE_TYPE)) {
                int r = err_set(err, ERR_FORMAT, 0, "an envelope of type %s, expected " POLICY_DSSE_TYPE,
                                SHOW(d.type));

                dsse_done(&d);
                return r;
        }
        *ret = d;
        *ret_text = VIEW_BUF(&ret->payload);
        return 0;
}

int policy_signatures_text(const struct dsse *d, char **ret, struct err *err)
{
        AUTO(json_free_p) json_t *list = json_array();

        for (size_t i = 0; i < d->n_signatures; i++) {
                json_t *one = json_object(); /* the list's as soon as it is in */

                if (json_array_append_new(list, one) < 0 ||
                    json_set_str(one, "keyid", d->signatures[i].keyid) |
                            json_set_base64(one, "sig", VIEW_BUF(&d->signatures[i].sig)))
                        return err_nomem(err);
        }
        *ret = json_print(list);
        return *ret ? 0 : err_nomem(err);
}

int policy_rewrap(struct view text, struct view signatures, struct dsse *ret, struct err *err)
{
        AUTO(json_free_p) json_t *list = NULL;
        AUTO(json_free_p) json_t *envelope = json_object();
        AUTO(mem_free_p) char *printed = NULL;
        int r = json_parse(signatures, DSSE_TEXT_MAX, &list, err);

        if (r < 0)
                return r;
        if (json_set_base64(envelope, "payload", text) |
            json_set_str(envelope, "payloadType", POLICY_DSSE_TYPE) |
            json_object_set(envelope, "signatures", list))
                return err_nomem(err);
        printed = json_print(envelope);
        return printed ? dsse_parse(view_str(printed), ret, err) : err_nomem(err);
}
