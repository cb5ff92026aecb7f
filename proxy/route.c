#include "common/base/version.h"
#include "proxy/route.h"

bool route_answer(struct request_owner *owner, struct str text)
{
    struct request *request;

    if (list_is_empty(&owner->requests))
        return chain_copy(owner->out, text) && chain_copy(owner->out, STR("\r\n"));
    request = request_create(owner->records, NULL);
    if (request == NULL)
        return false;
    request_enqueue(request, owner);
    request_reply(request, text, NULL);
    request_reply(request, STR("\r\n"), NULL);
    request_done(request);
    return true;
}

static bool answer_unless_quiet(const struct plan_input *input, struct str text)
{
    return input->request->noreply || route_answer(input->owner, text);
}

/* NUL ends a key for some who read it, CR a line; neither goes on to a server. */
static bool has_bad_byte(struct str keys)
{
    return memchr(keys.data, '\0', keys.len) != NULL || memchr(keys.data, '\r', keys.len) != NULL;
}

static bool answer_here(const struct plan_input *input)
{
    switch (input->request->command->id) {
    case MC_VERSION:
        return route_answer(input->owner, STR("VERSION " MEMCACHED_VERSION));
    case MC_VERBOSITY:
        return route_answer(input->owner, STR("OK"));
    case MC_MN:
        return route_answer(input->owner, STR("MN"));
    default:
        return route_answer(input->owner, STR("ERROR"));
    }
}

bool route_request(const struct plan_input *input)
{
    const struct mc_request *request = input->request;

    if (!(request->command->traits & MC_KEYED) || (request->command->traits & MC_META))
        return answer_here(input);
    if (has_bad_byte(request->keys))
        return answer_unless_quiet(input, STR("CLIENT_ERROR bad command line format"));
    if (request->body_len != 0 && !mc_body_ends_well(input->body))
        return answer_unless_quiet(input, STR("CLIENT_ERROR bad data chunk"));
    return request->key_count == 1 ? plan_single(input) : plan_multikey(input);
}
