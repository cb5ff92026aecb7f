#include <sys/random.h>

#include "common/base/clock.h"
#include "common/base/random.h"

static _Thread_local uint64_t state;

/* splitmix64: Steele, Lea, Flood, "Fast splittable pseudorandom number generators". */
uint64_t random_u64(void)
{
    uint64_t z;

    if (state == 0 && getrandom(&state, sizeof(state), GRND_NONBLOCK) != (ssize_t)sizeof(state))
        state = clock_read_us() ^ (uint64_t)(uintptr_t)&state;
    z = state += 0x9e3779b97f4a7c15;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
}

uint32_t random_below(uint32_t limit)
{
    return (uint32_t)(((random_u64() >> 32) * limit) >> 32);
}
