/*
 * The proxy's statistics in nutcracker's JSON, names and order.
 */
#ifndef PROXY_STATS_H
#define PROXY_STATS_H

#include <stdio.h>

#include "proxy/worker.h"

/* Writes them at the end of `out`; from any thread. With `with_more` also what nutcracker
 * does not have. */
void stats_render(const struct worker *worker, uint64_t uptime_s, bool with_more,
                  struct chain *out);

/* Writes them all in Prometheus' format. */
void stats_render_prometheus(const struct worker *worker, uint64_t uptime_s, struct chain *out);

/* Prints names and descriptions. */
void stats_describe(FILE *out);

/* Prints them as Markdown tables with headings. */
void stats_print_reference(FILE *out);

#endif
