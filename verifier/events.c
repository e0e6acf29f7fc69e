/* SPDX-License-Identifier: Apache-2.0 */
/* Events: a ring of texts, each ready to be sent, and the streams that follow it. Spec: HTML, server-sent
 * events. */
#include "verifier/events.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/json.h"
#include "base/mem.h"

struct stream {
        struct events *events;
        struct http_request *req;
};

struct events {
        int64_t last;            /* id of the newest */
        char *kept[EVENTS_KEPT]; /* by id modulo their number */
        struct stream streams[EVENTS_STREAMS];
};

int events_new(struct events **ret, struct err *err)
{
        struct events *e = mem_zalloc(1, sizeof(*e));

        if (!e)
                return err_nomem(err);
        *ret = e;
        return 0;
}

void events_free(struct events *e)
{
        if (!e)
                return;
        for (size_t i = 0; i < EVENTS_STREAMS; i++)
                if (e->streams[i].req)
                        http_stream_end(e->streams[i].req);
        for (size_t i = 0; i < EVENTS_KEPT; i++)
                free(e->kept[i]);
        free(e);
}

static void close_stream(struct stream *s)
{
        struct http_request *req = TAKE(s->req);

        if (req)
                http_stream_end(req);
}

static void on_gone(void *ctx)
{
        close_stream(ctx);
}

static char *make_text(int64_t id, const char *type, const char *host, const char *state, const char *was,
                       const char *summary)
{
        AUTO(json_free_p) json_t *j = json_object();
        AUTO(mem_free_p) char *data = NULL;
        int r = 0;

        r |= json_set_int(j, "id", id);
        r |= json_set_time(j, "at", clock_now_ms());
        r |= json_set_str(j, "type", type);
        r |= json_set_str(j, "host", host);
        r |= json_set_str(j, "state", state);
        r |= json_set_str(j, "was", was);
        r |= json_set_str(j, "summary", summary);
        data = r ? NULL : json_print(j);
        return data ? str_fmt("id: %lld\ndata: %s\n\n", (long long)id, data) : NULL;
}

void events_emit(struct events *e, const char *type, const char *host, const char *state, const char *was,
                 const char *summary)
{
        int64_t id = e ? e->last + 1 : 0;
        char *text = e ? make_text(id, type, host, state, was, summary) : NULL;

        if (!text)
                return;
        e->last = id;
        free(e->kept[id % EVENTS_KEPT]);
        e->kept[id % EVENTS_KEPT] = text;
        for (size_t i = 0; i < EVENTS_STREAMS; i++)
                if (e->streams[i].req && !http_stream_send(e->streams[i].req, view_str(text)))
                        close_stream(&e->streams[i]);
}

void events_stream(struct events *e, struct http_request *req, int64_t last_id)
{
        struct stream *s = NULL;

        for (size_t i = 0; i < EVENTS_STREAMS && !s; i++)
                if (!e->streams[i].req)
                        s = &e->streams[i];
        if (!s) {
                http_answer_retry_after(req, 10000);
                http_answer_problem(req, 503, NULL, "%d streams are open already.", EVENTS_STREAMS);
                return;
        }
        *s = (struct stream){.events = e, .req = req};
        http_stream_start(req, 200, "text/event-stream", on_gone, s);
        (void)http_stream_send(req, view_str(": avow\n\n")); /* so that clients see the head at once */
        if (last_id <= 0 || last_id > e->last)
                return;
        for (int64_t id = last_id + 1; id <= e->last; id++)
                if (e->last - id < EVENTS_KEPT && e->kept[id % EVENTS_KEPT] && s->req &&
                    !http_stream_send(req, view_str(e->kept[id % EVENTS_KEPT])))
                        close_stream(s);
}
