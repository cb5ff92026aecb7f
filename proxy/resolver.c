#include <pthread.h>
#include <stdlib.h>

#include "common/base/thread.h"
#include "proxy/resolver.h"

enum { THREADS_MAX = 4 };

enum lookup_state { LOOKUP_QUEUED, LOOKUP_RUNNING, LOOKUP_CANCELLED, LOOKUP_ANSWERED };

struct resolver {
    pthread_mutex_t lock; /* guards all below, and the state of each lookup */
    pthread_cond_t queued;
    struct list queue;
    unsigned thread_count, idle_count, queued_count;
    bool is_closed;
};

/* The lock is held, and given back. Whoever comes last frees the resolver. */
static void leave(struct resolver *resolver)
{
    bool is_last = resolver->is_closed && resolver->thread_count == 0;

    pthread_mutex_unlock(&resolver->lock);
    if (!is_last)
        return;
    pthread_cond_destroy(&resolver->queued);
    pthread_mutex_destroy(&resolver->lock);
    free(resolver);
}

static void answer(struct loop_post *post)
{
    struct lookup *lookup = container_of(post, struct lookup, post);

    lookup->done(lookup, lookup->context);
    free(lookup);
}

/* Looks up without the lock, which is held before and after. */
static void run(struct lookup *lookup)
{
    struct resolver *resolver = lookup->resolver;

    lookup->state = LOOKUP_RUNNING;
    pthread_mutex_unlock(&resolver->lock);
    lookup->addr_count =
        addr_resolve(lookup->host, lookup->port, lookup->addrs, LOOKUP_ADDRS_MAX, &lookup->error);
    pthread_mutex_lock(&resolver->lock);
    if (lookup->state == LOOKUP_CANCELLED) {
        free(lookup);
        return;
    }
    lookup->state = LOOKUP_ANSWERED;
    loop_post(lookup->loop, &lookup->post);
}

static void *resolver_run(void *arg)
{
    struct resolver *resolver = arg;

    pthread_mutex_lock(&resolver->lock);
    while (!resolver->is_closed) {
        struct lookup *lookup = LIST_FIRST(&resolver->queue, struct lookup, link);

        if (lookup == NULL) {
            resolver->idle_count++;
            pthread_cond_wait(&resolver->queued, &resolver->lock);
            resolver->idle_count--;
            continue;
        }
        list_remove(&lookup->link);
        resolver->queued_count--;
        run(lookup);
    }
    resolver->thread_count--;
    leave(resolver);
    return NULL;
}

/* Sees to it that a thread will look at one more in the queue, soon if it can be had; false when
 * there is none. Threads that were woken for others count as idle until they run. */
static bool has_thread(struct resolver *resolver)
{
    pthread_t thread;

    if (resolver->idle_count > resolver->queued_count || resolver->thread_count == THREADS_MAX)
        return true;
    if (thread_start(&thread, resolver_run, resolver)) {
        pthread_detach(thread);
        resolver->thread_count++;
    }
    return resolver->thread_count != 0;
}

struct resolver *resolver_create(void)
{
    struct resolver *resolver = calloc(1, sizeof(*resolver));

    if (resolver == NULL)
        return NULL;
    pthread_mutex_init(&resolver->lock, NULL);
    pthread_cond_init(&resolver->queued, NULL);
    list_init(&resolver->queue);
    return resolver;
}

void resolver_close(struct resolver *resolver)
{
    pthread_mutex_lock(&resolver->lock);
    resolver->is_closed = true;
    pthread_cond_broadcast(&resolver->queued);
    leave(resolver);
}

struct lookup *resolver_ask(struct resolver *resolver, const char *host, uint16_t port,
                            struct loop *loop, void (*done)(struct lookup *lookup, void *context),
                            void *context)
{
    size_t host_size = strlen(host) + 1;
    struct lookup *lookup = calloc(1, sizeof(*lookup) + host_size);
    bool is_asked;

    if (lookup == NULL)
        return NULL;
    lookup->resolver = resolver;
    lookup->loop = loop;
    lookup->done = done;
    lookup->context = context;
    lookup->port = port;
    lookup->post.run = answer;
    list_init(&lookup->link);
    list_init(&lookup->post.link);
    memcpy(lookup->host, host, host_size);
    pthread_mutex_lock(&resolver->lock);
    is_asked = has_thread(resolver);
    if (is_asked) {
        list_append(&resolver->queue, &lookup->link);
        resolver->queued_count++;
        pthread_cond_signal(&resolver->queued);
    }
    pthread_mutex_unlock(&resolver->lock);
    if (is_asked)
        return lookup;
    free(lookup);
    return NULL;
}

void lookup_cancel(struct lookup *lookup)
{
    struct resolver *resolver = lookup->resolver;
    bool is_running;

    pthread_mutex_lock(&resolver->lock);
    is_running = lookup->state == LOOKUP_RUNNING;
    if (is_running)
        lookup->state = LOOKUP_CANCELLED;
    resolver->queued_count -= lookup->state == LOOKUP_QUEUED;
    list_remove(&lookup->link);
    pthread_mutex_unlock(&resolver->lock);
    if (is_running)
        return;
    loop_unpost(lookup->loop, &lookup->post);
    free(lookup);
}
