#include <stdlib.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/version.h"
#include "common/metric/json.h"
#include "common/metric/prometheus.h"
#include "proxy/snapshot.h"
#include "proxy/stats.h"

static const struct metric pool_table[] = {POOL_METRICS(METRIC_DESCRIBE)};
static const struct metric pool_more_table[] = {POOL_MORE_METRICS(METRIC_DESCRIBE)};
static const struct metric server_table[] = {SERVER_METRICS(METRIC_DESCRIBE)};
static const struct metric server_more_table[] = {SERVER_MORE_METRICS(METRIC_DESCRIBE)};

#define COUNT_OF(table) (sizeof(table) / sizeof((table)[0]))

static void put_numbers(struct json *json, const struct metric *table, size_t count,
                        const uint64_t *numbers)
{
    for (size_t i = 0; i < count; i++)
        json_number(json, str_of(table[i].name), numbers[i]);
}

static void put_pool(struct json *json, const struct pool_snapshot *pool, bool with_more)
{
    json_open(json, str_of(pool->config->name));
    put_numbers(json, pool_table, COUNT_OF(pool_table), (const uint64_t *)&pool->metrics);
    if (with_more)
        put_numbers(json, pool_more_table, COUNT_OF(pool_more_table),
                    (const uint64_t *)&pool->more);
    for (size_t i = 0; i < pool->config->server_count; i++) {
        const struct server_snapshot *server = &pool->servers[i];

        json_open(json, str_of(server->config->name));
        put_numbers(json, server_table, COUNT_OF(server_table), (const uint64_t *)&server->metrics);
        if (with_more)
            put_numbers(json, server_more_table, COUNT_OF(server_more_table),
                        (const uint64_t *)&server->more);
        json_close(json);
    }
    json_close(json);
}

void stats_render(const struct stats_source *source, bool with_more, struct chain *out)
{
    struct snapshot snapshot;
    struct json json = {0};
    char host[256] = "";

    gethostname(host, sizeof(host) - 1);
    json.failed = !snapshot_take(&snapshot, source->workers, source->worker_count);
    json_open(&json, (struct str){NULL, 0});
    json_text(&json, STR("service"), STR("nutcracker"));
    json_text(&json, STR("source"), str_of(host));
    json_text(&json, STR("version"), STR(NUTCRACKER_VERSION));
    json_number(&json, STR("uptime"), source->uptime_s);
    json_number(&json, STR("timestamp"), (uint64_t)clock_wall_s());
    json_number(&json, STR("total_connections"), snapshot.connections.total_connections);
    json_number(&json, STR("curr_connections"), snapshot.connections.curr_connections);
    for (size_t i = 0; i < snapshot.pool_count; i++)
        put_pool(&json, &snapshot.pools[i], with_more);
    json_close(&json);
    json_raw(&json, STR("\n"));
    if (!json.failed)
        chain_copy(out, (struct str){json.text, json.len});
    free(json.text);
    snapshot_free(&snapshot);
}

/* --- Prometheus --- */

/* The families of a table of which every pool has a block, `offset` into its snapshot. */
static void put_pool_families(struct chain *out, const struct snapshot *snapshot,
                              const struct metric *table, size_t count, size_t offset)
{
    for (size_t row = 0; row < count; row++) {
        prometheus_family(out, "cacheproxy", &table[row]);
        for (size_t i = 0; i < snapshot->pool_count; i++) {
            const struct pool_snapshot *pool = &snapshot->pools[i];
            const uint64_t *block = (const uint64_t *)(const void *)((const char *)pool + offset);
            struct prometheus_label labels[] = {{"pool", str_of(pool->config->name)},
                                                {NULL, {NULL, 0}}};

            prometheus_sample(out, "cacheproxy", &table[row], labels, block[row]);
        }
    }
}

/* The families of a table of which every server has a block, `offset` into its snapshot. */
static void put_server_families(struct chain *out, const struct snapshot *snapshot,
                                const struct metric *table, size_t count, size_t offset)
{
    for (size_t row = 0; row < count; row++) {
        prometheus_family(out, "cacheproxy_server", &table[row]);
        for (size_t i = 0; i < snapshot->pool_count; i++) {
            const struct pool_snapshot *pool = &snapshot->pools[i];

            for (size_t j = 0; j < pool->config->server_count; j++) {
                const struct server_snapshot *server = &pool->servers[j];
                const char *block = (const char *)server + offset;
                struct prometheus_label labels[] = {{"pool", str_of(pool->config->name)},
                                                    {"server", str_of(server->config->name)},
                                                    {NULL, {NULL, 0}}};

                prometheus_sample(out, "cacheproxy_server", &table[row], labels,
                                  ((const uint64_t *)(const void *)block)[row]);
            }
        }
    }
}

