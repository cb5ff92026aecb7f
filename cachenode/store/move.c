/*
 * Pages move between classes: from where a byte is worth the least to where it is missed.
 * A page is vacated item by item: what is worth keeping is copied to another chunk of
 * the class, the rest is evicted. What is in use at that moment is tried again later; nobody
 * waits for a page, but who has nothing to evict waits for his turn to move one.
 */
#include <math.h>

#include "cachenode/store/internal.h"
#include "common/base/clock.h"

/* Worths are in sixteenths of a doubling (score.h). */
enum { DOUBLING = 16, WORTH_OF_FREE = -10000, SLACK_MIN = 8, FAR_APART = 16 };

/* Chunks of a page that a worker moves himself; more are left to upkeep. */
enum { MOVED_AT_ONCE_MAX = 128 };

/* A page may not become empty, for a client is slow to send or to read. Then another is tried;
 * if it was asked for, it is insisted on, and given up after a time. */
enum { PAGES_TRIED = 4, DONORS_TRIED = 8, LOOKS = 2, HURRY_US = 20 * 1000 };
enum { INSIST_US = 1000 * 1000, PATIENCE_US = 3000 * 1000 };

/* --- vacating --- */

/* Where an item or a piece of this class may go; only for the worthy do others have to. */
static void *take_refuge(struct store_user *user, unsigned class_id, bool is_worthy)
{
    struct slab *slab = &user->store->slab;
    void *chunk = slab_take(slab, &user->magazines[class_id], class_id);

    if (chunk == NULL && is_worthy && evict_some(user, class_id))
        chunk = slab_take(slab, &user->magazines[class_id], class_id);
    return chunk;
}

/* Copies an item, whose stripe is locked, and puts the copy in its place. Holders keep the
 * old one. */
static void move_item(struct store_user *user, struct item *item, uint32_t hash, struct item *copy)
{
    struct store *store = user->store;
    uint32_t used = item_peek(item);
    size_t len = (size_t)(item_value(item) - (char *)item) +
                 (item->is_chunked ? item_piece_count(&store->slab, item) * sizeof(item_id)
                                   : item->value_len);

    item_set_used(copy, used & ~(uint32_t)ITEM_LINKED);
    copy->cas = item->cas;
    __atomic_store_n(&copy->expires_at, item->expires_at, __ATOMIC_RELAXED);
    __atomic_store_n(&copy->score, item->score, __ATOMIC_RELAXED);
    copy->key_len = item->key_len;
    __atomic_store_n(&copy->refs, 1, __ATOMIC_RELAXED);
    copy->value_len = item->value_len;
    copy->has_flags = item->has_flags;
    copy->is_chunked = item->is_chunked;
    memcpy(copy->data, item->data, len - sizeof(*item));
    for (unsigned i = 0; item->is_chunked && i < item_piece_count(&store->slab, item); i++) {
        struct piece *piece = slab_at(&store->slab, item_piece(copy, i));

        __atomic_store_n(&piece->owner, slab_id(&store->slab, copy), __ATOMIC_RELAXED);
        item_set_piece(item, i, 0);
    }
    hash_table_replace(&store->table, item, copy, hash);
    item_set_used(item, used & ~(uint32_t)ITEM_LINKED);
    item_set_used(copy, used);
    store_release(user, item);
    metric_add(&user->metrics.slab_reassign_rescues, 1);
}

/* Copies a piece of an item whose stripe is locked and that nobody reads. */
static bool move_piece(struct store_user *user, struct item *owner, struct item *chunk,
                       struct piece *copy)
{
    struct store *store = user->store;
    item_id id = slab_id(&store->slab, chunk);
    uint32_t len = store->slab.classes[slab_class_of(&store->slab, chunk)].chunk_size;

