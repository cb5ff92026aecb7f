#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/file.h>
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

/* Keeps the file for this process: another that has mapped it would write over what is ours, and
 * to cut it off under its feet would kill it. Returns what is wrong, or NULL. */
static const char *lock_file(struct restart *restart)
{
    restart->fd = open(restart->path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (restart->fd < 0)
        return "the memory file cannot be opened";
    if (flock(restart->fd, LOCK_EX | LOCK_NB) == 0)
        return NULL;
    return errno == EWOULDBLOCK ? "another process has the memory file"
                                : "the memory file cannot be locked";
}

static void unlock_file(struct restart *restart)
{
    if (restart->fd >= 0)
        close(restart->fd);
    restart->fd = -1;
}

/* A store of the locked file. */
static struct store *open_store(struct restart *restart, const struct store_options *options,
                                const char **error)
{
    FILE *in = take_image(restart->path);
    struct store *store;
    const char *why;
    bool is_loaded;

    /* Without an image there is nothing to keep of the file. */
    if (in == NULL && ftruncate(restart->fd, 0) == 0)
        log_info("memory file %s: no image beside it, starting cold", restart->path);
    store = store_create(options, error);
    if (in == NULL)
        return store;
    is_loaded = store != NULL && store_image_load(store, in, &why);
    fclose(in);
    if (store == NULL || is_loaded) {
        if (is_loaded)
            log_info("memory file %s: continuing", restart->path);
        return store;
    }
    log_warning("memory file %s: %s, starting cold", restart->path, why);
    store_free(store);
    *error = "the memory file cannot be emptied";
    return ftruncate(restart->fd, 0) == 0 ? store_create(options, error) : NULL;
}

struct store *restart_open(struct restart *restart, const struct store_options *options,
                           const char **error)
{
    struct store *store = NULL;

    *restart = (struct restart){.path = options->slab.path, .fd = -1};
    if (restart->path == NULL)
        return store_create(options, error);
    *error = lock_file(restart);
    if (*error == NULL)
        store = open_store(restart, options, error);
    if (store == NULL)
        unlock_file(restart);
    return store;
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

void restart_close(struct restart *restart, struct store *store)
{
    if (restart->path != NULL && !save_image(store, restart->path))
        log_error("memory file %s: its image cannot be written: %s", restart->path,
                  strerror(errno));
    store_free(store);
    unlock_file(restart);
}
