#include <stdlib.h>
#include <unistd.h>

#include "cachenode/worker.h"

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

bool worker_hand_over(struct worker *worker, int fd)
{
    struct handover *handover = malloc(sizeof(*handover));

    if (handover == NULL)
        return false;
    *handover = (struct handover){.post = {.run = worker_take}, .worker = worker, .fd = fd};
    loop_post(&worker->loop, &handover->post);
    return true;
}

static void *worker_run(void *arg)
{
    struct worker *worker = arg;

    loop_run(&worker->loop);
    client_close_all(&worker->context);
    /* Blocks are their thread's own. */
    chain_trim();
    return NULL;
}

bool worker_start(struct worker *worker, struct store *store, const struct stats_source *source,
                  uint32_t reqs_per_event)
{
    *worker = (struct worker){0};
    if (!loop_open(&worker->loop))
        return false;
    worker->context = (struct client_context){.loop = &worker->loop,
                                              .user = store_user_create(store),
                                              .source = source,
                                              .reqs_per_event = reqs_per_event};
    list_init(&worker->context.clients);
    worker->is_running = worker->context.user != NULL &&
                         pthread_create(&worker->thread, NULL, worker_run, worker) == 0;
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
    }
    if (worker->context.user != NULL)
        store_user_free(worker->context.user);
    loop_close(&worker->loop);
}
