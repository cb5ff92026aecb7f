/*
 * One slot per key, in the order of the keys. The slots of one server are chained, so
 * that a leaf finds the keys it still has to answer.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "proxy/plan/plan.h"

enum { NO_SLOT = UINT32_MAX };

struct slot {
    struct str key;
    struct str bytes;    /* the VALUE line and the value, once they came */
    struct block *block; /* that holds them if they are long */
    uint32_t next;       /* of the same leaf */
};

struct multi {
    struct chain values; /* keeps the slots' bytes */
    uint32_t leaf_count, open_count, failed_count;
    char *error; /* the first failure's line; NULL: none, or no memory for it */
    size_t error_len;
    bool is_own_error; /* made by the proxy */
    uint32_t slot_count;
    char *keys;
    struct slot slots[];
};

/* --- replies --- */

static struct slot *slot_of(struct request *leaf, uint32_t index)
{
    return &leaf->parent->multi->slots[index];
}

/* Keeps the bytes in the chain and notes where they are. */
static bool keep_value(struct multi *multi, struct slot *slot, struct str bytes,
                       struct block *block)
{
    if (bytes.len > CHAIN_COPY_MAX) {
        slot->block = block;
        slot->bytes = bytes;
        return chain_append(&multi->values, bytes, &block_keeper, block);
    }
    char *copy = chain_reserve(&multi->values, bytes.len);

    if (copy == NULL)
        return false;
    memcpy(copy, bytes.data, bytes.len);
    chain_commit(&multi->values, bytes.len);
    slot->bytes = (struct str){copy, bytes.len};
    return true;
}

static bool multi_value(struct request *leaf, struct str key, struct str bytes, struct block *block)
{
    uint32_t index = leaf->next_slot;

    while (index != NO_SLOT && !str_equal(slot_of(leaf, index)->key, key))
        index = slot_of(leaf, index)->next;
    if (index == NO_SLOT)
        return false;
    leaf->next_slot = slot_of(leaf, index)->next;
    if (leaf->parent->owner == NULL)
        return true;
    if (!keep_value(leaf->parent->multi, slot_of(leaf, index), bytes, block))
        slot_of(leaf, index)->bytes.len = 0; /* out of memory: a miss */
    return true;
}

static void join(struct request *parent)
{
    struct multi *multi = parent->multi;

    if (multi->failed_count == multi->leaf_count) {
        if (multi->is_own_error && parent->owner != NULL)
            metric_add(parent->owner->forward_errors, 1);
        request_reply(parent,
                      multi->error != NULL ? (struct str){multi->error, multi->error_len}
                                           : STR("SERVER_ERROR out of memory\r\n"),
                      NULL);
    } else {
        for (uint32_t i = 0; i < multi->slot_count; i++)
            request_reply(parent, multi->slots[i].bytes, multi->slots[i].block);
        request_reply(parent, STR("END\r\n"), NULL);
    }
    chain_clear(&multi->values);
    free(multi->error);
    free(multi->keys);
    free(multi);
    parent->multi = NULL;
    request_done(parent);
}

static void leaf_ended(struct request *leaf)
{
    struct request *parent = leaf->parent;

    request_free(leaf);
    if (--parent->multi->open_count == 0)
        join(parent);
}

static void multi_set_error(struct multi *multi, struct str line, bool is_own)
{
    multi->is_own_error = is_own;
    multi->error = malloc(line.len);
    if (multi->error == NULL)
        return;
    memcpy(multi->error, line.data, line.len);
    multi->error_len = line.len;
}

/* The leaf's keys are misses, and its error is the request's if no leaf does better. */
static void leaf_failed(struct request *leaf, struct str line, bool is_own)
{
    struct multi *multi = leaf->parent->multi;

    for (uint32_t i = leaf->first_slot; i != NO_SLOT; i = multi->slots[i].next)
        multi->slots[i].bytes = (struct str){"", 0};
    if (multi->failed_count++ == 0)
        multi_set_error(multi, line, is_own);
    leaf_ended(leaf);
}

static void multi_end(struct request *leaf, enum mc_status status, struct str bytes,
                      struct block *block)
{
    (void)block;
    if (status == MC_STATUS_END)
        leaf_ended(leaf);
    else
        leaf_failed(leaf, bytes, false);
}

static void multi_fail(struct request *leaf, const char *text)
{
    char line[160];
    int len = snprintf(line, sizeof(line), "SERVER_ERROR %.120s\r\n", text);

    leaf_failed(leaf, (struct str){line, (size_t)len}, true);
}

