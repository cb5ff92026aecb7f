#include <errno.h>
#include <stdlib.h>

#include "proxy/plan/multikey.h"

enum { HELD_MUCH = 64 << 10 }; /* bytes that may be too much for the client's share */

/* --- joining --- */

/* What waits for other servers' answers counts as what waits for its turn. */
static void note_held(struct request *parent, size_t len)
{
    struct request_owner *owner = parent->owner;

    parent->multi->held_len += len;
    owner->held_len += len;
    if (parent->multi->held_len > HELD_MUCH)
        owner->progress(owner);
}

bool multi_keep(struct request *leaf, struct slot *slot, struct str bytes, struct block *block)
{
    struct multi *multi = leaf->parent->multi;
    char *copy;

    note_held(leaf->parent, bytes.len);

    if (bytes.len > CHAIN_COPY_MAX) {
        slot->block = block;
        slot->bytes = bytes;
        return chain_append(&multi->values, bytes, &block_keeper, block);
    }
    copy = chain_reserve(&multi->values, bytes.len);
    if (copy == NULL)
        return false;
    memcpy(copy, bytes.data, bytes.len);
    chain_commit(&multi->values, bytes.len);
    slot->bytes = (struct str){copy, bytes.len};
    return true;
}

static void join(struct request *parent)
{
    struct multi *multi = parent->multi;

    if (parent->owner != NULL)
        parent->owner->held_len -= multi->held_len;
    multi->kind->join(parent);
    multi_free(multi);
    parent->multi = NULL;
    request_done(parent);
}

void multi_leaf_ended(struct request *leaf)
{
    struct request *parent = leaf->parent;

    request_free(leaf);
    if (--parent->multi->open_count == 0)
        join(parent);
}

void multi_reply_error(struct request *parent)
{
    const struct multi *multi = parent->multi;

    if (multi->error == NULL) {
        request_reply_error(parent, "out of memory");
        return;
    }
    if (multi->is_own_error && parent->owner != NULL)
        metric_add(parent->owner->forward_errors, 1);
    if (request_is_binary(parent))
        binary_reply_refusal(parent, (struct str){multi->error, multi->error_len});
    else
        request_reply(parent, (struct str){multi->error, multi->error_len}, NULL);
}

static void set_error(struct multi *multi, struct str line, bool is_own)
{
    if (multi->failed_count++ != 0)
        return;
    multi->is_own_error = is_own;
    multi->error = malloc(line.len);
    if (multi->error == NULL)
        return;
    memcpy(multi->error, line.data, line.len);
    multi->error_len = line.len;
}

void multi_leaf_failed(struct request *leaf, struct str line, bool is_own)
{
    struct multi *multi = leaf->parent->multi;

    for (uint32_t i = leaf->first_slot; i != NO_SLOT; i = multi->slots[i].next)
        multi->slots[i].bytes = (struct str){"", 0};
    set_error(multi, line, is_own);
    multi_leaf_ended(leaf);
}

/* --- splitting --- */

struct multi *multi_create(const struct multi_kind *kind, uint32_t room)
{
    struct multi *multi = calloc(1, sizeof(*multi) + room * sizeof(struct slot));

    if (multi != NULL)
        multi->kind = kind;
    return multi;
}

void multi_free(struct multi *multi)
{
    chain_clear(&multi->values);
    free(multi->error);
    free(multi->keys);
    free(multi);
}

/* A server's part while the request is split; or that of the keys without a server. */
struct part {
    struct request *leaf; /* NULL: no key is the server's */
    struct pool_server *server;
    const char *trouble; /* there is no server: why */
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
        part->leaf->ops = &multi->kind->leaf;
        part->leaf->first_slot = part->leaf->next_slot = index;
        multi->leaf_count++;
    }
    part->last_slot = index;
    return true;
}

