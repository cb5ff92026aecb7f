#include "tests/unit/cachenode/store/usual.h"

/* What a store tells who watches it. */

enum { ANY = WATCH_FETCHERS | WATCH_MUTATIONS | WATCH_EVICTIONS | WATCH_DELETIONS };

static struct store *store;
static struct store_user *user;
static uint64_t numbers;

static void open_store(uint32_t wanted)
{
    store = make_store(usual_options(8));
    user = store_user_create(store);
    ck_assert(watch_log_open(&user->log, 1 << 20, &numbers));
    user->log.wanted = wanted;
}

static void close_store(void)
{
    watch_log_close(&user->log);
    store_user_free(user);
    store_free(store);
}

static enum store_result put(const char *name, uint32_t value_len, uint32_t expires_at,
                             struct store_terms terms)
{
    struct str key = str_of(name);
    struct item_traits traits = {.expires_at = expires_at};
    struct item *item;
    size_t len;
    char *value;

    ck_assert_int_eq(store_reserve(user, key, &traits, value_len, &item), STORE_ROOM);
    len = store_value_piece(user, item, 0, &value);
    memset(value, 'x', len);
    return store_put(user, item, store_hash(key), &terms, NULL);
}

/* The next note, which is of this type. */
static const struct watch_event *next(enum watch_event_type type)
{
    static struct watch_event event;
    const struct watch_record *head;

    watch_log_begin(&user->log);
    head = watch_log_head(&user->log);
    ck_assert_ptr_nonnull(head);
    event = head->event;
    ck_assert_uint_eq(event.type, type);
    watch_log_pop(&user->log);
    return &event;
}

static void assert_no_more(void)
{
    watch_log_begin(&user->log);
    ck_assert_ptr_null(watch_log_head(&user->log));
}

START_TEST(a_look_up_is_noted_as_found_flushed_expired_or_neither)
{
    open_store(WATCH_FETCHERS);
    ck_assert(!store_has(user, "k"));
    ck_assert_uint_eq(next(WATCH_EVENT_ITEM_GET)->status, WATCH_NOT_FOUND);
    put("k", 7, 0, (struct store_terms){.mode = STORE_SET});
    ck_assert_uint_eq(next(WATCH_EVENT_ITEM_GET)->status, WATCH_NOT_FOUND);
    ck_assert(store_has(user, "k"));
    ck_assert_uint_eq(next(WATCH_EVENT_ITEM_GET)->status, WATCH_FOUND);
    store_flush(store, 0);
    ck_assert(!store_has(user, "k"));
    ck_assert_uint_eq(next(WATCH_EVENT_ITEM_GET)->status, WATCH_FLUSHED);
    put("k", 7, 1, (struct store_terms){.mode = STORE_SET});
    next(WATCH_EVENT_ITEM_GET);
    ck_assert(!store_has(user, "k"));
    ck_assert_uint_eq(next(WATCH_EVENT_ITEM_GET)->status, WATCH_EXPIRED);
    assert_no_more();
    close_store();
}
END_TEST

START_TEST(looking_again_is_not_noted)
{
    struct str key = STR("k");

    open_store(ANY);
    ck_assert_ptr_null(store_find_again(user, key, store_hash(key)));
    assert_no_more();
    close_store();
}
END_TEST

START_TEST(a_join_is_noted_once_with_the_length_of_the_whole)
{
    const struct watch_event *event;

    open_store(ANY);
    put("k", 7, 0, (struct store_terms){.mode = STORE_SET});
    next(WATCH_EVENT_ITEM_GET);
    next(WATCH_EVENT_ITEM_STORE);
    put("k", 3, 0, (struct store_terms){.mode = STORE_APPEND});
    next(WATCH_EVENT_ITEM_GET);
    event = next(WATCH_EVENT_ITEM_STORE);
    ck_assert_uint_eq(event->status, WATCH_STORED);
    ck_assert_uint_eq(event->command, WATCH_BY_APPEND);
    ck_assert_uint_eq(event->value_len, 10);
    assert_no_more();
    close_store();
}
END_TEST

