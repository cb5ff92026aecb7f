/*
 * The handlers of commands, one per operation, whatever dialect a request came in:
 * (session, request) -> store -> reply.
 */
#ifndef CACHENODE_COMMANDS_COMMANDS_H
#define CACHENODE_COMMANDS_COMMANDS_H

#include "cachenode/session.h"
#include "common/protocol/memcache.h"

/* `hash` is that of the request's first key, if it has one. */
typedef void command_handler(struct session *session, const struct mc_request *request,
                             uint32_t hash);

command_handler command_get, command_gat;                          /* retrieve.c */
command_handler command_touch, command_delete, command_add_number; /* change.c */
command_handler command_meta_get, command_meta_delete, command_meta_arithmetic,
    command_meta_debug; /* meta.c */
command_handler command_flush_all, command_version, command_verbosity, command_mn, command_quit;
command_handler command_shutdown, command_refresh_certs;            /* admin.c */
command_handler command_lru_crawler;                                /* crawler.c */
command_handler command_watch;                                      /* watch.c */
command_handler command_stats;                                      /* stats.c */
command_handler command_cache_memlimit, command_slabs, command_lru; /* memory.c */

/* Answers `stats` with these words behind it, in lines; false: there is no such answer. */
bool command_answer_stats(struct session *session, struct str words);

/* Appends an item's value: copied if it is small or has too many holders, else held.
 * With the item's stripe locked. False: memory ran out. */
bool command_append_value(struct session *session, struct item *item);

/*
 * Storage commands come in two halves, for their value may still be on its way. The
 * first takes room in the store: false when there is none, after answering; the value
 * is then to be swallowed. The second stores what was filled in, if its end is right.
 */
bool command_store_begin(struct session *session, const struct mc_request *request, uint32_t hash,
                         struct item **item);
void command_store_end(struct session *session, const struct mc_request *request, uint32_t hash,
                       struct item *item, bool ends_well);

/* Counts what became of a storage command that compares a CAS. */
void command_count_cas(struct worker_metrics *metrics, enum store_result result);

/* The part of these halves that is ms's. */
void command_meta_store_reserve(const struct mc_request *request, struct item_traits *traits,
                                const struct store *store);
struct store_terms command_meta_store_terms(const struct mc_request *request);
void command_meta_store_end(struct session *session, const struct mc_request *request,
                            uint32_t hash, struct item *item);

#endif
