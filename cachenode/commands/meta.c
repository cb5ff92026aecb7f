/* mg ms md ma me: what they do, and replies in the order of the flags asked */
#include <inttypes.h>
#include <stdio.h>

#include "cachenode/commands/commands.h"
#include "common/bytes/base64.h"
#include "common/bytes/number.h"

/* Room for a status line with all flags, an opaque and a key in base64. */
enum { LINE_ROOM = 1024 };

/* --- printing --- */

/* What a reply is made from. */
struct answer {
    struct session *session;
    const struct mc_request *request;
    struct item *item;   /* NULL: there is none to speak of */
    uint32_t expires_at; /* these of the item as they were before */
    uint32_t idle_s;
    bool was_fetched;
    bool has_binary_key; /* print it in base64 */
    uint64_t cas, value_len;
};

static char *put(char *p, struct str bytes)
{
    memcpy(p, bytes.data, bytes.len);
    return p + bytes.len;
}

static char *put_key(char *p, struct str key, bool is_binary)
{
    if (!is_binary)
        return put(p, key);
    p += base64_encode(p, key);
    return put(p, STR(" b"));
}

static char *put_ttl(char *p, const struct store *store, uint32_t expires_at)
{
    uint32_t now = store_now(store);

    if (expires_at == 0)
        return put(p, STR("-1"));
    return p + number_format(p, expires_at > now ? expires_at - now : 0);
}

/* Prints what one flag asks for, with the space before it; nothing if it asks for nothing. */
static char *put_flag(char *p, struct answer *answer, struct str flag)
{
    const struct item *item = answer->item;
    char *start = p;

    *p++ = ' ';
    *p++ = flag.data[0];
    switch (flag.data[0]) {
    case 'O':
        return put(p, str_skip(flag, 1));
    case 'k':
        return put_key(p, answer->request->keys, answer->has_binary_key);
    case 'c':
        return p + number_format(p, answer->cas);
    case 's':
        return p + number_format(p, answer->value_len);
    case 'f':
        return item != NULL ? p + number_format(p, item_flags(item)) : start;
    case 'h':
        *p = answer->was_fetched ? '1' : '0';
        return p + 1;
    case 'l':
        return p + number_format(p, answer->idle_s);
    case 't':
        return put_ttl(p, answer->session->user->store, answer->expires_at);
    default:
        return start;
    }
}

/* Prints what of `wanted` is asked for, in the order asked. */
static char *put_flags(char *p, struct answer *answer, const char *wanted)
{
    struct str rest = answer->request->rest, flag;

    while ((flag = str_next_word(&rest)).len != 0) {
        if (strchr(wanted, flag.data[0]) != NULL)
            p = put_flag(p, answer, flag);
    }
    return p;
}

/* Appends a status line with the flags of `wanted`. */
static void reply_status(struct answer *answer, struct str status, const char *wanted)
{
    struct chain *out = answer->session->out;
    char *line = chain_reserve(out, LINE_ROOM), *p;

    if (line == NULL) {
        answer->session->wants_close = true;
        return;
    }
    p = put_flags(put(line, status), answer, wanted);
    chain_commit(out, (size_t)(put(p, STR("\r\n")) - line));
}

/* --- mg --- */

/* What the flags do to an item that is found, and the marks that the reply ends with. */
static struct str run_item_flags(struct answer *answer, bool is_vivified)
{
    const struct mc_request *request = answer->request;
    const struct store *store = answer->session->user->store;
    struct item *item = answer->item;
    bool was_sent = item_is(item, ITEM_TOKEN_SENT) && !is_vivified;
    bool is_stale = item_is(item, ITEM_STALE);
    bool is_due = mc_meta_has(request, 'R') && item->expires_at != 0 &&
                  (int64_t)item->expires_at - store_now(store) < request->meta.recache_ttl;
    bool wins = is_vivified || (!was_sent && (is_stale || is_due));

    if (wins)
        item_set(item, ITEM_TOKEN_SENT, true);
    if (is_stale)
        return wins ? STR(" X W") : was_sent ? STR(" Z X") : STR(" X");
    return wins ? STR(" W") : was_sent ? STR(" Z") : STR("");
}

/* What T and N do shows in the t's that stand behind them. */
static char *put_get_flags(char *p, struct answer *answer)
{
    struct str rest = answer->request->rest, flag;

    while ((flag = str_next_word(&rest)).len != 0) {
        if (flag.data[0] == 'T') {
            answer->expires_at =
                store_expiry(answer->session->user->store, answer->request->exptime);
            store_set_expiry(answer->item, answer->expires_at);
        } else if (flag.data[0] == 'N') {
            answer->expires_at = answer->item->expires_at;
        } else if (strchr("cfhklstO", flag.data[0]) != NULL) {
            p = put_flag(p, answer, flag);
        }
    }
    return p;
}