static void put_latencies(struct chain *out, const struct snapshot *snapshot)
{
    static const char of_servers[] = "cacheproxy_server_request_duration_seconds";

    prometheus_histogram_family(out, of_servers, "from sending a request to a server's reply");
    for (size_t i = 0; i < snapshot->pool_count; i++) {
        const struct pool_snapshot *pool = &snapshot->pools[i];

        for (size_t j = 0; j < pool->config->server_count; j++)
            prometheus_histogram(
                out, of_servers,
                (struct prometheus_label[]){{"pool", str_of(pool->config->name)},
                                            {"server", str_of(pool->servers[j].config->name)},
                                            {NULL, {NULL, 0}}},
                &pool->servers[j].latency);
    }
}

static void put_own(struct chain *out, const struct stats_source *source,
                    const struct snapshot *snapshot)
{
    static const struct metric table[] = {
        {"uptime_seconds", METRIC_GAUGE, "since the start"},
        {"connections", METRIC_COUNTER, "connections of all kinds"},
        {"connections_open", METRIC_GAUGE, "connections of all kinds that are open"},
        {"workers", METRIC_GAUGE, "data threads"},
        {"reloads", METRIC_COUNTER, "configurations that were taken over"},
        {"reloads_failed", METRIC_COUNTER, "configurations that were refused"},
        {"log_dropped", METRIC_COUNTER, "lines that the log could not take at once"},
    };
    const uint64_t values[] = {source->uptime_s,
                               snapshot->connections.total_connections,
                               snapshot->connections.curr_connections,
                               source->worker_count,
                               source->reload->count,
                               source->reload->failed_count,
                               log_dropped()};

    for (size_t i = 0; i < COUNT_OF(table); i++) {
        prometheus_family(out, "cacheproxy", &table[i]);
        prometheus_sample(out, "cacheproxy", &table[i], &(struct prometheus_label){NULL, {NULL, 0}},
                          values[i]);
    }
}

void stats_render_prometheus(const struct stats_source *source, struct chain *out)
{
    struct snapshot snapshot;

    if (snapshot_take(&snapshot, source->workers, source->worker_count)) {
        put_own(out, source, &snapshot);
        put_pool_families(out, &snapshot, pool_table, COUNT_OF(pool_table),
                          offsetof(struct pool_snapshot, metrics));
        put_pool_families(out, &snapshot, pool_more_table, COUNT_OF(pool_more_table),
                          offsetof(struct pool_snapshot, more));
        put_server_families(out, &snapshot, server_table, COUNT_OF(server_table),
                            offsetof(struct server_snapshot, metrics));
        put_server_families(out, &snapshot, server_more_table, COUNT_OF(server_more_table),
                            offsetof(struct server_snapshot, more));
        put_latencies(out, &snapshot);
    }
    snapshot_free(&snapshot);
}

static void describe(FILE *out, const char *title, const struct metric *table, size_t count)
{
    fprintf(out, "%s stats:\n", title);
    for (size_t i = 0; i < count; i++)
        fprintf(out, "  %-20s\"%s\"\n", table[i].name, table[i].help);
}

void stats_describe(FILE *out)
{
    describe(out, "pool", pool_table, COUNT_OF(pool_table));
    fputc('\n', out);
    describe(out, "server", server_table, COUNT_OF(server_table));
}

static void print_table(FILE *out, const char *heading, const struct metric *table, size_t count)
{
    static const char *const kinds[] = {[METRIC_COUNTER] = "counter",
                                        [METRIC_GAUGE] = "gauge",
                                        [METRIC_TIME] = "time, microseconds since 1970"};

    fprintf(out, "\n## %s\n\n| name | kind | meaning |\n|---|---|---|\n", heading);
    for (size_t i = 0; i < count; i++)
        fprintf(out, "| `%s` | %s | %s |\n", table[i].name, kinds[table[i].kind], table[i].help);
}

void stats_print_reference(FILE *out)
{
    print_table(out, "Statistics of a pool", pool_table, COUNT_OF(pool_table));
    print_table(out, "Statistics of a pool in /stats.json and /metrics only", pool_more_table,
                COUNT_OF(pool_more_table));
    print_table(out, "Statistics of a server", server_table, COUNT_OF(server_table));
    print_table(out, "Statistics of a server in /stats.json and /metrics only", server_more_table,
                COUNT_OF(server_more_table));
}
