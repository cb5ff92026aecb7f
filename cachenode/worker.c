#include <stdlib.h>
#include <unistd.h>

#include "cachenode/locks.h"
#include "cachenode/stats.h"
#include "cachenode/udp.h"
#include "cachenode/worker.h"
#include "common/base/thread.h"

enum { SECOND_US = 1000000 };

/* An accepted socket on its way to its worker. */
struct handover {
    struct loop_post post;
    struct worker *worker;
    int fd;
};

static void worker_take(struct loop_post *post)
{
    struct handover *handover = container_of(post, struct handover, post);

    client_accept(&handover->worker->context, handover->fd);
    free(handover);
}

static void worker_take_udp(struct loop_post *post)
{
    struct handover *handover = container_of(post, struct handover, post);

    udp_open(&handover->worker->context, handover->fd, &handover->worker->udps);
    free(handover);
}

static bool hand_over(struct worker *worker, int fd, void (*take)(struct loop_post *post))
{
    struct handover *handover = malloc(sizeof(*handover));

    if (handover == NULL)
        return false;
    *handover = (struct handover){.post = {.run = take}, .worker = worker, .fd = fd};
    loop_post(&worker->loop, &handover->post);
    return true;
}

bool worker_hand_over(struct worker *worker, int fd)
{
    return hand_over(worker, fd, worker_take);
}

bool worker_hand_over_udp(struct worker *worker, int fd)
{
    return hand_over(worker, fd, worker_take_udp);
}

static void *worker_run(void *arg)
{
    struct worker *worker = arg;

    loop_run(&worker->loop);
    client_close_all(&worker->context);
    udp_close_all(&worker->udps);
    /* Blocks are their thread's own. */
    chain_trim();
    return NULL;
}

static void look_for_idle(struct loop_timer *timer)
{
    struct worker *worker = container_of(timer, struct worker, idle_timer);

    client_close_idle(&worker->context, worker->idle_timeout_s);
    loop_timer_set(timer, SECOND_US);
}

bool worker_start(struct worker *worker, struct store *store, const struct stats_source *source,
                  void (*gone)(void *node))
{
    *worker = (struct worker){.idle_timeout_s = source->settings->idle_timeout_s};
    if (!loop_open(&worker->loop))
        return false;
    worker->context = (struct client_context){.loop = &worker->loop,
                                              .user = store_user_create(store),
                                              .source = source,
                                              .reqs_per_event = source->settings->reqs_per_event,
                                              .only_dialect = client_only_dialect(source->settings),
                                              .gone = gone,
                                              .node = source->node};
    worker->loop.owner = &worker->context;
    worker->loop.has_fellows = source->settings->threads > 1;
    lock_init(&worker->context.lock, LOCK_clients);
    list_init(&worker->context.clients);
    list_init(&worker->udps);
    loop_timer_init(&worker->loop, &worker->idle_timer, look_for_idle);
    if (worker->idle_timeout_s != 0)
        loop_timer_set(&worker->idle_timer, SECOND_US);
    worker->is_running =
        worker->context.user != NULL &&
        (source->watch == NULL || watch_add_log(source->watch, &worker->context.user->log)) &&
        thread_start(&worker->thread, worker_run, worker);
    return worker->is_running;
}

/* Sockets that were handed over and never taken. */
static void drop_handovers(struct worker *worker)
{
    LIST_EACH (&worker->loop.posts, each, after) {
        struct handover *handover =
            container_of(container_of(each, struct loop_post, link), struct handover, post);

        list_remove(each);
        close(handover->fd);
        free(handover);
    }
}

void worker_stop(struct worker *worker)
{
    if (worker->is_running) {
        loop_stop(&worker->loop);
        pthread_join(worker->thread, NULL);
        drop_handovers(worker);
        loop_timer_clear(&worker->idle_timer);
    }
    if (worker->context.user != NULL && worker->context.source->watch != NULL)
        watch_remove_log(worker->context.source->watch, &worker->context.user->log);
    if (worker->context.user != NULL)
        store_user_free(worker->context.user);
    loop_close(&worker->loop);
}
