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

/* With its stripe locked: appends a VALUE block, in one go if it is small. */
static bool append_item(struct session *session, struct item *item, const uint64_t *cas)
{
    struct str key = item_key(item);
    size_t line_max = MC_VALUE_LINE_MAX(key.len), len;
    bool is_small = item->value_len <= CHAIN_COPY_MAX && !item->is_chunked;
    char *out = chain_reserve(session->out, line_max + (is_small ? item->value_len + 2 : 0));

    if (out == NULL)
        return false;
    len = mc_text_write_value(out, key, item_flags(item), item->value_len, cas);
    if (is_small) {
        memcpy(out + len, item_value(item), item->value_len);
        len += item->value_len;
        out[len++] = '\r';
        out[len++] = '\n';
    }
    chain_commit(session->out, len);
    return is_small ||
           (command_append_value(session, item) && chain_copy(session->out, STR("\r\n")));
}

static bool answer_key(struct session *session, struct str key, uint32_t hash, bool with_cas,
                       const uint32_t *expires_at)
{
    struct item *item = store_get(session->user, key, hash, expires_at);
    uint64_t cas;
    bool is_fine;

    if (item == NULL)
        return false;
    cas = store_item_cas(session->user, item);
    is_fine = append_item(session, item, with_cas ? &cas : NULL);
    store_get_end(session->user, hash);
    if (!is_fine)
        session->wants_close = true;
    return true;
}

/* Answers all keys in order and returns how many were found. */
static uint32_t answer_keys(struct session *session, const struct mc_request *request,
                            uint32_t first_hash, const uint32_t *expires_at)
{
    const struct store *store = session->user->store;
    bool with_cas = (request->command->traits & MC_WITH_CAS) != 0;
    struct str rest = request->keys, keys[KEY_BATCH];
    uint32_t hashes[KEY_BATCH], hits = 0;

    if (request->key_count == 1)
        return answer_key(session, request->keys, first_hash, with_cas, expires_at);
    for (;;) {
        unsigned count = 0;

        while (count < KEY_BATCH && mc_key_next(&rest, &keys[count])) {
            hashes[count] = store_hash(keys[count]);
            store_prefetch_bucket(store, hashes[count++]);
        }
        if (count == 0)
            return hits;
        for (unsigned i = 0; i < count; i++)
            store_prefetch_item(store, hashes[i]);
        for (unsigned i = 0; i < count; i++)
            hits += answer_key(session, keys[i], hashes[i], with_cas, expires_at);
    }
}

/* The same one by one, each counted by its prefix. */
static __attribute__((noinline)) uint32_t answer_and_note(struct session *session,
                                                          const struct mc_request *request,
                                                          const uint32_t *expires_at)
{
    struct mc_request single = *request;
    struct str rest = request->keys;
    uint32_t hits = 0;

    single.key_count = 1;
    while (mc_key_next(&rest, &single.keys)) {
        bool is_hit = answer_keys(session, &single, store_hash(single.keys), expires_at) != 0;

        prefixes_note_get(session->prefixes, single.keys, is_hit);
        hits += is_hit;
    }
    return hits;
}

static uint32_t answer(struct session *session, const struct mc_request *request, uint32_t hash,
                       const uint32_t *expires_at)
{
    return session->prefixes == NULL ? answer_keys(session, request, hash, expires_at)
                                     : answer_and_note(session, request, expires_at);
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
