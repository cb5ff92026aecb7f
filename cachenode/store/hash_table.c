#include <sys/mman.h>

#include "cachenode/locks.h"
#include "cachenode/store/hash_table.h"
#include "common/base/panic.h"

/* Items per bucket from which on the table grows. */
enum { CROWDED = 7, BUCKETS_MIN = STRIPE_COUNT };

/* A split never runs out of spares half-way: it does not begin with less. */
enum { SPARES_KEPT = 256 };

static void *reserve(size_t len)
{
    void *base =
        mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    return base == MAP_FAILED ? NULL : base;
}

bool hash_table_init(struct hash_table *table, const struct slab *slab, unsigned power,
                     uint64_t item_max)
{
    uint64_t count = ((uint64_t)1 << power) / 8;

    *table = (struct hash_table){.slab = slab, .spare_used = 1};
    table->bucket_count = count < BUCKETS_MIN ? BUCKETS_MIN : (uint32_t)count;
    for (table->bucket_max = table->bucket_count; table->bucket_max < item_max / CROWDED;)
        table->bucket_max *= 2;
    table->spare_max = table->bucket_max;
    table->buckets = reserve(table->bucket_max * sizeof(struct bucket));
    table->spares = reserve(table->spare_max * sizeof(struct bucket));
    lock_init(&table->spare_lock, LOCK_arena);
    for (unsigned i = 0; i < STRIPE_COUNT; i++)
        lock_init(&table->stripes[i], LOCK_item_stripe);
    return table->buckets != NULL && table->spares != NULL;
}

void hash_table_free(struct hash_table *table)
{
    if (table->buckets != NULL)
        munmap(table->buckets, table->bucket_max * sizeof(struct bucket));
    if (table->spares != NULL)
        munmap(table->spares, table->spare_max * sizeof(struct bucket));
}

/* The bucket that a hash belongs to when `count` of them are in use. A split in another
 * stripe that happens meanwhile makes no difference to the answer. */
static uint32_t bucket_index(uint32_t count, uint32_t hash)
{
    uint32_t mask = UINT32_MAX >> __builtin_clz(count);
    uint32_t index = hash & mask;

    return index < count ? index : hash & (mask >> 1);
}

static struct bucket *bucket_of(const struct hash_table *table, uint32_t hash)
{
    uint32_t count = __atomic_load_n(&table->bucket_count, __ATOMIC_ACQUIRE);

    return &table->buckets[bucket_index(count, hash)];
}

static uint16_t tag_of(uint32_t hash)
{
    return (uint16_t)(hash >> 16);
}

/* Slots are written atomically for the sake of the prefetches, which take no lock. */
static void slot_set(struct bucket *bucket, unsigned slot, uint16_t tag, item_id id)
{
    __atomic_store_n(&bucket->tags[slot], tag, __ATOMIC_RELAXED);
    __atomic_store_n(&bucket->ids[slot], id, __ATOMIC_RELAXED);
}

struct item *hash_table_find(const struct hash_table *table, struct str key, uint32_t hash)
{
    const struct bucket *bucket = bucket_of(table, hash);
    uint16_t tag = tag_of(hash);

    for (;;) {
        for (unsigned slot = 0; slot < BUCKET_SLOTS; slot++) {
            struct item *item;

            if (bucket->tags[slot] != tag || bucket->ids[slot] == 0)
                continue;
            item = slab_at(table->slab, bucket->ids[slot]);
            if (str_equal(item_key(item), key))
                return item;
        }
        if (bucket->overflow == 0)
            return NULL;
        bucket = &table->spares[bucket->overflow];
    }
}

static uint32_t spare_take(struct hash_table *table)
{
    uint32_t index;

    lock_take(&table->spare_lock);
    index = table->spare_free;
    if (index != 0)
        table->spare_free = table->spares[index].overflow;
    else if (table->spare_used < table->spare_max)
        index = table->spare_used++;
    lock_give(&table->spare_lock);
    if (index != 0)
        table->spares[index].overflow = 0;
    return index;
}

static void spare_give(struct hash_table *table, uint32_t index)
{
    lock_take(&table->spare_lock);
    table->spares[index].overflow = table->spare_free;
    table->spare_free = index;
    lock_give(&table->spare_lock);
}

static bool bucket_add(struct hash_table *table, struct bucket *bucket, uint16_t tag, item_id id)
{
    for (;;) {
        for (unsigned slot = 0; slot < BUCKET_SLOTS; slot++) {
            if (bucket->ids[slot] == 0) {
                slot_set(bucket, slot, tag, id);
                return true;
            }
        }
        if (bucket->overflow == 0) {
            bucket->overflow = spare_take(table);
            if (bucket->overflow == 0)
                return false;
        }
        bucket = &table->spares[bucket->overflow];
    }
}

