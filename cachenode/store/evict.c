/*
 * Making room. Nothing is kept in order: whoever needs memory looks at a sample of the
 * class's items and takes the least useful of them. The sample also tells how large the
 * segments are, and items flow from those that are over their share.
 */
#include "cachenode/store/internal.h"

enum { SAMPLE_MAX = 64, SAMPLE_PER_VICTIM = 8, SAMPLE_MIN = 16, BATCH_BYTES = 16 * 1024 };
enum { FAILURES_MAX = 10, ROUNDS_MAX = 200, HOLDS_NONE = 1, BALANCES_SKIPPED_MAX = 20 };

struct candidate {
    struct item *item; /* NULL: dealt with */
    int worth;
    uint64_t cas; /* among those of the same worth, the one stored first goes first */
    uint32_t used;
    bool is_over;
};

struct sample {
    unsigned count, in_segment[SEGMENT_COUNT];
    struct candidate candidates[SAMPLE_MAX];
};

/* --- from a chunk to its item --- */

/* Reads without the lock what may be changing: item_lock finds out whether it made sense. */
__attribute__((no_sanitize("thread"))) static struct str peek_key(const struct item *item,
                                                                  char *room)
{
    const volatile char *data = item->data;
    size_t len = *(const volatile uint8_t *)&item->key_len;

    for (size_t i = 0; i < len; i++)
        room[i] = data[i];
    return (struct str){room, len};
}

__attribute__((no_sanitize("thread"))) static uint64_t peek_cas(const struct item *item)
{
    return *(const volatile uint64_t *)&item->cas;
}

__attribute__((no_sanitize("thread"))) static uint32_t peek_u32(const uint32_t *field)
{
    return *(const volatile uint32_t *)field;
}

__attribute__((no_sanitize("thread"))) uint8_t item_peek_score(const struct item *item)
{
    return *(const volatile uint8_t *)&item->score;
}

/* The stripe is locked: keeps it if it is the item's, and says so. */
static bool is_stripe_of(struct store *store, const struct item *item, uint32_t hash,
                         struct lock *stripe)
{
    if (hash_table_has(&store->table, item, hash) && store_hash(item_key(item)) == hash)
        return true;
    lock_give(stripe);
    return false;
}

struct lock *item_lock(struct store *store, const struct item *item, uint32_t *hash)
{
    char room[ITEM_KEY_MAX];
    struct lock *stripe;

    *hash = store_hash(peek_key(item, room));
    stripe = hash_table_stripe(&store->table, *hash);
    return lock_try(stripe) && is_stripe_of(store, item, *hash, stripe) ? stripe : NULL;
}

struct lock *item_lock_wait(struct store *store, const struct item *item)
{
    char room[ITEM_KEY_MAX];
    uint32_t hash = store_hash(peek_key(item, room));
    struct lock *stripe = hash_table_stripe(&store->table, hash);

    lock_take(stripe);
    return is_stripe_of(store, item, hash, stripe) ? stripe : NULL;
}

struct item *item_of_chunk(const struct store *store, struct item *chunk)
{
    uint32_t used = peek_u32(&chunk->used);
    const struct piece *piece = (const void *)chunk;
    item_id owner;

    if (used & ITEM_LINKED)
        return chunk;
    if (used != ITEM_PIECE)
        return NULL;
    owner = peek_u32(&piece->owner);
    if (owner / (PAGE_SIZE / ITEM_UNIT) > store->slab.page_reserve)
        return NULL;
    chunk = slab_at(&store->slab, owner);
    return peek_u32(&chunk->used) & ITEM_LINKED ? chunk : NULL;
}

/* --- a sample --- */

/* Far below, a score would come round to the top before long. What was peeked at may be
 * somebody's value by now, so nothing is written before the item is known to be one. */
static void keep_in_range(struct store *store, struct item *item)
{
    uint32_t hash;
    struct lock *stripe = item_lock(store, item, &hash);

    if (stripe == NULL)
        return;
    if (score_worth(item->score, store_clock(store)) < SCORE_WORTH_MIN)
        __atomic_store_n(&item->score, (uint8_t)(store_clock(store) + SCORE_WORTH_MIN),
                         __ATOMIC_RELAXED);
    lock_give(stripe);
}

