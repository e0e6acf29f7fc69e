/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The four configurations of `avow init`: only what differs from the defaults, or what everyone will want to
 * change, with a word on each. Paths to keys are relative to the file, so that the folder can be moved.
 */
#include <stdlib.h>
#include <string.h>

#include "base/str.h"
#include "tenant/init.h"

/* A text as a YAML scalar in single quotes. Spec: YAML 1.2 §7.3.2. */
static void put_quoted(struct buf *b, const char *text)
{
        buf_str(b, "'");
        for (; *text; text++)
                buf_put(b, *text == '\'' ? "''" : text, *text == '\'' ? 2 : 1);
        buf_str(b, "'");
}

static void put_line(struct buf *b, const char *key, const char *value)
{
        buf_fmt(b, "%s: ", key);
        put_quoted(b, value);
        buf_str(b, "\n");
}

static void put_address(struct buf *b, const char *key, const char *address, unsigned port)
{
        bool v6 = strchr(address, ':') != NULL;

        buf_fmt(b, "%s: '%s%s%s:%u'\n", key, v6 ? "[" : "", address, v6 ? "]" : "", port);
}

static void put_url(struct buf *b, const struct init_plan *p, unsigned port)
{
        bool v6 = strchr(p->host, ':') != NULL;

        buf_fmt(b, "  url: 'https://%s%s%s:%u'\n", v6 ? "[" : "", p->host, v6 ? "]" : "", port);
}

static void put_store(struct buf *b, const struct init_plan *p, const char *program)
{
        AUTO(mem_free_p) char *url = str_fmt("sqlite:%s/%s/%s.db", p->state, program, program);

        buf_str(b, "store:\n");
        if (url)
                put_line(b, "  url", url);
        else
                b->failed = true;
}

static void put_tls(struct buf *b, const char *name)
{
        buf_fmt(b,
                "tls:\n"
                "  cert: pki/%s.pem\n"
                "  key: pki/%s.key\n"
                "  client_ca: pki/ca.pem # whose client certificates carry roles\n",
                name, name);
}

static char *registrar_yaml(const struct init_plan *p)
{
        struct buf b = {0};

        buf_str(&b, "# avow-registrar; every key: man avow-registrar.yaml\nlisten:\n");
        put_address(&b, "  https", p->listen, p->registrar_port);
        if (p->registrar_http_port)
                put_address(&b, "  http", p->listen, p->registrar_http_port);
        put_tls(&b, "registrar");
        put_store(&b, p, "registrar");
        buf_str(&b, "ek:\n"
                    "  policy: required # every host needs an EK certificate from one of these roots\n"
                    "  roots:\n");
        for (size_t i = 0; i < p->o->ek_roots.n; i++) {
                AUTO(mem_free_p) char *path = realpath(p->o->ek_roots.v[i], NULL);

                buf_str(&b, "  - ");
                put_quoted(&b, path ? path : p->o->ek_roots.v[i]);
                buf_str(&b, "\n");
        }
        if (p->o->ek_roots.n == 0)
                buf_str(&b,
                        "  - ek-roots # a folder: put the CA certificates of your TPMs' makers into it\n");
        buf_str(&b, "ak_ca: # signs certificates of attestation keys\n"
                    "  cert: pki/ak-ca.pem\n"
                    "  key: pki/ak-ca.key\n"
                    "audit:\n"
                    "  key: pki/registrar-audit.key\n"
                    "revocations:\n"
                    "  keys: # the verifiers whose revocations are taken\n"
                    "  - pki/revocation.pub\n");
        if (p->keylime)
                buf_str(&b, "compat: keylime # any certificate of tls.client_ca is an administrator\n");
        return buf_take_str(&b);
}

static char *verifier_yaml(const struct init_plan *p)
{
        struct buf b = {0};

        buf_str(&b, "# avow-verifier; every key: man avow-verifier.yaml\nlisten:\n");
        put_address(&b, "  https", p->listen, p->verifier_port);
        put_tls(&b, "verifier");
        put_store(&b, p, "verifier");
        buf_str(&b, "registrar:\n");
        put_url(&b, p, p->registrar_port);
        buf_str(&b, "  ca: pki/ca.pem\n"
                    "  cert: pki/verifier.pem\n"
                    "  key: pki/verifier.key\n"
                    "audit:\n"
                    "  key: pki/verifier-audit.key\n"
                    "revocation:\n"
                    "  key: pki/revocation.key\n"
                    "release:\n"
                    "  key: pki/release.key\n"
                    "ear:\n"
                    "  key: pki/ear.key\n");
        if (p->o->interval)
                buf_fmt(&b, "interval:\n  default: %s\n", p->o->interval);
        if (p->keylime)
                buf_str(&b, "compat: keylime # any certificate of tls.client_ca is an administrator\n");
        return buf_take_str(&b);
}

