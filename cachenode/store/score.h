/*
 * What an item is worth: how often it was used of late, in one byte. It is LRFU's
 * combined recency and frequency (D. Lee et al., "LRFU: a spectrum of policies that
 * subsumes the least recently used and least frequently used policies", 2001): each
 * use counts one when it happens and half of that a half-life later.
 *
 * The byte is 16 * log2 of that sum, told in the scale of a clock that ticks 16 times
 * per half-life: between uses it need not change, for all items fade alike. A half-life
 * is two turnovers of the memory: the clock advances as memory is taken from items.
 * Clock and scores wrap; only their differences count.
 */
#ifndef CACHENODE_STORE_SCORE_H
#define CACHENODE_STORE_SCORE_H

#include <stdbool.h>
#include <stdint.h>

enum { SCORE_TICKS_PER_TURNOVER = 8, SCORE_WORTH_MAX = 120, SCORE_WORTH_MIN = -112 };

struct score_table {
    uint16_t gains[256]; /* by worth + 128: the worth after a use, +128, times 256 */
};

void score_init(struct score_table *table);

/* How an item stands now; that of one used once, just now, is 0. */
static inline int score_worth(uint8_t score, uint8_t clock)
{
    return (int8_t)(uint8_t)(score - clock);
}

/* The score after a use. What is less than a step is done as often as it is part of one:
 * `random` says whether now. */
static inline uint8_t score_used(const struct score_table *table, uint8_t score, uint8_t clock,
                                 uint8_t random)
{
    unsigned gain = table->gains[(uint8_t)(score - clock + 128)] + random;

    return (uint8_t)((gain >> 8) - 128 + clock);
}

/*
 * What seems new was perhaps here before: in a scan hardly ever, in other streams often. The
 * share of those that were is in parts of SHARE_WHOLE, averaged over about SHARE_WINDOW of
 * them, and never 0; while nothing is known it is SHARE_FIRST.
 */
enum { SHARE_WHOLE = 1 << 16, SHARE_FIRST = SHARE_WHOLE / 8, SHARE_WINDOW = 512 };

/* The share after one more. */
static inline uint32_t share_after(uint32_t share, bool was_here)
{
    return was_here ? share + (SHARE_WHOLE - share) / SHARE_WINDOW : share - share / SHARE_WINDOW;
}

/* How an item stands that is really new: half-way, by logarithms, between the use that it had
 * and that part of one that is the share. */
int score_new_worth(uint32_t share);

#endif
