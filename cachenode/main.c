/*
 * cachenode: a cache server that speaks memcached's protocol.
 */
#include <stdio.h>
#include <sysexits.h>
#include <unistd.h>

#include "cachenode/node.h"
#include "cachenode/settings.h"
#include "cachenode/stats.h"
#include "common/base/log.h"
#include "common/process/daemon.h"

/* What the process needs of the system before there is a node. Returns the exit status. */
static int prepare_process(const struct settings *settings)
{
    static const struct {
        uint64_t descriptors_per_thread, descriptors;
    } own = {5, 32};

    if (getuid() == 0 && settings->user == NULL) {
        fprintf(stderr, "cachenode: must add '-u root' to start as root\n");
        return EX_USAGE;
    }
    if (!daemon_want_files(settings->max_conns + own.descriptors +
                           own.descriptors_per_thread * settings->threads)) {
        fprintf(stderr, "cachenode: -c %u: cannot have that many open files\n",
                settings->max_conns);
        return EX_OSERR;
    }
    if (settings->core_dumps && !daemon_want_cores()) {
        fprintf(stderr, "cachenode: -r: core dumps are not allowed here\n");
        return EX_OSERR;
    }
    if (settings->daemonize &&
        !daemon_start(&(struct daemon_options){.to_root = !settings->core_dumps,
                                               .keep_stdio = settings->verbosity != 0})) {
        fprintf(stderr, "cachenode: -d: cannot go to the background\n");
        return EX_OSERR;
    }
    if (settings->lock_memory && !daemon_lock_memory())
        fprintf(stderr, "cachenode: -k: memory cannot be locked, going on without\n");
    return 0;
}

int main(int argc, char **argv)
{
    struct settings settings;
    int status = settings_parse(argc, argv, &settings);

    if (status == 0 && settings.show_help) {
        settings_print_help(stdout);
    } else if (status == 0 && settings.show_version) {
        settings_print_version(stdout);
    } else if (status == 0) {
        log_set_level(stats_log_level(settings.verbosity));
        status = prepare_process(&settings);
        if (status == 0)
            status = node_run(&settings);
    }
    settings_free(&settings);
    return status;
}
