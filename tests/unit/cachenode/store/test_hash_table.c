#include <stdio.h>

#include "cachenode/store/hash_table.h"
#include "tests/unit/unit.h"

enum { ITEMS = 500 };

static struct slab slab;
static struct magazine magazine;
static struct hash_table table;
static struct item *items[ITEMS];
static uint32_t hashes[ITEMS];

static struct item *make_item(unsigned number)
{
    struct item *item = slab_take(&slab, &magazine, 1);

    item->key_len = (uint8_t)sprintf(item->data, "key-%u", number);
    return item;
}

/* The test says what a key hashes to. */
static uint32_t hash_of(struct str key)
{
    unsigned number;

    ck_assert_int_eq(sscanf(key.data, "key-%u", &number), 1);
    return hashes[number];
}

static void open_table_of(bool is_fixed)
{
    const char *error;

    ck_assert(slab_init(
        &slab,
        &(struct slab_options){
            .memory_bytes = 16 << 20, .min_size = 48, .factor = 1.25, .chunk_max = CHUNK_LIMIT},
        &error));
    magazine_init(&slab, 1, &magazine);
    ck_assert(hash_table_init(&table, &slab, 12, is_fixed, 1 << 20));
    for (unsigned i = 0; i < ITEMS; i++)
        items[i] = make_item(i);
}

static void open_table(void)
{
    open_table_of(false);
}

static void close_table(void)
{
    hash_table_free(&table);
    slab_free(&slab);
}

static void add_all(void)
{
    for (unsigned i = 0; i < ITEMS; i++)
        ck_assert(hash_table_add(&table, items[i], hashes[i]));
}

static void check_all_found(void)
{
    for (unsigned i = 0; i < ITEMS; i++) {
        ck_assert_ptr_eq(hash_table_find(&table, item_key(items[i]), hashes[i]), items[i]);
        ck_assert(hash_table_has(&table, items[i], hashes[i]));
    }
}

START_TEST(what_was_added_is_found_until_it_is_removed)
{
    open_table();
    for (uint32_t i = 0; i < ITEMS; i++)
        hashes[i] = i * 2654435761u;
    add_all();
    check_all_found();
    hash_table_remove(&table, items[7], hashes[7]);
    ck_assert_ptr_null(hash_table_find(&table, item_key(items[7]), hashes[7]));
    ck_assert(!hash_table_has(&table, items[7], hashes[7]));
    close_table();
}
END_TEST

START_TEST(keys_of_one_bucket_and_one_tag_are_told_apart)
{
    uint64_t full, empty;

    open_table();
    for (uint32_t i = 0; i < ITEMS; i++)
        hashes[i] = 5;
    empty = hash_table_bytes(&table);
    add_all();
    check_all_found();
    full = hash_table_bytes(&table);
    ck_assert_uint_gt(full, empty);
    for (unsigned i = 0; i < ITEMS; i++)
        hash_table_remove(&table, items[i], hashes[i]);
    add_all();
    check_all_found();
    ck_assert_uint_eq(hash_table_bytes(&table), full);
    close_table();
}
END_TEST

START_TEST(a_bucket_with_room_of_its_own_needs_no_spares)
{
    open_table();
    for (uint32_t i = 0; i < ITEMS; i++)
        hashes[i] = 5;
    add_all();
    for (unsigned i = 0; i < ITEMS - BUCKET_SLOTS; i++)
        hash_table_remove(&table, items[i], hashes[i]);
    ck_assert_uint_eq(table.buckets[5].overflow, 0);
    for (unsigned i = ITEMS - BUCKET_SLOTS; i < ITEMS; i++)
        ck_assert_ptr_eq(hash_table_find(&table, item_key(items[i]), 5), items[i]);
    close_table();
}
END_TEST

START_TEST(any_tag_is_found_and_a_free_slot_never_is)
{
    open_table();
    for (uint32_t i = 0; i < ITEMS; i++)
        hashes[i] = (i % 256) << 24 | i;
    add_all();
    check_all_found();
    for (uint32_t tag = 0; tag < 256; tag++)
        ck_assert_ptr_null(hash_table_find(&table, STR("absent"), tag << 24 | 1));
    close_table();
}
END_TEST

START_TEST(another_item_takes_the_place_of_one)
{
    struct item *with;

    open_table();
    for (uint32_t i = 0; i < ITEMS; i++)
        hashes[i] = i % 3;
    add_all();
    with = make_item(11);
    hash_table_replace(&table, items[11], with, hashes[11]);
    ck_assert_ptr_eq(hash_table_find(&table, STR("key-11"), hashes[11]), with);
    ck_assert_uint_eq(table.item_count, ITEMS);
    close_table();
}
END_TEST

/* There another bit of the hash comes into play. */
static bool is_next_to_power_of_two(uint32_t count)
{
    uint32_t power = UINT32_C(1) << (31 - __builtin_clz(count + 1));

    return count + 1 - power <= 2;
}

START_TEST(a_bucket_that_is_split_loses_nothing)
{
    open_table();
    for (uint32_t i = 0; i < ITEMS; i++)
        hashes[i] = 3 + i * STRIPE_COUNT;
    add_all();
    for (unsigned i = 0; i < 5000; i++) {
        hash_table_grow(&table, hash_of);
        if (is_next_to_power_of_two(table.bucket_count))
            check_all_found();
    }
    check_all_found();
    ck_assert(!hash_table_is_crowded(&table));
    close_table();
}
END_TEST

START_TEST(a_table_of_fixed_size_is_never_too_crowded)
{
    open_table_of(true);
    for (uint32_t i = 0; i < ITEMS; i++)
        hashes[i] = i % 2;
    table.item_count = (uint64_t)table.bucket_count * 100;
    ck_assert(!hash_table_is_crowded(&table));
    hash_table_expect(&table, 1 << 20);
    ck_assert_uint_eq(table.bucket_count, STRIPE_COUNT);
    add_all();
    check_all_found();
    close_table();
}
END_TEST

UNIT_MAIN("hash table", tcase_add_test(tests, what_was_added_is_found_until_it_is_removed);
          tcase_add_test(tests, keys_of_one_bucket_and_one_tag_are_told_apart);
          tcase_add_test(tests, a_bucket_with_room_of_its_own_needs_no_spares);
          tcase_add_test(tests, any_tag_is_found_and_a_free_slot_never_is);
          tcase_add_test(tests, another_item_takes_the_place_of_one);
          tcase_add_test(tests, a_bucket_that_is_split_loses_nothing);
          tcase_add_test(tests, a_table_of_fixed_size_is_never_too_crowded);)
