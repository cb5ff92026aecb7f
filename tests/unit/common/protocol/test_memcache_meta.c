#include <check.h>
#include <stdlib.h>

#include "common/protocol/memcache.h"

static struct mc_request parse_fine(const char *line)
{
    struct mc_request request;

    ck_assert_int_eq(mc_text_parse_request(str_of(line), &request), PARSE_DONE);
    ck_assert_uint_eq(request.head_len, strlen(line));
    return request;
}

START_TEST(flags_fill_in_their_fields)
{
    struct mc_request request = parse_fine("ms foo 3 T-1 F7 C9 E10 D11 J12 N13 R14 MA Oabc q\r\n");

    ck_assert_int_eq(request.command->id, MC_MS);
    ck_assert(str_equal(request.keys, STR("foo")));
    ck_assert_uint_eq(request.body_len, 5);
    ck_assert_int_eq(request.exptime, -1);
    ck_assert_uint_eq(request.flags, 7);
    ck_assert_uint_eq(request.number, 9);
    ck_assert_uint_eq(request.meta.new_cas, 10);
    ck_assert_uint_eq(request.meta.delta, 11);
    ck_assert_uint_eq(request.meta.initial, 12);
    ck_assert_int_eq(request.meta.vivify_ttl, 13);
    ck_assert_int_eq(request.meta.recache_ttl, 14);
    ck_assert_int_eq(request.meta.mode, 'A');
    ck_assert(mc_meta_has(&request, 'q'));
    ck_assert(!mc_meta_has(&request, 'k'));
}
END_TEST

START_TEST(a_key_in_base64_is_decoded)
{
    struct mc_request request;

    ck_assert_int_eq(mc_text_parse_request(STR("mg AAEC b v\r\n"), &request), PARSE_DONE);
    ck_assert_uint_eq(request.keys.len, 3);
    ck_assert_mem_eq(request.keys.data, "\0\1\2", 3);
}
END_TEST

START_TEST(the_delta_is_one_unless_told)
{
    ck_assert_uint_eq(parse_fine("ma foo\r\n").meta.delta, 1);
}
END_TEST

static const struct {
    const char *line, *error;
    size_t swallowed;
} wrong[] = {
    {"mg\r\n", "CLIENT_ERROR bad command line format", 0},
    {"mg foo v v\r\n", "CLIENT_ERROR duplicate flag", 0},
    {"mg foo z\r\n", "CLIENT_ERROR invalid flag", 0},
    {"mg foo 7\r\n", "CLIENT_ERROR invalid flag", 0},
    {"mg foo !\r\n", "CLIENT_ERROR bad command line format", 0},
    {"mg foo T\r\n", "CLIENT_ERROR bad token in command line format", 0},
    {"mg foo Oaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n", "CLIENT_ERROR opaque token too long", 0},
    {"mg !!!! b\r\n", "CLIENT_ERROR error decoding key", 0},
    {"mg k a b c d e f g h i j k l m n o p q r s\r\n", "CLIENT_ERROR options flags are too long",
     0},
    {"ma foo D-1\r\n", "CLIENT_ERROR invalid or duplicate flag", 0},
    {"ma foo MX\r\n", "CLIENT_ERROR invalid mode for ma M token", 0},
    {"ms foo 3 MX\r\n", "CLIENT_ERROR invalid mode for ms M token", 5},
    {"ms foo 3 Fx\r\n", "CLIENT_ERROR bad command line format", 5},
    {"ms foo 3 !\r\n", "CLIENT_ERROR bad command line format", 0},
    {"ms foo -1\r\n", "CLIENT_ERROR bad command line format", 0},
    {"ms foo 2147483646\r\n", "CLIENT_ERROR bad command line format", 0},
};

START_TEST(what_is_wrong_is_said_and_the_value_passed_over)
{
    struct mc_request request;

    ck_assert_int_eq(mc_text_parse_request(str_of(wrong[_i].line), &request), PARSE_BAD);
    ck_assert_str_eq(request.error, wrong[_i].error);
    ck_assert_uint_eq(request.body_len, wrong[_i].swallowed);
}
END_TEST

static struct mc_request parse_forward(const char *line)
{
    struct mc_request request;
    enum parse parse = mc_text_parse_request(str_of(line), &request);

    ck_assert(parse == PARSE_DONE || (parse == PARSE_BAD && request.meta.is_newer));
    return request;
}

static const struct {
    const char *line, *forwarded;
} forwards[] = {
    {"mg  foo   v  q k\n", "mg foo v k\r\n"},
    {"ms AAEC 3 b q T10 \r\n", "ms AAEC 3 b T10\r\n"},
    {"mg foo v z12 q y\r\n", "mg foo v z12 y\r\n"},
    {"me foo b\r\n", NULL},
    {"me foo\r\n", "me foo\r\n"},
};

