/*
 * Classes are laid out; chunks are taken and given; pages come and go.
 */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "cachenode/locks.h"
#include "cachenode/store/slab.h"

/* Without word from the operator, steps of 8 bytes up to FINE_MAX, then of a sixteenth, and
 * above MEDIUM_MAX, where items are few and each class has a page at least, of an eighth. */
enum { FINE_MIN = 56, FINE_MAX = 256, MEDIUM_MAX = 1024, FACTOR_PERCENT = 125, MIN_SIZE = 48 };

/* Pages that ids of 32 bits reach. */
enum { PAGE_NUMBER_MAX = 1 << (32 + 3 - PAGE_SHIFT), PAGES_LOOKED_AT = 8, SHUNNED = 32 };

/* --- classes --- */

static uint32_t round_up(uint32_t size)
{
    return (size + ITEM_UNIT - 1) / ITEM_UNIT * ITEM_UNIT;
}

/* The size that as many chunks of a page may have, with nothing left over. */
static uint32_t stretch(uint32_t size)
{
    return PAGE_SIZE / (PAGE_SIZE / size) / ITEM_UNIT * ITEM_UNIT;
}

static uint32_t fine_step(uint32_t size)
{
    uint32_t power = UINT32_C(1) << (31 - __builtin_clz(size));

    return size < FINE_MAX ? ITEM_UNIT : size < MEDIUM_MAX ? power / 16 : power / 8;
}

static void class_init(struct slab *slab, uint32_t chunk_size)
{
    unsigned class_id = ++slab->class_count;
    struct slab_class *class = &slab->classes[class_id];

    *class =
        (struct slab_class){.chunk_size = chunk_size, .chunks_per_page = PAGE_SIZE / chunk_size};
    lock_init(&class->lock, LOCK_slab_class);
    for (uint32_t units = chunk_size / ITEM_UNIT + 1; units-- > 0;) {
        if (slab->class_by_units[units] != 0)
            break;
        slab->class_by_units[units] = (uint8_t)class_id;
    }
}

static void lay_out_fine(struct slab *slab, uint32_t size)
{
    while (size < slab->chunk_max && slab->class_count < SLAB_CLASS_MAX - 2) {
        size = stretch(size);
        class_init(slab, size);
        size = round_up(size + fine_step(size));
    }
}

static void lay_out_by_factor(struct slab *slab, uint32_t size, double factor)
{
    while (size < slab->chunk_max / factor && slab->class_count < CHUNK_SIZES_MAX) {
        uint32_t next = round_up((uint32_t)(size * factor));

        class_init(slab, size);
        size = next > size ? next : size + ITEM_UNIT;
    }
}

static void lay_out(struct slab *slab, const struct slab_options *options)
{
    uint32_t smallest = round_up((uint32_t)sizeof(struct item) + options->min_size);
    bool is_default =
        options->min_size == MIN_SIZE && (int)(options->factor * 100 + 0.5) == FACTOR_PERCENT;

    slab->chunk_max = options->chunk_max / ITEM_UNIT * ITEM_UNIT;
    if (slab->chunk_max > CHUNK_LIMIT)
        slab->chunk_max = CHUNK_LIMIT;
    if (options->sizes.count != 0) {
        for (unsigned i = 0; i < options->sizes.count; i++) {
            if (round_up(options->sizes.sizes[i]) < slab->chunk_max)
                class_init(slab, round_up(options->sizes.sizes[i]));
        }
    } else if (is_default) {
        lay_out_fine(slab, FINE_MIN);
    } else {
        lay_out_by_factor(slab, smallest, options->factor);
    }
    if (slab->class_count == 0 || slab->classes[slab->class_count].chunk_size < slab->chunk_max)
        class_init(slab, slab->chunk_max);
}

/* --- memory --- */

static void *map_file(const char *path, size_t len)
{
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    void *base = MAP_FAILED;

    if (fd >= 0 && ftruncate(fd, (off_t)len) == 0)
        base = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (fd >= 0)
        close(fd);
    return base;
}

static void *map_now(size_t len)
{
    int flags = MAP_PRIVATE | MAP_ANONYMOUS;
    void *base = mmap(NULL, len, PROT_READ | PROT_WRITE, flags | MAP_HUGETLB | MAP_POPULATE, -1, 0);

    if (base != MAP_FAILED)
        return base;
    base = mmap(NULL, len, PROT_READ | PROT_WRITE, flags, -1, 0);
    if (base != MAP_FAILED) {
        madvise(base, len, MADV_HUGEPAGE);
        memset(base, 0, len);
    }
    return base;
}

