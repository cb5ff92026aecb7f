#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/base/log.h"
#include "proxy/advice.h"
#include "proxy/reload.h"

/* --- what changes --- */

static const struct pool_config *find_pool(const struct config *config, const char *name)
{
    for (size_t i = 0; i < config->pool_count; i++) {
        if (strcmp(config->pools[i].name, name) == 0)
            return &config->pools[i];
    }
    return NULL;
}

static bool has_server(const struct pool_config *pool, const char *text)
{
    for (size_t i = 0; i < pool->server_count; i++) {
        if (strcmp(pool->servers[i].text, text) == 0)
            return true;
    }
    return false;
}

/* Logs the servers of `pool` that `other` has not. */
static void log_servers(const struct pool_config *pool, const struct pool_config *other,
                        const char *what)
{
    for (size_t i = 0; i < pool->server_count; i++) {
        if (!has_server(other, pool->servers[i].text))
            log_notice("pool '%s': server '%s' %s", pool->name, pool->servers[i].text, what);
    }
}

/* The share of keys, in thousandths, that the two send to servers of different names. */
static unsigned moved_share(const struct pool_config *a, const struct pool_config *b)
{
    enum { SAMPLES = 10000 };
    struct ring *before = config_build_ring(a), *after = config_build_ring(b);
    unsigned moved = 0;

    for (unsigned i = 0; before != NULL && after != NULL && i < SAMPLES; i++) {
        char key[32];
        struct str text = {key, (size_t)snprintf(key, sizeof(key), "key:%08u", i * 2654435761u)};
        uint32_t from = ring_pick(before, hash_key(a->hash, text));
        uint32_t to = ring_pick(after, hash_key(b->hash, text));

        moved += strcmp(a->servers[from].name, b->servers[to].name) != 0;
    }
    free(before);
    free(after);
    return moved * 1000 / SAMPLES;
}

static void log_option(const struct pool_config *pool, const char *option)
{
    log_notice("pool '%s': %s is changed", pool->name, option);
}

static void log_pool_change(const struct pool_config *before, const struct pool_config *after)
{
    unsigned moved;

    if (!config_is_same_pool(before, after))
        log_notice("pool '%s': speaks another protocol; its clients are let go", after->name);
    if (config_compare_places(&before->listen, &after->listen) != 0)
        log_notice("pool '%s': listens on '%s', not on '%s' any more", after->name,
                   after->listen.text, before->listen.text);
    log_servers(after, before, "is added");
    log_servers(before, after, "is removed");
    config_compare_options(before, after, log_option);
    moved = before->distribution == &distribution_random ? 0 : moved_share(before, after);
    if (moved != 0)
        log_notice("pool '%s': %u.%u %% of all keys move to another server", after->name,
                   moved / 10, moved % 10);
}

static void log_changes(const struct config *before, const struct config *after)
{
    for (size_t i = 0; i < after->pool_count; i++) {
        const struct pool_config *pool = find_pool(before, after->pools[i].name);

        if (pool == NULL)
            log_notice("pool '%s' is added", after->pools[i].name);
        else
            log_pool_change(pool, &after->pools[i]);
    }
    for (size_t i = 0; i < before->pool_count; i++) {
        if (find_pool(after, before->pools[i].name) == NULL)
            log_notice("pool '%s' is removed", before->pools[i].name);
    }
}

/* --- how it happens --- */

/* The sockets that the workers have; only they change their doors, and none is at it now. */
struct present {
    struct sockets_present sockets;
    const struct reload *reload;
};

static int find_socket(const struct sockets_present *present, const char *pool, unsigned worker)
{
    const struct reload *reload = container_of(present, struct present, sockets)->reload;

    return worker_find_door(&reload->workers[worker], pool)->listener.fd;
}

/* All workers have taken over, or said that they could not. */
static void finish(struct reload *reload)
{
    bool is_whole = true;

    for (unsigned i = 0; i < reload->worker_count; i++)
        is_whole = is_whole && reload->changes[i].is_whole;
    if (!is_whole)
        log_error("reload: out of memory; some pools are as they were");
    log_notice("reload: done");
    reload->count++;
    sockets_free(reload->sockets);
    config_release(reload->config);
    reload->config = reload->next;
    reload->next = NULL;
    if (reload->again) {
        reload->again = false;
        reload_start(reload);
    }
}

static void worker_done(struct loop_post *post)
{
    struct worker_change *change = container_of(post, struct worker_change, post);
    struct reload *reload = change->context;

    if (--reload->open_count == 0)
        finish(reload);
}

static void refuse(struct reload *reload, struct config *next, const char *why)
{
    reload->failed_count++;
    log_error("reload: %s; the configuration stays as it is", why);
    config_release(next);
}

void reload_start(struct reload *reload)
{
    struct present present = {.sockets = {.inherited_count = reload->inherited_count,
                                          .config = reload->config,
                                          .find = find_socket},
                              .reload = reload};
    char error[CONFIG_ERROR_MAX];
    struct config *next;

    if (reload->next != NULL) {
        reload->again = true;
        return;
    }
    next = config_load(reload->path, error, sizeof(error));
    if (next == NULL) {
        refuse(reload, NULL, error);
        return;
    }
    reload->sockets = sockets_open(next, reload->worker_count, &present.sockets);
    if (reload->sockets == NULL) {
        refuse(reload, next, "not all sockets can be had");
        return;
    }
    log_changes(reload->config, next);
    advice_log(next);
    reload->next = next;
    reload->open_count = reload->worker_count;
    for (unsigned i = 0; i < reload->worker_count; i++) {
        reload->changes[i] = (struct worker_change){.worker = &reload->workers[i],
                                                    .config = next,
                                                    .sockets = reload->sockets,
                                                    .done = worker_done,
                                                    .context = reload};
        worker_change(&reload->changes[i]);
    }
}

bool reload_open(struct reload *reload, const char *path, struct config *config,
                 struct worker *workers, unsigned worker_count, unsigned inherited_count)
{
    *reload = (struct reload){.path = path,
                              .workers = workers,
                              .worker_count = worker_count,
                              .inherited_count = inherited_count,
                              .config = config_hold(config),
                              .changes = calloc(worker_count, sizeof(struct worker_change))};
    return reload->changes != NULL;
}

void reload_close(struct reload *reload)
{
    if (reload->next != NULL)
        sockets_free(reload->sockets);
    config_release(reload->next);
    config_release(reload->config);
    free(reload->changes);
}
