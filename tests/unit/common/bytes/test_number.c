#include <inttypes.h>
#include <stdio.h>

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

static const struct {
    const char *line;
    int64_t value;
    const char *rest;
} next_numbers[] = {
    {"0", 0, ""},
    {"  12 7", 12, " 7"},
    {"999999999999999999", 999999999999999999, ""},
    {"1000000000000000000", -1, "1000000000000000000"},
    {"99999999999999999999999999", -1, "99999999999999999999999999"},
    {" ", -1, " "},
    {"", -1, ""},
    {"1a", -1, "1a"},
    {"+1", -1, "+1"},
    {"-1", -1, "-1"},
};

START_TEST(the_next_word_is_cut_off_if_it_is_a_plain_number)
{
    struct str rest = str_of(next_numbers[_i].line);

    ck_assert_int_eq(number_next(&rest), next_numbers[_i].value);
    ck_assert_str_is(rest, next_numbers[_i].rest);
}
END_TEST

START_TEST(numbers_of_all_lengths_are_written_as_printf_does)
{
    for (uint64_t power = 1;; power *= 10) {
        for (uint64_t value = power - 1; value <= power + 1; value++) {
            char text[NUMBER_TEXT_MAX], expected[NUMBER_TEXT_MAX + 1];

            snprintf(expected, sizeof(expected), "%" PRIu64, value);
            ck_assert_str_is(((struct str){text, number_format(text, value)}), expected);
        }
        if (power > UINT64_MAX / 10)
            break;
    }
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

/* In memory that ends where they do, so that a look beyond is noticed. */
static char *bytes_at_the_edge(size_t len)
{
    char *bytes = malloc(len + (len == 0));

    memset(bytes, 'x', len);
    return bytes;
}

START_TEST(the_first_space_is_found_wherever_it_is)
{
    for (size_t len = 0; len < 70; len++) {
        char *bytes = bytes_at_the_edge(len);

        ck_assert_uint_eq(str_length_to_space(bytes, len), len);
        for (size_t i = len; i-- > 0;) {
            bytes[i] = ' ';
            ck_assert_uint_eq(str_length_to_space(bytes, len), i);
        }
        free(bytes);
    }
}
END_TEST

START_TEST(either_of_two_bytes_is_found_wherever_it_is)
{
    for (size_t len = 0; len < 40; len++) {
        struct str s = {bytes_at_the_edge(len), len};
        char *bytes = (char *)(uintptr_t)s.data;

        ck_assert(!str_has_either(s, '\0', '\r'));
        for (size_t i = 0; i < len; i++) {
            bytes[i] = '\0';
            ck_assert(str_has_either(s, '\0', '\r'));
            bytes[i] = '\r';
            ck_assert(str_has_either(s, '\0', '\r'));
            bytes[i] = 'x';
        }
        free(bytes);
    }
}
END_TEST

START_TEST(the_first_newline_is_found_wherever_it_is)
{
    for (size_t len = 0; len < 100; len++) {
        struct str bytes = {bytes_at_the_edge(len), len};

        ck_assert_ptr_null(str_find_newline(bytes));
        for (size_t i = len; i-- > 0;) {
            ((char *)(uintptr_t)bytes.data)[i] = '\n';
            ck_assert_ptr_eq(str_find_newline(bytes), bytes.data + i);
        }
        free((char *)(uintptr_t)bytes.data);
    }
}
END_TEST

START_TEST(a_copy_is_what_was_copied_and_no_more)
{
    for (size_t len = 0; len < 100; len++) {
        char *from = bytes_at_the_edge(len), *to = bytes_at_the_edge(len);

        for (size_t i = 0; i < len; i++)
            from[i] = (char)('a' + i);
        ck_assert_ptr_eq(str_copy(to, (struct str){from, len}), to + len);
        ck_assert_int_eq(memcmp(to, from, len), 0);
        free(from);
        free(to);
    }
}
END_TEST

static const struct {
    const char *text;
    size_t count, longest;
} texts[] = {
    {"", 0, 0},    {"   ", 0, 0},       {"a", 1, 1},          {" a", 1, 1},
    {"ab ", 1, 2}, {"a bcd  ef", 3, 3}, {"  abcd a  ", 2, 4},
};

START_TEST(words_are_counted_and_their_lengths_bounded)
{
    struct str text = str_of(texts[_i].text);

    ck_assert_uint_eq(str_count_words(text), texts[_i].count);
    ck_assert(str_words_fit(text, texts[_i].longest));
    if (texts[_i].longest > 0)
        ck_assert(!str_words_fit(text, texts[_i].longest - 1));
}
END_TEST

/* The lists are so long that they are looked at in several parts. */
START_TEST(of_many_words_each_counts_and_the_longest_one_tells)
{
    enum { WORDS = 40, LEN_MAX = 250 };

    for (size_t longest = 1; longest <= LEN_MAX; longest++) {
        char *list = bytes_at_the_edge(WORDS * LEN_MAX);
        size_t len = 0;

        for (size_t word = 0; word < WORDS; word++) {
            len += word == longest % WORDS ? longest : word % longest + 1;
            list[len++] = ' ';
        }
        ck_assert_uint_eq(str_count_words((struct str){list, len}), WORDS);
        ck_assert(str_words_fit((struct str){list, len}, longest));
        ck_assert(!str_words_fit((struct str){list, len}, longest - 1));
        free(list);
    }
}
END_TEST

START_TEST(strs_differ_by_any_byte_of_theirs)
{
    for (size_t len = 0; len < 40; len++) {
        char *a = bytes_at_the_edge(len), *b = bytes_at_the_edge(len);

        ck_assert(str_equal((struct str){a, len}, (struct str){b, len}));
        for (size_t i = 0; i < len; i++) {
            b[i] = 'y';
            ck_assert(!str_equal((struct str){a, len}, (struct str){b, len}));
            b[i] = 'x';
        }
        ck_assert(len == 0 || !str_equal((struct str){a, len}, (struct str){b, len - 1}));
        free(a);
        free(b);
    }
}
END_TEST

UNIT_MAIN("bytes/number", tcase_add_loop_test(tests, only_digits_that_fit_are_a_number, 0,
                                              sizeof(numbers) / sizeof(numbers[0]));
          tcase_add_test(tests, signed_numbers_reach_both_ends_and_no_further);
          tcase_add_test(tests, what_is_written_reads_back);
          tcase_add_loop_test(tests, the_next_word_is_cut_off_if_it_is_a_plain_number, 0,
                              sizeof(next_numbers) / sizeof(next_numbers[0]));
          tcase_add_test(tests, numbers_of_all_lengths_are_written_as_printf_does);
          tcase_add_test(tests, words_are_parted_by_spaces_alone);
          tcase_add_test(tests, the_first_space_is_found_wherever_it_is);
          tcase_add_test(tests, either_of_two_bytes_is_found_wherever_it_is);
          tcase_add_test(tests, the_first_newline_is_found_wherever_it_is);
          tcase_add_test(tests, a_copy_is_what_was_copied_and_no_more);
          tcase_add_loop_test(tests, words_are_counted_and_their_lengths_bounded, 0,
                              sizeof(texts) / sizeof(texts[0]));
          tcase_add_test(tests, of_many_words_each_counts_and_the_longest_one_tells);
          tcase_add_test(tests, strs_differ_by_any_byte_of_theirs);)
