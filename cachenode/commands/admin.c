/* flush_all version verbosity mn quit */
#include <signal.h>
#include <unistd.h>

#include "cachenode/commands/commands.h"
#include "cachenode/settings.h"
#include "cachenode/stats.h"
#include "common/base/log.h"
#include "common/base/version.h"
#include "common/bytes/number.h"

/* The words behind the name, less a `noreply` at the end. */
static struct str arguments_of(const struct mc_request *request, bool *noreply)
{
    static const struct str word = {"noreply", 7};
    struct str rest = request->rest;

    while (rest.len != 0 && rest.data[rest.len - 1] == ' ')
        rest.len--;
    *noreply = rest.len >= word.len &&
               memcmp(rest.data + rest.len - word.len, word.data, word.len) == 0 &&
               (rest.len == word.len || rest.data[rest.len - word.len - 1] == ' ');
    if (*noreply)
        rest.len -= word.len;
    return rest;
}

static void flush(struct store_user *user, int64_t delay)
{
    store_flush(user->store, delay <= 0 ? 0 : store_expiry(user->store, delay));
    if (delay <= 0)
        store_sweep_flushed(user);
}

void command_flush_all(struct session *session, const struct mc_request *request, uint32_t hash)
{
    bool noreply;
    struct str rest = arguments_of(request, &noreply), word = str_next_word(&rest);
    int64_t delay = 0;
    const char *answer = "OK";

    (void)hash;
    metric_add(&session->metrics->cmd_flush, 1);
    if (!session->source->settings->flush_enabled)
        answer = "CLIENT_ERROR flush_all not allowed";
    else if (word.len != 0 && !number_parse_i64(word, &delay))
        answer = "CLIENT_ERROR invalid exptime argument";
    else
        flush(session->user, delay);
    if (!noreply)
        session_reply_line(session, answer);
}

void command_version(struct session *session, const struct mc_request *request, uint32_t hash)
{
    (void)request;
    (void)hash;
    session_reply(session, STR("VERSION " MEMCACHED_VERSION "\r\n"));
}

void command_verbosity(struct session *session, const struct mc_request *request, uint32_t hash)
{
    bool noreply;
    struct str rest = arguments_of(request, &noreply);
    uint32_t level;
    bool is_fine = number_parse_u32(str_next_word(&rest), &level);

    (void)hash;
    if (is_fine)
        log_set_level(stats_log_level(level));
    if (!noreply)
        session_reply(session,
                      is_fine ? STR("OK\r\n") : STR("CLIENT_ERROR bad command line format\r\n"));
}

void command_shutdown(struct session *session, const struct mc_request *request, uint32_t hash)
{
    struct str rest = request->rest, mode = str_next_word(&rest);
    bool is_graceful = str_equal(mode, STR("graceful"));

    (void)hash;
    if (!session->source->settings->shutdown_enabled) {
        session_reply(session, STR("SERVER_ERROR: shutdown not enabled\r\n"));
    } else if (mode.len != 0 && !is_graceful) {
        session_reply(session, STR("CLIENT_ERROR invalid shutdown mode\r\n"));
    } else {
        session->wants_close = true;
        kill(getpid(), is_graceful ? SIGUSR1 : SIGINT);
    }
}

/* As of a memcached that was started without TLS. */
void command_refresh_certs(struct session *session, const struct mc_request *request, uint32_t hash)
{
    (void)request;
    (void)hash;
    session_reply(session, STR("Error TLS not enabled\r\n"));
}

void command_mn(struct session *session, const struct mc_request *request, uint32_t hash)
{
    (void)request;
    (void)hash;
    session_reply(session, STR("MN\r\n"));
}

void command_quit(struct session *session, const struct mc_request *request, uint32_t hash)
{
    (void)request;
    (void)hash;
    session->wants_close = true;
}
