#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>
#include <unistd.h>

#include "cachenode/node.h"
#include "cachenode/restart.h"
#include "cachenode/sockets.h"
#include "cachenode/stats.h"
#include "cachenode/upkeep/upkeep.h"
#include "cachenode/worker.h"
#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/net/listener.h"
#include "common/process/daemon.h"
#include "common/process/notify.h"
#include "common/process/signals.h"

enum { TEMPORARY_TTL_S = 61 };

struct node_listener {
    struct listener listener;
    struct node *node;
};

struct node {
    const struct settings *settings;
    struct loop loop;
    struct signals signals;
    struct sockets sockets;
    struct node_listener *listeners;
    unsigned listener_count;
    struct restart restart;
    struct store *store;
    struct upkeep *upkeep;
    struct watch *watch; /* NULL: -W */
    struct prefixes *prefixes;
    bool tracks_sizes; /* atomic */
    struct worker *workers;
    unsigned worker_count, next_worker;
    uint32_t open_count; /* atomic; clients accepted and not gone */
    bool is_paused;      /* atomic; accepting is, until one of them goes */
    uint64_t full_since_us;
    struct loop_post room; /* from a worker: one is gone */
    bool room_is_posted;   /* atomic */
    struct node_metrics metrics;
    struct auth auth;
    struct stats_source source;
};

/* --- statistics --- */

static void sum_workers(void *arg, struct worker_metrics *sum)
{
    const struct node *node = arg;

    for (unsigned i = 0; i < node->worker_count; i++)
        metric_sum(&sum->cmd_get, &node->workers[i].context.metrics.cmd_get,
                   sizeof(*sum) / sizeof(uint64_t));
    if (node->watch != NULL) {
        struct watch_totals watched;

        watch_totals(node->watch, &watched);
        sum->curr_connections += watched.watchers;
    }
}

/* Counters only: how many are connected is no matter of a reset. */
static void reset_workers(void *arg)
{
    struct node *node = arg;
    size_t counters = offsetof(struct worker_metrics, curr_connections) / sizeof(uint64_t);

    for (unsigned i = 0; i < node->worker_count; i++)
        metric_zero(&node->workers[i].context.metrics.cmd_get, counters);
    metric_zero(&node->metrics.total_connections,
                offsetof(struct node_metrics, accepting_conns) / sizeof(uint64_t));
    if (node->watch != NULL)
        watch_reset(node->watch);
}

struct socket_visit {
    void (*visit)(void *arg, const struct stats_socket *socket);
    void *arg;
};

static void visit_client(void *arg, const struct client_info *info)
{
    const struct socket_visit *visit = arg;
    struct stats_socket socket = {.fd = info->fd, .state = "conn_read", .idle_s = info->idle_s};

    visit->visit(visit->arg, &socket);
}

static void visit_watcher(void *arg, int fd)
{
    const struct socket_visit *visit = arg;

    visit->visit(visit->arg, &(struct stats_socket){.fd = fd, .state = "conn_watch"});
}

static void visit_sockets(void *arg, void (*visit)(void *arg, const struct stats_socket *socket),
                          void *visit_arg)
{
    struct node *node = arg;
    struct socket_visit each = {visit, visit_arg};

    for (unsigned i = 0; i < node->sockets.count; i++)
        visit(visit_arg, &(struct stats_socket){.fd = node->sockets.items[i].fd,
                                                .state = "conn_listening",
                                                .is_listening = true});
    for (unsigned i = 0; i < node->worker_count; i++)
        client_visit_all(&node->workers[i].context, visit_client, &each);
    if (node->watch != NULL)
        watch_visit(node->watch, visit_watcher, &each);
}

/* --- accepting --- */

static void note_pause(struct node *node)
{
    if (metric_get(&node->metrics.accepting_conns) == 0)
        return;
    metric_add(&node->metrics.listen_disabled_num, 1);
    metric_set(&node->metrics.accepting_conns, 0);
    node->full_since_us = clock_read_us();
}