/* With the item's stripe locked: the whole reply of a hit. */
static bool answer_hit(struct answer *answer, bool is_vivified)
{
    struct session *session = answer->session;
    struct item *item = answer->item;
    const struct mc_request *request = answer->request;
    bool with_value =
        mc_meta_has(request, 'v') && !(mc_meta_has(request, 'C') && request->number == answer->cas);
    bool is_small = with_value && item->value_len <= CHAIN_COPY_MAX && !item->is_chunked;
    char *line = chain_reserve(session->out, LINE_ROOM + (is_small ? item->value_len + 2 : 0));
    struct str marks = run_item_flags(answer, is_vivified);
    char *p = line;

    if (line == NULL)
        return false;
    p = put(p, with_value ? STR("VA ") : STR("HD"));
    if (with_value)
        p += number_format(p, item->value_len);
    p = put(put(put_get_flags(p, answer), marks), STR("\r\n"));
    if (is_small)
        p = put(put(p, (struct str){item_value(item), item->value_len}), STR("\r\n"));
    chain_commit(session->out, (size_t)(p - line));
    return is_small || !with_value ||
           (command_append_value(session, item) && chain_copy(session->out, STR("\r\n")));
}

/* Makes what N asks for where there is nothing: an item of this value. STORE_NOT_STORED: now
 * there is one. */
static enum store_result vivify(struct session *session, const struct mc_request *request,
                                uint32_t hash, struct str value, struct store_outcome *outcome)
{
    struct store_user *user = session->user;
    struct item_traits traits = {.expires_at = store_expiry(user->store, request->meta.vivify_ttl),
                                 .own_cas = request->meta.new_cas,
                                 .has_binary_key = mc_meta_has(request, 'b')};
    struct item *item;

    if (store_reserve(user, request->keys, &traits, (uint32_t)value.len, &item) != STORE_ROOM)
        return STORE_OUT_OF_MEMORY;
    memcpy(item_value(item), value.data, value.len);
    /* What has no value is for the client to fill. */
    item_set(item, ITEM_TOKEN_SENT, value.len == 0);
    return store_put(user, item, hash, &(struct store_terms){.mode = STORE_ADD}, outcome);
}

/* The item as it is before anything is done to it. */
static struct answer describe(struct session *session, const struct mc_request *request,
                              struct item *item)
{
    return (struct answer){.session = session,
                           .request = request,
                           .item = item,
                           .expires_at = item->expires_at,
                           .idle_s = item_idle_s(item_peek(item), store_now(session->user->store)),
                           .was_fetched = item_is(item, ITEM_FETCHED),
                           .has_binary_key = item_is(item, ITEM_BINARY_KEY),
                           .cas = store_item_cas(session->user, item),
                           .value_len = item->value_len};
}

static struct answer describe_nothing(struct session *session, const struct mc_request *request)
{
    return (struct answer){.session = session,
                           .request = request,
                           .has_binary_key = mc_meta_has(request, 'b'),
                           .value_len = request->body_len != 0 ? request->body_len - 2 : 0};
}

static void count_get(struct worker_metrics *metrics, bool is_touch, bool is_hit)
{
    metric_add(is_touch ? &metrics->cmd_touch : &metrics->cmd_get, 1);
    if (is_touch)
        metric_add(is_hit ? &metrics->touch_hits : &metrics->touch_misses, 1);
    else
        metric_add(is_hit ? &metrics->get_hits : &metrics->get_misses, 1);
}

void command_meta_get(struct session *session, const struct mc_request *request, uint32_t hash)
{
    struct store_user *user = session->user;
    bool is_touch = mc_meta_has(request, 'T');
    struct item *item = store_find(user, request->keys, hash);
    enum store_result made = STORE_NOT_STORED;
    struct answer answer;

    count_get(session->metrics, is_touch, item != NULL);
    session_note_get(session, request->keys, item != NULL);
    if (item == NULL && mc_meta_has(request, 'N')) {
        made = vivify(session, request, hash, STR(""), NULL);
        item = store_find_again(user, request->keys, hash);
    }
    if (item == NULL) {
        answer = describe_nothing(session, request);
        if (made == STORE_OUT_OF_MEMORY)
            reply_status(&answer, STR("SERVER_ERROR out of memory"), "");
        else if (!mc_meta_has(request, 'q'))
            reply_status(&answer, STR("EN"), "kO");
        return;
    }
    answer = describe(session, request, item);
    if (made == STORE_STORED)
        answer.expires_at = 0;
    if (!mc_meta_has(request, 'u'))
        store_use(user, item, is_touch);
    if (!answer_hit(&answer, made == STORE_STORED))
        session->wants_close = true;
    store_get_end(user, hash);
}

/* --- ms --- */

