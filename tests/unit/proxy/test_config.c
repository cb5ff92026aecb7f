#include <stdio.h>

#include "proxy/config.h"
#include "tests/unit/unit.h"

static char error[CONFIG_ERROR_MAX];

static struct config *parse(const char *text)
{
    error[0] = '\0';
    return config_parse("f", str_of(text), error, sizeof(error));
}

#define S "  servers: [\"h:1:1\"]\n"

static const struct {
    const char *text, *error;
} refused[] = {
    {"", "f:1:1: the file is empty"},
    {"a: 1\n", "f:1:4: pool a: keys and values were expected"},
    {"a:\n  listen: h:1\n", "f:1:1: pool a: directive \"servers:\" is missing"},
    {"a:\n" S, "f:1:1: pool a: directive \"listen:\" is missing"},
    {"a:\n  listen: h\n" S, "f:2:11: pool a: listen: 'h' has an invalid \"hostname:port\""},
    {"a:\n  listen: h:0\n" S, "has an invalid port in \"hostname:port\" format string"},
    {"a:\n  listen: /s 1777\n" S, "has an invalid file permission"},
    {"a:\n  listen: h:1\n  foo: 1\n" S, "f:3:3: pool a: directive \"foo\" is unknown"},
    {"a:\n  listen: h:1\n  listen: h:2\n" S, "f:3:3: 'listen' is a duplicate"},
    {"a:\n  listen: h:1\n" S "a:\n  listen: h:2\n" S, "f:4:1: 'a' is a duplicate"},
    {"a:\n  listen: h:1\n  timeout: soon\n" S,
     "f:3:12: pool a: timeout: 'soon' is not a whole number of milliseconds"},
    {"a:\n  listen: h:1\n  timeout: -1\n" S, "'-1' is not a whole number"},
    {"a:\n  listen: h:1\n  timeout: 99999999999\n" S, "is not a whole number"},
    {"a:\n  listen: h:1\n  timeout:\n" S, "'' is not a whole number"},
    {"a:\n  listen: h:1\n  hash: nope\n" S, "hash: 'nope' is not one of one_at_a_time, md5"},
    {"a:\n  listen: h:1\n  hash_tag: \"{\"\n" S, "hash tag string with two characters"},
    {"a:\n  listen: h:1\n  preconnect: yes\n" S, "'yes' is not true or false"},
    {"a:\n  listen: h:1\n  server_connections: 0\n" S, "'0' is not a whole number from 1"},
    {"a:\n  listen: h:1\n  redis_auth: x\n" S, "is only valid for a redis pool"},
    {"a:\n  listen: h:1\n  ring_points: 160\n" S, "ring_points: '160' is not nutcracker or fixed"},
    {"a:\n  listen: h:1\n  ring_points: fixed\n  distribution: modula\n" S,
     "\"ring_points:\" is only valid with distribution: ketama"},
    {"a:\n  listen: h:1\n  ring_points: fixed\n  servers: [\"h:1:62501\"]\n",
     "makes a ring of more than 10000000 points"},
    {"a:\n  listen: h:1\n  distribution: modula\n  servers: [\"h:1:2147483647\", "
     "\"h:2:2147483647\", \"h:3:2\"]\n",
     "makes a ring of more than 10000000 points"},
    {"a:\n  listen: h:1\n  on_eject: retry\n" S, "on_eject: 'retry' is not rehash, miss or error"},
    {"a:\n  listen: h:1\n  on_eject: miss\n" S,
     "\"on_eject:\" is only valid with auto_eject_hosts: true"},
    {"a:\n  listen: h:1\n  failover: b\n" S,
     "\"failover:\" is only valid with auto_eject_hosts: true"},
    {"a:\n  listen: h:1\n  redis: true\n  auto_eject_hosts: true\n  on_eject: miss\n" S,
     "on_eject: miss is only valid for a memcached pool"},
    {"a:\n  listen: h:1\n  auto_eject_hosts: true\n  failover: b\n" S, "'b' is no pool"},
    {"a:\n  listen: h:1\n  auto_eject_hosts: true\n  failover: a\n" S, "'a' is the pool itself"},
    {"a:\n  listen: h:1\n  auto_eject_hosts: true\n  failover: b\n" S
     "b:\n  listen: h:2\n  redis: true\n" S,
     "'b' does not speak the same protocol"},
    {"a:\n  listen: h:1\n  auto_eject_hosts: true\n  failover: b\n" S
     "b:\n  listen: h:2\n  auto_eject_hosts: true\n  failover: a\n" S,
     "'b' has a failover itself"},
    {"a:\n  listen: h:1\n  servers: []\n", "a list of at least one server was expected"},
    {"a:\n  listen: h:1\n  servers:\n    - h:1\n", "f:4:7: pool a: servers: 'h:1' has an invalid"},
    {"a:\n  listen: h:1\n  servers:\n    - h:1:0\n", "has a zero weight"},
    {"a:\n  listen: h:1\n  servers:\n    - h:1:1 n x\n", "has an invalid weight"},
    {"a:\n  listen: h:1\n  servers:\n    - h:0:1\n", "has an invalid port"},
    {"a:\n  listen: h:1\n  servers: [\"h:11211:1\", \"g:1:1 h\"]\n", "have the same name 'h'"},
    {"a:\n  listen: h:1\n" S "b:\n  listen: h:1\n" S, "have the same listen address 'h:1'"},
    {"a:\n  listen: h:1\n" S "b:\n  listen: h:01\n" S, "have the same listen address 'h:"},
    {"a:\n  listen: /s\n" S "b:\n  listen: h:1\n" S "c:\n  listen: /s 0600\n" S,
     "have the same listen address '/s"},
    {"a:\n\tlisten: h:1\n", "f:2:1: this is not YAML"},
    {"a: \xff\n", "f:1:4: this is not YAML"},
    {"a: \"\\0\"\n", "a NUL character is not allowed"},
    {"a: &x [*x]\n", "refers to no finished anchor"},
    {"[[[[[[[[[[[[[[[[[[[[[[[[[[[[1", "nested too deeply"},
    {"a: 1\n---\nb: 1\n", "only one document is allowed"},
};

