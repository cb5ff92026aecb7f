/*
 * The text dialect: requests are parsed in batches, so that the cache lines they need are
 * fetched side by side, and run in order.
 */
#include "cachenode/client/internal.h"
#include "cachenode/command.h"
#include "cachenode/stats.h"
#include "common/protocol/memcache_binary.h"

enum { BATCH = 32 };

/*
 * Runs a storage command whose line has come, and as much of its value as `body` has.
 * Returns the bytes of the body that are dealt with.
 */
static size_t run_store(struct client *client, struct session *session,
                        const struct mc_request *request, uint32_t hash, struct str body)
{
    struct item *item;

    if (!command_store_begin(session, request, hash, &item))
        return client_swallow(client, request->body_len, body.len);
    if (body.len >= request->body_len) {
        store_fill_value(session->user, item, body.data);
        body.len = request->body_len;
        command_store_end(session, request, hash, item, mc_body_ends_well(body));
        return request->body_len;
    }
    if (!client_begin_arrival(
            client, (struct str){body.data - request->head_len, request->head_len}, hash, item)) {
        store_release(session->user, item);
        session->wants_close = true;
    }
    return 0;
}

/* A request that was parsed ahead. */
struct parsed {
    enum parse result;
    uint32_t hash;               /* of its key; 0: it has none */
    const struct bucket *bucket; /* where that is looked up; NULL */
    struct mc_request request;
};

struct batch {
    unsigned count;
    struct parsed parsed[BATCH];
    size_t len; /* bytes of the input that the batch takes up */
};

/* Parses requests up to the first that is not whole, which the batch still has if it is a
 * storage command's line. */
static void batch_parse(struct batch *batch, const struct store *store, struct str in)
{
    size_t len = 0;
    unsigned count = 0;

    while (count < BATCH && len < in.len) {
        struct parsed *parsed = &batch->parsed[count];
        const struct mc_request *request = &parsed->request;

        parsed->result = mc_text_parse_request(str_skip(in, len), &parsed->request);
        if (parsed->result == PARSE_MORE)
            break;
        parsed->hash = 0;
        parsed->bucket = NULL;
        if (parsed->result == PARSE_DONE && request->key_count != 0) {
            parsed->hash = command_hash(request);
            parsed->bucket = store_prefetch_bucket(store, parsed->hash);
        }
        count++;
        len += request->head_len + request->body_len;
    }
    batch->count = count;
    batch->len = len;
}

static void batch_prefetch(const struct batch *batch, const struct store *store)
{
    if (batch->count == 1)
        return;
    for (const struct parsed *each = batch->parsed; each < batch->parsed + batch->count; each++) {
        if (each->bucket != NULL)
            store_prefetch_item(store, each->bucket, each->hash);
    }
}

/* --- who has to authenticate --- */

enum { TOKEN_MAX = 16384, LINE_MIN = 6 };

static const char *check_token(struct session *session, struct str body)
{
    struct str token = {body.data, body.len - 2};
    const char *space = memchr(token.data, ' ', token.len);
    size_t user_len;

    if (!mc_body_ends_well(body))
        return "CLIENT_ERROR bad command line termination";
    if (space == NULL)
        return "CLIENT_ERROR bad authentication token format";
    user_len = (size_t)(space - token.data);
    metric_add(&session->metrics->auth_cmds, 1);
    if (auth_check(session->source->auth, (struct str){token.data, user_len},
                   str_skip(token, user_len + 1))) {
        *session->is_authenticated = true;
        return "STORED";
    }
    metric_add(&session->metrics->auth_errors, 1);
    return "CLIENT_ERROR authentication failure";
}

/*
 * Before a client has said `set ANY ANY ANY LENGTH` with "user password" as the value, he is
 * told nothing else. Returns the bytes used; 0: more is needed.
 */
