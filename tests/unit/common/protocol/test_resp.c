#include <stdlib.h>

#include "common/protocol/resp.h"
#include "common/protocol/resp_commands.h"
#include "tests/unit/unit.h"

static const struct resp_limits limits = {RESP_ARGUMENTS_MAX, RESP_BULK_MAX, false};

/* --- requests --- */

START_TEST(a_request_is_scanned_from_whatever_pieces_it_comes_in)
{
    static const char text[] = "*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$5\r\na\r\nbc\r\nrest";
    size_t whole = sizeof(text) - 5;
    struct resp_request_scan scan = {0};
    const char *error;
    struct str rest;

    for (size_t len = 1; len < whole; len++)
        ck_assert_int_eq(resp_scan_request((struct str){text, len}, &limits, &scan, &error),
                         PARSE_MORE);
    ck_assert_int_eq(resp_scan_request(str_of(text), &limits, &scan, &error), PARSE_DONE);
    ck_assert_uint_eq(scan.used, whole);
    ck_assert_uint_eq(scan.count, 3);
    rest = resp_arguments((struct str){text, scan.used});
    ck_assert(str_equal(resp_next_argument(&rest), STR("SET")));
    ck_assert(str_equal(resp_next_argument(&rest), STR("k")));
    ck_assert(str_equal(resp_next_argument(&rest), STR("a\r\nbc")));
    ck_assert_uint_eq(rest.len, 0);
}
END_TEST

START_TEST(a_long_string_says_how_much_is_wanted)
{
    struct resp_request_scan scan = {0};
    const char *error;

    ck_assert_int_eq(resp_scan_request(STR("*1\r\n$1000\r\nabc"), &limits, &scan, &error),
                     PARSE_MORE);
    ck_assert_uint_eq(scan.want, 4 + 7 + 1000 + 2);
}
END_TEST

START_TEST(an_empty_array_is_no_request)
{
    struct resp_request_scan scan = {0}, again = {0};
    const char *error;

    ck_assert_int_eq(resp_scan_request(STR("*0\r\n"), &limits, &scan, &error), PARSE_DONE);
    ck_assert_uint_eq(scan.count, 0);
    ck_assert_int_eq(resp_scan_request(STR("*-1\r\n"), &limits, &again, &error), PARSE_DONE);
    ck_assert_uint_eq(again.used, 5);
}
END_TEST

static const struct {
    const char *text, *error;
} wrong[] = {
    {"*4294967298\r\n", "invalid multibulk length"},
    {"*2147483648\r\n", "invalid multibulk length"},
    {"*1048577\r\n", "invalid multibulk length"},
    {"*-5\r\n", "invalid multibulk length"},
    {"*01\r\n", "invalid multibulk length"},
    {"* 2\r\n", "invalid multibulk length"},
    {"*\r\n", "invalid multibulk length"},
    {"*+1\r\n", "invalid multibulk length"},
    {"*1\n$4\r\n", "invalid multibulk length"},
    {"*1\r\n$4294967299\r\n", "invalid bulk length"},
    {"*1\r\n$536870913\r\n", "invalid bulk length"},
    {"*1\r\n$-1\r\n", "invalid bulk length"},
    {"*1\r\n$03\r\nabc\r\n", "invalid bulk length"},
    {"*1\r\n:3\r\n", "expected '$'"},
    {"*1\r\n$3\r\nabcd\r\n", "a bulk string is longer than it says"},
};

START_TEST(a_wrong_request_is_refused_with_the_reason)
{
    struct resp_request_scan scan = {0};
    const char *error = NULL;

    ck_assert_int_eq(resp_scan_request(str_of(wrong[_i].text), &limits, &scan, &error), PARSE_BAD);
    ck_assert_str_eq(error, wrong[_i].error);
}
END_TEST

