#include <stdlib.h>
#include <unistd.h>

#include "common/option/argv.h"
#include "common/option/option.h"
#include "proxy/options.h"

#define PROXY_OPTION(name, kind, field, ...)                                                       \
    {                                                                                              \
        .key = (name), .type = OPTION_##kind, .offset = offsetof(struct proxy_options, field),     \
        __VA_ARGS__                                                                                \
    }

static const struct option proxy_option_table[] = {
    PROXY_OPTION("help", BOOL, show_help, .letter = 'h', .flag = "true", .help = "this help"),
    PROXY_OPTION("version", BOOL, show_version, .letter = 'V', .flag = "true",
                 .help = "show version and exit"),
    PROXY_OPTION("test-conf", BOOL, test_config, .letter = 't', .flag = "true",
                 .help = "test the configuration file and exit"),
    PROXY_OPTION("explain", BOOL, explain, .flag = "true", .argument = "KEY...",
                 .help = "show where the keys go in each pool, and exit"),
    PROXY_OPTION("reference", BOOL, show_reference, .flag = "true",
                 .help = "print all options, keys and statistics as Markdown, and exit"),
    PROXY_OPTION("daemonize", BOOL, daemonize, .letter = 'd', .flag = "true",
                 .help = "run in the background"),
    PROXY_OPTION("describe-stats", BOOL, describe_stats, .letter = 'D', .flag = "true",
                 .help = "describe the statistics and exit"),
    PROXY_OPTION("verbose", NUMBER, verbosity, .letter = 'v', .initial = "5",
                 .help = "log level, 0 to 11"),
    PROXY_OPTION("output", STRING, log_path, .letter = 'o', .argument = "FILE",
                 .help = "log file (default: stderr)"),
    PROXY_OPTION("conf-file", STRING, config_path, .letter = 'c', .argument = "FILE",
                 .initial = "conf/cacheproxy.yml", .help = "configuration file"),
    PROXY_OPTION("stats-port", COUNT, stats_port, .letter = 's', .initial = "22222", .min = 1,
                 .max = 65535, .help = "port of the statistics"),
    PROXY_OPTION("stats-addr", STRING, stats_host, .letter = 'a', .argument = "HOST",
                 .initial = "0.0.0.0", .help = "address of the statistics"),
    PROXY_OPTION("stats-interval", MILLISECONDS, stats_interval_ms, .letter = 'i',
                 .initial = "30000",
                 .help = "accepted for nutcracker's sake: statistics are of the moment"),
    PROXY_OPTION("pid-file", STRING, pid_path, .letter = 'p', .argument = "FILE",
                 .help = "file to write the pid to"),
    PROXY_OPTION("workers", COUNT, workers, .letter = 'w', .initial = "0", .max = 64,
                 .help = "data threads; 0: as the configuration says, or one"),
    PROXY_OPTION("mbuf-size", COUNT, mbuf_size, .letter = 'm', .initial = "16384", .min = 512,
                 .max = 16777216, .help = "accepted for nutcracker's sake"),
};

#define PROXY_OPTIONS proxy_option_table, OPTION_COUNT_OF(proxy_option_table)

/* What an option asks for, in nutcracker's words. */
static const char *argument_kind(const struct option *option)
{
    if (option->letter == 'a')
        return "a string";
    return option->type == OPTION_STRING ? "a file name" : "a number";
}

static bool is_number(const char *text)
{
    return text[0] != '\0' && text[strspn(text, "0123456789")] == '\0';
}

/* The value that was refused: the text between the first quotes of the message. */
static void refused_value(const char *message, char *value, size_t size)
{
    const char *open = strchr(message, '\'');
    const char *shut = open ? strchr(open + 1, '\'') : NULL;

    snprintf(value, size, "%.*s", shut ? (int)(shut - open - 1) : 0, shut ? open + 1 : "");
}

static void say(const struct argv_error *failed, char *error, size_t error_size)
{
    const struct option *option = failed->option;
    char value[80];

    if (failed->failure == ARGV_UNKNOWN) {
        bool is_long = failed->given[1] == '-';

        snprintf(error, error_size, "%s '%s'",
                 is_long ? "unrecognized option" : "invalid option --",
                 failed->given + (is_long ? 0 : 1));
    } else if (failed->failure == ARGV_MISSING) {
        snprintf(error, error_size, "option -%c requires %s", option->letter,
                 argument_kind(option));
    } else if (failed->failure == ARGV_BAD && option->type != OPTION_STRING) {
        refused_value(failed->text, value, sizeof(value));
        if (!is_number(value))
            snprintf(error, error_size, "option -%c requires a number", option->letter);
        else if (option->letter == 's')
            snprintf(error, error_size, "option -s value %s is not a valid port", value);
        else if (option->letter == 'm')
            snprintf(error, error_size, "mbuf chunk size must be between 512 and 16777216 bytes");
        else
            snprintf(error, error_size, "%s", failed->text);
    } else {
        snprintf(error, error_size, "%s", failed->text);
    }
}

/* Called by its name, we read what it would: its default, or where Debian has it. */
static bool take_nutcrackers_paths(const char *program, struct proxy_options *options)
{
    static const char *const paths[] = {"conf/nutcracker.yml", "/etc/nutcracker/nutcracker.yml"};
    const char *slash = strrchr(program, '/');
    bool has_first = access(paths[0], F_OK) == 0, has_second = access(paths[1], F_OK) == 0;

    if (strcmp(slash != NULL ? slash + 1 : program, "nutcracker") != 0)
        return true;
    free(options->config_path);
    options->config_path = strdup(paths[!has_first && has_second]);
    return options->config_path != NULL;
}

bool proxy_options_parse(int argc, char **argv, struct proxy_options *options, char *error,
                         size_t error_size)
{
    struct argv_operands operands = {calloc((size_t)argc, sizeof(const char *)), 0};
    struct argv_tables tables = {PROXY_OPTIONS, .operands = &operands};
    struct argv_error failed;

    memset(options, 0, sizeof(*options));
    options->keys = operands.words;
    if (operands.words == NULL || !option_defaults(PROXY_OPTIONS, options) ||
        !take_nutcrackers_paths(argv[0], options)) {
        snprintf(error, error_size, "out of memory");
        return false;
    }
    if (!argv_parse(&tables, argc, argv, options, &failed)) {
        say(&failed, error, error_size);
        return false;
    }
    options->key_count = operands.count;
    if (options->explain && operands.count == 0)
        snprintf(error, error_size, "option --explain requires a key");
    else if (!options->explain && operands.count != 0)
        snprintf(error, error_size, "'%s' is not an option", operands.words[0]);
    else
        return true;
    return false;
}

void proxy_options_free(struct proxy_options *options)
{
    option_free(PROXY_OPTIONS, options);
    free(options->keys);
}

void proxy_options_print_help(FILE *out)
{
    fputs("Usage: cacheproxy [options]\n\nOptions:\n", out);
    argv_print_help(out, PROXY_OPTIONS);
}

void proxy_options_print_reference(FILE *out)
{
    argv_print_reference(out, PROXY_OPTIONS);
}