static size_t run_stranger(struct client *client, struct session *session, struct str in)
{
    struct mc_request request;
    struct str body;

    if ((unsigned char)in.data[0] == MC_BINARY_REQUEST) {
        conn_close(&client->conn);
        return 0;
    }
    switch (mc_text_parse_request(in, &request)) {
    case PARSE_MORE:
        return 0;
    case PARSE_BAD:
        if (request.error != NULL && request.head_len >= LINE_MIN + 2)
            session_reply_line(session, "CLIENT_ERROR unauthenticated");
        else if (request.head_len > 2)
            conn_close(&client->conn);
        return request.head_len;
    case PARSE_DONE:
        break;
    }
    body = str_skip(in, request.head_len);
    if (request.command->id != MC_SET || request.body_len > TOKEN_MAX + 2) {
        bool is_long = request.command->id == MC_SET;

        if (request.head_len < LINE_MIN + 2)
            conn_close(&client->conn);
        else
            session_reply_line(session, is_long ? "CLIENT_ERROR auth token too long"
                                                : "CLIENT_ERROR unauthenticated");
        return request.head_len + client_swallow(client, request.body_len, body.len);
    }
    if (body.len < request.body_len) {
        conn_want(&client->conn, request.head_len + request.body_len);
        return 0;
    }
    session_reply_line(session, check_token(session, (struct str){body.data, request.body_len}));
    return request.head_len + request.body_len;
}

/* --- requests --- */

/* Answers a line that is no request; its value, if it announced one, is passed over. */
static size_t run_bad(struct client *client, struct session *session,
                      const struct mc_request *request, struct str body)
{
    if (request->error == NULL) {
        conn_close(&client->conn);
        return 0;
    }
    if (!request->noreply)
        session_reply_line(session, request->error);
    return client_swallow(client, request->body_len, body.len);
}

/* Runs a batch in order. Returns the bytes of `in` that it has used. */
static size_t batch_run(const struct batch *batch, struct client *client, struct session *session,
                        struct str in)
{
    size_t used = 0;

    for (const struct parsed *each = batch->parsed; each < batch->parsed + batch->count; each++) {
        const struct mc_request *request = &each->request;
        struct str body;

        used += request->head_len;
        body = str_skip(in, used);
        if (each->result == PARSE_BAD)
            used += run_bad(client, session, request, body);
        else if (request->command->traits & MC_STORES)
            used += run_store(client, session, request, each->hash, body);
        else
            command_run(session, request, each->hash);
        if (client_must_stop(client, session))
            break;
    }
    return used;
}

static size_t text_input(struct client *client, struct session *session, struct str in)
{
    const struct store *store = session->user->store;
    uint64_t commands_max = (uint64_t)client_context_of(client)->reqs_per_event * TURN_FACTOR;
    uint64_t commands = 0;
    size_t used = 0;
    struct batch batch;

    while (session->source->settings->auth_path != NULL && !client->is_authenticated) {
        size_t len = used < in.len && !client_must_stop(client, session)
                         ? run_stranger(client, session, str_skip(in, used))
                         : 0;

        if (len == 0)
            return used;
        used += len;
    }
    while (used < in.len) {
        struct str rest = str_skip(in, used);

        batch_parse(&batch, store, rest);
        if (batch.count == 0)
            break;
        batch_prefetch(&batch, store);
        used += batch_run(&batch, client, session, rest);
        if (client_must_stop(client, session) || client->conn.out.len > UNREAD_MAX)
            break;
        used += client_swallow(client, client->swallowed, in.len - used);
        commands += batch.count;
        if (commands >= commands_max && used < in.len) {
            metric_add(&session->metrics->conn_yields, 1);
            conn_yield(&client->conn);
            break;
        }
    }
    return used;
}

static void text_arrived(struct session *session, const struct arrival *arrival)
{
    struct mc_request request;

    mc_text_parse_request((struct str){arrival->head, arrival->head_len}, &request);
    command_store_end(session, &request, arrival->hash, arrival->item,
                      mc_body_ends_well((struct str){arrival->ending, sizeof(arrival->ending)}));
}

const struct dialect text_dialect = {.input = text_input, .arrived = text_arrived, .ending_len = 2};
