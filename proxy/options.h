/*
 * The command line of cacheproxy, with nutcracker's letters and names.
 */
#ifndef PROXY_OPTIONS_H
#define PROXY_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct proxy_options {
    bool show_help, show_version, test_config, describe_stats, explain, show_reference;
    const char **keys; /* to be explained: words of the command line */
    size_t key_count;
    bool daemonize;
    int32_t verbosity; /* at least 0 */
    char *log_path;    /* NULL: stderr */
    char *config_path;
    char *pid_path; /* NULL: none */
    char *stats_host;
    uint32_t stats_port;        /* 1..65535 */
    uint32_t stats_interval_ms; /* accepted and checked */
    uint32_t workers;           /* 0: as the configuration says */
    uint32_t mbuf_size;         /* accepted and checked; buffers are not sized by it */
};

/*
 * Fills in *options from the command line. Returns false with a message, ready to be
 * printed behind "cacheproxy: ", in `error`. Either way proxy_options_free is due.
 */
bool proxy_options_parse(int argc, char **argv, struct proxy_options *options, char *error,
                         size_t error_size);

void proxy_options_free(struct proxy_options *options);

/* Prints usage and options. */
void proxy_options_print_help(FILE *out);

/* Prints the options as a Markdown table. */
void proxy_options_print_reference(FILE *out);

#endif
