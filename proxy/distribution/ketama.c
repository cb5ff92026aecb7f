/*
 * Ketama: each server owns points on a circle of 32-bit numbers, and a key belongs to
 * the first point at or after its hash, so that few keys move when a server comes or goes.
 *
 * As nutcracker does it: about 160 points for an average share of weight, four from each
 * MD5 digest of "NAME-i". The number of points comes from sums in single precision, whose
 * rounding is part of the contract: 25 equal servers have 156 points each, not 160. And with
 * each server the others' numbers may change; those of the fixed variant do not.
 * Recorded mappings to compare with: tests/vectors. Origin: R. Jones, "libketama", 2007.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/hash/hash.h"
#include "proxy/distribution/distribution.h"

enum { POINTS_PER_SERVER = 160, POINTS_PER_DIGEST = 4, NAME_MAX_LEN = 272 };

static unsigned digest_count(uint32_t weight, uint64_t total, unsigned server_count)
{
    /* volatile: every step is rounded to float, whatever registers the compiler likes. */
    volatile float share = (float)weight / (float)total;
    volatile float scaled = share * (float)POINTS_PER_SERVER;

    scaled = scaled / (float)POINTS_PER_DIGEST;
    scaled = scaled * (float)server_count;
    scaled = (float)((double)scaled + 1e-10);
    return (unsigned)floorf(scaled);
}

static void add_points(struct ring *ring, const struct ring_server *server, unsigned digests)
{
    char text[NAME_MAX_LEN + 1];

    for (unsigned i = 0; i < digests; i++) {
        int len = snprintf(text, sizeof(text), "%.*s-%u", STR_ARG(server->name), i);
        size_t used = (size_t)len < sizeof(text) ? (size_t)len : sizeof(text) - 1;
        uint8_t digest[16];

        hash_md5_digest((struct str){text, used}, digest);
        for (unsigned p = 0; p < POINTS_PER_DIGEST; p++) {
            const uint8_t *b = digest + 4 * p;

            ring->points[ring->count++] = (struct ring_point){
                (uint32_t)b[0] | (uint32_t)b[1] << 8 | (uint32_t)b[2] << 16 | (uint32_t)b[3] << 24,
                server->index};
        }
    }
}

static int compare_points(const void *a, const void *b)
{
    const struct ring_point *p = a, *q = b;

    if (p->value != q->value)
        return p->value < q->value ? -1 : 1;
    return p->server < q->server ? -1 : p->server > q->server;
}

/* The points are spread evenly: with 25 servers a look-up begins some eight before its end. */
static void set_starts(struct ring *ring)
{
    unsigned point = 0;

    for (uint32_t part = 0; part < RING_PARTS; part++) {
        while (point < ring->count && ring->points[point].value >> 24 < part)
            point++;
        ring->starts[part] = point;
    }
}

/* Nutcracker's number, or that of ring_points: fixed. */
typedef unsigned digest_counter(uint32_t weight, uint64_t total, unsigned server_count);

static unsigned fixed_digest_count(uint32_t weight, uint64_t total, unsigned server_count)
{
    (void)total;
    (void)server_count;
    return weight * (RING_POINTS_FIXED / POINTS_PER_DIGEST);
}

static struct ring *build(const struct ring_server *servers, unsigned count,
                          digest_counter *digests_of)
{
    uint64_t total = 0;
    unsigned point_count = 0;
    struct ring *ring;

    for (unsigned i = 0; i < count; i++)
        total += servers[i].weight;
    for (unsigned i = 0; i < count; i++)
        point_count += digests_of(servers[i].weight, total, count) * POINTS_PER_DIGEST;
    ring = ring_create(point_count, 0);
    if (ring == NULL)
        return NULL;
    for (unsigned i = 0; i < count; i++)
        add_points(ring, &servers[i], digests_of(servers[i].weight, total, count));
    qsort(ring->points, ring->count, sizeof(ring->points[0]), compare_points);
    set_starts(ring);
    return ring;
}

static struct ring *ketama_build(const struct ring_server *servers, unsigned count)
{
    return build(servers, count, digest_count);
}

static struct ring *ketama_build_fixed(const struct ring_server *servers, unsigned count)
{
    return build(servers, count, fixed_digest_count);
}

static uint32_t ketama_find(const struct ring *ring, uint32_t hash)
{
    unsigned i = ring->starts[hash >> 24];

    while (i < ring->count && ring->points[i].value < hash)
        i++;
    return i < ring->count ? i : 0;
}

const struct distribution distribution_ketama = {"ketama", RING_CIRCLE, ketama_build, ketama_find};
const struct distribution distribution_ketama_fixed = {"ketama", RING_CIRCLE, ketama_build_fixed,
                                                       ketama_find};
