#include <stdio.h>

#include "common/protocol/resp.h"
#include "proxy/plan/multikey.h"

/* --- one server --- */

static bool redis_write(struct chain *out, const struct request *leaf,
                        const struct plan_input *input)
{
    (void)leaf;
    return chain_append(out, input->body, &block_keeper, input->block);
}

static void redis_end(struct request *leaf, int status, struct str bytes, struct block *block)
{
    (void)status;
    request_reply(leaf, bytes, block);
    request_done(leaf);
}

static void redis_fail(struct request *leaf, const char *text)
{
    request_reply_error(leaf, text);
    request_done(leaf);
}

static const struct leaf_ops redis_ops = {
    .write = redis_write, .end = redis_end, .fail = redis_fail};

bool plan_redis(const struct plan_input *input, struct str key)
{
    struct request *leaf = request_create(input->owner->records, NULL);

    if (leaf == NULL)
        return false;
    leaf->ops = &redis_ops;
    if (input->pool->config->slowlog_ms != 0)
        request_note(leaf, input->redis->command->name, key);
    return plan_send(input, leaf, key);
}

/* --- several servers: what leaves say --- */

static bool write_bulk(struct chain *out, struct str bytes, struct block *block)
{
    char head[RESP_NUMBER_ROOM];

    return chain_copy(out, (struct str){head, resp_write_number(head, '$', bytes.len)}) &&
           chain_append(out, bytes, &block_keeper, block) && chain_copy(out, STR("\r\n"));
}

/* The command with the words of the leaf's slots. */
static bool split_write(struct chain *out, const struct request *leaf,
                        const struct plan_input *input)
{
    const struct resp_command *command = input->redis->command;
    const struct multi *multi = leaf->parent->multi;
    bool has_values = command->way == RESP_MSET, is_good;
    char head[RESP_NUMBER_ROOM];
    size_t before = out->len;
    uint32_t words = 1;

    for (uint32_t i = leaf->first_slot; i != NO_SLOT; i = multi->slots[i].next)
        words += has_values ? 2 : 1;
    is_good = chain_copy(out, (struct str){head, resp_write_number(head, '*', words)}) &&
              write_bulk(out, (struct str){command->name, command->name_len}, NULL);
    for (uint32_t i = leaf->first_slot; is_good && i != NO_SLOT; i = multi->slots[i].next) {
        const struct slot *slot = &multi->slots[i];

        is_good = write_bulk(out, slot->key, input->block) &&
                  (!has_values || write_bulk(out, slot->bytes, input->block));
    }
    if (!is_good)
        chain_truncate(out, before);
    return is_good;
}

/* --- what they are answered --- */

static void split_fail(struct request *leaf, const char *text)
{
    char line[160];
    int len = snprintf(line, sizeof(line), "-ERR %.120s\r\n", text);

    multi_leaf_failed(leaf, (struct str){line, (size_t)len}, true);
}

/* An error, or what is no answer to the command: nutcracker's word for both. */
static void split_refused(struct request *leaf)
{
    multi_leaf_failed(leaf, STR("-ERR Invalid argument\r\n"), false);
}

/* Each element goes to its slot. False: it is not an array of as many as were asked for, or
 * memory ran out. */
static bool keep_elements(struct request *leaf, struct str bytes, struct block *block)
{
    struct multi *multi = leaf->parent->multi;
    uint32_t index = leaf->first_slot;
    int64_t count;
    size_t len;

    if (!resp_reply_number(bytes, &count, &len))
        return false;
    for (bytes = str_skip(bytes, len); bytes.len != 0; bytes = str_skip(bytes, len)) {
        struct resp_reply_scan scan;

        scan.used = scan.depth = 0;
        if (index == NO_SLOT || resp_scan_reply(bytes, &scan) != PARSE_DONE)
            return false;
        len = scan.used;
        if (!multi_keep(leaf, &multi->slots[index], (struct str){bytes.data, len}, block))
            return false;
        index = multi->slots[index].next;
    }
    return index == NO_SLOT;
}

static void mget_end(struct request *leaf, int status, struct str bytes, struct block *block)
{
    bool is_wanted = leaf->parent->owner != NULL;

    if (status == '*' && (!is_wanted || keep_elements(leaf, bytes, block)))
        multi_leaf_ended(leaf);
    else
        split_refused(leaf);
}

static void sum_end(struct request *leaf, int status, struct str bytes, struct block *block)
{
    int64_t number;
    size_t len;

    (void)block;
    if (status == ':' && resp_reply_number(bytes, &number, &len) && number >= 0) {
        leaf->parent->multi->sum += (uint64_t)number;
        multi_leaf_ended(leaf);
    } else {
        split_refused(leaf);
    }
}

static void mset_end(struct request *leaf, int status, struct str bytes, struct block *block)
{
    (void)block;
    if (status == '+' && str_equal(bytes, STR("+OK\r\n")))
        multi_leaf_ended(leaf);
    else
        split_refused(leaf);
}

/* --- what all say together --- */

static void mget_join(struct request *parent)
{
    struct multi *multi = parent->multi;
    char head[RESP_NUMBER_ROOM];

    if (multi->failed_count != 0) {
        multi_reply_error(parent);
        return;
    }
    request_reply(parent, (struct str){head, resp_write_number(head, '*', multi->slot_count)},
                  NULL);
    for (uint32_t i = 0; i < multi->slot_count; i++)
        request_reply(parent, multi->slots[i].bytes, multi->slots[i].block);
}

static void sum_join(struct request *parent)
{
    char line[RESP_NUMBER_ROOM];

    if (parent->multi->failed_count != 0)
        multi_reply_error(parent);
    else
        request_reply(parent, (struct str){line, resp_write_number(line, ':', parent->multi->sum)},
                      NULL);
}

static void mset_join(struct request *parent)
{
    if (parent->multi->failed_count != 0)
        multi_reply_error(parent);
    else
        request_reply(parent, STR("+OK\r\n"), NULL);
}

#define KIND(way)                                                                                  \
    {                                                                                              \
        .leaf = {.write = split_write, .end = way##_end, .fail = split_fail}, .join = way##_join   \
    }
static const struct multi_kind mget = KIND(mget), mset = KIND(mset), sum = KIND(sum);

bool plan_redis_split(const struct plan_input *input)
{
    const struct redis_request *request = input->redis;
    uint8_t way = request->command->way;
    struct str rest = request->arguments;
    struct multi *multi = multi_create(way == RESP_MGET   ? &mget
                                       : way == RESP_MSET ? &mset
                                                          : &sum,
                                       request->count);

    if (multi == NULL)
        return false;
    while (rest.len != 0) {
        struct str key = resp_next_argument(&rest);

        multi_add_slot(multi, key, way == RESP_MSET ? resp_next_argument(&rest) : STR(""));
    }
    return multi_send(input, NULL, request->command->name, multi);
}
