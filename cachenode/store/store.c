/*
 * The face of the store: what an item is made of, then finding, making and putting.
 */
#include <sched.h>
#include <stdlib.h>

#include "cachenode/store/internal.h"
#include "common/base/random.h"
#include "common/bytes/number.h"

/* --- items --- */

bool item_is_expired(const struct store *store, const struct item *item)
{
    return item->expires_at != 0 && item->expires_at <= store_now(store);
}

bool item_is_flushed(const struct store *store, const struct item *item)
{
    return item->cas <= __atomic_load_n(&store->flushed_cas, __ATOMIC_ACQUIRE);
}

static uint64_t next_cas(struct store *store)
{
    return __atomic_add_fetch(&store->last_cas, 1, __ATOMIC_SEQ_CST);
}

/*
 * The CAS of what takes the place of `old`, which was found alive. Had a flush come in
 * between, the new one would survive it although it was made from the old; it is then
 * given a CAS with which it is flushed, too. A flush under way has either not looked at
 * the last CAS yet, and will flush the new one, or is waited for.
 */
uint64_t item_cas_after(struct store *store, const struct item *old)
{
    uint64_t cas = next_cas(store);

    while (__atomic_load_n(&store->is_flushing, __ATOMIC_SEQ_CST))
        sched_yield();
    return item_is_flushed(store, old) ? old->cas : cas;
}

/* Bytes of a value that a piece holds; only the last is shorter, and may be of a class that
 * fits it better than the largest. */
static uint32_t piece_len(const struct slab *slab)
{
    return slab->chunk_max - (uint32_t)sizeof(struct piece);
}

unsigned item_piece_count(const struct slab *slab, const struct item *item)
{
    return (item->value_len + piece_len(slab) - 1) / piece_len(slab);
}

item_id item_piece(struct item *item, unsigned index)
{
    item_id id;

    memcpy(&id, item_value(item) + index * sizeof(id), sizeof(id));
    return id;
}

void item_set_piece(struct item *item, unsigned index, item_id id)
{
    memcpy(item_value(item) + index * sizeof(id), &id, sizeof(id));
}

static unsigned piece_class(const struct slab *slab, const struct item *item, unsigned index)
{
    uint64_t rest = item->value_len - (uint64_t)index * piece_len(slab);

    return rest >= piece_len(slab) ? slab->class_count
                                   : slab_class_for(slab, rest + sizeof(struct piece));
}

static void chunk_free(struct store_user *user, struct item *chunk)
{
    struct slab *slab = &user->store->slab;

    item_set_used(chunk, 0);
    slab_give(slab, &user->magazines[slab_class_of(slab, chunk)], chunk);
}

void item_free(struct store_user *user, struct item *item)
{
    struct slab *slab = &user->store->slab;

    for (unsigned i = 0; item->is_chunked && i < item_piece_count(slab, item); i++) {
        if (item_piece(item, i) != 0)
            chunk_free(user, slab_at(slab, item_piece(item, i)));
    }
    chunk_free(user, item);
}

/* Where a CAS stands that a client chose. */
static const char *own_cas_of(const struct item *item)
{
    return item->data + item->key_len + (item->has_flags ? sizeof(uint32_t) : 0);
}

uint64_t store_item_cas(const struct store_user *user, const struct item *item)
{
    uint64_t cas = item->cas;

    if (!user->store->options.use_cas)
        return 0;
    if (item_is(item, ITEM_OWN_CAS))
        memcpy(&cas, own_cas_of(item), sizeof(cas));
    return cas;
}

unsigned store_item_class(const struct store_user *user, const struct item *item)
{
    return item_class(user->store, item);
}

bool store_can_hold(const struct item *item)
{
    return __atomic_load_n(&item->refs, __ATOMIC_RELAXED) < ITEM_REFS_MAX;
}

bool store_hold(struct store_user *user, struct item *item)
{
    (void)user;
    if (!store_can_hold(item))
        return false;
    __atomic_fetch_add(&item->refs, 1, __ATOMIC_RELAXED);
    return true;
}

void store_release(struct store_user *user, struct item *item)
{
    if (__atomic_sub_fetch(&item->refs, 1, __ATOMIC_ACQ_REL) == 0)
        item_free(user, item);
}

void item_count(struct store_user *user, const struct item *item, int change)
{
    struct store_class_gauges *gauges = &user->gauges[item_class(user->store, item)];

    metric_add(&gauges->items[item_segment(item)], (uint64_t)(int64_t)change);
    metric_add(&gauges->bytes, (uint64_t)change * item_size(item));
}

