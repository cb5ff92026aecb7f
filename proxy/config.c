#include <stdarg.h>
#include <stdlib.h>
#include <sys/un.h>

#include "common/bytes/number.h"
#include "common/option/option.h"
#include "common/option/yaml.h"
#include "proxy/config.h"

static const void *find_hash(struct str name)
{
    return hash_find(name);
}

static const char *hash_choice(size_t i)
{
    return hashes[i].name;
}

static const void *find_distribution(struct str name)
{
    return distribution_find(name);
}

static const char *distribution_choice(size_t i)
{
    return distributions[i] ? distributions[i]->name : NULL;
}

static const char *parse_hash_tag(struct str value, void *field)
{
    struct hash_tag_config *tag = field;

    if (value.len != 2)
        return "is not a valid hash tag string with two characters";
    tag->is_set = true;
    memcpy(tag->ends, value.data, 2);
    return NULL;
}

/* Cuts what stands behind the last `separator` off `text`; false when there is none. */
static bool cut_last(struct str *text, char separator, struct str *behind)
{
    const char *at = text->len == 0 ? NULL : memrchr(text->data, separator, text->len);

    if (at == NULL)
        return false;
    *behind = str_skip(*text, (size_t)(at - text->data) + 1);
    text->len = (size_t)(at - text->data);
    return true;
}

static bool parse_port(struct str text, uint16_t *port)
{
    uint32_t number;

    if (!number_parse_u32(text, &number) || number == 0 || number > UINT16_MAX)
        return false;
    *port = (uint16_t)number;
    return true;
}

/* "[::1]" is "::1"; other hosts are as they stand. */
static struct str host_without_brackets(struct str host)
{
    if (host.len > 2 && host.data[0] == '[' && host.data[host.len - 1] == ']')
        return (struct str){host.data + 1, host.len - 2};
    return host;
}

static bool is_unix_path_length(struct str path)
{
    return path.len < sizeof(((struct sockaddr_un *)NULL)->sun_path);
}

static char *copy_of(struct str text)
{
    return strndup(text.data, text.len);
}

static const char *parse_unix_listen(struct str value, struct listen_config *listen)
{
    struct str path = value, permission = STR("");
    uint32_t mode = 0;

    if (cut_last(&path, ' ', &permission)) {
        for (size_t i = 0; i < permission.len; i++) {
            if (permission.data[i] < '0' || permission.data[i] > '7' || mode > 0777)
                return "has an invalid file permission in \"socket_path permission\" format string";
            mode = mode * 8 + (uint32_t)(permission.data[i] - '0');
        }
        if (permission.len == 0 || mode > 0777)
            return "has an invalid file permission in \"socket_path permission\" format string";
        listen->has_mode = true;
        listen->mode = mode;
    }
    if (!is_unix_path_length(path))
        return "has an invalid value: the path of a unix socket has at most 107 bytes";
    listen->unix_path = copy_of(path);
    return listen->unix_path ? NULL : "cannot be kept: out of memory";
}

static const char *parse_listen(struct str value, void *field)
{
    struct listen_config *listen = field;
    struct str host = value, port;

    listen->text = copy_of(value);
    if (listen->text == NULL)
        return "cannot be kept: out of memory";
    if (value.len != 0 && value.data[0] == '/')
        return parse_unix_listen(value, listen);
    if (!cut_last(&host, ':', &port) || host.len == 0 || str_equal(host, STR("*")))
        return "has an invalid \"hostname:port\" format string";
    if (!parse_port(port, &listen->port))
        return "has an invalid port in \"hostname:port\" format string, 1 to 65535 was expected";
    listen->host = copy_of(host_without_brackets(host));
    return listen->host ? NULL : "cannot be kept: out of memory";
}

static const char *parse_ring_points(struct str value, void *field)
{
    *(bool *)field = str_equal(value, STR("fixed"));
    return *(bool *)field || str_equal(value, STR("nutcracker")) ? NULL
                                                                 : "is not nutcracker or fixed";
}

static const char *parse_on_eject(struct str value, void *field)
{
    static const char *const names[] = {
        [ON_EJECT_REHASH] = "rehash", [ON_EJECT_MISS] = "miss", [ON_EJECT_ERROR] = "error"};

    for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (str_equal(value, str_of(names[i]))) {
            *(enum on_eject *)field = (enum on_eject)i;
            return NULL;
        }
    }
    return "is not rehash, miss or error";
}

