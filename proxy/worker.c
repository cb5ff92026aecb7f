#include <malloc.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/base/log.h"
#include "common/base/thread.h"
#include "proxy/worker.h"

/* While draining: how often to look, how often at most, and how long to wait for a first request.
 */
enum {
    LOOK_US = 20 * 1000,
    LOOKS_MAX = 250,
    SILENT_LOOKS = 15,
    SPARE_RECORDS = 16384,
    RESERVED_FDS = 32
};
enum { TIDY_US = 3 * 1000 * 1000, RECORDS_KEPT = 256, BURST = 1024 };

/* --- doors --- */

static void door_accepted(struct listener *listener, int fd)
{
    client_accept(&container_of(listener, struct door, listener)->context, fd);
}

static struct pool *find_pool(const struct pool *pool, const char *name)
{
    const struct door *door = container_of(pool, struct door, pool);
    struct door *other = worker_find_door(door->worker, name);

    return other != NULL ? &other->pool : NULL;
}

/* Beyond the clients that there are descriptors for, others wait to be accepted: servers,
 * statistics and reloads go on. */
static bool may_accept(struct listener *listener)
{
    struct worker *worker = container_of(listener, struct door, listener)->worker;
    uint64_t clients = 0;

    for (size_t i = 0; i < worker->door_count; i++)
        clients += metric_get(&worker->doors[i]->pool.metrics.client_connections);
    if (clients < worker->client_max)
        return true;
    log_limited(LOG_WARNING, "no descriptors for more than %llu clients: others have to wait",
                (unsigned long long)worker->client_max);
    return false;
}

/* As nutcracker reckons: what the system allows, but for servers, listeners and a reserve. */
static uint64_t count_clients(const struct worker *worker, const struct config *config)
{
    struct rlimit limit;
    uint64_t taken = RESERVED_FDS + config->pool_count * worker->count;

    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY)
        return UINT64_MAX;
    for (size_t i = 0; i < config->pool_count; i++)
        taken +=
            config->pools[i].server_connections * config->pools[i].server_count * worker->count;
    if (limit.rlim_cur > taken + worker->count)
        return (limit.rlim_cur - taken) / worker->count;
    log_warning("%llu descriptors are hardly enough for the servers: raise the limit (ulimit -n)",
                (unsigned long long)limit.rlim_cur);
    return 1;
}

static struct pool_surroundings surroundings_of(struct worker *worker)
{
    return (struct pool_surroundings){.loop = &worker->loop,
                                      .resolver = worker->resolver,
                                      .connections = &worker->connections,
                                      .memory_max = &worker->memory_max,
                                      .find_pool = find_pool};
}

static void door_listen(struct door *door, int fd, const struct sockets *sockets)
{
    struct worker *worker = door->worker;

    listener_open(&door->listener, &worker->loop, fd, door_accepted);
    door->listener.may_accept = may_accept;
    if (sockets_is_inherited(sockets, door->pool.config))
        door->listener.unix_path[0] = '\0'; /* whoever bound it removes it */
    metric_add(&worker->connections.total_connections, 1);
    metric_add(&worker->connections.curr_connections, 1);
}

static void door_shut(struct door *door)
{
    if (door->listener.fd >= 0)
        metric_sub(&door->worker->connections.curr_connections, 1);
    listener_finish(&door->listener);
}

/* The file of its unix socket is not removed if it is another pool's by now. */
static void door_leave_file(struct door *door, const struct config *config)
{
    for (size_t i = 0; i < config->pool_count; i++) {
        const char *path = config->pools[i].listen.unix_path;

        if (path != NULL && strcmp(path, door->listener.unix_path) == 0)
            door->listener.unix_path[0] = '\0';
    }
}

static void door_close(struct door *door)
{
    door_shut(door);
    client_close_all(&door->context);
    pool_close(&door->pool);
    config_release(door->config);
    free(door);
}

/* The door of the pool `index` of `config`; NULL: memory ran out. */
static struct door *door_open(struct worker *worker, struct config *config, size_t index)
{
    struct pool_surroundings surroundings = surroundings_of(worker);
    struct door *door = calloc(1, sizeof(*door));

    if (door == NULL)
        return NULL;
    door->worker = worker;
    door->config = config_hold(config);
    door->context = (struct client_context){.loop = &worker->loop,
                                            .pool = &door->pool,
                                            .records = &worker->records,
                                            .connections = &worker->connections,
                                            .worker_count = worker->count,
                                            .memory_max = &worker->memory_max};
    list_init(&door->context.clients);
    door->listener.fd = -1;
    if (pool_open(&door->pool, &config->pools[index], &surroundings))
        return door;
    door_close(door);
    return NULL;
}

