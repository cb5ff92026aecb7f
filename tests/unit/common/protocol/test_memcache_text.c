#include <stdio.h>

#include "common/protocol/memcache.h"
#include "tests/unit/unit.h"

static struct mc_request request;
static struct mc_reply reply;

static enum parse parse(const char *text)
{
    return mc_text_parse_request(str_of(text), &request);
}

static enum parse parse_reply(const char *text)
{
    return mc_text_parse_reply(str_of(text), &reply);
}

START_TEST(a_set_names_its_key_and_says_how_long_its_value_is)
{
    ck_assert_int_eq(parse("set greeting 7 60 5\r\nhello\r\n"), PARSE_DONE);
    ck_assert_int_eq(request.command->id, MC_SET);
    ck_assert_str_is(request.keys, "greeting");
    ck_assert_uint_eq(request.flags, 7);
    ck_assert_int_eq(request.exptime, 60);
    ck_assert_uint_eq(request.head_len, strlen("set greeting 7 60 5\r\n"));
    ck_assert_uint_eq(request.body_len, strlen("hello\r\n"));
    ck_assert(!request.noreply);
}
END_TEST

START_TEST(a_get_walks_its_keys_in_order)
{
    struct str key;

    ck_assert_int_eq(parse("get a  bb c \r\n"), PARSE_DONE);
    ck_assert_uint_eq(request.key_count, 3);
    ck_assert(mc_key_next(&request.keys, &key));
    ck_assert_str_is(key, "a");
    ck_assert(mc_key_next(&request.keys, &key));
    ck_assert_str_is(key, "bb");
    ck_assert(mc_key_next(&request.keys, &key));
    ck_assert_str_is(key, "c");
    ck_assert(!mc_key_next(&request.keys, &key));
}
END_TEST

START_TEST(a_head_cut_anywhere_is_never_taken_for_a_whole_one)
{
    static const char whole[] = "cas k 1 2 3 99 noreply\r\n";

    for (size_t len = 0; len < sizeof(whole) - 1; len++)
        ck_assert_int_eq(mc_text_parse_request((struct str){whole, len}, &request), PARSE_MORE);
    ck_assert_int_eq(parse(whole), PARSE_DONE);
    ck_assert_uint_eq(request.number, 99);
    ck_assert(request.noreply);
}
END_TEST

START_TEST(a_bare_line_feed_ends_a_line_too)
{
    ck_assert_int_eq(parse("get k\n"), PARSE_DONE);
    ck_assert_str_is(request.keys, "k");
    ck_assert_uint_eq(request.head_len, 6);
}
END_TEST

START_TEST(noreply_counts_only_as_the_last_word)
{
    ck_assert_int_eq(parse("delete k noreply\r\n"), PARSE_DONE);
    ck_assert(request.noreply);
    ck_assert_int_eq(parse("incr k 1 noreply x\r\n"), PARSE_DONE);
    ck_assert(!request.noreply);
    ck_assert_int_eq(parse("delete noreply\r\n"), PARSE_DONE);
    ck_assert(!request.noreply);
    ck_assert_str_is(request.keys, "noreply");
    ck_assert_int_eq(parse("incr k 5 noreplyx\r\n"), PARSE_DONE);
    ck_assert(!request.noreply);
}
END_TEST

#define BAD_LINE "CLIENT_ERROR bad command line format"

static const struct {
    const char *text, *error;
    size_t swallowed;
} refused[] = {
    {"bogus\r\n", "ERROR", 0},
    {"GET k\r\n", "ERROR", 0},
    {"\r\n", BAD_LINE, 0},
    {"get\r\n", BAD_LINE, 0},
    {"set k 0 0\r\n", BAD_LINE, 0},
    {"set k 0 0 -1\r\n", BAD_LINE, 0},
    {"set k 0 0 +3\r\n", BAD_LINE, 0},
    {"set k 4294967296 0 1\r\n", BAD_LINE, 3},
    {"set k 0 1.5 10\r\n", BAD_LINE, 12},
    {"set k 0 0 4294967297\r\n", BAD_LINE, 0},
    {"set k 0 0 2147483648\r\n", BAD_LINE, 0},
    {"cas k 0 0 1\r\n", BAD_LINE, 3},
    {"cas k 0 0 1 -1\r\n", BAD_LINE, 3},
    {"incr k -1\r\n", "CLIENT_ERROR invalid numeric delta argument", 0},
    {"incr k\r\n", BAD_LINE, 0},
    {"touch k soon\r\n", "CLIENT_ERROR invalid exptime argument", 0},
    {"gat soon k\r\n", "CLIENT_ERROR invalid exptime argument", 0},
    {"gat 10\r\n", BAD_LINE, 0},
    {"GET / HTTP/1.1\r\n", NULL, 0},
    {"POST /x HTTP/1.0 \r\n", NULL, 0},
};

