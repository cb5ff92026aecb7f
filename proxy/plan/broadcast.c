/*
 * What concerns all servers of a memcached pool: `stats`, summed, and `flush_all`.
 */
#include <stdio.h>
#include <stdlib.h>

#include "common/bytes/number.h"
#include "proxy/plan/multikey.h"

static bool broadcast_write(struct chain *out, const struct request *leaf,
                            const struct plan_input *input)
{
    const struct mc_request *request = input->text;
    size_t before = out->len;

    (void)leaf;
    if (chain_copy(out, str_of(request->command->name)) && chain_copy(out, request->rest) &&
        chain_copy(out, STR("\r\n")))
        return true;
    chain_truncate(out, before);
    return false;
}

static void broadcast_fail(struct request *leaf, const char *text)
{
    char line[160];
    int len = snprintf(line, sizeof(line), "SERVER_ERROR %.120s\r\n", text);

    multi_leaf_failed(leaf, (struct str){line, (size_t)len}, true);
}

/* --- statistics --- */

/* How the same statistic of several servers becomes one. */
enum sum_rule { SUM_ALL, SUM_FIRST, SUM_MAX, SUM_MIN };

/* Numbers are added, but for these; the name ends so, or is so. */
static const struct {
    struct str name;
    enum sum_rule rule;
} rules[] = {
    {{"pid", 3}, SUM_FIRST},
    {{"time", 4}, SUM_FIRST},
    {{"pointer_size", 12}, SUM_FIRST},
    {{"chunk_size", 10}, SUM_FIRST},
    {{"chunks_per_page", 15}, SUM_FIRST},
    {{"uptime", 6}, SUM_MAX},
    {{"age", 3}, SUM_MAX},
    {{"active_slabs", 12}, SUM_MAX},
    {{"hash_power_level", 16}, SUM_MAX},
    {{"hash_is_expanding", 17}, SUM_MAX},
    {{"slab_reassign_running", 21}, SUM_MAX},
    {{"lru_crawler_running", 19}, SUM_MAX},
    {{"accepting_conns", 15}, SUM_MIN},
};

struct statistic {
    struct str name, value; /* of the first server that has it */
    uint64_t number;
    double decimal;
    bool is_number, is_decimal;
};

/* Those of all servers so far. */
struct summary {
    struct statistic *rows;
    size_t count, capacity;
    bool is_settings; /* what is set is not added */
    bool failed;      /* memory ran out */
};

static enum sum_rule rule_of(const struct summary *summary, struct str name)
{
    const char *colon = memrchr(name.data, ':', name.len);

    if (summary->is_settings)
        return str_equal(name, STR("maxbytes")) || str_equal(name, STR("maxconns")) ? SUM_ALL
                                                                                    : SUM_FIRST;
    if (colon != NULL)
        name = str_skip(name, (size_t)(colon - name.data) + 1);
    for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
        if (str_equal(name, rules[i].name))
            return rules[i].rule;
    }
    return SUM_ALL;
}

/* "12.345678", as times are told. */
static bool parse_decimal(struct str text, double *value)
{
    char copy[32], *end;

    if (text.len == 0 || text.len >= sizeof(copy) || memchr(text.data, '.', text.len) == NULL ||
        strspn(text.data, "0123456789.") < text.len)
        return false;
    memcpy(copy, text.data, text.len);
    copy[text.len] = '\0';
    *value = strtod(copy, &end);
    return *end == '\0';
}

static void add_row(struct summary *summary, struct str name, struct str value)
{
    struct statistic row = {.name = name, .value = value};

    if (summary->count == summary->capacity) {
        size_t capacity = summary->capacity == 0 ? 128 : summary->capacity * 2;
        struct statistic *rows = realloc(summary->rows, capacity * sizeof(*rows));

        if (rows == NULL) {
            summary->failed = true;
            return;
        }
        summary->rows = rows;
        summary->capacity = capacity;
    }
    if (rule_of(summary, name) != SUM_FIRST) {
        row.is_number = number_parse_u64(value, &row.number);
        row.is_decimal = !row.is_number && parse_decimal(value, &row.decimal);
    }
    summary->rows[summary->count++] = row;
}

static void add_to_row(const struct summary *summary, struct statistic *row, struct str value)
{
    enum sum_rule rule = rule_of(summary, row->name);
    uint64_t number;
    double decimal;

    if (row->is_number && number_parse_u64(value, &number)) {
        if (rule == SUM_ALL)
            row->number += number;
        else if ((rule == SUM_MAX && number > row->number) ||
                 (rule == SUM_MIN && number < row->number))
            row->number = number;
    } else if (row->is_decimal && rule == SUM_ALL && parse_decimal(value, &decimal)) {
        row->decimal += decimal;
    }
}

