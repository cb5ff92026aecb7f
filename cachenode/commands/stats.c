/* stats; and what of it walks keys and items: detail, cachedump, sizes */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "cachenode/commands/commands.h"
#include "cachenode/settings.h"
#include "cachenode/stats.h"
#include "common/bytes/number.h"

/* --- detail --- */

enum { PREFIX_LINE_MAX = MC_KEY_MAX + 128 };

static void list_prefix(void *arg, struct str prefix, const uint64_t *counts)
{
    struct session *session = arg;
    char line[PREFIX_LINE_MAX];
    int len = snprintf(
        line, sizeof(line), " get %" PRIu64 " hit %" PRIu64 " set %" PRIu64 " del %" PRIu64 "\r\n",
        counts[PREFIX_GETS], counts[PREFIX_HITS], counts[PREFIX_SETS], counts[PREFIX_DELETES]);

    session_reply(session, STR("PREFIX "));
    session_reply(session, prefix);
    session_reply(session, (struct str){line, (size_t)len});
}

static void answer_detail(struct session *session, struct str words)
{
    struct prefixes *prefixes = session->source->prefixes;
    struct str verb = str_next_word(&words);
    bool is_on = str_equal(verb, STR("on"));

    if (!session->source->settings->dump_enabled) {
        session_reply(session, STR("CLIENT_ERROR stats detail not allowed\r\n"));
    } else if (is_on || str_equal(verb, STR("off"))) {
        prefixes_switch(prefixes, is_on);
        session->prefixes = is_on ? prefixes : NULL;
        session_reply(session, STR("OK\r\n"));
    } else if (str_equal(verb, STR("dump"))) {
        prefixes_visit(prefixes, list_prefix, session);
        session_reply(session, STR("END\r\n"));
    } else {
        session_reply(session, STR("CLIENT_ERROR usage: stats detail on|off|dump\r\n"));
    }
}

/* --- cachedump --- */

enum { CACHEDUMP_MAX = 2 << 20, CACHEDUMP_LINE_MAX = MC_KEY_MAX + 64, CLASS_ID_MAX = 63 };

struct cachedump {
    struct session *session;
    uint32_t left; /* lines */
    size_t room;   /* bytes */
};

/* A key in base64 has no place in such a line. */
static bool list_item(void *arg, struct item *item)
{
    struct cachedump *dump = arg;
    struct str key = item_key(item);
    char line[CACHEDUMP_LINE_MAX] = "ITEM ", *p = line + strlen(line);

    if (item_is(item, ITEM_BINARY_KEY))
        return true;
    memcpy(p, key.data, key.len);
    p += key.len;
    p += sprintf(
        p, " [%u b; %" PRId64 " s]\r\n", item->value_len,
        item->expires_at == 0 ? 0 : store_unix_time(dump->session->user->store, item->expires_at));
    if ((size_t)(p - line) > dump->room)
        return false;
    session_reply(dump->session, (struct str){line, (size_t)(p - line)});
    dump->room -= (size_t)(p - line);
    return --dump->left != 0;
}

/* Lists the items of a class, whatever their segment. */
static void answer_cachedump(struct session *session, struct str words)
{
    struct store *store = session->user->store;
    struct str class_word = str_next_word(&words), limit_word = str_next_word(&words);
    unsigned class_max = store_class_count(store);
    struct cachedump dump = {.session = session, .room = CACHEDUMP_MAX};
    uint32_t class_id, limit;

    if (class_max < CLASS_ID_MAX)
        class_max = CLASS_ID_MAX;
    if (!session->source->settings->dump_enabled) {
        session_reply(session, STR("CLIENT_ERROR stats cachedump not allowed\r\n"));
    } else if (limit_word.len == 0) {
        session_reply(session, STR("CLIENT_ERROR bad command line\r\n"));
    } else if (!number_parse_u32(class_word, &class_id) || !number_parse_u32(limit_word, &limit)) {
        session_reply(session, STR("CLIENT_ERROR bad command line format\r\n"));
    } else if (class_id > class_max) {
        session_reply(session, STR("CLIENT_ERROR Illegal slab id\r\n"));
    } else {
        dump.left = limit == 0 ? UINT32_MAX : limit;
        store_visit_class(session->user, class_id, list_item, &dump);
        session_reply(session, STR("END\r\n"));
    }
}

/* --- sizes --- */

/* Items by their size, rounded up to 32 bytes. */
enum { SIZE_STEP = 32, SIZES_AT_ONCE = 1024 };

struct size_count {
    uint32_t *counts;
    size_t count;
};

static void count_size(void *arg, struct item *item)
{
    const struct size_count *sizes = arg;
    size_t step = (size_t)((item_size(item) + SIZE_STEP - 1) / SIZE_STEP);

    sizes->counts[step < sizes->count ? step : sizes->count - 1]++;
}

static void answer_status(struct session *session, bool is_enabled)
{
    session_reply(session, is_enabled ? STR("STAT sizes_status enabled\r\nEND\r\n")
                                      : STR("STAT sizes_status disabled\r\nEND\r\n"));
}

/* Nothing is counted before somebody asks: all items are walked then, if that is allowed. */
static void answer_sizes(struct session *session, struct str words)
{
    const struct stats_source *source = session->source;
    struct size_count sizes = {.count = (size_t)(source->settings->item_size_max / SIZE_STEP) + 2};
    struct store_walk walk = {0};

    (void)words;
    if (__atomic_load_n(source->tracks_sizes, __ATOMIC_RELAXED))
        sizes.counts = calloc(sizes.count, sizeof(*sizes.counts));
    if (sizes.counts == NULL) {
        answer_status(session, false);
        return;
    }
    while (store_visit(session->user, &walk, SIZES_AT_ONCE, count_size, &sizes))
        ;
    for (size_t step = 0; step < sizes.count; step++) {
        char name[24];

        snprintf(name, sizeof(name), "%zu", step * SIZE_STEP);
        if (sizes.counts[step] != 0)
            stats_number(session, name, sizes.counts[step]);
    }
    free(sizes.counts);
    session_reply(session, STR("END\r\n"));
}

static void switch_sizes(struct session *session, bool is_enabled)
{
    __atomic_store_n(session->source->tracks_sizes, is_enabled, __ATOMIC_RELAXED);
    answer_status(session, is_enabled);
}

static void enable_sizes(struct session *session, struct str words)
{
    (void)words;
    switch_sizes(session, true);
}

static void disable_sizes(struct session *session, struct str words)
{
    (void)words;
    switch_sizes(session, false);
}

/* --- the command --- */

static const struct {
    struct str word;
    void (*answer)(struct session *session, struct str words);
} walks[] = {
    {{"detail", 6}, answer_detail},         {{"cachedump", 9}, answer_cachedump},
    {{"sizes", 5}, answer_sizes},           {{"sizes_enable", 12}, enable_sizes},
    {{"sizes_disable", 13}, disable_sizes},
};

bool command_answer_stats(struct session *session, struct str words)
{
    struct str word = str_next_word(&words);

    for (size_t i = 0; i < sizeof(walks) / sizeof(walks[0]); i++) {
        if (str_equal(walks[i].word, word)) {
            walks[i].answer(session, words);
            return true;
        }
    }
    return stats_answer(session, word);
}

void command_stats(struct session *session, const struct mc_request *request, uint32_t hash)
{
    (void)hash;
    if (!command_answer_stats(session, request->rest))
        session_reply(session, STR("ERROR\r\n"));
}
