#include <stdlib.h>

#include "cachenode/locks.h"
#include "cachenode/prefixes.h"
#include "common/base/lock.h"
#include "common/hash/hash.h"

enum { BUCKETS = PREFIXES_MAX / 4 };

struct prefix {
    struct prefix *next; /* in its bucket */
    uint64_t counts[PREFIX_COUNTS];
    size_t len;
    char text[];
};

struct prefixes {
    char delimiter;
    bool is_on;       /* atomic */
    struct lock lock; /* guards what follows */
    unsigned count;
    struct prefix *buckets[BUCKETS];
};

struct prefixes *prefixes_create(char delimiter, bool is_on)
{
    struct prefixes *prefixes = calloc(1, sizeof(*prefixes));

    if (prefixes == NULL)
        return NULL;
    prefixes->delimiter = delimiter;
    prefixes->is_on = is_on;
    lock_init(&prefixes->lock, LOCK_prefixes);
    return prefixes;
}

void prefixes_free(struct prefixes *prefixes)
{
    prefixes_clear(prefixes);
    free(prefixes);
}

bool prefixes_are_on(const struct prefixes *prefixes)
{
    return __atomic_load_n(&prefixes->is_on, __ATOMIC_RELAXED);
}

void prefixes_switch(struct prefixes *prefixes, bool is_on)
{
    __atomic_store_n(&prefixes->is_on, is_on, __ATOMIC_RELAXED);
}

char prefixes_delimiter(const struct prefixes *prefixes)
{
    return prefixes->delimiter;
}

/* The one of this text, made if it is new; NULL: there are too many, or no memory. */
static struct prefix *find(struct prefixes *prefixes, struct str text)
{
    struct prefix **bucket = &prefixes->buckets[hash_fnv1a_32(text) % BUCKETS], *prefix;

    for (prefix = *bucket; prefix != NULL; prefix = prefix->next) {
        if (str_equal((struct str){prefix->text, prefix->len}, text))
            return prefix;
    }
    if (prefixes->count == PREFIXES_MAX)
        return NULL;
    prefix = malloc(sizeof(*prefix) + text.len);
    if (prefix == NULL)
        return NULL;
    *prefix = (struct prefix){.next = *bucket, .len = text.len};
    memcpy(prefix->text, text.data, text.len);
    *bucket = prefix;
    prefixes->count++;
    return prefix;
}

void prefixes_note(struct prefixes *prefixes, struct str key, enum prefix_count what)
{
    const char *delimiter = memchr(key.data, prefixes->delimiter, key.len);
    struct prefix *prefix;

    if (delimiter == NULL)
        return;
    lock_take(&prefixes->lock);
    prefix = find(prefixes, (struct str){key.data, (size_t)(delimiter - key.data)});
    if (prefix != NULL)
        prefix->counts[what]++;
    lock_give(&prefixes->lock);
}

void prefixes_note_get(struct prefixes *prefixes, struct str key, bool is_hit)
{
    prefixes_note(prefixes, key, PREFIX_GETS);
    if (is_hit)
        prefixes_note(prefixes, key, PREFIX_HITS);
}

void prefixes_visit(struct prefixes *prefixes,
                    void (*visit)(void *arg, struct str prefix, const uint64_t *counts), void *arg)
{
    lock_take(&prefixes->lock);
    for (unsigned i = 0; i < BUCKETS; i++) {
        for (struct prefix *each = prefixes->buckets[i]; each != NULL; each = each->next)
            visit(arg, (struct str){each->text, each->len}, each->counts);
    }
    lock_give(&prefixes->lock);
}

void prefixes_clear(struct prefixes *prefixes)
{
    lock_take(&prefixes->lock);
    for (unsigned i = 0; i < BUCKETS; i++) {
        struct prefix *each = prefixes->buckets[i], *next;

        for (; each != NULL; each = next) {
            next = each->next;
            free(each);
        }
        prefixes->buckets[i] = NULL;
    }
    prefixes->count = 0;
    lock_give(&prefixes->lock);
}
