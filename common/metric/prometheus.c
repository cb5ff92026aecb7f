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

static void put_labels(struct chain *out, const struct prometheus_label *labels)
{
    for (const struct prometheus_label *label = labels; label->name != NULL; label++) {
        put(out, label == labels ? STR("{") : STR(","));
        put(out, str_of(label->name));
        put(out, STR("=\""));
        put_value(out, label->value);
        put(out, STR("\""));
    }
}

static void put_seconds(struct chain *out, uint64_t us)
{
    char text[32];
    int len = snprintf(text, sizeof(text), "%llu.%06llu", (unsigned long long)(us / 1000000),
                       (unsigned long long)(us % 1000000));

    put(out, (struct str){text, (size_t)len});
}

static void put_number(struct chain *out, uint64_t number)
{
    char text[NUMBER_TEXT_MAX];

    put(out, (struct str){text, number_format(text, number)});
}

void prometheus_sample(struct chain *out, const char *prefix, const struct metric *metric,
                       const struct prometheus_label *labels, uint64_t value)
{
    put_name(out, prefix, metric);
    put_labels(out, labels);
    put(out, labels->name != NULL ? STR("} ") : STR(" "));
    if (metric->kind == METRIC_TIME)
        put_seconds(out, value);
    else
        put_number(out, value);
    put(out, STR("\n"));
}

void prometheus_histogram_family(struct chain *out, const char *name, const char *help)
{
    put(out, STR("# HELP "));
    put(out, str_of(name));
    put(out, STR(" "));
    put(out, str_of(help));
    put(out, STR("\n# TYPE "));
    put(out, str_of(name));
    put(out, STR(" histogram\n"));
}

static void put_total(struct chain *out, const char *name, const char *suffix,
                      const struct prometheus_label *labels)
{
    put(out, str_of(name));
    put(out, str_of(suffix));
    put_labels(out, labels);
    put(out, labels->name != NULL ? STR("} ") : STR(" "));
}

void prometheus_histogram(struct chain *out, const char *name,
                          const struct prometheus_label *labels, const struct histogram *histogram)
{
    uint64_t count = 0;

    for (unsigned i = 0; i < HISTOGRAM_BUCKET_COUNT; i++) {
        count += histogram->counts[i];
        put(out, str_of(name));
        put(out, STR("_bucket"));
        put_labels(out, labels);
        put(out, labels->name != NULL ? STR(",le=\"") : STR("{le=\""));
        if (i < HISTOGRAM_BUCKET_COUNT - 1)
            put_seconds(out, histogram_limit_us(i));
        else
            put(out, STR("+Inf"));
        put(out, STR("\"} "));
        put_number(out, count);
        put(out, STR("\n"));
    }
    put_total(out, name, "_sum", labels);
    put_seconds(out, histogram->sum_us);
    put(out, STR("\n"));
    put_total(out, name, "_count", labels);
    put_number(out, count);
    put(out, STR("\n"));
}