#define POOL_OPTION(name, kind, field, ...)                                                        \
    {                                                                                              \
        .key = (name), .type = OPTION_##kind, .offset = offsetof(struct pool_config, field),       \
        __VA_ARGS__                                                                                \
    }

/* About the whole proxy: keys beside the pools' names. */
static const struct option config_options[] = {
    {.key = "workers",
     .type = OPTION_COUNT,
     .offset = offsetof(struct config, workers),
     .initial = "1",
     .min = 1,
     .max = 64,
     .help = "data threads; -w has the last word"},
    {.key = "memory_max",
     .type = OPTION_SIZE,
     .offset = offsetof(struct config, memory_max),
     .initial = "1g",
     .min = 16 << 20,
     .max = (int64_t)1 << 40,
     .help = "requests and replies on their way take no more; a single one no more than half, "
             "or 1g"},
};

#define CONFIG_OPTIONS config_options, OPTION_COUNT_OF(config_options)

static const struct option pool_options[] = {
    POOL_OPTION("listen", CUSTOM, listen, .parse = parse_listen,
                .argument = "host:port, or /path and octal permissions",
                .help = "where clients connect; required"),
    POOL_OPTION("hash", CHOICE, hash, .initial = "fnv1a_64", .find = find_hash,
                .choice = hash_choice, .help = "how a key becomes a number"),
    POOL_OPTION("hash_tag", CUSTOM, hash_tag, .parse = parse_hash_tag,
                .size = sizeof(struct hash_tag_config), .argument = "two characters",
                .help = "hash only what stands between these two"),
    POOL_OPTION("distribution", CHOICE, distribution, .initial = "ketama",
                .find = find_distribution, .choice = distribution_choice,
                .help = "how keys are spread over the servers"),
    POOL_OPTION("ring_points", CUSTOM, has_fixed_points, .parse = parse_ring_points,
                .size = sizeof(bool), .argument = "nutcracker or fixed", .initial = "nutcracker",
                .help = "ketama's points: nutcracker's number, which rounds and depends on how "
                        "many servers there are; or 160 for each unit of weight"),
    POOL_OPTION("timeout", MILLISECONDS, timeout_ms, .initial = "0",
                .help = "wait for a server's connect or reply; 0: for ever"),
    POOL_OPTION("slowlog_ms", MILLISECONDS, slowlog_ms, .initial = "0",
                .help =
                    "log requests that a server took so long for, five a second at most; 0: none"),
    POOL_OPTION("allow_flush_all", BOOL, allow_flush_all, .initial = "false",
                .help = "flush_all goes to all servers; else it is refused"),
    POOL_OPTION("server_queue_max", COUNT, server_queue_max, .initial = "0", .max = INT32_MAX,
                .help = "refuse more requests than these under way on a connection to a server, "
                        "rather than have them all time out; 0: take all"),
    POOL_OPTION("backlog", COUNT, backlog, .initial = "512", .max = INT32_MAX,
                .help = "connections that wait to be accepted"),
    POOL_OPTION("client_connections", COUNT, client_connections, .initial = "0", .max = INT32_MAX,
                .help = "clients at a time, shared out among the workers; 0: as many as come"),
    POOL_OPTION("tcpkeepalive", BOOL, tcpkeepalive, .initial = "false",
                .help = "keep-alive probes on connections of clients and servers"),
    POOL_OPTION("redis", BOOL, redis, .initial = "false", .help = "the pool speaks Redis"),
    POOL_OPTION("redis_auth", STRING, redis_auth, .help = "password of a Redis pool"),
    POOL_OPTION("redis_db", COUNT, redis_db, .initial = "0", .max = INT32_MAX,
                .help = "database of a Redis pool"),
    POOL_OPTION("preconnect", BOOL, preconnect, .initial = "false",
                .help = "connect to all servers at the start"),
    POOL_OPTION("auto_eject_hosts", BOOL, auto_eject_hosts, .initial = "false",
                .help = "stop using a server that keeps failing"),
    POOL_OPTION("server_connections", COUNT, server_connections, .initial = "1", .min = 1,
                .max = INT32_MAX, .help = "connections to each server"),
    POOL_OPTION("server_retry_timeout", MILLISECONDS, server_retry_timeout_ms, .initial = "30000",
                .help = "wait before an ejected server is probed; twice as long after each probe "
                        "that fails"),
    POOL_OPTION("server_retry_timeout_max", MILLISECONDS, retry_timeout_max_ms, .initial = "60000",
                .help = "the longest such wait, unless server_retry_timeout is longer"),
    POOL_OPTION("on_eject", CUSTOM, on_eject, .parse = parse_on_eject,
                .size = sizeof(enum on_eject), .argument = "rehash, miss or error",
                .initial = "rehash",
                .help = "an ejected server's keys go to the others; or they miss and are not "
                        "stored, and what was not is deleted when it is back; or they fail"),
    POOL_OPTION("failover", STRING, failover,
                .help = "the pool that an ejected server's keys go to, spread by its own hash"),
    POOL_OPTION("eject_max_percent", COUNT, eject_max_percent, .initial = "50", .max = 100,
                .help = "share of a pool's servers that may be ejected at a time"),
    POOL_OPTION("server_failure_limit", COUNT, server_failure_limit, .initial = "2",
                .max = INT32_MAX, .help = "failures in a row before a server is ejected"),
    POOL_OPTION("resolve_interval", MILLISECONDS, resolve_interval_ms, .initial = "10000",
                .help = "time from one look-up of a server's name to the next; 0: only when a "
                        "connection failed"),
    POOL_OPTION("reuseport", BOOL, reuseport, .initial = "false",
                .help = "let other processes listen on the same port"),
};

