#include <stdlib.h>

#include "common/metric/metric.h"
#include "proxy/request.h"

struct request *request_create(struct freelist *records, const struct mc_command *command)
{
    struct request *request = freelist_take(records);

    if (request == NULL)
        return NULL;
    memset(request, 0, offsetof(struct request, key_inline));
    list_init(&request->owner_link);
    list_init(&request->pending_link);
    request->records = records;
    request->command = command;
    return request;
}

void request_free(struct request *request)
{
    chain_clear(&request->reply);
    if (request->key.len > REQUEST_KEY_INLINE)
        free((char *)(uintptr_t)request->key.data);
    freelist_give(request->records, request);
}

bool request_set_key(struct request *request, struct str key)
{
    char *copy = key.len > REQUEST_KEY_INLINE ? malloc(key.len) : request->key_inline;

    if (copy == NULL)
        return false;
    memcpy(copy, key.data, key.len);
    request->key = (struct str){copy, key.len};
    return true;
}

void request_note(struct request *request, const char *name, struct str key)
{
    if (key.len > REQUEST_KEY_INLINE)
        key.len = REQUEST_KEY_INLINE;
    request->name = name;
    request_set_key(request, key);
}

void request_enqueue(struct request *request, struct request_owner *owner)
{
    request->owner = owner;
    list_append(&owner->requests, &request->owner_link);
    owner->count++;
    owner->sent_len += request->sent_len;
}

static bool is_first(const struct request *request)
{
    return request->owner->requests.next == &request->owner_link;
}

/* What lies in no block is copied, however much it is. */
static bool append(struct chain *chain, struct str bytes, struct block *block)
{
    return block != NULL ? chain_append(chain, bytes, &block_keeper, block)
                         : chain_copy(chain, bytes);
}

void request_reply(struct request *request, struct str bytes, struct block *block)
{
    struct request_owner *owner = request->owner;
    bool is_good;

    if (owner == NULL || request->noreply)
        return;
    if (is_first(request)) {
        is_good = append(owner->out, bytes, block);
    } else {
        /* Thousands may wait: none has a block of its own, nor holds one for a few bytes. */
        is_good = bytes.len <= CHAIN_COPY_MAX && request->reply.len == 0
                      ? chain_stow(&request->reply, bytes)
                      : append(&request->reply, bytes, block);
        owner->held_len += bytes.len;
    }
    if (!is_good)
        owner->is_broken = true;
}

void request_reply_error(struct request *request, const char *text)
{
    if (request->owner == NULL || request->noreply)
        return;
    metric_add(request->owner->forward_errors, 1);
    request->owner->write_error(request, text);
}

/* Delivers the first request's reply, or what was held of it. */
static void deliver(struct request_owner *owner, struct request *request)
{
    if (request->reply.len != 0) {
        owner->held_len -= request->reply.len;
        if (!chain_move(&request->reply, owner->out))
            owner->is_broken = true;
    }
    owner->count--;
    owner->sent_len -= request->sent_len;
    list_remove(&request->owner_link);
    request_free(request);
}

void request_done(struct request *request)
{
    struct request_owner *owner = request->owner;

    request->is_done = true;
    if (owner == NULL) {
        request_free(request);
        return;
    }
    if (is_first(request)) {
        while (request != NULL && request->is_done) {
            deliver(owner, request);
            request = LIST_FIRST(&owner->requests, struct request, owner_link);
        }
    }
    owner->progress(owner);
}

void request_orphan_all(struct request_owner *owner)
{
    LIST_EACH (&owner->requests, link, after) {
        struct request *request = container_of(link, struct request, owner_link);

        list_remove(link);
        request->owner = NULL;
        if (request->is_done)
            request_free(request);
    }
}
