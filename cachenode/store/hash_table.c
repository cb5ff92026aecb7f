#include <sys/mman.h>
#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include "cachenode/locks.h"
#include "cachenode/store/hash_table.h"
#include "common/base/panic.h"

/* Items per bucket from which on the table grows. */
enum { CROWDED = 11, BUCKETS_MIN = STRIPE_COUNT };

/* A split never runs out of spares half-way: it does not begin with less. */
enum { SPARES_KEPT = 256 };

/* The slots of a bucket or a spare. */
struct run {
    uint8_t *tags;
    item_id *ids;
    unsigned slots;
    uint32_t *overflow;
};

static void *reserve(size_t len)
{
    void *base =
        mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    return base == MAP_FAILED ? NULL : base;
}

bool hash_table_init(struct hash_table *table, const struct slab *slab, unsigned power,
                     bool is_fixed, uint64_t item_max)
{
    uint64_t count = ((uint64_t)1 << power) / 8;

    *table = (struct hash_table){.slab = slab, .spare_used = 1};
    table->bucket_count = count < BUCKETS_MIN ? BUCKETS_MIN : (uint32_t)count;
    table->bucket_max = table->bucket_count;
    while (!is_fixed && table->bucket_max < item_max / CROWDED)
        table->bucket_max *= 2;
    table->spare_max = 2 * table->bucket_max + (is_fixed ? item_max / SPARE_SLOTS : 0);
    table->buckets = reserve(table->bucket_max * sizeof(struct bucket));
    table->spares = reserve(table->spare_max * sizeof(struct spare));
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
        munmap(table->spares, table->spare_max * sizeof(struct spare));
}

/* The bucket that a hash belongs to when `count` of them are in use. A split in another
 * stripe that happens meanwhile makes no difference to the answer. */
static uint32_t bucket_index(uint32_t count, uint32_t hash)
{
    uint32_t mask = UINT32_MAX >> __builtin_clz(count);
    uint32_t index = hash & mask;

    return index < count ? index : hash & (mask >> 1);
}

uint32_t hash_table_bucket(const struct hash_table *table, uint32_t hash)
{
    return bucket_index(__atomic_load_n(&table->bucket_count, __ATOMIC_ACQUIRE), hash);
}

static struct bucket *bucket_of(const struct hash_table *table, uint32_t hash)
{
    return &table->buckets[hash_table_bucket(table, hash)];
}

/* From the bits that choose a bucket last. Never 0, which a free slot has. */
static uint8_t tag_of(uint32_t hash)
{
    uint8_t tag = (uint8_t)(hash >> 24);

    return tag != 0 ? tag : 1;
}

static struct run run_of(struct bucket *bucket)
{
    return (struct run){bucket->tags, bucket->ids, BUCKET_SLOTS, &bucket->overflow};
}

static bool run_next(const struct hash_table *table, struct run *run)
{
    struct spare *spare = &table->spares[*run->overflow];

    if (*run->overflow == 0)
        return false;
    *run = (struct run){spare->tags, spare->ids, SPARE_SLOTS, &spare->overflow};
    return true;
}

/* Slots are written atomically for the sake of the prefetches, which take no lock. */
static void slot_set(const struct run *run, unsigned slot, uint8_t tag, item_id id)
{
    __atomic_store_n(&run->tags[slot], tag, __ATOMIC_RELAXED);
    __atomic_store_n(&run->ids[slot], id, __ATOMIC_RELAXED);
}

/* The slots of a bucket that have the tag, a bit each. Read atomically, for the prefetches. */
static unsigned match_tag(const struct bucket *bucket, uint8_t tag)
{
#ifdef __SSE2__
    typedef long long __attribute__((may_alias)) word;
    const word *words = (const word *)(const void *)bucket->tags;
    __m128i tags = _mm_set_epi64x(__atomic_load_n(&words[1], __ATOMIC_RELAXED),
                                  __atomic_load_n(&words[0], __ATOMIC_RELAXED));
    unsigned found = (unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(tags, _mm_set1_epi8((char)tag)));

    return found & ((1u << BUCKET_SLOTS) - 1);
#else
    unsigned found = 0;

    for (unsigned slot = 0; slot < BUCKET_SLOTS; slot++)
        found |= (unsigned)(__atomic_load_n(&bucket->tags[slot], __ATOMIC_RELAXED) == tag) << slot;
    return found;
#endif
}

