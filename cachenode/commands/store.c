/* set add replace append prepend cas, and what ms has in common with them */
#include "cachenode/commands/commands.h"

static const struct store_terms terms_of[MC_COMMAND_COUNT] = {
    [MC_SET] = {.mode = STORE_SET},         [MC_ADD] = {.mode = STORE_ADD},
    [MC_REPLACE] = {.mode = STORE_REPLACE}, [MC_APPEND] = {.mode = STORE_APPEND},
    [MC_PREPEND] = {.mode = STORE_PREPEND}, [MC_CAS] = {.mode = STORE_SET, .compares = true},
};

bool command_store_begin(struct session *session, const struct mc_request *request, uint32_t hash,
                         struct item **item)
{
    struct store *store = session->user->store;
    struct item_traits traits = {.flags = request->flags};
    struct store_terms terms;
    enum store_room room;

    if (request->command->id == MC_MS)
        command_meta_store_reserve(request, &traits, store);
    else
        traits.expires_at = store_expiry(store, request->exptime);
    room = store_reserve(session->user, request->keys, &traits, (uint32_t)(request->body_len - 2),
                         item);
    session_note_key(session, request->keys, PREFIX_SETS);
    if (room == STORE_ROOM)
        return true;
    terms = request->command->id == MC_MS ? command_meta_store_terms(request)
                                          : terms_of[request->command->id];
    store_note_refused(session->user, request->keys, &terms, &traits,
                       (uint32_t)(request->body_len - 2), room);
    if (!request->noreply)
        session_reply(session, room == STORE_TOO_LARGE
                                   ? STR("SERVER_ERROR object too large for cache\r\n")
                                   : STR("SERVER_ERROR out of memory storing object\r\n"));
    /* Better no value than the one that the client meant to replace. */
    if (request->command->id == MC_SET || request->command->id == MC_MS)
        store_forget(session->user, request->keys, hash);
    return false;
}

static const struct str answers[] = {
    [STORE_STORED] = {"STORED\r\n", 8},
    [STORE_NOT_STORED] = {"NOT_STORED\r\n", 12},
    [STORE_EXISTS] = {"EXISTS\r\n", 8},
    [STORE_NOT_FOUND] = {"NOT_FOUND\r\n", 11},
    [STORE_OUT_OF_MEMORY] = {"SERVER_ERROR out of memory storing object\r\n", 43},
};

void command_count_cas(struct worker_metrics *metrics, enum store_result result)
{
    if (result == STORE_STORED)
        metric_add(&metrics->cas_hits, 1);
    else if (result == STORE_EXISTS)
        metric_add(&metrics->cas_badval, 1);
    else if (result == STORE_NOT_FOUND)
        metric_add(&metrics->cas_misses, 1);
}

static void store_classic(struct session *session, const struct mc_request *request, uint32_t hash,
                          struct item *item)
{
    const struct store_terms *terms = &terms_of[request->command->id];
    struct store_terms with_cas;
    enum store_result result;

    if (terms->compares) {
        with_cas = *terms;
        with_cas.cas = request->number;
        terms = &with_cas;
    }
    result = store_put(session->user, item, hash, terms, NULL);
    if (terms->compares)
        command_count_cas(session->metrics, result);
    if (!request->noreply)
        session_reply(session, answers[result]);
}

void command_store_end(struct session *session, const struct mc_request *request, uint32_t hash,
                       struct item *item, bool ends_well)
{
    metric_add(&session->metrics->cmd_set, 1);
    if (!ends_well) {
        store_release(session->user, item);
        session_reply(session, STR("CLIENT_ERROR bad data chunk\r\n"));
    } else if (request->command->id == MC_MS) {
        command_meta_store_end(session, request, hash, item);
    } else {
        store_classic(session, request, hash, item);
    }
}
