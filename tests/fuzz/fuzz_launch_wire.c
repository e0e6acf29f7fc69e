/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What askers write to launch.socket, which in production whoever is in group avow controls; and the kernel's
 * lines of mappings, whose paths whoever runs something chooses. The first byte chooses a reader.
 */
#include "agent/launch_maps.h"
#include "agent/launch_wire.h"
#include "fuzz/fuzz.h"

static void ask(struct view in)
{
        AUTO(buf_free) struct buf out = {0};
        struct launch_ask m;
        struct err err = ERR_INIT;
        size_t bytes = 0;

        if (launch_ask_get(in, &m, &err) < 0)
                return;
        for (size_t i = 0; i < m.n_args; i++)
                bytes += m.args[i].len;
        FUZZ_CHECK(bytes <= LAUNCH_WIRE_ARGS_BYTES && m.nonce.len <= LAUNCH_WIRE_NONCE_MAX);
        launch_ask_put(&out, &m);
        FUZZ_CHECK(buf_ok(&out) && view_equal(VIEW_BUF(&out), in));
}

static void ended(struct view in)
{
        AUTO(buf_free) struct buf out = {0};
        struct launch_ended m;
        struct err err = ERR_INIT;

        if (launch_ended_get(in, &m, &err) < 0)
                return;
        launch_ended_put(&out, &m);
        FUZZ_CHECK(buf_ok(&out) && view_equal(VIEW_BUF(&out), in));
}

static void maps(struct view in)
{
        struct map_row row;
        struct err err = ERR_INIT;
        size_t before = in.len + 1;

        while (map_row_take(&in, &row, &err) > 0) {
                FUZZ_CHECK(in.len < before && row.path.len < before);
                before = in.len;
        }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        struct view rest;

        if (size == 0)
                return 0;
        rest = VIEW(data + 1, size - 1);
        if (data[0] == 0)
                ask(rest);
        else if (data[0] == 1)
                ended(rest);
        else
                maps(rest);
        return 0;
}
