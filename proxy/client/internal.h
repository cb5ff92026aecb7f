/*
 * For the files of this folder alone: a client, and the dialects that he may speak.
 */
#ifndef PROXY_CLIENT_INTERNAL_H
#define PROXY_CLIENT_INTERNAL_H

#include <strings.h>

#include "proxy/client/client.h"
#include "proxy/plan/plan.h"

struct client;

/* How requests are read, and what the proxy itself has to say. */
struct dialect {
    /* Takes one request off the front of `in` and has it answered; returns the bytes used,
     * 0: more are needed. */
    size_t (*take)(struct client *client, struct str in);
    void (*write_error)(struct request *request, const char *text);
};

extern const struct dialect text_dialect;
extern const struct dialect binary_dialect;
extern const struct dialect redis_dialect;

struct client {
    struct conn conn;
    struct request_owner owner;
    struct client_context *context;
    const struct dialect *dialect; /* NULL: he has said nothing yet */
    struct list link;
    uint64_t number;
    size_t swallowed;              /* bytes yet to be passed over */
    struct resp_request_scan scan; /* of Redis' request that is on its way */
    bool has_asked;                /* at least once */
    bool is_known;                 /* has told the password, or there was none when he came */
    bool is_leaving;               /* says no more: closed when all is answered */
    bool is_refused;               /* closed for what he said */
};

/* Whether he has yet to tell the password; a reload may have taken that away. */
static inline bool client_is_stranger(const struct client *client)
{
    return !client->is_known && client->context->pool->config->redis_auth != NULL;
}

/* Answers the bytes in their turn. */
void client_answer(struct client *client, struct str bytes);

/* Bytes that a single request may have. */
static inline size_t client_request_max(const struct client *client)
{
    return config_message_max(*client->context->memory_max);
}

/* What a plan of a request is made from; the request itself is still to be set. */
struct plan_input client_plan_input(struct client *client, struct str body);

/* Does what is due when a plan found no memory. */
void client_answer_no_memory(struct client *client);

/* Whether these statistics, as the words behind `stats`, are told for all servers together. */
bool client_sums_stats(struct str what);

/* Closes the connection at once. */
void client_refuse(struct client *client);

/* Whether it is the name, in whichever case. */
static inline bool redis_is_word(struct str word, const char *name)
{
    return word.len == strlen(name) && strncasecmp(word.data, name, word.len) == 0;
}

/* Has Redis' request answered: by the proxy, or by whoever has its keys. */
void redis_route(struct client *client, const struct plan_input *input);

/* A command of the way RESP_HERE. */
void redis_answer_here(struct client *client, const struct redis_request *request);

/* Answers "-ERR " and the text. */
void redis_answer_error(struct client *client, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif
