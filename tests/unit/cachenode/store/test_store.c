#include <errno.h>
#include <pthread.h>
#include <stdio.h>

#include "tests/unit/cachenode/store/usual.h"

static struct store *store;
static struct store_user *user;

static void open_store(uint64_t memory_mb, bool evictions)
{
    struct store_options options = usual_options(memory_mb);

    options.evictions = evictions;
    store = make_store(options);
    user = store_user_create(store);
}

static void close_store(void)
{
    store_user_free(user);
    store_free(store);
}

static enum store_result put(const char *name, struct str value, enum store_mode mode)
{
    struct str key = str_of(name);
    struct item *item;
    size_t done = 0;

    if (store_reserve(user, key, &(struct item_traits){.flags = 7}, (uint32_t)value.len, &item) !=
        STORE_ROOM)
        return STORE_OUT_OF_MEMORY;
    while (done < value.len) {
        char *piece;
        size_t len = store_value_piece(user, item, done, &piece);

        memcpy(piece, value.data + done, len);
        done += len;
    }
    return store_put(user, item, store_hash(key), &(struct store_terms){.mode = mode}, NULL);
}

/* Whether the key has just this value. */
static bool holds(const char *name, struct str value)
{
    struct str key = str_of(name);
    uint32_t hash = store_hash(key);
    struct item *item = store_get(user, key, hash, NULL);
    bool is_same;
    size_t done = 0;

    if (item == NULL)
        return false;
    is_same = item->value_len == value.len && item_flags(item) == 7;
    while (is_same && done < value.len) {
        char *piece;
        size_t len = store_value_piece(user, item, done, &piece);

        is_same = memcmp(piece, value.data + done, len) == 0;
        done += len;
    }
    store_get_end(user, hash);
    return is_same;
}

START_TEST(values_of_every_size_come_back)
{
    static char big[1040000];

    for (size_t i = 0; i < sizeof(big); i++)
        big[i] = (char)(i * 11 + i / 253);
    open_store(64, true);
    for (size_t len = 0; len < sizeof(big); len = len * 3 / 2 + 1) {
        ck_assert_int_eq(put("k", (struct str){big, len}, STORE_SET), STORE_STORED);
        ck_assert(holds("k", (struct str){big, len}));
    }
    close_store();
}
END_TEST

START_TEST(what_is_too_large_is_refused_by_memcacheds_rule)
{
    static char big[1 << 20];
    struct item *item;

    open_store(64, true);
    ck_assert_int_eq(put("foo", (struct str){big, 1048510}, STORE_SET), STORE_STORED);
    ck_assert_int_eq(store_reserve(user, STR("foo"), &(struct item_traits){0}, 1048515, &item),
                     STORE_TOO_LARGE);
    ck_assert_uint_eq(user->metrics.store_too_large, 1);
    close_store();
}
END_TEST

START_TEST(add_replace_append_and_prepend_mind_what_is_there)
{
    open_store(64, true);
    ck_assert_int_eq(put("k", STR("x"), STORE_REPLACE), STORE_NOT_STORED);
    ck_assert_int_eq(put("k", STR("x"), STORE_APPEND), STORE_NOT_STORED);
    ck_assert_int_eq(put("k", STR("m"), STORE_ADD), STORE_STORED);
    ck_assert_int_eq(put("k", STR("n"), STORE_ADD), STORE_NOT_STORED);
    ck_assert_int_eq(put("k", STR(">>"), STORE_APPEND), STORE_STORED);
    ck_assert_int_eq(put("k", STR("<<"), STORE_PREPEND), STORE_STORED);
    ck_assert(holds("k", STR("<<m>>")));
    close_store();
}
END_TEST

START_TEST(a_number_is_padded_in_place_and_wraps)
{
    struct str key = STR("n");
    uint32_t hash = store_hash(key);
    uint64_t value = 0;

    open_store(64, true);
    put("n", STR("10"), STORE_SET);
    ck_assert_int_eq(store_add_number(user, key, hash, 1, true, &value), STORE_STORED);
    ck_assert_uint_eq(value, 9);
    ck_assert(holds("n", STR("9 ")));
    ck_assert_int_eq(store_add_number(user, key, hash, 100, true, &value), STORE_STORED);
    ck_assert_uint_eq(value, 0);
    put("n", STR("18446744073709551615"), STORE_SET);
    ck_assert_int_eq(store_add_number(user, key, hash, 2, false, &value), STORE_STORED);
    ck_assert_uint_eq(value, 1);
    put("n", STR("1x"), STORE_SET);
    ck_assert_int_eq(store_add_number(user, key, hash, 1, false, &value), STORE_NOT_A_NUMBER);
    put("n", STR(""), STORE_SET);
    ck_assert_int_eq(store_add_number(user, key, hash, 1, false, &value), STORE_NOT_A_NUMBER);
    close_store();
}
END_TEST

