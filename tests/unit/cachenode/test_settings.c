#include <string.h>

#include "cachenode/settings.h"
#include "tests/unit/unit.h"

static struct settings settings;

static int parse(const char *line)
{
    static char text[256];
    char *argv[32] = {text}, *word;
    int argc = 1;

    snprintf(text, sizeof(text), "%s", line);
    for (word = strtok(text, " "); word != NULL && argc < 32; word = strtok(NULL, " "))
        argv[argc++] = word;
    return settings_parse(argc, argv, &settings);
}

START_TEST(defaults_are_memcacheds)
{
    ck_assert_int_eq(parse(""), 0);
    ck_assert_int_eq(settings.tcp_port, 11211);
    ck_assert_uint_eq(settings.memory_mb, 64);
    ck_assert_uint_eq(settings.item_size_max, 1 << 20);
    ck_assert_uint_eq(settings.unix_mask, 0700);
    ck_assert(settings.evictions && settings.use_cas && settings.flush_enabled);
    settings_free(&settings);
}
END_TEST

START_TEST(letters_and_long_names_are_the_same)
{
    ck_assert_int_eq(parse("-vvM -p1234 --memory-limit=128 -I 2m --threads 2 "
                           "-l 127.0.0.1,[::1]:99;::1 -l * -o hot_lru_pct=30,no_maxconns_fast"),
                     0);
    ck_assert_uint_eq(settings.verbosity, 2);
    ck_assert(!settings.evictions && !settings.maxconns_fast);
    ck_assert_int_eq(settings.tcp_port, 1234);
    ck_assert_uint_eq(settings.memory_mb, 128);
    ck_assert_uint_eq(settings.threads, 2);
    ck_assert_uint_eq(settings.hot_lru_pct, 30);
    ck_assert_uint_eq(settings.listen.count, 4);
    ck_assert_str_eq(settings.listen.items[1].host, "::1");
    ck_assert_int_eq(settings.listen.items[1].port, 99);
    ck_assert_str_eq(settings.listen.items[2].host, "::1");
    ck_assert_ptr_null(settings.listen.items[3].host);
    settings_free(&settings);
}
END_TEST

static const struct {
    const char *line;
    int status;
} refused[] = {
    {"-p 65536", 64},
    {"-m 1", 64},
    {"-I 1023", 64},
    {"-D ab", 1},
    {"-U 11211 -S", 64},
    {"-S -B ascii", 64},
    {"-B x", 64},
    {"-c 0", 1},
    {"-t 0", 1},
    {"-R 0", 1},
    {"-f 1", 1},
    {"-f nan", 1},
    {"-n 0", 1},
    {"-Q", 1},
    {"-Z", 1},
    {"--nope", 1},
    {"-p", 1},
    {"-o nope", 1},
    {"-l notls:h:1", 1},
    {"stray", 1},
    {"-l [::1", 1},
    {"-a 9", 1},
    {"-o hot_lru_pct=70,warm_lru_pct=20", 64},
    {"-o slab_sizes=100-105", 1},
    {"-o slab_sizes=", 1},
    {"-o slab_sizes=20-100", 64},
    {"-o slab_chunk_max=3", 64},
    {"-o slab_automove=3", 1},
    {"-o slab_automove_window=2", 1},
    {"-o slab_automove_ratio=0", 1},
    {"-o no_lru_maintainer,temporary_ttl=5", 64},
    {"-L -e file", 64},
    {"-I 1m -o slab_chunk_max=2048", 1},
};

START_TEST(tcp_takes_the_port_of_udp_unless_it_has_one)
{
    ck_assert_int_eq(parse("-U 1234"), 0);
    ck_assert_int_eq(settings.tcp_port, 1234);
    settings_free(&settings);
    ck_assert_int_eq(parse("-U 1234 -p 0"), 0);
    ck_assert_int_eq(settings.tcp_port, 0);
    ck_assert_int_eq(settings.udp_port, 1234);
    settings_free(&settings);
}
END_TEST

START_TEST(a_mistake_gives_the_status_of_its_kind)
{
    ck_assert_int_eq(parse(refused[_i].line), refused[_i].status);
    settings_free(&settings);
}
END_TEST

UNIT_MAIN("settings", tcase_add_test(tests, defaults_are_memcacheds);
          tcase_add_test(tests, letters_and_long_names_are_the_same);
          tcase_add_test(tests, tcp_takes_the_port_of_udp_unless_it_has_one);
          tcase_add_loop_test(tests, a_mistake_gives_the_status_of_its_kind, 0,
                              (int)(sizeof(refused) / sizeof(refused[0])));)
