/*
 * From top to bottom: commands, replies, the socket.
 */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "cachenode/command.h"
#include "cachenode/commands/binary.h"
#include "cachenode/stats.h"
#include "cachenode/udp.h"
#include "common/base/log.h"
#include "common/net/listener.h"

enum {
    HEADER_LEN = 8,
    DATAGRAM_MAX = 1400, /* ours, header included */
    INPUT_MAX = 1 << 16,
    DATAGRAMS_PER_TURN = 32,
    SEND_BUFFER = 8 << 20 /* bytes; the system gives what it allows */
};

struct udp {
    struct client_context *context;
    struct list link;
    int fd;
    struct event event;
    short awaited; /* EV_READ or EV_WRITE */
    struct sockaddr_storage peer;
    socklen_t peer_len;
    bool is_binary;
    uint16_t id, sequence, total; /* of the message on its way */
    struct chain reply;           /* what of it is still to be cut into datagrams */
    char datagram[DATAGRAM_MAX];
    size_t datagram_len; /* 0: none waits to be sent */
    size_t used, len;    /* of `input` */
    char input[INPUT_MAX];
};

/* --- commands: each returns the bytes used --- */

static size_t run_text_store(struct session *session, const struct mc_request *request,
                             struct str body)
{
    uint32_t hash = command_hash(request);
    struct item *item;

    if (command_store_begin(session, request, hash, &item)) {
        store_fill_value(session->user, item, body.data);
        command_store_end(session, request, hash, item, mc_body_ends_well(body));
    }
    return request->head_len + body.len;
}

static size_t run_text(struct session *session, struct str in)
{
    struct mc_request request;
    enum parse parsed = mc_text_parse_request(in, &request);
    struct str body;

    if (parsed == PARSE_MORE || (parsed == PARSE_BAD && request.error == NULL))
        return in.len;
    /* Another node's answer, to a question forged in our name: were it answered with an error as
     * all others are, we two would go on for ever. */
    if (parsed == PARSE_BAD && str_starts(in, STR("ERROR")))
        return in.len;
    body = str_skip(in, request.head_len);
    if (parsed == PARSE_BAD && !request.noreply)
        session_reply_line(session, request.error);
    if (body.len < request.body_len)
        return in.len;
    body.len = request.body_len;
    if (parsed == PARSE_BAD)
        return request.head_len + body.len;
    if (request.command->traits & MC_STORES)
        return run_text_store(session, &request, body);
    command_run(session, &request, command_hash(&request));
    return request.head_len + body.len;
}

static size_t run_binary(struct session *session, struct str in)
{
    struct mc_binary_request request;
    enum parse parsed = mc_binary_parse_request(in, &request);
    struct str body;
    struct item *item;
    uint32_t hash;

    if (parsed == PARSE_BAD && request.error != BINARY_OK)
        binary_reply_status(session, &request, request.error);
    if (parsed != PARSE_DONE)
        return in.len;
    body = str_skip(in, request.head_len);
    if (body.len < request.body_len)
        return in.len;
    body.len = request.body_len;
    hash = request.key.len != 0 ? store_hash(request.key) : 0;
    if (request.operation == BINARY_UNKNOWN) {
        binary_reply_status(session, &request, BINARY_NO_SUCH_COMMAND);
    } else if (!binary_stores(&request)) {
        binary_run(session, &request, hash, body);
    } else if (binary_store_begin(session, &request, hash, &item)) {
        store_fill_value(session->user, item, body.data);
        binary_store_end(session, &request, hash, item);
    }
    return request.head_len + body.len;
}

/* Runs the next command of the datagram. */
static void run_next(struct udp *udp)
{
    bool is_authenticated = false, sasl_started = false;
    struct client_context *context = udp->context;
    const struct stats_source *source = context->source;
    struct session session = {.prefixes =
                                  prefixes_are_on(source->prefixes) ? source->prefixes : NULL,
                              .out = &udp->reply,
                              .fd = udp->fd,
                              .is_authenticated = &is_authenticated,
                              .sasl_started = &sasl_started,
                              .user = context->user,
                              .metrics = &context->metrics,
                              .source = context->source};
    struct str in = {udp->input + udp->used, udp->len - udp->used};

    context->user->log.client_fd = udp->fd;
    udp->used += udp->is_binary ? run_binary(&session, in) : run_text(&session, in);
    if (session.sequel == SEQUEL_EVENTS) {
        watch_dismiss(source->watch);
        session_reply_line(&session, "CLIENT_ERROR watch cannot be had by UDP");
    } else if (session.sequel != SEQUEL_NONE) {
        chain_clear(&udp->reply);
        session_reply_line(&session, "CLIENT_ERROR a dump cannot be had by UDP");
    }
    if (session.wants_close)
        udp->used = udp->len;
}

/* --- replies --- */

static void put_u16(char *p, uint16_t value)
{
    p[0] = (char)(value >> 8);
    p[1] = (char)value;
}

static uint16_t get_u16(const char *p)
{
    return (uint16_t)((unsigned char)p[0] << 8 | (unsigned char)p[1]);
}

