/*
 * What a configuration says that works, as it must for nutcracker's sake, but hardly as its
 * author means it: hashes that clump, servers that get no key.
 */
#ifndef PROXY_ADVICE_H
#define PROXY_ADVICE_H

#include "proxy/config.h"

/* Calls `say` with a line for each such thing, without a newline. */
void advice_give(const struct config *config, void (*say)(const char *text));

/* The same, to the log. */
void advice_log(const struct config *config);

#endif
