#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/version.h"
#include "common/net/stats_port.h"
#include "common/process/daemon.h"
#include "common/process/notify.h"
#include "common/process/signals.h"
#include "proxy/proxy.h"
#include "proxy/stats.h"

/* What a worker posts when it has drained. */
struct drained {
    struct loop_post post;
    struct proxy *proxy;
};

struct proxy {
    struct loop control;
    struct worker *workers;
    unsigned worker_count;
    struct resolver *resolver;
    struct reload reload;
    struct stats_port stats_port;
    struct signals signals;
    uint64_t started_us;
    bool is_draining;
    struct drained *drained; /* of each worker */
    unsigned drained_count;
};

static void worker_drained(struct loop_post *post)
{
    struct proxy *proxy = container_of(post, struct drained, post)->proxy;

    if (++proxy->drained_count == proxy->worker_count)
        loop_stop(&proxy->control);
}

static void end_caught(int number, void *context)
{
    struct proxy *proxy = context;

    if (proxy->is_draining)
        return;
    log_notice("signal %d: draining", number);
    (void)notify_manager("STOPPING=1");
    proxy->is_draining = true;
    proxy->reload.again = false; /* one that is under way is the last */
    for (unsigned i = 0; i < proxy->worker_count; i++) {
        proxy->drained[i] = (struct drained){.post = {.run = worker_drained}, .proxy = proxy};
        list_init(&proxy->drained[i].post.link);
        worker_drain(&proxy->workers[i], &proxy->drained[i].post);
    }
}

static void hangup_caught(int number, void *context)
{
    struct proxy *proxy = context;

    (void)number;
    log_reopen();
    if (!proxy->is_draining)
        reload_start(&proxy->reload);
}

static void level_caught(int number, void *context)
{
    (void)context;
    log_set_level(log_get_level() + (number == SIGTTIN ? 1 : -1));
}

static void ignored_caught(int number, void *context)
{
    (void)context;
    log_info("signal %d has no effect", number);
}

static const struct signal_row signal_rows[] = {{SIGTERM, end_caught},    {SIGINT, end_caught},
                                                {SIGHUP, hangup_caught},  {SIGTTIN, level_caught},
                                                {SIGTTOU, level_caught},  {SIGUSR1, ignored_caught},
                                                {SIGUSR2, ignored_caught}};

/* --- pages of the statistics' port --- */

static struct stats_source source_of(const struct proxy *proxy)
{
    return (struct stats_source){.workers = proxy->workers,
                                 .worker_count = proxy->worker_count,
                                 .reload = &proxy->reload,
                                 .uptime_s = (clock_read_us() - proxy->started_us) / 1000000};
}

static bool render_json(struct stats_port *port, struct chain *out)
{
    struct stats_source source = source_of(container_of(port, struct proxy, stats_port));

    stats_render(&source, false, out);
    return true;
}

static bool render_all(struct stats_port *port, struct chain *out)
{
    struct stats_source source = source_of(container_of(port, struct proxy, stats_port));

    stats_render(&source, true, out);
    return true;
}

static bool render_metrics(struct stats_port *port, struct chain *out)
{
    struct stats_source source = source_of(container_of(port, struct proxy, stats_port));

    stats_render_prometheus(&source, out);
    return true;
}

static bool render_health(struct stats_port *port, struct chain *out)
{
    (void)port;
    return chain_copy(out, STR("ok\n"));
}

/* Not any more once it drains: a balancer sends new clients elsewhere. */
static bool render_ready(struct stats_port *port, struct chain *out)
{
    struct proxy *proxy = container_of(port, struct proxy, stats_port);

    chain_copy(out, proxy->is_draining ? STR("draining\n") : STR("ready\n"));
    return !proxy->is_draining;
}

/* The first is nutcracker's own, which those who say nothing get. */
static const struct stats_page pages[] = {
    {"/", "application/json", render_json},
    {"/stats.json", "application/json", render_all},
    {"/metrics", "text/plain; version=0.0.4", render_metrics},
    {"/health", "text/plain", render_health},
    {"/ready", "text/plain", render_ready},
    {NULL, NULL, NULL},
};