/* Numbers the datagrams of the reply. */
static void begin_message(struct udp *udp)
{
    size_t part = DATAGRAM_MAX - HEADER_LEN, total = (udp->reply.len + part - 1) / part;

    if (total > UINT16_MAX) {
        log_limited(LOG_WARNING, "a reply of %zu bytes is too long for UDP", udp->reply.len);
        chain_clear(&udp->reply);
    }
    udp->sequence = 0;
    udp->total = (uint16_t)total;
}

static void cut_datagram(struct udp *udp)
{
    put_u16(udp->datagram, udp->id);
    put_u16(udp->datagram + 2, udp->sequence++);
    put_u16(udp->datagram + 4, udp->total);
    put_u16(udp->datagram + 6, 0);
    udp->datagram_len =
        HEADER_LEN + chain_take(&udp->reply, udp->datagram + HEADER_LEN, DATAGRAM_MAX - HEADER_LEN);
}

/* Sends what there is; false: the socket is full. Who cannot be reached is not told. */
static bool send_reply(struct udp *udp)
{
    while (udp->datagram_len != 0 || udp->reply.len != 0) {
        ssize_t sent;

        if (udp->datagram_len == 0)
            cut_datagram(udp);
        sent = sendto(udp->fd, udp->datagram, udp->datagram_len, 0, (struct sockaddr *)&udp->peer,
                      udp->peer_len);
        if (sent < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
            return false;
        if (sent > 0)
            metric_add(&udp->context->metrics.bytes_written, (uint64_t)sent);
        else
            chain_clear(&udp->reply);
        udp->datagram_len = 0;
    }
    return true;
}

/* --- the socket --- */

/* Receives a datagram, and drops it unless it is a whole request; false: there is none. */
static bool receive(struct udp *udp)
{
    ssize_t len;

    udp->peer_len = sizeof(udp->peer);
    len = recvfrom(udp->fd, udp->input, sizeof(udp->input), 0, (struct sockaddr *)&udp->peer,
                   &udp->peer_len);
    if (len < 0)
        return false;
    udp->used = udp->len = (size_t)len;
    metric_add(&udp->context->metrics.bytes_read, (uint64_t)len);
    if (len <= HEADER_LEN || get_u16(udp->input + 4) != 1)
        return true;
    udp->id = get_u16(udp->input);
    udp->used = HEADER_LEN;
    udp->is_binary = client_speaks_binary(udp->context, udp->input[HEADER_LEN]);
    return true;
}

static void udp_event(evutil_socket_t fd, short what, void *arg);

static void await(struct udp *udp, short what)
{
    if (udp->awaited == what)
        return;
    if (udp->awaited != 0)
        event_del(&udp->event);
    udp->awaited = what;
    event_assign(&udp->event, udp->context->loop->base, udp->fd, (short)(what | EV_PERSIST),
                 udp_event, udp);
    event_add(&udp->event, NULL);
}

/* One thing after the other: nothing is received before the last reply is sent. */
static void udp_event(evutil_socket_t fd, short what, void *arg)
{
    struct udp *udp = arg;

    (void)fd;
    (void)what;
    for (int received = 0;;) {
        if (!send_reply(udp)) {
            await(udp, EV_WRITE);
            return;
        }
        if (udp->used < udp->len) {
            run_next(udp);
            begin_message(udp);
        } else if (received++ == DATAGRAMS_PER_TURN || !receive(udp)) {
            break;
        }
    }
    await(udp, EV_READ);
}

void udp_open(struct client_context *context, int fd, struct list *udps)
{
    struct udp *udp = calloc(1, sizeof(*udp));

    if (udp == NULL) {
        log_error("out of memory for a UDP socket");
        close(fd);
        return;
    }
    udp->context = context;
    udp->fd = fd;
    list_append(udps, &udp->link);
    await(udp, EV_READ);
}

void udp_close_all(struct list *udps)
{
    LIST_EACH (udps, each, after) {
        struct udp *udp = container_of(each, struct udp, link);

        event_del(&udp->event);
        close(udp->fd);
        chain_clear(&udp->reply);
        free(udp);
    }
}

/* The first is bound alone, so that no other program's address is shared; then it lets the
 * others in. */
static int open_socket(const struct addr *addr, bool is_first, const char **step)
{
    static const int buffer = SEND_BUFFER;
    struct listen_options options = {.sharing =
                                         is_first ? LISTEN_BEFORE_OTHERS : LISTEN_BESIDE_OTHERS};
    int fd = listener_bind(addr, SOCK_DGRAM, &options, step);

    if (fd >= 0)
        (void)setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &buffer, sizeof(buffer));
    return fd;
}

bool udp_sockets(const struct addr *addr, int *fds, unsigned count, const char **step)
{
    struct addr bound = *addr;

    for (unsigned i = 0; i < count; i++) {
        fds[i] = open_socket(&bound, i == 0, step);
        if (fds[i] >= 0 && addr_of_socket(fds[0], &bound))
            continue;
        while (i-- > 0)
            close(fds[i]);
        return false;
    }
    return true;
}
