/*
 * From top to bottom: a client comes, its input is cut and run, a large value is
 * received or swallowed, it goes.
 */
#include <stdlib.h>
#include <unistd.h>

#include "cachenode/client.h"
#include "cachenode/command.h"
#include "common/base/log.h"

/* Requests parsed ahead, so that the cache lines they need are fetched side by side. */
enum { BATCH = 32 };

/* A client who does not read his replies is not read from. */
enum { UNREAD_MAX = 4 << 20 };

struct client {
    struct conn conn;
    struct client_context *context;
    struct list link;
    int fd;                             /* also for who only lists the clients */
    uint32_t last_said_s;               /* atomic; second of store_now */
    uint64_t bytes_read, bytes_written; /* of the conn's, what is counted already */
    struct arrival *arrival;            /* NULL: no value is on its way into an item */
    size_t swallowed;                   /* bytes of a value yet to be passed over */
};

/* A storage command whose value is not all there. */
struct arrival {
    struct item *item;
    size_t done; /* bytes of the value that are there or on their way */
    uint32_t hash;
    char ending[2]; /* what follows the value; it should be CR LF */
    size_t head_len;
    char head[]; /* the request's line, to be parsed again at the end */
};

static struct session session_of(struct client *client)
{
    return (struct session){.out = &client->conn.out,
                            .fd = client->fd,
                            .user = client->context->user,
                            .metrics = &client->context->metrics,
                            .source = client->context->source};
}

static void count_bytes(struct client *client)
{
    struct worker_metrics *metrics = &client->context->metrics;

    metric_add(&metrics->bytes_read, client->conn.bytes_read - client->bytes_read);
    metric_add(&metrics->bytes_written, client->conn.bytes_written - client->bytes_written);
    client->bytes_read = client->conn.bytes_read;
    client->bytes_written = client->conn.bytes_written;
}

/* After running requests: has replies written, ends what is to end, holds back who does not
 * read. */
static void settle(struct client *client, const struct session *session)
{
    struct conn *conn = &client->conn;

    count_bytes(client);
    if (session->wants_close)
        conn_close_flushed(conn);
    if (conn->out.len != 0)
        conn_flush_later(conn);
    if (conn->out.len > UNREAD_MAX)
        conn_pause(conn);
}

/* --- a value that is not all there --- */

/* Has the rest of the value, then its ending, received where they belong. */
static void receive_rest(struct client *client)
{
    struct arrival *arrival = client->arrival;
    char *piece;
    size_t len = store_value_piece(client->context->user, arrival->item, arrival->done, &piece);

    if (arrival->done < arrival->item->value_len) {
        arrival->done += len;
        conn_receive(&client->conn, piece, len);
    } else {
        arrival->done = arrival->item->value_len + 1;
        conn_receive(&client->conn, arrival->ending, sizeof(arrival->ending));
    }
}

/* Takes the item; false when memory ran out. */
static bool begin_arrival(struct client *client, struct str head, uint32_t hash, struct item *item)
{
    struct arrival *arrival = malloc(sizeof(*arrival) + head.len);

    if (arrival == NULL)
        return false;
    *arrival = (struct arrival){.item = item, .hash = hash, .head_len = head.len};
    memcpy(arrival->head, head.data, head.len);
    client->arrival = arrival;
    receive_rest(client);
    return true;
}

static void client_received(struct conn *conn)
{
    struct client *client = container_of(conn, struct client, conn);
    struct arrival *arrival = client->arrival;
    struct session session = session_of(client);
    struct mc_request request;

    if (arrival->done <= arrival->item->value_len) {
        receive_rest(client);
        return;
    }
    client->arrival = NULL;
    mc_text_parse_request((struct str){arrival->head, arrival->head_len}, &request);
    command_store_end(&session, &request, arrival->hash, arrival->item,
                      mc_body_ends_well((struct str){arrival->ending, sizeof(arrival->ending)}));
    free(arrival);
    settle(client, &session);
}

/* --- requests --- */

