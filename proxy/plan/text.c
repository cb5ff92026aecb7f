#include "common/bytes/number.h"
#include "proxy/plan/plan.h"

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
    if (chain_append(out, input->body, &block_keeper, input->block))
        return true;
    chain_truncate(out, before);
    return false;
}

static const struct leaf_ops text_ops = {.write = text_write, .end = text_end, .fail = text_fail};

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