void item_flow(struct store_user *user, struct item *item, enum segment segment)
{
    uint32_t used = item_peek(item) & ~((uint32_t)3 << ITEM_SEGMENT_SHIFT);

    item_count(user, item, -1);
    item_set_used(item, used | (uint32_t)segment << ITEM_SEGMENT_SHIFT);
    item_count(user, item, +1);
}

/* The item is in the index no more. */
static void item_leave(struct store_user *user, struct item *item)
{
    item_count(user, item, -1);
    item_set(item, ITEM_LINKED, false);
    store_release(user, item);
}

void item_unlink(struct store_user *user, struct item *item, uint32_t hash)
{
    hash_table_remove(&user->store->table, item, hash);
    item_leave(user, item);
}

size_t store_value_piece(const struct store_user *user, struct item *item, size_t offset,
                         char **data)
{
    const struct slab *slab = &user->store->slab;
    size_t left = item->value_len - offset, piece_max, in_piece;
    struct piece *piece;

    if (!item->is_chunked) {
        *data = item_value(item) + offset;
        return left;
    }
    *data = NULL;
    if (left == 0)
        return 0;
    piece_max = piece_len(slab);
    in_piece = offset % piece_max;
    piece = slab_at(slab, item_piece(item, (unsigned)(offset / piece_max)));
    *data = piece->data + in_piece;
    return left < piece_max - in_piece ? left : piece_max - in_piece;
}

__attribute__((noinline)) static void fill_pieces(const struct store_user *user, struct item *item,
                                                  const char *value)
{
    char *piece;
    size_t done = 0, len;

    while ((len = store_value_piece(user, item, done, &piece)) != 0) {
        memcpy(piece, value + done, len);
        done += len;
    }
}

void store_fill_value(const struct store_user *user, struct item *item, const char *value)
{
    if (item->is_chunked)
        fill_pieces(user, item, value);
    else
        str_copy(item_value(item), (struct str){value, item->value_len});
}

/* --- finding --- */

/*
 * Sixteen bytes a step, multiplied to 128 bits and folded, the last of them over again: the
 * idea of W. Yi's "wyhash" (public domain).
 */
static const uint64_t mix1 = 0xa0761d6478bd642f, mix2 = 0xe7037ed1a0b428db;

