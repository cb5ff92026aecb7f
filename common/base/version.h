/*
 * What the programs say of themselves.
 */
#ifndef COMMON_BASE_VERSION_H
#define COMMON_BASE_VERSION_H

#define CACHEPOOL_VERSION "0.1.0"

/* The memcached whose commands and statistics cachenode follows. */
#define MEMCACHED_VERSION "1.6.45"

/* The twemproxy whose configuration and statistics cacheproxy follows. */
#define NUTCRACKER_VERSION "0.5.0"

#endif
