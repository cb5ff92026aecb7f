#include <endian.h>
#include <stdlib.h>

#include "cachenode/auth.h"
#include "cachenode/commands/binary.h"
#include "cachenode/commands/commands.h"
#include "cachenode/settings.h"
#include "cachenode/stats.h"
#include "common/base/version.h"
#include "common/bytes/number.h"

/* --- replies --- */

/* Appends a packet with small parts; false when memory ran out. */
static bool reply(struct session *session, const struct mc_binary_request *request,
                  enum mc_binary_status status, struct str extras, struct str key, struct str value,
                  uint64_t cas)
{
    char header[MC_BINARY_HEADER_LEN];
    bool is_good;

    mc_binary_write_header(header, request, status, extras.len, key.len, value.len, cas);
    is_good = chain_copy(session->out, (struct str){header, sizeof(header)}) &&
              chain_copy(session->out, extras) && chain_copy(session->out, key) &&
              chain_copy(session->out, value);
    if (!is_good)
        session->wants_close = true;
    return is_good;
}

static bool is_quiet(const struct mc_binary_request *request)
{
    return (request->shape & BINARY_QUIET) != 0;
}

void binary_reply_status(struct session *session, const struct mc_binary_request *request,
                         enum mc_binary_status status)
{
    reply(session, request, status, STR(""), STR(""), mc_binary_status_text(status), 0);
}

/* The usual outcome: an empty packet, or nothing. */
static void reply_done(struct session *session, const struct mc_binary_request *request,
                       uint64_t cas)
{
    if (!is_quiet(request))
        reply(session, request, BINARY_OK, STR(""), STR(""), STR(""), cas);
}

/* --- storing --- */

static const enum store_mode modes[BINARY_OPERATION_COUNT] = {
    [BINARY_SET] = STORE_SET,         [BINARY_ADD] = STORE_ADD,
    [BINARY_REPLACE] = STORE_REPLACE, [BINARY_APPEND] = STORE_APPEND,
    [BINARY_PREPEND] = STORE_PREPEND,
};

/* With a CAS, add is as good as set: it stores where that is. */
static struct store_terms terms_of(const struct mc_binary_request *request)
{
    bool compares = request->cas != 0;
    bool is_add = request->operation == BINARY_ADD;

    return (struct store_terms){.mode = compares && is_add ? STORE_SET : modes[request->operation],
                                .compares = compares,
                                .cas = request->cas};
}

bool binary_stores(const struct mc_binary_request *request)
{
    return (request->shape & BINARY_VALUE) != 0 && request->operation != BINARY_SASL_AUTH &&
           request->operation != BINARY_SASL_STEP;
}

bool binary_store_begin(struct session *session, const struct mc_binary_request *request,
                        uint32_t hash, struct item **item)
{
    struct store_user *user = session->user;
    struct item_traits traits = {.flags = request->flags,
                                 .expires_at = store_expiry(user->store, request->exptime)};
    enum store_room room =
        store_reserve(user, request->key, &traits, (uint32_t)request->body_len, item);
    struct store_terms terms;

    session_note_key(session, request->key, PREFIX_SETS);
    if (room == STORE_ROOM)
        return true;
    terms = terms_of(request);
    store_note_refused(user, request->key, &terms, &traits, (uint32_t)request->body_len, room);
    if (room == STORE_TOO_LARGE)
        binary_reply_status(session, request, BINARY_TOO_LARGE);
    else
        reply(session, request, BINARY_OUT_OF_MEMORY, STR(""), STR(""),
              STR("Out of memory allocating item"), 0);
    if (request->operation == BINARY_SET)
        store_forget(user, request->key, hash);
    return false;
}

static enum mc_binary_status status_of(const struct mc_binary_request *request,
                                       enum store_result result)
{
    bool joins = request->operation == BINARY_APPEND || request->operation == BINARY_PREPEND;

    switch (result) {
    case STORE_STORED:
        return BINARY_OK;
    case STORE_EXISTS:
        return BINARY_EXISTS;
    case STORE_NOT_FOUND:
        return joins ? BINARY_NOT_STORED : BINARY_NOT_FOUND;
    case STORE_NOT_STORED:
        return joins                              ? BINARY_NOT_STORED
               : request->operation == BINARY_ADD ? BINARY_EXISTS
                                                  : BINARY_NOT_FOUND;
    case STORE_NOT_A_NUMBER:
        return BINARY_NOT_A_NUMBER;
    case STORE_OUT_OF_MEMORY:
        break;
    }
    return BINARY_OUT_OF_MEMORY;
}

