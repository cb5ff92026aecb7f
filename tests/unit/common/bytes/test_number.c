#include "common/bytes/number.h"
#include "tests/unit/unit.h"

static const struct {
    const char *text;
    bool is_fine;
    uint64_t value;
} numbers[] = {
    {"0", true, 0},
    {"007", true, 7},
    {"18446744073709551615", true, UINT64_MAX},
    {"18446744073709551616", false, 0},
    {"99999999999999999999999", false, 0},
    {"", false, 0},
    {"-1", false, 0},
    {"+1", false, 0},
    {" 1", false, 0},
    {"1 ", false, 0},
    {"1.5", false, 0},
    {"0x10", false, 0},
};

START_TEST(only_digits_that_fit_are_a_number)
{
    uint64_t value = 42;

    ck_assert_int_eq(number_parse_u64(str_of(numbers[_i].text), &value), numbers[_i].is_fine);
    ck_assert_uint_eq(value, numbers[_i].is_fine ? numbers[_i].value : 42);
}
END_TEST

START_TEST(signed_numbers_reach_both_ends_and_no_further)
{
    int64_t value = 0;

    ck_assert(number_parse_i64(STR("-9223372036854775808"), &value));
    ck_assert_int_eq(value, INT64_MIN);
    ck_assert(number_parse_i64(STR("9223372036854775807"), &value));
    ck_assert_int_eq(value, INT64_MAX);
    ck_assert(!number_parse_i64(STR("9223372036854775808"), &value));
    ck_assert(!number_parse_i64(STR("-9223372036854775809"), &value));
    ck_assert(!number_parse_i64(STR("-"), &value));
    ck_assert(!number_parse_i64(STR("--1"), &value));
}
END_TEST

START_TEST(what_is_written_reads_back)
{
    static const uint64_t values[] = {0,   9,    10,    99,         100,       101,
                                      999, 1000, 65535, 4294967296, UINT64_MAX};
    char text[NUMBER_TEXT_MAX];

    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        uint64_t value;
        struct str written = {text, number_format(text, values[i])};

        ck_assert(number_parse_u64(written, &value));
        ck_assert_uint_eq(value, values[i]);
        ck_assert(values[i] == 0 || written.data[0] != '0');
    }
}
END_TEST

START_TEST(words_are_parted_by_spaces_alone)
{
    struct str rest = STR("  a\tb  c ");

    ck_assert_str_is(str_next_word(&rest), "a\tb");
    ck_assert_str_is(str_next_word(&rest), "c");
    ck_assert_uint_eq(str_next_word(&rest).len, 0);
}
END_TEST

UNIT_MAIN("bytes/number", tcase_add_loop_test(tests, only_digits_that_fit_are_a_number, 0,
                                              sizeof(numbers) / sizeof(numbers[0]));
          tcase_add_test(tests, signed_numbers_reach_both_ends_and_no_further);
          tcase_add_test(tests, what_is_written_reads_back);
          tcase_add_test(tests, words_are_parted_by_spaces_alone);)