/* For the few that their bucket has no slot for. */
__attribute__((noinline)) static struct item *
find_spare(const struct hash_table *table, uint32_t index, struct str key, uint8_t tag)
{
    for (; index != 0; index = table->spares[index].overflow) {
        const struct spare *spare = &table->spares[index];

        for (unsigned slot = 0; slot < SPARE_SLOTS; slot++) {
            struct item *item;

            if (spare->tags[slot] != tag)
                continue;
            item = slab_at(table->slab, spare->ids[slot]);
            if (str_equal(item_key(item), key))
                return item;
        }
    }
    return NULL;
}

struct item *hash_table_find(const struct hash_table *table, struct str key, uint32_t hash)
{
    const struct bucket *bucket = bucket_of(table, hash);

    for (unsigned found = match_tag(bucket, tag_of(hash)); found != 0; found &= found - 1) {
        struct item *item = slab_at(table->slab, bucket->ids[__builtin_ctz(found)]);

        if (str_equal(item_key(item), key))
            return item;
    }
    return bucket->overflow != 0 ? find_spare(table, bucket->overflow, key, tag_of(hash)) : NULL;
}

static uint32_t spare_take(struct hash_table *table)
{
    uint32_t index;

    lock_take(&table->spare_lock);
    index = table->spare_free;
    if (index != 0)
        table->spare_free = table->spares[index].overflow;
    else if (table->spare_used < table->spare_max)
        index = __atomic_fetch_add(&table->spare_used, 1, __ATOMIC_RELAXED);
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

static bool bucket_add(struct hash_table *table, struct bucket *bucket, uint8_t tag, item_id id)
{
    struct run run = run_of(bucket);

    for (;;) {
        for (unsigned slot = 0; slot < run.slots; slot++) {
            if (run.tags[slot] == 0) {
                slot_set(&run, slot, tag, id);
                return true;
            }
        }
        if (*run.overflow == 0) {
            *run.overflow = spare_take(table);
            if (*run.overflow == 0)
                return false;
        }
        run_next(table, &run);
    }
}

bool hash_table_add(struct hash_table *table, struct item *item, uint32_t hash)
{
    if (!bucket_add(table, bucket_of(table, hash), tag_of(hash), slab_id(table->slab, item)))
        return false;
    __atomic_fetch_add(&table->item_count, 1, __ATOMIC_RELAXED);
    return true;
}

/* Where the item stands, if it does. */
static bool find_slot(const struct hash_table *table, const struct item *item, uint32_t hash,
                      struct run *run, unsigned *slot)
{
    item_id id = slab_id(table->slab, item);

    *run = run_of(bucket_of(table, hash));
    do {
        for (*slot = 0; *slot < run->slots; ++*slot) {
            if (run->ids[*slot] == id)
                return true;
        }
    } while (run_next(table, run));
    return false;
}

bool hash_table_has(const struct hash_table *table, const struct item *item, uint32_t hash)
{
    struct run run;
    unsigned slot;

    return find_slot(table, item, hash, &run, &slot);
}

void hash_table_replace(struct hash_table *table, const struct item *item, struct item *with,
                        uint32_t hash)
{
    struct run run;
    unsigned slot;

    ASSERT(find_slot(table, item, hash, &run, &slot));
    slot_set(&run, slot, tag_of(hash), slab_id(table->slab, with));
}

static bool is_empty(const struct spare *spare)
{
    for (unsigned slot = 0; slot < SPARE_SLOTS; slot++) {
        if (spare->tags[slot] != 0)
            return false;
    }
    return true;
}

/* Moves what stands in a bucket's spares to its own slots, as far as these are free. */
static void fill_own_slots(const struct hash_table *table, struct bucket *bucket)
{
    struct run own = run_of(bucket), run = own;
    unsigned hole = 0;

    while (run_next(table, &run)) {
        for (unsigned slot = 0; slot < run.slots; slot++) {
            if (run.ids[slot] == 0)
                continue;
            while (hole < own.slots && own.ids[hole] != 0)
                hole++;
            if (hole == own.slots)
                return;
            slot_set(&own, hole, run.tags[slot], run.ids[slot]);
            slot_set(&run, slot, 0, 0);
        }
    }
}

/* After some have left a bucket: gives back the spares that it can do without. */
static void bucket_tidy(struct hash_table *table, struct bucket *bucket)
{
    uint32_t *link = &bucket->overflow;

    fill_own_slots(table, bucket);
    while (*link != 0) {
        struct spare *spare = &table->spares[*link];
        uint32_t index = *link;

        if (is_empty(spare)) {
            *link = spare->overflow;
            spare_give(table, index);
        } else {
            link = &spare->overflow;
        }
    }
}

void hash_table_remove(struct hash_table *table, const struct item *item, uint32_t hash)
{
    struct bucket *bucket = bucket_of(table, hash);
    struct run run;
    unsigned slot;

    ASSERT(find_slot(table, item, hash, &run, &slot));
    slot_set(&run, slot, 0, 0);
    __atomic_fetch_sub(&table->item_count, 1, __ATOMIC_RELAXED);
    if (bucket->overflow != 0)
        bucket_tidy(table, bucket);
}

void hash_table_expect(struct hash_table *table, uint64_t item_count)
{
    uint64_t count = item_count / CROWDED + 1;

    if (count > table->bucket_max)
        count = table->bucket_max;
    if (count > table->bucket_count)
        table->bucket_count = (uint32_t)count;
}

bool hash_table_is_crowded(const struct hash_table *table)
{
    return __atomic_load_n(&table->item_count, __ATOMIC_RELAXED) >
               (uint64_t)table->bucket_count * CROWDED &&
           table->bucket_count < table->bucket_max &&
           __atomic_load_n(&table->spare_used, __ATOMIC_RELAXED) + SPARES_KEPT < table->spare_max;
}

void hash_table_grow(struct hash_table *table, uint32_t (*hash_of)(struct str key))
{
    uint32_t to = table->bucket_count;
    uint32_t from = to & ((UINT32_MAX >> __builtin_clz(to)) >> 1);
    struct lock *stripe = hash_table_stripe(table, from);
    struct run run = run_of(&table->buckets[from]);

    lock_take(stripe);
    do {
        for (unsigned slot = 0; slot < run.slots; slot++) {
            item_id id = run.ids[slot];
            uint32_t hash;

            if (id == 0)
                continue;
            hash = hash_of(item_key(slab_at(table->slab, id)));
            if (bucket_index(to + 1, hash) == from)
                continue;
            ASSERT(bucket_add(table, &table->buckets[to], tag_of(hash), id));
            slot_set(&run, slot, 0, 0);
        }
    } while (run_next(table, &run));
    __atomic_store_n(&table->bucket_count, to + 1, __ATOMIC_RELEASE);
    bucket_tidy(table, &table->buckets[from]);
    lock_give(stripe);
}

uint64_t hash_table_bytes(struct hash_table *table)
{
    uint64_t spares;

    lock_take(&table->spare_lock);
    spares = table->spare_used;
    lock_give(&table->spare_lock);
    return __atomic_load_n(&table->bucket_count, __ATOMIC_RELAXED) * sizeof(struct bucket) +
           spares * sizeof(struct spare);
}

struct item *hash_table_search(const struct hash_table *table, uint32_t index,
                               bool (*is_wanted)(const struct item *item, void *arg), void *arg)
{
    struct run run = run_of(&table->buckets[index]);

    do {
        for (unsigned slot = 0; slot < run.slots; slot++) {
            struct item *item;

            if (run.ids[slot] == 0)
                continue;
            item = slab_at(table->slab, run.ids[slot]);
            if (is_wanted(item, arg))
                return item;
        }
    } while (run_next(table, &run));
    return NULL;
}

const struct bucket *hash_table_prefetch_bucket(const struct hash_table *table, uint32_t hash)
{
    const struct bucket *bucket = bucket_of(table, hash);

    __builtin_prefetch(bucket);
    return bucket;
}

void hash_table_prefetch_item(const struct hash_table *table, const struct bucket *bucket,
                              uint32_t hash)
{
    unsigned found = match_tag(bucket, tag_of(hash));

    if (found != 0)
        __builtin_prefetch(slab_at(
            table->slab, __atomic_load_n(&bucket->ids[__builtin_ctz(found)], __ATOMIC_RELAXED)));
}
