#include <stdlib.h>

#include "cachenode/store/image.h"
#include "cachenode/store/internal.h"
#include "common/base/clock.h"

static const char magic[16] = "cachenode image1";

/* What must be the same, and what is continued. All that is written is in whole words. */
struct head {
    char magic[16];
    uint64_t memory_bytes, item_size_max, page_size, item_head, use_cas, class_count;
    uint64_t chunk_sizes[SLAB_CLASS_MAX];
    uint64_t wall_s, now, last_cas, flushed_cas, evicted_bytes, item_count, page_count;
    uint64_t flush_count, flushes[FLUSHES_MAX];
};

struct page_entry {
    uint64_t class_id, carved, sum;
};

/* --- sums --- */

static uint64_t mix(uint64_t sum, uint64_t word)
{
    __uint128_t product = (__uint128_t)(sum ^ word) * 0x9e3779b97f4a7c15;

    return (uint64_t)product ^ (uint64_t)(product >> 64) ^ (sum << 7);
}

/* Of whole words, in four strands, so that it goes about as fast as memory does. */
static uint64_t sum_of(const void *data, size_t len)
{
    const uint64_t *words = data;
    uint64_t strands[4] = {1, 2, 3, 4};
    size_t count = len / sizeof(*words), i = 0;

    for (; i + 4 <= count; i += 4) {
        for (int strand = 0; strand < 4; strand++)
            strands[strand] = mix(strands[strand], words[i + (size_t)strand]);
    }
    for (; i < count; i++)
        strands[0] = mix(strands[0], words[i]);
    return mix(mix(strands[0], strands[1]), mix(strands[2], strands[3]));
}

static char *page_start(const struct store *store, uint64_t number)
{
    return store->slab.base + (number << PAGE_SHIFT);
}

static uint64_t page_sum(const struct store *store, uint64_t number, const struct page_entry *entry)
{
    return sum_of(page_start(store, number),
                  entry->carved * store->slab.classes[entry->class_id].chunk_size);
}

/* --- saving --- */

static bool save(FILE *out, const void *data, size_t len, uint64_t *sum)
{
    *sum = mix(*sum, sum_of(data, len));
    return fwrite(data, len, 1, out) == 1;
}

static void describe(const struct store *store, struct head *head)
{
    *head = (struct head){
        .memory_bytes = store->options.slab.memory_bytes,
        .item_size_max = store->options.item_size_max,
        .page_size = PAGE_SIZE,
        .item_head = sizeof(struct item),
        .use_cas = store->options.use_cas,
        .class_count = store->slab.class_count,
    };
    memcpy(head->magic, magic, sizeof(magic));
    for (unsigned i = 1; i <= store->slab.class_count; i++)
        head->chunk_sizes[i] = store->slab.classes[i].chunk_size;
}

bool store_image_save(struct store *store, FILE *out)
{
    struct head head;
    uint64_t sum = 0;

    if (store->mover.page != 0)
        slab_page_stay(&store->slab, store->mover.page);
    store->mover.page = 0;
    describe(store, &head);
    head.wall_s = (uint64_t)clock_wall_s();
    head.now = store_now(store);
    head.last_cas = store->last_cas;
    head.flushed_cas = store->flushed_cas;
    head.evicted_bytes = store->evicted_bytes;
    head.item_count = store->table.item_count;
    head.page_count = store->slab.page_carved;
    head.flush_count = store->flush_count;
    for (unsigned i = 0; i < store->flush_count; i++)
        head.flushes[i] = store->flushes[i];
    if (!save(out, &head, sizeof(head), &sum))
        return false;
    for (uint32_t i = 1; i <= head.page_count; i++) {
        const struct page *page = &store->slab.pages[i];
        struct page_entry entry = {.class_id = page->class_id, .carved = page->carved};

        if (entry.class_id == 0)
            entry.carved = 0;
        entry.sum = page_sum(store, i, &entry);
        if (!save(out, &entry, sizeof(entry), &sum))
            return false;
    }
    return fwrite(&sum, sizeof(sum), 1, out) == 1;
}

/* --- loading --- */

static bool load(FILE *in, void *data, size_t len, uint64_t *sum)
{
    if (fread(data, len, 1, in) != 1)
        return false;
    *sum = mix(*sum, sum_of(data, len));
    return true;
}

static bool is_alike(const struct store *store, const struct head *head)
{
    struct head own;

    describe(store, &own);
    return memcmp(head, &own, offsetof(struct head, wall_s)) == 0;
}

static bool has_page(const struct store *store, const struct page_entry *entry)
{
    return entry->class_id <= store->slab.class_count &&
           entry->carved <= store->slab.classes[entry->class_id].chunks_per_page;
}

/* The page entries, all of them checked; NULL: something is wrong. */
static struct page_entry *load_pages(struct store *store, FILE *in, uint64_t count, uint64_t *sum)
{
    struct page_entry *entries = calloc(count + 1, sizeof(*entries));
    bool is_fine = entries != NULL;
    uint64_t stored;