START_TEST(a_store_that_fails_is_noted_with_the_reason)
{
    const struct watch_event *event;

    open_store(WATCH_MUTATIONS);
    put("k", 7, 0, (struct store_terms){.mode = STORE_REPLACE});
    ck_assert_uint_eq(next(WATCH_EVENT_ITEM_STORE)->status, WATCH_NOT_STORED);
    put("k", 7, 0, (struct store_terms){.mode = STORE_SET, .compares = true, .cas = 5});
    event = next(WATCH_EVENT_ITEM_STORE);
    ck_assert_uint_eq(event->status, WATCH_NOT_FOUND);
    ck_assert_uint_eq(event->command, WATCH_BY_CAS);
    put("k", 7, 0, (struct store_terms){.mode = STORE_SET});
    ck_assert_uint_eq(next(WATCH_EVENT_ITEM_STORE)->status, WATCH_STORED);
    put("k", 7, 0, (struct store_terms){.mode = STORE_SET, .compares = true, .cas = 999});
    ck_assert_uint_eq(next(WATCH_EVENT_ITEM_STORE)->status, WATCH_EXISTS);
    store_note_refused(user, STR("k"), &(struct store_terms){.mode = STORE_ADD},
                       &(struct item_traits){.expires_at = 0}, 99, STORE_NO_MEMORY);
    event = next(WATCH_EVENT_ITEM_STORE);
    ck_assert_uint_eq(event->status, WATCH_NO_MEMORY);
    ck_assert_uint_eq(event->command, WATCH_BY_ADD);
    ck_assert_uint_eq(event->value_len, 99);
    assert_no_more();
    close_store();
}
END_TEST

START_TEST(every_eviction_is_noted)
{
    struct store_class class = {0};
    uint64_t evicted = 0;

    open_store(WATCH_EVICTIONS);
    for (int i = 0; i < 12000; i++) {
        char name[16];

        snprintf(name, sizeof(name), "k%d", i);
        put(name, 1000, i % 2 == 0 ? 0 : 1000, (struct store_terms){.mode = STORE_SET});
    }
    for (unsigned i = 1; i <= store_class_count(store); i++) {
        store_class(store, i, &class);
        evicted += class.metrics.evicted;
    }
    ck_assert_uint_gt(evicted, 1000);
    ck_assert_uint_eq(user->log.noted, evicted);
    for (uint64_t i = 0; i < evicted; i++) {
        const struct watch_event *event = next(WATCH_EVENT_EVICTION);
        unsigned last_digit = (unsigned)(event->text.data[event->text.len - 1] - '0');

        ck_assert_uint_eq(event->value_len, 1000);
        ck_assert(!event->was_fetched);
        ck_assert_int_eq(event->ttl_s, last_digit % 2 == 0 ? -1 : 1000 - (int)store_now(store));
    }
    assert_no_more();
    close_store();
}
END_TEST

START_TEST(what_nobody_wants_is_not_noted)
{
    open_store(0);
    put("k", 7, 0, (struct store_terms){.mode = STORE_SET});
    store_has(user, "k");
    store_delete(user, STR("k"), store_hash(STR("k")));
    ck_assert_uint_eq(user->log.noted, 0);
    user->log.wanted = WATCH_DELETIONS;
    put("k", 7, 0, (struct store_terms){.mode = STORE_SET});
    store_delete(user, STR("k"), store_hash(STR("k")));
    ck_assert_uint_eq(next(WATCH_EVENT_DELETED)->command, WATCH_BY_DELETE);
    assert_no_more();
    close_store();
}
END_TEST

UNIT_MAIN("store/note",
          tcase_add_test(tests, a_look_up_is_noted_as_found_flushed_expired_or_neither);
          tcase_add_test(tests, looking_again_is_not_noted);
          tcase_add_test(tests, a_join_is_noted_once_with_the_length_of_the_whole);
          tcase_add_test(tests, a_store_that_fails_is_noted_with_the_reason);
          tcase_add_test(tests, every_eviction_is_noted);
          tcase_add_test(tests, what_nobody_wants_is_not_noted);)
