#include <stdio.h>

#include "common/bytes/number.h"
#include "common/metric/prometheus.h"

static void put(struct chain *out, struct str text)
{
    (void)chain_copy(out, text);
}

static void put_name(struct chain *out, const char *prefix, const struct metric *metric)
{
    put(out, str_of(prefix));
    put(out, STR("_"));
    put(out, str_of(metric->name));
    if (metric->kind == METRIC_COUNTER)
        put(out, STR("_total"));
    else if (metric->kind == METRIC_TIME)
        put(out, STR("_seconds"));
}

void prometheus_family(struct chain *out, const char *prefix, const struct metric *metric)
{
    put(out, STR("# HELP "));
    put_name(out, prefix, metric);
    put(out, STR(" "));
    put(out, str_of(metric->help));
    put(out, STR("\n# TYPE "));
    put_name(out, prefix, metric);
    put(out, metric->kind == METRIC_COUNTER ? STR(" counter\n") : STR(" gauge\n"));
}

/* A label's value: backslash, quote and line feed are escaped. */
static void put_value(struct chain *out, struct str value)
{
    for (size_t i = 0; i < value.len; i++) {
        if (value.data[i] == '\\' || value.data[i] == '"')
            put(out, STR("\\"));
        if (value.data[i] == '\n')
            put(out, STR("\\n"));
        else
            put(out, (struct str){value.data + i, 1});
    }
}

void prometheus_sample(struct chain *out, const char *prefix, const struct metric *metric,
                       const struct prometheus_label *labels, uint64_t value)
{
    char number[NUMBER_TEXT_MAX + 8];
    size_t len;

    put_name(out, prefix, metric);
    for (const struct prometheus_label *label = labels; label->name != NULL; label++) {
        put(out, label == labels ? STR("{") : STR(","));
        put(out, str_of(label->name));
        put(out, STR("=\""));
        put_value(out, label->value);
        put(out, STR("\""));
    }
    put(out, labels->name != NULL ? STR("} ") : STR(" "));
    if (metric->kind == METRIC_TIME)
        len = (size_t)snprintf(number, sizeof(number), "%llu.%06llu",
                               (unsigned long long)(value / 1000000),
                               (unsigned long long)(value % 1000000));
    else
        len = number_format(number, value);
    put(out, (struct str){number, len});
    put(out, STR("\n"));
}
