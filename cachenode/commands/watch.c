/* watch: makes a client one who is told what happens */
#include "cachenode/commands/commands.h"
#include "cachenode/stats.h"
#include "cachenode/watch/watch.h"

/* The words as bits; 0: one of them is none. */
static uint32_t parse_words(struct str rest)
{
    uint32_t words = 0;
    struct str word;

    while ((word = str_next_word(&rest)).len != 0) {
        uint32_t bit = watch_word_bit(word);

        if (bit == 0)
            return 0;
        words |= bit;
    }
    return words != 0 ? words : WATCH_FETCHERS;
}

static void begin(struct session *session, uint32_t words)
{
    session->sequel = SEQUEL_EVENTS;
    session->watched = words;
}

/* The client hands the connection over when all before is answered, so nothing may be. */
void command_watch(struct session *session, const struct mc_request *request, uint32_t hash)
{
    struct watch *watch = session->source->watch;
    uint32_t words = parse_words(request->rest);

    (void)hash;
    if (watch == NULL)
        session_reply_line(session, "CLIENT_ERROR watch commands not allowed");
    else if (session->out->len != 0)
        session_reply_line(session, "ERROR cannot pipeline other commands before watch");
    else if (words == 0)
        session_reply_line(session, "ERROR");
    else if (!watch_admit(watch))
        session_reply_line(session, "WATCHER_TOO_MANY log watcher limit reached");
    else
        begin(session, words);
}
