#include <arpa/inet.h>
#include <stdlib.h>

#include "common/base/clock.h"
#include "common/base/log.h"
#include "proxy/location.h"

/* A failed look-up is tried again after RETRY_MS, then twice that, and so on. */
enum { INTERVAL_MIN_MS = 100, RETRY_MS = 250, RETRY_MAX_MS = 8000, DOUBT_MS = 1000 };

static bool is_numeric(const char *host)
{
    unsigned char bytes[sizeof(struct in6_addr)];

    return inet_pton(AF_INET, host, bytes) == 1 || inet_pton(AF_INET6, host, bytes) == 1;
}

static void log_addrs(const struct location *location)
{
    char text[LOOKUP_ADDRS_MAX * (ADDR_TEXT_MAX + 2)] = "", one[ADDR_TEXT_MAX];
    size_t len = 0;

    for (unsigned i = 0; i < location->count; i++) {
        addr_format(&location->addrs[i], one);
        len += (size_t)snprintf(text + len, sizeof(text) - len, "%s%s", i == 0 ? "" : ", ", one);
    }
    log_notice("server '%s': '%s' is at %s", location->config->name, location->config->host, text);
}

/* Name servers like to turn the order round; that is no change. */
static bool is_same(const struct location *location, const struct lookup *lookup)
{
    if (location->count != lookup->addr_count)
        return false;
    for (unsigned i = 0; i < lookup->addr_count; i++) {
        if (!location_has(location, &lookup->addrs[i]))
            return false;
    }
    return true;
}

/* Takes the addresses over; the one in use stays the first to be tried if it is among them. */
static bool take_addrs(struct location *location, const struct addr *addrs, unsigned count)
{
    struct addr *copy = malloc(count * sizeof(*copy));
    unsigned first = 0;

    if (copy == NULL)
        return false;
    memcpy(copy, addrs, count * sizeof(*copy));
    for (unsigned i = 0; location->count != 0 && i < count; i++) {
        if (addr_equal(&copy[i], &location->addrs[location->first]))
            first = i;
    }
    free(location->addrs);
    location->addrs = copy;
    location->count = count;
    location->first = first;
    return true;
}

static uint32_t next_delay_ms(const struct location *location)
{
    uint32_t delay_ms =
        location->interval_ms < INTERVAL_MIN_MS ? INTERVAL_MIN_MS : location->interval_ms;

    if (location->failures != 0) {
        unsigned doublings = location->failures < 6 ? location->failures - 1 : 5;
        uint32_t retry_ms = (uint32_t)RETRY_MS << doublings;

        retry_ms = retry_ms < RETRY_MAX_MS ? retry_ms : RETRY_MAX_MS;
        if (location->count == 0 || retry_ms < delay_ms)
            return retry_ms;
    }
    return delay_ms;
}

static void set_timer(struct location *location)
{
    if (location->interval_ms != 0 || location->count == 0)
        loop_timer_set(&location->timer, (uint64_t)next_delay_ms(location) * 1000);
}

static void looked_up(struct lookup *lookup, void *context)
{
    struct location *location = context;
    bool was_known = location->count != 0, is_new = false;

    location->lookup = NULL;
    if (lookup->addr_count == 0) {
        if (location->failures++ == 0)
            log_warning("server '%s': '%s' cannot be looked up: %s; %s", location->config->name,
                        location->config->host, lookup->error,
                        was_known ? "its last addresses stand" : "it is tried again until it can");
    } else {
        is_new =
            !is_same(location, lookup) && take_addrs(location, lookup->addrs, lookup->addr_count);
        if (location->failures != 0 || (was_known && is_new))
            log_addrs(location);
        location->failures = 0;
    }
    set_timer(location);
    if (is_new || !was_known)
        location->changed(location);
}

static void ask(struct location *location)
{
    const struct server_config *config = location->config;

    loop_timer_clear(&location->timer);
    location->asked_at_us = clock_now_us();
    location->lookup = resolver_ask(location->resolver, config->host, config->port, location->loop,
                                    looked_up, location);
    if (location->lookup == NULL) {
        location->failures++;
        set_timer(location);
    }
}

static void timer_rang(struct loop_timer *timer)
{
    struct location *location = container_of(timer, struct location, timer);

    if (location->lookup == NULL)
        ask(location);
}

bool location_open(struct location *location, const struct server_config *config,
                   uint32_t interval_ms, struct loop *loop, struct resolver *resolver)
{
    const char *error;
    struct addr addr;

    *location =
        (struct location){.config = config,
                          .loop = loop,
                          .resolver = resolver,
                          .interval_ms = interval_ms,
                          .is_named = config->unix_path == NULL && !is_numeric(config->host),
                          .changed = location->changed};
    loop_timer_init(loop, &location->timer, timer_rang);
    if (location->is_named) {
        ask(location);
        return true;
    }
    if (config->unix_path != NULL ? !addr_unix(config->unix_path, &addr)
                                  : addr_resolve(config->host, config->port, &addr, 1, &error) == 0)
        return false;
    return take_addrs(location, &addr, 1);
}

void location_configure(struct location *location, const struct server_config *config,
                        uint32_t interval_ms)
{
    bool is_other = location->interval_ms != interval_ms;

    location->config = config;
    location->interval_ms = interval_ms;
    if (!is_other || !location->is_named || location->lookup != NULL)
        return;
    loop_timer_clear(&location->timer);
    set_timer(location);
}

void location_doubt(struct location *location)
{
    if (location->is_named && location->lookup == NULL &&
        clock_now_us() >= location->asked_at_us + (uint64_t)DOUBT_MS * 1000)
        ask(location);
}

void location_avoid(struct location *location, const struct addr *addr)
{
    if (location->count != 0 && addr_equal(&location->addrs[location->first], addr))
        location->first = (location->first + 1) % location->count;
}

bool location_has(const struct location *location, const struct addr *addr)
{
    for (unsigned i = 0; i < location->count; i++) {
        if (addr_equal(&location->addrs[i], addr))
            return true;
    }
    return false;
}

void location_close(struct location *location)
{
    if (location->config == NULL)
        return;
    if (location->lookup != NULL)
        lookup_cancel(location->lookup);
    loop_timer_clear(&location->timer);
    free(location->addrs);
    *location = (struct location){0};
}
