#include <stdlib.h>
#include <sysexits.h>

#include "cachenode/settings.h"
#include "common/base/version.h"
#include "common/bytes/number.h"
#include "common/option/argv.h"
#include "common/option/option.h"

/* The names that memcached has. The index is hashed the same way whichever is asked for. */
static const char *const hash_algorithms[] = {"jenkins", "murmur3", "xxh3", NULL};

static const char *hash_algorithm(size_t i)
{
    return hash_algorithms[i];
}

static const void *find_hash_algorithm(struct str name)
{
    for (size_t i = 0; hash_algorithms[i] != NULL; i++) {
        if (str_equal(name, str_of(hash_algorithms[i])))
            return hash_algorithms[i];
    }
    return NULL;
}

static const char *more_verbose(struct str value, void *field)
{
    (void)value;
    ++*(uint32_t *)field;
    return NULL;
}

/* Splits ADDR[:PORT] into `host` and `port`; an IPv6 address with a port is in brackets. */
static const char *split_address(struct str item, struct str *host, struct str *port)
{
    const char *bracket, *colon;

    *port = (struct str){NULL, 0};
    *host = item;
    if (item.data[0] == '[') {
        bracket = memchr(item.data, ']', item.len);
        if (bracket == NULL)
            return "lacks a closing bracket";
        *host = (struct str){item.data + 1, (size_t)(bracket - item.data) - 1};
        item = str_skip(item, host->len + 2);
        if (item.len != 0 && item.data[0] != ':')
            return "is not [address]:port";
        if (item.len != 0)
            *port = str_skip(item, 1);
        return NULL;
    }
    colon = memchr(item.data, ':', item.len);
    if (colon == NULL || memrchr(item.data, ':', item.len) != colon)
        return NULL;
    host->len = (size_t)(colon - item.data);
    *port = str_skip(item, host->len + 1);
    return NULL;
}

static bool has_prefix(struct str item)
{
    static const char *const prefixes[] = {"notls:", "btls:", "mtls:", "proto[", "tag[", "tag_"};

    for (size_t i = 0; i < OPTION_COUNT_OF(prefixes); i++) {
        if (str_starts(item, str_of(prefixes[i])))
            return true;
    }
    return false;
}

static const char *add_address(struct str item, struct listen_addresses *addresses)
{
    struct listen_address *address = &addresses->items[addresses->count];
    struct str host, port;
    const char *wrong;
    uint32_t number = 0;

    if (has_prefix(item))
        return "has a prefix (notls, btls, mtls, proto, tag), which is not supported";
    if (addresses->count == LISTEN_ADDRESS_MAX)
        return "is one address too many, 64 is the most";
    wrong = split_address(item, &host, &port);
    if (wrong != NULL)
        return wrong;
    if (host.len == 0)
        return "has no address";
    if (port.data != NULL && (!number_parse_u32(port, &number) || number == 0 || number > 65535))
        return "has no port from 1 to 65535 behind the colon";
    address->port = (int32_t)number;
    address->host = NULL;
    if (!str_equal(host, STR("*"))) {
        address->host = strndup(host.data, host.len);
        if (address->host == NULL)
            return "cannot be kept: out of memory";
    }
    addresses->count++;
    return NULL;
}

static const char *add_addresses(struct str value, void *field)
{
    const char *wrong = NULL;

    while (value.len != 0 && wrong == NULL) {
        size_t len = 0;

        while (len < value.len && value.data[len] != ',' && value.data[len] != ';')
            len++;
        if (len != 0)
            wrong = add_address((struct str){value.data, len}, field);
        value = str_skip(value, len < value.len ? len + 1 : len);
    }
    return wrong;
}

/* A-B-C: each more than 8 above the one before. */
static const char *parse_sizes(struct str value, void *field)
{
    struct chunk_sizes *sizes = field;
    uint32_t size, last = 0;

    sizes->count = 0;
    while (value.len != 0) {
        const char *dash = memchr(value.data, '-', value.len);
        struct str word = {value.data, dash != NULL ? (size_t)(dash - value.data) : value.len};

        if (sizes->count == CHUNK_SIZES_MAX)
            return "has more than 62 sizes";
        if (!number_parse_u32(word, &size) || size <= last + 8)
            return "is not sizes joined by dashes, each more than 8 above the one before";
        sizes->sizes[sizes->count++] = last = size;
        value = str_skip(value, dash != NULL ? word.len + 1 : word.len);
    }
    return sizes->count == 0 ? "has no sizes" : NULL;
}