START_TEST(who_is_unknown_may_say_little)
{
    const struct resp_limits few = {10, 16384, true};
    struct resp_request_scan scan = {0}, other = {0};
    const char *error;

    ck_assert_int_eq(resp_scan_request(STR("*11\r\n"), &few, &scan, &error), PARSE_BAD);
    ck_assert_str_eq(error, "unauthenticated multibulk length");
    ck_assert_int_eq(resp_scan_request(STR("*1\r\n$16385\r\n"), &few, &other, &error), PARSE_BAD);
    ck_assert_str_eq(error, "unauthenticated bulk length");
}
END_TEST

/* --- inline requests --- */

static const struct {
    const char *line, *array;
} lines[] = {
    {"PING\r\n", "*1\r\n$4\r\nPING\r\n"},
    {"  GET   k \n", "*2\r\n$3\r\nGET\r\n$1\r\nk\r\n"},
    {"SET \"a b\" 'x\\'y\\n'\r\n", "*3\r\n$3\r\nSET\r\n$3\r\na b\r\n$5\r\nx'y\\n\r\n"},
    {"X \"\\x41\\n\\\"\\q\" \"\"\r\n", "*3\r\n$1\r\nX\r\n$4\r\nA\n\"q\r\n$0\r\n\r\n"},
    {"GET \"x\\x4\"\r\n", "*2\r\n$3\r\nGET\r\n$3\r\nxx4\r\n"},
};

START_TEST(a_line_of_words_becomes_an_array)
{
    size_t used, len;
    const char *error;
    char *array;

    ck_assert_int_eq(resp_parse_inline(str_of(lines[_i].line), &used, &array, &len, &error),
                     PARSE_DONE);
    ck_assert_uint_eq(used, strlen(lines[_i].line));
    ck_assert_uint_eq(len, strlen(lines[_i].array));
    ck_assert_mem_eq(array, lines[_i].array, len);
    free(array);
}
END_TEST

START_TEST(an_empty_line_is_no_request)
{
    size_t used, len;
    const char *error;
    char *array;

    ck_assert_int_eq(resp_parse_inline(STR("\r\n"), &used, &array, &len, &error), PARSE_DONE);
    ck_assert_ptr_null(array);
    ck_assert_uint_eq(used, 2);
}
END_TEST

static const char *const unbalanced[] = {"GET \"x\r\n", "GET 'x\r\n", "GET \"x\"y\r\n",
                                         "PING \"ax\\\r\n"};

START_TEST(quotes_that_do_not_end_are_refused)
{
    size_t used, len;
    const char *error = NULL;
    char *array;

    ck_assert_int_eq(resp_parse_inline(str_of(unbalanced[_i]), &used, &array, &len, &error),
                     PARSE_BAD);
    ck_assert_str_eq(error, "unbalanced quotes in request");
}
END_TEST

START_TEST(a_line_without_end_is_refused)
{
    static char text[RESP_INLINE_MAX];
    size_t used, len;
    const char *error = NULL;
    char *array;

    memset(text, 'x', sizeof(text));
    ck_assert_int_eq(
        resp_parse_inline((struct str){text, sizeof(text) - 1}, &used, &array, &len, &error),
        PARSE_MORE);
    ck_assert_int_eq(
        resp_parse_inline((struct str){text, sizeof(text)}, &used, &array, &len, &error),
        PARSE_BAD);
    ck_assert_str_eq(error, "too big inline request");
}
END_TEST

/* --- replies --- */

static const char *const replies[] = {
    "+OK\r\n", "-ERR no\r\n", ":-12\r\n",
    "$-1\r\n", "$0\r\n\r\n",  "$5\r\na\r\nbc\r\n",
    "*0\r\n",  "*-1\r\n",     "*3\r\n:1\r\n$1\r\nx\r\n*2\r\n+a\r\n*1\r\n$-1\r\n",
};

START_TEST(a_reply_is_scanned_from_whatever_pieces_it_comes_in)
{
    struct resp_reply_scan scan;
    size_t whole = strlen(replies[_i]);

    memset(&scan, 0, sizeof(scan));
    for (size_t len = 1; len < whole; len++)
        ck_assert_int_eq(resp_scan_reply((struct str){replies[_i], len}, &scan), PARSE_MORE);
    ck_assert_int_eq(resp_scan_reply((struct str){replies[_i], whole}, &scan), PARSE_DONE);
    ck_assert_uint_eq(scan.used, whole);
}
END_TEST

