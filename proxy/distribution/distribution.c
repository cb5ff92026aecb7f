#include <stdlib.h>

#include "proxy/distribution/distribution.h"

const struct distribution *const distributions[] = {&distribution_ketama,     &distribution_modula,
                                                    &distribution_random,     &distribution_maglev,
                                                    &distribution_rendezvous, NULL};

const struct distribution *distribution_find(struct str name)
{
    for (const struct distribution *const *row = distributions; *row != NULL; row++) {
        if (str_equal(str_of((*row)->name), name))
            return *row;
    }
    return NULL;
}

struct ring *ring_create(unsigned count, size_t more_len)
{
    struct ring *ring = malloc(sizeof(*ring) + count * sizeof(ring->points[0]) + more_len);

    if (ring == NULL)
        return NULL;
    ring->count = 0;
    ring->more = &ring->points[count];
    return ring;
}

unsigned ring_points_of(const struct ring *ring, uint32_t server)
{
    unsigned count = 0;

    for (unsigned i = 0; i < ring->count; i++)
        count += ring->points[i].server == server;
    return count;
}

struct ring *ring_build(const struct distribution *distribution, const struct ring_server *servers,
                        unsigned count)
{
    struct ring *ring = distribution->build(servers, count);

    if (ring != NULL)
        ring->distribution = distribution;
    return ring;
}

int distribution_compare_names(struct str a, struct str b)
{
    if (a.len != b.len)
        return a.len < b.len ? -1 : 1;
    return memcmp(a.data, b.data, a.len);
}

struct str hash_tag_cut(struct str key, const char tag[2])
{
    const char *end = key.data + key.len;
    const char *open = memchr(key.data, tag[0], key.len);
    const char *shut;

    if (open == NULL)
        return key;
    open++;
    shut = memchr(open, tag[1], (size_t)(end - open));
    if (shut == NULL || shut == open)
        return key;
    return (struct str){open, (size_t)(shut - open)};
}