static const struct leaf_ops multi_ops = {
    .value = multi_value, .end = multi_end, .fail = multi_fail};

/* --- splitting --- */

static struct multi *multi_create(const struct mc_request *request)
{
    size_t size = sizeof(struct multi) + request->key_count * sizeof(struct slot);
    struct multi *multi = calloc(1, size);
    struct str rest, key;

    if (multi == NULL)
        return NULL;
    multi->keys = malloc(request->keys.len);
    if (multi->keys == NULL) {
        free(multi);
        return NULL;
    }
    memcpy(multi->keys, request->keys.data, request->keys.len);
    rest = (struct str){multi->keys, request->keys.len};
    while (mc_key_next(&rest, &key))
        multi->slots[multi->slot_count++] =
            (struct slot){.key = key, .bytes = {"", 0}, .next = NO_SLOT};
    return multi;
}

/* A server's part while the request is split. */
struct part {
    struct request *leaf; /* NULL: no key is the server's */
    uint32_t last_slot;
};

/* Adds the slot to the part; false when memory ran out. */
static bool part_add(struct part *part, struct request *parent, uint32_t index)
{
    struct multi *multi = parent->multi;

    if (part->leaf != NULL) {
        multi->slots[part->last_slot].next = index;
    } else {
        part->leaf = request_create(parent->records, parent->command);
        if (part->leaf == NULL)
            return false;
        part->leaf->parent = parent;
        part->leaf->ops = &multi_ops;
        part->leaf->first_slot = part->leaf->next_slot = index;
        multi->leaf_count++;
    }
    part->last_slot = index;
    return true;
}

/* Writes the command with the keys of the leaf's slots; false when memory ran out. */
static bool write_leaf(struct chain *out, const struct request *leaf,
                       const struct mc_request *request)
{
    const struct multi *multi = leaf->parent->multi;
    struct mc_request first = *request;
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

static void send_leaf(const struct plan_input *input, struct pool_server *server,
                      struct request *leaf)
{
    struct upstream *upstream = pool_upstream(input->pool, server, input->owner_number);
    struct chain *out = upstream_out(upstream);
    size_t before = out->len;

    if (!write_leaf(out, leaf, input->request)) {
        multi_fail(leaf, strerror(ENOMEM));
        return;
    }
    leaf->sent_len = out->len - before;
    upstream_expect(upstream, leaf);
}

/* Sorts all keys into parts; false when memory ran out. All keys that have no server are
 * left without a leaf. */
static bool split(const struct plan_input *input, struct request *parent, struct part *parts)
{
    struct multi *multi = parent->multi;

    for (uint32_t i = 0; i < multi->slot_count; i++) {
        struct pool_server *server = pool_pick(input->pool, multi->slots[i].key);

        if (server != NULL && !part_add(&parts[server - input->pool->servers], parent, i))
            return false;
    }
    return true;
}

static void multi_drop(struct request *parent, struct part *parts, size_t count)
{
    for (size_t i = 0; parts != NULL && i < count; i++) {
        if (parts[i].leaf != NULL)
            request_free(parts[i].leaf);
    }
    free(parts);
    if (parent->multi != NULL) {
        free(parent->multi->keys);
        free(parent->multi);
    }
    request_free(parent);
}

bool plan_multikey(const struct plan_input *input)
{
    size_t server_count = input->pool->config->server_count;
    struct request *parent = request_create(input->owner->records, input->request->command);
    struct part *parts;

    if (parent == NULL)
        return false;
    parts = calloc(server_count, sizeof(*parts));
    parent->multi = multi_create(input->request);
    if (parts == NULL || parent->multi == NULL || !split(input, parent, parts)) {
        multi_drop(parent, parts, server_count);
        return false;
    }
    parent->sent_len = input->request->keys.len;
    request_enqueue(parent, input->owner);
    metric_add(&input->pool->metrics.fragments, parent->multi->leaf_count);
    /* One more than there are: nothing is joined before all are sent. */
    parent->multi->open_count = parent->multi->leaf_count + 1;
    for (size_t i = 0; i < server_count; i++) {
        if (parts[i].leaf != NULL)
            send_leaf(input, &input->pool->servers[i], parts[i].leaf);
    }
    free(parts);
    if (parent->multi->leaf_count == 0) {
        char line[64];
        int len = snprintf(line, sizeof(line), "SERVER_ERROR %s\r\n", strerror(ECONNREFUSED));

        multi_set_error(parent->multi, (struct str){line, (size_t)len}, true);
    }
    if (--parent->multi->open_count == 0)
        join(parent);
    return true;
}