void binary_store_end(struct session *session, const struct mc_binary_request *request,
                      uint32_t hash, struct item *item)
{
    struct store_terms terms = terms_of(request);
    struct store_outcome outcome = {0};
    enum store_result result;

    metric_add(&session->metrics->cmd_set, 1);
    result = store_put(session->user, item, hash, &terms, &outcome);
    if (terms.compares)
        command_count_cas(session->metrics, result);
    if (result == STORE_STORED)
        reply_done(session, request, outcome.cas);
    else
        binary_reply_status(session, request, status_of(request, result));
}

/* --- retrieving --- */

/* With its stripe locked: the packet of a hit. */
static bool reply_item(struct session *session, const struct mc_binary_request *request,
                       struct item *item, bool with_value)
{
    struct str key = request->shape & BINARY_NAMES ? request->key : STR("");
    uint32_t flags = htobe32(item_flags(item));
    char header[MC_BINARY_HEADER_LEN];
    size_t value_len = with_value ? item->value_len : 0;

    mc_binary_write_header(header, request, BINARY_OK, sizeof(flags), key.len, value_len,
                           store_item_cas(session->user, item));
    return chain_copy(session->out, (struct str){header, sizeof(header)}) &&
           chain_copy(session->out, (struct str){(const char *)&flags, sizeof(flags)}) &&
           chain_copy(session->out, key) && (value_len == 0 || command_append_value(session, item));
}

static void count(struct worker_metrics *metrics, bool is_touch, bool is_hit)
{
    metric_add(is_touch ? &metrics->cmd_touch : &metrics->cmd_get, 1);
    if (is_touch)
        metric_add(is_hit ? &metrics->touch_hits : &metrics->touch_misses, 1);
    else
        metric_add(is_hit ? &metrics->get_hits : &metrics->get_misses, 1);
}

/* get, touch and both at once. */
static void run_get(struct session *session, const struct mc_binary_request *request, uint32_t hash,
                    struct str value)
{
    struct store_user *user = session->user;
    bool is_touch = request->operation != BINARY_GET;
    uint32_t expires_at = store_expiry(user->store, request->exptime);
    struct item *item = store_get(user, request->key, hash, is_touch ? &expires_at : NULL);

    (void)value;
    count(session->metrics, is_touch, item != NULL);
    if (request->operation != BINARY_TOUCH)
        session_note_get(session, request->key, item != NULL);
    if (item != NULL) {
        if (!reply_item(session, request, item, request->operation != BINARY_TOUCH))
            session->wants_close = true;
        store_get_end(user, hash);
    } else if (!is_quiet(request)) {
        bool names = (request->shape & BINARY_NAMES) != 0;

        reply(session, request, BINARY_NOT_FOUND, STR(""), names ? request->key : STR(""),
              names ? STR("") : mc_binary_status_text(BINARY_NOT_FOUND), 0);
    }
}

/* --- changing --- */

static void run_delete(struct session *session, const struct mc_binary_request *request,
                       uint32_t hash, struct str value)
{
    struct store_user *user = session->user;
    struct item *item = store_find(user, request->key, hash);
    enum mc_binary_status status = BINARY_OK;

    (void)value;
    if (item == NULL) {
        status = BINARY_NOT_FOUND;
    } else {
        if (request->cas != 0 && request->cas != store_item_cas(user, item))
            status = BINARY_EXISTS;
        else
            store_remove(user, item, hash, WATCH_BY_DELETE);
        store_get_end(user, hash);
    }
    session_note_key(session, request->key, PREFIX_DELETES);
    metric_add(
        status == BINARY_OK ? &session->metrics->delete_hits : &session->metrics->delete_misses, 1);
    if (status == BINARY_OK)
        reply_done(session, request, 0);
    else
        binary_reply_status(session, request, status);
}

static void reply_number(struct session *session, const struct mc_binary_request *request,
                         uint64_t number, uint64_t cas)
{
    uint64_t wire = htobe64(number);

    if (!is_quiet(request))
        reply(session, request, BINARY_OK, STR(""), STR(""),
              (struct str){(const char *)&wire, sizeof(wire)}, cas);
}