static void note_resumption(struct node *node)
{
    if (metric_get(&node->metrics.accepting_conns) != 0)
        return;
    metric_set(&node->metrics.accepting_conns, 1);
    metric_add(&node->metrics.time_in_listen_disabled_us, clock_read_us() - node->full_since_us);
}

static void resume_accepting(struct node *node)
{
    note_resumption(node);
    for (unsigned i = 0; i < node->listener_count; i++)
        listener_resume(&node->listeners[i].listener);
}

static void room_came(struct loop_post *post)
{
    struct node *node = container_of(post, struct node, room);

    __atomic_store_n(&node->room_is_posted, false, __ATOMIC_SEQ_CST);
    resume_accepting(node);
}

static bool is_full(struct node *node)
{
    return __atomic_load_n(&node->open_count, __ATOMIC_SEQ_CST) >= node->settings->max_conns;
}

/* With maxconns_fast off, who is one too many waits in the backlog. */
static void pause_accepting(struct node *node)
{
    note_pause(node);
    for (unsigned i = 0; i < node->listener_count; i++)
        listener_pause(&node->listeners[i].listener);
    __atomic_store_n(&node->is_paused, true, __ATOMIC_SEQ_CST);
    /* Somebody may have gone before that could be seen. */
    if (!is_full(node) && __atomic_exchange_n(&node->is_paused, false, __ATOMIC_SEQ_CST))
        resume_accepting(node);
}

/* There are no descriptors: until one of ours goes, or the system has another. */
static void node_starved(struct listener *listener)
{
    struct node *node = container_of(listener, struct node_listener, listener)->node;

    note_pause(node);
    __atomic_store_n(&node->is_paused, true, __ATOMIC_SEQ_CST);
}

/* In a worker's thread. Several listeners may pause one after the other: what is on its way
 * already serves them all. */
static void client_gone(void *arg)
{
    struct node *node = arg;

    __atomic_sub_fetch(&node->open_count, 1, __ATOMIC_SEQ_CST);
    if (__atomic_load_n(&node->is_paused, __ATOMIC_SEQ_CST) &&
        __atomic_exchange_n(&node->is_paused, false, __ATOMIC_SEQ_CST) &&
        !__atomic_exchange_n(&node->room_is_posted, true, __ATOMIC_SEQ_CST)) {
        node->room.run = room_came;
        loop_post(&node->loop, &node->room);
    }
}

static void turn_away(struct node *node, int fd)
{
    static const char words[] = "ERROR Too many open connections\r\n";

    metric_add(&node->metrics.rejected_connections, 1);
    (void)!write(fd, words, sizeof(words) - 1);
    close(fd);
}

static void node_accepted(struct listener *listener, int fd)
{
    struct node *node = container_of(listener, struct node_listener, listener)->node;

    note_resumption(node);
    if (is_full(node)) {
        turn_away(node, fd);
        return;
    }
    metric_add(&node->metrics.total_connections, 1);
    __atomic_add_fetch(&node->open_count, 1, __ATOMIC_SEQ_CST);
    node->next_worker = (node->next_worker + 1) % node->worker_count;
    if (!worker_hand_over(&node->workers[node->next_worker], fd)) {
        close(fd);
        client_gone(node);
    }
    if (!node->settings->maxconns_fast && is_full(node))
        pause_accepting(node);
}

/* Has the streams' clients accepted here, and what comes by UDP answered by the workers. */
static bool answer_sockets(struct node *node)
{
    unsigned next_worker = 0;

    node->listeners = calloc(node->sockets.count, sizeof(*node->listeners));
    if (node->listeners == NULL)
        return node->sockets.count == 0;
    for (unsigned i = 0; i < node->sockets.count; i++) {
        struct node_socket *socket = &node->sockets.items[i];
        struct node_listener *listener = &node->listeners[node->listener_count];

        if (socket->is_udp) {
            struct worker *worker = &node->workers[next_worker++ % node->worker_count];

            if (!worker_hand_over_udp(worker, socket->fd))
                return false;
        } else {
            listener->node = node;
            listener_open(&listener->listener, &node->loop, socket->fd, node_accepted);
            listener->listener.starved = node_starved;
            if (socket->is_inherited)
                listener->listener.unix_path[0] = '\0';
            node->listener_count++;
        }
        socket->is_taken = true;
    }
    return true;
}