static const struct {
    struct str value;
    bool is_number;
} numbers[] = {
    {{"12", 2}, true},
    {{"12 ", 3}, true},
    {{"12 x", 4}, true},
    {{"12\0x", 4}, true},
    {{" \n12", 4}, true},
    {{"+12", 3}, true},
    {{"", 0}, false},
    {{"\0"
      "12",
      3},
     false},
    {{"12x", 3}, false},
    {{"-12", 3}, false},
    {{" ", 1}, false},
    {{"12\xa0", 3}, false},
};

START_TEST(a_number_ends_at_a_space_or_a_nul)
{
    struct str key = STR("n");
    uint64_t value = 0;

    open_store(8, true);
    put("n", numbers[_i].value, STORE_SET);
    ck_assert_int_eq(store_add_number(user, key, store_hash(key), 1, false, &value),
                     numbers[_i].is_number ? STORE_STORED : STORE_NOT_A_NUMBER);
    ck_assert_uint_eq(value, numbers[_i].is_number ? 13 : 0);
    close_store();
}
END_TEST

START_TEST(a_flush_hides_what_was_stored_before_and_nothing_later)
{
    open_store(64, true);
    put("old", STR("x"), STORE_SET);
    store_flush(store, 0);
    put("new", STR("x"), STORE_SET);
    ck_assert(!store_has(user, "old"));
    ck_assert(store_has(user, "new"));
    ck_assert_uint_eq(user->metrics.get_flushed, 1);
    close_store();
}
END_TEST

START_TEST(an_immediate_flush_leaves_a_waiting_one_in_force)
{
    open_store(64, true);
    store_flush(store, store_now(store) + 1);
    store_flush(store, store_now(store) + 100);
    store_flush(store, 0);
    put("k", STR("x"), STORE_SET);
    ck_assert(store_has(user, "k"));
    for (uint32_t start = store_now(store); store_now(store) == start;)
        store_tick(store);
    ck_assert(!store_has(user, "k"));
    close_store();
}
END_TEST

START_TEST(an_item_that_is_over_is_not_found_and_its_memory_is_reclaimed)
{
    struct store_totals totals;
    struct str key = STR("k");

    open_store(64, true);
    put("k", STR("x"), STORE_SET);
    store_touch(user, key, store_hash(key), store_expiry(store, -1));
    put("l", STR("x"), STORE_SET);
    while (store_crawl(user))
        ;
    store_totals(store, &totals);
    ck_assert_uint_eq(totals.items, 1);
    ck_assert_uint_eq(totals.crawler_reclaimed, 1);
    ck_assert(!store_has(user, "k"));
    close_store();
}
END_TEST

START_TEST(a_full_store_evicts_the_oldest_and_keeps_the_newest)
{
    static char value[10000];
    struct store_totals totals;
    char name[32];

    open_store(10, true);
    for (int i = 0; i < 5000; i++) {
        snprintf(name, sizeof(name), "key%d", i);
        ck_assert_int_eq(put(name, (struct str){value, sizeof(value)}, STORE_SET), STORE_STORED);
    }
    ck_assert(store_has(user, "key4999"));
    ck_assert(store_has(user, "key4500"));
    ck_assert(!store_has(user, "key0"));
    store_totals(store, &totals);
    ck_assert_uint_gt(totals.evictions, 3000);
    ck_assert_uint_le(totals.malloced, 11 << 20);
    close_store();
}
END_TEST

/* How an item stands; far below all others when it is not there. */
static int worth_of(const char *name)
{
    struct str key = str_of(name);
    uint32_t hash = store_hash(key);
    struct item *item = store_find(user, key, hash);
    int worth = -1000;

    if (item != NULL) {
        worth = score_worth(item->score, store_clock(store));
        store_get_end(user, hash);
    }
    return worth;
}

/* Stores what is never asked for, many times what there is memory for. */
static void store_in_passing(const char *prefix, int count)
{
    static char value[1000];
    char name[32];

    for (int i = 0; i < count; i++) {
        snprintf(name, sizeof(name), "%s%d", prefix, i);
        ck_assert_int_eq(put(name, (struct str){value, sizeof(value)}, STORE_SET), STORE_STORED);
    }
}

START_TEST(of_what_is_loaded_once_the_newest_stay)
{
    int found = 0;
    char name[32];

    open_store(8, true);
    store_in_passing("key", 15000);
    for (int i = 0; i < 3000; i++) {
        snprintf(name, sizeof(name), "key%d", 14999 - i);
        found += store_has(user, name);
    }
    ck_assert_int_gt(found, 2950);
    close_store();
}
END_TEST

