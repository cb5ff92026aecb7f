/*
 * What users of a distribution count on: shares by weight, few keys that move when a server
 * goes, and that a key is where it was after the next release.
 */
#include <math.h>
#include <stdio.h>

#include "common/hash/hash.h"
#include "proxy/distribution/distribution.h"
#include "tests/unit/unit.h"

enum { KEYS = 100000, SERVERS_MAX = 101 };

static const struct distribution *const all[] = {&distribution_ketama, &distribution_ketama_fixed,
                                                 &distribution_maglev, &distribution_rendezvous};

enum { ALL = sizeof(all) / sizeof(all[0]) };

static char names[SERVERS_MAX][16];
static struct ring_server servers[SERVERS_MAX];

/* Rings of server0, server1, ... with the weights given, 1 if NULL; `without` takes no part. */
static struct ring *build(const struct distribution *distribution, unsigned count,
                          const uint32_t *weights, unsigned without)
{
    unsigned used = 0;

    for (unsigned i = 0; i < count; i++) {
        int len = snprintf(names[i], sizeof(names[i]), "server%u", i);

        if (i != without)
            servers[used++] =
                (struct ring_server){{names[i], (size_t)len}, weights ? weights[i] : 1, i};
    }
    return ring_build(distribution, servers, used);
}

static uint32_t pick(const struct ring *ring, unsigned number)
{
    char key[24];
    int len = snprintf(key, sizeof(key), "user:%u", number);

    return ring_pick(ring, hash_xxh3((struct str){key, (size_t)len}));
}

/* The share of keys that each server has. */
static void count_shares(const struct ring *ring, double *shares, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        shares[i] = 0;
    for (unsigned key = 0; key < KEYS; key++)
        shares[pick(ring, key)] += 1.0 / KEYS;
}

START_TEST(equal_servers_have_about_equal_shares)
{
    /* Of a tenth: ketama's 160 points differ by chance, the others only by the keys. */
    static const double tolerance[ALL] = {0.3, 0.3, 0.04, 0.04};
    struct ring *ring = build(all[_i], 10, NULL, UINT32_MAX);
    double shares[10];

    count_shares(ring, shares, 10);
    for (unsigned i = 0; i < 10; i++)
        ck_assert_double_le(fabs(shares[i] * 10 - 1), tolerance[_i]);
    free(ring);
}
END_TEST

START_TEST(shares_follow_weights)
{
    static const double tolerance[ALL] = {0.3, 0.3, 0.05, 0.05};
    static const uint32_t weights[] = {1, 2, 3, 5, 7, 0x40000000};
    struct ring *ring = build(all[_i], 5, weights, UINT32_MAX);
    double shares[6];

    count_shares(ring, shares, 5);
    for (unsigned i = 0; i < 5; i++)
        ck_assert_double_le(fabs(shares[i] * 18 / weights[i] - 1), tolerance[_i]);
    free(ring);
}
END_TEST

START_TEST(a_weight_beyond_measure_leaves_the_others_next_to_nothing)
{
    static const uint32_t weights[] = {1, INT32_MAX};
    static const struct distribution *const kinds[] = {&distribution_maglev,
                                                       &distribution_rendezvous};

    for (unsigned i = 0; i < 2; i++) {
        struct ring *ring = build(kinds[i], 2, weights, UINT32_MAX);
        double shares[2];

        count_shares(ring, shares, 2);
        ck_assert_double_gt(shares[1], 0.999);
        free(ring);
    }
}
END_TEST

/* The share of keys that are on another server in `after`, but for those of `gone`. */
static double share_moved(const struct ring *before, const struct ring *after, uint32_t gone)
{
    unsigned moved = 0;

    for (unsigned key = 0; key < KEYS; key++) {
        uint32_t home = pick(before, key);

        moved += home != gone && home != pick(after, key);
        ck_assert_uint_ne(pick(after, key), gone);
    }
    return (double)moved / KEYS;
}

START_TEST(when_a_server_goes_hardly_any_keys_of_others_move)
{
    /* Maglev's price for its even table: the paper's figure 12 has 2 to 3 % here. */
    static const double tolerance[ALL] = {0, 0, 0.03, 0};
    static const uint32_t weights[] = {1, 2, 3, 1, 2, 3, 1, 2, 3, 4};
    bool is_exact = all[_i] != &distribution_ketama;
    struct ring *before = build(all[_i], 10, is_exact ? weights : NULL, UINT32_MAX);
    struct ring *after = build(all[_i], 10, is_exact ? weights : NULL, 4);

    ck_assert_double_le(share_moved(before, after, 4), tolerance[_i]);
    free(before);
    free(after);
}
END_TEST

