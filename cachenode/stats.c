#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <event2/event.h>

#include "cachenode/stats.h"
#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/version.h"
#include "common/net/addr.h"

static void stat_text(struct session *session, const char *name, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static void stat_text(struct session *session, const char *name, const char *format, ...)
{
    char line[512];
    int head = snprintf(line, sizeof(line), "STAT %s ", name), len;
    va_list args;

    va_start(args, format);
    len = head + vsnprintf(line + head, sizeof(line) - (size_t)head - 2, format, args);
    va_end(args);
    if (len > (int)sizeof(line) - 3)
        len = (int)sizeof(line) - 3;
    memcpy(line + len, "\r\n", 2);
    session_reply(session, (struct str){line, (size_t)len + 2});
}

void stats_number(struct session *session, const char *name, uint64_t value)
{
    stat_text(session, name, "%" PRIu64, value);
}

static void stat_yes(struct session *session, const char *name, bool value)
{
    stat_text(session, name, "%s", value ? "yes" : "no");
}

/* Names that exporters look for, of machinery that a cachenode does not have: always 0. */
static void stat_zeroes(struct session *session, const char *const *names)
{
    for (; *names != NULL; names++)
        stats_number(session, *names, 0);
}

/* --- stats --- */

struct numbers {
    struct worker_metrics workers;
    struct store_totals store;
    struct watch_totals watch;
};

static void answer_process(struct session *session, const struct numbers *n)
{
    const struct stats_source *source = session->source;
    struct rusage usage;

    getrusage(RUSAGE_SELF, &usage);
    stats_number(session, "pid", (uint64_t)getpid());
    stats_number(session, "uptime", (clock_read_us() - source->start_us) / 1000000);
    stats_number(session, "time", (uint64_t)clock_wall_s());
    stat_text(session, "version", MEMCACHED_VERSION);
    stat_text(session, "libevent", "%s", event_get_version());
    stats_number(session, "pointer_size", 8 * sizeof(void *));
    stat_text(session, "rusage_user", "%ld.%06ld", usage.ru_utime.tv_sec, usage.ru_utime.tv_usec);
    stat_text(session, "rusage_system", "%ld.%06ld", usage.ru_stime.tv_sec, usage.ru_stime.tv_usec);
    stats_number(session, "max_connections", source->settings->max_conns);
    stats_number(session, "curr_connections", n->workers.curr_connections);
    stats_number(session, "total_connections", metric_get(&source->metrics->total_connections));
    if (source->settings->maxconns_fast)
        stats_number(session, "rejected_connections",
                     metric_get(&source->metrics->rejected_connections));
    stats_number(session, "connection_structures", n->workers.curr_connections);
    stat_zeroes(session,
                (const char *const[]){"response_obj_oom", "response_obj_count",
                                      "response_obj_bytes", "read_buf_count", "read_buf_bytes",
                                      "read_buf_bytes_free", "read_buf_oom", NULL});
    stats_number(session, "reserved_fds", 5 * (uint64_t)source->settings->threads);
}

static void answer_commands(struct session *session, const struct numbers *n)
{
    const struct worker_metrics *w = &n->workers;
    const struct store_metrics *s = &n->store.metrics;

    stats_number(session, "cmd_get", w->cmd_get);
    stats_number(session, "cmd_set", w->cmd_set);
    stats_number(session, "cmd_flush", w->cmd_flush);
    stats_number(session, "cmd_touch", w->cmd_touch);
    stats_number(session, "cmd_meta", w->cmd_meta);
    stats_number(session, "get_hits", w->get_hits);
    stats_number(session, "get_misses", w->get_misses);
    stats_number(session, "get_expired", s->get_expired);
    stats_number(session, "get_flushed", s->get_flushed);
    stats_number(session, "delete_misses", w->delete_misses);
    stats_number(session, "delete_hits", w->delete_hits);
    stats_number(session, "incr_misses", w->incr_misses);
    stats_number(session, "incr_hits", w->incr_hits);
    stats_number(session, "decr_misses", w->decr_misses);
    stats_number(session, "decr_hits", w->decr_hits);
    stats_number(session, "cas_misses", w->cas_misses);
    stats_number(session, "cas_hits", w->cas_hits);
    stats_number(session, "cas_badval", w->cas_badval);
    stats_number(session, "touch_hits", w->touch_hits);
    stats_number(session, "touch_misses", w->touch_misses);
    stats_number(session, "store_too_large", s->store_too_large);
    stats_number(session, "store_no_memory", s->store_no_memory);
    stats_number(session, "auth_cmds", w->auth_cmds);
    stats_number(session, "auth_errors", w->auth_errors);
    if (session->source->settings->idle_timeout_s != 0)
        stats_number(session, "idle_kicks", w->idle_kicks);
    stats_number(session, "bytes_read", w->bytes_read);
    stats_number(session, "bytes_written", w->bytes_written);
}

static void answer_memory(struct session *session, const struct numbers *n)
{
    const struct stats_source *source = session->source;
    const struct store_totals *s = &n->store;

    stats_number(session, "limit_maxbytes", s->memory_limit);
    stats_number(session, "accepting_conns", metric_get(&source->metrics->accepting_conns));
    stats_number(session, "listen_disabled_num", metric_get(&source->metrics->listen_disabled_num));
    stats_number(session, "time_in_listen_disabled_us",
                 metric_get(&source->metrics->time_in_listen_disabled_us));
    stats_number(session, "threads", source->settings->threads);
    stats_number(session, "conn_yields", n->workers.conn_yields);
    stats_number(session, "hash_power_level", s->hash_power);
    stats_number(session, "hash_bytes", s->hash_bytes);
    stats_number(session, "hash_is_expanding", s->hash_is_expanding);
    if (source->settings->slab_reassign) {
        stats_number(session, "slab_reassign_rescues", s->metrics.slab_reassign_rescues);
        stats_number(session, "slab_reassign_chunk_rescues",
                     s->metrics.slab_reassign_chunk_rescues);
        stats_number(session, "slab_reassign_inline_reclaim",
                     s->metrics.slab_reassign_inline_reclaim);
        stats_number(session, "slab_reassign_busy_items", s->metrics.slab_reassign_busy_items);
        stats_number(session, "slab_reassign_busy_deletes", s->metrics.slab_reassign_busy_deletes);
        stats_number(session, "slab_reassign_busy_nomem", s->metrics.slab_reassign_busy_nomem);
        stats_number(session, "slab_reassign_running", s->is_moving);
        stats_number(session, "slabs_moved", s->metrics.slabs_moved);
    }
    stats_number(session, "lru_crawler_running", s->crawler_running);
    stats_number(session, "lru_crawler_starts", s->crawler_starts);
    stats_number(session, "lru_maintainer_juggles", s->juggles);
    stats_number(session, "malloc_fails", 0);
    stats_number(session, "log_worker_dropped", n->watch.dropped);
    stats_number(session, "log_worker_written", n->watch.noted);
    stats_number(session, "log_watcher_skipped", n->watch.skipped);
    stats_number(session, "log_watcher_sent", n->watch.sent);
    stats_number(session, "log_watchers", n->watch.watchers);
    stat_zeroes(session,
                (const char *const[]){"unexpected_napi_ids", "round_robin_fallback", NULL});
    stats_number(session, "bytes", s->bytes);
    stats_number(session, "curr_items", s->items);
    stats_number(session, "total_items", s->metrics.total_items);
    stats_number(session, "slab_global_page_pool", s->pool_pages);
    stats_number(session, "expired_unfetched", s->expired_unfetched);
    stats_number(session, "evicted_unfetched", s->evicted_unfetched);
    stats_number(session, "evicted_active", s->evicted_active);
    stats_number(session, "evictions", s->evictions);
    stats_number(session, "reclaimed", s->reclaimed);
    stats_number(session, "crawler_reclaimed", s->crawler_reclaimed);
    stats_number(session, "crawler_items_checked", s->crawler_items_checked);
    stats_number(session, "lrutail_reflocked", s->tail_reflocked);
    stats_number(session, "moves_to_cold", s->moves_to_cold);
    stats_number(session, "moves_to_warm", s->moves_to_warm);
    stats_number(session, "moves_within_lru", s->moves_within_lru);
    stats_number(session, "direct_reclaims", s->direct_reclaims);
    stats_number(session, "lru_bumps_dropped", 0);
    stat_text(session, "cachenode_version", CACHEPOOL_VERSION);
}

static void answer_general(struct session *session)
{
    struct numbers numbers = {0};

    session->source->sum(session->source->node, &numbers.workers);
    store_totals(session->source->store, &numbers.store);
    if (session->source->watch != NULL)
        watch_totals(session->source->watch, &numbers.watch);
    answer_process(session, &numbers);
    answer_commands(session, &numbers);
    answer_memory(session, &numbers);
    session_reply(session, STR("END\r\n"));
}

/* --- stats settings --- */

/* What clients may speak, in memcached's words. */
static const char *binding_protocol(const struct settings *settings)
{
    if (settings->sasl || strcmp(settings->protocol, "binary") == 0)
        return "binary";
    if (settings->auth_path != NULL || strcmp(settings->protocol, "ascii") == 0)
        return "ascii";
    return "auto-negotiate";
}

static void answer_settings(struct session *session)
{
    const struct settings *s = session->source->settings;
    struct store_totals totals;
    struct store_tuning tuning;

    store_totals(session->source->store, &totals);
    store_get_tuning(session->source->store, &tuning);

    stats_number(session, "maxbytes", totals.memory_limit);
    stats_number(session, "maxconns", s->max_conns);
    stat_text(session, "tcpport", "%d", s->unix_path != NULL ? 0 : s->tcp_port);
    stat_text(session, "udpport", "%d", s->unix_path != NULL ? 0 : s->udp_port);
    stat_text(session, "inter", "%s",
              s->listen.count != 0 && s->listen.items[0].host != NULL ? s->listen.items[0].host
                                                                      : "NULL");
    stats_number(session, "verbosity", s->verbosity);
    stats_number(session, "oldest", 0);
    stat_text(session, "evictions", "%s", s->evictions ? "on" : "off");
    stat_text(session, "domain_socket", "%s", s->unix_path != NULL ? s->unix_path : "NULL");
    stat_text(session, "umask", "%o", (unsigned)s->unix_mask);
    stat_yes(session, "shutdown_command", s->shutdown_enabled);
    stat_text(session, "growth_factor", "%.2f", s->growth_factor);
    stats_number(session, "chunk_size", s->slab_min_size);
    stats_number(session, "num_threads", s->threads);
    stats_number(session, "num_threads_per_udp", s->threads);
    stat_text(session, "stat_key_prefix", "%c", prefixes_delimiter(session->source->prefixes));
    stat_yes(session, "detail_enabled", prefixes_are_on(session->source->prefixes));
    stats_number(session, "reqs_per_event", s->reqs_per_event);
    stat_yes(session, "cas_enabled", s->use_cas);
    stats_number(session, "tcp_backlog", s->backlog);
    stat_text(session, "binding_protocol", "%s", binding_protocol(s));
    stat_yes(session, "auth_enabled_sasl", s->sasl);
    stat_text(session, "auth_enabled_ascii", "%s", s->auth_path != NULL ? s->auth_path : "no");
    stats_number(session, "item_size_max", s->item_size_max);
    stat_yes(session, "maxconns_fast", s->maxconns_fast);
    stats_number(session, "hashpower_init", s->hash_power);
    stat_yes(session, "slab_reassign", s->slab_reassign);
    stats_number(session, "slab_automove", tuning.automove);
    stat_text(session, "slab_automove_ratio", "%.2f", tuning.automove_ratio);
    stats_number(session, "slab_automove_window", tuning.automove_window);
    /* The setting; chunks may be smaller, which no client can tell. */
    stats_number(session, "slab_chunk_max",
                 s->slab_chunk_max_kb != 0 ? (uint64_t)s->slab_chunk_max_kb << 10 : 512 << 10);
    stat_yes(session, "lru_crawler", tuning.crawls);
    stats_number(session, "lru_crawler_sleep", tuning.crawl_sleep_us);
    stats_number(session, "lru_crawler_tocrawl", tuning.crawl_items_max);
    stats_number(session, "tail_repair_time", s->tail_repair_s);
    stat_yes(session, "flush_enabled", s->flush_enabled);
    stat_yes(session, "dump_enabled", s->dump_enabled);
    stat_text(session, "hash_algorithm", "%s", (const char *)s->hash_algorithm);
    stat_yes(session, "lru_maintainer_thread", s->lru_maintainer);
    stat_yes(session, "lru_segmented", tuning.is_segmented);
    stats_number(session, "hot_lru_pct", tuning.hot_pct);
    stats_number(session, "warm_lru_pct", tuning.warm_pct);
    stat_text(session, "hot_max_factor", "%.2f", tuning.hot_max_factor);
    stat_text(session, "warm_max_factor", "%.2f", tuning.warm_max_factor);
    stat_yes(session, "temp_lru", tuning.has_temporary);
    stats_number(session, "temporary_ttl", tuning.temporary_ttl_s);
    stats_number(session, "idle_timeout", s->idle_timeout_s);
    stats_number(session, "watcher_logbuf_size", (uint64_t)s->watcher_logbuf_kb << 10);
    stats_number(session, "worker_logbuf_size", (uint64_t)s->worker_logbuf_kb << 10);
    stats_number(session, "read_buf_mem_limit", (uint64_t)s->read_buf_limit_mb << 20);
    stat_yes(session, "track_sizes",
             __atomic_load_n(session->source->tracks_sizes, __ATOMIC_RELAXED));
    stat_yes(session, "inline_ascii_response", s->inline_ascii);
    stat_yes(session, "drop_privileges", false);
    stats_number(session, "num_napi_ids", s->napi_ids);
    stat_text(session, "memory_file", "%s", s->memory_file == NULL ? "(null)" : s->memory_file);
    stats_number(session, "client_flags_size", 4);
    session_reply(session, STR("END\r\n"));
}

/* --- stats items, stats slabs --- */

static void stat_class(struct session *session, const char *prefix, unsigned class_id,
                       const char *name, uint64_t value)
{
    char full[64];

    snprintf(full, sizeof(full), "%s%u:%s", prefix, class_id, name);
    stats_number(session, full, value);
}

/* A row: what memcached calls it, and where it stands in struct store_class. */
struct class_row {
    const char *name;
    size_t offset;
};

#define ROW(name, field)                                                                           \
    {                                                                                              \
        name, offsetof(struct store_class, field)                                                  \
    }

static const struct class_row item_rows[] = {
    ROW("number", number),
    ROW("number_hot", number_hot),
    ROW("number_warm", number_warm),
    ROW("number_cold", number_cold),
    ROW("age_hot", age_hot),
    ROW("age_warm", age_warm),
    ROW("age", age_cold),
    ROW("mem_requested", mem_requested),
    ROW("evicted", metrics.evicted),
    ROW("evicted_nonzero", metrics.evicted_nonzero),
    ROW("evicted_time", evicted_time),
    ROW("outofmemory", metrics.outofmemory),
    ROW("tailrepairs", zero),
    ROW("reclaimed", metrics.reclaimed),
    ROW("expired_unfetched", metrics.expired_unfetched),
    ROW("evicted_unfetched", metrics.evicted_unfetched),
    ROW("evicted_active", metrics.evicted_active),
    ROW("crawler_reclaimed", metrics.crawler_reclaimed),
    ROW("crawler_items_checked", metrics.crawler_items_checked),
    ROW("lrutail_reflocked", metrics.tail_reflocked),
    ROW("moves_to_cold", metrics.moves_to_cold),
    ROW("moves_to_warm", metrics.moves_to_warm),
    ROW("moves_within_lru", metrics.moves_within_lru),
    ROW("direct_reclaims", metrics.direct_reclaims),
    ROW("hits_to_hot", metrics.hits_to_hot),
    ROW("hits_to_warm", metrics.hits_to_warm),
    ROW("hits_to_cold", metrics.hits_to_cold),
    ROW("hits_to_temp", metrics.hits_to_temp),
};

static const struct class_row slab_rows[] = {
    ROW("chunk_size", chunk_size),
    ROW("chunks_per_page", chunks_per_page),
    ROW("total_pages", pages),
    ROW("total_chunks", total_chunks),
    ROW("used_chunks", used_chunks),
    ROW("free_chunks", free_chunks),
    ROW("free_chunks_end", zero),
    ROW("get_hits", get_hits),
    ROW("cmd_set", metrics.cmd_set),
    ROW("delete_hits", metrics.delete_hits),
    ROW("incr_hits", metrics.incr_hits),
    ROW("decr_hits", metrics.decr_hits),
    ROW("cas_hits", metrics.cas_hits),
    ROW("cas_badval", metrics.cas_badval),
    ROW("touch_hits", metrics.touch_hits),
};

static void answer_class(struct session *session, const char *prefix, unsigned class_id,
                         const struct store_class *class, const struct class_row *rows,
                         size_t row_count)
{
    for (size_t i = 0; i < row_count; i++) {
        uint64_t value;

        memcpy(&value, (const char *)class + rows[i].offset, sizeof(value));
        stat_class(session, prefix, class_id, rows[i].name, value);
    }
}

#define COUNT(rows) (sizeof(rows) / sizeof((rows)[0]))

static void answer_items(struct session *session)
{
    struct store_totals totals;
    struct store_tuning tuning;

    store_totals(session->source->store, &totals);
    store_get_tuning(session->source->store, &tuning);
    for (unsigned i = 1; i <= totals.class_count; i++) {
        struct store_class class;

        store_class(session->source->store, i, &class);
        if (class.number == 0)
            continue;
        answer_class(session, "items:", i, &class, item_rows, COUNT(item_rows));
        if (tuning.has_temporary)
            stat_class(session, "items:", i, "number_temp", class.number_temp);
    }
    session_reply(session, STR("END\r\n"));
}

static void answer_slabs(struct session *session)
{
    struct store_totals totals;
    unsigned active = 0;

    store_totals(session->source->store, &totals);
    for (unsigned i = 1; i <= totals.class_count; i++) {
        struct store_class class;

        store_class(session->source->store, i, &class);
        if (class.pages == 0)
            continue;
        answer_class(session, "", i, &class, slab_rows, COUNT(slab_rows));
        active++;
    }
    stats_number(session, "active_slabs", active);
    stats_number(session, "total_malloced", totals.malloced);
    session_reply(session, STR("END\r\n"));
}

static bool is_udp(int fd)
{
    int type = 0;
    socklen_t len = sizeof(type);

    return getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) == 0 && type == SOCK_DGRAM;
}