static void look_at(struct store *store, struct item *chunk, struct sample *sample)
{
    struct item *item = item_of_chunk(store, chunk);
    struct candidate *candidate = &sample->candidates[sample->count];
    uint32_t expires_at;

    if (item == NULL)
        return;
    expires_at = peek_u32(&item->expires_at);
    *candidate = (struct candidate){
        .item = item,
        .used = peek_u32(&item->used),
        .cas = peek_cas(item),
        .worth = score_worth(item_peek_score(item), store_clock(store)),
        .is_over = expires_at != 0 && expires_at <= store_now(store),
    };
    if (candidate->worth < SCORE_WORTH_MIN)
        keep_in_range(store, item);
    sample->in_segment[used_segment(candidate->used)]++;
    sample->count++;
}

static void take_sample(struct store_user *user, unsigned class_id, unsigned size,
                        struct sample *sample)
{
    struct item *chunks[SAMPLE_MAX];
    unsigned count = slab_sample(&user->store->slab, class_id, &user->random, chunks, size);

    sample->count = 0;
    memset(sample->in_segment, 0, sizeof(sample->in_segment));
    for (unsigned i = 0; i < count; i++)
        __builtin_prefetch(chunks[i]);
    for (unsigned i = 0; i < count; i++)
        look_at(user->store, chunks[i], sample);
}

static bool is_lower(const struct candidate *a, const struct candidate *b)
{
    return a->worth != b->worth ? a->worth < b->worth : a->cas < b->cas;
}

/* The least useful of the sample that is in one of the segments, which are bits. */
static struct candidate *lowest(struct sample *sample, unsigned segments)
{
    struct candidate *best = NULL;

    for (unsigned i = 0; i < sample->count; i++) {
        struct candidate *each = &sample->candidates[i];

        if (each->item != NULL && (segments >> used_segment(each->used) & 1) != 0 &&
            (best == NULL || is_lower(each, best)))
            best = each;
    }
    return best;
}

/* --- the flow between segments --- */

/* What of a segment is above its share in the sample, or will be when others come. */
static unsigned excess(const struct sample *sample, enum segment segment, uint32_t pct,
                       unsigned to_come)
{
    unsigned share = sample->count * pct / 100, count = sample->in_segment[segment] + to_come;

    return count > share ? count - share : 0;
}

static void flow(struct store_user *user, struct sample *sample, struct candidate *candidate,
                 enum segment to)
{
    enum segment from = used_segment(candidate->used);
    struct store_class_metrics *metrics;
    uint32_t hash;
    struct lock *stripe = item_lock(user->store, candidate->item, &hash);

    if (stripe == NULL) {
        candidate->item = NULL;
        return;
    }
    metrics = &user->classes[item_class(user->store, candidate->item)];
    item_set(candidate->item, ITEM_ACTIVE, false);
    item_flow(user, candidate->item, to);
    candidate->used = item_peek(candidate->item);
    lock_give(stripe);
    sample->in_segment[from]--;
    sample->in_segment[to]++;
    if (to == SEGMENT_COLD)
        metric_add(&metrics->moves_to_cold, 1);
    else
        metric_add(from == SEGMENT_WARM ? &metrics->moves_within_lru : &metrics->moves_to_warm, 1);
}

/* From HOT go the least useful, to WARM if they are in use; so they do from WARM, unless they
 * are; and from COLD what is in use, if WARM has room. */