static enum store_mode mode_of(const struct mc_request *request)
{
    switch (request->meta.mode) {
    case 'E':
        return STORE_ADD;
    case 'A':
        return STORE_APPEND;
    case 'P':
        return STORE_PREPEND;
    case 'R':
        return STORE_REPLACE;
    default:
        return STORE_SET;
    }
}

static bool joins(const struct mc_request *request)
{
    return request->meta.mode == 'A' || request->meta.mode == 'P';
}

void command_meta_store_reserve(const struct mc_request *request, struct item_traits *traits,
                                const struct store *store)
{
    traits->expires_at =
        store_expiry(store, joins(request) ? request->meta.vivify_ttl : request->exptime);
    traits->own_cas = request->meta.new_cas;
    traits->has_binary_key = mc_meta_has(request, 'b');
}

struct store_terms command_meta_store_terms(const struct mc_request *request)
{
    return (struct store_terms){.mode = mode_of(request),
                                .compares = mc_meta_has(request, 'C'),
                                .cas = request->number,
                                .takes_older = mc_meta_has(request, 'I'),
                                .vivifies = joins(request) && mc_meta_has(request, 'N')};
}

static const struct str store_statuses[] = {
    [STORE_STORED] = {"HD", 2},
    [STORE_NOT_STORED] = {"NS", 2},
    [STORE_EXISTS] = {"EX", 2},
    [STORE_NOT_FOUND] = {"NF", 2},
    [STORE_OUT_OF_MEMORY] = {"SERVER_ERROR out of memory storing object", 41},
};

void command_meta_store_end(struct session *session, const struct mc_request *request,
                            uint32_t hash, struct item *item)
{
    struct store_terms terms = command_meta_store_terms(request);
    struct store_outcome outcome = {0};
    enum store_result result = store_put(session->user, item, hash, &terms, &outcome);
    struct answer answer = describe_nothing(session, request);

    if (terms.compares)
        command_count_cas(session->metrics, result);
    if (result == STORE_STORED) {
        if (mc_meta_has(request, 'q'))
            return;
        answer.value_len = outcome.value_len;
    }
    answer.cas = outcome.cas;
    reply_status(&answer, store_statuses[result], result == STORE_OUT_OF_MEMORY ? "" : "ckOs");
}

/* --- md --- */

/* Invalidates, empties or removes an item that is found; false when there was no memory. */
static bool run_delete(struct session *session, const struct mc_request *request, uint32_t hash,
                       struct item *item)
{
    struct store_user *user = session->user;
    bool invalidates = mc_meta_has(request, 'I'), empties = mc_meta_has(request, 'x');

    if (!invalidates && !empties) {
        metric_add(&session->metrics->delete_hits, 1);
        store_remove(user, item, hash, WATCH_BY_MD);
        return true;
    }
    if (empties) {
        if (!store_empty(user, &item, hash, request->meta.new_cas))
            return false;
        store_set_expiry(item, store_expiry(user->store, request->exptime));
    }
    if (!invalidates)
        return true;
    if (mc_meta_has(request, 'T'))
        store_set_expiry(item, store_expiry(user->store, request->exptime));
    item_set(item, ITEM_STALE, true);
    item_set(item, ITEM_TOKEN_SENT, false);
    return empties || store_renew(user, &item, hash, request->meta.new_cas);
}

void command_meta_delete(struct session *session, const struct mc_request *request, uint32_t hash)
{
    struct store_user *user = session->user;
    struct item *item = store_find(user, request->keys, hash);
    struct answer answer = describe_nothing(session, request);
    struct str status = STR("HD");

    session_note_key(session, request->keys, PREFIX_DELETES);
    if (item == NULL) {
        status = STR("NF");
    } else {
        if (mc_meta_has(request, 'C') && request->number != store_item_cas(user, item))
            status = STR("EX");
        else if (!run_delete(session, request, hash, item))
            status = STR("SERVER_ERROR out of memory");
        store_get_end(user, hash);
    }
    if (str_equal(status, STR("NF")) || str_equal(status, STR("EX")))
        metric_add(&session->metrics->delete_misses, 1);
    if (!str_equal(status, STR("HD")) || !mc_meta_has(request, 'q'))
        reply_status(&answer, status, "kO");
}

/* --- ma --- */

static bool takes_away(const struct mc_request *request)
{
    return request->meta.mode == 'D' || request->meta.mode == '-';
}

static void reply_number(struct answer *answer, uint64_t number)
{
    char head[NUMBER_TEXT_MAX + 3] = "VA ", digits[NUMBER_TEXT_MAX];
    size_t len = number_format(digits, number);
    size_t head_len = 3 + number_format(head + 3, len);

    if (!mc_meta_has(answer->request, 'v')) {
        reply_status(answer, STR("HD"), "ctkO");
        return;
    }
    reply_status(answer, (struct str){head, head_len}, "ctkO");
    session_reply(answer->session, (struct str){digits, len});
    session_reply(answer->session, STR("\r\n"));
}