static const char *const bad_replies[] = {
    "$-2\r\n",        "*4294967296\r\n", "*-2\r\n",   "_\r\n",           "#t\r\n", "%1\r\n",
    "(123\r\n",       "~1\r\n",          ">1\r\n",    "hello\r\n",       ":\r\n",  ":1x\r\n",
    "$3\r\nabcd\r\n", "+a\nb\r\n",       "+a\rb\r\n", "$2147483648\r\n",
};

START_TEST(what_is_none_of_resp2_is_refused)
{
    struct resp_reply_scan scan;

    memset(&scan, 0, sizeof(scan));
    ck_assert_int_eq(resp_scan_reply(str_of(bad_replies[_i]), &scan), PARSE_BAD);
}
END_TEST

START_TEST(arrays_within_each_other_have_a_limit)
{
    static char text[100000 * 4];
    struct resp_reply_scan scan;

    for (size_t i = 0; i < sizeof(text); i += 4)
        memcpy(text + i, "*1\r\n", 4);
    memset(&scan, 0, sizeof(scan));
    ck_assert_int_eq(resp_scan_reply((struct str){text, sizeof(text)}, &scan), PARSE_BAD);
    memset(&scan, 0, sizeof(scan));
    ck_assert_int_eq(resp_scan_reply((struct str){text, 4 * RESP_DEPTH_MAX}, &scan), PARSE_MORE);
}
END_TEST

/* --- commands --- */

START_TEST(every_command_is_found_in_any_case)
{
    for (size_t i = 0; i < RESP_COMMAND_COUNT; i++) {
        char name[64];

        ck_assert_ptr_eq(resp_command_find(str_of(resp_commands[i].name)), &resp_commands[i]);
        for (size_t k = 0; k <= strlen(resp_commands[i].name); k++)
            name[k] = (char)(resp_commands[i].name[k] >= 'A' && resp_commands[i].name[k] <= 'Z'
                                 ? resp_commands[i].name[k] + 32
                                 : resp_commands[i].name[k]);
        ck_assert_ptr_eq(resp_command_find(str_of(name)), &resp_commands[i]);
    }
    ck_assert_ptr_null(resp_command_find(STR("NONE")));
    ck_assert_ptr_null(resp_command_find(STR("")));
    ck_assert_ptr_null(resp_command_find(STR("GETX")));
}
END_TEST

#define COUNT(array) (int)(sizeof(array) / sizeof((array)[0]))

UNIT_MAIN("protocol/resp",
          tcase_add_test(tests, a_request_is_scanned_from_whatever_pieces_it_comes_in);
          tcase_add_test(tests, a_long_string_says_how_much_is_wanted);
          tcase_add_test(tests, an_empty_array_is_no_request);
          tcase_add_loop_test(tests, a_wrong_request_is_refused_with_the_reason, 0, COUNT(wrong));
          tcase_add_test(tests, who_is_unknown_may_say_little);
          tcase_add_loop_test(tests, a_line_of_words_becomes_an_array, 0, COUNT(lines));
          tcase_add_test(tests, an_empty_line_is_no_request);
          tcase_add_loop_test(tests, quotes_that_do_not_end_are_refused, 0, COUNT(unbalanced));
          tcase_add_test(tests, a_line_without_end_is_refused);
          tcase_add_loop_test(tests, a_reply_is_scanned_from_whatever_pieces_it_comes_in, 0,
                              COUNT(replies));
          tcase_add_loop_test(tests, what_is_none_of_resp2_is_refused, 0, COUNT(bad_replies));
          tcase_add_test(tests, arrays_within_each_other_have_a_limit);
          tcase_add_test(tests, every_command_is_found_in_any_case);)