static void flow_shares(struct store_user *user, struct sample *sample, unsigned to_come)
{
    const struct store_tuning *tuning = &user->store->tuning;
    uint32_t warm_pct = tuning_of(&tuning->warm_pct);
    struct candidate *each;

    for (unsigned n = excess(sample, SEGMENT_HOT, tuning_of(&tuning->hot_pct), to_come); n != 0;
         n--) {
        each = lowest(sample, 1u << SEGMENT_HOT);
        if (each == NULL)
            break;
        flow(user, sample, each, each->used & ITEM_ACTIVE ? SEGMENT_WARM : SEGMENT_COLD);
    }
    for (unsigned n = excess(sample, SEGMENT_WARM, warm_pct, 0); n != 0; n--) {
        each = lowest(sample, 1u << SEGMENT_WARM);
        if (each == NULL)
            break;
        flow(user, sample, each, each->used & ITEM_ACTIVE ? SEGMENT_WARM : SEGMENT_COLD);
    }
    for (unsigned i = 0; i < sample->count; i++) {
        each = &sample->candidates[i];
        if (each->item != NULL && used_segment(each->used) == SEGMENT_COLD &&
            (each->used & ITEM_ACTIVE) != 0 &&
            sample->in_segment[SEGMENT_WARM] * 100 < sample->count * warm_pct)
            flow(user, sample, each, SEGMENT_WARM);
    }
}

/* Where there are no segments, all items are COLD. True: many were not. */
static bool flow_all(struct store_user *user, struct sample *sample)
{
    unsigned before = sample->in_segment[SEGMENT_COLD];

    for (unsigned i = 0; i < sample->count; i++) {
        struct candidate *each = &sample->candidates[i];
        enum segment segment = used_segment(each->used);

        if (each->item != NULL && (segment == SEGMENT_HOT || segment == SEGMENT_WARM))
            flow(user, sample, each, SEGMENT_COLD);
    }
    return sample->in_segment[SEGMENT_COLD] > before + SAMPLE_MAX / 16;
}

/* The seconds that the longest unused item of the segment was not used. */
static uint32_t age_of(const struct store *store, const struct sample *sample, enum segment segment)
{
    uint32_t age_s = 0;

    for (unsigned i = 0; i < sample->count; i++) {
        const struct candidate *each = &sample->candidates[i];

        if (each->item != NULL && used_segment(each->used) == segment &&
            item_idle_s(each->used, store_now(store)) > age_s)
            age_s = item_idle_s(each->used, store_now(store));
    }
    return age_s;
}

/* To COLD goes what was not used for longer than `factor` times COLD's age. */
static void flow_aged(struct store_user *user, struct sample *sample, enum segment segment,
                      double factor)
{
    double limit_s = age_of(user->store, sample, SEGMENT_COLD) * factor;

    for (unsigned i = 0; i < sample->count && limit_s > 0; i++) {
        struct candidate *each = &sample->candidates[i];

        if (each->item != NULL && used_segment(each->used) == segment &&
            item_idle_s(each->used, store_now(user->store)) > limit_s)
            flow(user, sample, each, each->used & ITEM_ACTIVE ? SEGMENT_WARM : SEGMENT_COLD);
    }
}

/* --- eviction --- */

void evict_remember(struct store *store, const struct item *item, uint32_t hash)
{
    ghosts_add(&store->ghosts, hash_table_bucket(&store->table, hash), hash, item->score,
               store_clock(store));
}

/* Of items that are loaded once and not asked for, the first to come are the first to go: so
 * none begins below what its class evicts, if that came when nothing was known yet. */
static int new_worth(const struct store_user *user, const struct item *item)
{
    const struct store *store = user->store;
    const struct demand *demand = &store->demands[item_class(store, item)];
    int worth = score_new_worth(user->returned), first = score_new_worth(SHARE_FIRST);
    int margin = __atomic_load_n(&demand->margin, __ATOMIC_RELAXED);

    if (margin > first)
        margin = first;
    return worth > margin ? worth : margin;
}

__attribute__((noinline)) void evict_recall(struct store_user *user, struct item *item,
                                            uint32_t hash)
{
    const struct store *store = user->store;
    uint8_t clock = store_clock(store), score;
    enum ghost ghost;

    if (!tuning_of(&store->tuning.is_segmented))
        return;
    ghost =
        ghosts_find(&store->ghosts, hash_table_bucket(&store->table, hash), hash, clock, &score);
    if (ghost != GHOST_UNKNOWN)
        user->returned = share_after(user->returned, ghost == GHOST_FOUND);
    if (ghost == GHOST_FOUND)
        score = score_used(&store->scores, score, clock, (uint8_t)(user->random >> 56));
    else
        score = (uint8_t)(clock + new_worth(user, item));
    __atomic_store_n(&item->score, score, __ATOMIC_RELAXED);
}

