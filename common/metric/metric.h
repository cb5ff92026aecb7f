/*
 * Metrics: a table of rows names the numbers of a subject, a block holds them.
 *
 * A block has one writer, the thread or object that counts, so counting is a
 * plain load, add and store; whoever reads, from any thread, sees each number
 * whole. Sums over threads are the reader's loop.
 *
 *     #define DOOR_METRICS(X) X(opened, COUNTER, "times it was opened")
 *     struct door_metrics { DOOR_METRICS(METRIC_FIELD) };
 *     static const struct metric door_table[] = {DOOR_METRICS(METRIC_DESCRIBE)};
 */
#ifndef COMMON_METRIC_METRIC_H
#define COMMON_METRIC_METRIC_H

#include <stddef.h>
#include <stdint.h>

enum metric_kind {
    METRIC_COUNTER, /* only grows; `stats reset` may zero it */
    METRIC_GAUGE,   /* goes up and down */
    METRIC_TIME     /* microseconds since 1970 of the last time something happened */
};

struct metric {
    const char *name;
    enum metric_kind kind;
    const char *help;
};

#define METRIC_FIELD(name, kind, help)    uint64_t name;
#define METRIC_DESCRIBE(name, kind, help) {#name, METRIC_##kind, help},

static inline void metric_set(uint64_t *number, uint64_t value)
{
    __atomic_store_n(number, value, __ATOMIC_RELAXED);
}

static inline uint64_t metric_get(const uint64_t *number)
{
    return __atomic_load_n(number, __ATOMIC_RELAXED);
}

static inline void metric_add(uint64_t *number, uint64_t amount)
{
    metric_set(number, metric_get(number) + amount);
}

static inline void metric_sub(uint64_t *number, uint64_t amount)
{
    metric_set(number, metric_get(number) - amount);
}

/* Adds the `count` numbers of `block` to those of `sum`; the reader's own. */
static inline void metric_sum(uint64_t *sum, const uint64_t *block, size_t count)
{
    for (size_t i = 0; i < count; i++)
        sum[i] += metric_get(&block[i]);
}

/* Zeroes a block, for `stats reset`; what its writer counts at that instant may survive. */
static inline void metric_zero(uint64_t *block, size_t count)
{
    for (size_t i = 0; i < count; i++)
        metric_set(&block[i], 0);
}

#endif
