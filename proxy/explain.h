/*
 * Where keys go, and by which steps: for `cacheproxy --explain`.
 */
#ifndef PROXY_EXPLAIN_H
#define PROXY_EXPLAIN_H

#include <stdio.h>

#include "proxy/config.h"

/* Prints a line for each of the keys in each pool: hash, place on the ring, server. */
void explain_keys(const struct config *config, const char *const *keys, size_t count, FILE *out);

#endif
