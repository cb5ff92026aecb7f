/*
 * The face of the store: life and time, then finding, making, putting, changing.
 */
#include <stdlib.h>

#include "cachenode/locks.h"
#include "cachenode/store/internal.h"
#include "common/base/clock.h"
#include "common/base/panic.h"
#include "common/base/random.h"
#include "common/bytes/number.h"

enum { RELATIVE_MAX_S = 60 * 60 * 24 * 30, LONG_AGO = 1, FIRST_SECOND = 2 };

/* --- life and time --- */

struct store *store_create(const struct store_options *options, const char **error)
{
    struct store *store = calloc(1, sizeof(*store));

    *error = "out of memory";
    if (store == NULL)
        return NULL;
    store->options = *options;
    store->tuning = options->tuning;
    score_init(&store->scores);
    lock_init(&store->mover.lock, LOCK_mover);
    store->start_us = clock_read_us();
    store->now = FIRST_SECOND;
    list_init(&store->users);
    lock_init(&store->lock, LOCK_arena);
    if (!slab_init(&store->slab, &options->slab, error) ||
        !hash_table_init(&store->table, &store->slab, options->hash_power,
                         (uint64_t)store->slab.page_reserve *
                             store->slab.classes[1].chunks_per_page)) {
        hash_table_free(&store->table);
        slab_free(&store->slab);
        free(store);
        return NULL;
    }
    return store;
}

void store_free(struct store *store)
{
    ASSERT(list_is_empty(&store->users));
    hash_table_free(&store->table);
    slab_free(&store->slab);
    free(store);
}

static void item_keeper_hold(const struct keeper *keeper, void *owner)
{
    struct item *item = owner;

    (void)keeper;
    __atomic_fetch_add(&item->refs, 1, __ATOMIC_RELAXED);
}

static void item_keeper_release(const struct keeper *keeper, void *owner)
{
    store_release(container_of(keeper, struct store_user, keeper), owner);
}

struct store_user *store_user_create(struct store *store)
{
    struct store_user *user = calloc(1, sizeof(*user));

    if (user == NULL)
        return NULL;
    user->store = store;
    user->keeper = (struct keeper){item_keeper_hold, item_keeper_release};
    for (unsigned i = 1; i <= store->slab.class_count; i++)
        magazine_init(&store->slab, i, &user->magazines[i]);
    user->random = random_u64();
    lock_take(&store->lock);
    list_append(&store->users, &user->link);
    lock_give(&store->lock);
    return user;
}

void store_user_free(struct store_user *user)
{
    struct store *store = user->store;

    for (unsigned i = 1; i <= store->slab.class_count; i++) {
        struct magazine *magazine = &user->magazines[i];

        while (magazine->count != 0)
            slab_give(&store->slab, NULL,
                      slab_at(&store->slab, magazine->chunks[--magazine->count]));
    }
    lock_take(&store->lock);
    metric_sum(&store->departed[0].items[0], &user->gauges[0].items[0],
               sizeof(store->departed) / (sizeof(uint64_t)));
    list_remove(&user->link);
    lock_give(&store->lock);
    free(user);
}

uint32_t store_now(const struct store *store)
{
    return __atomic_load_n(&store->now, __ATOMIC_RELAXED);
}

/* Called with the store's lock held. */
static void flush_all(struct store *store)
{
    __atomic_store_n(&store->flushed_cas, __atomic_load_n(&store->last_cas, __ATOMIC_RELAXED),
                     __ATOMIC_RELEASE);
}

void store_tick(struct store *store)
{
    uint32_t now = (uint32_t)((clock_read_us() - store->start_us) / 1000000) + FIRST_SECOND;
    bool is_due = false;

    __atomic_store_n(&store->now, now, __ATOMIC_RELAXED);
    lock_take(&store->lock);
    for (unsigned i = 0; i < store->flush_count;) {
        if (store->flushes[i] > now) {
            i++;
            continue;
        }
        is_due = true;
        store->flushes[i] = store->flushes[--store->flush_count];
    }
    if (is_due)
        flush_all(store);
    lock_give(&store->lock);
}

uint32_t store_expiry(const struct store *store, int64_t exptime)
{
    int64_t at;

    if (exptime == 0)
        return 0;
    if (exptime < 0)
        return LONG_AGO;
    if (exptime <= RELATIVE_MAX_S)
        return store_now(store) + (uint32_t)exptime;
    at = exptime - clock_wall_s() + store_now(store);
    if (at <= LONG_AGO)
        return LONG_AGO;
    return at > UINT32_MAX ? UINT32_MAX : (uint32_t)at;
}

void store_get_tuning(struct store *store, struct store_tuning *tuning)
{
    lock_take(&store->lock);
    *tuning = store->tuning;
    lock_give(&store->lock);
}