START_TEST(a_bad_file_is_refused_with_its_place_and_what_was_expected)
{
    ck_assert_ptr_null(parse(refused[_i].text));
    ck_assert_msg(strstr(error, refused[_i].error) != NULL, "'%s' lacks '%s'", error,
                  refused[_i].error);
}
END_TEST

START_TEST(an_alias_bomb_is_refused)
{
    char text[4096] = "l0: &l0 [x,x,x,x,x,x,x,x,x,x]\n";

    for (int i = 1; i < 10; i++) {
        size_t len = strlen(text);

        snprintf(text + len, sizeof(text) - len, "l%d: &l%d [*l%d,*l%d,*l%d,*l%d,*l%d,*l%d]\n", i,
                 i, i - 1, i - 1, i - 1, i - 1, i - 1, i - 1);
    }
    ck_assert_ptr_null(parse(text));
    ck_assert_ptr_nonnull(strstr(error, "too many values"));
}
END_TEST

START_TEST(pools_and_servers_are_sorted_and_named_as_nutcracker_does)
{
    static const char *const names[] = {"b", "10.0.0.1", "/tmp/s:", "10.0.0.2:12", "::1:11212"};
    struct config *config = parse("---\nbb: {listen: \"[::1]:4000\", servers: [\"h:1:1\"]}\n"
                                  "a:\n  listen: /tmp/x 0666\n  timeout: \"400\"\n  servers:\n"
                                  "    - 10.0.0.2:12:1\n    - 10.0.0.1:11211:3\n"
                                  "    - /tmp/s:1\n    - ::1:11212:1\n    - h:1:1 b\n");

    ck_assert_msg(config != NULL, "%s", error);
    ck_assert_uint_eq(config->pool_count, 2);
    ck_assert_str_eq(config->pools[0].name, "a");
    ck_assert_str_eq(config->pools[0].listen.unix_path, "/tmp/x");
    ck_assert_uint_eq(config->pools[0].listen.mode, 0666);
    ck_assert_uint_eq(config->pools[0].timeout_ms, 400);
    ck_assert_str_eq(config->pools[1].listen.host, "::1");
    ck_assert_uint_eq(config->pools[1].listen.port, 4000);
    ck_assert_str_eq(config->pools[0].servers[0].name, names[0]);
    ck_assert_str_eq(config->pools[0].servers[1].name, names[2]);
    ck_assert_str_eq(config->pools[0].servers[2].name, names[1]);
    ck_assert_str_eq(config->pools[0].servers[3].name, names[4]);
    ck_assert_str_eq(config->pools[0].servers[4].name, names[3]);
    config_release(config);
}
END_TEST

START_TEST(a_message_has_half_of_the_memory_but_no_more_than_a_connection_can_gather)
{
    ck_assert_uint_eq(config_message_max(16 << 20), 8 << 20);
    ck_assert_uint_eq(config_message_max((size_t)1 << 31), 1 << 30);
    ck_assert_uint_eq(config_message_max((size_t)1 << 40), 1 << 30);
}
END_TEST

START_TEST(the_example_loads_as_it_is)
{
    struct config *config = config_load("conf/cacheproxy.yml", error, sizeof(error));

    ck_assert_msg(config != NULL, "%s", error);
    ck_assert_uint_eq(config->pools[0].server_count, 3);
    config_release(config);
}
END_TEST

UNIT_MAIN("config",
          tcase_add_loop_test(tests, a_bad_file_is_refused_with_its_place_and_what_was_expected, 0,
                              (int)(sizeof(refused) / sizeof(refused[0])));
          tcase_add_test(tests, an_alias_bomb_is_refused);
          tcase_add_test(tests, pools_and_servers_are_sorted_and_named_as_nutcracker_does);
          tcase_add_test(tests,
                         a_message_has_half_of_the_memory_but_no_more_than_a_connection_can_gather);
          tcase_add_test(tests, the_example_loads_as_it_is);)