/* 1.4's defaults, as far as there are such things here. */
static const char *be_old(struct str value, void *all)
{
    struct settings *settings = all;

    (void)value;
    settings->maxconns_fast = false;
    settings->slab_reassign = false;
    settings->slab_automove = 0;
    settings->slab_chunk_max_kb = 1024;
    settings->lru_maintainer = false;
    settings->crawler = false;
    settings->hash_algorithm = hash_algorithms[0];
    return NULL;
}

static const char *set_delimiter(struct str value, void *field)
{
    if (value.len != 1)
        return "is not one character";
    *(char *)field = value.data[0];
    return NULL;
}

#define SETTING(letter_, name, kind, field, ...)                                                   \
    {                                                                                              \
        .key = (name), .type = OPTION_##kind, .offset = offsetof(struct settings, field),          \
        .letter = (letter_), __VA_ARGS__                                                           \
    }

/* What would be unsafe, or mislead, if it were ignored. */
#define REFUSED(letter_, name, why)                                                                \
    {                                                                                              \
        .key = (name), .type = OPTION_CUSTOM, .letter = (letter_), .flag = "", .refusal = (why)    \
    }
#define NO_TLS                                                                                     \
    "a cachenode speaks no TLS, and clients must not be led to believe it; have TLS ended in "     \
    "front of it"
#define NO_FLASH "a cachenode keeps items in memory alone; it would hold less than you expect"
#define NO_PROXY "the proxy is a program of its own, cacheproxy"

static const struct option setting_table[] = {
    SETTING('p', "port", NUMBER, tcp_port, .min = -1, .max = 65535,
            .help = "TCP port; 0: none, -1: any that is free (default: that of -U, or 11211)"),
    SETTING('U', "udp-port", NUMBER, udp_port, .initial = "0", .min = -1, .max = 65535,
            .help = "UDP port; 0: none, -1: any that is free"),
    SETTING('s', "unix-socket", STRING, unix_path, .argument = "PATH",
            .help = "listen on this unix socket and not on TCP"),
    SETTING('a', "unix-mask", OCTAL, unix_mask, .initial = "700",
            .help = "permissions of the unix socket, octal"),
    SETTING('l', "listen", CUSTOM, listen, .parse = add_addresses, .argument = "ADDR[:PORT],...",
            .help = "addresses to listen on (default: all)"),
    SETTING('d', "daemon", BOOL, daemonize, .flag = "true", .help = "run in the background"),
    SETTING('r', "enable-coredumps", BOOL, core_dumps, .flag = "true", .help = "allow core dumps"),
    SETTING('u', "user", STRING, user, .argument = "USER", .help = "run as this user"),
    SETTING('m', "memory-limit", COUNT, memory_mb, .initial = "64", .min = 1, .max = 1 << 30,
            .help = "memory for items in megabytes"),
    SETTING('M', "disable-evictions", BOOL, evictions, .initial = "true", .flag = "false",
            .help = "answer with an error when memory is full"),
    SETTING('c', "conn-limit", COUNT, max_conns, .initial = "1024", .min = 1, .max = INT32_MAX,
            .help = "connections at a time"),
    SETTING('L', "enable-largepages", BOOL, large_pages, .flag = "true",
            .help = "take all memory at the start, in huge pages if there are any"),
    SETTING('e', "memory-file", STRING, memory_file, .argument = "FILE",
            .help = "have items in this file; with the same options they survive a restart"),
    SETTING('k', "lock-memory", BOOL, lock_memory, .flag = "true", .help = "never page out"),
    SETTING('v', "verbose", CUSTOM, verbosity, .parse = more_verbose, .flag = "",
            .help = "say more; may be repeated"),
    SETTING('h', "help", BOOL, show_help, .flag = "true", .help = "this help"),
    SETTING('V', "version", BOOL, show_version, .flag = "true", .help = "show version and exit"),
    SETTING('P', "pidfile", STRING, pid_path, .argument = "FILE", .help = "write the pid here"),
    SETTING('f', "slab-growth-factor", FACTOR, growth_factor, .initial = "1.25",
            .help = "from one chunk size to the next"),
    SETTING('n', "slab-min-size", COUNT, slab_min_size, .initial = "48", .min = 1, .max = 1 << 20,
            .help = "least bytes for key, value and flags"),
    SETTING('t', "threads", COUNT, threads, .initial = "4", .min = 1, .max = 1024,
            .help = "worker threads"),
    SETTING('R', "max-reqs-per-event", COUNT, reqs_per_event, .initial = "20", .min = 1,
            .max = INT32_MAX, .help = "commands of a connection before others have a turn"),
    SETTING('C', "disable-cas", BOOL, use_cas, .initial = "true", .flag = "false",
            .help = "keep no cas values"),
    SETTING('b', "listen-backlog", COUNT, backlog, .initial = "1024", .max = INT32_MAX,
            .help = "connections that wait to be accepted"),
    SETTING('B', "protocol", STRING, protocol, .initial = "auto", .argument = "NAME",
            .help = "auto, ascii or binary"),
    SETTING('S', "enable-sasl", BOOL, sasl, .flag = "true",
            .help = "have clients authenticate by SASL PLAIN; MEMCACHED_SASL_PWDB names the "
                    "file of user:password lines"),
    SETTING('Y', "auth-file", STRING, auth_path, .argument = "FILE",
            .help = "have text clients authenticate; lines of user:password"),
    SETTING('I', "max-item-size", SIZE, item_size_max, .initial = "1m",
            .help = "largest item, 1k to 1g"),
    SETTING('A', "enable-shutdown", BOOL, shutdown_enabled, .flag = "true",
            .help = "allow the shutdown command"),
    SETTING('F', "disable-flush-all", BOOL, flush_enabled, .initial = "true", .flag = "false",
            .help = "refuse flush_all"),
    SETTING('X', "disable-dumping", BOOL, dump_enabled, .initial = "true", .flag = "false",
            .help = "refuse to dump keys"),
    SETTING('N', "napi-ids", COUNT, napi_ids, .initial = "0",
            .help = "accepted for memcached's sake; at most as many as threads"),
    REFUSED('Z', "enable-ssl", NO_TLS),
    SETTING('D', "stat-key-prefix", CUSTOM, prefix_delimiter, .parse = set_delimiter,
            .argument = "CHAR", .help = "count by what stands before this in a key: stats detail"),
    SETTING('W', "disable-watch", BOOL, watch_enabled, .initial = "true", .flag = "false",
            .help = "refuse watch"),
};