/* There is no such number: it is made, unless its expiry says not to. */
static enum store_result create_number(struct session *session,
                                       const struct mc_binary_request *request, uint32_t hash)
{
    struct store_user *user = session->user;
    struct item_traits traits = {.expires_at = store_expiry(user->store, request->exptime)};
    struct store_outcome outcome = {0};
    char digits[NUMBER_TEXT_MAX];
    size_t len = number_format(digits, request->initial);
    struct item *item;
    enum store_result result;

    if (request->exptime == UINT32_MAX)
        return STORE_NOT_FOUND;
    if (store_reserve(user, request->key, &traits, (uint32_t)len, &item) != STORE_ROOM)
        return STORE_OUT_OF_MEMORY;
    memcpy(item_value(item), digits, len);
    result = store_put(user, item, hash, &(struct store_terms){.mode = STORE_ADD}, &outcome);
    if (result == STORE_STORED)
        reply_number(session, request, request->initial, outcome.cas);
    return result;
}

static void run_add(struct session *session, const struct mc_binary_request *request, uint32_t hash,
                    struct str value)
{
    struct store_user *user = session->user;
    struct worker_metrics *metrics = session->metrics;
    bool takes_away = request->operation == BINARY_DECREMENT;
    struct item *item = store_find(user, request->key, hash);
    enum store_result result = STORE_EXISTS;
    uint64_t number = 0;

    (void)value;
    if (item == NULL) {
        metric_add(takes_away ? &metrics->decr_misses : &metrics->incr_misses, 1);
        result = create_number(session, request, hash);
        if (result != STORE_STORED)
            binary_reply_status(session, request, status_of(request, result));
        return;
    }
    if (request->cas == 0 || request->cas == store_item_cas(user, item))
        result = store_add_to(user, &item, hash, request->delta, takes_away, 0, &number);
    if (result == STORE_STORED) {
        metric_add(takes_away ? &metrics->decr_hits : &metrics->incr_hits, 1);
        reply_number(session, request, number, store_item_cas(user, item));
    } else {
        binary_reply_status(session, request, status_of(request, result));
    }
    store_get_end(user, hash);
}

/* --- the rest --- */

static void run_flush(struct session *session, const struct mc_binary_request *request,
                      uint32_t hash, struct str value)
{
    struct store *store = session->user->store;

    (void)hash;
    (void)value;
    metric_add(&session->metrics->cmd_flush, 1);
    if (!session->source->settings->flush_enabled) {
        binary_reply_status(session, request, BINARY_AUTH_FAILURE);
        return;
    }
    store_flush(store, request->exptime == 0 ? 0 : store_expiry(store, request->exptime));
    if (request->exptime == 0)
        store_sweep_flushed(session->user);
    reply_done(session, request, 0);
}

static void run_quit(struct session *session, const struct mc_binary_request *request,
                     uint32_t hash, struct str value)
{
    (void)hash;
    (void)value;
    reply_done(session, request, 0);
    session->wants_close = true;
}

static void run_noop(struct session *session, const struct mc_binary_request *request,
                     uint32_t hash, struct str value)
{
    (void)hash;
    (void)value;
    reply_done(session, request, 0);
}

static void run_version(struct session *session, const struct mc_binary_request *request,
                        uint32_t hash, struct str value)
{
    (void)hash;
    (void)value;
    reply(session, request, BINARY_OK, STR(""), STR(""), STR(MEMCACHED_VERSION), 0);
}

/* A packet for each line of statistics in the text protocol's answer; prefixes are all in one. */
static void reply_lines(struct session *session, const struct mc_binary_request *request,
                        struct str text)
{
    static const struct str stat = {"STAT ", 5};

    if (str_starts(text, STR("PREFIX "))) {
        reply(session, request, BINARY_OK, STR(""), STR("detailed"), text, 0);
        text.len = 0;
    }
    while (text.len != 0) {
        const char *newline = memchr(text.data, '\n', text.len);
        struct str line = {text.data, (size_t)(newline - text.data) - 1}, name;

        text = str_skip(text, line.len + 2);
        if (!str_starts(line, stat))
            continue;
        line = str_skip(line, stat.len);
        name = str_next_word(&line);
        if (line.len != 0)
            line = str_skip(line, 1);
        if (!reply(session, request, BINARY_OK, STR(""), name, line, 0))
            return;
    }
    reply(session, request, BINARY_OK, STR(""), STR(""), STR(""), 0);
}

/* Nothing to answer with packets of a name and a value: errors, and lists of items. */
static bool is_not_found(struct str text)
{
    return str_starts(text, STR("CLIENT_ERROR ")) || str_starts(text, STR("ITEM "));
}