/* Fills in a value that is all there, of `item` of any shape. */
static void fill_value(struct store_user *user, struct item *item, const char *value)
{
    size_t done = 0;

    while (done < item->value_len) {
        char *piece;
        size_t len = store_value_piece(user, item, done, &piece);

        memcpy(piece, value + done, len);
        done += len;
    }
}

/*
 * Runs a storage command whose line has come, and as much of its value as `body` has.
 * Returns the bytes of the body that are dealt with.
 */
static size_t run_store(struct client *client, struct session *session,
                        const struct mc_request *request, uint32_t hash, struct str body)
{
    struct str head = {body.data - request->head_len, request->head_len};
    bool is_whole = body.len >= request->body_len;
    struct item *item;

    if (!command_store_begin(session, request, hash, &item)) {
        size_t part = is_whole ? request->body_len : body.len;

        client->swallowed = request->body_len - part;
        return part;
    }
    if (is_whole) {
        fill_value(session->user, item, body.data);
        body.len = request->body_len;
        command_store_end(session, request, hash, item, mc_body_ends_well(body));
        return request->body_len;
    }
    if (!begin_arrival(client, head, hash, item)) {
        store_release(session->user, item);
        session->wants_close = true;
    }
    return 0;
}

struct batch {
    unsigned count;
    struct mc_request requests[BATCH];
    uint32_t hashes[BATCH];
    enum parse parsed[BATCH];
    const char *bodies[BATCH];
    size_t len; /* bytes of the input that the batch takes up */
};

static uint32_t hash_first_key(const struct mc_request *request)
{
    struct str keys = request->keys, key = keys;

    if (request->key_count > 1)
        mc_key_next(&keys, &key);
    return store_hash(key);
}

/* Parses requests up to the first that is not whole, which the batch still has if it is a
 * storage command's line. */
static void batch_parse(struct batch *batch, const struct store *store, struct str in)
{
    batch->count = 0;
    batch->len = 0;
    while (batch->count < BATCH && batch->len < in.len) {
        struct str rest = str_skip(in, batch->len);
        struct mc_request *request = &batch->requests[batch->count];
        enum parse parsed = mc_text_parse_request(rest, request);

        if (parsed == PARSE_MORE)
            return;
        batch->parsed[batch->count] = parsed;
        batch->bodies[batch->count] = rest.data + request->head_len;
        if (parsed == PARSE_DONE && request->key_count != 0) {
            batch->hashes[batch->count] = hash_first_key(request);
            store_prefetch_bucket(store, batch->hashes[batch->count]);
        }
        batch->count++;
        batch->len += request->head_len + request->body_len;
    }
}

static void batch_prefetch(const struct batch *batch, const struct store *store)
{
    for (unsigned i = 0; i < batch->count; i++) {
        if (batch->parsed[i] == PARSE_DONE && batch->requests[i].key_count != 0)
            store_prefetch_item(store, batch->hashes[i]);
    }
}

/* Answers a line that is no request; its value, if it announced one, is passed over. */
static size_t run_bad(struct client *client, struct session *session,
                      const struct mc_request *request, struct str body)
{
    size_t part = body.len < request->body_len ? body.len : request->body_len;

    if (request->error == NULL) {
        conn_close(&client->conn);
        return part;
    }
    if (!request->noreply)
        session_reply_line(session, request->error);
    client->swallowed = request->body_len - part;
    return part;
}

/* Runs a batch in order. Returns the bytes of `in` that it has used. */
static size_t batch_run(struct batch *batch, struct client *client, struct session *session,
                        struct str in)
{
    size_t used = 0;

    for (unsigned i = 0; i < batch->count; i++) {
        const struct mc_request *request = &batch->requests[i];
        struct str body = {batch->bodies[i], (size_t)(in.data + in.len - batch->bodies[i])};

        used = (size_t)(batch->bodies[i] - in.data);
        if (batch->parsed[i] == PARSE_BAD)
            used += run_bad(client, session, request, body);
        else if (request->command->traits & MC_STORES)
            used += run_store(client, session, request, batch->hashes[i], body);
        else
            command_run(session, request, batch->hashes[i]);
        if (session->wants_close || client->conn.dying || client->swallowed != 0 ||
            client->arrival != NULL)
            break;
    }
    return used;
}

