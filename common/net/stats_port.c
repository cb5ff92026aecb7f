#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/net/conn.h"
#include "common/net/stats_port.h"

enum {
    READERS_MAX = 512,
    READER_PATIENCE_US = 10 * 1000 * 1000,
    FIRST_WORD_US = 30 * 1000, /* a busy client is not a silent one */
    HEAD_MAX = 8192
};

struct reader {
    struct conn conn;
    struct stats_port *port;
    struct list link;
    struct loop_timer patience;
    bool is_answered, has_spoken;
};

/* --- answers --- */

static void finish(struct reader *reader)
{
    reader->is_answered = true;
    loop_timer_set(&reader->patience, READER_PATIENCE_US);
    conn_close_flushed(&reader->conn);
}

static void answer_plain(struct reader *reader)
{
    reader->port->pages[0].render(reader->port, &reader->conn.out);
    finish(reader);
}

/* Answers with a status and the page, of which HEAD gets the length alone. */
static void answer_http(struct reader *reader, const char *status, const char *content_type,
                        struct chain *body, bool with_body)
{
    char head[256];
    int len = snprintf(head, sizeof(head),
                       "HTTP/1.1 %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\n"
                       "Connection: close\r\n\r\n",
                       status, content_type, body->len);

    chain_copy(&reader->conn.out, (struct str){head, (size_t)len});
    if (with_body)
        chain_move(body, &reader->conn.out);
    chain_clear(body);
    finish(reader);
}

static void answer_error(struct reader *reader, const char *status)
{
    struct chain body = {0};

    chain_copy(&body, str_of(status));
    chain_copy(&body, STR("\n"));
    answer_http(reader, status, "text/plain", &body, true);
}

static const struct stats_page *page_find(const struct stats_port *port, struct str target)
{
    const char *query = memchr(target.data, '?', target.len);

    if (query != NULL)
        target.len = (size_t)(query - target.data);
    for (const struct stats_page *page = port->pages; page->path != NULL; page++) {
        if (str_equal(str_of(page->path), target))
            return page;
    }
    return NULL;
}

/* The request is all there: METHOD TARGET VERSION. */
static void answer_request(struct reader *reader, struct str line)
{
    struct str method = str_next_word(&line), target = str_next_word(&line);
    const struct stats_page *page = page_find(reader->port, target);
    bool is_head = str_equal(method, STR("HEAD"));
    struct chain body = {0};

    if (!is_head && !str_equal(method, STR("GET")))
        answer_error(reader, "405 Method Not Allowed");
    else if (page == NULL)
        answer_error(reader, "404 Not Found");
    else if (page->render(reader->port, &body))
        answer_http(reader, "200 OK", page->content_type, &body, !is_head);
    else
        answer_http(reader, "503 Service Unavailable", page->content_type, &body, !is_head);
}

/* --- readers --- */

/* Whether what came may be a line of HTTP: letters, then a space, then a path. */
static bool may_be_http(struct str in)
{
    size_t i = 0;

    while (i < in.len && in.data[i] >= 'A' && in.data[i] <= 'Z')
        i++;
    return i > 0 &&
           (i == in.len || (in.data[i] == ' ' && (i + 1 == in.len || in.data[i + 1] == '/')));
}

static size_t reader_input(struct conn *conn, struct str in)
{
    struct reader *reader = container_of(conn, struct reader, conn);
    const char *end;

    if (reader->is_answered)
        return in.len;
    if (!may_be_http(in)) {
        answer_plain(reader);
        return in.len;
    }
    if (!reader->has_spoken) {
        reader->has_spoken = true;
        loop_timer_set(&reader->patience, READER_PATIENCE_US);
    }
    end = memmem(in.data, in.len, "\r\n\r\n", 4);
    if (end == NULL && in.len <= HEAD_MAX)
        return 0;
    if (end == NULL) {
        answer_error(reader, "431 Request Header Fields Too Large");
        return in.len;
    }
    end = memchr(in.data, '\r', in.len);
    answer_request(reader, (struct str){in.data, (size_t)(end - in.data)});
    return in.len;
}

/* He says nothing, as those of old do; or he is stuck. */
static void reader_waited(struct loop_timer *timer)
{
    struct reader *reader = container_of(timer, struct reader, patience);

    if (reader->is_answered || reader->has_spoken)
        conn_close(&reader->conn);
    else
        answer_plain(reader);
}

/* He shut down his side: what he asked for he gets, and who asked for nothing the first page. */
static void reader_eof(struct conn *conn)
{
    struct reader *reader = container_of(conn, struct reader, conn);

    if (!reader->is_answered)
        answer_plain(reader);
}

static void reader_closed(struct conn *conn)
{
    struct reader *reader = container_of(conn, struct reader, conn);

    loop_timer_clear(&reader->patience);
    list_remove(&reader->link);
    reader->port->reader_count--;
    free(reader);
}

static const struct conn_ops reader_ops = {
    .input = reader_input, .eof = reader_eof, .closed = reader_closed};

static void reader_accepted(struct listener *listener, int fd)
{
    struct stats_port *port = container_of(listener, struct stats_port, listener);
    struct reader *reader;

    /* So many at once are stuck ones: the oldest makes room. */
    if (port->reader_count >= READERS_MAX)
        conn_close(&LIST_FIRST(&port->readers, struct reader, link)->conn);
    reader = calloc(1, sizeof(*reader));
    if (reader == NULL) {
        close(fd);
        return;
    }
    reader->port = port;
    port->reader_count++;
    list_append(&port->readers, &reader->link);
    loop_timer_init(port->listener.loop, &reader->patience, reader_waited);
    loop_timer_set(&reader->patience, FIRST_WORD_US);
    conn_open(&reader->conn, port->listener.loop, fd, &reader_ops);
}

void stats_port_open(struct stats_port *port, struct loop *loop, int fd,
                     const struct stats_page *pages)
{
    list_init(&port->readers);
    port->reader_count = 0;
    port->pages = pages;
    listener_open(&port->listener, loop, fd, reader_accepted);
}

void stats_port_close(struct stats_port *port)
{
    listener_close(&port->listener);
    LIST_EACH (&port->readers, link, after)
        conn_end(&container_of(link, struct reader, link)->conn);
}