static void count_eviction(struct store_user *user, const struct item *item, unsigned class_id)
{
    struct store_class_metrics *metrics = &user->classes[class_id];

    if (watch_wants(&user->log, WATCH_EVICTIONS))
        note_eviction(user, item);
    metric_add(&metrics->evicted, 1);
    __atomic_store_n(&user->store->demands[class_id].evicted_time,
                     item_idle_s(item_peek(item), store_now(user->store)), __ATOMIC_RELAXED);
    if (item->expires_at != 0)
        metric_add(&metrics->evicted_nonzero, 1);
    if (!item_is(item, ITEM_FETCHED))
        metric_add(&metrics->evicted_unfetched, 1);
    if (item_is(item, ITEM_ACTIVE))
        metric_add(&metrics->evicted_active, 1);
}

/* Frees an item that is over; or, if evictions are allowed, one that is not. */
static bool take_from(struct store_user *user, struct candidate *candidate)
{
    struct store *store = user->store;
    struct item *item = candidate->item;
    struct store_class_metrics *metrics;
    unsigned class_id;
    uint32_t hash;
    struct lock *stripe = item_lock(store, item, &hash);
    bool is_free = false;

    candidate->item = NULL;
    if (stripe == NULL)
        return false;
    class_id = item_class(store, item);
    metrics = &user->classes[class_id];
    if (item_is_over(store, item)) {
        metric_add(&metrics->reclaimed, 1);
        if (!item_is(item, ITEM_FETCHED))
            metric_add(&metrics->expired_unfetched, 1);
        is_free = true;
    } else if (__atomic_load_n(&item->refs, __ATOMIC_ACQUIRE) > HOLDS_NONE) {
        metric_add(&metrics->tail_reflocked, 1);
    } else if (store->options.evictions && item_segment(item) != SEGMENT_TEMP) {
        count_eviction(user, item, class_id);
        evict_remember(store, item, hash);
        is_free = true;
    }
    if (is_free)
        item_unlink(user, item, hash);
    lock_give(stripe);
    return is_free;
}

static unsigned take_from_over(struct store_user *user, struct sample *sample)
{
    unsigned taken = 0;

    for (unsigned i = 0; i < sample->count; i++) {
        if (sample->candidates[i].is_over && sample->candidates[i].item != NULL)
            taken += take_from(user, &sample->candidates[i]);
    }
    return taken;
}

/* The scores' clock goes on by what part of the memory was taken. */
static void advance_clock(struct store *store, uint64_t bytes)
{
    uint64_t sum = __atomic_add_fetch(&store->evicted_bytes, bytes, __ATOMIC_RELAXED);
    uint64_t tick = store->options.slab.memory_bytes / SCORE_TICKS_PER_TURNOVER;

    __atomic_store_n(&store->clock, (uint32_t)(sum / tick), __ATOMIC_RELAXED);
}

void evict_continue_clock(struct store *store, uint64_t evicted_bytes)
{
    advance_clock(store, evicted_bytes);
}

/* With -M, or when all of the sample is COLD's to keep, nothing but what is over goes. */
static unsigned take_from_lowest(struct store_user *user, unsigned class_id, struct sample *sample,
                                 unsigned wanted)
{
    static const unsigned others = 1u << SEGMENT_HOT | 1u << SEGMENT_WARM;
    bool is_flat = !tuning_of(&user->store->tuning.is_segmented);
    unsigned turns[] = {1u << SEGMENT_COLD | (is_flat ? others : 0), others};
    struct demand *demand = &user->store->demands[class_id];
    unsigned taken = 0;

    for (unsigned turn = 0; turn < 2 && taken == 0; turn++) {
        struct candidate *each;

        while (taken < wanted && (each = lowest(sample, turns[turn])) != NULL) {
            int worth = each->worth;

            if (take_from(user, each)) {
                taken++;
                __atomic_store_n(&demand->margin, worth, __ATOMIC_RELAXED);
            }
        }
    }
    __atomic_store_n(&demand->is_pressed, 1, __ATOMIC_RELAXED);
    return taken;
}