START_TEST(what_comes_back_is_worth_more_than_what_is_new)
{
    static char value[1000];
    int returned = 0;
    char name[32];

    open_store(4, true);
    store_in_passing("first", 20000);
    ck_assert_int_lt(worth_of("first19999"), -24);
    for (int i = 0; i < 10000 && returned < 10; i++) {
        snprintf(name, sizeof(name), "first%d", 16000 - i);
        if (store_has(user, name))
            continue;
        put(name, (struct str){value, sizeof(value)}, STORE_SET);
        returned += worth_of(name) >= 0;
    }
    ck_assert_int_eq(returned, 10);
    close_store();
}
END_TEST

START_TEST(what_is_used_survives_what_passes_by)
{
    static char value[1000];
    char name[32];
    int found = 0;

    open_store(4, true);
    store_in_passing("first", 20000);
    for (int i = 0; i < 1000; i++) {
        snprintf(name, sizeof(name), "used%d", i);
        put(name, (struct str){value, sizeof(value)}, STORE_SET);
        ck_assert(store_has(user, name));
    }
    store_in_passing("second", 20000);
    for (int i = 0; i < 1000; i++) {
        snprintf(name, sizeof(name), "used%d", i);
        found += store_has(user, name);
    }
    ck_assert_int_gt(found, 900);
    close_store();
}
END_TEST

START_TEST(where_the_least_recent_go_first_nothing_is_worth_less_for_being_new)
{
    struct store_tuning tuning;

    open_store(4, true);
    store_get_tuning(store, &tuning);
    tuning.is_segmented = 0;
    store_set_tuning(store, &tuning);
    store_in_passing("first", 20000);
    ck_assert_int_ge(worth_of("first19999"), -1);
    close_store();
}
END_TEST

START_TEST(without_evictions_a_full_store_refuses_and_loses_nothing)
{
    static char value[10000];
    char name[32];
    int stored = 0;

    open_store(10, false);
    for (;; stored++) {
        snprintf(name, sizeof(name), "key%d", stored);
        if (put(name, (struct str){value, sizeof(value)}, STORE_SET) != STORE_STORED)
            break;
    }
    ck_assert_int_gt(stored, 500);
    for (int i = 0; i < stored; i++) {
        snprintf(name, sizeof(name), "key%d", i);
        ck_assert(store_has(user, name));
    }
    ck_assert_uint_eq(user->metrics.store_no_memory, 1);
    close_store();
}
END_TEST

START_TEST(the_index_grows_and_every_key_stays_found)
{
    struct store_totals totals;
    char name[32];

    open_store(64, true);
    for (int i = 0; i < 60000; i++) {
        snprintf(name, sizeof(name), "key%d", i);
        put(name, STR("x"), STORE_SET);
        if (i % 1000 == 0)
            store_grow(user);
    }
    while (store_grow(user))
        ;
    store_totals(store, &totals);
    ck_assert_uint_gt(totals.hash_bytes, 60000 / 10 * 64);
    for (int i = 0; i < 60000; i++) {
        snprintf(name, sizeof(name), "key%d", i);
        ck_assert(store_has(user, name));
    }
    close_store();
}
END_TEST

/* Each thread owns a counter of each key: increments of all must add up. */
enum { THREADS = 4, ROUNDS = 5000, SHARED_KEYS = 10 };

static void *add_up(void *arg)
{
    struct store_user *mine = store_user_create(store);

    (void)arg;
    for (int i = 0; i < ROUNDS; i++) {
        char name[] = "n0";
        struct str key = {name, 2};
        uint64_t value;

        name[1] = (char)('0' + i % SHARED_KEYS);
        ck_assert_int_eq(store_add_number(mine, key, store_hash(key), 1, false, &value),
                         STORE_STORED);
    }
    store_user_free(mine);
    return NULL;
}

START_TEST(increments_of_many_threads_add_up_while_the_lists_are_balanced)
{
    pthread_t threads[THREADS];
    struct str key = STR("n0");
    uint64_t value = 0;

    open_store(64, true);
    for (int i = 0; i < SHARED_KEYS; i++) {
        char name[] = {'n', (char)('0' + i), '\0'};

        put(name, STR("0"), STORE_SET);
    }
    for (int i = 0; i < THREADS; i++)
        pthread_create(&threads[i], NULL, add_up, NULL);
    for (int i = 0; i < 200; i++) {
        struct store_class class;

        store_balance(user);
        store_crawl(user);
        store_class(store, 1, &class);
    }
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    ck_assert_int_eq(store_add_number(user, key, store_hash(key), 0, false, &value), STORE_STORED);
    ck_assert_uint_eq(value, THREADS * ROUNDS / SHARED_KEYS);
    close_store();
}
END_TEST

