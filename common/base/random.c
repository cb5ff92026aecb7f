#include <sys/random.h>

#include "common/base/clock.h"
#include "common/base/random.h"

static _Thread_local uint64_t random_state;

/* splitmix64: Steele, Lea, Flood, "Fast splittable pseudorandom number generators". */
uint64_t random_u64(void)
{
    uint64_t z;

    if (random_state == 0 && getrandom(&random_state, sizeof(random_state), GRND_NONBLOCK) !=
                                 (ssize_t)sizeof(random_state))
        random_state = clock_read_us() ^ (uint64_t)(uintptr_t)&random_state;
    z = random_state += 0x9e3779b97f4a7c15;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
}

uint32_t random_below(uint32_t limit)
{
    return (uint32_t)(((random_u64() >> 32) * limit) >> 32);
}
