/* set add replace append prepend cas */
#include "cachenode/commands/commands.h"

static enum store_mode mode_of(const struct mc_command *command)
{
    switch ((enum mc_command_id)command->id) {
    case MC_ADD:
        return STORE_ADD;
    case MC_REPLACE:
        return STORE_REPLACE;
    case MC_APPEND:
        return STORE_APPEND;
    case MC_PREPEND:
        return STORE_PREPEND;
    case MC_CAS:
        return STORE_CAS;
    default:
        return STORE_SET;
    }
}

bool command_store_begin(struct session *session, const struct mc_request *request, uint32_t hash,
                         struct item **item)
{
    uint32_t expires_at = store_expiry(session->user->store, request->exptime);
    enum store_room room = store_reserve(session->user, request->keys, request->flags, expires_at,
                                         (uint32_t)(request->body_len - 2), item);

    if (room == STORE_ROOM)
        return true;
    if (!request->noreply)
        session_reply(session, room == STORE_TOO_LARGE
                                   ? STR("SERVER_ERROR object too large for cache\r\n")
                                   : STR("SERVER_ERROR out of memory storing object\r\n"));
    /* Better no value than the one that the client meant to replace. */
    if (request->command->id == MC_SET)
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

static void count_cas(struct worker_metrics *metrics, enum store_result result)
{
    if (result == STORE_STORED)
        metric_add(&metrics->cas_hits, 1);
    else if (result == STORE_EXISTS)
        metric_add(&metrics->cas_badval, 1);
    else if (result == STORE_NOT_FOUND)
        metric_add(&metrics->cas_misses, 1);
}

void command_store_end(struct session *session, const struct mc_command *command, bool noreply,
                       uint64_t cas, uint32_t hash, struct item *item, bool ends_well)
{
    enum store_result result;

    metric_add(&session->metrics->cmd_set, 1);
    if (!ends_well) {
        store_release(session->user, item);
        session_reply(session, STR("CLIENT_ERROR bad data chunk\r\n"));
        return;
    }
    result = store_put(session->user, item, hash, mode_of(command), cas);
    if (command->id == MC_CAS)
        count_cas(session->metrics, result);
    if (!noreply)
        session_reply(session, answers[result]);
}