/* --- a size that has nothing, while another has all memory --- */

static char large[500000];

static void fill(void)
{
    for (int i = 0; i < 200000; i++) {
        char name[16];

        snprintf(name, sizeof(name), "k%d", i);
        ck_assert_int_eq(put(name, STR("small"), STORE_SET), STORE_STORED);
    }
    memset(large, 'x', sizeof(large));
}

static void fill_with_small(void)
{
    open_store(8, true);
    fill();
}

static void *put_large(void *result)
{
    *(enum store_result *)result = put("large", (struct str){large, sizeof(large)}, STORE_SET);
    return NULL;
}

START_TEST(who_has_nothing_to_evict_waits_for_who_is_moving_pages)
{
    enum store_result result = STORE_OUT_OF_MEMORY;
    pthread_t thread;

    fill_with_small();
    lock_take(&store->mover.lock);
    ck_assert_int_eq(pthread_create(&thread, NULL, put_large, &result), 0);
    while (__atomic_load_n(&store->mover.lock.state, __ATOMIC_ACQUIRE) != LOCK_WAITED_FOR)
        ck_assert_int_eq(pthread_tryjoin_np(thread, NULL), EBUSY);
    lock_give(&store->mover.lock);
    pthread_join(thread, NULL);
    ck_assert_int_eq(result, STORE_STORED);
    ck_assert(holds("large", (struct str){large, sizeof(large)}));
    close_store();
}
END_TEST

START_TEST(a_page_that_is_on_its_way_does_not_keep_others_from_moving)
{
    fill_with_small();
    ck_assert_int_eq(store_reassign(user, -1, 9), STORE_REASSIGN_OK);
    ck_assert_uint_ne(store->mover.page, 0);
    ck_assert_int_eq(put("large", (struct str){large, sizeof(large)}, STORE_SET), STORE_STORED);
    ck_assert(holds("large", (struct str){large, sizeof(large)}));
    close_store();
}
END_TEST

START_TEST(where_no_page_can_be_vacated_another_size_gives_one)
{
    enum { STALLED = 12, LEN = 20000 };
    struct item *stalled[STALLED];

    /* Two values on their way, each alone on its page: much is free there, and nothing to have. */
    open_store(8, true);
    for (int i = 0; i < STALLED; i++)
        ck_assert_int_eq(
            store_reserve(user, STR("stalled"), &(struct item_traits){0}, LEN, &stalled[i]),
            STORE_ROOM);
    for (int i = 1; i < STALLED - 1; i++)
        store_release(user, stalled[i]);
    fill();
    store_move_pages(user);
    ck_assert_int_eq(put("large", (struct str){large, sizeof(large)}, STORE_SET), STORE_STORED);
    ck_assert(holds("large", (struct str){large, sizeof(large)}));
    store_release(user, stalled[0]);
    store_release(user, stalled[STALLED - 1]);
    close_store();
}
END_TEST

UNIT_MAIN("store", tcase_add_test(tests, values_of_every_size_come_back);
          tcase_add_test(tests, what_is_too_large_is_refused_by_memcacheds_rule);
          tcase_add_test(tests, add_replace_append_and_prepend_mind_what_is_there);
          tcase_add_test(tests, a_number_is_padded_in_place_and_wraps);
          tcase_add_loop_test(tests, a_number_ends_at_a_space_or_a_nul, 0,
                              (int)(sizeof(numbers) / sizeof(numbers[0])));
          tcase_add_test(tests, a_flush_hides_what_was_stored_before_and_nothing_later);
          tcase_add_test(tests, an_immediate_flush_leaves_a_waiting_one_in_force);
          tcase_add_test(tests, an_item_that_is_over_is_not_found_and_its_memory_is_reclaimed);
          tcase_add_test(tests, a_full_store_evicts_the_oldest_and_keeps_the_newest);
          tcase_add_test(tests, of_what_is_loaded_once_the_newest_stay);
          tcase_add_test(tests, what_comes_back_is_worth_more_than_what_is_new);
          tcase_add_test(tests, what_is_used_survives_what_passes_by);
          tcase_add_test(tests,
                         where_the_least_recent_go_first_nothing_is_worth_less_for_being_new);
          tcase_add_test(tests, without_evictions_a_full_store_refuses_and_loses_nothing);
          tcase_add_test(tests, the_index_grows_and_every_key_stays_found);
          tcase_add_test(tests, increments_of_many_threads_add_up_while_the_lists_are_balanced);
          tcase_add_test(tests, who_has_nothing_to_evict_waits_for_who_is_moving_pages);
          tcase_add_test(tests, a_page_that_is_on_its_way_does_not_keep_others_from_moving);
          tcase_add_test(tests, where_no_page_can_be_vacated_another_size_gives_one);)