/* The item, found, becomes the sum, and the reply is written. */
static enum store_result run_arithmetic(struct session *session, const struct mc_request *request,
                                        uint32_t hash, struct item *item, bool is_vivified)
{
    struct store_user *user = session->user;
    struct answer answer;
    uint64_t number = request->meta.initial;
    enum store_result result = STORE_STORED;

    if (!is_vivified && mc_meta_has(request, 'C') && request->number != store_item_cas(user, item))
        return STORE_EXISTS;
    if (!is_vivified)
        result = store_add_to(user, &item, hash, request->meta.delta, takes_away(request),
                              request->meta.new_cas, &number);
    if (result != STORE_STORED)
        return result;
    if (mc_meta_has(request, 'T'))
        store_set_expiry(item, store_expiry(user->store, request->exptime));
    answer = describe(session, request, item);
    answer.has_binary_key = mc_meta_has(request, 'b');
    if (!mc_meta_has(request, 'q'))
        reply_number(&answer, number);
    return STORE_STORED;
}

/* The number was made, and is no more: its time is over already. */
static enum store_result answer_vanished(struct answer *answer, uint64_t cas)
{
    answer->cas = cas;
    answer->expires_at = 1;
    if (!mc_meta_has(answer->request, 'q'))
        reply_number(answer, answer->request->meta.initial);
    return STORE_STORED;
}

static void count_arithmetic(struct worker_metrics *metrics, bool is_decrement, bool is_hit)
{
    if (is_decrement)
        metric_add(is_hit ? &metrics->decr_hits : &metrics->decr_misses, 1);
    else
        metric_add(is_hit ? &metrics->incr_hits : &metrics->incr_misses, 1);
}

static const struct str arithmetic_statuses[] = {
    [STORE_EXISTS] = {"EX", 2},
    [STORE_NOT_FOUND] = {"NF", 2},
    [STORE_OUT_OF_MEMORY] = {"SERVER_ERROR out of memory", 26},
    [STORE_NOT_A_NUMBER] = {"CLIENT_ERROR cannot increment or decrement non-numeric value", 60},
};

void command_meta_arithmetic(struct session *session, const struct mc_request *request,
                             uint32_t hash)
{
    struct store_user *user = session->user;
    struct item *item = store_find(user, request->keys, hash);
    bool was_there = item != NULL;
    enum store_result made = STORE_NOT_STORED, result = STORE_NOT_FOUND;
    char digits[NUMBER_TEXT_MAX];
    struct answer answer = describe_nothing(session, request);
    struct store_outcome outcome = {0};

    if (item == NULL && mc_meta_has(request, 'N')) {
        made = vivify(session, request, hash,
                      (struct str){digits, number_format(digits, request->meta.initial)}, &outcome);
        item = store_find_again(user, request->keys, hash);
    }
    if (item != NULL) {
        result = run_arithmetic(session, request, hash, item, made == STORE_STORED);
        store_get_end(user, hash);
    } else if (made == STORE_OUT_OF_MEMORY) {
        result = STORE_OUT_OF_MEMORY;
    } else if (made == STORE_STORED) {
        result = answer_vanished(&answer, outcome.cas);
    }
    if (!was_there || result == STORE_STORED)
        count_arithmetic(session->metrics, takes_away(request), was_there);
    if (result != STORE_STORED)
        reply_status(&answer, arithmetic_statuses[result],
                     result == STORE_EXISTS || result == STORE_NOT_FOUND ? "kO" : "");
}

/* --- me --- */

void command_meta_debug(struct session *session, const struct mc_request *request, uint32_t hash)
{
    struct store_user *user = session->user;
    struct item *item = store_find(user, request->keys, hash);
    struct answer answer;
    char *line, *p;

    metric_add(&session->metrics->cmd_meta, 1);
    if (item == NULL) {
        session_reply(session, STR("EN\r\n"));
        return;
    }
    answer = describe(session, request, item);
    line = chain_reserve(session->out, LINE_ROOM);
    if (line != NULL) {
        p = put_key(put(line, STR("ME ")), item_key(item), answer.has_binary_key);
        p = put_ttl(put(p, STR(" exp=")), user->store, answer.expires_at);
        p += sprintf(p, " la=%u cas=%" PRIu64 " fetch=%s cls=%u size=%" PRIu64 "\r\n",
                     answer.idle_s, answer.cas, answer.was_fetched ? "yes" : "no",
                     store_item_class(user, item), item_size(item));
        chain_commit(session->out, (size_t)(p - line));
    } else {
        session->wants_close = true;
    }
    store_get_end(user, hash);
}
