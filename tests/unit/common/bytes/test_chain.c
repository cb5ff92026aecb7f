#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/bytes/chain.h"
#include "tests/unit/unit.h"

static int holds;
static char big[3 * BLOCK_SIZE];

static void count_hold(const struct keeper *keeper, void *owner)
{
    (void)keeper;
    (void)owner;
    holds++;
}

static void count_release(const struct keeper *keeper, void *owner)
{
    (void)keeper;
    (void)owner;
    holds--;
}

static const struct keeper counter = {count_hold, count_release};

/* Writes the chain to a socket that takes it all, and returns what came out of it. */
static struct str drain(struct chain *chain)
{
    static char out[1 << 20];
    int ends[2];
    size_t len = 0;

    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends), 0);
    while (chain->len != 0) {
        ssize_t got;

        ck_assert_int_ge(chain_write(chain, ends[0]), 0);
        while ((got = read(ends[1], out + len, sizeof(out) - len)) > 0)
            len += (size_t)got;
    }
    close(ends[0]);
    close(ends[1]);
    return (struct str){out, len};
}

START_TEST(an_empty_chain_owns_no_memory)
{
    struct chain chain = {0};

    ck_assert(chain_copy(&chain, STR("hello")));
    ck_assert_str_is(drain(&chain), "hello");
    ck_assert_ptr_null(chain.slices);
    ck_assert_ptr_null(chain.block);
    ck_assert_uint_eq(chain.capacity, 0);
}
END_TEST

START_TEST(small_bytes_lie_side_by_side_without_a_slice)
{
    struct chain chain = {0};

    for (int i = 0; i < 100; i++)
        ck_assert(chain_append(&chain, STR("0123456789"), NULL, NULL));
    ck_assert_uint_eq(chain.count, 0);
    ck_assert_uint_eq(drain(&chain).len, 1000);
}
END_TEST

START_TEST(large_bytes_are_borrowed_until_they_are_written)
{
    struct chain chain = {0};

    holds = 0;
    ck_assert(chain_copy(&chain, STR("head ")));
    ck_assert(chain_append(&chain, (struct str){big, sizeof(big)}, &counter, big));
    ck_assert(chain_copy(&chain, STR(" tail")));
    ck_assert_int_eq(holds, 1);
    ck_assert_uint_eq(drain(&chain).len, sizeof(big) + 10);
    ck_assert_int_eq(holds, 0);
}
END_TEST

START_TEST(the_order_is_kept_whatever_the_sizes)
{
    struct chain chain = {0};
    struct str out;
    size_t at = 0;

    for (size_t i = 0; i < sizeof(big); i++)
        big[i] = (char)(i * 7 + i / 251);
    for (size_t len = 1; len < 6000; len += 431) {
        ck_assert(chain_append(&chain, (struct str){big, len}, &counter, big));
        ck_assert(chain_copy(&chain, (struct str){big + 5, len}));
    }
    out = drain(&chain);
    for (size_t len = 1; len < 6000; len += 431) {
        ck_assert_mem_eq(out.data + at, big, len);
        ck_assert_mem_eq(out.data + at + len, big + 5, len);
        at += 2 * len;
    }
    ck_assert_uint_eq(out.len, at);
}
END_TEST

START_TEST(copies_that_outgrow_a_block_go_on_in_another)
{
    struct chain chain = {0};
    struct str out;

    for (size_t i = 0; i < sizeof(big); i++)
        big[i] = (char)(i * 13 + i / 97);
    for (size_t i = 0; i + 100 <= sizeof(big); i += 100) {
        char *room = chain_reserve(&chain, 150);

        memcpy(room, big + i, 100);
        chain_commit(&chain, 100);
    }
    out = drain(&chain);
    ck_assert_uint_eq(out.len, sizeof(big) / 100 * 100);
    ck_assert_mem_eq(out.data, big, out.len);
}
END_TEST

START_TEST(a_block_filled_to_its_last_byte_is_not_filled_again)
{
    struct chain chain = {0};
    struct str out;

    for (size_t i = 0; i < sizeof(big); i++)
        big[i] = (char)(i * 13 + i / 97);
    for (size_t i = 0; i + 100 <= sizeof(big); i += 100)
        ck_assert(chain_copy(&chain, (struct str){big + i, 100}));
    out = drain(&chain);
    ck_assert_uint_eq(out.len, sizeof(big) / 100 * 100);
    ck_assert_mem_eq(out.data, big, out.len);
}
END_TEST

