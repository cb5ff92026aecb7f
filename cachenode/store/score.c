#include <math.h>

#include "cachenode/store/score.h"

void score_init(struct score_table *table)
{
    for (int worth = -128; worth < 128; worth++) {
        double after = 16 * log2(1 + exp2(worth / 16.0));

        if (after > SCORE_WORTH_MAX)
            after = SCORE_WORTH_MAX;
        table->gains[worth + 128] = (uint16_t)((after + 128) * 256);
    }
}

int score_new_worth(uint32_t share)
{
    int power = 31 - __builtin_clz(share), eighths = (int)(share << (31 - power) >> 28 & 7);

    return (power - 16) * 8 + eighths;
}
