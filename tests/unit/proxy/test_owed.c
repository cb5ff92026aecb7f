#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "proxy/owed.h"
#include "tests/unit/unit.h"

static struct owed owed;
static char told[1 << 20];
static const struct mc_command *command;
static unsigned replies;

/* What is told next, as text. */
static const char *tell(void)
{
    struct chain out = {0};
    size_t len = 0;
    int ends[2];

    ck_assert(owed_tell(&owed, &out, &command, &replies));
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends), 0);
    while (out.len != 0) {
        ssize_t got;

        ck_assert_int_ge(chain_write(&out, ends[0]), 0);
        while ((got = read(ends[1], told + len, sizeof(told) - len - 1)) > 0)
            len += (size_t)got;
    }
    told[len] = '\0';
    close(ends[0]);
    close(ends[1]);
    return told;
}

START_TEST(nothing_is_told_when_nothing_is_owed)
{
    ck_assert_str_eq(tell(), "");
    ck_assert_uint_eq(replies, 0);
}
END_TEST

START_TEST(each_key_is_told_once_and_again_if_it_was_written_since)
{
    owed_add(&owed, STR("a"));
    owed_add(&owed, STR("b"));
    owed_add(&owed, STR("a"));
    ck_assert_str_eq(tell(), "delete a\r\ndelete b\r\n");
    ck_assert_uint_eq(replies, 2);
    ck_assert_int_eq(command->id, MC_DELETE);
    owed_add(&owed, STR("a"));
    ck_assert_str_eq(tell(), "delete a\r\n");
    ck_assert_str_eq(tell(), "");
    owed_clear(&owed);
    ck_assert_str_eq(tell(), "");
}
END_TEST

START_TEST(what_was_not_heard_is_told_again)
{
    owed_add(&owed, STR("a"));
    tell();
    owed_begin_again(&owed);
    ck_assert_str_eq(tell(), "delete a\r\n");
    owed_clear(&owed);
}
END_TEST

START_TEST(keys_that_are_no_words_go_in_base64_after_the_others)
{
    owed_add(&owed, STR("x y"));
    owed_add(&owed, STR("a"));
    ck_assert_str_eq(tell(), "delete a\r\n");
    ck_assert_str_eq(tell(), "md eCB5 b\r\n");
    ck_assert_int_eq(command->id, MC_MD);
    ck_assert_uint_eq(replies, 1);
    owed_clear(&owed);
}
END_TEST

/* Each of many keys is told, in batches; beyond four megabytes of them, all is to be flushed. */
START_TEST(many_keys_are_told_and_too_many_are_a_flush)
{
    unsigned count = 0;
    char key[251];

    for (unsigned i = 0; i < 10000; i++)
        owed_add(&owed, (struct str){key, (size_t)snprintf(key, sizeof(key), "key%u", i)});
    for (tell(); replies != 0; tell())
        count += replies;
    ck_assert_uint_eq(count, 10000);
    for (unsigned i = 0; i < 20000; i++)
        owed_add(&owed, (struct str){key, (size_t)snprintf(key, sizeof(key), "%0240u", i)});
    ck_assert_str_eq(tell(), "flush_all\r\n");
    ck_assert_int_eq(command->id, MC_FLUSH_ALL);
    ck_assert_str_eq(tell(), "");
    owed_add(&owed, STR("a"));
    ck_assert_str_eq(tell(), "flush_all\r\n");
    owed_clear(&owed);
}
END_TEST

UNIT_MAIN("owed", tcase_add_test(tests, nothing_is_told_when_nothing_is_owed);
          tcase_add_test(tests, each_key_is_told_once_and_again_if_it_was_written_since);
          tcase_add_test(tests, what_was_not_heard_is_told_again);
          tcase_add_test(tests, keys_that_are_no_words_go_in_base64_after_the_others);
          tcase_add_test(tests, many_keys_are_told_and_too_many_are_a_flush);)
