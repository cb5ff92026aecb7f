/*
 * Changing what is stored: deleting, touching, counting.
 */
#include "cachenode/store/internal.h"
#include "common/bytes/number.h"

enum store_result store_delete(struct store_user *user, struct str key, uint32_t hash)
{
    struct item *item = store_find(user, key, hash);

    if (item == NULL)
        return STORE_NOT_FOUND;
    store_remove(user, item, hash, WATCH_BY_DELETE);
    store_get_end(user, hash);
    return STORE_STORED;
}

void store_forget(struct store_user *user, struct str key, uint32_t hash)
{
    struct lock *stripe = store_lock_stripe(user->store, hash);
    struct item *item = hash_table_find(&user->store->table, key, hash);

    if (item != NULL)
        item_unlink(user, item, hash);
    lock_give(stripe);
}

enum store_result store_touch(struct store_user *user, struct str key, uint32_t hash,
                              uint32_t expires_at)
{
    struct item *item = store_get(user, key, hash, &expires_at);

    if (item == NULL)
        return STORE_NOT_FOUND;
    store_get_end(user, hash);
    return STORE_STORED;
}

/* The number that a value is: white space and a plus sign before it are fine, and white
 * space ends it. */
static bool value_number(struct item *item, uint64_t *number)
{
    struct str text = {item_value(item), item->value_len};
    size_t end;

    while (text.len != 0 && strchr(" \t\r\n\v\f", text.data[0]) != NULL && text.data[0] != '\0')
        text = str_skip(text, 1);
    if (text.len != 0 && text.data[0] == '+')
        text = str_skip(text, 1);
    for (end = 0; end < text.len && text.data[end] >= '0' && text.data[end] <= '9'; end++)
        ;
    /* A space ends it, and so does a NUL, which strchr finds, too. */
    if (end < text.len && strchr(" \t\r\n\v\f", text.data[end]) == NULL)
        return false;
    return number_parse_u64((struct str){text.data, end}, number);
}

/* Puts another version in the place of *item, which is found. False: there was no memory. */
static bool replace_item(struct store_user *user, struct item **item, uint32_t hash,
                         const struct item_traits *traits, struct str value)
{
    struct item *made;

    if (store_reserve(user, item_key(*item), traits, (uint32_t)value.len, &made) != STORE_ROOM)
        return false;
    memcpy(item_value(made), value.data, value.len);
    if (!item_link(user, made, hash, *item)) {
        store_release(user, made);
        return false;
    }
    *item = made;
    return true;
}

/* In place when it fits and nobody else reads it; else in an item of its own. */
static bool write_number(struct store_user *user, struct item **place, uint32_t hash,
                         uint64_t number, uint64_t own_cas)
{
    struct item *item = *place;
    struct item_traits traits = item_traits_of(user, item);
    char digits[NUMBER_TEXT_MAX];
    size_t len = number_format(digits, number);

    if (own_cas == 0 && traits.own_cas == 0 && len <= item->value_len &&
        __atomic_load_n(&item->refs, __ATOMIC_ACQUIRE) == 1) {
        memcpy(item_value(item), digits, len);
        memset(item_value(item) + len, ' ', item->value_len - len);
        item->cas = item_cas_after(user->store, item);
        item_mark_use(user, item);
        return true;
    }
    traits.own_cas = own_cas;
    return replace_item(user, place, hash, &traits, (struct str){digits, len});
}

enum store_result store_add_to(struct store_user *user, struct item **place, uint32_t hash,
                               uint64_t delta, bool is_decrement, uint64_t own_cas, uint64_t *value)
{
    struct item *item = *place;
    struct store_class_metrics *metrics = &user->classes[item_class(user->store, item)];
    uint64_t number;

    if (item->is_chunked || !value_number(item, &number))
        return STORE_NOT_A_NUMBER;
    if (is_decrement)
        number = number < delta ? 0 : number - delta;
    else
        number += delta;
    if (!write_number(user, place, hash, number, own_cas))
        return STORE_OUT_OF_MEMORY;
    metric_add(is_decrement ? &metrics->decr_hits : &metrics->incr_hits, 1);
    *value = number;
    return STORE_STORED;
}

enum store_result store_add_number(struct store_user *user, struct str key, uint32_t hash,
                                   uint64_t delta, bool is_decrement, uint64_t *value)
{
    struct item *item = store_find(user, key, hash);
    enum store_result result;

    if (item == NULL)
        return STORE_NOT_FOUND;
    result = store_add_to(user, &item, hash, delta, is_decrement, 0, value);
    store_get_end(user, hash);
    return result;
}

/* A copy with another CAS; what is found and its value stay as they are meanwhile. */
static bool copy_with_cas(struct store_user *user, struct item **place, uint32_t hash,
                          uint64_t own_cas)
{
    struct item *item = *place, *made;
    struct item_traits traits = item_traits_of(user, item);
    uint32_t marks = item_peek(item);

    traits.own_cas = own_cas;
    if (store_reserve(user, item_key(item), &traits, item->value_len, &made) != STORE_ROOM)
        return false;
    item_copy_value(user, made, 0, item);
    item_set_used(made, item_peek(made) |
                            (marks & (ITEM_FETCHED | ITEM_ACTIVE | ITEM_STALE | ITEM_TOKEN_SENT)));
    if (!item_link(user, made, hash, item)) {
        store_release(user, made);
        return false;
    }
    *place = made;
    return true;
}

bool store_renew(struct store_user *user, struct item **place, uint32_t hash, uint64_t own_cas)
{
    if (own_cas != 0 || item_is(*place, ITEM_OWN_CAS))
        return copy_with_cas(user, place, hash, own_cas);
    (*place)->cas = item_cas_after(user->store, *place);
    return true;
}

bool store_empty(struct store_user *user, struct item **place, uint32_t hash, uint64_t own_cas)
{
    struct item *item = *place;
    uint32_t marks = item_peek(item);
    struct item_traits traits = item_traits_of(user, item);

    traits.flags = 0;
    /* To keep a CAS through the making of another item is to choose it. */
    traits.own_cas = own_cas != 0 ? own_cas : store_item_cas(user, item);
    if (!replace_item(user, place, hash, &traits, STR("")))
        return false;
    item_set_used(*place, item_peek(*place) | (marks & (ITEM_STALE | ITEM_TOKEN_SENT)));
    return true;
}

void store_remove(struct store_user *user, struct item *item, uint32_t hash, enum watch_command by)
{
    if (watch_wants(&user->log, WATCH_DELETIONS))
        note_delete(user, item, by);
    metric_add(&user->classes[item_class(user->store, item)].delete_hits, 1);
    item_unlink(user, item, hash);
}
