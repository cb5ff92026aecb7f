#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#include "cachenode/upkeep/upkeep.h"
#include "common/base/clock.h"
#include "common/base/thread.h"

/* What there is to do: a step, whether more is to be done at once, and else how long to wait. */
static const struct job {
    bool (*step)(struct store_user *user);
    uint64_t pause_us;
} jobs[] = {
    {store_balance, 50 * 1000},
    {store_move_pages, 20 * 1000},
    {store_grow, 20 * 1000},
    {store_crawl, 1000 * 1000},
};

enum { JOB_COUNT = sizeof(jobs) / sizeof(jobs[0]), BUSY_PAUSE_US = 500, TICK_US = 100 * 1000 };

struct upkeep {
    struct store *store;
    struct store_user *user;
    struct watch *watch; /* NULL: nobody may */
    pthread_t thread;
    pthread_mutex_t mutex;
    pthread_cond_t wake;
    bool is_stopping;
};

/* Waits until `until_us`, or less if the thread is to end; true: it is. */
static bool wait_until(struct upkeep *upkeep, uint64_t until_us)
{
    struct timespec until = {(time_t)(until_us / 1000000), (long)(until_us % 1000000) * 1000};
    bool is_stopping;

    pthread_mutex_lock(&upkeep->mutex);
    while (!upkeep->is_stopping &&
           pthread_cond_timedwait(&upkeep->wake, &upkeep->mutex, &until) != ETIMEDOUT)
        ;
    is_stopping = upkeep->is_stopping;
    pthread_mutex_unlock(&upkeep->mutex);
    return is_stopping;
}

static void *upkeep_run(void *arg)
{
    struct upkeep *upkeep = arg;
    uint64_t due_us[JOB_COUNT] = {0}, next_us = 0;

    do {
        uint64_t now_us = clock_read_us();

        store_tick(upkeep->store);
        next_us = now_us + TICK_US;
        for (unsigned i = 0; i < JOB_COUNT; i++) {
            if (due_us[i] <= now_us)
                due_us[i] =
                    now_us + (jobs[i].step(upkeep->user) ? BUSY_PAUSE_US : jobs[i].pause_us);
            if (due_us[i] < next_us)
                next_us = due_us[i];
        }
    } while (!wait_until(upkeep, next_us));
    return NULL;
}

static void upkeep_free(struct upkeep *upkeep)
{
    if (upkeep->user != NULL && upkeep->watch != NULL)
        watch_remove_log(upkeep->watch, &upkeep->user->log);
    if (upkeep->user != NULL)
        store_user_free(upkeep->user);
    pthread_cond_destroy(&upkeep->wake);
    pthread_mutex_destroy(&upkeep->mutex);
    free(upkeep);
}

struct upkeep *upkeep_start(struct store *store, struct watch *watch)
{
    struct upkeep *upkeep = calloc(1, sizeof(*upkeep));
    pthread_condattr_t monotonic;

    if (upkeep == NULL)
        return NULL;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&upkeep->wake, &monotonic);
    pthread_condattr_destroy(&monotonic);
    pthread_mutex_init(&upkeep->mutex, NULL);
    upkeep->store = store;
    upkeep->user = store_user_create(store);
    upkeep->watch = watch;
    if (upkeep->user == NULL || (watch != NULL && !watch_add_log(watch, &upkeep->user->log)) ||
        !thread_start(&upkeep->thread, upkeep_run, upkeep)) {
        upkeep_free(upkeep);
        return NULL;
    }
    return upkeep;
}

void upkeep_stop(struct upkeep *upkeep)
{
    pthread_mutex_lock(&upkeep->mutex);
    upkeep->is_stopping = true;
    pthread_cond_signal(&upkeep->wake);
    pthread_mutex_unlock(&upkeep->mutex);
    pthread_join(upkeep->thread, NULL);
    upkeep_free(upkeep);
}