static const struct option extended_table[] = {
    SETTING(0, "maxconns_fast", BOOL, maxconns_fast, .initial = "true", .flag = "true",
            .help = "tell the client that is one too many"),
    SETTING(0, "no_maxconns_fast", BOOL, maxconns_fast, .flag = "false",
            .help = "let the client that is one too many wait"),
    SETTING(0, "hashpower", COUNT, hash_power, .initial = "0", .max = 32,
            .help = "log2 of buckets at the start, 12 to 32; 0: 16"),
    SETTING(0, "slab_chunk_max", COUNT, slab_chunk_max_kb, .initial = "0", .max = 1024,
            .help = "largest chunk in kilobytes; larger values are in pieces"),
    SETTING(0, "slab_sizes", CUSTOM, slab_sizes, .parse = parse_sizes, .argument = "A-B-...",
            .help = "sizes of chunks"),
    SETTING(0, "slab_reassign", BOOL, slab_reassign, .initial = "true", .flag = "true",
            .help = "memory moves between sizes (default)"),
    SETTING(0, "no_slab_reassign", BOOL, slab_reassign, .flag = "false",
            .help = "it does only where nothing could be stored otherwise"),
    SETTING(0, "slab_automove", COUNT, slab_automove, .initial = "1", .flag = "1", .max = 2,
            .help = "0: memory moves on command, 1: by itself, 2: eagerly"),
    SETTING(0, "no_slab_automove", COUNT, slab_automove, .flag = "0",
            .help = "memory moves on command"),
    SETTING(0, "slab_automove_ratio", FACTOR, slab_automove_ratio, .initial = "0.8",
            .help = "memory moves when it is worth less than this part elsewhere"),
    SETTING(0, "slab_automove_window", COUNT, slab_automove_window, .initial = "10",
            .min = SLAB_WINDOW_MIN, .max = SLAB_WINDOW_MAX,
            .help = "looks at a size that its worth is averaged over"),
    SETTING(0, "lru_maintainer", BOOL, lru_maintainer, .initial = "true", .flag = "true",
            .help = "items are in segments (default)"),
    SETTING(0, "no_lru_maintainer", BOOL, lru_maintainer, .flag = "false",
            .help = "the least recently used item goes"),
    SETTING(0, "temporary_ttl", NUMBER, temporary_ttl_s, .initial = "-1", .min = -1,
            .max = INT32_MAX - 1,
            .help = "items that live so many seconds at most are not evicted; -1: none"),
    SETTING(0, "hot_lru_pct", COUNT, hot_lru_pct, .initial = "20", .min = 1, .max = 79,
            .help = "percent of memory for new items"),
    SETTING(0, "warm_lru_pct", COUNT, warm_lru_pct, .initial = "40", .min = 1, .max = 79,
            .help = "percent of memory for items in use"),
    SETTING(0, "hot_max_factor", FACTOR, hot_max_factor, .initial = "0.2",
            .help = "age limit of hot items, of cold ones' age"),
    SETTING(0, "warm_max_factor", FACTOR, warm_max_factor, .initial = "2.0",
            .help = "age limit of warm items, of cold ones' age"),
    SETTING(0, "lru_crawler", BOOL, crawler, .initial = "true", .flag = "true",
            .help = "items that are over are freed by themselves (default)"),
    SETTING(0, "no_lru_crawler", BOOL, crawler, .flag = "false",
            .help = "items that are over are freed when somebody comes across them"),
    SETTING(0, "lru_crawler_sleep", COUNT, crawler_sleep_us, .initial = "100", .max = 1000000,
            .help = "microseconds between two steps of that"),
    SETTING(0, "lru_crawler_tocrawl", COUNT, crawler_items_max, .initial = "0", .max = UINT32_MAX,
            .help = "items that it looks at per size in a run; 0: all"),
    SETTING(0, "track_sizes", BOOL, track_sizes, .flag = "true",
            .help = "allow stats sizes, which walks all items"),
    SETTING(0, "watcher_logbuf_size", COUNT, watcher_logbuf_kb, .initial = "256", .min = 1,
            .max = 1 << 20, .help = "kilobytes of lines that wait to be sent to a watcher"),
    SETTING(0, "worker_logbuf_size", COUNT, worker_logbuf_kb, .initial = "64", .min = 1,
            .max = 1 << 20, .help = "kilobytes of events of a thread that wait to be made lines"),
    SETTING(0, "no_hashexpand", BOOL, hash_grows, .initial = "true", .flag = "false",
            .help = "the index keeps its first number of buckets"),
    SETTING(0, "no_chunked_items", COUNT, slab_chunk_max_kb, .flag = "0",
            .help = "chunks are as large as there are, whatever slab_chunk_max says"),
    SETTING(0, "hash_algorithm", CHOICE, hash_algorithm, .initial = "murmur3",
            .find = find_hash_algorithm, .choice = hash_algorithm,
            .help = "told by stats; the index is hashed as it is"),
    SETTING(0, "no_modern", CUSTOM, tcp_port, .parse = be_old, .flag = "",
            .help = "no segments, no crawler, no moving of memory, who is one too many waits"),
    SETTING(0, "modern", BOOL, is_ignored, .flag = "true", .help = "the default"),
    SETTING(0, "tail_repair_time", COUNT, tail_repair_s, .initial = "0",
            .help = "accepted for memcached's sake: there is nothing to repair; 0, or at least 10"),
    SETTING(0, "slab_automove_freeratio", FACTOR, ignored_factor, .initial = "0.01",
            .help = "accepted for memcached's sake"),
    SETTING(0, "read_buf_mem_limit", COUNT, read_buf_limit_mb, .initial = "0",
            .help = "accepted for memcached's sake: who is idle has no buffer"),
    SETTING(0, "resp_obj_mem_limit", COUNT, ignored_count, .initial = "0",
            .help = "accepted for memcached's sake"),
    SETTING(0, "inline_ascii_resp", BOOL, inline_ascii, .flag = "true",
            .help = "accepted for memcached's sake"),
    SETTING(0, "no_inline_ascii_resp", BOOL, inline_ascii, .flag = "false",
            .help = "accepted for memcached's sake"),
    SETTING(0, "sock_cookie_id", COUNT, ignored_count, .initial = "0",
            .help = "accepted for memcached's sake"),
    SETTING(0, "no_drop_privileges", BOOL, is_ignored, .flag = "true", .help = "the default"),
    REFUSED(0, "drop_privileges",
            "a cachenode filters no system calls; have it done by who starts it"),
    REFUSED(0, "ssl_chain_cert", NO_TLS),
    REFUSED(0, "ssl_key", NO_TLS),
    REFUSED(0, "ssl_verify_mode", NO_TLS),
    REFUSED(0, "ssl_keyformat", NO_TLS),
    REFUSED(0, "ssl_ciphers", NO_TLS),
    REFUSED(0, "ssl_ca_cert", NO_TLS),
    REFUSED(0, "ssl_wbuf_size", NO_TLS),
    REFUSED(0, "ssl_session_cache", NO_TLS),
    REFUSED(0, "ssl_kernel_tls", NO_TLS),
    REFUSED(0, "ssl_min_version", NO_TLS),
    REFUSED(0, "ext_path", NO_FLASH),
    REFUSED(0, "ext_page_size", NO_FLASH),
    REFUSED(0, "ext_wbuf_size", NO_FLASH),
    REFUSED(0, "ext_threads", NO_FLASH),
    REFUSED(0, "ext_io_depth", NO_FLASH),
    REFUSED(0, "ext_item_size", NO_FLASH),
    REFUSED(0, "ext_item_age", NO_FLASH),
    REFUSED(0, "ext_low_ttl", NO_FLASH),
    REFUSED(0, "ext_recache_rate", NO_FLASH),
    REFUSED(0, "ext_compact_under", NO_FLASH),
    REFUSED(0, "ext_drop_under", NO_FLASH),
    REFUSED(0, "ext_max_sleep", NO_FLASH),
    REFUSED(0, "ext_max_frag", NO_FLASH),
    REFUSED(0, "ext_drop_unread", NO_FLASH),
    REFUSED(0, "proxy_config", NO_PROXY),
    REFUSED(0, "proxy_arg", NO_PROXY),
    REFUSED(0, "proxy_uring", NO_PROXY),
    SETTING(0, "idle_timeout", COUNT, idle_timeout_s, .initial = "0", .max = INT32_MAX,
            .help = "seconds before an idle connection is closed; 0: never"),
};

