/*
 * The running proxy: the data thread, and in the main thread a control loop with
 * statistics and signals.
 */
#ifndef PROXY_PROXY_H
#define PROXY_PROXY_H

#include "proxy/config.h"
#include "proxy/options.h"

/* Runs until a signal ends it; returns the exit status. */
int proxy_run(const struct proxy_options *options, const struct config *config);

#endif
