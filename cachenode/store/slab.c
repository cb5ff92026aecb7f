#include <math.h>
#include <sys/mman.h>

#include "cachenode/locks.h"
#include "cachenode/store/slab.h"

/* Steps of a sixteenth below this size, where most items are; -f above. */
enum { FINE_MAX = 256, MEMORY_MAX_PAGES = 32 * 1024 };

static uint32_t round_up(uint32_t size)
{
    return (size + ITEM_UNIT - 1) / ITEM_UNIT * ITEM_UNIT;
}

static uint32_t next_size(uint32_t size, double factor)
{
    uint32_t fine = round_up(size + size / 16), coarse = round_up((uint32_t)(size * factor));

    if (fine <= size)
        fine = size + ITEM_UNIT;
    if (size < FINE_MAX)
        return fine < coarse || coarse <= size ? fine : coarse;
    return coarse > size ? coarse : size + ITEM_UNIT;
}

static void class_init(struct slab *slab, uint32_t chunk_size)
{
    struct slab_class *class = &slab->classes[++slab->class_count];

    *class = (struct slab_class){.chunk_size = chunk_size,
                                 .chunks_per_page = SLAB_PAGE_SIZE / chunk_size};
    lock_init(&class->lock, LOCK_slab_class);
}

bool slab_init(struct slab *slab, uint64_t memory_bytes, uint32_t min_size, double factor,
               const char **error)
{
    uint32_t size = round_up((uint32_t)sizeof(struct item) + min_size);
    uint64_t pages = memory_bytes / SLAB_PAGE_SIZE;
    size_t reserve;
    void *base;

    *slab = (struct slab){0};
    lock_init(&slab->arena_lock, LOCK_arena);
    while (size < CHUNK_MAX / factor && slab->class_count < SLAB_CLASS_MAX - 2) {
        class_init(slab, size);
        size = next_size(size, factor);
    }
    class_init(slab, CHUNK_MAX);
    if (pages + SLAB_CLASS_MAX >= MEMORY_MAX_PAGES) {
        *error = "memory limit is above 32000 MB";
        return false;
    }
    slab->page_limit = (uint32_t)pages;
    slab->page_reserve = slab->page_limit + slab->class_count;
    /* One page of addresses more: it makes id 0 nobody's. */
    reserve = ((size_t)slab->page_reserve + 1) * SLAB_PAGE_SIZE;
    base = mmap(NULL, reserve, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
                -1, 0);
    if (base == MAP_FAILED) {
        *error = "no address space for the memory limit";
        return false;
    }
    slab->base = base;
    return true;
}

void slab_free(struct slab *slab)
{
    if (slab->base != NULL)
        munmap(slab->base, ((size_t)slab->page_reserve + 1) * SLAB_PAGE_SIZE);
}

unsigned slab_class_for(const struct slab *slab, size_t size)
{
    unsigned low = 1, high = slab->class_count;

    if (size > slab->classes[high].chunk_size)
        return 0;
    while (low < high) {
        unsigned middle = (low + high) / 2;

        if (slab->classes[middle].chunk_size < size)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* Gives the class another page, if there is one for it. Called with the class locked. */
static bool class_grow(struct slab *slab, struct slab_class *class)
{
    char *page = NULL;

    lock_take(&slab->arena_lock);
    if (slab->page_count < slab->page_limit ||
        (class->page_count == 0 && slab->page_count < slab->page_reserve))
        page = slab->base + (size_t)++slab->page_count * SLAB_PAGE_SIZE;
    lock_give(&slab->arena_lock);
    if (page == NULL)
        return false;
    class->fresh = page;
    class->fresh_count = class->chunks_per_page;
    class->page_count++;
    return true;
}

/* Called with the class locked. */
static void *class_take(struct slab *slab, struct slab_class *class)
{
    char *chunk;

    if (class->free != 0) {
        chunk = slab_at(slab, class->free);
        memcpy(&class->free, chunk, sizeof(class->free));
        class->free_count--;
        return chunk;
    }
    if (class->fresh_count == 0 && !class_grow(slab, class))
        return NULL;
    chunk = class->fresh;
    class->fresh += class->chunk_size;
    class->fresh_count--;
    return chunk;
}

static void class_give(struct slab *slab, struct slab_class *class, void *chunk)
{
    memcpy(chunk, &class->free, sizeof(class->free));
    class->free = slab_id(slab, chunk);
    class->free_count++;
}

void *slab_take(struct slab *slab, struct magazine *magazine, unsigned class_id)
{
    struct slab_class *class = &slab->classes[class_id];
    void *chunk;

    if (magazine->count != 0)
        return slab_at(slab, magazine->chunks[--magazine->count]);
    lock_take(&class->lock);
    chunk = class_take(slab, class);
    while (chunk != NULL && magazine->count < magazine->size / 2 &&
           (class->free != 0 || class->fresh_count != 0))
        magazine->chunks[magazine->count++] = slab_id(slab, class_take(slab, class));
    lock_give(&class->lock);
    return chunk;
}

void slab_give(struct slab *slab, struct magazine *magazine, unsigned class_id, void *chunk)
{
    struct slab_class *class = &slab->classes[class_id];

    if (magazine != NULL && magazine->count < magazine->size) {
        magazine->chunks[magazine->count++] = slab_id(slab, chunk);
        return;
    }
    lock_take(&class->lock);
    class_give(slab, class, chunk);
    while (magazine != NULL && magazine->count > magazine->size / 2)
        class_give(slab, class, slab_at(slab, magazine->chunks[--magazine->count]));
    lock_give(&class->lock);
}

void magazine_init(const struct slab *slab, unsigned class_id, struct magazine *magazine)
{
    /* No thread may sit on more than 16 KB of a class. */
    uint32_t size = 16 * 1024 / slab->classes[class_id].chunk_size;

    *magazine = (struct magazine){.size = size < MAGAZINE_MAX ? size : MAGAZINE_MAX};
}