/* O-16. Nutcracker's rounding: with 100 servers each has 156 points, with 99 or 101 it has 160. */
START_TEST(fixed_points_move_only_what_must_where_nutcrackers_rounding_moves_more)
{
    struct ring *most = build(&distribution_ketama, 101, NULL, UINT32_MAX);
    struct ring *some = build(&distribution_ketama, 101, NULL, 100);
    double rounded = share_moved(most, some, 100);

    free(most);
    free(some);
    most = build(&distribution_ketama_fixed, 101, NULL, UINT32_MAX);
    some = build(&distribution_ketama_fixed, 101, NULL, 100);
    ck_assert_uint_eq(most->count, 101 * 160);
    ck_assert_uint_eq(some->count, 100 * 160);
    ck_assert_double_gt(rounded, 0.02);
    ck_assert_double_le(share_moved(most, some, 100), 0);
    free(most);
    free(some);
}
END_TEST

START_TEST(fixed_points_are_160_for_each_unit_of_weight)
{
    static const uint32_t weights[] = {1, 2, 100000 / 160};
    struct ring *ring = build(&distribution_ketama_fixed, 3, weights, UINT32_MAX);

    for (unsigned i = 0; i < 3; i++)
        ck_assert_uint_eq(ring_points_of(ring, i), 160 * weights[i]);
    free(ring);
}
END_TEST

/* A gone server's keys spread over all others: its load falls on no single neighbour. */
START_TEST(a_gone_servers_keys_spread_over_all_others)
{
    struct ring *before = build(all[_i], 10, NULL, UINT32_MAX);
    struct ring *after = build(all[_i], 10, NULL, 4);
    unsigned heirs[10] = {0}, total = 0;

    for (unsigned key = 0; key < KEYS; key++) {
        if (pick(before, key) == 4) {
            heirs[pick(after, key)]++;
            total++;
        }
    }
    for (unsigned i = 0; i < 10; i++) {
        if (i != 4)
            ck_assert_uint_gt(heirs[i], total / 27); /* a third of an even share at least */
    }
    free(before);
    free(after);
}
END_TEST

/* Where keys were when these distributions came to be. They stay there. */
static const struct {
    const struct distribution *distribution;
    uint32_t homes[16];
} recorded[] = {
    {&distribution_maglev, {4, 4, 2, 1, 4, 3, 2, 3, 3, 4, 2, 0, 1, 4, 0, 4}},
    {&distribution_rendezvous, {4, 3, 4, 4, 3, 4, 4, 4, 4, 1, 2, 4, 4, 2, 4, 3}},
    {&distribution_ketama_fixed, {3, 2, 4, 4, 4, 3, 3, 4, 2, 4, 2, 1, 4, 3, 0, 3}},
};

START_TEST(keys_are_where_they_were_recorded)
{
    static const uint32_t weights[] = {1, 2, 3, 5, 7};
    struct ring *ring = build(recorded[_i].distribution, 5, weights, UINT32_MAX);

    for (unsigned key = 0; key < 16; key++)
        ck_assert_msg(pick(ring, key) == recorded[_i].homes[key], "%s: user:%u is on %u",
                      recorded[_i].distribution->name, key, pick(ring, key));
    free(ring);
}
END_TEST

UNIT_MAIN("distribution/spread",
          tcase_add_loop_test(tests, equal_servers_have_about_equal_shares, 0, ALL);
          tcase_add_loop_test(tests, shares_follow_weights, 0, ALL);
          tcase_add_test(tests, a_weight_beyond_measure_leaves_the_others_next_to_nothing);
          tcase_add_loop_test(tests, when_a_server_goes_hardly_any_keys_of_others_move, 0, ALL);
          tcase_add_test(tests,
                         fixed_points_move_only_what_must_where_nutcrackers_rounding_moves_more);
          tcase_add_test(tests, fixed_points_are_160_for_each_unit_of_weight);
          tcase_add_loop_test(tests, a_gone_servers_keys_spread_over_all_others, 0, ALL);
          tcase_add_loop_test(tests, keys_are_where_they_were_recorded, 0,
                              (int)(sizeof(recorded) / sizeof(recorded[0])));)