static void run_stat(struct session *session, const struct mc_binary_request *request,
                     uint32_t hash, struct str value)
{
    struct chain text = {0};
    struct session inner = *session;
    char *whole;

    (void)hash;
    (void)value;
    inner.out = &text;
    if (!command_answer_stats(&inner, request->key)) {
        binary_reply_status(session, request, BINARY_NOT_FOUND);
        return;
    }
    session->prefixes = inner.prefixes;
    whole = malloc(text.len);
    if (whole == NULL || inner.wants_close) {
        session->wants_close = true;
    } else {
        struct str lines = {whole, text.len};

        chain_read(&text, whole);
        if (is_not_found(lines))
            binary_reply_status(session, request, BINARY_NOT_FOUND);
        else
            reply_lines(session, request, lines);
    }
    free(whole);
    chain_clear(&text);
}

/* --- authentication --- */

static void run_sasl_list(struct session *session, const struct mc_binary_request *request,
                          uint32_t hash, struct str value)
{
    (void)hash;
    (void)value;
    reply(session, request, BINARY_OK, STR(""), STR(""), STR("PLAIN"), 0);
}

/* PLAIN (RFC 4616): who to act as, NUL, user, NUL, password. */
static bool check_plain(struct session *session, struct str message)
{
    const char *first = memchr(message.data, '\0', message.len), *second;
    size_t rest;

    if (first == NULL)
        return false;
    rest = message.len - (size_t)(first + 1 - message.data);
    second = memchr(first + 1, '\0', rest);
    if (second == NULL)
        return false;
    return auth_check(session->source->auth, (struct str){first + 1, (size_t)(second - first) - 1},
                      (struct str){second + 1, rest - (size_t)(second - first)});
}

static void run_sasl_auth(struct session *session, const struct mc_binary_request *request,
                          uint32_t hash, struct str value)
{
    bool is_step = request->operation == BINARY_SASL_STEP;

    (void)hash;
    if (request->key.len > 32) {
        binary_reply_status(session, request, BINARY_INVALID);
        session->wants_close = true;
        return;
    }
    if (str_equal(request->key, STR("PLAIN")) && value.len == 0 && !is_step) {
        *session->sasl_started = true;
        binary_reply_status(session, request, BINARY_AUTH_CONTINUE);
        return;
    }
    metric_add(&session->metrics->auth_cmds, 1);
    *session->is_authenticated = str_equal(request->key, STR("PLAIN")) &&
                                 (!is_step || *session->sasl_started) &&
                                 check_plain(session, value);
    *session->sasl_started = false;
    if (*session->is_authenticated) {
        reply(session, request, BINARY_OK, STR(""), STR(""), STR("Authenticated"), 0);
    } else {
        metric_add(&session->metrics->auth_errors, 1);
        binary_reply_status(session, request, BINARY_AUTH_FAILURE);
    }
}

/* --- the table --- */

typedef void handler(struct session *session, const struct mc_binary_request *request,
                     uint32_t hash, struct str value);

static const struct {
    handler *run;
    bool for_anyone; /* also before authentication */
} handlers[BINARY_OPERATION_COUNT] = {
    [BINARY_GET] = {run_get, false},
    [BINARY_DELETE] = {run_delete, false},
    [BINARY_INCREMENT] = {run_add, false},
    [BINARY_DECREMENT] = {run_add, false},
    [BINARY_QUIT] = {run_quit, false},
    [BINARY_FLUSH] = {run_flush, false},
    [BINARY_NOOP] = {run_noop, false},
    [BINARY_VERSION] = {run_version, true},
    [BINARY_STAT] = {run_stat, false},
    [BINARY_TOUCH] = {run_get, false},
    [BINARY_GAT] = {run_get, false},
    [BINARY_SASL_LIST] = {run_sasl_list, true},
    [BINARY_SASL_AUTH] = {run_sasl_auth, true},
    [BINARY_SASL_STEP] = {run_sasl_auth, true},
};

bool binary_is_allowed(const struct session *session, const struct mc_binary_request *request)
{
    return !session->source->settings->sasl || *session->is_authenticated ||
           handlers[request->operation].for_anyone;
}

void binary_run(struct session *session, const struct mc_binary_request *request, uint32_t hash,
                struct str value)
{
    bool is_sasl = request->operation >= BINARY_SASL_LIST;

    if (handlers[request->operation].run == NULL || (is_sasl && !session->source->settings->sasl))
        binary_reply_status(session, request, BINARY_NO_SUCH_COMMAND);
    else
        handlers[request->operation].run(session, request, hash, value);
}