static uint64_t fold(uint64_t a, uint64_t b)
{
    __uint128_t product = (__uint128_t)a * b;

    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

/* The part of it that short keys do not have. */
__attribute__((noinline)) static uint64_t hash_steps(const char *p, const char *end, uint64_t sum)
{
    for (; p < end; p += 16)
        sum = fold(str_word_at(p) ^ mix1, str_word_at(p + 8) ^ sum);
    return sum;
}

uint32_t store_hash(struct str key)
{
    uint64_t sum = mix2 ^ key.len, first = 0, last = 0;
    struct str rest = key;

    if (key.len > 16) {
        rest = str_skip(key, (key.len - 1) / 16 * 16);
        sum = hash_steps(key.data, rest.data, sum);
    }
    if (rest.len >= 8) {
        first = str_word_at(rest.data);
        last = str_word_at(rest.data + rest.len - 8);
    } else {
        for (size_t i = 0; i < rest.len; i++)
            first = first << 8 | (unsigned char)rest.data[i];
    }
    sum = fold(fold(first ^ mix1, last ^ sum), mix2 ^ key.len);
    return (uint32_t)(sum ^ (sum >> 32));
}

const struct bucket *store_prefetch_bucket(const struct store *store, uint32_t hash)
{
    return hash_table_prefetch_bucket(&store->table, hash);
}

void store_prefetch_item(const struct store *store, const struct bucket *bucket, uint32_t hash)
{
    hash_table_prefetch_item(&store->table, bucket, hash);
}

__attribute__((noinline)) static void remove_over(struct store_user *user, struct item *item,
                                                  uint32_t hash)
{
    metric_add(item_is_flushed(user->store, item) ? &user->metrics.get_flushed
                                                  : &user->metrics.get_expired,
               1);
    item_unlink(user, item, hash);
}

/* With its stripe locked: the live item, or NULL after removing one that is over. */
static struct item *look_up(struct store_user *user, struct str key, uint32_t hash)
{
    struct item *item = hash_table_find(&user->store->table, key, hash);

    if (item == NULL || !item_is_over(user->store, item))
        return item;
    remove_over(user, item, hash);
    return NULL;
}

/* The same for a command, which those who watch are told of. */
static struct item *find_live(struct store_user *user, struct str key, uint32_t hash)
{
    if (watch_wants(&user->log, WATCH_FETCHERS))
        note_look_up(user, key, hash);
    return look_up(user, key, hash);
}

static void mark_score(struct store_user *user, struct item *item)
{
    const struct store *store = user->store;
    uint8_t score;

    if (!tuning_of(&store->tuning.is_segmented)) {
        __atomic_store_n(&item->score, store_clock(store), __ATOMIC_RELAXED);
        return;
    }
    user->random = user->random * 6364136223846793005 + 1;
    score =
        score_used(&store->scores, item->score, store_clock(store), (uint8_t)(user->random >> 56));
    __atomic_store_n(&item->score, score, __ATOMIC_RELAXED);
}

void item_mark_use(struct store_user *user, struct item *item)
{
    item_mark_used(item, store_now(user->store));
    mark_score(user, item);
}

struct item *store_find(struct store_user *user, struct str key, uint32_t hash)
{
    struct lock *stripe = store_lock_stripe(user->store, hash);
    struct item *item = find_live(user, key, hash);

    if (item == NULL)
        lock_give(stripe);
    return item;
}

struct item *store_find_again(struct store_user *user, struct str key, uint32_t hash)
{
    struct lock *stripe = store_lock_stripe(user->store, hash);
    struct item *item = look_up(user, key, hash);

    if (item == NULL)
        lock_give(stripe);
    return item;
}

void store_use(struct store_user *user, struct item *item, bool is_touch)
{
    struct store_class_metrics *metrics = &user->classes[item_class(user->store, item)];

    if (is_touch)
        metric_add(&metrics->touch_hits, 1);
    else
        metric_add(&metrics->hits_to_hot + item_segment(item), 1);
    item_mark_use(user, item);
}

/* One piece of code, as store_put. */
__attribute__((flatten)) struct item *store_get(struct store_user *user, struct str key,
                                                uint32_t hash, const uint32_t *expires_at)
{
    struct item *item = store_find(user, key, hash);

    if (item == NULL)
        return NULL;
    if (expires_at != NULL)
        store_set_expiry(item, *expires_at);
    store_use(user, item, expires_at != NULL);
    return item;
}

void store_get_end(struct store_user *user, uint32_t hash)
{
    lock_give(hash_table_stripe(&user->store->table, hash));
}

/* --- making --- */

static bool take_pieces(struct store_user *user, struct item *item)
{
    struct slab *slab = &user->store->slab;
    unsigned count = item_piece_count(slab, item);

    memset(item_value(item), 0, count * sizeof(item_id));
    for (unsigned i = 0; i < count; i++) {
        struct piece *piece = evict_take(user, piece_class(slab, item, i));

        if (piece == NULL)
            return false;
        __atomic_store_n(&piece->owner, slab_id(slab, item), __ATOMIC_RELAXED);
        item_set_used((struct item *)(void *)piece, ITEM_PIECE);
        item_set_piece(item, i, slab_id(slab, piece));
    }
    return true;
}

/* Fills in the header and all that stands before the value. Samplers may be peeking at it. */
static void item_init(const struct store *store, struct item *item, struct str key,
                      const struct item_traits *traits, uint32_t value_len, bool is_chunked)
{
    uint32_t marks =
        (traits->own_cas != 0 ? ITEM_OWN_CAS : 0) | (traits->has_binary_key ? ITEM_BINARY_KEY : 0);
    char *p = item->data + key.len;

    item_set_used(item, store_now(store) << ITEM_SECOND_SHIFT | marks);
    __atomic_store_n(&item->expires_at, traits->expires_at, __ATOMIC_RELAXED);
    __atomic_store_n(&item->score, store_clock(store), __ATOMIC_RELAXED);
    item->cas = 0;
    item->value_len = value_len & ((1u << 30) - 1);
    item->has_flags = traits->flags != 0;
    item->is_chunked = is_chunked;
    item->refs = 1;
    item->key_len = (uint8_t)key.len;
    str_copy(item->data, key);
    if (traits->flags != 0) {
        memcpy(p, &traits->flags, sizeof(traits->flags));
        p += sizeof(traits->flags);
    }
    if (traits->own_cas != 0)
        memcpy(p, &traits->own_cas, sizeof(traits->own_cas));
}

__attribute__((flatten)) enum store_room store_reserve(struct store_user *user, struct str key,
                                                       const struct item_traits *traits,
                                                       uint32_t value_len, struct item **made)
{
    struct store *store = user->store;
    bool has_flags = traits->flags != 0;
    size_t head = sizeof(struct item) + key.len + (has_flags ? sizeof(traits->flags) : 0) +
                  (traits->own_cas != 0 ? sizeof(traits->own_cas) : 0);
    bool is_chunked = head + value_len > store->slab.chunk_max;
    size_t size = head + value_len;
    struct item *item;
    unsigned class_id;

    if (item_nominal_size(key.len, has_flags, value_len) > store->options.item_size_max) {
        metric_add(&user->metrics.store_too_large, 1);
        return STORE_TOO_LARGE;
    }
    if (is_chunked)
        size = head + (value_len / piece_len(&store->slab) + 1) * sizeof(item_id);
    class_id = slab_class_for(&store->slab, size);
    item = evict_take(user, class_id);
    if (item == NULL) {
        metric_add(&user->metrics.store_no_memory, 1);
        return STORE_NO_MEMORY;
    }
    item_init(store, item, key, traits, value_len, is_chunked);
    if (is_chunked && !take_pieces(user, item)) {
        store_release(user, item);
        metric_add(&user->metrics.store_no_memory, 1);
        return STORE_NO_MEMORY;
    }
    *made = item;
    return STORE_ROOM;
}

/* --- putting --- */

/* Where a new item goes. */
static enum segment first_segment(const struct store *store, const struct item *item)
{
    uint32_t ttl_s = tuning_of(&store->tuning.temporary_ttl_s);

    if (tuning_of(&store->tuning.has_temporary) && item->expires_at != 0 &&
        item->expires_at <= store_now(store) + ttl_s)
        return SEGMENT_TEMP;
    return tuning_of(&store->tuning.is_segmented) ? SEGMENT_HOT : SEGMENT_COLD;
}

/* With the stripe locked: makes `item` the one under its key, in the place of `old` if
 * there is one. The caller's hold becomes that of being linked; false: he keeps it. */
bool item_link(struct store_user *user, struct item *item, uint32_t hash, struct item *old)
{
    struct store *store = user->store;

    item->cas = old == NULL ? next_cas(store) : item_cas_after(store, old);
    if (old != NULL) {
        /* Setting again is a use, too. */
        __atomic_store_n(&item->score, old->score, __ATOMIC_RELAXED);
        mark_score(user, item);
        hash_table_replace(&store->table, old, item, hash);
        item_leave(user, old);
    } else if (hash_table_add(&store->table, item, hash)) {
        evict_recall(user, item, hash);
    } else {
        return false;
    }
    item_set_used(item, item_peek(item) | ITEM_LINKED |
                            (uint32_t)first_segment(store, item) << ITEM_SEGMENT_SHIFT);
    item_count(user, item, +1);
    metric_add(&user->metrics.total_items, 1);
    return true;
}

void item_copy_value(struct store_user *user, struct item *to, size_t offset, struct item *from)
{
    char *source, *dest;
    size_t done = 0, len;

    while ((len = store_value_piece(user, from, done, &source)) != 0) {
        size_t room = store_value_piece(user, to, offset + done, &dest);

        len = len < room ? len : room;
        memcpy(dest, source, len);
        done += len;
        if (done == from->value_len)
            return;
    }
}

/* Everything that a new version of an item takes over from it. */
struct item_traits item_traits_of(const struct store_user *user, const struct item *item)
{
    return (struct item_traits){.flags = item_flags(item),
                                .expires_at = item->expires_at,
                                .own_cas =
                                    item_is(item, ITEM_OWN_CAS) ? store_item_cas(user, item) : 0,
                                .has_binary_key = item_is(item, ITEM_BINARY_KEY)};
}

/* Whether the terms allow to put something in the place of `old`; NULL: there is nothing. */
static enum store_result may_put(struct store_user *user, struct item *old,
                                 const struct store_terms *terms)
{
    uint64_t cas;

    if (terms->mode == STORE_ADD) {
        /* Somebody cares for it, though he does not read it. */
        if (old != NULL)
            mark_score(user, old);
        return old == NULL ? STORE_STORED : STORE_NOT_STORED;
    }
    if (terms->compares) {
        if (old == NULL)
            return STORE_NOT_FOUND;
        cas = store_item_cas(user, old);
        if (cas != terms->cas || cas == 0)
            return terms->takes_older && terms->cas < cas ? STORE_STORED : STORE_EXISTS;
    }
    return old != NULL || terms->mode == STORE_SET || terms->vivifies ? STORE_STORED
                                                                      : STORE_NOT_STORED;
}

/* Links the item on terms that are checked. */
static enum store_result put_checked(struct store_user *user, struct item *item, uint32_t hash,
                                     struct item *old, const struct store_terms *terms,
                                     struct store_outcome *outcome)
{
    if (old != NULL && terms->takes_older && terms->compares &&
        terms->cas != store_item_cas(user, old)) {
        store_set_expiry(item, old->expires_at);
        item_set(item, ITEM_STALE, true);
    }
    if (!item_link(user, item, hash, old))
        return STORE_OUT_OF_MEMORY;
    if (watch_wants(&user->log, WATCH_MUTATIONS))
        note_store(user, item, STORE_STORED, terms);
    if (outcome != NULL)
        *outcome = (struct store_outcome){store_item_cas(user, item), item->value_len};
    return STORE_STORED;
}

/* Makes what `old` and `piece` are together; NULL when there is no memory for it. */
static struct item *join(struct store_user *user, struct item *old, struct item *piece,
                         bool is_append)
{
    struct item_traits traits = item_traits_of(user, old);
    struct item *joined;

    traits.own_cas = item_is(piece, ITEM_OWN_CAS) ? store_item_cas(user, piece) : 0;
    if (store_reserve(user, item_key(old), &traits, old->value_len + piece->value_len, &joined) !=
        STORE_ROOM)
        return NULL;
    item_copy_value(user, joined, is_append ? 0 : piece->value_len, old);
    item_copy_value(user, joined, is_append ? old->value_len : 0, piece);
    return joined;
}

/*
 * append and prepend: the joined item is made without the stripe, then put if the old one
 * is still there, unchanged; else it all begins again with the new one. What is to be
 * joined is put itself if there is nothing to join it to; then *item is NULL.
 */
__attribute__((noinline)) static enum store_result put_joined(struct store_user *user,
                                                              struct item **item, uint32_t hash,
                                                              const struct store_terms *terms,
                                                              struct store_outcome *outcome)
{
    struct lock *stripe = hash_table_stripe(&user->store->table, hash);
    struct item *piece = *item;

    for (;;) {
        struct item *old, *joined, *now;
        enum store_result result;
        uint64_t cas;

        lock_take(stripe);
        old = find_live(user, item_key(piece), hash);
        result = may_put(user, old, terms);
        if (result == STORE_STORED && old == NULL) {
            result = put_checked(user, piece, hash, NULL, terms, outcome);
            *item = result == STORE_STORED ? NULL : piece;
        } else if (result == STORE_STORED && !store_hold(user, old)) {
            result = STORE_OUT_OF_MEMORY;
        }
        cas = old != NULL ? old->cas : 0;
        lock_give(stripe);
        if (result != STORE_STORED || old == NULL)
            return result;

        joined = join(user, old, piece, terms->mode == STORE_APPEND);
        if (joined == NULL) {
            store_release(user, old);
            return STORE_NOT_STORED;
        }
        lock_take(stripe);
        now = look_up(user, item_key(piece), hash);
        if (now == old && now->cas == cas)
            result = put_checked(user, joined, hash, now, terms, outcome);
        else
            now = NULL;
        lock_give(stripe);
        store_release(user, old);
        if (now == NULL || result != STORE_STORED)
            store_release(user, joined);
        if (now != NULL)
            return result;
    }
}

/* set, add, replace, with a CAS or without. Put, *item is NULL. */
static enum store_result put_alone(struct store_user *user, struct item **item, uint32_t hash,
                                   const struct store_terms *terms, struct store_outcome *outcome)
{
    struct lock *stripe = store_lock_stripe(user->store, hash);
    struct item *old = find_live(user, item_key(*item), hash);
    enum store_result result = may_put(user, old, terms);

    if (result == STORE_STORED)
        result = put_checked(user, *item, hash, old, terms, outcome);
    if (result == STORE_STORED)
        *item = NULL;
    lock_give(stripe);
    return result;
}

/* One piece of code: the calls between these small parts cost more than the parts. */
__attribute__((flatten)) enum store_result store_put(struct store_user *user, struct item *item,
                                                     uint32_t hash, const struct store_terms *terms,
                                                     struct store_outcome *outcome)
{
    bool joins = terms->mode == STORE_APPEND || terms->mode == STORE_PREPEND;
    struct store_class_metrics *metrics = &user->classes[item_class(user->store, item)];
    enum store_result result;

    metric_add(&metrics->cmd_set, 1);
    result = joins ? put_joined(user, &item, hash, terms, outcome)
                   : put_alone(user, &item, hash, terms, outcome);
    if (terms->compares && result == STORE_STORED)
        metric_add(&metrics->cas_hits, 1);
    if (terms->compares && result == STORE_EXISTS)
        metric_add(&metrics->cas_badval, 1);
    if (result != STORE_STORED && watch_wants(&user->log, WATCH_MUTATIONS))
        note_store(user, item, result, terms);
    if (item != NULL)
        store_release(user, item);
    return result;
}