bool evict_some(struct store_user *user, unsigned class_id)
{
    struct store *store = user->store;
    uint32_t chunk_size = store->slab.classes[class_id].chunk_size;
    unsigned wanted = BATCH_BYTES / chunk_size, size, taken;
    struct sample sample;

    wanted = wanted < 1 ? 1 : wanted > SAMPLE_PER_VICTIM ? SAMPLE_PER_VICTIM : wanted;
    size = wanted * SAMPLE_PER_VICTIM;
    take_sample(user, class_id, size < SAMPLE_MIN ? SAMPLE_MIN : size, &sample);
    taken = take_from_over(user, &sample);
    if (taken >= wanted || !store->options.evictions)
        return taken != 0;
    if (tuning_of(&store->tuning.is_segmented))
        flow_shares(user, &sample, wanted);
    taken += take_from_lowest(user, class_id, &sample, wanted - taken);
    advance_clock(store, (uint64_t)taken * chunk_size);
    return taken != 0;
}

/* There is nothing free: other items' memory has to do. */
__attribute__((noinline)) static void *take_from_others(struct store_user *user, unsigned class_id)
{
    struct store *store = user->store;
    struct store_class_metrics *metrics = &user->classes[class_id];

    /* What was made free, others may have taken before us: then it goes on, for a time. */
    for (unsigned failures = 0, rounds = 0; failures < FAILURES_MAX && rounds < ROUNDS_MAX;
         rounds++) {
        void *chunk = slab_take(&store->slab, &user->magazines[class_id], class_id);

        if (chunk != NULL)
            return chunk;
        if (move_page_to(user, class_id, false))
            continue;
        if (evict_some(user, class_id))
            metric_add(&metrics->direct_reclaims, 1);
        else if (!move_page_to(user, class_id, true) && ++failures == FAILURES_MAX &&
                 slab_grant(&store->slab, class_id))
            failures--;
    }
    metric_add(&metrics->outofmemory, 1);
    return NULL;
}

void *evict_take(struct store_user *user, unsigned class_id)
{
    void *chunk = slab_take(&user->store->slab, &user->magazines[class_id], class_id);

    return chunk != NULL ? chunk : take_from_others(user, class_id);
}

/* --- upkeep --- */

bool evict_worth(struct store_user *user, unsigned class_id, int *worth)
{
    struct sample sample;
    int sum = 0, count = 0;

    take_sample(user, class_id, SAMPLE_MAX, &sample);
    for (; count <= (int)sample.count / SAMPLE_PER_VICTIM; count++) {
        struct candidate *each = lowest(&sample, ~(1u << SEGMENT_TEMP));

        if (each == NULL)
            break;
        sum += each->worth;
        each->item = NULL;
    }
    if (count != 0)
        *worth = sum / count;
    return count != 0;
}

bool store_balance(struct store_user *user)
{
    struct store *store = user->store;
    uint64_t cas = __atomic_load_n(&store->last_cas, __ATOMIC_RELAXED);
    struct store_tuning tuning;
    bool has_more = false;

    /* While nothing is stored there is no hurry. */
    if (cas == store->balanced_cas && ++store->balances_skipped < BALANCES_SKIPPED_MAX)
        return false;
    store->balanced_cas = cas;
    store->balances_skipped = 0;

    __atomic_fetch_add(&store->juggles, 1, __ATOMIC_RELAXED);
    store_get_tuning(store, &tuning);
    for (unsigned class_id = 1; class_id <= store->slab.class_count; class_id++) {
        struct sample sample;

        take_sample(user, class_id, SAMPLE_MAX, &sample);
        if (!tuning.is_segmented) {
            has_more = flow_all(user, &sample) || has_more;
            continue;
        }
        has_more = has_more || excess(&sample, SEGMENT_HOT, tuning.hot_pct, 0) > SAMPLE_MAX / 4 ||
                   excess(&sample, SEGMENT_WARM, tuning.warm_pct, 0) > SAMPLE_MAX / 4;
        flow_shares(user, &sample, 0);
        flow_aged(user, &sample, SEGMENT_HOT, tuning.hot_max_factor);
        flow_aged(user, &sample, SEGMENT_WARM, tuning.warm_max_factor);
    }
    return has_more;
}
