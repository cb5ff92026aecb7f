#include "common/metric/histogram.h"
#include "tests/unit/unit.h"

START_TEST(a_duration_is_counted_in_the_first_bucket_that_reaches_it)
{
    for (unsigned i = 0; i < HISTOGRAM_BUCKET_COUNT - 1; i++) {
        ck_assert_uint_eq(histogram_bucket(histogram_limit_us(i)), i);
        ck_assert_uint_eq(histogram_bucket(histogram_limit_us(i) + 1), i + 1);
    }
    ck_assert_uint_eq(histogram_bucket(0), 0);
    ck_assert_uint_eq(histogram_bucket(UINT64_MAX), HISTOGRAM_BUCKET_COUNT - 1);
}
END_TEST

START_TEST(sums_add_up)
{
    struct histogram a = {0}, sum = {0};

    histogram_add(&a, 10);
    histogram_add(&a, 100);
    histogram_sum(&sum, &a);
    histogram_sum(&sum, &a);
    ck_assert_uint_eq(sum.sum_us, 220);
    ck_assert_uint_eq(sum.counts[0], 2);
    ck_assert_uint_eq(sum.counts[1], 2);
}
END_TEST

UNIT_MAIN("metric/histogram",
          tcase_add_test(tests, a_duration_is_counted_in_the_first_bucket_that_reaches_it);
          tcase_add_test(tests, sums_add_up);)
