/*
 * What the store tells those who watch it.
 */
#include "cachenode/store/internal.h"

/* What its line shows of the item itself. */
static struct watch_event event_of(const struct store_user *user, enum watch_event_type type,
                                   const struct item *item)
{
    return (struct watch_event){.type = (uint8_t)type,
                                .class_id = (uint8_t)item_class(user->store, item),
                                .value_len = item->value_len,
                                .text = item_key(item)};
}

/* Seconds that are left; below zero when it is over. */
static int64_t ttl_of(const struct store_user *user, uint32_t expires_at, int64_t never)
{
    return expires_at == 0 ? never : (int64_t)expires_at - store_now(user->store);
}

static uint8_t command_of(const struct store_terms *terms)
{
    static const uint8_t commands[] = {
        [STORE_SET] = WATCH_BY_SET,         [STORE_ADD] = WATCH_BY_ADD,
        [STORE_REPLACE] = WATCH_BY_REPLACE, [STORE_APPEND] = WATCH_BY_APPEND,
        [STORE_PREPEND] = WATCH_BY_PREPEND,
    };

    return terms->compares && terms->mode == STORE_SET ? WATCH_BY_CAS : commands[terms->mode];
}

__attribute__((noinline)) void note_look_up(struct store_user *user, struct str key, uint32_t hash)
{
    const struct item *item = hash_table_find(&user->store->table, key, hash);
    struct watch_event event = {
        .type = WATCH_EVENT_ITEM_GET, .status = WATCH_NOT_FOUND, .text = key};

    if (item != NULL) {
        event = event_of(user, WATCH_EVENT_ITEM_GET, item);
        event.status = item_is_flushed(user->store, item)   ? WATCH_FLUSHED
                       : item_is_expired(user->store, item) ? WATCH_EXPIRED
                                                            : WATCH_FOUND;
    }
    watch_note(&user->log, &event);
}

__attribute__((noinline)) void note_store(struct store_user *user, const struct item *item,
                                          enum store_result result, const struct store_terms *terms)
{
    static const uint8_t statuses[] = {
        [STORE_STORED] = WATCH_STORED,           [STORE_NOT_STORED] = WATCH_NOT_STORED,
        [STORE_EXISTS] = WATCH_EXISTS,           [STORE_NOT_FOUND] = WATCH_NOT_FOUND,
        [STORE_OUT_OF_MEMORY] = WATCH_NO_MEMORY,
    };
    struct watch_event event = event_of(user, WATCH_EVENT_ITEM_STORE, item);

    event.status = statuses[result];
    event.command = command_of(terms);
    event.ttl_s = ttl_of(user, item->expires_at, 0);
    watch_note(&user->log, &event);
}

void store_note_refused(struct store_user *user, struct str key, const struct store_terms *terms,
                        const struct item_traits *traits, uint32_t value_len, enum store_room room)
{
    struct watch_event event = {.type = WATCH_EVENT_ITEM_STORE,
                                .status =
                                    room == STORE_TOO_LARGE ? WATCH_TOO_LARGE : WATCH_NO_MEMORY,
                                .command = command_of(terms),
                                .value_len = value_len,
                                .ttl_s = ttl_of(user, traits->expires_at, 0),
                                .text = key};

    if (watch_wants(&user->log, WATCH_MUTATIONS))
        watch_note(&user->log, &event);
}

__attribute__((noinline)) void note_eviction(struct store_user *user, const struct item *item)
{
    struct watch_event event = event_of(user, WATCH_EVENT_EVICTION, item);

    event.was_fetched = item_is(item, ITEM_FETCHED);
    event.ttl_s = ttl_of(user, item->expires_at, -1);
    event.idle_s = item_idle_s(item_peek(item), store_now(user->store));
    watch_note(&user->log, &event);
}

__attribute__((noinline)) void note_delete(struct store_user *user, const struct item *item,
                                           enum watch_command by)
{
    struct watch_event event = event_of(user, WATCH_EVENT_DELETED, item);

    event.command = (uint8_t)by;
    watch_note(&user->log, &event);
}