START_TEST(a_chain_is_cut_back_anywhere)
{
    for (size_t len = 0; len <= 4096 + 10; len += 137) {
        struct chain chain = {0};

        holds = 0;
        ck_assert(chain_copy(&chain, STR("12345")));
        ck_assert(chain_append(&chain, (struct str){big, 4096}, &counter, big));
        ck_assert(chain_copy(&chain, STR("67890")));
        chain_truncate(&chain, len);
        ck_assert_uint_eq(chain.len, len);
        ck_assert(chain_copy(&chain, STR("!")));
        ck_assert_uint_eq(drain(&chain).len, len + 1);
        ck_assert_int_eq(holds, 0);
    }
}
END_TEST

START_TEST(moving_joins_two_chains_and_empties_one)
{
    struct chain from = {0}, to = {0};

    holds = 0;
    ck_assert(chain_copy(&to, STR("first ")));
    ck_assert(chain_copy(&from, STR("second ")));
    ck_assert(chain_append(&from, (struct str){big, 5000}, &counter, big));
    ck_assert(chain_move(&from, &to));
    ck_assert_uint_eq(from.len, 0);
    ck_assert_ptr_null(from.slices);
    ck_assert_int_eq(holds, 1);
    ck_assert_uint_eq(drain(&to).len, 13 + 5000);
    ck_assert_int_eq(holds, 0);
}
END_TEST

START_TEST(clearing_lets_every_owner_go)
{
    struct chain chain = {0};

    holds = 0;
    for (int i = 0; i < 300; i++)
        ck_assert(chain_append(&chain, (struct str){big, 2049}, &counter, big));
    ck_assert_int_eq(holds, 300);
    chain_clear(&chain);
    ck_assert_int_eq(holds, 0);
}
END_TEST

START_TEST(bytes_are_taken_from_the_front_across_slices)
{
    struct chain chain = {0};
    char out[3000];

    memset(big, 'b', sizeof(big));
    ck_assert(chain_copy(&chain, STR("head")));
    ck_assert(chain_append(&chain, (struct str){big, 2049}, &counter, big));
    ck_assert(chain_copy(&chain, STR("tail")));
    holds = 1;
    ck_assert_uint_eq(chain_take(&chain, out, 6), 6);
    ck_assert_mem_eq(out, "headbb", 6);
    ck_assert_uint_eq(chain_take(&chain, out, 2047), 2047);
    ck_assert_int_eq(holds, 0);
    ck_assert_uint_eq(chain_take(&chain, out, sizeof(out)), 4);
    ck_assert_mem_eq(out, "tail", 4);
    ck_assert_uint_eq(chain_take(&chain, out, 1), 0);
    ck_assert_ptr_null(chain.slices);
}
END_TEST

START_TEST(more_slices_than_one_call_takes_are_written_all)
{
    struct chain chain = {0};

    for (int i = 0; i < 3000; i++) {
        ck_assert(chain_copy(&chain, STR("x")));
        ck_assert(chain_append(&chain, (struct str){big, 2049}, &counter, big));
        if (chain.len > 900000)
            break;
    }
    size_t whole = chain.len;
    ck_assert_uint_eq(drain(&chain).len, whole);
}
END_TEST

START_TEST(a_lost_connection_is_told_from_a_full_socket)
{
    struct chain chain = {0};
    int ends[2];

    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends), 0);
    for (int i = 0; i < 100; i++)
        ck_assert(chain_append(&chain, (struct str){big, sizeof(big)}, NULL, NULL));
    ck_assert_int_gt(chain_write(&chain, ends[0]), 0);
    ck_assert_int_eq(chain_write(&chain, ends[0]), 0);
    close(ends[1]);
    ck_assert_int_eq(chain_write(&chain, ends[0]), -1);
    ck_assert_int_eq(errno, EPIPE);
    chain_clear(&chain);
    close(ends[0]);
}
END_TEST

UNIT_MAIN("bytes/chain", tcase_add_test(tests, an_empty_chain_owns_no_memory);
          tcase_add_test(tests, small_bytes_lie_side_by_side_without_a_slice);
          tcase_add_test(tests, large_bytes_are_borrowed_until_they_are_written);
          tcase_add_test(tests, the_order_is_kept_whatever_the_sizes);
          tcase_add_test(tests, copies_that_outgrow_a_block_go_on_in_another);
          tcase_add_test(tests, a_block_filled_to_its_last_byte_is_not_filled_again);
          tcase_add_test(tests, a_chain_is_cut_back_anywhere);
          tcase_add_test(tests, moving_joins_two_chains_and_empties_one);
          tcase_add_test(tests, clearing_lets_every_owner_go);
          tcase_add_test(tests, bytes_are_taken_from_the_front_across_slices);
          tcase_add_test(tests, more_slices_than_one_call_takes_are_written_all);
          tcase_add_test(tests, a_lost_connection_is_told_from_a_full_socket);)
