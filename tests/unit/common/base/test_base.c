#include <fcntl.h>
#include <signal.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/freelist.h"
#include "common/base/list.h"
#include "common/base/lock.h"
#include "common/base/log.h"
#include "common/base/random.h"
#include "common/base/thread.h"
#include "tests/unit/unit.h"

struct thing {
    int number;
    struct list link;
};

START_TEST(a_list_keeps_its_order_and_elements_leave_it_alone)
{
    struct list list;
    struct thing things[3] = {{.number = 1}, {.number = 2}, {.number = 3}};
    int sum = 0;

    list_init(&list);
    for (int i = 0; i < 3; i++)
        list_append(&list, &things[i].link);
    list_remove(&things[1].link);
    list_remove(&things[1].link); /* twice does no harm */
    LIST_EACH (&list, each, after) {
        sum = sum * 10 + container_of(each, struct thing, link)->number;
        list_remove(each);
    }
    ck_assert_int_eq(sum, 13);
    ck_assert(list_is_empty(&list));
    ck_assert_ptr_null(LIST_FIRST(&list, struct thing, link));
}
END_TEST

START_TEST(a_freelist_recycles_up_to_its_ceiling)
{
    struct freelist list = {.size = 32, .ceiling = 2};
    void *objects[3];

    for (int i = 0; i < 3; i++)
        objects[i] = freelist_take(&list);
    for (int i = 0; i < 3; i++)
        freelist_give(&list, objects[i]);
    ck_assert_uint_eq(list.count, 2);
    ck_assert_ptr_eq(freelist_take(&list), objects[1]);
    freelist_give(&list, objects[1]);
    freelist_trim(&list, 0);
    ck_assert_ptr_null(list.first);
}
END_TEST

#ifdef LOCK_CHECKS
START_TEST(locks_taken_against_their_ranks_are_a_bug)
{
    struct lock low, high;

    lock_init(&low, 1);
    lock_init(&high, 2);
    lock_take(&high);
    lock_take(&low);
}
END_TEST
#endif

START_TEST(trying_a_lock_never_waits)
{
    struct lock lock;

    lock_init(&lock, 1);
    ck_assert(lock_try(&lock));
    ck_assert(!lock_try(&lock));
    lock_give(&lock);
}
END_TEST

enum { PATH_ROOM = 64 };

/* Logs to a new file from now on, whose name goes to `path`. Returns a descriptor to read it by. */
static int log_to_file(char *path)
{
    int fd;

    snprintf(path, PATH_ROOM, "/tmp/cachepool-test-log-%d", (int)getpid());
    fd = open(path, O_RDONLY | O_CREAT | O_TRUNC, 0600);
    ck_assert_int_ge(fd, 0);
    ck_assert(log_open(path));
    return fd;
}

START_TEST(a_log_line_cannot_be_forged_by_what_it_quotes)
{
    char path[PATH_ROOM], text[512] = {0};
    int fd = log_to_file(path);

    log_notice("client said '%s'", "x\nforged\x1b[2J");
    log_info("not wanted at this level");
    ck_assert_int_gt(read(fd, text, sizeof(text) - 1), 0);
    ck_assert_ptr_nonnull(strstr(text, " notice client said 'x?forged?[2J'\n"));
    ck_assert_ptr_eq(strchr(text, '\n'), text + strlen(text) - 1);
    close(fd);
    unlink(path);
}
END_TEST

START_TEST(a_rotated_log_goes_on_in_a_new_file)
{
    char path[PATH_ROOM], moved[PATH_ROOM + 2], text[256] = {0};
    int fd = log_to_file(path);

    snprintf(moved, sizeof(moved), "%s.1", path);
    ck_assert_int_eq(rename(path, moved), 0);
    log_reopen();
    log_notice("after");
    close(fd);
    fd = open(path, O_RDONLY);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_gt(read(fd, text, sizeof(text) - 1), 0);
    ck_assert_ptr_nonnull(strstr(text, "after"));
    close(fd);
    unlink(path);
    unlink(moved);
}
END_TEST

START_TEST(what_a_peer_can_provoke_is_limited_per_second)
{
    struct log_limit limit = {0};
    int allowed = 0;

    for (int i = 0; i < 1000; i++)
        allowed += log_allowed(&limit, 5);
    ck_assert_int_ge(allowed, 5);
    ck_assert_int_le(allowed, 10); /* the thousand may straddle two seconds */
}
END_TEST

START_TEST(random_numbers_stay_below_their_limit_and_reach_all_of_it)
{
    unsigned seen = 0;

    for (int i = 0; i < 1000; i++) {
        uint32_t number = random_below(7);

        ck_assert_uint_lt(number, 7);
        seen |= 1u << number;
    }
    ck_assert_uint_eq(seen, 0x7f);
}
END_TEST

START_TEST(a_turn_keeps_its_time)
{
    uint64_t now_us = clock_refresh();

    while (clock_read_us() == now_us)
        ;
    ck_assert_uint_eq(clock_now_us(), now_us);
    ck_assert_uint_gt(clock_refresh(), now_us);
}
END_TEST

static void *note_mask(void *mask)
{
    pthread_sigmask(SIG_SETMASK, NULL, mask);
    return NULL;
}

START_TEST(signals_to_the_process_are_the_first_threads_and_faults_each_threads_own)
{
    sigset_t mask, ours;
    pthread_t thread;

    ck_assert(thread_start(&thread, note_mask, &mask));
    pthread_join(thread, NULL);
    pthread_sigmask(SIG_SETMASK, NULL, &ours);
    ck_assert(sigismember(&mask, SIGTERM) && sigismember(&mask, SIGHUP));
    ck_assert(!sigismember(&mask, SIGSEGV) && !sigismember(&mask, SIGABRT));
    ck_assert(!sigismember(&ours, SIGTERM));
}
END_TEST

static void add_tests(TCase *tests)
{
    tcase_add_test(tests, a_list_keeps_its_order_and_elements_leave_it_alone);
    tcase_add_test(tests, a_freelist_recycles_up_to_its_ceiling);
#ifdef LOCK_CHECKS
    tcase_add_test_raise_signal(tests, locks_taken_against_their_ranks_are_a_bug, SIGABRT);
#endif
    tcase_add_test(tests, trying_a_lock_never_waits);
    tcase_add_test(tests, a_log_line_cannot_be_forged_by_what_it_quotes);
    tcase_add_test(tests, a_rotated_log_goes_on_in_a_new_file);
    tcase_add_test(tests, what_a_peer_can_provoke_is_limited_per_second);
    tcase_add_test(tests, random_numbers_stay_below_their_limit_and_reach_all_of_it);
    tcase_add_test(tests, a_turn_keeps_its_time);
    tcase_add_test(tests, signals_to_the_process_are_the_first_threads_and_faults_each_threads_own);
}

UNIT_MAIN("base", add_tests(tests);)
