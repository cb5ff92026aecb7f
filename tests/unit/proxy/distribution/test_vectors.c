/*
 * Recorded facts: 18 files of keys and the servers that nutcracker sends them to, with
 * each of twelve hashes. See tests/vectors/README.md for the server sets.
 */
#include <stdio.h>
#include <string.h>

#include "common/hash/hash.h"
#include "proxy/distribution/distribution.h"
#include "tests/unit/unit.h"

enum { SERVER_MAX = 25, HASH_COLUMNS = 12 };

struct server_set {
    const char *name, *tag;
    struct {
        const char *name;
        unsigned weight;
    } servers[SERVER_MAX];
};

static const struct server_set sets[] = {
    {"equal",
     NULL,
     {{"127.0.0.1", 1},
      {"127.0.0.1:21001", 1},
      {"127.0.0.2:21001", 1},
      {"127.0.0.1:21002", 1},
      {"127.0.0.10:21003", 1}}},
    {"weighted",
     NULL,
     {{"127.0.0.1:21001", 1},
      {"127.0.0.1:21002", 2},
      {"127.0.0.1:21003", 3},
      {"127.0.0.1:21004", 5},
      {"127.0.0.1:21005", 7}}},
    {"named", NULL, {{"zeta", 1}, {"b", 1}, {"cache-node-three", 1}, {"aa", 1}, {"Node_4", 1}}},
    {"named_weighted",
     NULL,
     {{"zeta", 10}, {"b", 1}, {"cache-node-three", 4}, {"aa", 4}, {"Node_4", 25}}},
    {"tag_braces",
     "{}",
     {{"zeta", 1}, {"b", 1}, {"cache-node-three", 1}, {"aa", 1}, {"Node_4", 1}}},
    {"equal25", NULL, {{NULL, 0}}}, /* filled in by set_load */
    {"unix",
     NULL,
     {{"/tmp/ketvec-s1.sock:", 1},
      {"/tmp/ketvec-s2.sock:", 2},
      {"third", 1},
      {"127.0.0.1:21001", 1}}},
    {"ejected", NULL, {{"zeta", 1}, {"b", 2}, {"cache-node-three", 1}, {"Node_4", 1}}},
    {"tag_dollar", "$$", {{"s1", 3}, {"s2", 2}, {"s3", 1}}},
};

enum { SET_COUNT = sizeof(sets) / sizeof(sets[0]) };

static struct ring_server servers[SERVER_MAX];
static unsigned server_count;

static int compare_servers(const void *a, const void *b)
{
    const struct ring_server *s = a, *t = b;

    return distribution_compare_names(s->name, t->name);
}

static void set_load(const struct server_set *set)
{
    static char names[SERVER_MAX][32];

    server_count = 0;
    for (unsigned i = 0; i < SERVER_MAX; i++) {
        const char *name = set->servers[i].name;
        unsigned weight = set->servers[i].weight;

        if (strcmp(set->name, "equal25") == 0) {
            snprintf(names[i], sizeof(names[i]), "127.0.0.1:%u", 21001 + i);
            name = names[i];
            weight = 1;
        }
        if (name != NULL)
            servers[server_count++] = (struct ring_server){.name = str_of(name), .weight = weight};
    }
    qsort(servers, server_count, sizeof(servers[0]), compare_servers);
    for (unsigned i = 0; i < server_count; i++)
        servers[i].index = i;
}

static size_t decode_hex(const char *hex, char *out)
{
    size_t len = 0;
    unsigned byte;

    for (; sscanf(hex, "%2x", &byte) == 1; hex += 2)
        out[len++] = (char)byte;
    return len;
}

/* Compares a line's key with all hashes; returns how many were compared. */
static unsigned check_line(char *line, const struct ring *ring, const char *tag,
                           const struct hash *const columns[])
{
    char *rest = line, *hex = strsep(&rest, "\t"), bytes[600];
    struct str key = {bytes, decode_hex(hex, bytes)};

    for (unsigned i = 0; i < HASH_COLUMNS; i++) {
        const char *expected = strsep(&rest, "\t");
        uint32_t hash = hash_key(columns[i], tag == NULL ? key : hash_tag_cut(key, tag));

        ck_assert_str_is(servers[ring_pick(ring, hash)].name, expected);
    }
    return HASH_COLUMNS;
}

START_TEST(every_recorded_key_goes_to_the_server_that_nutcracker_chose)
{
    const struct server_set *set = &sets[_i / 2];
    const struct distribution *distribution = _i % 2 ? &distribution_modula : &distribution_ketama;
    const struct hash *columns[HASH_COLUMNS];
    char path[128], line[4096], *rest = line;
    unsigned compared = 0;
    struct ring *ring;
    FILE *in;

    set_load(set);
    ring = ring_build(distribution, servers, server_count);
    snprintf(path, sizeof(path), "tests/vectors/%s_%s.tsv", set->name, distribution->name);
    in = fopen(path, "r");
    ck_assert_ptr_nonnull(in);
    ck_assert_ptr_nonnull(fgets(line, sizeof(line), in));
    strsep(&rest, "\t");
    for (unsigned i = 0; i < HASH_COLUMNS; i++) {
        columns[i] = hash_find(str_of(strsep(&rest, "\t")));
        ck_assert_ptr_nonnull(columns[i]);
    }
    while (fgets(line, sizeof(line), in) != NULL)
        compared += check_line(line, ring, set->tag, columns);
    ck_assert_uint_eq(compared, 500 * HASH_COLUMNS);
    fclose(in);
    free(ring);
}
END_TEST

UNIT_MAIN("distribution/vectors",
          tcase_add_loop_test(tests, every_recorded_key_goes_to_the_server_that_nutcracker_chose, 0,
                              SET_COUNT * 2);)
