/* lru_crawler: what is over is freed without a command; and dumps of all keys */
#include <inttypes.h>
#include <stdio.h>

#include "cachenode/commands/commands.h"
#include "cachenode/commands/dump.h"
#include "cachenode/settings.h"
#include "cachenode/stats.h"
#include "common/base/clock.h"
#include "common/bytes/base64.h"
#include "common/bytes/number.h"
#include "common/bytes/uri.h"

enum { SLEEP_MAX_US = 1000000, CLASS_MAX = 63 };

static const char ok[] = "OK", error[] = "ERROR",
                  bad_line[] = "CLIENT_ERROR bad command line format";

/* --- switches --- */

static const char *switch_on(struct session *session, bool is_on)
{
    struct store_tuning tuning;

    store_get_tuning(session->user->store, &tuning);
    if (is_on && tuning.crawls)
        return "ERROR failed to start lru crawler thread";
    tuning.crawls = is_on;
    store_set_tuning(session->user->store, &tuning);
    return ok;
}

static const char *run_enable(struct session *session, struct str argument)
{
    (void)argument;
    return switch_on(session, true);
}

static const char *run_disable(struct session *session, struct str argument)
{
    (void)argument;
    return switch_on(session, false);
}

static const char *run_sleep(struct session *session, struct str argument)
{
    struct store_tuning tuning;

    store_get_tuning(session->user->store, &tuning);
    if (!number_parse_u32(argument, &tuning.crawl_sleep_us))
        return bad_line;
    if (tuning.crawl_sleep_us > SLEEP_MAX_US)
        return "CLIENT_ERROR sleep must be one second or less";
    store_set_tuning(session->user->store, &tuning);
    return ok;
}

static const char *run_tocrawl(struct session *session, struct str argument)
{
    struct store_tuning tuning;

    store_get_tuning(session->user->store, &tuning);
    if (!number_parse_u32(argument, &tuning.crawl_items_max))
        return bad_line;
    store_set_tuning(session->user->store, &tuning);
    return ok;
}

static void class_add(struct class_set *classes, unsigned class_id)
{
    classes->bits[class_id / 64] |= UINT64_C(1) << class_id % 64;
}

static bool class_is_in(const struct class_set *classes, unsigned class_id)
{
    return (classes->bits[class_id / 64] >> class_id % 64 & 1) != 0;
}

/* "all", "hash" or classes: NULL, or what is wrong with it. */
static const char *parse_classes(struct session *session, struct str argument,
                                 struct class_set *classes)
{
    unsigned class_max = store_class_count(session->user->store);

    memset(classes, 0, sizeof(*classes));
    if (str_equal(argument, STR("all")) || str_equal(argument, STR("hash"))) {
        memset(classes, 0xff, sizeof(*classes));
        return NULL;
    }
    if (class_max < CLASS_MAX)
        class_max = CLASS_MAX;
    while (argument.len != 0) {
        const char *comma = memchr(argument.data, ',', argument.len);
        size_t len = comma != NULL ? (size_t)(comma - argument.data) : argument.len;
        uint32_t class_id;

        if (!number_parse_u32((struct str){argument.data, len}, &class_id) || class_id == 0 ||
            class_id > class_max)
            return "BADCLASS invalid class id";
        class_add(classes, class_id);
        argument = str_skip(argument, comma != NULL ? len + 1 : len);
    }
    return NULL;
}

static bool is_disabled(struct session *session)
{
    struct store_tuning tuning;

    store_get_tuning(session->user->store, &tuning);
    return !tuning.crawls;
}

/* Whichever classes are named, all are walked: the index knows no classes. */
static const char *run_crawl(struct session *session, struct str argument)
{
    struct class_set classes;
    const char *wrong = parse_classes(session, argument, &classes);

    if (is_disabled(session))
        return "CLIENT_ERROR lru crawler disabled";
    if (wrong != NULL)
        return wrong;
    store_crawl_now(session->user->store);
    return ok;
}

/* --- dumps --- */