/* Adds one server's lines. Servers tell them in the same order: what follows what was found
 * last is looked at first. */
static void add_server(struct summary *summary, struct str text)
{
    size_t at = 0;

    while (text.len != 0 && !summary->failed) {
        const char *newline = memchr(text.data, '\n', text.len);
        struct str line = {text.data, (size_t)(newline - text.data) - 1}, name;
        size_t left = summary->count;

        text = str_skip(text, line.len + 2);
        if (!str_starts(line, STR("STAT ")))
            continue;
        line = str_skip(line, 5);
        name = str_next_word(&line);
        line = line.len != 0 ? str_skip(line, 1) : line;
        while (left != 0 && !str_equal(summary->rows[at % summary->count].name, name)) {
            at++;
            left--;
        }
        if (left == 0)
            add_row(summary, name, line);
        else
            add_to_row(summary, &summary->rows[at++ % summary->count], line);
    }
}

static void reply_row(struct request *parent, const struct statistic *row)
{
    char line[512], number[64];
    struct str name = {row->name.data, row->name.len < 250 ? row->name.len : 250};
    struct str value = {number, 0};
    int len;

    if (row->is_number)
        value.len = number_format(number, row->number);
    else if (row->is_decimal)
        value.len = (size_t)snprintf(number, sizeof(number), "%.6f", row->decimal);
    else
        value = (struct str){row->value.data, row->value.len < 60 ? row->value.len : 60};
    if (request_is_binary(parent)) {
        binary_reply_statistic(parent, name, value);
        return;
    }
    len = snprintf(line, sizeof(line), "STAT %.*s %.*s\r\n", STR_ARG(name), STR_ARG(value));
    request_reply(parent, (struct str){line, (size_t)len}, NULL);
}

/* The last of the reply: `line`, or what a packet says instead. */
static void reply_end(struct request *parent, struct str line)
{
    if (request_is_binary(parent))
        binary_reply_done(parent);
    else
        request_reply(parent, line, NULL);
}

static void stats_end(struct request *leaf, int status, struct str bytes, struct block *block)
{
    struct multi *multi = leaf->parent->multi;

    if (status == MC_STATUS_END &&
        (leaf->parent->owner == NULL ||
         multi_keep(leaf, &multi->slots[leaf->first_slot], bytes, block)))
        multi_leaf_ended(leaf);
    else
        multi_leaf_failed(leaf, bytes, false);
}

/* What the servers that answered say; an error if none did. */
static void stats_join(struct request *parent)
{
    struct multi *multi = parent->multi;
    struct summary summary = {.is_settings = multi->sum != 0};

    if (multi->failed_count == multi->leaf_count) {
        multi_reply_error(parent);
        return;
    }
    for (uint32_t i = 0; i < multi->slot_count; i++)
        add_server(&summary, multi->slots[i].bytes);
    if (summary.failed) {
        request_reply_error(parent, "out of memory");
    } else {
        for (size_t i = 0; i < summary.count; i++)
            reply_row(parent, &summary.rows[i]);
        reply_end(parent, STR("END\r\n"));
    }
    free(summary.rows);
}

static const struct multi_kind stats_kind = {
    .leaf = {.write = broadcast_write, .end = stats_end, .fail = broadcast_fail},
    .join = stats_join,
};

bool plan_stats(const struct plan_input *input)
{
    struct multi *multi = multi_create(&stats_kind, (uint32_t)input->pool->config->server_count);
    struct str rest = input->text->rest;

    if (multi == NULL)
        return false;
    multi->sum = str_equal(str_next_word(&rest), STR("settings"));
    return multi_send_to_all(input, input->text->command, multi);
}

/* --- flush_all --- */

static void flush_end(struct request *leaf, int status, struct str bytes, struct block *block)
{
    (void)block;
    if (status == MC_STATUS_OK)
        multi_leaf_ended(leaf);
    else
        multi_leaf_failed(leaf, bytes, false);
}

static void flush_join(struct request *parent)
{
    if (parent->multi->failed_count != 0)
        multi_reply_error(parent);
    else
        reply_end(parent, STR("OK\r\n"));
}

static const struct multi_kind flush_kind = {
    .leaf = {.write = broadcast_write, .end = flush_end, .fail = broadcast_fail},
    .join = flush_join,
};

bool plan_flush(const struct plan_input *input)
{
    struct multi *multi = multi_create(&flush_kind, (uint32_t)input->pool->config->server_count);

    return multi != NULL && multi_send_to_all(input, input->text->command, multi);
}
