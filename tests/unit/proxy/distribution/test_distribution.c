#include "proxy/distribution/distribution.h"
#include "tests/unit/unit.h"

static const struct {
    const char *key, *tag, *hashed;
} tags[] = {
    {"a{user1}b", "{}", "user1"}, {"a{}b", "{}", "a{}b"},       {"a{}{t}", "{}", "a{}{t}"},
    {"a{user1", "{}", "a{user1"}, {"a}{user1}", "{}", "user1"}, {"a{{t}}", "{}", "{t"},
    {"a{t1}{t2}", "{}", "t1"},    {"k$t$x", "$$", "t"},         {"k$t", "$$", "k$t"},
    {"plain", "{}", "plain"},
};

START_TEST(a_hash_tag_is_what_stands_between_its_ends)
{
    ck_assert_str_is(hash_tag_cut(str_of(tags[_i].key), tags[_i].tag), tags[_i].hashed);
}
END_TEST

START_TEST(ketama_gives_points_by_weight_rounded_in_single_precision)
{
    static const unsigned weights[] = {1, 2, 3, 5, 7}, points[] = {44, 88, 132, 220, 308};
    struct ring_server servers[25];
    struct ring *ring;

    for (unsigned i = 0; i < 5; i++)
        servers[i] = (struct ring_server){STR("abcde"), weights[i], i};
    ring = ring_build(&distribution_ketama, servers, 5);
    for (unsigned i = 0; i < 5; i++)
        ck_assert_uint_eq(ring_points_of(ring, i), points[i]);
    free(ring);

    for (unsigned i = 0; i < 25; i++)
        servers[i] = (struct ring_server){STR("x"), 1, i};
    ring = ring_build(&distribution_ketama, servers, 25);
    ck_assert_uint_eq(ring_points_of(ring, 7), 156);
    free(ring);
}
END_TEST

START_TEST(a_weight_that_rounds_to_nothing_gets_no_key)
{
    static const struct ring_server servers[] = {{{"big", 3}, 100000, 0}, {{"small", 5}, 1, 1}};
    struct ring *ring = ring_build(&distribution_ketama, servers, 2);

    ck_assert_uint_eq(ring_points_of(ring, 0), 316);
    ck_assert_uint_eq(ring_points_of(ring, 1), 0);
    free(ring);
}
END_TEST

START_TEST(random_reaches_every_server)
{
    static const struct ring_server servers[] = {{{"a", 1}, 9, 0}, {{"b", 1}, 1, 1}};
    struct ring *ring = ring_build(&distribution_random, servers, 2);
    unsigned picked[2] = {0, 0};

    for (int i = 0; i < 1000; i++)
        picked[ring_pick(ring, 7)]++;
    ck_assert_uint_gt(picked[0], 300);
    ck_assert_uint_gt(picked[1], 300);
    free(ring);
}
END_TEST

UNIT_MAIN("distribution", tcase_add_loop_test(tests, a_hash_tag_is_what_stands_between_its_ends, 0,
                                              sizeof(tags) / sizeof(tags[0]));
          tcase_add_test(tests, ketama_gives_points_by_weight_rounded_in_single_precision);
          tcase_add_test(tests, a_weight_that_rounds_to_nothing_gets_no_key);
          tcase_add_test(tests, random_reaches_every_server);)
