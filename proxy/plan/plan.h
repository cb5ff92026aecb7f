/*
 * How a request becomes leaves on upstreams, and their replies become its reply. Each
 * plan queues the request with its owner and sees to it that it is answered, whatever
 * happens. They return false, and have done nothing, when memory ran out.
 */
#ifndef PROXY_PLAN_PLAN_H
#define PROXY_PLAN_PLAN_H

#include "common/protocol/memcache.h"
#include "common/protocol/memcache_binary.h"
#include "common/protocol/resp_commands.h"
#include "proxy/pool.h"

/* A request to Redis: bulk strings that were scanned. */
struct redis_request {
    const struct resp_command *command;
    struct str bytes;     /* all of it */
    struct str arguments; /* behind the command's name */
    uint32_t count;       /* of the words, the name among them */
};

/* What a plan is made from. */
struct plan_input {
    struct pool *pool;
    struct request_owner *owner;
    uint64_t owner_number; /* chooses the connection */
    union {                /* by the plan */
        const struct mc_request *text;
        const struct mc_binary_request *binary;
        const struct redis_request *redis;
    };
    const struct mc_binary_request *packet; /* that `text` stands for; NULL: for itself */
    struct str body; /* what is passed on as it came: a value, or all; in `block` */
    struct block *block;
};

/* A classic or meta command of one key goes to its server, and the reply comes back as it is. */
bool plan_text(const struct plan_input *input);

/*
 * A retrieval of several keys is split by server. Values are joined in the order of the
 * keys. Keys of a server that failed are misses; the request fails if all servers did.
 */
bool plan_retrieval(const struct plan_input *input);

/* `stats`, maybe with a word behind it, of all servers, added up. */
bool plan_stats(const struct plan_input *input);

/* `flush_all` to all servers; done when all say so. */
bool plan_flush(const struct plan_input *input);

/*
 * A binary packet goes to its server as a meta command, and the reply is made a packet
 * again. Keys that are no words go in base64.
 */
bool plan_binary(const struct plan_input *input);

/* Whether there is a meta command for the packet, and its key is not too long for one. */
bool binary_can_be_sent(const struct mc_binary_request *request);

/* What the reply to a packet needs of it. */
static inline struct request_binary request_binary_of(const struct mc_binary_request *packet)
{
    return (struct request_binary){.opaque = packet->opaque,
                                   .code = packet->code,
                                   .operation = packet->operation,
                                   .shape = packet->shape};
}

/* Whether the reply to it is to be a packet. */
static inline bool request_is_binary(const struct request *request)
{
    return request->binary.operation != BINARY_UNKNOWN;
}

/* Packets of a reply that is made of several servers': a statistic; that it is done; the error
 * line of one of them. */
void binary_reply_statistic(struct request *request, struct str name, struct str value);
void binary_reply_done(struct request *request);
void binary_reply_refusal(struct request *request, struct str line);

/* request_owner.write_error of who speaks the binary protocol. */
void binary_write_error(struct request *request, const char *text);

/* A request to Redis goes as it is to the server of `key`. */
bool plan_redis(const struct plan_input *input, struct str key);

/*
 * A request to Redis of several keys, of the ways RESP_MGET, RESP_MSET and RESP_SUM, is split
 * by server. It fails if any server fails.
 */
bool plan_redis_split(const struct plan_input *input);

/*
 * What all plans of one key end with: takes over `leaf`, whose ops and reply's needs are set,
 * queues it and sends it to the server of `key`. False: memory ran out, the leaf is freed.
 */
bool plan_send(const struct plan_input *input, struct request *leaf, struct str key);

/* Answers a leaf that has no server: with an error, or if `trouble` is NULL as a server would
 * that does not have the key and does not store it. */
void plan_do_without(const struct plan_input *input, struct request *leaf, const char *trouble);

#endif
