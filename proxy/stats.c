#include <stdlib.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/version.h"
#include "common/metric/json.h"
#include "proxy/stats.h"

static const struct metric pool_table[] = {POOL_METRICS(METRIC_DESCRIBE)};
static const struct metric server_table[] = {SERVER_METRICS(METRIC_DESCRIBE)};

#define COUNT_OF(table) (sizeof(table) / sizeof((table)[0]))

static void put_numbers(struct json *json, const struct metric *table, size_t count,
                        const uint64_t *numbers)
{
    for (size_t i = 0; i < count; i++)
        json_number(json, str_of(table[i].name), metric_get(&numbers[i]));
}

static void put_pool(struct json *json, const struct pool *pool)
{
    json_open(json, str_of(pool->config->name));
    put_numbers(json, pool_table, COUNT_OF(pool_table), (const uint64_t *)&pool->metrics);
    for (size_t i = 0; i < pool->config->server_count; i++) {
        const struct server *server = &pool->servers[i].server;

        json_open(json, str_of(server->config->name));
        put_numbers(json, server_table, COUNT_OF(server_table), (const uint64_t *)&server->metrics);
        json_close(json);
    }
    json_close(json);
}

void stats_render(const struct worker *worker, uint64_t uptime_s, struct chain *out)
{
    struct json json = {0};
    char host[256] = "";

    gethostname(host, sizeof(host) - 1);
    json_open(&json, (struct str){NULL, 0});
    json_text(&json, STR("service"), STR("nutcracker"));
    json_text(&json, STR("source"), str_of(host));
    json_text(&json, STR("version"), STR(NUTCRACKER_VERSION));
    json_number(&json, STR("uptime"), uptime_s);
    json_number(&json, STR("timestamp"), (uint64_t)clock_wall_s());
    json_number(&json, STR("total_connections"),
                metric_get(&worker->connections.total_connections));
    json_number(&json, STR("curr_connections"), metric_get(&worker->connections.curr_connections));
    for (size_t i = 0; i < worker->door_count; i++)
        put_pool(&json, &worker->doors[i].pool);
    json_close(&json);
    json_raw(&json, STR("\n"));
    if (!json.failed)
        chain_copy(out, (struct str){json.text, json.len});
    free(json.text);
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
