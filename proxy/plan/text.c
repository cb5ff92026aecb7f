#include "common/bytes/number.h"
#include "proxy/plan/plan.h"

enum { MISS_ROOM = MC_LINE_MAX + 16 }; /* a meta command's line, and what is added to it */

static void text_end(struct request *leaf, int status, struct str bytes, struct block *block)
{
    if ((leaf->silent >> status & 1) == 0)
        request_reply(leaf, bytes, block);
    request_done(leaf);
}

static void text_fail(struct request *leaf, const char *text)
{
    request_reply_error(leaf, text);
    request_done(leaf);
}

/* What a server says to each command if it does not have the key and does not store it. */
static const struct {
    const char *line;
    enum mc_status status;
} misses[MC_COMMAND_COUNT] = {
    [MC_GET] = {"END\r\n", MC_STATUS_END},
    [MC_GETS] = {"END\r\n", MC_STATUS_END},
    [MC_GAT] = {"END\r\n", MC_STATUS_END},
    [MC_GATS] = {"END\r\n", MC_STATUS_END},
    [MC_SET] = {"NOT_STORED\r\n", MC_STATUS_NOT_STORED},
    [MC_ADD] = {"NOT_STORED\r\n", MC_STATUS_NOT_STORED},
    [MC_REPLACE] = {"NOT_STORED\r\n", MC_STATUS_NOT_STORED},
    [MC_APPEND] = {"NOT_STORED\r\n", MC_STATUS_NOT_STORED},
    [MC_PREPEND] = {"NOT_STORED\r\n", MC_STATUS_NOT_STORED},
    [MC_CAS] = {"NOT_FOUND\r\n", MC_STATUS_NOT_FOUND},
    [MC_INCR] = {"NOT_FOUND\r\n", MC_STATUS_NOT_FOUND},
    [MC_DECR] = {"NOT_FOUND\r\n", MC_STATUS_NOT_FOUND},
    [MC_TOUCH] = {"NOT_FOUND\r\n", MC_STATUS_NOT_FOUND},
    [MC_DELETE] = {"NOT_FOUND\r\n", MC_STATUS_NOT_FOUND},
    [MC_MG] = {NULL, MC_STATUS_EN},
    [MC_ME] = {NULL, MC_STATUS_EN},
    [MC_MS] = {NULL, MC_STATUS_NS},
    [MC_MD] = {NULL, MC_STATUS_NF},
    [MC_MA] = {NULL, MC_STATUS_NF},
};

static bool is_read(const struct mc_command *command)
{
    return (command->traits & MC_RETRIEVES) || command->id == MC_MG || command->id == MC_ME;
}

static void text_miss(struct request *leaf, const struct plan_input *input)
{
    const struct mc_request *request = input->text;
    const char *known = misses[leaf->command->id].line;
    char line[MISS_ROOM];
    struct str reply = {line, 0};

    if (!is_read(leaf->command))
        pool_owe(input->pool, request->keys);
    if (known != NULL)
        reply = str_of(known);
    else
        reply.len = mc_meta_write_miss(line, request);
    text_end(leaf, (int)misses[leaf->command->id].status, reply, NULL);
}

/* Room for any classic line of one key: the name, the key and four numbers. */
enum { LINE_ROOM = 16 + MC_KEY_MAX + 4 * (NUMBER_TEXT_MAX + 2), META_ROOM = 64 };

static bool text_write(struct chain *out, const struct request *leaf,
                       const struct plan_input *input)
{
    const struct mc_request *request = input->text;
    bool is_meta = (request->command->traits & MC_META) != 0;
    size_t before = out->len;
    char *line = chain_reserve(out, is_meta ? request->head_len + META_ROOM : LINE_ROOM);

    (void)leaf;
    if (line == NULL)
        return false;
    chain_commit(out, is_meta ? mc_meta_write_request(line, request)
                              : mc_text_write_request(line, request));
    if (input->body.len == 0 || chain_append(out, input->body, &block_keeper, input->block))
        return true;
    chain_truncate(out, before);
    return false;
}

static const struct leaf_ops text_ops = {
    .write = text_write, .end = text_end, .fail = text_fail, .miss = text_miss};

bool plan_text(const struct plan_input *input)
{
    const struct mc_request *request = input->text;
    struct request *leaf = request_create(input->owner->records, request->command);

    if (leaf == NULL)
        return false;
    leaf->ops = &text_ops;
    leaf->noreply = request->noreply;
    if (request->command->traits & MC_META)
        leaf->silent = mc_meta_silent(request);
    if (!request_set_key(leaf, request->keys)) {
        request_free(leaf);
        return false;
    }
    return plan_send(input, leaf, request->keys);
}
