/* get gets gat gats */
#include "cachenode/commands/commands.h"

/* Keys looked up together: their cache lines are fetched side by side. */
enum { KEY_BATCH = 32 };

bool command_append_value(struct session *session, struct item *item)
{
    size_t done = 0, len;
    char *piece;

    while ((len = store_value_piece(session->user, item, done, &piece)) != 0) {
        struct str bytes = {piece, len};
        bool is_fine = store_can_hold(item)
                           ? chain_append(session->out, bytes, &session->user->keeper, item)
                           : chain_copy(session->out, bytes);

        if (!is_fine)
            return false;
        done += len;
        if (done == item->value_len)
            break;
    }
    return true;
}

/* What stands behind the VALUE line of a large value. */
static __attribute__((noinline)) bool append_rest(struct session *session, struct item *item)
{
    return command_append_value(session, item) && chain_copy(session->out, STR("\r\n"));
}

/* With its stripe locked: appends a VALUE block, in one go if it is small. */
static bool append_item(struct session *session, struct item *item, const uint64_t *cas)
{
    struct str key = item_key(item);
    size_t len_max = MC_VALUE_LINE_MAX(key.len);
    bool is_small = item->value_len <= CHAIN_COPY_MAX && !item->is_chunked;
    char *out = chain_reserve(session->out, len_max + (is_small ? item->value_len + 2 : 0)), *end;

    if (out == NULL)
        return false;
    end = out + mc_text_write_value(out, key, item_flags(item), item->value_len, cas);
    if (is_small) {
        end = str_copy(end, (struct str){item_value(item), item->value_len});
        end = str_copy(end, STR("\r\n"));
    }
    chain_commit(session->out, (size_t)(end - out));
    return is_small || append_rest(session, item);
}

struct look_up {
    struct str key;
    uint32_t hash;
    const struct bucket *bucket; /* to be fetched ahead */
};

/* Answers keys in order and returns how many were found. One piece of code: the calls between
 * its parts would cost as much as some of them. */
__attribute__((noinline, flatten)) static uint32_t answer_some(struct session *session,
                                                               const struct look_up *look_ups,
                                                               unsigned count, bool with_cas,
                                                               const uint32_t *expires_at)
{
    struct store_user *user = session->user;
    uint32_t hits = 0;

    for (const struct look_up *each = look_ups; each < look_ups + count; each++) {
        struct item *item = store_get(user, each->key, each->hash, expires_at);
        uint64_t cas;

        if (item == NULL)
            continue;
        if (with_cas)
            cas = store_item_cas(user, item);
        if (!append_item(session, item, with_cas ? &cas : NULL))
            session->wants_close = true;
        store_get_end(user, each->hash);
        hits++;
    }
    return hits;
}

/* The same for a list of keys, whose cache lines are fetched side by side. */
static uint32_t answer_list(struct session *session, struct str list, bool with_cas,
                            const uint32_t *expires_at)
{
    const struct store *store = session->user->store;
    struct look_up batch[KEY_BATCH];
    uint32_t hits = 0;

    while (list.len != 0) {
        unsigned count = 0;

        for (; count < KEY_BATCH && mc_key_next(&list, &batch[count].key); count++) {
            batch[count].hash = store_hash(batch[count].key);
            batch[count].bucket = store_prefetch_bucket(store, batch[count].hash);
        }
        for (unsigned i = 0; i < count; i++)
            store_prefetch_item(store, batch[i].bucket, batch[i].hash);
        hits += answer_some(session, batch, count, with_cas, expires_at);
    }
    return hits;
}

/* The same one by one, each counted by its prefix. */
static uint32_t answer_and_note(struct session *session, struct str list, bool with_cas,
                                const uint32_t *expires_at)
{
    struct look_up one;
    uint32_t hits = 0;

    while (mc_key_next(&list, &one.key)) {
        bool is_hit;

        one.hash = store_hash(one.key);
        is_hit = answer_some(session, &one, 1, with_cas, expires_at) != 0;
        prefixes_note_get(session->prefixes, one.key, is_hit);
        hits += is_hit;
    }
    return hits;
}

/* Answers all keys in order and returns how many were found. */
static inline uint32_t answer(struct session *session, const struct mc_request *request,
                              uint32_t hash, const uint32_t *expires_at)
{
    bool with_cas = (request->command->traits & MC_WITH_CAS) != 0;

    if (session->prefixes != NULL)
        return answer_and_note(session, request->keys, with_cas, expires_at);
    if (request->key_count > 1)
        return answer_list(session, request->keys, with_cas, expires_at);
    return answer_some(session, &(struct look_up){.key = request->keys, .hash = hash}, 1, with_cas,
                       expires_at);
}

/* get, gets: a VALUE for each key that is there, in the order asked; then END. */
void command_get(struct session *session, const struct mc_request *request, uint32_t hash)
{
    uint32_t hits = answer(session, request, hash, NULL);

    metric_add(&session->metrics->cmd_get, request->key_count);
    metric_add(&session->metrics->get_hits, hits);
    metric_add(&session->metrics->get_misses, request->key_count - hits);
    session_reply(session, STR("END\r\n"));
}

/* gat, gats: the same, and each item found gets a new expiry. */
void command_gat(struct session *session, const struct mc_request *request, uint32_t hash)
{
    uint32_t expires_at = store_expiry(session->user->store, request->exptime);
    uint32_t hits = answer(session, request, hash, &expires_at);

    metric_add(&session->metrics->cmd_touch, request->key_count);
    metric_add(&session->metrics->touch_hits, hits);
    metric_add(&session->metrics->touch_misses, request->key_count - hits);
    session_reply(session, STR("END\r\n"));
}