#define SETTINGS setting_table, OPTION_COUNT_OF(setting_table)
#define EXTENDED extended_table, OPTION_COUNT_OF(extended_table)

enum { EX_BAD_VALUE = 1, ITEM_SIZE_MIN = 1024, PORT_NOT_GIVEN = -2, PORT_DEFAULT = 11211 };
static const uint64_t item_size_limit = 1u << 30;

/* What no single option can tell. Returns the exit status and *why. */
static int check(const struct settings *s, const char **why)
{
    const struct {
        bool is_wrong;
        int status;
        const char *why;
    } checks[] = {
        {s->udp_port != 0 && (s->sasl || s->auth_path != NULL), EX_USAGE,
         "-U: nobody authenticates by UDP, it cannot be had with -S or -Y"},
        {s->sasl && strcmp(s->protocol, "ascii") == 0, EX_USAGE,
         "-S: SASL is of the binary protocol, it cannot be had with -B ascii"},
        {s->auth_path != NULL && strcmp(s->protocol, "binary") == 0, EX_USAGE,
         "-Y: an auth file is for text clients, it cannot be had with -B binary"},
        {s->auth_path != NULL && s->sasl, EX_USAGE, "-Y and -S cannot be had together"},
        {strcmp(s->protocol, "auto") != 0 && strcmp(s->protocol, "ascii") != 0 &&
             strcmp(s->protocol, "binary") != 0,
         EX_USAGE, "Invalid value for binding protocol: -B takes auto, ascii or binary"},
        {s->napi_ids > s->threads, EX_USAGE,
         "-N: Number of napi_ids cannot be greater than number of threads"},
        {s->tail_repair_s != 0 && s->tail_repair_s < 10, EX_BAD_VALUE,
         "Cannot set tail_repair_time to less than 10 seconds"},
        {s->growth_factor <= 1, EX_BAD_VALUE, "Factor must be greater than 1 (-f)"},
        {s->item_size_max < ITEM_SIZE_MIN, EX_USAGE,
         "Item max size cannot be less than 1024 bytes (-I)"},
        {s->item_size_max > item_size_limit, EX_USAGE,
         "Cannot set item size limit higher than a gigabyte (-I)"},
        {s->item_size_max > (uint64_t)s->memory_mb * (1u << 20) / 2, EX_USAGE,
         "Cannot set item size limit (-I) higher than 1/2 of memory max (-m)"},
        {s->hash_power != 0 && s->hash_power < 12, EX_BAD_VALUE,
         "-o hashpower: it is 12 to 32, or 0 for 16"},
        {s->slab_chunk_max_kb != 0 &&
             (1024 % s->slab_chunk_max_kb != 0 ||
              s->item_size_max % ((uint64_t)s->slab_chunk_max_kb << 10) != 0),
         EX_USAGE, "slab_chunk_max must divide 1 MB and the largest item (-I)"},
        {s->slab_sizes.count != 0 && s->slab_sizes.sizes[0] < s->slab_min_size, EX_USAGE,
         "slab_sizes begins below slab-min-size (-n)"},
        {s->slab_automove_ratio <= 0 || s->slab_automove_ratio > 1, EX_BAD_VALUE,
         "slab_automove_ratio must be above 0 and at most 1"},
        {s->memory_file != NULL && s->large_pages, EX_USAGE,
         "-e and -L: memory is a file or huge pages, not both"},
        {!s->lru_maintainer && s->temporary_ttl_s >= 0, EX_USAGE,
         "temporary_ttl requires lru_maintainer"},
        {s->hot_lru_pct + s->warm_lru_pct > 80, EX_USAGE,
         "hot_lru_pct + warm_lru_pct cannot be more than 80% combined"},
        {s->hot_max_factor <= 0 || s->warm_max_factor <= 0, EX_BAD_VALUE,
         "hot_max_factor and warm_max_factor must be greater than 0"},
    };

    for (size_t i = 0; i < OPTION_COUNT_OF(checks); i++) {
        if (checks[i].is_wrong) {
            *why = checks[i].why;
            return checks[i].status;
        }
    }
    return 0;
}

