/*
 * The proxy's configuration: pools and their servers, read from a YAML file in
 * nutcracker's format, checked, and never changed afterwards.
 *
 * Pools, and the servers of a pool, stand in the order of their names: shorter
 * names first, then by their bytes.
 */
#ifndef PROXY_CONFIG_H
#define PROXY_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

#include "common/hash/hash.h"
#include "proxy/distribution/distribution.h"

/* Either host and port, or unix_path; the other is NULL. */
struct listen_config {
    char *text; /* as configured */
    char *host;
    char *unix_path;
    uint16_t port;
    bool has_mode;
    mode_t mode; /* of the unix socket's file */
};

struct server_config {
    char *text; /* as configured */
    char *name; /* what is hashed, and how statistics call it */
    char *host;
    char *unix_path;
    uint16_t port;
    uint32_t weight; /* at least 1 */
};

/* What becomes of requests for the keys of a server that is ejected. */
enum on_eject {
    ON_EJECT_REHASH, /* other servers get them: the ring is built without it */
    ON_EJECT_MISS,   /* reads miss, writes are not stored */
    ON_EJECT_ERROR
};

struct hash_tag_config {
    bool is_set;
    char ends[2];
};

struct pool_config {
    char *name;
    struct listen_config listen;
    const struct hash *hash;
    struct hash_tag_config hash_tag;
    const struct distribution *distribution; /* ring_points is part of the choice */
    bool has_fixed_points;
    uint32_t timeout_ms; /* 0: none */
    uint32_t slowlog_ms; /* 0: none */
    bool allow_flush_all;
    uint32_t server_queue_max; /* requests under way on a connection; 0: as many as come */
    uint32_t backlog;
    uint32_t client_connections; /* 0: as many as come */
    bool tcpkeepalive;
    bool redis;
    char *redis_auth;
    uint32_t redis_db;
    bool preconnect;
    bool auto_eject_hosts;
    bool reuseport;
    uint32_t server_connections; /* per server, at least 1 */
    uint32_t server_retry_timeout_ms;
    uint32_t retry_timeout_max_ms;
    enum on_eject on_eject;
    char *failover;                /* the pool that gets its keys; NULL: none */
    uint32_t eject_max_percent;    /* of the servers, at a time */
    uint32_t resolve_interval_ms;  /* 0: only when a connection failed */
    uint32_t server_failure_limit; /* failures in a row; 0 acts like 1 */
    size_t server_count;           /* at least 1 */
    struct server_config *servers;
};

struct config {
    unsigned holds;      /* atomic */
    uint32_t workers;    /* at least 1 */
    uint64_t memory_max; /* bytes that all workers together may have on their way */
    size_t pool_count;   /* at least 1 */
    struct pool_config pools[];
};

enum { CONFIG_ERROR_MAX = 1024 }; /* bytes for any message */

/*
 * Reads and checks the file at `path`. Returns NULL with a message
 * "path:line:column: ..." in `error`. To be let go with config_release.
 */
struct config *config_load(const char *path, char *error, size_t error_size);

/* The same for text at hand; messages call it `name`. */
struct config *config_parse(const char *name, struct str text, char *error, size_t error_size);

/* Keeps it for one more user; from any thread. Returns it. */
struct config *config_hold(struct config *config);

/* Frees it when its last user lets go. NULL is fine. */
void config_release(struct config *config);

/* Calls `say` for each option of a pool, other than its servers, that differs. */
void config_compare_options(const struct pool_config *a, const struct pool_config *b,
                            void (*say)(const struct pool_config *pool, const char *option));

/* Whether both are the same pool for its clients: the name is, and so is what it speaks. */
bool config_is_same_pool(const struct pool_config *a, const struct pool_config *b);

/* Orders places to listen in, whatever else is configured of them; 0: they are the same. */
int config_compare_places(const struct listen_config *a, const struct listen_config *b);

/* The ring of all the pool's servers, to be freed with free(); NULL when memory ran out. */
struct ring *config_build_ring(const struct pool_config *pool);

/* Whether a key stays with its server when that is ejected, so that the ring is always whole. */
static inline bool config_keeps_homes(const struct pool_config *pool)
{
    return pool->on_eject != ON_EJECT_REHASH || pool->failover != NULL;
}

/* Bytes of a single request or reply, where all together may have so many. The limit that stays the
 * same is what connections, who count in 32 bits, can gather with room to spare. */
static inline size_t config_message_max(size_t memory_max)
{
    enum { MESSAGE_MAX = 1 << 30 };

    return memory_max / 2 < MESSAGE_MAX ? memory_max / 2 : MESSAGE_MAX;
}

/* What of a key is hashed. */
static inline struct str config_hashed_part(const struct pool_config *pool, struct str key)
{
    return pool->hash_tag.is_set ? hash_tag_cut(key, pool->hash_tag.ends) : key;
}

/* Prints the keys of a pool as a Markdown table. */
void config_print_reference(FILE *out);

#endif