struct door *worker_find_door(const struct worker *worker, const char *name)
{
    for (size_t i = 0; i < worker->door_count; i++) {
        if (strcmp(worker->doors[i]->pool.config->name, name) == 0)
            return worker->doors[i];
    }
    return NULL;
}

/* --- leaving --- */

static void look_around(struct loop_timer *timer)
{
    struct worker *worker = container_of(timer, struct worker, patience);
    bool is_empty = true;

    for (size_t i = 0; i < worker->door_count; i++) {
        if (worker->looks == SILENT_LOOKS)
            client_drain_all(&worker->doors[i]->context, true);
        is_empty = is_empty && list_is_empty(&worker->doors[i]->context.clients);
    }
    for (size_t i = 0; i < worker->leaving_count; i++)
        is_empty = is_empty && list_is_empty(&worker->leaving[i]->context.clients);
    if (is_empty || ++worker->looks > LOOKS_MAX)
        loop_post(worker->control, worker->drained);
    else
        loop_timer_set(timer, LOOK_US);
}

static void drain(struct loop_post *post)
{
    struct worker *worker = container_of(post, struct worker, drain);

    for (size_t i = 0; i < worker->door_count; i++) {
        door_shut(worker->doors[i]);
        client_drain_all(&worker->doors[i]->context, false);
    }
    loop_timer_set(&worker->patience, 0);
}

/* Frees the pools that were removed and whose clients have all gone. */
static void reap_doors(struct worker *worker)
{
    size_t kept = 0;

    for (size_t i = 0; i < worker->leaving_count; i++) {
        struct door *door = worker->leaving[i];

        if (list_is_empty(&door->context.clients) && pool_is_idle(&door->pool))
            door_close(door);
        else
            worker->leaving[kept++] = door;
    }
    worker->leaving_count = kept;
}

/* What a burst of requests took goes back to the system, and so do servers that are gone. */
static void tidy(struct loop_timer *timer)
{
    struct worker *worker = container_of(timer, struct worker, tidying);

    for (size_t i = 0; i < worker->door_count; i++)
        pool_reap(&worker->doors[i]->pool);
    reap_doors(worker);
    if (worker->records.count > RECORDS_KEPT + BURST) {
        freelist_trim(&worker->records, RECORDS_KEPT);
        chain_trim();
        malloc_trim(0);
    }
    loop_timer_set(timer, TIDY_US);
}

/* --- a new configuration --- */

/* A door that a new configuration still has; it may listen elsewhere. */
static bool door_change(struct door *door, struct config *config, size_t index, int fd,
                        const struct sockets *sockets)
{
    const struct pool_config *pool = &config->pools[index];
    struct pool_surroundings surroundings = surroundings_of(door->worker);

    if (!pool_change(&door->pool, pool, &surroundings, door->config)) {
        if (fd >= 0)
            close(fd);
        return false;
    }
    config_release(door->config);
    door->config = config_hold(config);
    if (fd >= 0) {
        door_leave_file(door, config);
        door_shut(door);
        door_listen(door, fd, sockets);
    } else {
        listen(door->listener.fd, (int)pool->backlog);
        if (pool->listen.unix_path != NULL && pool->listen.has_mode)
            chmod(pool->listen.unix_path, pool->listen.mode);
    }
    pool_preconnect(&door->pool);
    return true;
}

static struct door *door_to_keep(const struct worker *worker, const struct pool_config *pool)
{
    struct door *door = worker_find_door(worker, pool->name);

    return door != NULL && config_is_same_pool(door->pool.config, pool) ? door : NULL;
}

/* Nobody new comes in; who is there is answered what he asked. */
static void door_leave(struct worker *worker, struct door *door, const struct config *config)
{
    door_leave_file(door, config);
    door_shut(door);
    client_drain_all(&door->context, true);
    worker->leaving[worker->leaving_count++] = door;
}

/* Room for the doors to come, and for those that may have to leave. */
static struct door **make_room(struct worker *worker, size_t count)
{
    size_t leaving = worker->leaving_count + worker->door_count;
    struct door **room = realloc(worker->leaving, (leaving + 1) * sizeof(*room));

    if (room == NULL)
        return NULL;
    worker->leaving = room;
    return calloc(count, sizeof(struct door *));
}