static bool is_port(const struct option *option)
{
    return option->letter == 'p' || option->letter == 'U';
}

int settings_parse(int argc, char **argv, struct settings *settings)
{
    const struct argv_tables tables = {SETTINGS, EXTENDED, NULL};
    struct argv_error failed;
    const char *why = NULL;
    int status;

    memset(settings, 0, sizeof(*settings));
    if (!option_defaults(SETTINGS, settings) || !option_defaults(EXTENDED, settings)) {
        fputs("cachenode: out of memory\n", stderr);
        return EX_OSERR;
    }
    settings->tcp_port = PORT_NOT_GIVEN;
    if (!argv_parse(&tables, argc, argv, settings, &failed)) {
        fprintf(stderr, "cachenode: %s\n", failed.text);
        return failed.failure == ARGV_BAD && failed.option != NULL && is_port(failed.option)
                   ? EX_USAGE
                   : EX_BAD_VALUE;
    }
    if (settings->show_help || settings->show_version)
        return 0;
    if (settings->tcp_port == PORT_NOT_GIVEN)
        settings->tcp_port = settings->udp_port != 0 ? settings->udp_port : PORT_DEFAULT;
    status = check(settings, &why);
    if (status != 0)
        fprintf(stderr, "cachenode: %s\n", why);
    return status;
}

void settings_free(struct settings *settings)
{
    for (unsigned i = 0; i < settings->listen.count; i++)
        free(settings->listen.items[i].host);
    settings->listen.count = 0;
    option_free(SETTINGS, settings);
}

void settings_print_help(FILE *out)
{
    fputs("Usage: cachenode [options]\n\nOptions:\n", out);
    argv_print_help(out, SETTINGS);
    fputs("\n  -o, --extended=NAME[=VALUE],...\n", out);
    for (size_t i = 0; i < OPTION_COUNT_OF(extended_table); i++) {
        if (extended_table[i].refusal == NULL)
            fprintf(out, "        %-20s %s\n", extended_table[i].key, extended_table[i].help);
    }
}

void settings_print_version(FILE *out)
{
    fputs("cachenode " CACHEPOOL_VERSION " (speaks memcached " MEMCACHED_VERSION ")\n", out);
}
