/*
 * The running proxy: its data threads, and in the main thread a control loop with statistics,
 * signals and reloads.
 */
#ifndef PROXY_PROXY_H
#define PROXY_PROXY_H

#include "proxy/config.h"
#include "proxy/options.h"

/* Runs until a signal ends it; returns the exit status. The caller's hold on `config` stays. */
int proxy_run(const struct proxy_options *options, struct config *config);

#endif