/* --- start and stop --- */

static void caught_end(int number, void *context)
{
    struct node *node = context;

    log_info("signal %d: ending", number);
    loop_stop(&node->loop);
}

static void caught_hangup(int number, void *context)
{
    struct node *node = context;
    char text[AUTH_FAULT_MAX];
    struct auth_fault fault;

    if (!auth_reload(&node->auth, &fault))
        log_error("signal %d: %s; the old users stay", number,
                  auth_describe(&node->auth, &fault, text));
    else if (node->auth.path != NULL)
        log_info("signal %d: %s is read again", number, node->auth.path);
}

/* The file that says who may; NULL: none is needed. */
static const char *auth_path(const struct settings *settings)
{
    return settings->sasl ? getenv("MEMCACHED_SASL_PWDB") : settings->auth_path;
}

static const struct signal_row signal_rows[] = {
    {SIGTERM, caught_end}, {SIGINT, caught_end}, {SIGUSR1, caught_end}, {SIGHUP, caught_hangup}};

static struct store *make_store(const struct settings *settings, struct restart *restart,
                                const char **error)
{
    uint32_t chunk_max =
        settings->slab_chunk_max_kb == 0 ? CHUNK_LIMIT : settings->slab_chunk_max_kb << 10;
    struct store_options options = {
        .slab = {.memory_bytes = (uint64_t)settings->memory_mb << 20,
                 .min_size = settings->slab_min_size,
                 .factor = settings->growth_factor,
                 .chunk_max = chunk_max,
                 .sizes = settings->slab_sizes,
                 .is_fixed = settings->lock_memory,
                 .is_preallocated = settings->large_pages,
                 .path = settings->memory_file},
        .item_size_max = (uint32_t)settings->item_size_max,
        .hash_power = settings->hash_power != 0 ? settings->hash_power : 16,
        .hash_is_fixed = !settings->hash_grows,
        .evictions = settings->evictions,
        .use_cas = settings->use_cas,
        .tuning = {.crawls = settings->crawler,
                   .crawl_sleep_us = settings->crawler_sleep_us,
                   .crawl_items_max = settings->crawler_items_max,
                   .is_segmented = settings->lru_maintainer,
                   .hot_pct = settings->hot_lru_pct,
                   .warm_pct = settings->warm_lru_pct,
                   .has_temporary = settings->temporary_ttl_s >= 0,
                   .temporary_ttl_s = settings->temporary_ttl_s >= 0
                                          ? (uint32_t)settings->temporary_ttl_s
                                          : TEMPORARY_TTL_S,
                   .automove = settings->slab_reassign ? settings->slab_automove : 0,
                   .automove_window = settings->slab_automove_window,
                   .automove_ratio = settings->slab_automove_ratio,
                   .hot_max_factor = settings->hot_max_factor,
                   .warm_max_factor = settings->warm_max_factor},
    };

    return restart_open(restart, &options, error);
}

static bool start_workers(struct node *node)
{
    unsigned count = node->settings->threads;

    node->workers = calloc(count, sizeof(*node->workers));
    if (node->workers == NULL)
        return false;
    for (unsigned i = 0; i < count; i++) {
        node->worker_count++;
        if (!worker_start(&node->workers[i], node->store, &node->source, client_gone))
            return false;
    }
    return true;
}

