#include <stdio.h>

#include "common/base/log.h"
#include "common/base/version.h"
#include "common/process/daemon.h"
#include "proxy/advice.h"
#include "proxy/explain.h"
#include "proxy/proxy.h"
#include "proxy/stats.h"

static void print_version(void)
{
    fprintf(stderr, "This is cacheproxy-%s\n", CACHEPOOL_VERSION);
}

static void print_reference(FILE *out)
{
    fputs("# cacheproxy: reference\n\nPrinted by `cacheproxy --reference`; see `make reference`."
          "\n\n## Command line\n\n",
          out);
    proxy_options_print_reference(out);
    fputs("\n## Keys of the configuration file\n\nBeside the names of the pools.\n\n", out);
    config_print_reference(out);
    stats_print_reference(out);
}

/* What only prints; returns false when there is more to do. */
static bool print_asked(const struct proxy_options *options)
{
    if (options->show_version || options->show_help || options->describe_stats)
        print_version();
    if (options->show_reference)
        print_reference(stdout);
    else if (options->show_help)
        proxy_options_print_help(stderr);
    else if (options->describe_stats)
        stats_describe(stderr);
    return options->show_version || options->show_help || options->describe_stats ||
           options->show_reference;
}

static void print_advice(const char *text)
{
    fprintf(stderr, "cacheproxy: warning: %s\n", text);
}

/* What only looks at the configuration; returns false when there is more to do. */
static bool answer_from(const struct config *config, const struct proxy_options *options)
{
    if (options->test_config) {
        advice_give(config, print_advice);
        fprintf(stderr, "cacheproxy: configuration file '%s' syntax is ok\n", options->config_path);
    }
    if (options->explain)
        explain_keys(config, options->keys, options->key_count, stdout);
    return options->test_config || options->explain;
}

static int run(const struct proxy_options *options)
{
    static const struct daemon_options in_background = {0};
    char error[CONFIG_ERROR_MAX];
    struct config *config = config_load(options->config_path, error, sizeof(error));
    int status;

    if (config == NULL) {
        fprintf(stderr, "cacheproxy: %s\n", error);
        if (options->test_config)
            fprintf(stderr, "cacheproxy: configuration file '%s' syntax is invalid\n",
                    options->config_path);
        return 1;
    }
    if (answer_from(config, options)) {
        config_release(config);
        return 0;
    }
    log_set_level(options->verbosity);
    if (options->log_path != NULL && !log_open(options->log_path)) {
        perror(options->log_path);
        config_release(config);
        return 1;
    }
    if (options->daemonize && !daemon_start(&in_background)) {
        log_error("cannot go to the background: %m");
        config_release(config);
        return 1;
    }
    advice_log(config);
    status = proxy_run(options, config);
    config_release(config);
    return status;
}

int main(int argc, char **argv)
{
    struct proxy_options options;
    char error[256];
    int status = 0;

    if (!proxy_options_parse(argc, argv, &options, error, sizeof(error))) {
        fprintf(stderr, "cacheproxy: %s\n", error);
        proxy_options_print_help(stderr);
        status = 1;
    } else if (!print_asked(&options)) {
        status = run(&options);
    }
    proxy_options_free(&options);
    return status;
}
