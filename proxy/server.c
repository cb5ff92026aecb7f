#include <arpa/inet.h>

#include "proxy/server.h"

static bool is_numeric(const char *host)
{
    unsigned char bytes[sizeof(struct in6_addr)];

    return inet_pton(AF_INET, host, bytes) == 1 || inet_pton(AF_INET6, host, bytes) == 1;
}

void server_init(struct server *server, const struct server_config *config)
{
    const char *error;

    *server = (struct server){.config = config};
    if (config->unix_path != NULL)
        server->has_addr = addr_unix(config->unix_path, &server->addr);
    else if (is_numeric(config->host))
        server->has_addr = addr_resolve(config->host, config->port, &server->addr, 1, &error) == 1;
}
