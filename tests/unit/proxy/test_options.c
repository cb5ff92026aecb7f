
#include "proxy/options.h"
#include "tests/unit/unit.h"

static struct proxy_options options;
static char error[256];

static bool parse(const char *first, const char *second)
{
    char name[] = "cacheproxy", a[64], b[64];
    char *argv[] = {name, a, b, NULL};

    snprintf(a, sizeof(a), "%s", first);
    snprintf(b, sizeof(b), "%s", second ? second : "");
    return proxy_options_parse(second ? 3 : 2, argv, &options, error, sizeof(error));
}

static const struct {
    const char *first, *second, *error;
} refused[] = {
    {"-v", "loud", "option -v requires a number"},
    {"-v", NULL, "option -v requires a number"},
    {"-c", NULL, "option -c requires a file name"},
    {"-a", NULL, "option -a requires a string"},
    {"-s", "0", "option -s value 0 is not a valid port"},
    {"-m", "511", "mbuf chunk size must be between 512 and 16777216 bytes"},
    {"-X", NULL, "invalid option -- 'X'"},
    {"--nope", NULL, "unrecognized option '--nope'"},
};

START_TEST(a_mistake_is_told_in_nutcrackers_words)
{
    ck_assert(!parse(refused[_i].first, refused[_i].second));
    ck_assert_str_eq(error, refused[_i].error);
    proxy_options_free(&options);
}
END_TEST

START_TEST(defaults_stand_unless_an_option_says_otherwise)
{
    ck_assert(parse("-dc", "my.yml"));
    ck_assert(options.daemonize);
    ck_assert_str_eq(options.config_path, "my.yml");
    ck_assert_uint_eq(options.stats_port, 22222);
    ck_assert_int_eq(options.verbosity, 5);
    ck_assert_ptr_null(options.log_path);
    proxy_options_free(&options);
}
END_TEST

START_TEST(without_a_configuration_file_named_the_example_is_read)
{
    ck_assert(parse("-t", NULL));
    ck_assert(options.test_config);
    ck_assert_str_eq(options.config_path, "conf/cacheproxy.yml");
    proxy_options_free(&options);
}
END_TEST

UNIT_MAIN("options", tcase_add_loop_test(tests, a_mistake_is_told_in_nutcrackers_words, 0,
                                         (int)(sizeof(refused) / sizeof(refused[0])));
          tcase_add_test(tests, without_a_configuration_file_named_the_example_is_read);
          tcase_add_test(tests, defaults_stand_unless_an_option_says_otherwise);)
