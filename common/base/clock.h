/*
 * Time. Durations and deadlines use the monotonic clock, which no operator and
 * no leap second can set; the wall clock is for what people and protocols date.
 *
 * Each thread keeps the time of its loop's current turn, so that a batch of
 * requests costs one reading of the clock.
 */
#ifndef COMMON_BASE_CLOCK_H
#define COMMON_BASE_CLOCK_H

#include <stdint.h>

/* Microseconds of the monotonic clock, read now. */
uint64_t clock_read_us(void);

/* Seconds, or microseconds, since 1970, read now. */
int64_t clock_wall_s(void);
int64_t clock_wall_us(void);

extern _Thread_local uint64_t clock_turn_us; /* use clock_now_us */

/* Reads the clock for the turn that begins; loops call it, tests may. */
static inline uint64_t clock_refresh(void)
{
    return clock_turn_us = clock_read_us();
}

/* Monotonic microseconds as of this thread's current turn. */
static inline uint64_t clock_now_us(void)
{
    return clock_turn_us ? clock_turn_us : clock_refresh();
}

#endif
