/*
 * The proxy's statistics in nutcracker's JSON, names and order.
 */
#ifndef PROXY_STATS_H
#define PROXY_STATS_H

#include <stdio.h>

#include "proxy/reload.h"

/* Whose statistics they are. */
struct stats_source {
    struct worker *workers;
    unsigned worker_count;
    const struct reload *reload;
    uint64_t uptime_s;
};

/* Writes them at the end of `out`, in the control thread. With `with_more` also what nutcracker
 * does not have. */
void stats_render(const struct stats_source *source, bool with_more, struct chain *out);

/* Writes them all in Prometheus' format. */
void stats_render_prometheus(const struct stats_source *source, struct chain *out);

/* Prints names and descriptions. */
void stats_describe(FILE *out);

/* Prints them as Markdown tables with headings. */
void stats_print_reference(FILE *out);

#endif