    for (unsigned i = 0; i < item_piece_count(&store->slab, owner); i++) {
        if (item_piece(owner, i) != id)
            continue;
        memcpy(copy->data, ((struct piece *)(void *)chunk)->data, len - sizeof(*copy));
        __atomic_store_n(&copy->owner, slab_id(&store->slab, owner), __ATOMIC_RELAXED);
        item_set_used((struct item *)(void *)copy, ITEM_PIECE);
        item_set_piece(owner, i, slab_id(&store->slab, copy));
        item_set_used(chunk, 0);
        slab_give(&store->slab, NULL, chunk);
        metric_add(&user->metrics.slab_reassign_chunk_rescues, 1);
        return true;
    }
    return false;
}

/*
 * With the stripe locked: moves to `refuge` or evicts what a chunk holds of an item. True:
 * the refuge was used. An item that somebody reads may be copied, but not its pieces: it
 * has time until the page is insisted on, then it is unlinked, to be freed when they are done.
 */
static bool vacate_locked(struct store_user *user, struct item *chunk, struct item *item,
                          uint32_t hash, void *refuge)
{
    struct store *store = user->store;
    struct store_metrics *metrics = &user->metrics;
    bool is_read = __atomic_load_n(&item->refs, __ATOMIC_ACQUIRE) > 1;

    if (item_is_over(store, item)) {
        metric_add(&metrics->slab_reassign_inline_reclaim, 1);
    } else if (item->is_chunked && is_read) {
        if (clock_read_us() - store->mover.since_us < INSIST_US || !store->options.evictions) {
            metric_add(&metrics->slab_reassign_busy_items, 1);
            return false;
        }
        if (watch_wants(&user->log, WATCH_EVICTIONS))
            note_eviction(user, item);
        metric_add(&metrics->slab_reassign_busy_deletes, 1);
        metric_add(&user->classes[item_class(store, item)].evicted, 1);
    } else if (refuge != NULL) {
        if (item != chunk)
            return move_piece(user, item, chunk, refuge);
        move_item(user, item, hash, refuge);
        return true;
    } else if (store->options.evictions) {
        if (watch_wants(&user->log, WATCH_EVICTIONS))
            note_eviction(user, item);
        metric_add(&metrics->slab_reassign_evictions_nomem, 1);
        metric_add(&user->classes[item_class(store, item)].evicted, 1);
        evict_remember(store, item, hash);
    } else {
        metric_add(&metrics->slab_reassign_busy_nomem, 1);
        return false;
    }
    item_unlink(user, item, hash);
    return false;
}

static void vacate_chunk(struct store_user *user, struct item *chunk, unsigned class_id, int margin)
{
    struct store *store = user->store;
    struct item *item = item_of_chunk(store, chunk);
    void *refuge;
    bool is_used = false;
    uint32_t hash;
    struct lock *stripe;
    int worth;

    if (item == NULL)
        return;
    worth = score_worth(item_peek_score(item), store_clock(store));
    refuge = take_refuge(user, class_id, worth > margin);
    stripe = item_lock(store, item, &hash);
    if (stripe != NULL) {
        if (item_of_chunk(store, chunk) == item)
            is_used = vacate_locked(user, chunk, item, hash, refuge);
        lock_give(stripe);
    } else {
        metric_add(&user->metrics.slab_reassign_busy_items, 1);
    }
    if (refuge != NULL && !is_used)
        slab_give(&store->slab, &user->magazines[class_id], refuge);
}

/* Free chunks of the page may be in anybody's magazine. */
static void purge_magazines(struct store *store, unsigned class_id, uint32_t page)
{
    lock_take(&store->lock);
    LIST_EACH (&store->users, each, after) {
        struct store_user *user = container_of(each, struct store_user, link);

        magazine_purge(&store->slab, &user->magazines[class_id], page);
    }
    lock_give(&store->lock);
}

