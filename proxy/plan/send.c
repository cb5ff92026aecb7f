#include "proxy/plan/plan.h"

void plan_do_without(const struct plan_input *input, struct request *leaf, const char *trouble)
{
    if (trouble != NULL)
        leaf->ops->fail(leaf, trouble);
    else
        leaf->ops->miss(leaf, input);
}

bool plan_send(const struct plan_input *input, struct request *leaf, struct str key)
{
    const char *trouble;
    struct pool_server *server = pool_pick(input->pool, key, &trouble);
    struct upstream *upstream;
    struct chain *out;
    size_t before;

    if (server == NULL) {
        request_enqueue(leaf, input->owner);
        plan_do_without(input, leaf, trouble);
        return true;
    }
    upstream = pool_upstream(server, input->owner_number);
    if (pool_is_busy(input->pool, upstream)) {
        request_enqueue(leaf, input->owner);
        leaf->ops->fail(leaf, "busy");
        return true;
    }
    out = upstream_out(upstream);
    before = out->len;
    if (!leaf->ops->write(out, leaf, input)) {
        request_free(leaf);
        return false;
    }
    leaf->sent_len = out->len - before;
    request_enqueue(leaf, input->owner);
    upstream_expect(upstream, leaf);
    return true;
}