bool hash_table_add(struct hash_table *table, struct item *item, uint32_t hash)
{
    if (!bucket_add(table, bucket_of(table, hash), tag_of(hash), slab_id(table->slab, item)))
        return false;
    __atomic_fetch_add(&table->item_count, 1, __ATOMIC_RELAXED);
    return true;
}

/* Where the item stands; it does. */
static struct bucket *slot_of(const struct hash_table *table, const struct item *item,
                              uint32_t hash, unsigned *slot)
{
    struct bucket *bucket = bucket_of(table, hash);
    item_id id = slab_id(table->slab, item);

    for (;;) {
        for (*slot = 0; *slot < BUCKET_SLOTS; ++*slot) {
            if (bucket->ids[*slot] == id)
                return bucket;
        }
        ASSERT(bucket->overflow != 0);
        bucket = &table->spares[bucket->overflow];
    }
}

void hash_table_replace(struct hash_table *table, const struct item *item, struct item *with,
                        uint32_t hash)
{
    unsigned slot;
    struct bucket *bucket = slot_of(table, item, hash, &slot);

    slot_set(bucket, slot, tag_of(hash), slab_id(table->slab, with));
}

/* Gives back overflow buckets at the end of the chain that have become empty. */
static void bucket_tidy(struct hash_table *table, struct bucket *bucket)
{
    while (bucket->overflow != 0) {
        uint32_t index = bucket->overflow;
        struct bucket *next = &table->spares[index];
        bool is_empty = true;

        for (unsigned slot = 0; slot < BUCKET_SLOTS; slot++)
            is_empty = is_empty && next->ids[slot] == 0;
        if (is_empty) {
            bucket->overflow = next->overflow;
            spare_give(table, index);
        } else {
            bucket = next;
        }
    }
}

void hash_table_remove(struct hash_table *table, const struct item *item, uint32_t hash)
{
    unsigned slot;
    struct bucket *bucket = slot_of(table, item, hash, &slot);

    slot_set(bucket, slot, 0, 0);
    __atomic_fetch_sub(&table->item_count, 1, __ATOMIC_RELAXED);
    bucket = bucket_of(table, hash);
    if (bucket->overflow != 0)
        bucket_tidy(table, bucket);
}

bool hash_table_is_crowded(const struct hash_table *table)
{
    return __atomic_load_n(&table->item_count, __ATOMIC_RELAXED) >
               (uint64_t)table->bucket_count * CROWDED &&
           table->bucket_count < table->bucket_max &&
           table->spare_used + SPARES_KEPT < table->spare_max;
}

void hash_table_grow(struct hash_table *table, uint32_t (*hash_of)(struct str key))
{
    uint32_t to = table->bucket_count;
    uint32_t from = to & ((UINT32_MAX >> __builtin_clz(to)) >> 1);
    struct lock *stripe = hash_table_stripe(table, from);
    struct bucket *bucket = &table->buckets[from];

    lock_take(stripe);
    for (;;) {
        for (unsigned slot = 0; slot < BUCKET_SLOTS; slot++) {
            item_id id = bucket->ids[slot];
            uint32_t hash;

            if (id == 0)
                continue;
            hash = hash_of(item_key(slab_at(table->slab, id)));
            if (bucket_index(to + 1, hash) == from)
                continue;
            ASSERT(bucket_add(table, &table->buckets[to], tag_of(hash), id));
            slot_set(bucket, slot, 0, 0);
        }
        if (bucket->overflow == 0)
            break;
        bucket = &table->spares[bucket->overflow];
    }
    __atomic_store_n(&table->bucket_count, to + 1, __ATOMIC_RELEASE);
    bucket_tidy(table, &table->buckets[from]);
    lock_give(stripe);
}

struct item *hash_table_search(const struct hash_table *table, uint32_t index,
                               bool (*is_wanted)(const struct item *item, void *arg), void *arg)
{
    const struct bucket *bucket = &table->buckets[index];

    for (;;) {
        for (unsigned slot = 0; slot < BUCKET_SLOTS; slot++) {
            struct item *item;

            if (bucket->ids[slot] == 0)
                continue;
            item = slab_at(table->slab, bucket->ids[slot]);
            if (is_wanted(item, arg))
                return item;
        }
        if (bucket->overflow == 0)
            return NULL;
        bucket = &table->spares[bucket->overflow];
    }
}

void hash_table_prefetch_bucket(const struct hash_table *table, uint32_t hash)
{
    __builtin_prefetch(bucket_of(table, hash));
}

void hash_table_prefetch_item(const struct hash_table *table, uint32_t hash)
{
    const struct bucket *bucket = bucket_of(table, hash);
    uint16_t tag = tag_of(hash);

    for (unsigned slot = 0; slot < BUCKET_SLOTS; slot++) {
        if (__atomic_load_n(&bucket->tags[slot], __ATOMIC_RELAXED) == tag) {
            __builtin_prefetch(
                slab_at(table->slab, __atomic_load_n(&bucket->ids[slot], __ATOMIC_RELAXED)));
            return;
        }
    }
}
