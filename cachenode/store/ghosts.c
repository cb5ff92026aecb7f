#include <stddef.h>
#include <sys/mman.h>

#include "cachenode/store/ghosts.h"
#include "cachenode/store/score.h"

/* What was evicted was worth less; who seems to be worth more was forgotten by the clock. */
enum { WORTH_MAX = 48, WORTH_OF_NOTHING = -128 };

bool ghosts_init(struct ghosts *ghosts, uint64_t bucket_max)
{
    void *cells = mmap(NULL, ghosts_bytes(bucket_max), PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    *ghosts =
        (struct ghosts){.cells = cells == MAP_FAILED ? NULL : cells, .bucket_max = bucket_max};
    return ghosts->cells != NULL;
}

void ghosts_free(struct ghosts *ghosts)
{
    if (ghosts->cells != NULL)
        munmap(ghosts->cells, ghosts_bytes(ghosts->bucket_max));
}

/* The cells where a hash may be, and what it has there besides the score. The bucket has used
 * up the lower bits. */
static uint16_t *cells_of(const struct ghosts *ghosts, uint32_t bucket, uint32_t hash,
                          uint16_t *mark)
{
    uint64_t mixed = hash * UINT64_C(0x9e3779b97f4a7c15);
    uint64_t set = (mixed >> 40) % (GHOSTS_PER_BUCKET / GHOST_WAYS);

    *mark = (uint16_t)(mixed >> 56 << 8);
    if (*mark == 0)
        *mark = 1 << 8;
    return &ghosts->cells[(uint64_t)bucket * GHOSTS_PER_BUCKET + set * GHOST_WAYS];
}

static bool has_mark(uint16_t cell, uint16_t mark)
{
    return (cell & 0xff00) == mark;
}

static int worth_of(uint16_t cell, uint8_t clock)
{
    int worth = score_worth((uint8_t)cell, clock);

    return cell == 0 || worth > WORTH_MAX ? WORTH_OF_NOTHING : worth;
}

void ghosts_add(struct ghosts *ghosts, uint32_t bucket, uint32_t hash, uint8_t score, uint8_t clock)
{
    uint16_t mark, *cells = cells_of(ghosts, bucket, hash, &mark), *least = cells;

    for (unsigned i = 0; i < GHOST_WAYS; i++) {
        if (has_mark(cells[i], mark)) {
            least = &cells[i];
            break;
        }
        if (worth_of(cells[i], clock) < worth_of(*least, clock))
            least = &cells[i];
    }
    *least = mark | score;
}

enum ghost ghosts_find(const struct ghosts *ghosts, uint32_t bucket, uint32_t hash, uint8_t clock,
                       uint8_t *score)
{
    uint16_t mark;
    const uint16_t *cells = cells_of(ghosts, bucket, hash, &mark);
    enum ghost ghost = GHOST_ABSENT;

    for (unsigned i = 0; i < GHOST_WAYS; i++) {
        if (has_mark(cells[i], mark) && worth_of(cells[i], clock) != WORTH_OF_NOTHING) {
            *score = (uint8_t)cells[i];
            return GHOST_FOUND;
        }
        if (cells[i] == 0)
            ghost = GHOST_UNKNOWN;
    }
    return ghost;
}
