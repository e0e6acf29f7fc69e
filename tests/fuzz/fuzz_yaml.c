/* SPDX-License-Identifier: Apache-2.0 */
/*
 * YAML. In production a policy that a tenant pushes, and configuration files (an operator's own). Every value
 * is read in every way there is.
 */
#include "base/yaml.h"

#include "fuzz/fuzz.h"

static void read_all(const struct yaml_node *node)
{
        struct err err = ERR_INIT;
        const char *text;
        int64_t number;
        uint64_t size;
        bool flag;

        (void)!yaml_str(node, &text, &err);
        (void)!yaml_int(node, -5, 5000000000, &number, &err);
        (void)!yaml_bool(node, &flag, &err);
        (void)!yaml_duration(node, &number, &err);
        (void)!yaml_size(node, &size, &err);
        (void)!yaml_time(node, &number, &err);
        for (size_t i = 0; i < node->n; i++) {
                if (node->kind == YAML_MAP)
                        FUZZ_CHECK(yaml_get(node, node->keys[i]->text) == node->items[i]);
                read_all(node->items[i]);
        }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        AUTO(yaml_doc_free_p)
        struct yaml_doc *doc = NULL;
        struct err err = ERR_INIT;

        if (size < 65536 && yaml_parse(VIEW(data, size), "input", 65536, &doc, &err) == 0)
                read_all(yaml_root(doc));
        return 0;
}
