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
};

static void end_caught(int number, void *context)
{
    struct proxy *proxy = context;

    log_notice("signal %d: draining", number);
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

static void render(struct stats_port *port, struct chain *out)
{
    struct proxy *proxy = container_of(port, struct proxy, stats_port);

    stats_render(&proxy->worker, (clock_read_us() - proxy->started_us) / 1000000, out);
}

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
    stats_port_open(&proxy->stats_port, &proxy->control, fd, render);
    return true;
}

/* Runs with the control loop and the worker open. */
static int run_open(struct proxy *proxy, const struct proxy_options *options)
{
    if (!open_stats(proxy, options))
        return 1;
    if (!signals_open(&proxy->signals, &proxy->control, signal_rows,
                      sizeof(signal_rows) / sizeof(signal_rows[0]), proxy) ||
        !worker_start(&proxy->worker)) {
        log_error("cannot start: %m");
        stats_port_close(&proxy->stats_port);
        return 1;
    }
    if (options->pid_path != NULL && !pid_file_write(options->pid_path, PID_FILE_BARE))
        log_error("pid file '%s': %m", options->pid_path);
    log_notice("cacheproxy-%s started on pid %d", CACHEPOOL_VERSION, (int)getpid());
    loop_run(&proxy->control);
    signals_close(&proxy->signals);
    stats_port_close(&proxy->stats_port);
    if (options->pid_path != NULL)
        pid_file_remove(options->pid_path);
    return 0;
}

int proxy_run(const struct proxy_options *options, const struct config *config)
{
    struct proxy proxy = {.started_us = clock_read_us()};
    int status = 1;

    if (!loop_open(&proxy.control)) {
        log_error("event loop: %m");
        return 1;
    }
    if (worker_open(&proxy.worker, config, &proxy.control))
        status = run_open(&proxy, options);
    worker_close(&proxy.worker);
    loop_close(&proxy.control);
    log_notice("stopped");
    return status;
}
