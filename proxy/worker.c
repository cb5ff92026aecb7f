#include <malloc.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/base/log.h"
#include "proxy/worker.h"

enum { LOOK_US = 20 * 1000, LOOKS_MAX = 250, SPARE_RECORDS = 16384 };
enum { TIDY_US = 3 * 1000 * 1000, RECORDS_KEPT = 256, BURST = 1024 };

static void door_accepted(struct listener *listener, int fd)
{
    client_accept(&container_of(listener, struct door, listener)->context, fd);
}

static int listen_on(const struct pool_config *config)
{
    const struct listen_config *where = &config->listen;
    struct listen_options options = {.backlog = (int)config->backlog,
                                     .reuseport = config->reuseport,
                                     .has_unix_mode = where->has_mode,
                                     .unix_mode = where->mode};
    const char *step = "resolve", *error = "path too long";
    struct addr addr;
    int fd;

    if (where->unix_path != NULL ? !addr_unix(where->unix_path, &addr)
                                 : addr_resolve(where->host, where->port, &addr, 1, &error) == 0) {
        log_error("pool '%s': %s: %s", config->name, where->text, error);
        return -1;
    }
    fd = listener_socket(&addr, &options, &step);
    if (fd < 0)
        log_error("pool '%s': %s on '%s' failed: %m", config->name, step, where->text);
    return fd;
}

static bool door_open(struct door *door, struct worker *worker, const struct pool_config *config)
{
    struct pool_surroundings surroundings = {
        .loop = &worker->loop, .resolver = worker->resolver, .connections = &worker->connections};
    int fd;

    door->worker = worker;
    door->context = (struct client_context){.loop = &worker->loop,
                                            .pool = &door->pool,
                                            .records = &worker->records,
                                            .connections = &worker->connections};
    list_init(&door->context.clients);
    door->listener.fd = -1;
    if (!pool_open(&door->pool, config, &surroundings)) {
        log_error("pool '%s': out of memory", config->name);
        return false;
    }
    fd = listen_on(config);
    if (fd < 0)
        return false;
    listener_open(&door->listener, &worker->loop, fd, door_accepted);
    metric_add(&worker->connections.total_connections, 1);
    metric_add(&worker->connections.curr_connections, 1);
    pool_preconnect(&door->pool);
    return true;
}

static void look_around(struct loop_timer *timer)
{
    struct worker *worker = container_of(timer, struct worker, patience);
    bool is_empty = true;

    for (size_t i = 0; i < worker->door_count; i++)
        is_empty = is_empty && list_is_empty(&worker->doors[i].context.clients);
    if (is_empty || ++worker->looks > LOOKS_MAX)
        loop_stop(worker->control);
    else
        loop_timer_set(timer, LOOK_US);
}

static void drain(struct loop_post *post)
{
    struct worker *worker = container_of(post, struct worker, drain);

    for (size_t i = 0; i < worker->door_count; i++) {
        listener_close(&worker->doors[i].listener);
        client_drain_all(&worker->doors[i].context);
    }
    loop_timer_set(&worker->patience, 0);
}

/* What a burst of requests took goes back to the system. */
static void tidy(struct loop_timer *timer)
{
    struct worker *worker = container_of(timer, struct worker, tidying);

    if (worker->records.count > RECORDS_KEPT + BURST) {
        freelist_trim(&worker->records, RECORDS_KEPT);
        chain_trim();
        malloc_trim(0);
    }
    loop_timer_set(timer, TIDY_US);
}

bool worker_open(struct worker *worker, const struct config *config, struct loop *control,
                 struct resolver *resolver)
{
    *worker =
        (struct worker){.control = control,
                        .resolver = resolver,
                        .records = {.size = sizeof(struct request), .ceiling = SPARE_RECORDS}};
    if (!loop_open(&worker->loop)) {
        log_error("event loop: %m");
        return false;
    }
    loop_timer_init(&worker->loop, &worker->patience, look_around);
    loop_timer_init(&worker->loop, &worker->tidying, tidy);
    loop_timer_set(&worker->tidying, TIDY_US);
    worker->drain.run = drain;
    list_init(&worker->drain.link);
    worker->doors = calloc(config->pool_count, sizeof(*worker->doors));
    if (worker->doors == NULL) {
        log_error("out of memory");
        return false;
    }
    for (size_t i = 0; i < config->pool_count; i++) {
        worker->door_count++;
        if (!door_open(&worker->doors[i], worker, &config->pools[i]))
            return false;
    }
    return true;
}

/* Clients, upstreams and blocks are their thread's own. */
static void close_doors(struct worker *worker)
{
    for (size_t i = 0; i < worker->door_count; i++) {
        listener_close(&worker->doors[i].listener);
        client_close_all(&worker->doors[i].context);
        pool_close(&worker->doors[i].pool);
    }
    if (worker->loop.base != NULL)
        loop_timer_clear(&worker->tidying);
    freelist_trim(&worker->records, 0);
    chain_trim();
}

static void *worker_run(void *arg)
{
    struct worker *worker = arg;

    loop_run(&worker->loop);
    while (!list_is_empty(&worker->loop.dying))
        conn_end(container_of(worker->loop.dying.next, struct conn, dying_link));
    close_doors(worker);
    return NULL;
}

bool worker_start(struct worker *worker)
{
    worker->is_running = pthread_create(&worker->thread, NULL, worker_run, worker) == 0;
    return worker->is_running;
}

void worker_drain(struct worker *worker)
{
    if (list_is_empty(&worker->drain.link))
        loop_post(&worker->loop, &worker->drain);
}

void worker_close(struct worker *worker)
{
    if (worker->is_running) {
        loop_stop(&worker->loop);
        pthread_join(worker->thread, NULL);
    } else {
        close_doors(worker);
    }
    free(worker->doors);
    loop_close(&worker->loop);
}
