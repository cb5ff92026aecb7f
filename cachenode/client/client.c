/*
 * From top to bottom: what is true of clients whatever they speak; values that come by and
 * by; input; coming and going.
 */
#include <stdlib.h>
#include <unistd.h>

#include "cachenode/client/internal.h"
#include "cachenode/commands/dump.h"
#include "cachenode/stats.h"
#include "common/base/log.h"
#include "common/protocol/memcache_binary.h"

/* Each field by itself: what belongs to a sequel is left alone, as most sessions have none. */
static void session_begin(struct session *session, struct client *client)
{
    struct client_context *context = client_context_of(client);
    struct prefixes *prefixes = context->source->prefixes;

    context->user->log.client_fd = conn_fd(&client->conn);
    session->out = &client->conn.out;
    session->fd = conn_fd(&client->conn);
    session->user = context->user;
    session->metrics = &context->metrics;
    session->source = context->source;
    session->prefixes = prefixes_are_on(prefixes) ? prefixes : NULL;
    session->is_authenticated = &client->is_authenticated;
    session->sasl_started = &client->sasl_started;
    session->sequel = SEQUEL_NONE;
    session->wants_close = false;
}

static const struct dialect *dialect_of(const struct client *client)
{
    return client->is_binary ? &binary_dialect : &text_dialect;
}

static void count_bytes(struct client *client)
{
    struct worker_metrics *metrics = &client_context_of(client)->metrics;
    struct loop *loop = client->conn.loop;

    metric_add(&metrics->bytes_read, loop->bytes_read);
    metric_add(&metrics->bytes_written, loop->bytes_written);
    loop->bytes_read = loop->bytes_written = 0;
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

size_t client_swallow(struct client *client, size_t len, size_t there)
{
    size_t part = len < there ? len : there;

    client->swallowed = (uint32_t)(len - part);
    return part;
}

/* Has the rest of the value, then its ending, received where they belong; false when there is
 * nothing left to come. */
static bool receive_rest(struct client *client)
{
    struct arrival *arrival = client->arrival;
    size_t value_len = arrival->item->value_len, ending_len = dialect_of(client)->ending_len;
    char *piece;

    if (arrival->done < value_len) {
        size_t len = store_value_piece(client_context_of(client)->user, arrival->item,
                                       arrival->done, &piece);

        arrival->done += len;
        conn_receive(&client->conn, piece, len);
    } else if (arrival->done == value_len && ending_len != 0) {
        arrival->done += ending_len;
        conn_receive(&client->conn, arrival->ending, ending_len);
    } else {
        return false;
    }
    return true;
}

bool client_begin_arrival(struct client *client, struct str head, uint32_t hash, struct item *item)
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
    struct session session;

    if (receive_rest(client))
        return;
    session_begin(&session, client);
    client->arrival = NULL;
    dialect_of(client)->arrived(&session, arrival);
    free(arrival);
    settle(client, &session);
}

/* --- what they speak --- */

const struct dialect *client_only_dialect(const struct settings *settings)
{
    if (settings->sasl || strcmp(settings->protocol, "binary") == 0)
        return &binary_dialect;
    if (settings->auth_path != NULL || strcmp(settings->protocol, "ascii") == 0)
        return &text_dialect;
    return NULL;
}

bool client_speaks_binary(const struct client_context *context, char first)
{
    if (context->only_dialect != NULL)
        return context->only_dialect == &binary_dialect;
    return (unsigned char)first == MC_BINARY_REQUEST;
}

/* --- dumps --- */

static void dump_end(struct client *client)
{
    if (client->dump == NULL)
        return;
    loop_forget(&client->dump->task);
    free(client->dump);
    client->dump = NULL;
}

/* Writes some more; unless it went out at once, the rest follows when it has. */
static void dump_go_on(struct loop_task *task)
{
    struct dump *dump = container_of(task, struct dump, task);
    struct client *client = dump->client;
    struct session session;

    session_begin(&session, client);
    session.sequel = dump->kind;
    session.dump_classes = dump->classes;
    if (client->conn.out.len == 0 && !dump_continue(&session, &dump->walk)) {
        dump_end(client);
        conn_resume(&client->conn);
    } else if (!client->conn.write_full) {
        loop_defer(client_context_of(client)->loop, &dump->task);
    }
    settle(client, &session);
}

static void dump_begin(struct client *client, struct session *session)
{
    struct dump *dump = malloc(sizeof(*dump));

    if (dump == NULL) {
        session->wants_close = true;
        return;
    }
    *dump = (struct dump){.client = client,
                          .kind = session->sequel,
                          .classes = session->dump_classes,
                          .task.run = dump_go_on};
    list_init(&dump->task.link);
    client->dump = dump;
    conn_pause(&client->conn);
    loop_defer(client_context_of(client)->loop, &dump->task);
}