START_TEST(a_bad_request_is_refused_with_the_protocols_words)
{
    ck_assert_int_eq(parse(refused[_i].text), PARSE_BAD);
    if (refused[_i].error == NULL)
        ck_assert_ptr_null(request.error);
    else
        ck_assert_str_eq(request.error, refused[_i].error);
    ck_assert_uint_eq(request.head_len, strlen(refused[_i].text));
    ck_assert_uint_eq(request.body_len, refused[_i].swallowed);
}
END_TEST

START_TEST(a_key_may_have_250_bytes_and_no_more)
{
    char line[300];

    snprintf(line, sizeof(line), "get %0250d\r\n", 0);
    ck_assert_int_eq(parse(line), PARSE_DONE);
    snprintf(line, sizeof(line), "get a %0251d b\r\n", 0);
    ck_assert_int_eq(parse(line), PARSE_BAD);
    ck_assert_str_eq(request.error, BAD_LINE);
}
END_TEST

START_TEST(an_endless_line_is_given_up_but_a_long_list_of_keys_is_not)
{
    static char text[100000];

    memset(text, 'A', sizeof(text));
    ck_assert_int_eq(mc_text_parse_request((struct str){text, 2048}, &request), PARSE_MORE);
    ck_assert_int_eq(mc_text_parse_request((struct str){text, 2049}, &request), PARSE_BAD);
    ck_assert_ptr_null(request.error);
    memcpy(text, "gets ", 5);
    ck_assert_int_eq(mc_text_parse_request((struct str){text, sizeof(text)}, &request), PARSE_MORE);
    memset(text + 5, ' ', sizeof(text) - 5);
    ck_assert_int_eq(mc_text_parse_request((struct str){text, 3000}, &request), PARSE_BAD);
}
END_TEST

START_TEST(exptimes_may_be_negative_and_wrap_at_32_bits)
{
    ck_assert_int_eq(parse("set k 0 -1 1\r\n"), PARSE_DONE);
    ck_assert_int_eq(request.exptime, -1);
    ck_assert_int_eq(parse("touch k 4294967296\r\n"), PARSE_DONE);
    ck_assert_int_eq(request.exptime, 0);
}
END_TEST

static const struct {
    const char *text, *canonical;
} rewritten[] = {
    {"set   k  07 -1   3  noreply\n", "set k 7 -1 3\r\n"},
    {"cas k 1 2 3 +99 x y\r\n", "cas k 1 2 3 99\r\n"},
    {"cas k +1 +2 3 18446744073709551615\r\n", "cas k 1 2 3 18446744073709551615\r\n"},
    {"set k 00000000000000000000001 0 00000000000000000000002\r\n", "set k 1 0 2\r\n"},
    {"set k 4294967295 9223372036854775807 2\r\n", "set k 4294967295 -1 2\r\n"},
    {"get  a   b  \r\n", "get a   b\r\n"},
    {"  get k \r\n", "get k\r\n"},
    {"gat 0010 k\r\n", "gat 10 k\r\n"},
    {"delete k 0 noreply\r\n", "delete k\r\n"},
    {"incr k 18446744073709551615\r\n", "incr k 18446744073709551615\r\n"},
    {"touch k -5\r\n", "touch k -5\r\n"},
};

START_TEST(a_request_is_passed_on_in_canonical_form)
{
    char out[256];

    ck_assert_int_eq(parse(rewritten[_i].text), PARSE_DONE);
    struct str written = {out, mc_text_write_request(out, &request)};
    ck_assert_str_is(written, rewritten[_i].canonical);
}
END_TEST

START_TEST(a_value_line_tells_all_of_its_numbers)
{
    ck_assert_int_eq(parse_reply("VALUE k 4294967295 5 99\r\nhello\r\n"), PARSE_DONE);
    ck_assert_int_eq(reply.status, MC_STATUS_VALUE);
    ck_assert_str_is(reply.key, "k");
    ck_assert_uint_eq(reply.flags, UINT32_MAX);
    ck_assert_uint_eq(reply.body_len, 7);
    ck_assert(reply.has_cas);
    ck_assert_uint_eq(reply.cas, 99);
    ck_assert_int_eq(parse_reply("VALUE k 0 0\r\n\r\n"), PARSE_DONE);
    ck_assert(!reply.has_cas);
    ck_assert_uint_eq(reply.body_len, 2);
}
END_TEST

static const char *const no_replies[] = {
    "WHAT\r\n",
    "\r\n",
    "END \r\n",
    "END\n",
    "STORED x\r\n",
    "VALUE k 0\r\n",
    "VALUE k 0 -1\r\n",
    "VALUE k 0 4294967297\r\n",
    "VALUE k 0 1 2 3\r\n",
    " END\r\n",
    "12x\r\n",
    "STAT a b\r\n",
    "VALUE  0 1\r\n",
};

START_TEST(what_no_memcached_sends_is_no_reply)
{
    ck_assert_int_eq(parse_reply(no_replies[_i]), PARSE_BAD);
}
END_TEST

