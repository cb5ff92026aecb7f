#include <unistd.h>

#include "common/net/loop.h"
#include "tests/unit/unit.h"

static struct loop loop;

/* --- messages --- */

static void post_ran(struct loop_post *post)
{
    (void)post;
    loop_stop(&loop);
}

static void *post_from_thread(void *post)
{
    loop_post(&loop, post);
    return NULL;
}

START_TEST(a_post_from_another_thread_runs_in_the_loop)
{
    struct loop_post post = {.run = post_ran};
    pthread_t thread;

    ck_assert(loop_open(&loop));
    pthread_create(&thread, NULL, post_from_thread, &post);
    loop_run(&loop);
    pthread_join(thread, NULL);
    loop_close(&loop);
}
END_TEST

/* --- letting others run --- */

static unsigned yields, turns_left;
static useconds_t slice_us; /* what another thread's turn on the processor takes */

/* Stands before libc's. */
int sched_yield(void)
{
    yields++;
    return slice_us == 0 ? 0 : usleep(slice_us);
}

static void turn_again(struct loop_post *post)
{
    if (--turns_left == 0)
        loop_stop(&loop);
    else
        loop_post(&loop, post);
}

/* Turns that follow each other closely, each with something to wait for. */
static void take_turns(unsigned turns, bool has_fellows)
{
    struct loop_post post = {.run = turn_again};

    ck_assert(loop_open(&loop));
    loop.has_fellows = has_fellows;
    yields = 0;
    turns_left = turns;
    loop_post(&loop, &post);
    loop_run(&loop);
    loop_close(&loop);
}

START_TEST(a_busy_thread_among_several_lets_others_run_before_it_waits)
{
    slice_us = 0;
    take_turns(2000, true);
    ck_assert_uint_gt(yields, 0);
    ck_assert_uint_le(yields, 2000);
}
END_TEST

START_TEST(who_is_alone_just_waits)
{
    slice_us = 0;
    take_turns(2000, false);
    ck_assert_uint_eq(yields, 0);
}
END_TEST

START_TEST(behind_those_who_take_whole_slices_nobody_stays_for_long)
{
    slice_us = 2000;
    take_turns(1000, true);
    ck_assert_uint_gt(yields, 0);
    ck_assert_uint_lt(yields, 500);
}
END_TEST

static void timer_rang(struct loop_timer *timer)
{
    if (--turns_left == 0)
        loop_stop(&loop);
    else
        loop_timer_set(timer, 2000);
}

START_TEST(who_has_little_to_do_just_waits)
{
    struct loop_timer timer;

    ck_assert(loop_open(&loop));
    loop.has_fellows = true;
    yields = 0;
    turns_left = 20;
    loop_timer_init(&loop, &timer, timer_rang);
    loop_timer_set(&timer, 2000);
    loop_run(&loop);
    loop_close(&loop);
    ck_assert_uint_eq(yields, 0);
}
END_TEST

UNIT_MAIN("net/loop", tcase_add_test(tests, a_post_from_another_thread_runs_in_the_loop);
          tcase_add_test(tests, a_busy_thread_among_several_lets_others_run_before_it_waits);
          tcase_add_test(tests, who_is_alone_just_waits);
          tcase_add_test(tests, behind_those_who_take_whole_slices_nobody_stays_for_long);
          tcase_add_test(tests, who_has_little_to_do_just_waits);)
