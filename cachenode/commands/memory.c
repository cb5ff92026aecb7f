/* cache_memlimit slabs lru: how memory is shared out, changed while it is in use */
#include <math.h>
#include <stdlib.h>

#include "cachenode/commands/commands.h"
#include "cachenode/settings.h"
#include "cachenode/stats.h"
#include "common/bytes/number.h"

enum { WORDS_MAX = 8, MEMORY_MIN_MB = 8, MEMORY_MAX_MB = 1000000000, PCT_MAX = 80 };

static const char error[] = "ERROR", ok[] = "OK",
                  bad_line[] = "CLIENT_ERROR bad command line format";

struct words {
    unsigned count;
    struct str of[WORDS_MAX];
};

/* A command's second word: how many words there are then at least, and what it does. */
struct verb {
    struct str name;
    unsigned count;
    const char *(*run)(struct session *session, const struct words *words);
};

static struct words words_of(const struct mc_request *request)
{
    struct str rest = request->rest, word;
    struct words words = {.count = 0};

    while (words.count < WORDS_MAX && (word = str_next_word(&rest)).len != 0)
        words.of[words.count++] = word;
    return words;
}

/* A decimal number as strtod takes it; false: it is none, or not finite. */
static bool parse_decimal(struct str word, double *value)
{
    char text[64], *end;

    if (word.len == 0 || word.len >= sizeof(text))
        return false;
    memcpy(text, word.data, word.len);
    text[word.len] = '\0';
    *value = strtod(text, &end);
    return *end == '\0' && isfinite(*value);
}

static void run_verb(struct session *session, const struct mc_request *request,
                     const struct verb *verbs, size_t count)
{
    struct words words = words_of(request);
    const char *answer = error;

    for (size_t i = 0; i < count; i++) {
        if (words.count >= verbs[i].count && str_equal(words.of[0], verbs[i].name))
            answer = verbs[i].run(session, &words);
    }
    if (!str_equal(words.of[words.count == 0 ? 0 : words.count - 1], STR("noreply")))
        session_reply_line(session, answer);
}

/* --- cache_memlimit --- */

void command_cache_memlimit(struct session *session, const struct mc_request *request,
                            uint32_t hash)
{
    struct words words = words_of(request);
    const char *answer = ok;
    uint64_t megabytes;

    (void)hash;
    if (words.count == 0 || !number_parse_u64(words.of[0], &megabytes))
        answer = error;
    else if (megabytes < MEMORY_MIN_MB)
        answer = "MEMLIMIT_TOO_SMALL cannot set maxbytes to less than 8m";
    else if (megabytes > MEMORY_MAX_MB)
        answer = "MEMLIMIT_ADJUST_FAILED input value is megabytes not bytes";
    else if (!store_set_memory(session->user->store, megabytes << 20))
        answer = "MEMLIMIT_ADJUST_FAILED out of bounds or unable to adjust";
    if (words.count < 2 || !str_equal(words.of[1], STR("noreply")))
        session_reply_line(session, answer);
}

/* --- slabs --- */

static const char *slabs_reassign(struct session *session, const struct words *words)
{
    static const char *const answers[] = {
        [STORE_REASSIGN_OK] = ok,
        [STORE_REASSIGN_BUSY] = "BUSY currently processing reassign request",
        [STORE_REASSIGN_BAD_CLASS] = "BADCLASS invalid src or dst class id",
        [STORE_REASSIGN_NO_SPARE] = "NOSPARE source class has no spare pages",
        [STORE_REASSIGN_SAME] = "SAME src and dst class are identical",
    };
    int64_t from, to;

    if (!session->source->settings->slab_reassign)
        return "CLIENT_ERROR slab reassignment disabled";
    if (!number_parse_i64(words->of[1], &from) || !number_parse_i64(words->of[2], &to))
        return bad_line;
    return answers[store_reassign(session->user, from, to)];
}

static const char *set_automove(struct session *session, const struct store_tuning *tuning)
{
    store_set_tuning(session->user->store, tuning);
    return ok;
}

