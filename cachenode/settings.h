/*
 * The settings of a cachenode, from a command line with memcached's letters and
 * names; never changed after the start.
 */
#ifndef CACHENODE_SETTINGS_H
#define CACHENODE_SETTINGS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct listen_address {
    char *host;   /* NULL: every address */
    int32_t port; /* 0: settings' tcp_port */
};

enum { LISTEN_ADDRESS_MAX = 64 };

struct listen_addresses {
    unsigned count; /* 0: every address */
    struct listen_address items[LISTEN_ADDRESS_MAX];
};

enum { SETTINGS_PORT_ANY = -1 };

enum { CHUNK_SIZES_MAX = 62, SLAB_WINDOW_MIN = 3, SLAB_WINDOW_MAX = 1800 };

struct chunk_sizes {
    unsigned count; /* 0: not given */
    uint32_t sizes[CHUNK_SIZES_MAX];
};

struct settings {
    int32_t tcp_port;   /* 0: no TCP; SETTINGS_PORT_ANY: one that the system picks */
    int32_t udp_port;   /* the same for UDP */
    char *unix_path;    /* listen here, and not on TCP and UDP; NULL: there */
    uint32_t unix_mask; /* permissions of the unix socket's file */
    struct listen_addresses listen;
    uint32_t backlog;
    uint32_t max_conns;
    bool maxconns_fast; /* tell the client that is one too many, rather than let him wait */
    uint32_t threads;
    uint32_t reqs_per_event; /* commands of a connection before others have a turn */
    uint32_t idle_timeout_s; /* 0: none */

    uint32_t memory_mb;
    bool evictions;
    uint64_t item_size_max; /* bytes */
    double growth_factor;
    uint32_t slab_min_size;     /* bytes of key, value and flags */
    uint32_t slab_chunk_max_kb; /* 0: as large as we have them */
    struct chunk_sizes slab_sizes;
    bool slab_reassign;
    uint32_t slab_automove; /* 0 to 2 */
    uint32_t slab_automove_window;
    double slab_automove_ratio;
    bool large_pages;  /* have all memory at the start, in huge pages */
    char *memory_file; /* have items in this file, for a warm restart; NULL: in memory of our own */
    uint32_t hash_power; /* log2 of buckets at the start */
    bool hash_grows;
    const void *hash_algorithm; /* its name; told by stats alone */
    uint32_t hot_lru_pct, warm_lru_pct;
    double hot_max_factor, warm_max_factor;
    bool lru_maintainer;     /* there are segments */
    int32_t temporary_ttl_s; /* items with this ttl or less go to TEMP; -1: none do */
    bool use_cas, flush_enabled, dump_enabled, shutdown_enabled;
    bool crawler; /* what is over is freed without a command */
    uint32_t crawler_sleep_us, crawler_items_max;
    bool track_sizes;                             /* stats sizes */
    uint32_t watcher_logbuf_kb, worker_logbuf_kb; /* what may wait of lines, and of events */
    bool lock_memory;
    bool watch_enabled;
    char prefix_delimiter; /* of stats detail, on from the start; '\0': a colon, and off */
    uint32_t tail_repair_s, read_buf_limit_mb, napi_ids; /* told by stats alone */
    bool inline_ascii;                                   /* the same */
    bool is_ignored;
    uint32_t ignored_count;
    double ignored_factor;

    bool daemonize;
    bool core_dumps;
    char *user; /* to become; NULL: stay */
    char *pid_path;
    uint32_t verbosity;

    char *protocol;  /* auto, ascii or binary */
    bool sasl;       /* binary clients have to authenticate */
    char *auth_path; /* users and passwords for text clients; NULL: they need none */
    bool show_help, show_version;
};

/*
 * Fills in *settings from the command line. Returns 0, or, after printing why on
 * stderr, the status to exit with. settings_free is due either way.
 */
int settings_parse(int argc, char **argv, struct settings *settings);

void settings_free(struct settings *settings);

/* Prints usage and options. */
void settings_print_help(FILE *out);

/* Prints the line of -V. */
void settings_print_version(FILE *out);

#endif
