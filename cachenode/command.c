#include "cachenode/command.h"

static command_handler *const handlers[MC_COMMAND_COUNT] = {
    [MC_GET] = command_get,
    [MC_GETS] = command_get,
    [MC_GAT] = command_gat,
    [MC_GATS] = command_gat,
    [MC_INCR] = command_add_number,
    [MC_DECR] = command_add_number,
    [MC_TOUCH] = command_touch,
    [MC_DELETE] = command_delete,
    [MC_MG] = command_meta_get,
    [MC_MD] = command_meta_delete,
    [MC_MA] = command_meta_arithmetic,
    [MC_ME] = command_meta_debug,
    [MC_FLUSH_ALL] = command_flush_all,
    [MC_VERSION] = command_version,
    [MC_VERBOSITY] = command_verbosity,
    [MC_STATS] = command_stats,
    [MC_CACHE_MEMLIMIT] = command_cache_memlimit,
    [MC_SLABS] = command_slabs,
    [MC_LRU] = command_lru,
    [MC_LRU_CRAWLER] = command_lru_crawler,
    [MC_REFRESH_CERTS] = command_refresh_certs,
    [MC_WATCH] = command_watch,
    [MC_SHUTDOWN] = command_shutdown,
    [MC_MN] = command_mn,
    [MC_QUIT] = command_quit,
};

void command_run(struct session *session, const struct mc_request *request, uint32_t hash)
{
    handlers[request->command->id](session, request, hash);
}