    for (uint64_t i = 1; i <= count && is_fine; i++)
        is_fine = load(in, &entries[i], sizeof(*entries), sum) && has_page(store, &entries[i]) &&
                  page_sum(store, i, &entries[i]) == entries[i].sum;
    if (is_fine && fread(&stored, sizeof(stored), 1, in) == 1 && stored == *sum)
        return entries;
    free(entries);
    return NULL;
}

/* The chunk that an id names, if it is the beginning of one that is there. */
static struct item *chunk_at(const struct store *store, item_id id)
{
    const struct slab *slab = &store->slab;
    char *chunk = slab_at(slab, id);
    uint32_t number = id / (PAGE_SIZE / ITEM_UNIT);
    const struct page *page = &slab->pages[number];
    size_t offset = id % (PAGE_SIZE / ITEM_UNIT) * ITEM_UNIT, size;

    if (number == 0 || number > slab->page_carved || page->class_id == 0)
        return NULL;
    size = slab->classes[page->class_id].chunk_size;
    return offset % size == 0 && offset / size < page->carved ? (void *)chunk : NULL;
}

/* Whether an item stays within its chunk, and its pieces are its own. */
static bool is_sound(const struct store *store, struct item *item, size_t chunk_size)
{
    size_t head = (size_t)(item_value(item) - (char *)item);

    if (item->key_len == 0)
        return false;
    if (!item->is_chunked)
        return head + item->value_len <= chunk_size;
    if (head + item_piece_count(&store->slab, item) * sizeof(item_id) > chunk_size)
        return false;
    for (unsigned i = 0; i < item_piece_count(&store->slab, item); i++) {
        const struct item *chunk = chunk_at(store, item_piece(item, i));

        if (chunk == NULL || item_peek(chunk) != ITEM_PIECE ||
            ((const struct piece *)(const void *)chunk)->owner != slab_id(&store->slab, item))
            return false;
    }
    return true;
}

static bool link_again(struct store *store, struct item *item, size_t chunk_size)
{
    struct store_class_gauges *gauges;
    uint32_t hash;

    if (!is_sound(store, item, chunk_size))
        return false;
    item->refs = 1;
    hash = store_hash(item_key(item));
    gauges = &store->departed[item_class(store, item)];
    gauges->items[item_segment(item)]++;
    gauges->bytes += item_size(item);
    return hash_table_find(&store->table, item_key(item), hash) == NULL &&
           hash_table_add(&store->table, item, hash);
}

/* Whether a piece is part of an item; others are free. */
static bool is_owned(const struct store *store, const struct item *chunk)
{
    const struct item *owner = chunk_at(store, ((const struct piece *)(const void *)chunk)->owner);

    return owner != NULL && (item_peek(owner) & ITEM_LINKED) != 0 && owner->is_chunked;
}

static bool fill_page(struct store *store, uint32_t number)
{
    const struct page *page = &store->slab.pages[number];
    size_t chunk_size = store->slab.classes[page->class_id].chunk_size;
    char *chunk = page_start(store, number);

    for (uint32_t i = 0; i < page->carved; i++, chunk += chunk_size) {
        struct item *item = (void *)chunk;
        uint32_t used = item_peek(item);

        if (used & ITEM_LINKED) {
            if (!link_again(store, item, chunk_size))
                return false;
        } else if (used != ITEM_PIECE || !is_owned(store, item)) {
            slab_restore_free(&store->slab, item);
        }
    }
    return true;
}

static void continue_time(struct store *store, const struct head *head)
{
    int64_t stopped_s = clock_wall_s() - (int64_t)head->wall_s;
    uint64_t now = head->now + (uint64_t)(stopped_s > 0 ? stopped_s : 0);

    store->start_us = clock_read_us() - (now - STORE_FIRST_SECOND) * 1000000;
    store->start_wall_s = clock_wall_s() - (int64_t)(now - STORE_FIRST_SECOND);
    store->last_cas = head->last_cas;
    store->flushed_cas = head->flushed_cas;
    evict_continue_clock(store, head->evicted_bytes);
    store->flush_count = (unsigned)head->flush_count;
    for (unsigned i = 0; i < store->flush_count; i++)
        store->flushes[i] = (uint32_t)head->flushes[i];
    store_tick(store);
}

bool store_image_load(struct store *store, FILE *in, const char **why)
{
    struct page_entry *entries;
    struct head head;
    uint64_t sum = 0;
    bool is_fine = true;

    *why = "it is cut short";
    if (!load(in, &head, sizeof(head), &sum))
        return false;
    *why = "it is of a cachenode with other options or of another version";
    if (!is_alike(store, &head))
        return false;
    *why = "it is damaged";
    if (head.page_count > store->slab.page_reserve || head.flush_count > FLUSHES_MAX)
        return false;
    entries = load_pages(store, in, head.page_count, &sum);
    if (entries == NULL)
        return false;
    hash_table_expect(&store->table, head.item_count);
    for (uint32_t i = 1; i <= head.page_count && is_fine; i++)
        is_fine = slab_restore_page(&store->slab, i, (unsigned)entries[i].class_id,
                                    (uint16_t)entries[i].carved);
    for (uint32_t i = 1; i <= head.page_count && is_fine; i++)
        is_fine = fill_page(store, i);
    free(entries);
    if (is_fine)
        continue_time(store, &head);
    return is_fine;
}