static size_t swallow(struct client *client, size_t len)
{
    size_t part = len < client->swallowed ? len : client->swallowed;

    client->swallowed -= part;
    return part;
}

static size_t client_input(struct conn *conn, struct str in)
{
    struct client *client = container_of(conn, struct client, conn);
    struct session session = session_of(client);
    const struct store *store = session.user->store;
    uint64_t commands_max = (uint64_t)client->context->reqs_per_event * BATCH, commands = 0;
    size_t used = swallow(client, in.len);
    struct batch batch;

    __atomic_store_n(&client->last_said_s, store_now(store), __ATOMIC_RELAXED);
    while (used < in.len) {
        struct str rest = str_skip(in, used);

        batch_parse(&batch, store, rest);
        if (batch.count == 0)
            break;
        batch_prefetch(&batch, store);
        used += batch_run(&batch, client, &session, rest);
        if (session.wants_close || conn->dying || client->arrival != NULL ||
            conn->out.len > UNREAD_MAX)
            break;
        commands += batch.count;
        if (commands >= commands_max && used < in.len) {
            metric_add(&session.metrics->conn_yields, 1);
            conn_yield(conn);
            break;
        }
    }
    settle(client, &session);
    return used;
}

static void client_drained(struct conn *conn)
{
    count_bytes(container_of(conn, struct client, conn));
    conn_resume(conn);
}

/* The client sends no more: what he asked for is in the replies already. */
static void client_eof(struct conn *conn)
{
    conn_close_flushed(conn);
}

/* --- coming and going --- */

static void client_closed(struct conn *conn)
{
    struct client *client = container_of(conn, struct client, conn);

    count_bytes(client);
    if (client->arrival != NULL)
        store_release(client->context->user, client->arrival->item);
    free(client->arrival);
    lock_take(&client->context->lock);
    list_remove(&client->link);
    lock_give(&client->context->lock);
    client->context->gone(client->context->node);
    metric_sub(&client->context->metrics.curr_connections, 1);
    free(client);
}

static const struct conn_ops client_ops = {.input = client_input,
                                           .received = client_received,
                                           .drained = client_drained,
                                           .eof = client_eof,
                                           .closed = client_closed};

void client_accept(struct client_context *context, int fd)
{
    struct client *client = calloc(1, sizeof(*client));

    if (client == NULL) {
        log_limited(LOG_ERROR, "out of memory for a client");
        close(fd);
        context->gone(context->node);
        return;
    }
    client->context = context;
    client->fd = fd;
    client->last_said_s = store_now(context->user->store);
    lock_take(&context->lock);
    list_append(&context->clients, &client->link);
    lock_give(&context->lock);
    metric_add(&context->metrics.curr_connections, 1);
    conn_open(&client->conn, context->loop, fd, &client_ops);
}

static uint32_t idle_of(const struct client *client)
{
    return store_now(client->context->user->store) -
           __atomic_load_n(&client->last_said_s, __ATOMIC_RELAXED);
}

void client_visit_all(struct client_context *context,
                      void (*visit)(void *arg, const struct client_info *info), void *arg)
{
    lock_take(&context->lock);
    LIST_EACH (&context->clients, each, after) {
        const struct client *client = container_of(each, struct client, link);

        visit(arg, &(struct client_info){client->fd, idle_of(client)});
    }
    lock_give(&context->lock);
}

void client_close_idle(struct client_context *context, uint32_t limit_s)
{
    LIST_EACH (&context->clients, each, after) {
        struct client *client = container_of(each, struct client, link);

        if (client->arrival != NULL || client->swallowed != 0 || client->conn.kept != NULL ||
            client->conn.out.len != 0 || idle_of(client) <= limit_s)
            continue;
        metric_add(&context->metrics.idle_kicks, 1);
        conn_close(&client->conn);
    }
}

void client_close_all(struct client_context *context)
{
    LIST_EACH (&context->clients, each, after)
        conn_end(&container_of(each, struct client, link)->conn);
}
