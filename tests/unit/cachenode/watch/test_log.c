#include <pthread.h>
#include <sched.h>

#include "cachenode/watch/log.h"
#include "tests/unit/unit.h"

enum { LOG_SIZE = 1024 };

static uint64_t numbers;
static struct watch_log log_a, log_b;
static char line[WATCH_LINE_MAX];

static void open_logs(void)
{
    numbers = 0;
    ck_assert(watch_log_open(&log_a, LOG_SIZE, &numbers));
    ck_assert(watch_log_open(&log_b, LOG_SIZE, &numbers));
}

static void close_logs(void)
{
    watch_log_close(&log_a);
    watch_log_close(&log_b);
}

static void note_get(struct watch_log *log, const char *key)
{
    struct watch_event event = {.type = WATCH_EVENT_ITEM_GET,
                                .status = WATCH_FOUND,
                                .class_id = 3,
                                .value_len = 17,
                                .text = str_of(key)};

    log->client_fd = 9;
    watch_note(log, &event);
}

/* The line without its time, which is checked for its form alone. */
static struct str line_of(struct watch_log *log)
{
    const struct watch_record *head = watch_log_head(log);
    size_t len;
    const char *rest;

    ck_assert_ptr_nonnull(head);
    len = watch_format(head, line);
    ck_assert(memcmp(line, "ts=", 3) == 0);
    rest = memchr(line, ' ', len);
    ck_assert_ptr_nonnull(rest);
    ck_assert_ptr_eq(memchr(line, '.', len), rest - 7);
    return (struct str){rest + 1, len - (size_t)(rest + 1 - line)};
}

START_TEST(an_event_comes_out_as_its_line)
{
    open_logs();
    note_get(&log_a, "a key/1");
    ck_assert_uint_gt(watch_log_begin(&log_a), 0);
    ck_assert_str_is(line_of(&log_a), "gid=1 type=item_get key=a%20key%2F1 status=found clsid=3 "
                                      "cfd=9 size=17\n");
    watch_log_pop(&log_a);
    ck_assert_ptr_null(watch_log_head(&log_a));
    close_logs();
}
END_TEST

static const struct {
    struct watch_event event;
    const char *line;
} shapes[] = {
    {{.type = WATCH_EVENT_ITEM_STORE,
      .status = WATCH_TOO_LARGE,
      .command = WATCH_BY_CAS,
      .ttl_s = -3,
      .value_len = 2000000,
      .text = {"k", 1}},
     "gid=1 type=item_store key=k status=too_large cmd=cas ttl=-3 clsid=0 cfd=5 size=2000000\n"},
    {{.type = WATCH_EVENT_EVICTION,
      .was_fetched = true,
      .ttl_s = -1,
      .idle_s = 12,
      .class_id = 4,
      .text = {"k", 1}},
     "gid=1 type=eviction key=k fetch=yes ttl=-1 la=12 clsid=4 size=0\n"},
    {{.type = WATCH_EVENT_DELETED, .command = WATCH_BY_MD, .class_id = 1, .text = {"\xff", 1}},
     "gid=1 type=deleted key=%FF cmd=md clsid=1 size=0\n"},
    {{.type = WATCH_EVENT_SLAB_MOVE, .text = {"src=1 dst=2", 11}},
     "gid=1 type=slab_move src=1 dst=2\n"},
};

START_TEST(each_event_has_the_fields_of_its_kind)
{
    open_logs();
    log_a.client_fd = 5;
    watch_note(&log_a, &shapes[_i].event);
    watch_log_begin(&log_a);
    ck_assert_str_is(line_of(&log_a), shapes[_i].line);
    close_logs();
}
END_TEST

START_TEST(the_longest_key_fits_in_a_line)
{
    struct watch_event event = {.type = WATCH_EVENT_ITEM_STORE,
                                .status = WATCH_NOT_STORED,
                                .command = WATCH_BY_PREPEND,
                                .class_id = 255,
                                .ttl_s = INT64_MIN,
                                .value_len = UINT32_MAX};
    char key[250];

    memset(key, '\n', sizeof(key));
    event.text = (struct str){key, sizeof(key)};
    open_logs();
    numbers = UINT64_MAX - 1;
    log_a.client_fd = INT32_MIN;
    watch_note(&log_a, &event);
    watch_log_begin(&log_a);
    ck_assert_uint_gt(line_of(&log_a).len, 750);
    close_logs();
}
END_TEST

START_TEST(what_does_not_fit_is_dropped_and_counted_and_later_there_is_room_again)
{
    unsigned fit = 0;

    open_logs();
    while (log_a.dropped == 0) {
        note_get(&log_a, "key");
        fit += log_a.dropped == 0;
    }
    ck_assert_uint_gt(fit, 5);
    note_get(&log_a, "lost");
    ck_assert_uint_eq(log_a.dropped, 2);
    ck_assert_uint_eq(log_a.noted, fit);
    ck_assert_uint_eq(numbers, fit); /* what is dropped has no number */
    watch_log_begin(&log_a);
    watch_log_head(&log_a);
    watch_log_pop(&log_a);
    note_get(&log_a, "new");
    ck_assert_uint_eq(log_a.dropped, 2);
    close_logs();
}
END_TEST