/* --- those who watch --- */

static struct addr *peer_of(int fd)
{
    struct addr *peer = malloc(sizeof(*peer));

    if (peer != NULL && !addr_of_peer(fd, peer)) {
        free(peer);
        peer = NULL;
    }
    return peer;
}

/* Tells those who watch clients come and go. Who came before they did is looked up when he
 * goes, unless the connection was reset. */
static void note_conn(struct client *client, enum watch_event_type type, const char *reason)
{
    struct watch_log *log = &client_context_of(client)->user->log;

    if (!watch_wants(log, WATCH_CONNEVENTS))
        return;
    if (client->peer == NULL)
        client->peer = peer_of(conn_fd(&client->conn));
    log->client_fd = conn_fd(&client->conn);
    watch_note_conn(log, type, client->peer, reason);
}

/* The connection leaves this worker for the watch thread's loop. */
static void hand_to_watch(struct client *client, const struct session *session)
{
    if (client->peer == NULL)
        client->peer = peer_of(conn_fd(&client->conn));
    client->watched = session->watched;
    conn_release(&client->conn);
}

/* False: he never was to be one; or the connection has come to an end before; or there is no
 * memory, and it comes to its end now. */
static bool is_watcher_now(struct client *client)
{
    struct watch *watch = client_context_of(client)->source->watch;

    if (client->watched == 0)
        return false;
    if (client->conn.end == CONN_END_RELEASED) {
        if (watch_enter(watch, conn_fd(&client->conn), client->watched, client->peer))
            return true;
        log_limited(LOG_ERROR, "out of memory for a watcher");
        close(conn_fd(&client->conn));
    }
    watch_dismiss(watch);
    return false;
}

static const char *reason_of(const struct client *client)
{
    return client->was_idle                     ? "idle_timeout"
           : client->conn.end == CONN_END_ERROR ? "error"
                                                : "normal";
}

/* --- input --- */

static void begin_sequel(struct client *client, struct session *session)
{
    if (session->sequel == SEQUEL_EVENTS)
        hand_to_watch(client, session);
    else
        dump_begin(client, session);
}

static size_t client_input(struct conn *conn, struct str in)
{
    struct client *client = container_of(conn, struct client, conn);
    struct session session;
    size_t used = client_swallow(client, client->swallowed, in.len);

    session_begin(&session, client);
    __atomic_store_n(&client->last_said_s, store_now(session.user->store), __ATOMIC_RELAXED);
    if (!client->has_spoken) {
        client->has_spoken = true;
        client->is_binary = client_speaks_binary(client_context_of(client), in.data[0]);
    }
    if (used < in.len)
        used += dialect_of(client)->input(client, &session, str_skip(in, used));
    if (session.sequel != SEQUEL_NONE)
        begin_sequel(client, &session);
    settle(client, &session);
    return used;
}

static void client_drained(struct conn *conn)
{
    struct client *client = container_of(conn, struct client, conn);

    count_bytes(client);
    if (client->dump != NULL)
        loop_defer(client_context_of(client)->loop, &client->dump->task);
    else
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
        store_release(client_context_of(client)->user, client->arrival->item);
    free(client->arrival);
    dump_end(client);
    lock_take(&client_context_of(client)->lock);
    list_remove(&client->link);
    lock_give(&client_context_of(client)->lock);
    metric_sub(&client_context_of(client)->metrics.curr_connections, 1);
    if (!is_watcher_now(client)) {
        note_conn(client, WATCH_EVENT_CONN_CLOSE, reason_of(client));
        free(client->peer);
        client_context_of(client)->gone(client_context_of(client)->node);
    }
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
    client->last_said_s = store_now(context->user->store);
    conn_open(&client->conn, context->loop, fd, &client_ops);
    lock_take(&context->lock);
    list_append(&context->clients, &client->link);
    lock_give(&context->lock);
    metric_add(&context->metrics.curr_connections, 1);
    note_conn(client, WATCH_EVENT_CONN_NEW, NULL);
}

static uint32_t idle_of(const struct client *client)
{
    return store_now(client_context_of(client)->user->store) -
           __atomic_load_n(&client->last_said_s, __ATOMIC_RELAXED);
}

void client_visit_all(struct client_context *context,
                      void (*visit)(void *arg, const struct client_info *info), void *arg)
{
    lock_take(&context->lock);
    LIST_EACH (&context->clients, each, after) {
        const struct client *client = container_of(each, struct client, link);

        visit(arg, &(struct client_info){conn_fd(&client->conn), idle_of(client)});
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
        client->was_idle = true;
        conn_close(&client->conn);
    }
}

void client_close_all(struct client_context *context)
{
    LIST_EACH (&context->clients, each, after)
        conn_end(&container_of(each, struct client, link)->conn);
}
