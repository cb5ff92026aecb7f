/*
 * Random numbers for load spreading and jitter, not for secrets: a generator
 * per thread, seeded from the system at its first use.
 */
#ifndef COMMON_BASE_RANDOM_H
#define COMMON_BASE_RANDOM_H

#include <stdint.h>

uint64_t random_u64(void);

/* Uniform in 0..limit-1; limit is at least 1. */
uint32_t random_below(uint32_t limit);

#endif