static void node_stop(struct node *node)
{
    for (unsigned i = 0; i < node->worker_count; i++)
        worker_stop(&node->workers[i]);
    free(node->workers);
    for (unsigned i = 0; i < node->listener_count; i++)
        listener_close(&node->listeners[i].listener);
    free(node->listeners);
    sockets_free(&node->sockets);
    signals_close(&node->signals);
    if (node->upkeep != NULL)
        upkeep_stop(node->upkeep);
    if (node->watch != NULL)
        watch_stop(node->watch);
    if (node->prefixes != NULL)
        prefixes_free(node->prefixes);
    if (node->store != NULL)
        restart_close(&node->restart, node->store);
    loop_close(&node->loop);
    if (node->settings->pid_path != NULL)
        pid_file_remove(node->settings->pid_path);
}

static bool start_watch(struct node *node)
{
    const struct settings *settings = node->settings;
    struct watch_options options = {.log_bytes = (size_t)settings->worker_logbuf_kb << 10,
                                    .watcher_bytes = (size_t)settings->watcher_logbuf_kb << 10,
                                    .gone = client_gone,
                                    .node = node};

    if (!settings->watch_enabled)
        return true;
    node->watch = node->source.watch = watch_start(&options);
    return node->watch != NULL;
}

static bool make_prefixes(struct node *node)
{
    char delimiter = node->settings->prefix_delimiter;

    node->prefixes = node->source.prefixes =
        prefixes_create(delimiter != '\0' ? delimiter : ':', delimiter != '\0');
    return node->prefixes != NULL;
}

static bool node_start(struct node *node)
{
    const char *error = "no memory or descriptors for threads";

    node->source = (struct stats_source){.settings = node->settings,
                                         .metrics = &node->metrics,
                                         .auth = &node->auth,
                                         .start_us = clock_read_us(),
                                         .node = node,
                                         .sum = sum_workers,
                                         .reset = reset_workers,
                                         .visit_sockets = visit_sockets};
    node->metrics.accepting_conns = 1;
    node->tracks_sizes = node->settings->track_sizes;
    node->source.tracks_sizes = &node->tracks_sizes;
    node->store = node->source.store = make_store(node->settings, &node->restart, &error);
    if (node->store == NULL || !make_prefixes(node) || !start_watch(node) ||
        (node->upkeep = upkeep_start(node->store, node->watch)) == NULL || !start_workers(node) ||
        !answer_sockets(node)) {
        fprintf(stderr, "cachenode: %s\n", error);
        return false;
    }
    return true;
}

static void tell_manager(const char *state)
{
    if (!notify_manager(state))
        log_warning("NOTIFY_SOCKET: %s: %s", state, strerror(errno));
}

int node_run(const struct settings *settings)
{
    struct node *node = calloc(1, sizeof(*node));
    int status = EXIT_FAILURE;
    struct auth_fault fault;
    char text[AUTH_FAULT_MAX];

    /* Signals first: who can reach a port may also end us. */
    if (node == NULL || !loop_open(&node->loop) ||
        !signals_open(&node->signals, &node->loop, signal_rows,
                      sizeof(signal_rows) / sizeof(signal_rows[0]), node)) {
        fprintf(stderr, "cachenode: out of memory\n");
        free(node);
        return EX_OSERR;
    }
    node->settings = settings;
    if (!auth_open(&node->auth, auth_path(settings), &fault))
        fprintf(stderr, "cachenode: %s\n", auth_describe(&node->auth, &fault, text));
    else if (!sockets_open(&node->sockets, settings))
        status = EX_OSERR;
    else if (settings->user != NULL && getuid() == 0 &&
             daemon_become_user(settings->user) != USER_OK) {
        fprintf(stderr, "cachenode: cannot become user %s\n", settings->user);
        status = EX_NOUSER;
    } else if (node_start(node)) {
        if (settings->pid_path != NULL && !pid_file_write(settings->pid_path, PID_FILE_LINE))
            log_warning("pid file %s: %s", settings->pid_path, strerror(errno));
        if (!sockets_write_ports(&node->sockets))
            log_warning("MEMCACHED_PORT_FILENAME: %s", strerror(errno));
        log_info("listening");
        tell_manager("READY=1");
        loop_run(&node->loop);
        tell_manager("STOPPING=1");
        status = EXIT_SUCCESS;
    }
    node_stop(node);
    free(node);
    return status;
}