#define POOL_OPTIONS pool_options, OPTION_COUNT_OF(pool_options)

struct loader {
    struct yaml_file *file;
    const struct yaml_value *pool_key; /* of the pool that is being read */
    char *error;
    size_t error_size;
};

/* Complains about `value`, naming the pool. Returns false. */
static bool refuse(struct loader *loader, const struct yaml_value *value, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static bool refuse(struct loader *loader, const struct yaml_value *value, const char *format, ...)
{
    char text[OPTION_ERROR_MAX + 128];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    yaml_file_complain(loader->file, value, loader->error, loader->error_size, "pool %.64s: %s",
                       loader->pool_key->text.data, text);
    return false;
}

/* The name for hashing and statistics, exactly as nutcracker has it: the default port is
 * left out, and a unix path keeps the colon that stood before its weight. */
static char *default_name(struct str address, const struct server_config *server)
{
    static const char memcached_port[] = ":11211";
    char *name;

    if (server->unix_path != NULL)
        return asprintf(&name, "%.*s:", STR_ARG(address)) < 0 ? NULL : name;
    if (server->port == 11211 && address.len > strlen(memcached_port))
        address.len =
            (size_t)((const char *)memrchr(address.data, ':', address.len) - address.data);
    return copy_of(address);
}

/* Parses "host:port:weight [name]" or "/path:weight [name]" from the right.
 * Returns NULL, or what is wrong. */
static const char *parse_server(struct str line, struct server_config *server)
{
    static const char *const format =
        "has an invalid \"hostname:port:weight [name]\" or \"/path/unix_socket:weight [name]\" "
        "format string";
    bool is_unix = line.len != 0 && line.data[0] == '/';
    struct str rest = line, name = STR(""), weight, port, address;
    bool has_name = cut_last(&rest, ' ', &name);

    if (!cut_last(&rest, ':', &weight) || rest.len == 0 || (has_name && name.len == 0))
        return format;
    address = rest;
    if (!is_unix && (!cut_last(&rest, ':', &port) || rest.len == 0))
        return format;
    if (!number_parse_u32(weight, &server->weight) || server->weight > INT32_MAX)
        return "has an invalid weight in \"hostname:port:weight [name]\" format string";
    if (server->weight == 0)
        return "has a zero weight in \"hostname:port:weight [name]\" format string";
    if (!is_unix && !parse_port(port, &server->port))
        return "has an invalid port in \"hostname:port:weight [name]\" format string";
    if (is_unix && !is_unix_path_length(rest))
        return "has an invalid value: the path of a unix socket has at most 107 bytes";
    if (is_unix)
        server->unix_path = copy_of(rest);
    else
        server->host = copy_of(host_without_brackets(rest));
    server->text = copy_of(line);
    server->name = has_name ? copy_of(name) : default_name(address, server);
    if (!server->text || !server->name || !(is_unix ? server->unix_path : server->host))
        return "cannot be kept: out of memory";
    if (strlen(server->name) > RING_NAME_MAX)
        return "has a name of more than 264 bytes";
    return NULL;
}

static int compare_names(const char *a, const char *b)
{
    return distribution_compare_names(str_of(a), str_of(b));
}

static int compare_servers(const void *a, const void *b)
{
    return compare_names(((const struct server_config *)a)->name,
                         ((const struct server_config *)b)->name);
}

static int compare_pools(const void *a, const void *b)
{
    return compare_names(((const struct pool_config *)a)->name,
                         ((const struct pool_config *)b)->name);
}

static bool read_servers(struct loader *loader, const struct yaml_value *list,
                         struct pool_config *pool)
{
    if (list->kind != YAML_LIST || list->count == 0)
        return refuse(loader, list, "servers: a list of at least one server was expected");
    pool->servers = calloc(list->count, sizeof(pool->servers[0]));
    if (pool->servers == NULL)
        return refuse(loader, list, "out of memory");
    for (size_t i = 0; i < list->count; i++) {
        const struct yaml_value *line = list->children[i];
        const char *wrong = "is not a server";

        pool->server_count = i + 1;
        if (line->kind != YAML_SCALAR)
            return refuse(loader, line, "servers: \"host:port:weight [name]\" was expected");
        wrong = parse_server(line->text, &pool->servers[i]);
        if (wrong != NULL)
            return refuse(loader, line, "servers: '%.200s' %s", line->text.data, wrong);
    }
    qsort(pool->servers, pool->server_count, sizeof(pool->servers[0]), compare_servers);
    for (size_t i = 1; i < pool->server_count; i++) {
        if (compare_servers(&pool->servers[i - 1], &pool->servers[i]) == 0)
            return refuse(loader, list, "servers: two servers have the same name '%.200s'",
                          pool->servers[i].name);
    }
    return true;
}

/* A ring's size must be bearable where each unit of weight takes a part of it. */
static bool check_ring(struct loader *loader, struct pool_config *pool)
{
    uint64_t points = 0, unit = pool->has_fixed_points ? RING_POINTS_FIXED : 1;

    if (pool->has_fixed_points && pool->distribution != &distribution_ketama)
        return refuse(loader, loader->pool_key,
                      "directive \"ring_points:\" is only valid with distribution: ketama");
    if (pool->has_fixed_points)
        pool->distribution = &distribution_ketama_fixed;
    else if (pool->distribution != &distribution_modula)
        return true;
    for (size_t i = 0; i < pool->server_count; i++)
        points += pool->servers[i].weight * unit;
    if (points > RING_POINTS_MAX)
        return refuse(loader, loader->pool_key,
                      "servers: the sum of their weights makes a ring of more than %d points; "
                      "divide them by a common factor",
                      RING_POINTS_MAX);
    return true;
}

static bool check_ejection(struct loader *loader, const struct pool_config *pool)
{
    if (config_keeps_homes(pool) && !pool->auto_eject_hosts)
        return refuse(loader, loader->pool_key,
                      "directive \"%s:\" is only valid with auto_eject_hosts: true",
                      pool->failover != NULL ? "failover" : "on_eject");
    if (pool->on_eject == ON_EJECT_MISS && pool->redis)
        return refuse(loader, loader->pool_key,
                      "on_eject: miss is only valid for a memcached pool: Redis' commands have no "
                      "common answer that says so");
    return true;
}

/* What no single key can tell. */
static bool check_pool(struct loader *loader, struct pool_config *pool)
{
    if (pool->listen.text == NULL)
        return refuse(loader, loader->pool_key, "directive \"listen:\" is missing");
    if (pool->servers == NULL)
        return refuse(loader, loader->pool_key, "directive \"servers:\" is missing");
    if (pool->redis_auth != NULL && !pool->redis)
        return refuse(loader, loader->pool_key,
                      "directive \"redis_auth:\" is only valid for a redis pool");
    return check_ejection(loader, pool) && check_ring(loader, pool);
}

static bool read_pool(struct loader *loader, const struct yaml_value *map, struct pool_config *pool)
{
    char error[OPTION_ERROR_MAX];

    pool->name = copy_of(loader->pool_key->text);
    if (pool->name == NULL || !option_defaults(POOL_OPTIONS, pool))
        return refuse(loader, loader->pool_key, "out of memory");
    if (loader->pool_key->text.len == 0)
        return refuse(loader, loader->pool_key, "a pool needs a name");
    if (map->kind != YAML_MAP)
        return refuse(loader, map, "keys and values were expected");
    for (size_t i = 0; i < map->count; i += 2) {
        const struct yaml_value *key = map->children[i], *value = map->children[i + 1];
        const struct option *option = option_find(POOL_OPTIONS, key->text);

        if (str_equal(key->text, STR("servers"))) {
            if (!read_servers(loader, value, pool))
                return false;
            continue;
        }
        if (option == NULL)
            return refuse(loader, key, "directive \"%.64s\" is unknown", key->text.data);
        if (value->kind != YAML_SCALAR)
            return refuse(loader, value, "%s: a single value was expected", option->key);
        if (!option_set(option, pool, value->text, error))
            return refuse(loader, value, "%s", error);
    }
    return check_pool(loader, pool);
}

int config_compare_places(const struct listen_config *a, const struct listen_config *b)
{
    if (a->unix_path == NULL || b->unix_path == NULL)
        return a->unix_path != NULL   ? 1
               : b->unix_path != NULL ? -1
               : a->port != b->port   ? a->port - b->port
                                      : strcmp(a->host, b->host);
    return strcmp(a->unix_path, b->unix_path);
}

static int compare_listens(const void *a, const void *b)
{
    return config_compare_places(&(*(const struct pool_config *const *)a)->listen,
                                 &(*(const struct pool_config *const *)b)->listen);
}

/* Pools' names differ already: they are keys of one map. */
static bool check_listens(struct loader *loader, const struct config *config)
{
    const struct pool_config **pools = calloc(config->pool_count, sizeof(struct pool_config *));
    bool is_good = pools != NULL;

    for (size_t i = 0; is_good && i < config->pool_count; i++)
        pools[i] = &config->pools[i];
    if (is_good)
        qsort(pools, config->pool_count, sizeof(pools[0]), compare_listens);
    else
        yaml_file_complain(loader->file, loader->file->root, loader->error, loader->error_size,
                           "out of memory");
    for (size_t i = 1; is_good && i < config->pool_count; i++) {
        is_good = compare_listens(&pools[i - 1], &pools[i]) != 0;
        if (!is_good)
            yaml_file_complain(loader->file, loader->file->root, loader->error, loader->error_size,
                               "pools '%.64s' and '%.64s' have the same listen address '%.200s'",
                               pools[i - 1]->name, pools[i]->name, pools[i]->listen.text);
    }
    free(pools);
    return is_good;
}

/* An entry of a single value is about the whole proxy; the others are pools. */
static bool read_entry(struct loader *loader, const struct yaml_value *key,
                       const struct yaml_value *value, struct config *config)
{
    const struct option *option = option_find(CONFIG_OPTIONS, key->text);
    char error[OPTION_ERROR_MAX];

    loader->pool_key = key;
    if (option == NULL || value->kind != YAML_SCALAR) {
        config->pool_count++;
        return read_pool(loader, value, &config->pools[config->pool_count - 1]);
    }
    if (option_set(option, config, value->text, error))
        return true;
    yaml_file_complain(loader->file, value, loader->error, loader->error_size, "%s", error);
    return false;
}

static bool read_entries(struct loader *loader, const struct yaml_value *root,
                         struct config *config)
{
    for (size_t i = 0; i < root->count; i += 2) {
        if (!read_entry(loader, root->children[i], root->children[i + 1], config))
            return false;
    }
    if (config->pool_count != 0)
        return true;
    yaml_file_complain(loader->file, root, loader->error, loader->error_size,
                       "at least one pool was expected");
    return false;
}

/* What the pool's failover is not: NULL if all is well. */
static const char *failover_trouble(const struct config *config, const struct pool_config *pool)
{
    const struct pool_config *other = NULL;

    for (size_t i = 0; i < config->pool_count; i++) {
        if (strcmp(config->pools[i].name, pool->failover) == 0)
            other = &config->pools[i];
    }
    if (other == NULL)
        return "is no pool";
    if (other == pool)
        return "is the pool itself";
    if (other->redis != pool->redis)
        return "does not speak the same protocol";
    return other->failover != NULL ? "has a failover itself" : NULL;
}

static bool check_failovers(struct loader *loader, const struct config *config)
{
    for (size_t i = 0; i < config->pool_count; i++) {
        const struct pool_config *pool = &config->pools[i];
        const char *trouble = pool->failover ? failover_trouble(config, pool) : NULL;

        if (trouble == NULL)
            continue;
        yaml_file_complain(loader->file, loader->file->root, loader->error, loader->error_size,
                           "pool %.64s: failover: '%.64s' %s", pool->name, pool->failover, trouble);
        return false;
    }
    return true;
}

static struct config *read_config(struct loader *loader)
{
    const struct yaml_value *root = loader->file->root;
    struct config *config;

    if (root->kind != YAML_MAP || root->count == 0) {
        yaml_file_complain(loader->file, root, loader->error, loader->error_size,
                           "pool names with their keys were expected");
        return NULL;
    }
    config = calloc(1, sizeof(*config) + root->count / 2 * sizeof(config->pools[0]));
    if (config == NULL) {
        yaml_file_complain(loader->file, root, loader->error, loader->error_size, "out of memory");
        return NULL;
    }
    config->holds = 1;
    if (!option_defaults(CONFIG_OPTIONS, config) || !read_entries(loader, root, config)) {
        config_release(config);
        return NULL;
    }
    qsort(config->pools, config->pool_count, sizeof(config->pools[0]), compare_pools);
    if (!check_listens(loader, config) || !check_failovers(loader, config)) {
        config_release(config);
        return NULL;
    }
    return config;
}

static struct config *read_file(struct yaml_file *file, char *error, size_t error_size)
{
    struct loader loader = {.file = file, .error = error, .error_size = error_size};
    struct config *config = file ? read_config(&loader) : NULL;

    yaml_file_free(file);
    return config;
}

struct config *config_load(const char *path, char *error, size_t error_size)
{
    return read_file(yaml_file_load(path, error, error_size), error, error_size);
}

struct config *config_parse(const char *name, struct str text, char *error, size_t error_size)
{
    return read_file(yaml_file_parse(name, text, error, error_size), error, error_size);
}

static void free_pool(struct pool_config *pool)
{
    for (size_t i = 0; i < pool->server_count; i++) {
        free(pool->servers[i].text);
        free(pool->servers[i].name);
        free(pool->servers[i].host);
        free(pool->servers[i].unix_path);
    }
    free(pool->servers);
    free(pool->listen.text);
    free(pool->listen.host);
    free(pool->listen.unix_path);
    free(pool->name);
    option_free(POOL_OPTIONS, pool);
}

struct config *config_hold(struct config *config)
{
    __atomic_add_fetch(&config->holds, 1, __ATOMIC_RELAXED);
    return config;
}

void config_release(struct config *config)
{
    if (config == NULL || __atomic_sub_fetch(&config->holds, 1, __ATOMIC_ACQ_REL) != 0)
        return;
    for (size_t i = 0; i < config->pool_count; i++)
        free_pool(&config->pools[i]);
    free(config);
}

void config_compare_options(const struct pool_config *a, const struct pool_config *b,
                            void (*say)(const struct pool_config *pool, const char *option))
{
    for (size_t i = 0; i < OPTION_COUNT_OF(pool_options); i++) {
        if (!option_is_same(&pool_options[i], a, b))
            say(b, pool_options[i].key);
    }
}

bool config_is_same_pool(const struct pool_config *a, const struct pool_config *b)
{
    return strcmp(a->name, b->name) == 0 && a->redis == b->redis;
}

struct ring *config_build_ring(const struct pool_config *pool)
{
    struct ring_server *members = calloc(pool->server_count, sizeof(*members));
    struct ring *ring = NULL;

    for (uint32_t i = 0; members != NULL && i < pool->server_count; i++) {
        const struct server_config *server = &pool->servers[i];

        members[i] = (struct ring_server){str_of(server->name), server->weight, i};
    }
    if (members != NULL)
        ring = ring_build(pool->distribution, members, (unsigned)pool->server_count);
    free(members);
    return ring;
}

void config_print_reference(FILE *out)
{
    option_print_reference(out, CONFIG_OPTIONS);
    fputs("\n## Keys of a pool\n\nUnder each pool's name.\n\n", out);
    option_print_reference(out, POOL_OPTIONS);
    fputs("| `servers` | a list of `host:port:weight name` or `/path/of/socket:weight name`; the "
          "name may be left out | - | the servers, by whose names keys are spread; required |\n",
          out);
}