static void send_part(const struct plan_input *input, const struct part *part)
{
    struct request *leaf = part->leaf;
    struct upstream *upstream;
    struct chain *out;
    size_t before;

    if (part->server == NULL) {
        plan_do_without(input, leaf, part->trouble);
        return;
    }
    if (input->pool->config->slowlog_ms != 0)
        request_note(leaf, leaf->parent->name, leaf->parent->multi->slots[leaf->first_slot].key);
    upstream = pool_upstream(part->server, input->owner_number);
    if (pool_is_busy(input->pool, upstream)) {
        leaf->ops->fail(leaf, "busy");
        return;
    }
    out = upstream_out(upstream);
    before = out->len;
    if (!leaf->ops->write(out, leaf, input)) {
        leaf->ops->fail(leaf, strerror(ENOMEM));
        return;
    }
    leaf->sent_len = out->len - before;
    upstream_expect(upstream, leaf);
}

/* Sorts all keys into parts; false when memory ran out. */
static bool split(const struct plan_input *input, struct request *parent, struct part *parts)
{
    struct multi *multi = parent->multi;

    for (uint32_t i = 0; i < multi->slot_count; i++) {
        const char *trouble = NULL;
        struct pool_server *server = pool_pick(input->pool, multi->slots[i].key, &trouble);
        struct part *part = &parts[pool_pick_number(input->pool, server)];

        part->server = server;
        part->trouble = trouble;
        if (!part_add(part, parent, i))
            return false;
    }
    return true;
}

static void drop(struct request *parent, struct part *parts, size_t count)
{
    for (size_t i = 0; parts != NULL && i < count; i++) {
        if (parts[i].leaf != NULL)
            request_free(parts[i].leaf);
    }
    free(parts);
    multi_free(parent->multi);
    request_free(parent);
}

/* Makes the request that the leaves are parts of. NULL: memory ran out, `multi` is freed. */
static struct request *make_parent(const struct plan_input *input, const struct mc_command *command,
                                   struct multi *multi, struct part **parts)
{
    struct request *parent = request_create(input->owner->records, command);

    if (parent == NULL) {
        multi_free(multi);
        return NULL;
    }
    parent->multi = multi;
    *parts = calloc(pool_pick_count(input->pool), sizeof(struct part));
    if (*parts != NULL)
        return parent;
    drop(parent, NULL, 0);
    return NULL;
}

/* Queues the request and sends its parts; frees them. */
static void send_parts(const struct plan_input *input, struct request *parent, struct part *parts)
{
    struct multi *multi = parent->multi;

    parent->sent_len = multi->slot_count * sizeof(struct slot);
    request_enqueue(parent, input->owner);
    metric_add(&input->pool->metrics.fragments, multi->leaf_count);
    /* One more than there are: nothing is joined before all are sent. */
    multi->open_count = multi->leaf_count + 1;
    for (size_t i = 0; i < pool_pick_count(input->pool); i++) {
        if (parts[i].leaf != NULL)
            send_part(input, &parts[i]);
    }
    free(parts);
    if (--multi->open_count == 0)
        join(parent);
}

bool multi_send(const struct plan_input *input, const struct mc_command *command, const char *name,
                struct multi *multi)
{
    struct part *parts;
    struct request *parent = make_parent(input, command, multi, &parts);

    if (parent == NULL)
        return false;
    parent->name = name;
    if (!split(input, parent, parts)) {
        drop(parent, parts, pool_pick_count(input->pool));
        return false;
    }
    send_parts(input, parent, parts);
    return true;
}

bool multi_send_to_all(const struct plan_input *input, const struct mc_command *command,
                       struct multi *multi)
{
    struct part *parts;
    struct request *parent = make_parent(input, command, multi, &parts);

    if (parent == NULL)
        return false;
    parent->name = command->name;
    parent->noreply = input->text->noreply;
    if (input->packet != NULL)
        parent->binary = request_binary_of(input->packet);
    for (uint32_t i = 0; i < input->pool->config->server_count; i++) {
        multi_add_slot(multi, STR(""), STR(""));
        parts[i].server = input->pool->servers[i];
        if (!part_add(&parts[i], parent, i)) {
            drop(parent, parts, pool_pick_count(input->pool));
            return false;
        }
    }
    send_parts(input, parent, parts);
    return true;
}
