/*
 * The locks of a cachenode: name, rank, what each guards. They are taken in
 * ascending rank; who comes from the lists to the items only tries.
 */
#ifndef CACHENODE_LOCKS_H
#define CACHENODE_LOCKS_H

/*    name        rank  guards */
#define LOCKS(X)                                                                                   \
    X(item_stripe, 1, "the items and buckets of one stripe of keys")                               \
    X(lru, 2, "the segments' lists of one slab class, and its counters")                           \
    X(slab_class, 3, "one slab class's free chunks")                                               \
    X(arena, 4, "pages not given to any class, spare buckets, waiting flushes")

#define LOCK_RANK(name, rank, guards) LOCK_##name = (rank),
enum lock_rank { LOCKS(LOCK_RANK) };

#endif
