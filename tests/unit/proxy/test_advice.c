#include <stdio.h>

#include "common/hash/hash.h"
#include "proxy/advice.h"
#include "tests/unit/unit.h"

static char said[4096];

static void note(const char *text)
{
    size_t len = strlen(said);

    snprintf(said + len, sizeof(said) - len, "%s\n", text);
}

/* What is said of a pool with these keys and servers. */
static const char *advice_on(const char *keys, const char *servers)
{
    char text[1024], error[CONFIG_ERROR_MAX];
    struct config *config;

    snprintf(text, sizeof(text), "a:\n  listen: h:1\n  %s\n  servers: [%s]\n", keys, servers);
    config = config_parse("f", str_of(text), error, sizeof(error));
    ck_assert_msg(config != NULL, "%s", error);
    said[0] = '\0';
    advice_give(config, note);
    config_release(config);
    return said;
}

#define TEN_SERVERS                                                                                \
    "\"h:1:1\", \"h:2:1\", \"h:3:1\", \"h:4:1\", \"h:5:1\", \"h:6:1\", \"h:7:1\", \"h:8:1\", "     \
    "\"h:9:1\", \"h:10:1\""

/* How many times its share of user:0 to user:99 the fullest of ten equal servers has. */
static double fullness(const struct hash *hash)
{
    struct ring_server servers[10];
    unsigned counts[10] = {0}, fullest = 0;
    char names[10][24];
    struct ring *ring;

    for (unsigned i = 0; i < 10; i++) {
        int len = snprintf(names[i], sizeof(names[i]), "10.0.0.%u:11212", i + 1);

        servers[i] = (struct ring_server){{names[i], (size_t)len}, 1, i};
    }
    ring = ring_build(&distribution_ketama, servers, 10);
    for (unsigned i = 0; i < 100; i++) {
        char key[16];
        int len = snprintf(key, sizeof(key), "user:%u", i);
        unsigned count = ++counts[ring_pick(ring, hash_key(hash, (struct str){key, (size_t)len}))];

        fullest = count > fullest ? count : fullest;
    }
    free(ring);
    return fullest / 10.0;
}

START_TEST(a_hash_is_warned_of_if_and_only_if_it_clumps_on_a_circle)
{
    for (const struct hash *hash = hashes; hash->name != NULL; hash++) {
        bool clumps = fullness(hash) > 5;
        char keys[64];

        snprintf(keys, sizeof(keys), "hash: %s", hash->name);
        ck_assert_msg((advice_on(keys, TEN_SERVERS)[0] != '\0') == clumps, "%s: %.1f", hash->name,
                      fullness(hash));
    }
}
END_TEST

START_TEST(tables_and_pools_of_one_server_need_no_better_hash)
{
    ck_assert_str_eq(advice_on("distribution: modula", TEN_SERVERS), "");
    ck_assert_str_eq(advice_on("distribution: maglev", TEN_SERVERS), "");
    ck_assert_str_eq(advice_on("hash: crc32", "\"h:1:1\""), "");
    ck_assert_ptr_nonnull(strstr(advice_on("hash: crc32\n  ring_points: fixed", TEN_SERVERS),
                                 "hash crc32 with ketama sends all keys to one server"));
}
END_TEST

START_TEST(a_server_without_a_place_on_the_ring_is_named)
{
    ck_assert_str_eq(advice_on("hash: murmur", "\"h:1:100000 big\", \"h:2:1 small\""),
                     "pool 'a': server 'small' gets no key: its weight of 1 rounds to no place on "
                     "the ring\n");
    ck_assert_str_eq(advice_on("hash: murmur", "\"h:1:7 big\", \"h:2:1 small\""), "");
}
END_TEST

UNIT_MAIN("advice", tcase_add_test(tests, a_hash_is_warned_of_if_and_only_if_it_clumps_on_a_circle);
          tcase_add_test(tests, tables_and_pools_of_one_server_need_no_better_hash);
          tcase_add_test(tests, a_server_without_a_place_on_the_ring_is_named);)