static bool open_stats(struct proxy *proxy, const struct proxy_options *options)
{
    struct listen_options listening = {.backlog = 128};
    const char *error = "", *step = "";
    struct addr addr;
    int fd;

    if (addr_resolve(options->stats_host, (uint16_t)options->stats_port, &addr, 1, &error) == 0) {
        log_error("statistics on %s: %s", options->stats_host, error);
        return false;
    }
    fd = listener_socket(&addr, &listening, &step);
    if (fd < 0) {
        log_error("%s of the statistics on port %u failed: %m", step, options->stats_port);
        return false;
    }
    stats_port_open(&proxy->stats_port, &proxy->control, fd, pages);
    return true;
}

/* Runs with the control loop and the workers open. */
static int run_open(struct proxy *proxy, const struct proxy_options *options)
{
    bool is_started = true;

    for (unsigned i = 0; is_started && i < proxy->worker_count; i++)
        is_started = worker_start(&proxy->workers[i]);
    if (!is_started) {
        log_error("cannot start: %m");
        return 1;
    }
    if (options->pid_path != NULL && !pid_file_write(options->pid_path, PID_FILE_BARE))
        log_error("pid file '%s': %m", options->pid_path);
    if (!notify_manager("READY=1"))
        log_warning("NOTIFY_SOCKET: %m");
    log_notice("cacheproxy-%s started on pid %d", CACHEPOOL_VERSION, (int)getpid());
    loop_run(&proxy->control);
    if (options->pid_path != NULL)
        pid_file_remove(options->pid_path);
    return 0;
}

/* Makes the workers; proxy->worker_count are to be closed either way. */
static bool open_workers(struct proxy *proxy, struct config *config, unsigned count)
{
    const struct sockets_present present = {.inherited_count = proxy->reload.inherited_count};
    struct sockets *sockets = sockets_open(config, count, &present);
    bool is_open = sockets != NULL;

    while (is_open && proxy->worker_count < count) {
        struct worker_setup setup = {.number = proxy->worker_count,
                                     .config = config,
                                     .sockets = sockets,
                                     .control = &proxy->control,
                                     .resolver = proxy->resolver};

        is_open = worker_open(&proxy->workers[proxy->worker_count++], &setup);
    }
    if (sockets != NULL)
        sockets_free(sockets);
    return is_open;
}

/* Runs with the control loop open and signals caught. */
static int run_workers(struct proxy *proxy, const struct proxy_options *options,
                       struct config *config)
{
    unsigned count = options->workers != 0 ? options->workers : config->workers;
    int status = 1;

    proxy->workers = calloc(count, sizeof(*proxy->workers));
    proxy->drained = calloc(count, sizeof(*proxy->drained));
    if (proxy->workers == NULL || proxy->drained == NULL ||
        !reload_open(&proxy->reload, options->config_path, config, proxy->workers, count,
                     notify_take_fds()))
        log_error("out of memory");
    else if (open_workers(proxy, config, count))
        status = run_open(proxy, options);
    for (unsigned i = 0; i < proxy->worker_count; i++)
        worker_close(&proxy->workers[i]);
    reload_close(&proxy->reload);
    free(proxy->workers);
    free(proxy->drained);
    return status;
}

int proxy_run(const struct proxy_options *options, struct config *config)
{
    struct proxy proxy = {.started_us = clock_read_us()};
    int status = 1;

    if (!loop_open(&proxy.control)) {
        log_error("event loop: %m");
        return 1;
    }
    /* Signals first: who can reach a port may also end us. */
    if (!signals_open(&proxy.signals, &proxy.control, signal_rows,
                      sizeof(signal_rows) / sizeof(signal_rows[0]), &proxy)) {
        log_error("signals: %m");
        loop_close(&proxy.control);
        return 1;
    }
    proxy.resolver = resolver_create();
    if (proxy.resolver == NULL) {
        log_error("out of memory");
    } else {
        /* Statistics first: who can reach a pool may also ask how it is. */
        if (open_stats(&proxy, options)) {
            status = run_workers(&proxy, options, config);
            stats_port_close(&proxy.stats_port);
        }
        resolver_close(proxy.resolver);
    }
    signals_close(&proxy.signals);
    loop_close(&proxy.control);
    log_notice("stopped");
    return status;
}
