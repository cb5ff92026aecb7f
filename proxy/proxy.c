#include <errno.h>
#include <signal.h>
#include <unistd.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/version.h"
#include "common/net/stats_port.h"
#include "common/process/daemon.h"
#include "common/process/signals.h"
#include "proxy/proxy.h"
#include "proxy/stats.h"

struct proxy {
    struct loop control;
    struct worker worker;
    struct stats_port stats_port;
    struct signals signals;
    uint64_t started_us;
    bool is_draining;
};

static void end_caught(int number, void *context)
{
    struct proxy *proxy = context;

    log_notice("signal %d: draining", number);
    proxy->is_draining = true;
    worker_drain(&proxy->worker);
}

static void reopen_caught(int number, void *context)
{
    (void)number;
    (void)context;
    log_reopen();
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
                                                {SIGHUP, reopen_caught},  {SIGTTIN, level_caught},
                                                {SIGTTOU, level_caught},  {SIGUSR1, ignored_caught},
                                                {SIGUSR2, ignored_caught}};

/* --- pages of the statistics' port --- */

static uint64_t uptime_s(const struct proxy *proxy)
{
    return (clock_read_us() - proxy->started_us) / 1000000;
}

static bool render_json(struct stats_port *port, struct chain *out)
{
    struct proxy *proxy = container_of(port, struct proxy, stats_port);

    stats_render(&proxy->worker, uptime_s(proxy), false, out);
    return true;
}

static bool render_all(struct stats_port *port, struct chain *out)
{
    struct proxy *proxy = container_of(port, struct proxy, stats_port);

    stats_render(&proxy->worker, uptime_s(proxy), true, out);
    return true;
}

static bool render_metrics(struct stats_port *port, struct chain *out)
{
    struct proxy *proxy = container_of(port, struct proxy, stats_port);

    stats_render_prometheus(&proxy->worker, uptime_s(proxy), out);
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

/* Runs with the control loop and the worker open. */
static int run_open(struct proxy *proxy, const struct proxy_options *options)
{
    if (!open_stats(proxy, options))
        return 1;
    if (!worker_start(&proxy->worker)) {
        log_error("cannot start: %m");
        stats_port_close(&proxy->stats_port);
        return 1;
    }
    if (options->pid_path != NULL && !pid_file_write(options->pid_path, PID_FILE_BARE))
        log_error("pid file '%s': %m", options->pid_path);
    log_notice("cacheproxy-%s started on pid %d", CACHEPOOL_VERSION, (int)getpid());
    loop_run(&proxy->control);
    stats_port_close(&proxy->stats_port);
    if (options->pid_path != NULL)
        pid_file_remove(options->pid_path);
    return 0;
}

int proxy_run(const struct proxy_options *options, const struct config *config)
{
    struct proxy proxy = {.started_us = clock_read_us()};
    struct resolver *resolver;
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
    resolver = resolver_create();
    if (resolver == NULL)
        log_error("out of memory");
    if (resolver != NULL && worker_open(&proxy.worker, config, &proxy.control, resolver))
        status = run_open(&proxy, options);
    if (resolver != NULL) {
        worker_close(&proxy.worker);
        resolver_close(resolver);
    }
    signals_close(&proxy.signals);
    loop_close(&proxy.control);
    log_notice("stopped");
    return status;
}
