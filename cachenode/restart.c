#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cachenode/restart.h"
#include "cachenode/store/image.h"
#include "common/base/log.h"

static bool image_path(const char *path, const char *suffix, char out[PATH_MAX])
{
    return snprintf(out, PATH_MAX, "%s%s", path, suffix) < PATH_MAX;
}

/* An image is used once: should this node crash, its memory file is of no use. */
static FILE *take_image(const char *path)
{
    char name[PATH_MAX];
    FILE *in;

    if (!image_path(path, ".meta", name))
        return NULL;
    in = fopen(name, "re");
    if (in != NULL)
        unlink(name);
    return in;
}

struct store *restart_open(const struct store_options *options, const char **error)
{
    const char *path = options->slab.path, *why;
    FILE *in = path == NULL ? NULL : take_image(path);
    struct store *store;
    bool is_loaded;

    /* Without an image there is nothing to keep of the file. */
    if (path != NULL && in == NULL && truncate(path, 0) == 0)
        log_info("memory file %s: no image beside it, starting cold", path);
    store = store_create(options, error);
    if (store == NULL || in == NULL)
        return store;
    is_loaded = store_image_load(store, in, &why);
    fclose(in);
    if (is_loaded) {
        log_info("memory file %s: continuing", path);
        return store;
    }
    log_warning("memory file %s: %s, starting cold", path, why);
    store_free(store);
    return truncate(path, 0) == 0 ? store_create(options, error) : NULL;
}

static bool save_image(struct store *store, const char *path)
{
    char aside[PATH_MAX], name[PATH_MAX];
    FILE *out;
    bool is_saved;

    if (!image_path(path, ".meta.tmp", aside) || !image_path(path, ".meta", name))
        return false;
    out = fopen(aside, "we");
    if (out == NULL)
        return false;
    is_saved = fchmod(fileno(out), 0600) == 0 && store_image_save(store, out);
    is_saved = fclose(out) == 0 && is_saved && rename(aside, name) == 0;
    if (!is_saved)
        unlink(aside);
    return is_saved;
}

void restart_close(struct store *store, const char *path)
{
    if (path != NULL && !save_image(store, path))
        log_error("memory file %s: its image cannot be written: %s", path, strerror(errno));
    store_free(store);
}
