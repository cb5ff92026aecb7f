/*
 * Prometheus' text format, version 0.0.4: a family of samples after the other. Out of memory,
 * the rest is left out, which a reader notices by the length.
 */
#ifndef COMMON_METRIC_PROMETHEUS_H
#define COMMON_METRIC_PROMETHEUS_H

#include "common/bytes/chain.h"
#include "common/metric/histogram.h"

/* A label of a sample; a table of them ends with name NULL. */
struct prometheus_label {
    const char *name;
    struct str value;
};

/* Begins the family of a metric: PREFIX_NAME, a counter's name with _total. */
void prometheus_family(struct chain *out, const char *prefix, const struct metric *metric);

/* A sample of the family that was begun last. */
void prometheus_sample(struct chain *out, const char *prefix, const struct metric *metric,
                       const struct prometheus_label *labels, uint64_t value);

/* Begins a family of histograms, `name` with its prefix and unit (seconds); and adds one. */
void prometheus_histogram_family(struct chain *out, const char *name, const char *help);
void prometheus_histogram(struct chain *out, const char *name,
                          const struct prometheus_label *labels, const struct histogram *histogram);

#endif