void store_set_tuning(struct store *store, const struct store_tuning *tuning)
{
    lock_take(&store->lock);
#define SET(field) __atomic_store_n(&store->tuning.field, tuning->field, __ATOMIC_RELAXED)
    SET(is_segmented);
    SET(hot_pct);
    SET(warm_pct);
    SET(temporary_ttl_s);
    SET(automove);
    SET(automove_window);
#undef SET
    store->tuning.automove_ratio = tuning->automove_ratio;
    store->tuning.hot_max_factor = tuning->hot_max_factor;
    store->tuning.warm_max_factor = tuning->warm_max_factor;
    lock_give(&store->lock);
}

void store_flush(struct store *store, uint32_t at)
{
    lock_take(&store->lock);
    if (at <= store_now(store)) {
        flush_all(store);
    } else {
        bool is_known = false;

        for (unsigned i = 0; i < store->flush_count; i++)
            is_known = is_known || store->flushes[i] == at;
        /* So many at once are a mistake or an attack; the last one is merged with an earlier. */
        if (!is_known && store->flush_count < FLUSHES_MAX)
            store->flushes[store->flush_count++] = at;
    }
    lock_give(&store->lock);
}

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
    return __atomic_add_fetch(&store->last_cas, 1, __ATOMIC_RELAXED);
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