/* Called with the mover locked, as all of these are. True: the page has gone. */
static bool vacate(struct store_user *user)
{
    struct store *store = user->store;
    struct slab *slab = &store->slab;
    struct mover *mover = &store->mover;
    const struct page *page = &slab->pages[mover->page];
    uint32_t chunk_size = slab->classes[mover->from].chunk_size;
    int margin = __atomic_load_n(&store->demands[mover->from].margin, __ATOMIC_RELAXED);
    char *chunk = slab->base + ((size_t)mover->page << PAGE_SHIFT);

    for (uint32_t i = 0; i < page->carved; i++, chunk += chunk_size)
        vacate_chunk(user, (struct item *)(void *)chunk, mover->from, margin);
    purge_magazines(store, mover->from, mover->page);
    if (!slab_page_arrive(slab, mover->page, mover->to))
        return false;
    metric_add(&user->metrics.slabs_moved, 1);
    __atomic_store_n(&mover->page, 0, __ATOMIC_RELAXED);
    return true;
}

static bool leave(struct store_user *user, unsigned from, unsigned to, bool keeps_one)
{
    struct mover *mover = &user->store->mover;
    uint32_t page = slab_page_leave(&user->store->slab, from, keeps_one, &user->random);

    if (page == 0)
        return false;
    mover->from = from;
    mover->to = to;
    mover->since_us = clock_read_us();
    watch_note_text(&user->log, WATCH_EVENT_SLAB_MOVE, "src=%u dst=%u", from, to);
    __atomic_store_n(&mover->page, page, __ATOMIC_RELAXED);
    return true;
}

static void give_up(struct store *store)
{
    slab_page_stay(&store->slab, store->mover.page);
    __atomic_store_n(&store->mover.page, 0, __ATOMIC_RELAXED);
}

/* Moves a page that can be moved at once; false: there is none. */
static bool move_one(struct store_user *user, unsigned from, unsigned to, bool keeps_one)
{
    for (unsigned page = 0; page < PAGES_TRIED; page++) {
        if (!leave(user, from, to, keeps_one))
            return false;
        for (unsigned look = 0; look < LOOKS; look++) {
            if (vacate(user))
                return true;
        }
        give_up(user->store);
    }
    return false;
}

/* --- from where to where --- */

/* A large item takes the place of many small ones: the ratio (on the scale of logarithms) is held
 * against it, less an eighth, for worths are but guesses. */
int move_worth_of_bytes(const struct store *store, unsigned class_id, int worth)
{
    uint32_t size = store->slab.classes[class_id].chunk_size;

    return worth - (int)(DOUBLING * 7 / 8 * log2(size));
}

static bool has_free_page(struct store *store, unsigned class_id)
{
    struct slab_class *class = &store->slab.classes[class_id];
    bool has;

    lock_take(&class->lock);
    has = (uint64_t) class->page_count * class->chunks_per_page >
          class->used + class->chunks_per_page;
    lock_give(&class->lock);
    return has;
}

static uint32_t page_count(struct store *store, unsigned class_id)
{
    struct slab_class *class = &store->slab.classes[class_id];
    uint32_t count;

    lock_take(&class->lock);
    count = class->page_count;
    lock_give(&class->lock);
    return count;
}

/* Looks at a class anew; `window` looks are averaged. */
static void appraise(struct store_user *user, unsigned class_id, uint32_t window)
{
    struct store *store = user->store;
    int32_t *worth = &store->demands[class_id].worth, old;
    int now = 0;

    if (has_free_page(store, class_id)) {
        __atomic_store_n(worth, WORTH_OF_FREE, __ATOMIC_RELAXED);
        return;
    }
    if (!evict_worth(user, class_id, &now)) {
        __atomic_store_n(worth, 0, __ATOMIC_RELAXED);
        return;
    }
    now = move_worth_of_bytes(store, class_id, now);
    old = __atomic_load_n(worth, __ATOMIC_RELAXED);
    if (old != 0 && old != WORTH_OF_FREE)
        now = old + (now - old) * 2 / ((int)window + 1);
    __atomic_store_n(worth, now, __ATOMIC_RELAXED);
}

struct class_set {
    bool has[SLAB_CLASS_MAX];
};