static size_t slab_len(const struct slab *slab)
{
    return ((size_t)slab->page_reserve + 1) << PAGE_SHIFT;
}

static void *map(const struct slab *slab, const struct slab_options *options)
{
    if (options->path != NULL)
        return map_file(options->path, slab_len(slab));
    if (options->is_preallocated)
        return map_now(slab_len(slab));
    return mmap(NULL, slab_len(slab), PROT_READ | PROT_WRITE,
                MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
}

bool slab_init(struct slab *slab, const struct slab_options *options, const char **error)
{
    uint64_t pages = options->memory_bytes >> PAGE_SHIFT;
    void *base;

    *slab = (struct slab){0};
    lock_init(&slab->arena_lock, LOCK_arena);
    lay_out(slab, options);
    if (pages + SLAB_CLASS_MAX >= PAGE_NUMBER_MAX) {
        *error = "memory limit is above 32000 MB";
        return false;
    }
    slab->is_fixed = options->is_fixed || options->is_preallocated || options->path != NULL;
    slab->page_limit = (uint32_t)pages;
    slab->page_reserve =
        slab->is_fixed ? slab->page_limit + slab->class_count : PAGE_NUMBER_MAX - 2;
    base = map(slab, options);
    if (base == MAP_FAILED && !slab->is_fixed) {
        slab->is_fixed = true;
        slab->page_reserve = slab->page_limit + slab->class_count;
        base = map(slab, options);
    }
    *error = options->path != NULL ? "the memory file cannot be mapped" : "not enough memory";
    slab->pages = calloc((size_t)slab->page_reserve + 1, sizeof(*slab->pages));
    slab->base = base == MAP_FAILED ? NULL : base;
    return slab->base != NULL && slab->pages != NULL;
}

void slab_free(struct slab *slab)
{
    if (slab->base != NULL)
        munmap(slab->base, slab_len(slab));
    for (unsigned i = 1; i <= slab->class_count; i++)
        free(slab->classes[i].pages);
    free(slab->pages);
}

/* --- pages --- */

static uint32_t page_number(const struct slab *slab, const struct page *page)
{
    return (uint32_t)(page - slab->pages);
}

static char *page_start(const struct slab *slab, uint32_t number)
{
    return slab->base + ((size_t)number << PAGE_SHIFT);
}

/* Pages that may take up memory, with the arena locked. */
static uint32_t pages_allowed(const struct slab *slab)
{
    return slab->page_limit > slab->charged ? slab->page_limit - slab->charged : 1;
}

/* A page that no class has, in number; 0: there is none within the limit. */
static uint32_t arena_take(struct slab *slab, bool beyond_limit)
{
    uint32_t number = 0;

    lock_take(&slab->arena_lock);
    if (slab->pool != 0) {
        number = slab->pool;
        slab->pool = slab->pages[number].next;
        slab->pooled--;
    } else if (slab->page_count < pages_allowed(slab) || beyond_limit) {
        if (slab->retired != 0) {
            number = slab->retired;
            slab->retired = slab->pages[number].next;
        } else if (slab->page_carved < slab->page_reserve) {
            number = ++slab->page_carved;
        }
        slab->page_count += number != 0;
    }
    lock_give(&slab->arena_lock);
    return number;
}

/* What is above the limit gives its memory back to the system. */
static void arena_give(struct slab *slab, uint32_t number)
{
    uint32_t *stack = &slab->pool;

    lock_take(&slab->arena_lock);
    if (slab->page_count > pages_allowed(slab)) {
        madvise(page_start(slab, number), PAGE_SIZE, MADV_DONTNEED);
        slab->page_count--;
        stack = &slab->retired;
    } else {
        slab->pooled++;
    }
    slab->pages[number].next = *stack;
    *stack = number;
    lock_give(&slab->arena_lock);
}

/* What follows is called with the class locked. */

static void open_add(struct slab *slab, struct slab_class *class, struct page *page)
{
    uint32_t number = page_number(slab, page);

    page->next = 0;
    page->prev = class->last_open;
    if (class->last_open != 0)
        slab->pages[class->last_open].next = number;
    else
        class->first_open = number;
    class->last_open = number;
}

static void open_remove(struct slab *slab, struct slab_class *class, struct page *page)
{
    if (page->prev != 0)
        slab->pages[page->prev].next = page->next;
    else
        class->first_open = page->next;
    if (page->next != 0)
        slab->pages[page->next].prev = page->prev;
    else
        class->last_open = page->prev;
}

/* Puts a page into the class's list of pages; false: there is no memory for that. */
static bool class_list(struct slab *slab, struct slab_class *class, uint32_t number)
{
    if (class->page_count == class->page_capacity) {
        uint32_t capacity = class->page_capacity == 0 ? 16 : 2 * class->page_capacity;
        uint32_t *pages = realloc(class->pages, capacity * sizeof(*pages));

        if (pages == NULL)
            return false;
        class->pages = pages;
        class->page_capacity = capacity;
    }
    slab->pages[number].place = class->page_count;
    class->pages[class->page_count++] = number;
    return true;
}

static bool class_add(struct slab *slab, unsigned class_id, uint32_t number)
{
    struct slab_class *class = &slab->classes[class_id];
    struct page *page = &slab->pages[number];

    *page = (struct page){.free = 0};
    if (!class_list(slab, class, number))
        return false;
    __atomic_store_n(&page->class_id, (uint8_t)class_id, __ATOMIC_RELAXED);
    open_add(slab, class, page);
    return true;
}

/* Takes a page out of the class, its chunks apart. */
static void class_remove(struct slab *slab, struct slab_class *class, struct page *page)
{
    uint32_t last = class->pages[--class->page_count];

    class->pages[page->place] = last;
    slab->pages[last].place = page->place;
    if (page->used < class->chunks_per_page)
        open_remove(slab, class, page);
}

static bool class_grow(struct slab *slab, unsigned class_id, bool beyond_limit)
{
    uint32_t number = arena_take(slab, beyond_limit);

    if (number == 0)
        return false;
    if (class_add(slab, class_id, number))
        return true;
    arena_give(slab, number);
    return false;
}

static void *class_take(struct slab *slab, struct slab_class *class)
{
    struct page *page = &slab->pages[class->first_open];
    char *chunk;

    if (class->first_open == 0)
        return NULL;
    if (page->free != 0) {
        chunk = slab_at(slab, page->free);
        memcpy(&page->free, chunk, sizeof(page->free));
    } else {
        chunk = page_start(slab, class->first_open) + (size_t)page->carved++ * class->chunk_size;
        item_set_used((struct item *)(void *)chunk, 0);
    }
    class->used++;
    if (++page->used == class->chunks_per_page)
        open_remove(slab, class, page);
    return chunk;
}

static void class_give(struct slab *slab, struct slab_class *class, void *chunk)
{
    struct page *page = slab_page_of(slab, chunk);

    memcpy(chunk, &page->free, sizeof(page->free));
    page->free = slab_id(slab, chunk);
    class->used--;
    page->used--;
    if (page->is_leaving)
        return;
    if (page->used + 1u == class->chunks_per_page)
        open_add(slab, class, page);
    if (page->used == 0 && class->page_count > 1) {
        class_remove(slab, class, page);
        __atomic_store_n(&page->class_id, 0, __ATOMIC_RELAXED);
        arena_give(slab, page_number(slab, page));
    }
}

/* --- chunks --- */

static bool is_leaving(const struct slab *slab, const void *chunk)
{
    return __atomic_load_n(&slab_page_of(slab, chunk)->is_leaving, __ATOMIC_RELAXED);
}

/* The owner's end of a magazine. Whoever swaps 0 for a chunk has it. */
static void magazine_put(const struct slab *slab, struct magazine *magazine, const void *chunk)
{
    __atomic_store_n(&magazine->chunks[magazine->count++], slab_id(slab, chunk), __ATOMIC_RELEASE);
}

static void *magazine_take(struct slab *slab, struct magazine *magazine)
{
    while (magazine->count != 0) {
        item_id id = __atomic_exchange_n(&magazine->chunks[--magazine->count], 0, __ATOMIC_ACQUIRE);

        if (id != 0)
            return slab_at(slab, id);
    }
    return NULL;
}

void magazine_purge(struct slab *slab, struct magazine *magazine, uint32_t page)
{
    for (unsigned i = 0; i < MAGAZINE_MAX; i++) {
        item_id id = __atomic_load_n(&magazine->chunks[i], __ATOMIC_RELAXED);

        if (id / (PAGE_SIZE / ITEM_UNIT) == page &&
            __atomic_compare_exchange_n(&magazine->chunks[i], &id, 0, false, __ATOMIC_ACQUIRE,
                                        __ATOMIC_RELAXED))
            slab_give(slab, NULL, slab_at(slab, id));
    }
}

void magazine_empty(struct slab *slab, struct magazine *magazine)
{
    void *chunk;

    while ((chunk = magazine_take(slab, magazine)) != NULL)
        slab_give(slab, NULL, chunk);
}

void *slab_take(struct slab *slab, struct magazine *magazine, unsigned class_id)
{
    struct slab_class *class = &slab->classes[class_id];
    void *chunk = magazine_take(slab, magazine), *more;

    if (chunk != NULL)
        return chunk;
    lock_take(&class->lock);
    chunk = class_take(slab, class);
    if (chunk == NULL && class_grow(slab, class_id, false))
        chunk = class_take(slab, class);
    while (chunk != NULL && magazine->count < magazine->size / 2 &&
           (more = class_take(slab, class)) != NULL)
        magazine_put(slab, magazine, more);
    lock_give(&class->lock);
    return chunk;
}

void slab_give(struct slab *slab, struct magazine *magazine, void *chunk)
{
    struct slab_class *class;

    if (magazine != NULL && magazine->count < magazine->size && !is_leaving(slab, chunk)) {
        magazine_put(slab, magazine, chunk);
        return;
    }
    class = &slab->classes[slab_class_of(slab, chunk)];
    lock_take(&class->lock);
    class_give(slab, class, chunk);
    while (magazine != NULL && magazine->count > magazine->size / 2 &&
           (chunk = magazine_take(slab, magazine)) != NULL)
        class_give(slab, class, chunk);
    lock_give(&class->lock);
}

void magazine_init(const struct slab *slab, unsigned class_id, struct magazine *magazine)
{
    /* No thread may sit on more than 16 KB of a class. */
    uint32_t size = 16 * 1024 / slab->classes[class_id].chunk_size;

    *magazine = (struct magazine){.size = size < MAGAZINE_MAX ? size : MAGAZINE_MAX};
}

unsigned slab_sample(struct slab *slab, unsigned class_id, uint64_t *random, struct item **chunks,
                     unsigned max)
{
    struct slab_class *class = &slab->classes[class_id];
    unsigned count = 0;

    lock_take(&class->lock);
    if ((uint64_t) class->page_count * class->chunks_per_page <= max) {
        for (uint32_t i = 0; i < class->page_count; i++) {
            char *start = page_start(slab, class->pages[i]);

            for (uint32_t slot = 0; slot < slab->pages[class->pages[i]].carved; slot++)
                chunks[count++] = (void *)(start + (size_t)slot * class->chunk_size);
        }
    } else {
        for (unsigned i = 0; i < max; i++) {
            uint32_t bits = (uint32_t)((*random = *random * 6364136223846793005 + 1) >> 32);
            uint32_t page = class->pages[((uint64_t)bits * class->page_count) >> 32];
            uint32_t slot = (bits * UINT32_C(2654435761) >> 16) % class->chunks_per_page;

            if (slot < slab->pages[page].carved)
                chunks[count++] =
                    (void *)(page_start(slab, page) + (size_t)slot * class->chunk_size);
        }
    }
    lock_give(&class->lock);
    return count;
}

uint32_t slab_page_chunks(struct slab *slab, uint32_t number, unsigned class_id,
                          struct item **first)
{
    struct slab_class *class = &slab->classes[class_id];
    const struct page *page = &slab->pages[number];
    uint32_t count = 0;

    lock_take(&class->lock);
    if (__atomic_load_n(&page->class_id, __ATOMIC_RELAXED) == class_id) {
        *first = (void *)page_start(slab, number);
        count = page->carved;
    }
    lock_give(&class->lock);
    return count;
}

uint32_t slab_page_end(struct slab *slab)
{
    uint32_t end;

    lock_take(&slab->arena_lock);
    end = slab->page_carved + 1;
    lock_give(&slab->arena_lock);
    return end;
}

/* --- moving pages --- */

uint32_t slab_page_leave(struct slab *slab, unsigned class_id, bool keeps_one, uint64_t *random)
{
    struct slab_class *class = &slab->classes[class_id];
    struct page *best = NULL;

    lock_take(&class->lock);
    for (unsigned i = 0; i<PAGES_LOOKED_AT &&class->page_count> keeps_one; i++) {
        uint32_t bits = (uint32_t)((*random = *random * 6364136223846793005 + 1) >> 32);
        struct page *page = &slab->pages[class->pages[((uint64_t)bits * class->page_count) >> 32]];

        if (page->shunned != 0)
            page->shunned--;
        else if (best == NULL || page->used < best->used)
            best = page;
    }
    if (best != NULL) {
        class_remove(slab, class, best);
        __atomic_store_n(&best->is_leaving, true, __ATOMIC_RELAXED);
    }
    lock_give(&class->lock);
    return best == NULL ? 0 : page_number(slab, best);
}

bool slab_page_arrive(struct slab *slab, uint32_t number, unsigned class_id)
{
    struct page *page = &slab->pages[number];
    struct slab_class *from = &slab->classes[page->class_id], *to = &slab->classes[class_id];
    bool is_empty, is_added = false;

    lock_take(&from->lock);
    is_empty = page->used == 0;
    if (is_empty) {
        __atomic_store_n(&page->class_id, 0, __ATOMIC_RELAXED);
        __atomic_store_n(&page->is_leaving, false, __ATOMIC_RELAXED);
    }
    lock_give(&from->lock);
    if (!is_empty)
        return false;
    if (class_id != 0) {
        lock_take(&to->lock);
        is_added = class_add(slab, class_id, number);
        lock_give(&to->lock);
    }
    if (!is_added)
        arena_give(slab, number);
    return true;
}

void slab_page_stay(struct slab *slab, uint32_t number)
{
    struct page *page = &slab->pages[number];
    struct slab_class *class = &slab->classes[page->class_id];

    lock_take(&class->lock);
    page->shunned = SHUNNED;
    /* Should its place be taken and memory be short, its chunks are lost as they come back. */
    if (class_list(slab, class, number)) {
        __atomic_store_n(&page->is_leaving, false, __ATOMIC_RELAXED);
        if (page->used < class->chunks_per_page)
            open_add(slab, class, page);
    }
    lock_give(&class->lock);
}

bool slab_grow(struct slab *slab, unsigned class_id)
{
    struct slab_class *class = &slab->classes[class_id];
    bool is_given;

    lock_take(&class->lock);
    is_given = class_grow(slab, class_id, false);
    lock_give(&class->lock);
    return is_given;
}

bool slab_grant(struct slab *slab, unsigned class_id)
{
    struct slab_class *class = &slab->classes[class_id];
    bool is_given = false;

    lock_take(&class->lock);
    if (class->page_count == 0)
        is_given = class_grow(slab, class_id, true);
    lock_give(&class->lock);
    return is_given;
}

bool slab_set_limit(struct slab *slab, uint64_t memory_bytes)
{
    uint64_t pages = memory_bytes >> PAGE_SHIFT;
    bool is_fine;

    lock_take(&slab->arena_lock);
    is_fine = !slab->is_fixed && pages + SLAB_CLASS_MAX < slab->page_reserve;
    if (is_fine)
        slab->page_limit = (uint32_t)pages;
    while (is_fine && slab->pool != 0 && slab->page_count > pages_allowed(slab)) {
        uint32_t number = slab->pool;

        slab->pool = slab->pages[number].next;
        slab->pooled--;
        slab->page_count--;
        madvise(page_start(slab, number), PAGE_SIZE, MADV_DONTNEED);
        slab->pages[number].next = slab->retired;
        slab->retired = number;
    }
    lock_give(&slab->arena_lock);
    return is_fine;
}

void slab_charge(struct slab *slab, uint64_t bytes)
{
    lock_take(&slab->arena_lock);
    slab->charged = slab->is_fixed ? 0 : (uint32_t)(bytes >> PAGE_SHIFT);
    lock_give(&slab->arena_lock);
}

bool slab_is_over_limit(struct slab *slab)
{
    bool is_over;

    lock_take(&slab->arena_lock);
    is_over = slab->page_count > pages_allowed(slab);
    lock_give(&slab->arena_lock);
    return is_over;
}

/* --- restart --- */

bool slab_restore_page(struct slab *slab, uint32_t number, unsigned class_id, uint16_t carved)
{
    struct slab_class *class = &slab->classes[class_id];
    struct page *page = &slab->pages[number];

    slab->page_carved = number;
    slab->page_count++;
    if (class_id == 0) {
        arena_give(slab, number);
        return true;
    }
    if (!class_add(slab, class_id, number))
        return false;
    page->carved = page->used = carved;
    class->used += carved;
    if (carved == class->chunks_per_page)
        open_remove(slab, class, page);
    return true;
}

void slab_restore_free(struct slab *slab, struct item *chunk)
{
    struct slab_class *class = &slab->classes[slab_class_of(slab, chunk)];

    item_set_used(chunk, 0);
    lock_take(&class->lock);
    class_give(slab, class, chunk);
    lock_give(&class->lock);
}
