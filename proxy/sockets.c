#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/base/log.h"
#include "common/net/listener.h"
#include "common/process/notify.h"
#include "proxy/sockets.h"

static bool address_of(const struct listen_config *where, struct addr *addr, const char **error)
{
    if (where->unix_path != NULL)
        return addr_unix(where->unix_path, addr);
    return addr_resolve(where->host, where->port, addr, 1, error) != 0;
}

/* Binds anew. Several workers have a socket each on the same port; the first is bound alone, so
 * that no other program's port is shared unless that was asked for. */
static int open_one(const struct pool_config *config, unsigned worker, unsigned worker_count)
{
    const struct listen_config *where = &config->listen;
    struct listen_options options = {.backlog = (int)config->backlog,
                                     .has_unix_mode = where->has_mode,
                                     .unix_mode = where->mode};
    const char *step = "resolve", *error = "path too long";
    struct addr addr;
    int fd;

    if (config->reuseport || worker != 0)
        options.sharing = LISTEN_BESIDE_OTHERS;
    else if (worker_count > 1)
        options.sharing = LISTEN_BEFORE_OTHERS;
    if (!address_of(where, &addr, &error)) {
        log_error("pool '%s': %s: %s", config->name, where->text, error);
        return -1;
    }
    fd = listener_socket(&addr, &options, &step);
    if (fd < 0)
        log_error("pool '%s': %s on '%s' failed: %m", config->name, step, where->text);
    return fd;
}

/* The socket that was bound for us there; -1: none. */
static int find_inherited(unsigned count, const struct pool_config *config)
{
    struct addr wanted, bound;
    const char *error;

    for (unsigned i = 0; i < count; i++) {
        int fd = NOTIFY_FIRST_FD + (int)i;

        if (address_of(&config->listen, &wanted, &error) && addr_of_socket(fd, &bound) &&
            addr_equal(&wanted, &bound))
            return fd;
    }
    return -1;
}

bool sockets_is_inherited(const struct sockets *sockets, const struct pool_config *config)
{
    return find_inherited(sockets->inherited_count, config) >= 0;
}

static int copy_of(const struct pool_config *config, int fd)
{
    int copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);

    if (copy < 0)
        log_error("pool '%s': copying the socket of '%s' failed: %m", config->name,
                  config->listen.text);
    if (copy >= 0)
        (void)fcntl(copy, F_SETFL, fcntl(copy, F_GETFL) | O_NONBLOCK);
    return copy;
}

/* Who listens in the pool's place at present; NULL: nobody. */
static const struct pool_config *present_at(const struct sockets_present *present,
                                            const struct pool_config *pool)
{
    for (size_t i = 0; present->config != NULL && i < present->config->pool_count; i++) {
        if (config_compare_places(&present->config->pools[i].listen, &pool->listen) == 0)
            return &present->config->pools[i];
    }
    return NULL;
}

/* A unix socket has one place in the file system: workers share it. */
static bool open_pool(struct sockets *sockets, size_t pool, const struct pool_config *config,
                      const struct sockets_present *present)
{
    const struct pool_config *holder = present_at(present, config);
    int *fds = &sockets->fds[pool * sockets->worker_count];
    int inherited = find_inherited(present->inherited_count, config);

    if (holder != NULL && config_is_same_pool(holder, config))
        return true;
    for (unsigned i = 0; i < sockets->worker_count; i++) {
        if (inherited >= 0)
            fds[i] = copy_of(config, inherited);
        else if (holder != NULL)
            fds[i] = copy_of(config, present->find(present, holder->name, i));
        else if (i != 0 && config->listen.unix_path != NULL)
            fds[i] = copy_of(config, fds[0]);
        else
            fds[i] = open_one(config, i, sockets->worker_count);
        if (fds[i] < 0)
            return false;
    }
    return true;
}

struct sockets *sockets_open(const struct config *config, unsigned worker_count,
                             const struct sockets_present *present)
{
    size_t count = config->pool_count * worker_count;
    struct sockets *sockets = malloc(sizeof(*sockets) + count * sizeof(sockets->fds[0]));

    if (sockets == NULL) {
        log_error("out of memory");
        return NULL;
    }
    sockets->inherited_count = present->inherited_count;
    sockets->pool_count = config->pool_count;
    sockets->worker_count = worker_count;
    for (size_t i = 0; i < count; i++)
        sockets->fds[i] = -1;
    for (size_t i = 0; i < config->pool_count; i++) {
        if (!open_pool(sockets, i, &config->pools[i], present)) {
            sockets_free(sockets);
            return NULL;
        }
    }
    return sockets;
}

int sockets_take(struct sockets *sockets, size_t pool, unsigned worker)
{
    int *place = &sockets->fds[pool * sockets->worker_count + worker];
    int fd = *place;

    *place = -1;
    return fd;
}

void sockets_free(struct sockets *sockets)
{
    for (size_t i = 0; i < sockets->pool_count * sockets->worker_count; i++) {
        if (sockets->fds[i] >= 0)
            close(sockets->fds[i]);
    }
    free(sockets);
}
