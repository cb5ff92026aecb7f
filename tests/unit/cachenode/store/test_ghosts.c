#include "cachenode/store/ghosts.h"
#include "cachenode/store/score.h"
#include "tests/unit/unit.h"

enum { BUCKETS = 1024, CLOCK = 100 };

static struct ghosts ghosts;

static void open_ghosts(void)
{
    ck_assert(ghosts_init(&ghosts, BUCKETS));
}

static void close_ghosts(void)
{
    ghosts_free(&ghosts);
}

/* One after another of a bucket, as a hash function would make them. */
static uint32_t hash_number(uint32_t bucket, uint32_t number)
{
    return number * UINT32_C(2654435761) / BUCKETS * BUCKETS + bucket;
}

static void add(uint32_t bucket, uint32_t number, int worth)
{
    ghosts_add(&ghosts, bucket, hash_number(bucket, number), (uint8_t)(CLOCK + worth), CLOCK);
}

static enum ghost find(uint32_t bucket, uint32_t number, uint8_t clock, int *worth)
{
    uint8_t score = 0;
    enum ghost ghost = ghosts_find(&ghosts, bucket, hash_number(bucket, number), clock, &score);

    *worth = score_worth(score, clock);
    return ghost;
}

START_TEST(what_was_evicted_is_found_with_its_worth_and_fades)
{
    int worth;

    for (uint32_t bucket = 0; bucket < BUCKETS; bucket++) {
        add(bucket, bucket, -10);
        ck_assert_int_eq(find(bucket, bucket, CLOCK, &worth), GHOST_FOUND);
        ck_assert_int_eq(worth, -10);
        ck_assert_int_eq(find(bucket, bucket, CLOCK + 20, &worth), GHOST_FOUND);
        ck_assert_int_eq(worth, -30);
    }
}
END_TEST

START_TEST(evicted_again_it_has_its_new_worth_alone)
{
    int worth;

    add(5, 1, 30);
    add(5, 1, -20);
    ck_assert_int_eq(find(5, 1, CLOCK, &worth), GHOST_FOUND);
    ck_assert_int_eq(worth, -20);
}
END_TEST

START_TEST(where_little_was_evicted_nothing_is_known)
{
    int worth;

    ck_assert_int_eq(find(7, 1, CLOCK, &worth), GHOST_UNKNOWN);
    for (uint32_t number = 0; number < 100; number++)
        add(7, number, 0);
    ck_assert_int_eq(find(8, 1, CLOCK, &worth), GHOST_UNKNOWN);
    ck_assert_int_eq(find(7, 1000, CLOCK, &worth), GHOST_ABSENT);
}
END_TEST

/* A flood of what is worth little goes through as few cells as possible. */
START_TEST(the_worthy_stay_when_many_others_come)
{
    int worth, found = 0;

    for (uint32_t bucket = 0; bucket < BUCKETS; bucket++) {
        add(bucket, 0, 10);
        for (uint32_t number = 1; number < 30; number++)
            add(bucket, number, -40);
        found += find(bucket, 0, CLOCK, &worth) == GHOST_FOUND && worth == 10;
    }
    ck_assert_int_gt(found, BUCKETS * 8 / 10);
}
END_TEST

START_TEST(others_are_seldom_mistaken_for_it)
{
    int worth, mistaken = 0;

    for (uint32_t bucket = 0; bucket < BUCKETS; bucket++) {
        for (uint32_t number = 0; number < 30; number++)
            add(bucket, number, 0);
        for (uint32_t number = 1000; number < 1010; number++)
            mistaken += find(bucket, number, CLOCK, &worth) == GHOST_FOUND;
    }
    ck_assert_int_lt(mistaken, BUCKETS * 10 / 50);
}
END_TEST

/* Twice round the clock it would be worth more than it ever was. */
START_TEST(what_the_clock_has_overtaken_is_forgotten)
{
    int worth;

    add(3, 1, 0);
    ck_assert_int_ne(find(3, 1, (uint8_t)(CLOCK + 150), &worth), GHOST_FOUND);
}
END_TEST

UNIT_MAIN("ghosts", tcase_add_checked_fixture(tests, open_ghosts, close_ghosts);
          tcase_add_test(tests, what_was_evicted_is_found_with_its_worth_and_fades);
          tcase_add_test(tests, evicted_again_it_has_its_new_worth_alone);
          tcase_add_test(tests, where_little_was_evicted_nothing_is_known);
          tcase_add_test(tests, the_worthy_stay_when_many_others_come);
          tcase_add_test(tests, others_are_seldom_mistaken_for_it);
          tcase_add_test(tests, what_the_clock_has_overtaken_is_forgotten);)