uint64_t store_item_cas(const struct store_user *user, const struct item *item)
{
    return user->store->options.use_cas ? item->cas : 0;
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

/* --- finding --- */

/* FNV's cousin wyhash-like mixing, eight bytes a step: W. Yi, "wyhash", public domain idea of
 * multiplying to 128 bits and folding. */
static uint64_t fold(uint64_t a, uint64_t b)
{
    __uint128_t product = (__uint128_t)a * b;

    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

uint32_t store_hash(struct str key)
{
    uint64_t sum = key.len * 0x9e3779b97f4a7c15, word = 0;
    const char *p = key.data;
    size_t left = key.len;

    for (; left >= 8; left -= 8, p += 8) {
        memcpy(&word, p, 8);
        sum = fold(sum ^ word, 0xa0761d6478bd642f);
    }
    word = 0;
    for (size_t i = 0; i < left; i++)
        word |= (uint64_t)(unsigned char)p[i] << (8 * i);
    sum = fold(sum ^ word ^ 0xe7037ed1a0b428db, 0x8ebc6af09c88c6e3);
    return (uint32_t)(sum ^ (sum >> 32));
}

void store_prefetch_bucket(const struct store *store, uint32_t hash)
{
    hash_table_prefetch_bucket(&store->table, hash);
}

void store_prefetch_item(const struct store *store, uint32_t hash)
{
    hash_table_prefetch_item(&store->table, hash);
}

/* With its stripe locked: the live item, or NULL after removing one that is over. */
static struct item *find_live(struct store_user *user, struct str key, uint32_t hash)
{
    struct store *store = user->store;
    struct item *item = hash_table_find(&store->table, key, hash);
    bool is_flushed;

    if (item == NULL)
        return NULL;
    is_flushed = item_is_flushed(store, item);
    if (!is_flushed && !item_is_expired(store, item))
        return item;
    metric_add(is_flushed ? &user->metrics.get_flushed : &user->metrics.get_expired, 1);
    item_unlink(user, item, hash);
    return NULL;
}

static void mark_score(struct store_user *user, struct item *item)
{
    const struct store *store = user->store;
    uint8_t score;

    user->random = user->random * 6364136223846793005 + 1;
    score =
        score_used(&store->scores, item->score, store_clock(store), (uint8_t)(user->random >> 56));
    __atomic_store_n(&item->score, score, __ATOMIC_RELAXED);
}

static void mark_used(struct store_user *user, struct item *item)
{
    item_mark_used(item, store_now(user->store));
    mark_score(user, item);
}

static struct lock *lock_stripe(struct store *store, uint32_t hash)
{
    struct lock *stripe = hash_table_stripe(&store->table, hash);

    lock_take(stripe);
    return stripe;
}

struct item *store_get(struct store_user *user, struct str key, uint32_t hash,
                       const uint32_t *expires_at)
{
    struct lock *stripe = lock_stripe(user->store, hash);
    struct item *item = find_live(user, key, hash);
    struct store_class_metrics *metrics;

    if (item == NULL) {
        lock_give(stripe);
        return NULL;
    }
    metrics = &user->classes[item_class(user->store, item)];
    if (expires_at != NULL) {
        __atomic_store_n(&item->expires_at, *expires_at, __ATOMIC_RELAXED);
        metric_add(&metrics->touch_hits, 1);
    } else {
        metric_add(&metrics->get_hits, 1);
        metric_add(&metrics->hits_to_hot + item_segment(item), 1);
    }
    mark_used(user, item);
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

/* Fills in the head of a fresh item. Samplers may be peeking at it. */
static void item_init(const struct store *store, struct item *item, struct str key, uint32_t flags,
                      uint32_t expires_at, uint32_t value_len, bool is_chunked)
{
    item_set_used(item, store_now(store) << ITEM_SECOND_SHIFT);
    __atomic_store_n(&item->expires_at, expires_at, __ATOMIC_RELAXED);
    __atomic_store_n(&item->score, store_clock(store), __ATOMIC_RELAXED);
    item->cas = 0;
    item->value_len = value_len & ((1u << 30) - 1);
    item->has_flags = flags != 0;
    item->is_chunked = is_chunked;
    item->refs = 1;
    item->key_len = (uint8_t)key.len;
    memcpy(item->data, key.data, key.len);
    if (item->has_flags)
        memcpy(item->data + key.len, &flags, sizeof(flags));
}

enum store_room store_reserve(struct store_user *user, struct str key, uint32_t flags,
                              uint32_t expires_at, uint32_t value_len, struct item **made)
{
    struct store *store = user->store;
    bool has_flags = flags != 0;
    size_t head = sizeof(struct item) + key.len + (has_flags ? sizeof(flags) : 0);
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
    item_init(store, item, key, flags, expires_at, value_len, is_chunked);
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

    if (ttl_s != 0 && item->expires_at != 0 && item->expires_at < store_now(store) + ttl_s)
        return SEGMENT_TEMP;
    return tuning_of(&store->tuning.is_segmented) ? SEGMENT_HOT : SEGMENT_COLD;
}

/* With the stripe locked: makes `item` the one under its key, in the place of `old` if
 * there is one. The caller's hold becomes that of being linked. */
static bool link_item(struct store_user *user, struct item *item, uint32_t hash, struct item *old)
{
    struct store *store = user->store;

    item->cas = next_cas(store);
    if (old != NULL) {
        /* Setting again is a use, too. */
        __atomic_store_n(&item->score, old->score, __ATOMIC_RELAXED);
        mark_score(user, item);
        hash_table_replace(&store->table, old, item, hash);
        item_leave(user, old);
    } else if (!hash_table_add(&store->table, item, hash)) {
        store_release(user, item);
        return false;
    }
    item_set_used(item, item_peek(item) | ITEM_LINKED |
                            (uint32_t)first_segment(store, item) << ITEM_SEGMENT_SHIFT);
    item_count(user, item, +1);
    metric_add(&user->metrics.total_items, 1);
    return true;
}

static void copy_value(struct store_user *user, struct item *to, size_t offset, struct item *from)
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

/*
 * append and prepend: the joined item is made without the stripe, then put if the old one
 * is still there, unchanged; else it all begins again with the new one.
 */
static enum store_result join(struct store_user *user, struct item *piece, uint32_t hash,
                              bool is_append)
{
    struct store *store = user->store;

    for (;;) {
        struct str key = item_key(piece);
        struct lock *stripe = lock_stripe(store, hash);
        struct item *old = find_live(user, key, hash), *joined, *now;
        bool is_held = old != NULL && store_hold(user, old);
        enum store_result result = STORE_STORED;

        lock_give(stripe);
        if (!is_held)
            return old == NULL ? STORE_NOT_STORED : STORE_OUT_OF_MEMORY;
        if (store_reserve(user, key, item_flags(old), old->expires_at,
                          old->value_len + piece->value_len, &joined) != STORE_ROOM) {
            store_release(user, old);
            return STORE_NOT_STORED;
        }
        copy_value(user, joined, is_append ? 0 : piece->value_len, old);
        copy_value(user, joined, is_append ? old->value_len : 0, piece);
        lock_take(stripe);
        now = find_live(user, key, hash);
        if (now == old && now->cas == old->cas)
            result = link_item(user, joined, hash, now) ? STORE_STORED : STORE_OUT_OF_MEMORY;
        lock_give(stripe);
        store_release(user, old);
        if (now == old)
            return result;
        store_release(user, joined);
    }
}

static enum store_result may_put(struct store_user *user, struct item *old, enum store_mode mode,
                                 uint64_t cas)
{
    switch (mode) {
    case STORE_ADD:
        if (old != NULL)
            mark_used(user, old);
        return old == NULL ? STORE_STORED : STORE_NOT_STORED;
    case STORE_REPLACE:
        return old != NULL ? STORE_STORED : STORE_NOT_STORED;
    case STORE_CAS:
        if (old == NULL)
            return STORE_NOT_FOUND;
        return user->store->options.use_cas && old->cas == cas ? STORE_STORED : STORE_EXISTS;
    case STORE_SET:
    case STORE_APPEND:
    case STORE_PREPEND:
        break;
    }
    return STORE_STORED;
}

enum store_result store_put(struct store_user *user, struct item *item, uint32_t hash,
                            enum store_mode mode, uint64_t cas)
{
    struct store_class_metrics *metrics = &user->classes[item_class(user->store, item)];
    enum store_result result;
    struct lock *stripe;
    struct item *old;

    metric_add(&metrics->cmd_set, 1);
    if (mode == STORE_APPEND || mode == STORE_PREPEND) {
        result = join(user, item, hash, mode == STORE_APPEND);
        store_release(user, item);
        return result;
    }
    stripe = lock_stripe(user->store, hash);
    old = find_live(user, item_key(item), hash);
    result = may_put(user, old, mode, cas);
    if (result == STORE_STORED) {
        if (!link_item(user, item, hash, old))
            result = STORE_OUT_OF_MEMORY;
    } else {
        store_release(user, item);
    }
    lock_give(stripe);
    if (mode == STORE_CAS && result == STORE_STORED)
        metric_add(&metrics->cas_hits, 1);
    if (mode == STORE_CAS && result == STORE_EXISTS)
        metric_add(&metrics->cas_badval, 1);
    return result;
}

/* --- changing --- */

enum store_result store_delete(struct store_user *user, struct str key, uint32_t hash)
{
    struct lock *stripe = lock_stripe(user->store, hash);
    struct item *item = find_live(user, key, hash);

    if (item != NULL) {
        metric_add(&user->classes[item_class(user->store, item)].delete_hits, 1);
        item_unlink(user, item, hash);
    }
    lock_give(stripe);
    return item != NULL ? STORE_STORED : STORE_NOT_FOUND;
}

void store_forget(struct store_user *user, struct str key, uint32_t hash)
{
    struct lock *stripe = lock_stripe(user->store, hash);
    struct item *item = hash_table_find(&user->store->table, key, hash);

    if (item != NULL)
        item_unlink(user, item, hash);
    lock_give(stripe);
}

enum store_result store_touch(struct store_user *user, struct str key, uint32_t hash,
                              uint32_t expires_at)
{
    struct item *item = store_get(user, key, hash, &expires_at);

    if (item == NULL)
        return STORE_NOT_FOUND;
    store_get_end(user, hash);
    return STORE_STORED;
}

/* The number that a value is: white space and a plus sign before it are fine, and white
 * space ends it. */
static bool value_number(struct item *item, uint64_t *number)
{
    struct str text = {item_value(item), item->value_len};
    size_t end;

    while (text.len != 0 && strchr(" \t\r\n\v\f", text.data[0]) != NULL && text.data[0] != '\0')
        text = str_skip(text, 1);
    if (text.len != 0 && text.data[0] == '+')
        text = str_skip(text, 1);
    for (end = 0; end < text.len && text.data[end] >= '0' && text.data[end] <= '9'; end++)
        ;
    if (end < text.len && (text.data[end] == '\0' || strchr(" \t\r\n\v\f", text.data[end]) == NULL))
        return false;
    return number_parse_u64((struct str){text.data, end}, number);
}

/* In place when it fits and nobody else reads it; else in an item of its own. */
static enum store_result write_number(struct store_user *user, struct item *item, uint32_t hash,
                                      uint64_t number)
{
    char digits[NUMBER_TEXT_MAX];
    size_t len = number_format(digits, number);
    struct item *made;

    if (len <= item->value_len && __atomic_load_n(&item->refs, __ATOMIC_ACQUIRE) == 1) {
        memcpy(item_value(item), digits, len);
        memset(item_value(item) + len, ' ', item->value_len - len);
        item->cas = next_cas(user->store);
        mark_used(user, item);
        return STORE_STORED;
    }
    if (store_reserve(user, item_key(item), item_flags(item), item->expires_at, (uint32_t)len,
                      &made) != STORE_ROOM)
        return STORE_OUT_OF_MEMORY;
    memcpy(item_value(made), digits, len);
    return link_item(user, made, hash, item) ? STORE_STORED : STORE_OUT_OF_MEMORY;
}

enum store_result store_add_number(struct store_user *user, struct str key, uint32_t hash,
                                   uint64_t delta, bool is_decrement, uint64_t *value)
{
    struct lock *stripe = lock_stripe(user->store, hash);
    struct item *item = find_live(user, key, hash);
    enum store_result result = STORE_NOT_FOUND;
    struct store_class_metrics *metrics;
    uint64_t number;

    if (item == NULL)
        goto out;
    metrics = &user->classes[item_class(user->store, item)];
    result = STORE_NOT_A_NUMBER;
    if (item->is_chunked || !value_number(item, &number))
        goto out;
    if (is_decrement)
        number = number < delta ? 0 : number - delta;
    else
        number += delta;
    result = write_number(user, item, hash, number);
    if (result == STORE_STORED) {
        metric_add(is_decrement ? &metrics->decr_hits : &metrics->incr_hits, 1);
        *value = number;
    }
out:
    lock_give(stripe);
    return result;
}