START_TEST(records_stay_whole_wherever_in_the_ring_they_begin)
{
    static const char *const keys[] = {"a", "four", "a-key-of-some-length"};

    open_logs();
    for (unsigned i = 0; i < 1000; i++) {
        const struct watch_record *head;

        note_get(&log_a, keys[i % 3]);
        watch_log_begin(&log_a);
        head = watch_log_head(&log_a);
        ck_assert_uint_eq(head->number, i + 1);
        ck_assert_str_is(head->event.text, keys[i % 3]);
        watch_log_pop(&log_a);
    }
    ck_assert_uint_eq(log_a.dropped, 0);
    close_logs();
}
END_TEST

START_TEST(a_round_ends_with_what_was_there_when_it_began)
{
    open_logs();
    note_get(&log_a, "before");
    watch_log_begin(&log_a);
    note_get(&log_a, "after");
    ck_assert_str_is(watch_log_head(&log_a)->event.text, "before");
    watch_log_pop(&log_a);
    ck_assert_ptr_null(watch_log_head(&log_a));
    watch_log_begin(&log_a);
    ck_assert_str_is(watch_log_head(&log_a)->event.text, "after");
    close_logs();
}
END_TEST

START_TEST(the_numbers_of_several_logs_tell_which_came_first)
{
    open_logs();
    note_get(&log_b, "first");
    note_get(&log_a, "second");
    watch_log_begin(&log_a);
    watch_log_begin(&log_b);
    ck_assert_uint_eq(watch_log_head(&log_b)->number, 1);
    ck_assert_uint_eq(watch_log_head(&log_a)->number, 2);
    close_logs();
}
END_TEST

START_TEST(only_what_is_wanted_is_made_a_text)
{
    open_logs();
    watch_note_text(&log_a, WATCH_EVENT_SLAB_MOVE, "src=%d dst=%d", 1, 2);
    ck_assert_uint_eq(log_a.noted, 0);
    log_a.wanted = WATCH_FETCHERS | WATCH_SYSEVENTS;
    ck_assert(watch_wants(&log_a, WATCH_SYSEVENTS));
    ck_assert(!watch_wants(&log_a, WATCH_MUTATIONS));
    watch_note_text(&log_a, WATCH_EVENT_SLAB_MOVE, "src=%d dst=%d", 1, 2);
    ck_assert_uint_eq(log_a.noted, 1);
    close_logs();
}
END_TEST

START_TEST(each_word_has_its_bit_and_others_have_none)
{
    ck_assert_uint_eq(watch_word_bit(STR("fetchers")), WATCH_FETCHERS);
    ck_assert_uint_eq(watch_word_bit(STR("deletions")), WATCH_DELETIONS);
    ck_assert_uint_eq(watch_word_bit(STR("proxyuser")), WATCH_PROXYUSER);
    ck_assert_uint_eq(watch_word_bit(STR("fetcher")), 0);
    ck_assert_uint_eq(watch_word_bit(STR("FETCHERS")), 0);
}
END_TEST

enum { MANY = 200000 };

static void *note_many(void *log)
{
    for (unsigned i = 0; i < MANY; i++)
        note_get(log, i % 2 == 0 ? "even" : "a-longer-odd-key");
    return NULL;
}

START_TEST(a_reader_sees_whole_records_in_order_while_they_are_written)
{
    uint64_t last = 0, seen = 0;
    bool is_done = false;
    pthread_t thread;

    open_logs();
    pthread_create(&thread, NULL, note_many, &log_a);
    while (!is_done) {
        const struct watch_record *head;

        is_done = __atomic_load_n(&log_a.noted, __ATOMIC_RELAXED) +
                      __atomic_load_n(&log_a.dropped, __ATOMIC_RELAXED) ==
                  MANY;
        watch_log_begin(&log_a);
        while ((head = watch_log_head(&log_a)) != NULL) {
            ck_assert_uint_gt(head->number, last);
            ck_assert(str_equal(head->event.text, STR("even")) ||
                      str_equal(head->event.text, STR("a-longer-odd-key")));
            last = head->number;
            seen++;
            watch_log_pop(&log_a);
        }
        sched_yield();
    }
    pthread_join(thread, NULL);
    ck_assert_uint_eq(seen, log_a.noted);
    close_logs();
}
END_TEST

UNIT_MAIN("cachenode/watch/log", tcase_add_test(tests, an_event_comes_out_as_its_line);
          tcase_add_loop_test(tests, each_event_has_the_fields_of_its_kind, 0,
                              sizeof(shapes) / sizeof(shapes[0]));
          tcase_add_test(tests, the_longest_key_fits_in_a_line);
          tcase_add_test(tests,
                         what_does_not_fit_is_dropped_and_counted_and_later_there_is_room_again);
          tcase_add_test(tests, records_stay_whole_wherever_in_the_ring_they_begin);
          tcase_add_test(tests, a_round_ends_with_what_was_there_when_it_began);
          tcase_add_test(tests, the_numbers_of_several_logs_tell_which_came_first);
          tcase_add_test(tests, only_what_is_wanted_is_made_a_text);
          tcase_add_test(tests, each_word_has_its_bit_and_others_have_none);
          tcase_add_test(tests, a_reader_sees_whole_records_in_order_while_they_are_written);)