/* The class whose bytes are worth the least, among those with more than `spare` pages. */
static unsigned find_donor_but(struct store *store, const struct class_set *but, uint32_t spare)
{
    unsigned donor = 0;
    int least = 0;

    for (unsigned i = 1; i <= store->slab.class_count; i++) {
        int worth = __atomic_load_n(&store->demands[i].worth, __ATOMIC_RELAXED);

        if (!but->has[i] && page_count(store, i) > spare && (donor == 0 || worth < least)) {
            donor = i;
            least = worth;
        }
    }
    return donor;
}

static unsigned find_donor(struct store *store, unsigned but, uint32_t spare)
{
    struct class_set set = {{false}};

    set.has[but] = true;
    return find_donor_but(store, &set, spare);
}

static void note_donor(struct store *store)
{
    __atomic_store_n(&store->donor, find_donor(store, 0, 1), __ATOMIC_RELAXED);
}

/* By how much the donor's bytes must be worth less. */
static int slack(struct store *store)
{
    double ratio;
    int least;

    if (tuning_of(&store->tuning.automove) == STORE_AUTOMOVE_EAGER)
        return 1;
    lock_take(&store->lock);
    ratio = store->tuning.automove_ratio;
    lock_give(&store->lock);
    least = (int)(-log2(ratio) * DOUBLING);
    return least > SLACK_MIN ? least : SLACK_MIN;
}

static bool is_worth_moving(struct store *store, unsigned class_id, unsigned donor)
{
    const struct demand *demand = &store->demands[class_id];
    int worth = __atomic_load_n(&demand->margin, __ATOMIC_RELAXED);

    return donor != 0 && donor != class_id &&
           __atomic_load_n(&demand->is_pressed, __ATOMIC_RELAXED) != 0 &&
           store->slab.classes[donor].chunks_per_page <= MOVED_AT_ONCE_MAX &&
           move_worth_of_bytes(store, class_id, worth) >
               __atomic_load_n(&store->demands[donor].worth, __ATOMIC_RELAXED) + FAR_APART;
}

/* For who has nothing else left: waits for who is moving pages, which does not take long, and
 * ends a move that waits for a slow client. */
static void take_mover(struct store_user *user)
{
    struct store *store = user->store;

    lock_take(&store->mover.lock);
    if (store->mover.page != 0 && !vacate(user))
        give_up(store);
}

static bool try_mover(struct store *store)
{
    if (__atomic_load_n(&store->mover.page, __ATOMIC_RELAXED) != 0 || !lock_try(&store->mover.lock))
        return false;
    if (store->mover.page == 0)
        return true;
    lock_give(&store->mover.lock);
    return false;
}

/* True: a page of `donor` has moved at once. */
static bool move_from(struct store_user *user, unsigned donor, unsigned class_id, bool keeps_one)
{
    bool has_moved = move_one(user, donor, class_id, keeps_one);

    appraise(user, donor, tuning_of(&user->store->tuning.automove_window));
    note_donor(user->store);
    return has_moved;
}

/* From the least useful class on; its pages may all be held by slow clients. */
static bool move_from_any(struct store_user *user, unsigned class_id)
{
    struct class_set tried = {{false}};

    tried.has[class_id] = true;
    for (int tries = 0; tries < DONORS_TRIED; tries++) {
        unsigned donor = find_donor_but(user->store, &tried, 1);

        if (donor == 0)
            donor = find_donor_but(user->store, &tried, 0);
        if (donor == 0)
            return false;
        if (move_from(user, donor, class_id, false))
            return true;
        tried.has[donor] = true;
    }
    return false;
}

bool move_page_to(struct store_user *user, unsigned class_id, bool is_forced)
{
    struct store *store = user->store;
    unsigned donor = __atomic_load_n(&store->donor, __ATOMIC_RELAXED);
    bool has_moved;

    if (is_forced) {
        take_mover(user);
        has_moved = move_from_any(user, class_id);
    } else if (tuning_of(&store->tuning.automove) != STORE_AUTOMOVE_OFF &&
               is_worth_moving(store, class_id, donor) && try_mover(store)) {
        has_moved = move_from(user, donor, class_id, true);
    } else {
        return false;
    }
    lock_give(&store->mover.lock);
    return has_moved;
}