static void put_runtimes(struct buf *b, const struct init_plan *p)
{
        if (p->o->runtimes.n == 0) {
                buf_str(b, "# What is measured, in this order:\n"
                           "# - name: wasmtime\n"
                           "#   path: /usr/bin/wasmtime\n"
                           "runtimes: []\n");
                return;
        }
        buf_str(b, "runtimes:\n");
        for (size_t i = 0; i < p->o->runtimes.n; i++) {
                const char *item = p->o->runtimes.v[i], *path = strchr(item, '=') + 1;

                buf_fmt(b, "- name: '%.*s'\n", (int)(path - item - 1), item);
                put_line(b, "  path", path);
        }
}

static char *agent_yaml(const struct init_plan *p)
{
        AUTO(mem_free_p) char *state = str_fmt("%s/agent", p->state);
        struct buf b = {0};

        if (!state)
                return NULL;
        buf_str(&b, "# avow-agent; every key: man avow-agent.yaml\nhost:\n");
        put_line(&b, "  id", p->o->host_id ? p->o->host_id : "uuid");
        if (p->o->tcti) {
                buf_str(&b, "tpm:\n");
                put_line(&b, "  tcti", p->o->tcti);
        }
        buf_str(&b, "state:\n");
        put_line(&b, "  dir", state);
        buf_str(&b, "registrar:\n");
        put_url(&b, p, p->registrar_port);
        buf_str(&b, "  ca: pki/ca.pem\nverifier:\n");
        put_url(&b, p, p->verifier_port);
        buf_fmt(&b, "  ca: pki/ca.pem\n%s  peer: %s\n", p->keylime ? "" : "  keys: pki/verifier-keys.json\n",
                p->keylime ? "keylime" : "avow");
        if (p->o->interval)
                buf_fmt(&b, "interval: %s\n", p->o->interval);
        put_runtimes(&b, p);
        return buf_take_str(&b);
}

static char *avow_yaml(const struct init_plan *p)
{
        struct buf b = {0};

        buf_str(&b, "# avow, the command line: who we are to the servers\nregistrar:\n");
        put_url(&b, p, p->registrar_port);
        buf_str(&b, "  ca: pki/ca.pem\n  cert: pki/admin.pem\n  key: pki/admin.key\nverifier:\n");
        put_url(&b, p, p->verifier_port);
        buf_str(&b, "  ca: pki/ca.pem\n  cert: pki/admin.pem\n  key: pki/admin.key\n");
        return buf_take_str(&b);
}

struct state_row {
        const char *program, *owner;
};

int init_add_configs(const struct init_plan *p, struct init_items *items, struct err *err)
{
        static const struct state_row states[] = {
                {"registrar", "avow-registrar"}, {"verifier", "avow-verifier"}, {"agent", NULL}};
        int r = init_add_folder(items, p->state, 0755, NULL, "databases and state", err);

        for (size_t i = 0; r == 0 && i < ARRAY_LEN(states); i++) {
                AUTO(mem_free_p) char *path = str_fmt("%s/%s", p->state, states[i].program);

                r = path ? init_add_folder(items, path, 0700, states[i].owner, "what it remembers", err)
                         : err_nomem(err);
        }
        if (r == 0 && p->o->ek_roots.n == 0)
                r = init_add_folder(items, "ek-roots", 0755, NULL,
                                    "CA certificates of TPM makers, yours to fill", err);
        if (r == 0)
                r = init_add_text(items, "registrar.yaml", 0644, "configuration of avow-registrar",
                                  registrar_yaml(p), err);
        if (r == 0)
                r = init_add_text(items, "verifier.yaml", 0644, "configuration of avow-verifier",
                                  verifier_yaml(p), err);
        if (r == 0)
                r = init_add_text(items, "agent.yaml", 0644, "configuration of avow-agent", agent_yaml(p),
                                  err);
        if (r == 0)
                r = init_add_text(items, "avow.yaml", 0644, "configuration of avow", avow_yaml(p), err);
        return r;
}
