#include <stdio.h>
#include <stdlib.h>

#include "proxy/plan/multikey.h"

static struct slot *slot_of(struct request *leaf, uint32_t index)
{
    return &leaf->parent->multi->slots[index];
}

/* The value answers the next key that it names; those before it are misses. */
static bool retrieval_value(struct request *leaf, struct str key, struct str bytes,
                            struct block *block)
{
    uint32_t index = leaf->next_slot;

    while (index != NO_SLOT && !str_equal(slot_of(leaf, index)->key, key))
        index = slot_of(leaf, index)->next;
    if (index == NO_SLOT)
        return false;
    leaf->next_slot = slot_of(leaf, index)->next;
    if (leaf->parent->owner == NULL)
        return true;
    if (!multi_keep(leaf, slot_of(leaf, index), bytes, block))
        slot_of(leaf, index)->bytes.len = 0; /* out of memory: a miss */
    return true;
}

static void retrieval_end(struct request *leaf, int status, struct str bytes, struct block *block)
{
    (void)block;
    if (status == MC_STATUS_END)
        multi_leaf_ended(leaf);
    else
        multi_leaf_failed(leaf, bytes, false);
}

static void retrieval_fail(struct request *leaf, const char *text)
{
    char line[160];
    int len = snprintf(line, sizeof(line), "SERVER_ERROR %.120s\r\n", text);

    multi_leaf_failed(leaf, (struct str){line, (size_t)len}, true);
}

/* No slot has a value yet. */
static void retrieval_miss(struct request *leaf, const struct plan_input *input)
{
    (void)input;
    multi_leaf_ended(leaf);
}

/* Writes the command with the keys of the leaf's slots. */
static bool retrieval_write(struct chain *out, const struct request *leaf,
                            const struct plan_input *input)
{
    const struct multi *multi = leaf->parent->multi;
    struct mc_request first = *input->text;
    char line[512];
    size_t len, before = out->len;
    bool is_good;

    first.keys = multi->slots[leaf->first_slot].key;
    len = mc_text_write_request(line, &first) - 2;
    is_good = chain_copy(out, (struct str){line, len});
    for (uint32_t i = multi->slots[leaf->first_slot].next; is_good && i != NO_SLOT;
         i = multi->slots[i].next)
        is_good = chain_copy(out, STR(" ")) && chain_copy(out, multi->slots[i].key);
    is_good = is_good && chain_copy(out, STR("\r\n"));
    if (!is_good)
        chain_truncate(out, before);
    return is_good;
}

static void retrieval_join(struct request *parent)
{
    struct multi *multi = parent->multi;

    if (multi->failed_count == multi->leaf_count) {
        multi_reply_error(parent);
        return;
    }
    for (uint32_t i = 0; i < multi->slot_count; i++)
        request_reply(parent, multi->slots[i].bytes, multi->slots[i].block);
    request_reply(parent, STR("END\r\n"), NULL);
}

static const struct multi_kind retrieval = {
    .leaf = {.write = retrieval_write,
             .value = retrieval_value,
             .end = retrieval_end,
             .fail = retrieval_fail,
             .miss = retrieval_miss},
    .join = retrieval_join,
};

bool plan_retrieval(const struct plan_input *input)
{
    const struct mc_request *request = input->text;
    struct multi *multi = multi_create(&retrieval, request->key_count);
    struct str rest, key;

    if (multi == NULL)
        return false;
    multi->keys = malloc(request->keys.len);
    if (multi->keys == NULL) {
        multi_free(multi);
        return false;
    }
    memcpy(multi->keys, request->keys.data, request->keys.len);
    rest = (struct str){multi->keys, request->keys.len};
    while (mc_key_next(&rest, &key))
        multi_add_slot(multi, key, STR(""));
    return multi_send(input, request->command, request->command->name, multi);
}
