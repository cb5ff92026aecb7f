/*
 * How long things took, in fixed buckets that double: one writer, any reader, like the numbers
 * of metric.h.
 */
#ifndef COMMON_METRIC_HISTOGRAM_H
#define COMMON_METRIC_HISTOGRAM_H

#include "common/metric/metric.h"

enum {
    HISTOGRAM_FIRST_US = 64,    /* the first bucket: up to so many microseconds */
    HISTOGRAM_BUCKET_COUNT = 18 /* the last but one: up to 4.2 s; the last: all beyond */
};

struct histogram {
    uint64_t sum_us;
    uint64_t counts[HISTOGRAM_BUCKET_COUNT];
};

/* The bucket of a duration. */
static inline unsigned histogram_bucket(uint64_t us)
{
    unsigned bucket;

    if (us <= HISTOGRAM_FIRST_US)
        return 0;
    bucket = 64 - (unsigned)__builtin_clzll((us - 1) / HISTOGRAM_FIRST_US);
    return bucket < HISTOGRAM_BUCKET_COUNT ? bucket : HISTOGRAM_BUCKET_COUNT - 1;
}

/* The longest duration of a bucket but the last. */
static inline uint64_t histogram_limit_us(unsigned bucket)
{
    return (uint64_t)HISTOGRAM_FIRST_US << bucket;
}

static inline void histogram_add(struct histogram *histogram, uint64_t us)
{
    metric_add(&histogram->sum_us, us);
    metric_add(&histogram->counts[histogram_bucket(us)], 1);
}

/* Adds all of `more` to `sum`, the reader's own. */
static inline void histogram_sum(struct histogram *sum, const struct histogram *more)
{
    sum->sum_us += metric_get(&more->sum_us);
    metric_sum(sum->counts, more->counts, HISTOGRAM_BUCKET_COUNT);
}

#endif
