#include <sched.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/net/conn.h"
#include "common/net/loop.h"

enum { INPUT_SIZE = 64 * 1024 };

#ifdef LOCK_CHECKS
#include <event2/thread.h>

/* Has libevent watch how it is used, in the builds that check everything. It does so for all
 * bases together, and therefore needs its locks. */
__attribute__((constructor)) static void watch_libevent(void)
{
    evthread_use_pthreads();
    event_enable_debug_mode();
}
#endif

static void loop_woken(evutil_socket_t fd, short what, void *arg)
{
    struct loop *loop = arg;
    struct list posts;
    uint64_t count;

    (void)what;
    if (read(fd, &count, sizeof(count)) < 0)
        return;
    pthread_mutex_lock(&loop->posts_lock);
    list_move(&loop->posts, &posts);
    pthread_mutex_unlock(&loop->posts_lock);
    while (!list_is_empty(&posts)) {
        struct loop_post *post = container_of(posts.next, struct loop_post, link);

        list_remove(&post->link);
        post->run(post);
    }
}

bool loop_open(struct loop *loop)
{
    struct event_config *config = event_config_new();

    *loop = (struct loop){.wake_fd = -1, .input_size = INPUT_SIZE};
    list_init(&loop->tasks);
    list_init(&loop->yields);
    list_init(&loop->flushes);
    list_init(&loop->dying);
    list_init(&loop->posts);
    pthread_mutex_init(&loop->posts_lock, NULL);
    if (config == NULL)
        return false;
    /* Nobody asks it for the time: then it need not look at a clock after each wait. */
    event_config_set_flag(config, EVENT_BASE_FLAG_NOLOCK | EVENT_BASE_FLAG_NO_CACHE_TIME);
    loop->base = event_base_new_with_config(config);
    event_config_free(config);
    if (loop->base == NULL)
        return false;
    loop->wake_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    loop->input = block_create(loop->input_size);
    if (loop->wake_fd < 0 || loop->input == NULL) {
        loop_close(loop);
        return false;
    }
    event_assign(&loop->wake, loop->base, loop->wake_fd, EV_READ | EV_PERSIST, loop_woken, loop);
    return event_add(&loop->wake, NULL) == 0;
}

static void run_tasks(struct loop *loop)
{
    struct list tasks;

    if (list_is_empty(&loop->tasks))
        return;
    list_move(&loop->tasks, &tasks);
    while (!list_is_empty(&tasks)) {
        struct loop_task *task = container_of(tasks.next, struct loop_task, link);

        list_remove(&task->link);
        task->run(task);
    }
}

static void show_yields(struct loop *loop)
{
    struct list yields;

    if (list_is_empty(&loop->yields))
        return;
    list_move(&loop->yields, &yields);
    while (!list_is_empty(&yields))
        conn_show_again(container_of(yields.next, struct conn, turn_link));
}

/* A connection that ends may give others something to say, and one that is flushed may end. */
static void settle_conns(struct loop *loop)
{
    while (!list_is_empty(&loop->flushes) || !list_is_empty(&loop->dying)) {
        while (!list_is_empty(&loop->flushes))
            conn_flush(container_of(loop->flushes.next, struct conn, turn_link));
        while (!list_is_empty(&loop->dying))
            conn_end(container_of(loop->dying.next, struct conn, turn_link));
    }
}

/*
 * One of several threads that do the same work lets others run before it waits, while it is busy.
 * Where these want more processors than there are, its clients have said more by then, and it
 * need not sleep and be woken, which costs as much as several requests. But behind a program that
 * uses up its time slices it would stay for milliseconds each time: if most of a trial goes by
 * like that, it waits as others do for a while.
 */
static void let_others_run(struct loop *loop)
{
    enum { BUSY_US = 100, SLICE_US = 1000, TRIAL_US = 64000, PAUSE_MAX_US = 8192000 };
    uint64_t before = clock_read_us(), after;
    bool is_busy = before - loop->turned_us < BUSY_US;

    loop->turned_us = before;
    if (!is_busy || before < loop->trial_us)
        return;
    sched_yield();
    after = loop->turned_us = clock_read_us();
    if (after - before >= SLICE_US)
        loop->behind_us += after - before;
    if (after - loop->trial_us < TRIAL_US)
        return;
    if (loop->behind_us <= (after - loop->trial_us) / 4 * 3)
        loop->pause_us = 0;
    else if (loop->pause_us < PAUSE_MAX_US)
        loop->pause_us = loop->pause_us * 2 + TRIAL_US;
    loop->trial_us = after + loop->pause_us;
    loop->behind_us = 0;
}

void loop_run(struct loop *loop)
{
    settle_conns(loop); /* those from before the first turn */
    while (!__atomic_load_n(&loop->stopping, __ATOMIC_ACQUIRE)) {
        bool is_busy = !list_is_empty(&loop->tasks) || !list_is_empty(&loop->yields);

        if (loop->has_fellows && !is_busy)
            let_others_run(loop);
        clock_turn_us = 0; /* read at its first use in the turn */
        event_base_loop(loop->base, is_busy ? EVLOOP_ONCE | EVLOOP_NONBLOCK : EVLOOP_ONCE);
        run_tasks(loop);
        show_yields(loop);
        settle_conns(loop);
    }
}

static void wake(struct loop *loop)
{
    static const uint64_t one = 1;

    /* It can only fail when the counter is full: the loop is awake then. */
    (void)!write(loop->wake_fd, &one, sizeof(one));
}

void loop_stop(struct loop *loop)
{
    __atomic_store_n(&loop->stopping, true, __ATOMIC_RELEASE);
    wake(loop);
}

void loop_close(struct loop *loop)
{
    if (loop->base != NULL) {
        if (event_initialized(&loop->wake))
            event_del(&loop->wake);
        event_base_free(loop->base);
        loop->base = NULL;
    }
    if (loop->wake_fd >= 0)
        close(loop->wake_fd);
    loop->wake_fd = -1;
    if (loop->input != NULL)
        block_release(loop->input);
    loop->input = NULL;
    pthread_mutex_destroy(&loop->posts_lock);
    chain_trim();
}

void loop_defer(struct loop *loop, struct loop_task *task)
{
    if (list_is_empty(&task->link))
        list_append(&loop->tasks, &task->link);
}

void loop_forget(struct loop_task *task)
{
    list_remove(&task->link);
}

void loop_post(struct loop *loop, struct loop_post *post)
{
    pthread_mutex_lock(&loop->posts_lock);
    list_append(&loop->posts, &post->link);
    pthread_mutex_unlock(&loop->posts_lock);
    wake(loop);
}

void loop_unpost(struct loop *loop, struct loop_post *post)
{
    pthread_mutex_lock(&loop->posts_lock);
    list_remove(&post->link);
    pthread_mutex_unlock(&loop->posts_lock);
}

static void timer_rang(evutil_socket_t fd, short what, void *arg)
{
    struct loop_timer *timer = arg;

    (void)fd;
    (void)what;
    timer->ring(timer);
}

void loop_timer_init(struct loop *loop, struct loop_timer *timer,
                     void (*ring)(struct loop_timer *timer))
{
    timer->ring = ring;
    event_assign(&timer->event, loop->base, -1, 0, timer_rang, timer);
}

void loop_timer_set(struct loop_timer *timer, uint64_t delay_us)
{
    struct timeval delay = {(time_t)(delay_us / 1000000), (suseconds_t)(delay_us % 1000000)};

    event_add(&timer->event, &delay);
}

void loop_timer_clear(struct loop_timer *timer)
{
    event_del(&timer->event);
}
