#include "cachenode/store/score.h"
#include "tests/unit/unit.h"

static struct score_table table;

/* The score after so many uses at once. */
static uint8_t used_often(uint8_t score, uint8_t clock, unsigned uses)
{
    for (unsigned i = 0; i < uses; i++)
        score = score_used(&table, score, clock, 128);
    return score;
}

START_TEST(a_second_use_doubles_the_worth)
{
    ck_assert_int_eq(score_worth(score_used(&table, 7, 7, 0), 7), 16);
}
END_TEST

START_TEST(worth_fades_with_the_clock_alone)
{
    uint8_t score = used_often(0, 0, 3);

    ck_assert_int_eq(score_worth(score, 16), score_worth(score, 0) - 16);
}
END_TEST

START_TEST(use_makes_up_for_age_and_age_for_use)
{
    uint8_t old_and_often = used_often(0, 0, 7), new_and_once = 16;

    ck_assert_int_gt(score_worth(old_and_often, 16), score_worth(new_and_once, 16));
    ck_assert_int_lt(score_worth(old_and_often, 80), score_worth(80, 80));
}
END_TEST

START_TEST(worth_stays_within_bounds_however_often_something_is_used)
{
    for (unsigned clock = 0; clock < 256; clock++) {
        uint8_t score = used_often((uint8_t)clock, (uint8_t)clock, 100000);

        ck_assert_int_le(score_worth(score, (uint8_t)clock), SCORE_WORTH_MAX);
        ck_assert_int_gt(score_worth(score, (uint8_t)clock), 60);
    }
}
END_TEST

START_TEST(a_use_never_lowers_the_worth)
{
    for (int worth = SCORE_WORTH_MIN; worth < SCORE_WORTH_MAX; worth++) {
        uint8_t before = (uint8_t)(200 + worth), after = score_used(&table, before, 200, 0);

        ck_assert_int_ge(score_worth(after, 200), worth);
        ck_assert_int_ge(score_worth(after, 200), 0);
    }
}
END_TEST

START_TEST(what_is_new_is_worth_less_the_fewer_of_its_like_return)
{
    ck_assert_int_eq(score_new_worth(SHARE_WHOLE), 0);
    ck_assert_int_eq(score_new_worth(SHARE_WHOLE / 4), -16);
    for (uint32_t share = 2; share <= SHARE_WHOLE; share++)
        ck_assert_int_ge(score_new_worth(share), score_new_worth(share - 1));
}
END_TEST

START_TEST(a_share_follows_what_is_seen_and_stays_above_nothing)
{
    uint32_t share = SHARE_WHOLE;

    for (int i = 0; i < 10 * SHARE_WINDOW; i++)
        share = share_after(share, i % 4 == 0);
    ck_assert_uint_gt(share, SHARE_WHOLE / 5);
    ck_assert_uint_lt(share, SHARE_WHOLE / 3);
    for (int i = 0; i < 10 * SHARE_WINDOW; i++)
        share = share_after(share, false);
    ck_assert_uint_gt(share, 0);
    ck_assert_int_lt(score_new_worth(share), -48);
    for (int i = 0; i < 10 * SHARE_WINDOW; i++)
        share = share_after(share, true);
    ck_assert_uint_le(share, SHARE_WHOLE);
    ck_assert_int_ge(score_new_worth(share), -1);
}
END_TEST

UNIT_MAIN("score", score_init(&table); tcase_add_test(tests, a_second_use_doubles_the_worth);
          tcase_add_test(tests, worth_fades_with_the_clock_alone);
          tcase_add_test(tests, use_makes_up_for_age_and_age_for_use);
          tcase_add_test(tests, worth_stays_within_bounds_however_often_something_is_used);
          tcase_add_test(tests, a_use_never_lowers_the_worth);
          tcase_add_test(tests, what_is_new_is_worth_less_the_fewer_of_its_like_return);
          tcase_add_test(tests, a_share_follows_what_is_seen_and_stays_above_nothing);)