/* --- upkeep --- */

/* The class that had to evict, and whose bytes are worth the most. */
static unsigned find_receiver(struct store *store)
{
    unsigned receiver = 0;
    int most = 0;

    for (unsigned i = 1; i <= store->slab.class_count; i++) {
        int worth = __atomic_load_n(&store->demands[i].worth, __ATOMIC_RELAXED);

        if (__atomic_exchange_n(&store->demands[i].is_pressed, 0, __ATOMIC_RELAXED) != 0 &&
            (receiver == 0 || worth > most)) {
            receiver = i;
            most = worth;
        }
    }
    return receiver;
}

/* Looks at all classes, and moves one page if it is worth it. */
static bool move_by_worth(struct store_user *user)
{
    struct store *store = user->store;
    uint64_t evicted = __atomic_load_n(&store->evicted_bytes, __ATOMIC_RELAXED);
    uint32_t window = tuning_of(&store->tuning.automove_window);
    unsigned donor, receiver;
    int gain;

    if (evicted == store->moved_bytes)
        return false;
    store->moved_bytes = evicted;
    for (unsigned i = 1; i <= store->slab.class_count; i++)
        appraise(user, i, window);
    note_donor(store);
    receiver = find_receiver(store);
    donor = find_donor(store, receiver, 1);
    if (receiver == 0 || donor == 0 || tuning_of(&store->tuning.automove) == STORE_AUTOMOVE_OFF)
        return false;
    gain = store->demands[receiver].worth - store->demands[donor].worth;
    return gain > slack(store) && move_one(user, donor, receiver, true) && gain > FAR_APART;
}

/* A page above the memory limit goes. */
static bool shrink(struct store_user *user)
{
    unsigned donor = find_donor(user->store, 0, 1);

    return donor != 0 && move_one(user, donor, 0, true);
}

bool store_move_pages(struct store_user *user)
{
    struct store *store = user->store;
    struct mover *mover = &store->mover;
    bool has_more;

    if (!lock_try(&mover->lock))
        return true;
    if (mover->page != 0) {
        uint64_t spent_us = clock_read_us() - mover->since_us;
        bool is_done = vacate(user);

        has_more = is_done || spent_us < HURRY_US;
        if (!is_done && spent_us > PATIENCE_US)
            give_up(store);
    } else if (slab_is_over_limit(&store->slab)) {
        has_more = shrink(user);
    } else {
        has_more = move_by_worth(user);
    }
    lock_give(&mover->lock);
    return has_more;
}

/* --- on demand --- */

enum store_reassign store_reassign(struct store_user *user, int64_t from, int64_t to)
{
    struct store *store = user->store;
    enum store_reassign result = STORE_REASSIGN_OK;
    int64_t count = store->slab.class_count;

    if (from < -1 || from > count || to < 0 || to > count)
        return STORE_REASSIGN_BAD_CLASS;
    if (from == to)
        return STORE_REASSIGN_SAME;
    if (!lock_try(&store->mover.lock))
        return STORE_REASSIGN_BUSY;
    if (from == -1)
        from = find_donor(store, (unsigned)to, 1);
    if (store->mover.page != 0)
        result = STORE_REASSIGN_BUSY;
    else if (from <= 0 ? from == 0 && !slab_grow(&store->slab, (unsigned)to)
                       : !leave(user, (unsigned)from, (unsigned)to, true))
        result = STORE_REASSIGN_NO_SPARE;
    lock_give(&store->mover.lock);
    return result;
}

bool store_set_memory(struct store *store, uint64_t memory_bytes)
{
    return slab_set_limit(&store->slab, memory_bytes);
}