static void stat_address(struct session *session, int fd, const char *what,
                         bool (*address_of)(int fd, struct addr *addr))
{
    struct addr addr;
    char name[32], text[ADDR_TEXT_MAX];

    if (!address_of(fd, &addr))
        return;
    addr_format(&addr, text);
    snprintf(name, sizeof(name), "%d:%s", fd, what);
    stat_text(session, name, "%s%s",
              addr.family == AF_UNIX    ? ""
              : is_udp(fd)              ? "udp:"
              : addr.family == AF_INET6 ? "tcp6:"
                                        : "tcp:",
              text);
}

static void answer_socket(void *arg, const struct stats_socket *socket)
{
    struct session *session = arg;
    bool is_datagrams = is_udp(socket->fd);
    const char *state = is_datagrams ? "conn_read" : socket->state;
    int fd = socket->fd;
    char name[48];

    if (is_datagrams) {
        snprintf(name, sizeof(name), "%d:UDP", fd);
        stat_text(session, name, "UDP");
    }
    stat_address(session, fd, "addr", socket->is_listening ? addr_of_socket : addr_of_peer);
    if (!socket->is_listening)
        stat_address(session, fd, "listen_addr", addr_of_socket);
    snprintf(name, sizeof(name), "%d:state", fd);
    stat_text(session, name, "%s", fd == session->fd ? "conn_parse_cmd" : state);
    if (is_datagrams)
        return;
    snprintf(name, sizeof(name), "%d:secs_since_last_cmd", fd);
    stats_number(session, name, socket->idle_s);
}

static void answer_conns(struct session *session)
{
    const struct stats_source *source = session->source;

    source->visit_sockets(source->node, answer_socket, session);
    session_reply(session, STR("END\r\n"));
}

static void answer_reset(struct session *session)
{
    const struct stats_source *source = session->source;

    source->reset(source->node);
    prefixes_clear(source->prefixes);
    store_reset(source->store);
    session_reply(session, STR("RESET\r\n"));
}

static const struct {
    struct str word;
    void (*answer)(struct session *session);
} families[] = {
    {{"", 0}, answer_general},    {{"settings", 8}, answer_settings}, {{"items", 5}, answer_items},
    {{"slabs", 5}, answer_slabs}, {{"conns", 5}, answer_conns},       {{"reset", 5}, answer_reset},
};

bool stats_answer(struct session *session, struct str word)
{
    for (size_t i = 0; i < COUNT(families); i++) {
        if (str_equal(families[i].word, word)) {
            families[i].answer(session);
            return true;
        }
    }
    return false;
}

int stats_log_level(uint32_t verbosity)
{
    return verbosity == 0 ? LOG_WARNING : verbosity == 1 ? LOG_INFO : LOG_DEBUG;
}
