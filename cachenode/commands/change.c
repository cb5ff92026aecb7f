/* touch delete incr decr */
#include "cachenode/commands/commands.h"
#include "common/bytes/number.h"

void command_touch(struct session *session, const struct mc_request *request, uint32_t hash)
{
    uint32_t expires_at = store_expiry(session->user->store, request->exptime);
    bool is_hit = store_touch(session->user, request->keys, hash, expires_at) == STORE_STORED;

    metric_add(&session->metrics->cmd_touch, 1);
    metric_add(is_hit ? &session->metrics->touch_hits : &session->metrics->touch_misses, 1);
    if (!request->noreply)
        session_reply(session, is_hit ? STR("TOUCHED\r\n") : STR("NOT_FOUND\r\n"));
}

void command_delete(struct session *session, const struct mc_request *request, uint32_t hash)
{
    bool is_hit = store_delete(session->user, request->keys, hash) == STORE_STORED;

    session_note_key(session, request->keys, PREFIX_DELETES);
    metric_add(is_hit ? &session->metrics->delete_hits : &session->metrics->delete_misses, 1);
    if (!request->noreply)
        session_reply(session, is_hit ? STR("DELETED\r\n") : STR("NOT_FOUND\r\n"));
}

static struct str number_answer(enum store_result result, uint64_t value, char *room)
{
    size_t len;

    switch (result) {
    case STORE_STORED:
        len = number_format(room, value);
        memcpy(room + len, "\r\n", 2);
        return (struct str){room, len + 2};
    case STORE_NOT_FOUND:
        return STR("NOT_FOUND\r\n");
    case STORE_NOT_A_NUMBER:
        return STR("CLIENT_ERROR cannot increment or decrement non-numeric value\r\n");
    default:
        return STR("SERVER_ERROR out of memory\r\n");
    }
}

void command_add_number(struct session *session, const struct mc_request *request, uint32_t hash)
{
    struct worker_metrics *metrics = session->metrics;
    bool is_decrement = request->command->id == MC_DECR;
    uint64_t value = 0;
    enum store_result result =
        store_add_number(session->user, request->keys, hash, request->number, is_decrement, &value);
    char room[NUMBER_TEXT_MAX + 2];

    if (result == STORE_STORED)
        metric_add(is_decrement ? &metrics->decr_hits : &metrics->incr_hits, 1);
    else if (result == STORE_NOT_FOUND)
        metric_add(is_decrement ? &metrics->decr_misses : &metrics->incr_misses, 1);
    if (!request->noreply)
        session_reply(session, number_answer(result, value, room));
}