START_TEST(a_reply_fits_its_own_kind_of_request_and_errors_fit_all)
{
    ck_assert(mc_reply_fits(&mc_commands[MC_GET], MC_STATUS_END));
    ck_assert(!mc_reply_fits(&mc_commands[MC_GET], MC_STATUS_STORED));
    ck_assert(mc_reply_fits(&mc_commands[MC_INCR], MC_STATUS_NUMBER));
    ck_assert(!mc_reply_fits(&mc_commands[MC_SET], MC_STATUS_END));
    for (unsigned id = 0; id < MC_COMMAND_COUNT; id++)
        ck_assert(mc_reply_fits(&mc_commands[id], MC_STATUS_ERROR));
}
END_TEST

START_TEST(errors_of_servers_keep_their_text)
{
    ck_assert_int_eq(parse_reply("SERVER_ERROR object too large for cache\r\n"), PARSE_DONE);
    ck_assert_int_eq(reply.status, MC_STATUS_ERROR);
    ck_assert_uint_eq(reply.head_len, strlen("SERVER_ERROR object too large for cache\r\n"));
}
END_TEST

START_TEST(a_reply_line_that_never_ends_is_given_up)
{
    static char text[MC_LINE_MAX];

    memset(text, 'A', sizeof(text));
    ck_assert_int_eq(mc_text_parse_reply((struct str){text, sizeof(text) - 1}, &reply), PARSE_MORE);
    ck_assert_int_eq(mc_text_parse_reply((struct str){text, sizeof(text)}, &reply), PARSE_BAD);
}
END_TEST

START_TEST(a_written_value_line_reads_back)
{
    char out[MC_VALUE_LINE_MAX(3)];
    uint64_t cas = UINT64_MAX;
    struct str line = {out, mc_text_write_value(out, STR("abc"), UINT32_MAX, 4294967295, &cas)};

    ck_assert_uint_le(line.len, sizeof(out));
    line.len = mc_text_write_value(out, STR("abc"), 5, 1000, &cas);
    ck_assert_int_eq(mc_text_parse_reply(line, &reply), PARSE_DONE);
    ck_assert_str_is(reply.key, "abc");
    ck_assert_uint_eq(reply.body_len, 1002);
    ck_assert_uint_eq(reply.cas, cas);
}
END_TEST

START_TEST(the_short_way_tells_the_same_length_as_parsing)
{
    static const char whole[] = "VALUE foo 7 12\r\n";

    ck_assert_int_eq(mc_text_parse_reply(str_of(whole), &reply), PARSE_DONE);
    ck_assert_uint_eq(mc_text_value_len(str_of(whole), STR("foo")),
                      reply.head_len + reply.body_len);
    for (size_t len = 0; len < sizeof(whole) - 1; len++)
        ck_assert_uint_eq(mc_text_value_len((struct str){whole, len}, STR("foo")), 0);
}
END_TEST

static const char *const long_ways[] = {
    "VALUE fop 7 12\r\n",  "VALUE foo 7 12 5\r\n",         "VALUE fooo 7 12\r\n",
    "VALUE foo 7 12 \r\n", "VALUE foo 4294967296 12\r\n",  "VALUE foo 7 2147483646\r\n",
    "VALUE foo  7 12\r\n", "VALUE foo 7 12\nxxxxxxxxxxxx", "END\r\nxxxxxxxxxxxxxxxxxxxx",
};

START_TEST(what_is_not_plainly_the_value_is_left_to_the_parser)
{
    ck_assert_uint_eq(mc_text_value_len(str_of(long_ways[_i]), STR("foo")), 0);
}
END_TEST

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

UNIT_MAIN("protocol/memcache_text",
          tcase_add_test(tests, a_set_names_its_key_and_says_how_long_its_value_is);
          tcase_add_test(tests, a_get_walks_its_keys_in_order);
          tcase_add_test(tests, a_head_cut_anywhere_is_never_taken_for_a_whole_one);
          tcase_add_test(tests, a_bare_line_feed_ends_a_line_too);
          tcase_add_test(tests, noreply_counts_only_as_the_last_word);
          tcase_add_loop_test(tests, a_bad_request_is_refused_with_the_protocols_words, 0,
                              COUNT(refused));
          tcase_add_test(tests, a_key_may_have_250_bytes_and_no_more);
          tcase_add_test(tests, an_endless_line_is_given_up_but_a_long_list_of_keys_is_not);
          tcase_add_test(tests, exptimes_may_be_negative_and_wrap_at_32_bits);
          tcase_add_loop_test(tests, a_request_is_passed_on_in_canonical_form, 0, COUNT(rewritten));
          tcase_add_test(tests, a_value_line_tells_all_of_its_numbers);
          tcase_add_loop_test(tests, what_no_memcached_sends_is_no_reply, 0, COUNT(no_replies));
          tcase_add_test(tests, a_reply_fits_its_own_kind_of_request_and_errors_fit_all);
          tcase_add_test(tests, errors_of_servers_keep_their_text);
          tcase_add_test(tests, a_reply_line_that_never_ends_is_given_up);
          tcase_add_test(tests, a_written_value_line_reads_back);
          tcase_add_test(tests, the_short_way_tells_the_same_length_as_parsing);
          tcase_add_loop_test(tests, what_is_not_plainly_the_value_is_left_to_the_parser, 0,
                              COUNT(long_ways));)