static const char *begin_dump(struct session *session, struct str argument, enum sequel kind)
{
    const char *wrong = parse_classes(session, argument, &session->dump_classes);

    if (!session->source->settings->dump_enabled)
        return kind == SEQUEL_KEYS ? "ERROR key dump not allowed" : "ERROR metadump not allowed";
    if (is_disabled(session))
        return "CLIENT_ERROR lru crawler disabled";
    if (session->out->len != 0)
        return kind == SEQUEL_KEYS ? "ERROR cannot pipeline other commands before mgdump"
                                   : "ERROR cannot pipeline other commands before metadump";
    if (wrong == NULL)
        session->sequel = kind;
    return wrong != NULL ? wrong : ok;
}

static const char *run_metadump(struct session *session, struct str argument)
{
    return begin_dump(session, argument, SEQUEL_METADATA);
}

static const char *run_mgdump(struct session *session, struct str argument)
{
    return begin_dump(session, argument, SEQUEL_KEYS);
}

static const struct {
    struct str name;
    const char *(*run)(struct session *session, struct str argument);
    bool has_argument;
} verbs[] = {
    {{"enable", 6}, run_enable, false}, {{"disable", 7}, run_disable, false},
    {{"sleep", 5}, run_sleep, true},    {{"tocrawl", 7}, run_tocrawl, true},
    {{"crawl", 5}, run_crawl, true},    {{"metadump", 8}, run_metadump, true},
    {{"mgdump", 6}, run_mgdump, true},
};

void command_lru_crawler(struct session *session, const struct mc_request *request, uint32_t hash)
{
    struct str rest = request->rest, verb = str_next_word(&rest), argument = str_next_word(&rest);
    const char *answer = error;

    (void)hash;
    for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++) {
        if (str_equal(verbs[i].name, verb) && (argument.len != 0 || !verbs[i].has_argument))
            answer = verbs[i].run(session, argument);
    }
    session_reply_line(session, answer);
}

/* --- what a dump says of an item --- */

enum { DUMP_LINE_MAX = 3 * MC_KEY_MAX + 256, DUMP_BUCKETS = 64, DUMP_STEP_LEN = 64 * 1024 };

static void dump_metadata(struct session *session, const struct item *item)
{
    const struct store *store = session->user->store;
    char *line = chain_reserve(session->out, DUMP_LINE_MAX), *p = line;
    uint32_t idle_s = item_idle_s(item_peek(item), store_now(store));

    if (line == NULL) {
        session->wants_close = true;
        return;
    }
    memcpy(p, "key=", 4);
    p += 4 + uri_encode(p + 4, item_key(item));
    p += sprintf(p,
                 " exp=%" PRId64 " la=%" PRId64 " cas=%" PRIu64 " fetch=%s cls=%u size=%" PRIu64
                 " flags=%u \n",
                 item->expires_at == 0 ? -1 : store_unix_time(store, item->expires_at),
                 clock_wall_s() - idle_s, store_item_cas(session->user, item),
                 item_is(item, ITEM_FETCHED) ? "yes" : "no", store_item_class(session->user, item),
                 item_size(item), item_flags(item));
    chain_commit(session->out, (size_t)(p - line));
}

static void dump_key(struct session *session, const struct item *item)
{
    char *line = chain_reserve(session->out, DUMP_LINE_MAX), *p = line;

    if (line == NULL) {
        session->wants_close = true;
        return;
    }
    memcpy(p, "mg ", 3);
    p += 3;
    if (item_is(item, ITEM_BINARY_KEY)) {
        p += base64_encode(p, item_key(item));
        memcpy(p, " b\r\n", 4);
        p += 4;
    } else {
        memcpy(p, item->data, item->key_len);
        memcpy(p + item->key_len, "\r\n", 2);
        p += item->key_len + 2;
    }
    chain_commit(session->out, (size_t)(p - line));
}

static void dump_item(void *arg, struct item *item)
{
    struct session *session = arg;

    if (!class_is_in(&session->dump_classes, store_item_class(session->user, item)))
        return;
    if (session->sequel == SEQUEL_METADATA)
        dump_metadata(session, item);
    else
        dump_key(session, item);
}

bool dump_continue(struct session *session, struct store_walk *walk)
{
    while (session->out->len < DUMP_STEP_LEN && !session->wants_close) {
        if (!store_visit(session->user, walk, DUMP_BUCKETS, dump_item, session)) {
            session_reply(session,
                          session->sequel == SEQUEL_METADATA ? STR("END\r\n") : STR("EN\r\n"));
            return false;
        }
    }
    return true;
}
