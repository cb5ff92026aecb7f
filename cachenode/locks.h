/*
 * The locks of a cachenode: name, rank, what each guards. They are taken in
 * ascending rank; who comes from chunks to their items only tries.
 */
#ifndef CACHENODE_LOCKS_H
#define CACHENODE_LOCKS_H

/*    name        rank  guards */
#define LOCKS(X)                                                                                   \
    X(item_stripe, 1, "the items and buckets of one stripe of keys")                               \
    X(mover, 2, "the page that is being vacated; only tried")                                      \
    X(slab_class, 3, "one slab class's pages and free chunks")                                     \
    X(arena, 4, "pages not given to any class, spare buckets, waiting flushes")                    \
    X(clients, 5, "the list of one worker's clients")

#define LOCK_RANK(name, rank, guards) LOCK_##name = (rank),
enum lock_rank { LOCKS(LOCK_RANK) };

#endif
