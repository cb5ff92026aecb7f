#include <errno.h>

#include "common/bytes/number.h"
#include "proxy/plan/plan.h"

static void single_end(struct request *leaf, enum mc_status status, struct str bytes,
                       struct block *block)
{
    (void)status;
    request_reply(leaf, bytes, block);
    request_done(leaf);
}

static void single_fail(struct request *leaf, const char *text)
{
    request_reply_error(leaf, text);
    request_done(leaf);
}

static const struct leaf_ops single_ops = {.end = single_end, .fail = single_fail};

/* Room for any line of one key: the name, the key and four numbers. */
enum { LINE_ROOM = 16 + MC_KEY_MAX + 4 * (NUMBER_TEXT_MAX + 2) };

/* Writes the request; false when memory ran out. */
static bool write_request(struct chain *out, const struct plan_input *input)
{
    size_t before = out->len;
    char *line = chain_reserve(out, LINE_ROOM);

    if (line == NULL)
        return false;
    chain_commit(out, mc_text_write_request(line, input->request));
    if (chain_append(out, input->body, &block_keeper, input->block))
        return true;
    chain_truncate(out, before);
    return false;
}

bool plan_single(const struct plan_input *input)
{
    struct str key = input->request->keys;
    struct pool_server *server = pool_pick(input->pool, key);
    struct request *leaf = request_create(input->owner->records, input->request->command);
    struct upstream *upstream;
    struct chain *out;
    size_t before;

    if (leaf == NULL)
        return false;
    leaf->ops = &single_ops;
    leaf->noreply = input->request->noreply;
    if (server == NULL) {
        request_enqueue(leaf, input->owner);
        single_fail(leaf, strerror(ECONNREFUSED));
        return true;
    }
    upstream = pool_upstream(input->pool, server, input->owner_number);
    out = upstream_out(upstream);
    before = out->len;
    if (!request_set_key(leaf, key) || !write_request(out, input)) {
        request_free(leaf);
        return false;
    }
    leaf->sent_len = out->len - before;
    request_enqueue(leaf, input->owner);
    upstream_expect(upstream, leaf);
    return true;
}
