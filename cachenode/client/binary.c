/*
 * The binary dialect: packets, one by one.
 */
#include "cachenode/client/internal.h"
#include "cachenode/commands/binary.h"

/* Runs a storage command, of which as much of its value has come as `body` has. Returns the
 * bytes of the body that are dealt with. */
static size_t run_store(struct client *client, struct session *session,
                        const struct mc_binary_request *request, uint32_t hash, struct str body)
{
    struct str head = {body.data - request->head_len, request->head_len};
    struct item *item;

    if (!binary_store_begin(session, request, hash, &item))
        return client_swallow(client, request->body_len, body.len);
    if (body.len >= request->body_len) {
        store_fill_value(session->user, item, body.data);
        binary_store_end(session, request, hash, item);
        return request->body_len;
    }
    if (!client_begin_arrival(client, head, hash, item)) {
        store_release(session->user, item);
        session->wants_close = true;
    }
    return 0;
}

/* Runs the request at the front of `in`, its head being there. Returns the bytes used; 0: its
 * value is awaited. */
static size_t run(struct client *client, struct session *session,
                  const struct mc_binary_request *request, struct str in)
{
    struct str body = str_skip(in, request->head_len);
    uint32_t hash = request->key.len != 0 ? store_hash(request->key) : 0;

    if (!binary_is_allowed(session, request)) {
        binary_reply_status(session, request, BINARY_AUTH_FAILURE);
        session->wants_close = true;
        return in.len;
    }
    if (binary_stores(request))
        return request->head_len + run_store(client, session, request, hash, body);
    if (request->operation == BINARY_UNKNOWN) {
        binary_reply_status(session, request, BINARY_NO_SUCH_COMMAND);
        return request->head_len + client_swallow(client, request->body_len, body.len);
    }
    if (request->body_len > MC_BINARY_SMALL_MAX) {
        binary_reply_status(session, request, BINARY_INVALID);
        session->wants_close = true;
        return in.len;
    }
    if (body.len < request->body_len)
        return 0;
    binary_run(session, request, hash, (struct str){body.data, request->body_len});
    return request->head_len + request->body_len;
}

static size_t binary_input(struct client *client, struct session *session, struct str in)
{
    uint64_t commands_left = (uint64_t)client_context_of(client)->reqs_per_event * TURN_FACTOR;
    size_t used = 0;

    while (used < in.len && !client_must_stop(client, session) &&
           client->conn.out.len <= UNREAD_MAX) {
        struct mc_binary_request request;
        struct str rest = str_skip(in, used);
        size_t len;

        if (commands_left-- == 0) {
            metric_add(&session->metrics->conn_yields, 1);
            conn_yield(&client->conn);
            break;
        }
        switch (mc_binary_parse_request(rest, &request)) {
        case PARSE_MORE:
            return used;
        case PARSE_BAD:
            if (request.error != BINARY_OK)
                binary_reply_status(session, &request, request.error);
            session->wants_close = true;
            return in.len;
        case PARSE_DONE:
            break;
        }
        len = run(client, session, &request, rest);
        if (len == 0)
            break;
        used += len;
    }
    return used;
}

static void binary_arrived(struct session *session, const struct arrival *arrival)
{
    struct mc_binary_request request;

    mc_binary_parse_request((struct str){arrival->head, arrival->head_len}, &request);
    binary_store_end(session, &request, arrival->hash, arrival->item);
}

const struct dialect binary_dialect = {.input = binary_input, .arrived = binary_arrived};