static const char *slabs_automove(struct session *session, const struct words *words)
{
    struct str what = words->of[1], value = words->of[2];
    struct store_tuning tuning;
    double factor;
    uint64_t number;

    store_get_tuning(session->user->store, &tuning);
    if (number_parse_u64(what, &number)) {
        if (words->count > 2 && !str_equal(value, STR("noreply")))
            return bad_line;
        if (number > STORE_AUTOMOVE_EAGER)
            return error;
        tuning.automove = (uint32_t)number;
        return set_automove(session, &tuning);
    }
    if (str_equal(what, STR("window"))) {
        if (words->count < 3)
            return error;
        if (!number_parse_u64(value, &number))
            return bad_line;
        if (number < SLAB_WINDOW_MIN || number > SLAB_WINDOW_MAX)
            return "CLIENT_ERROR automove window too low or too high";
        tuning.automove_window = (uint32_t)number;
        return set_automove(session, &tuning);
    }
    if (!str_equal(what, STR("ratio")) && !str_equal(what, STR("freeratio")))
        return bad_line;
    if (words->count < 3 || !parse_decimal(value, &factor) || factor <= 0 || factor > 1)
        return error;
    /* The other ratio is about flash, which there is none of. */
    if (str_equal(what, STR("ratio")))
        tuning.automove_ratio = factor;
    return set_automove(session, &tuning);
}

void command_slabs(struct session *session, const struct mc_request *request, uint32_t hash)
{
    static const struct verb verbs[] = {
        {{"reassign", 8}, 3, slabs_reassign},
        {{"automove", 8}, 2, slabs_automove},
    };

    (void)hash;
    run_verb(session, request, verbs, sizeof(verbs) / sizeof(verbs[0]));
}

/* --- lru --- */

static const char *lru_mode(struct session *session, const struct words *words)
{
    struct store_tuning tuning;
    bool is_segmented = str_equal(words->of[1], STR("segmented"));

    if (!is_segmented && !str_equal(words->of[1], STR("flat")))
        return error;
    store_get_tuning(session->user->store, &tuning);
    tuning.is_segmented = is_segmented;
    store_set_tuning(session->user->store, &tuning);
    return ok;
}

static const char *lru_tune(struct session *session, const struct words *words)
{
    struct store_tuning tuning;

    store_get_tuning(session->user->store, &tuning);
    if (!number_parse_u32(words->of[1], &tuning.hot_pct) ||
        !number_parse_u32(words->of[2], &tuning.warm_pct) ||
        !parse_decimal(words->of[3], &tuning.hot_max_factor) ||
        !parse_decimal(words->of[4], &tuning.warm_max_factor))
        return error;
    if ((uint64_t)tuning.hot_pct + tuning.warm_pct > PCT_MAX)
        return "ERROR hot and warm pcts must not exceed 80";
    if (tuning.hot_max_factor <= 0 || tuning.warm_max_factor <= 0)
        return "ERROR hot/warm age factors must be greater than 0";
    store_set_tuning(session->user->store, &tuning);
    return ok;
}

static const char *lru_temp_ttl(struct session *session, const struct words *words)
{
    struct store_tuning tuning;
    int64_t ttl_s;

    if (!number_parse_i64(words->of[1], &ttl_s) || ttl_s > INT32_MAX)
        return error;
    store_get_tuning(session->user->store, &tuning);
    tuning.has_temporary = ttl_s >= 0;
    if (ttl_s >= 0)
        tuning.temporary_ttl_s = (uint32_t)ttl_s;
    store_set_tuning(session->user->store, &tuning);
    return ok;
}

void command_lru(struct session *session, const struct mc_request *request, uint32_t hash)
{
    static const struct verb verbs[] = {
        {{"mode", 4}, 2, lru_mode},
        {{"tune", 4}, 5, lru_tune},
        {{"temp_ttl", 8}, 2, lru_temp_ttl},
    };
    bool has_segments = session->source->settings->lru_maintainer;

    (void)hash;
    run_verb(session, request, verbs, has_segments ? sizeof(verbs) / sizeof(verbs[0]) : 0);
}