START_TEST(a_proxy_passes_on_all_flags_but_q)
{
    struct mc_request request;
    char line[256];
    size_t len;

    if (forwards[_i].forwarded == NULL) {
        ck_assert_int_eq(mc_text_parse_request(str_of(forwards[_i].line), &request), PARSE_BAD);
        return;
    }
    request = parse_forward(forwards[_i].line);
    len = mc_meta_write_request(line, &request);
    ck_assert_uint_eq(len, strlen(forwards[_i].forwarded));
    ck_assert_mem_eq(line, forwards[_i].forwarded, len);
}
END_TEST

START_TEST(flags_that_are_wrong_are_not_those_of_the_future)
{
    struct mc_request request;

    ck_assert_int_eq(mc_text_parse_request(STR("mg foo z v v\r\n"), &request), PARSE_BAD);
    ck_assert(!request.meta.is_newer);
    ck_assert_int_eq(mc_text_parse_request(STR("mg foo v v z\r\n"), &request), PARSE_BAD);
    ck_assert(!request.meta.is_newer);
    ck_assert_int_eq(mc_text_parse_request(STR("mg f%o b z\r\n"), &request), PARSE_BAD);
    ck_assert(!request.meta.is_newer);
}
END_TEST

START_TEST(q_hides_the_usual_outcome_alone)
{
    struct mc_request request = parse_fine("mg foo v q\r\n");

    ck_assert_uint_eq(mc_meta_silent(&request), 1u << MC_STATUS_EN);
    request = parse_fine("ms foo 1 q\r\n");
    ck_assert_uint_ne(mc_meta_silent(&request) & 1u << MC_STATUS_HD, 0);
    ck_assert_uint_eq(mc_meta_silent(&request) & 1u << MC_STATUS_NS, 0);
    request = parse_fine("ma foo v\r\n");
    ck_assert_uint_eq(mc_meta_silent(&request), 0);
}
END_TEST

static const struct {
    const char *line;
    enum mc_status status;
    size_t body_len;
} replies[] = {
    {"HD\r\n", MC_STATUS_HD, 0},
    {"HD c1 Oabc\r\n", MC_STATUS_HD, 0},
    {"VA 5 f0\r\n", MC_STATUS_VA, 7},
    {"EN\r\n", MC_STATUS_EN, 0},
    {"ME foo exp=-1\r\n", MC_STATUS_ME, 0},
    {"NF kx\r\n", MC_STATUS_NF, 0},
};

START_TEST(replies_are_told_by_their_first_word)
{
    struct mc_reply reply;

    ck_assert_int_eq(mc_text_parse_reply(str_of(replies[_i].line), &reply), PARSE_DONE);
    ck_assert_int_eq(reply.status, replies[_i].status);
    ck_assert_uint_eq(reply.body_len, replies[_i].body_len);
    ck_assert_uint_eq(reply.head_len, strlen(replies[_i].line));
}
END_TEST

/* As memcached 1.6.18 answers them. */
static const struct {
    const char *line, *reply;
} missing[] = {
    {"mg foo k O12 v\r\n", "EN kfoo O12\r\n"},  {"mg Zm9v b k O12\r\n", "EN kZm9v b O12\r\n"},
    {"md foo k O5\r\n", "NF kfoo O5\r\n"},      {"ma foo O7 k\r\n", "NF O7 kfoo\r\n"},
    {"ms foo 1 MR k O9\r\n", "NS kfoo O9\r\n"}, {"me foo\r\n", "EN\r\n"},
};

START_TEST(a_miss_carries_what_any_reply_does)
{
    struct mc_request request = parse_fine(missing[_i].line);
    char reply[64];
    size_t len = mc_meta_write_miss(reply, &request);

    ck_assert_uint_le(len, request.head_len + 8);
    ck_assert(str_equal((struct str){reply, len}, str_of(missing[_i].reply)));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("memcache_meta");
    TCase *all = tcase_create("requests");

    tcase_add_test(all, flags_fill_in_their_fields);
    tcase_add_test(all, a_key_in_base64_is_decoded);
    tcase_add_test(all, the_delta_is_one_unless_told);
    tcase_add_loop_test(all, what_is_wrong_is_said_and_the_value_passed_over, 0,
                        sizeof(wrong) / sizeof(wrong[0]));
    tcase_add_loop_test(all, a_proxy_passes_on_all_flags_but_q, 0,
                        sizeof(forwards) / sizeof(forwards[0]));
    tcase_add_test(all, flags_that_are_wrong_are_not_those_of_the_future);
    tcase_add_test(all, q_hides_the_usual_outcome_alone);
    tcase_add_loop_test(all, replies_are_told_by_their_first_word, 0,
                        sizeof(replies) / sizeof(replies[0]));
    tcase_add_loop_test(all, a_miss_carries_what_any_reply_does, 0,
                        sizeof(missing) / sizeof(missing[0]));
    suite_add_tcase(suite, all);

    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