static bool take_over(struct worker *worker, struct config *config, struct sockets *sockets)
{
    struct door **doors = make_room(worker, config->pool_count);
    size_t count = 0;
    bool is_whole = doors != NULL;

    for (size_t i = 0; doors != NULL && i < config->pool_count; i++) {
        struct door *door = door_to_keep(worker, &config->pools[i]);
        int fd = sockets_take(sockets, i, worker->number);

        if (door != NULL) {
            is_whole = door_change(door, config, i, fd, sockets) && is_whole;
        } else {
            door = door_open(worker, config, i);
            if (door != NULL)
                door_listen(door, fd, sockets);
            else
                close(fd);
        }
        if (door != NULL)
            doors[count++] = door;
    }
    if (doors == NULL)
        return false;
    worker->memory_max = config->memory_max / sockets->worker_count;
    worker->client_max = count_clients(worker, config);
    is_whole = is_whole && count == config->pool_count;
    for (size_t i = 0; i < worker->door_count; i++) {
        bool stays = false;

        for (size_t k = 0; k < count; k++)
            stays = stays || doors[k] == worker->doors[i];
        if (!stays)
            door_leave(worker, worker->doors[i], config);
    }
    free(worker->doors);
    worker->doors = doors;
    worker->door_count = count;
    return is_whole;
}

static void change_in_worker(struct loop_post *post)
{
    struct worker_change *change = container_of(post, struct worker_change, post);
    struct worker *worker = change->worker;

    lock_take(&worker->shape);
    change->is_whole = take_over(worker, change->config, change->sockets);
    lock_give(&worker->shape);
    post->run = change->done;
    loop_post(worker->control, post);
}

void worker_change(struct worker_change *change)
{
    change->post.run = change_in_worker;
    list_init(&change->post.link);
    loop_post(&change->worker->loop, &change->post);
}

/* --- coming and going --- */

bool worker_open(struct worker *worker, const struct worker_setup *setup)
{
    struct config *config = setup->config;

    *worker =
        (struct worker){.number = setup->number,
                        .count = setup->sockets->worker_count,
                        .memory_max = config->memory_max / setup->sockets->worker_count,
                        .control = setup->control,
                        .resolver = setup->resolver,
                        .records = {.size = sizeof(struct request), .ceiling = SPARE_RECORDS}};
    lock_init(&worker->shape, LOCK_WORKER_SHAPE);
    if (!loop_open(&worker->loop)) {
        log_error("event loop: %m");
        return false;
    }
    worker->loop.has_fellows = worker->count > 1;
    loop_timer_init(&worker->loop, &worker->patience, look_around);
    loop_timer_init(&worker->loop, &worker->tidying, tidy);
    loop_timer_set(&worker->tidying, TIDY_US);
    worker->client_max = count_clients(worker, config);
    worker->drain.run = drain;
    list_init(&worker->drain.link);
    worker->doors = calloc(config->pool_count, sizeof(*worker->doors));
    for (size_t i = 0; worker->doors != NULL && i < config->pool_count; i++) {
        struct door *door = door_open(worker, config, i);

        if (door == NULL)
            break;
        worker->doors[worker->door_count++] = door;
        door_listen(door, sockets_take(setup->sockets, i, setup->number), setup->sockets);
        pool_preconnect(&door->pool);
    }
    if (worker->door_count == config->pool_count)
        return true;
    log_error("out of memory");
    return false;
}

/* Clients, upstreams and blocks are their thread's own. */
static void close_doors(struct worker *worker)
{
    for (size_t i = 0; i < worker->door_count; i++)
        door_close(worker->doors[i]);
    for (size_t i = 0; i < worker->leaving_count; i++)
        door_close(worker->leaving[i]);
    worker->door_count = worker->leaving_count = 0;
    if (worker->loop.base != NULL)
        loop_timer_clear(&worker->tidying);
    freelist_trim(&worker->records, 0);
    chain_trim();
}

static void *worker_run(void *arg)
{
    struct worker *worker = arg;

    loop_run(&worker->loop);
    lock_take(&worker->shape);
    close_doors(worker);
    lock_give(&worker->shape);
    return NULL;
}

bool worker_start(struct worker *worker)
{
    worker->is_running = thread_start(&worker->thread, worker_run, worker);
    return worker->is_running;
}

void worker_drain(struct worker *worker, struct loop_post *drained)
{
    worker->drained = drained;
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
    free(worker->leaving);
    loop_close(&worker->loop);
}
