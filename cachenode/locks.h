/*
 * The locks of a cachenode: name, rank, what each guards. They are taken in
 * ascending rank; who comes from chunks to their items only tries.
 */
#ifndef CACHENODE_LOCKS_H
#define CACHENODE_LOCKS_H

/*    name        rank  guards */
#define LOCKS(X)                                                                                   \
    X(item_stripe, 1, "the items and buckets of one stripe of keys")                               \
    X(mover, 2, "the page that is being vacated")                                                  \
    X(store, 3, "the store's users, tuning and waiting flushes")                                   \
    X(slab_class, 4, "one slab class's pages and free chunks")                                     \
    X(arena, 5, "pages not given to any class, spare buckets")                                     \
    X(clients, 6, "the list of one worker's clients")                                              \
    X(auth, 7, "users and passwords")                                                              \
    X(watch, 8, "the watch's lists of logs and watchers")                                          \
    X(prefixes, 9, "counts of keys by prefix")

#define LOCK_RANK(name, rank, guards) LOCK_##name = (rank),
enum lock_rank { LOCKS(LOCK_RANK) };

#endif
