#include <stdlib.h>
#include <unistd.h>

#include "common/net/conn.h"
#include "common/net/stats_port.h"

enum { READERS_MAX = 512, READER_PATIENCE_US = 10 * 1000 * 1000 };

struct reader {
    struct conn conn;
    struct stats_port *port;
    struct list link;
    struct loop_timer patience;
};

/* Nothing that a reader says is of interest. */
static size_t reader_input(struct conn *conn, struct str in)
{
    (void)conn;
    return in.len;
}

static void reader_closed(struct conn *conn)
{
    struct reader *reader = container_of(conn, struct reader, conn);

    loop_timer_clear(&reader->patience);
    list_remove(&reader->link);
    reader->port->reader_count--;
    free(reader);
}

static const struct conn_ops reader_ops = {.input = reader_input, .closed = reader_closed};

static void reader_is_stuck(struct loop_timer *timer)
{
    conn_close(&container_of(timer, struct reader, patience)->conn);
}

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
    loop_timer_init(port->listener.loop, &reader->patience, reader_is_stuck);
    loop_timer_set(&reader->patience, READER_PATIENCE_US);
    conn_open(&reader->conn, port->listener.loop, fd, &reader_ops);
    port->render(port, &reader->conn.out);
    conn_close_flushed(&reader->conn);
}

void stats_port_open(struct stats_port *port, struct loop *loop, int fd,
                     void (*render)(struct stats_port *port, struct chain *out))
{
    list_init(&port->readers);
    port->reader_count = 0;
    port->render = render;
    listener_open(&port->listener, loop, fd, reader_accepted);
}

void stats_port_close(struct stats_port *port)
{
    listener_close(&port->listener);
    LIST_EACH (&port->readers, link, after)
        conn_end(&container_of(link, struct reader, link)->conn);
}
