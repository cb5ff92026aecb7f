#include "common/base/clock.h"
#include "common/base/log.h"
#include "common/base/random.h"
#include "proxy/health.h"

enum {
    SILENT_FIRST_MS = 100, /* between probes of a silent server, at first and at most */
    SILENT_MOST_MS = 1000,
    EJECTED_LEAST_MS = 10,
    PATIENCE_LEAST_MS = 10,
    PATIENCE_MOST_MS = 1000,
    STEADY_MS = 60 * 1000, /* who fails again within this goes on where his waits had come to */
    RECENT_MS = 1000,
    SURE_MS = 1000, /* so long silent, it is not all the world that paused */
    DOUBTS_MAX = 3  /* who answers probes, but nothing else */
};

/* --- waiting --- */

/* Half the timeout: who answers barely in time would be out again soon. */
static void start_probe(struct health *health)
{
    uint32_t patience_ms = health->server->timeout_ms / 2;

    if (patience_ms == 0 || patience_ms > PATIENCE_MOST_MS)
        patience_ms = PATIENCE_MOST_MS;
    else if (patience_ms < PATIENCE_LEAST_MS)
        patience_ms = PATIENCE_LEAST_MS;
    probe_start(&health->probe, (uint64_t)patience_ms * 1000);
}

void health_ask(struct health *health)
{
    if (health->state == HEALTH_UP)
        start_probe(health);
}

/* Its own first: when its time is over, that of the others is as good as over. */
static void ask_in_earnest(struct health *health)
{
    start_probe(health);
    if (health->server->pool_config->auto_eject_hosts && health->state != HEALTH_EJECTED)
        health->roll_call(health);
}

static void timer_rang(struct loop_timer *timer)
{
    ask_in_earnest(container_of(timer, struct health, timer));
}

/* Twice as long each time, up to `most_ms`; and up to a quarter more, so that the probes of
 * many proxies do not fall together. Returns the milliseconds. */
static uint32_t wait_longer(struct health *health, unsigned *step, uint32_t first_ms,
                            uint32_t most_ms)
{
    uint64_t wait_ms = (uint64_t)first_ms << (*step < 31 ? *step : 31);

    ++*step;
    wait_ms = wait_ms < most_ms ? wait_ms : most_ms;
    wait_ms += random_below((uint32_t)wait_ms / 4 + 1);
    loop_timer_set(&health->timer, wait_ms * 1000);
    return (uint32_t)wait_ms;
}

static uint32_t wait_ejected(struct health *health)
{
    const struct pool_config *config = health->server->pool_config;
    uint32_t first_ms = config->server_retry_timeout_ms, most_ms = config->retry_timeout_max_ms;

    if (first_ms < EJECTED_LEAST_MS)
        first_ms = EJECTED_LEAST_MS;
    return wait_longer(health, &health->ejected_step, first_ms,
                       most_ms > first_ms ? most_ms : first_ms);
}

/* --- moves --- */

static void eject(struct health *health)
{
    struct server *server = health->server;
    uint64_t now_us = clock_now_us();
    uint32_t wait_ms;

    if (now_us >= health->back_at_us + (uint64_t)STEADY_MS * 1000 || health->back_at_us == 0)
        health->ejected_step = 0;
    probe_stop(&health->probe);
    health->doubts = 0;
    health->state = HEALTH_EJECTED;
    health->ejected_at_us = now_us;
    wait_ms = wait_ejected(health);
    metric_set(&server->metrics.server_ejected_at, (uint64_t)clock_wall_us());
    metric_set(&server->more.down, 1);
    log_limited(LOG_WARNING, "pool '%s': server '%s' is ejected, a probe goes out in %u ms",
                server->pool_config->name, server->config->name, wait_ms);
    health->moved(health);
}

static void fall_silent(struct health *health)
{
    struct server *server = health->server;

    if (health->state != HEALTH_SILENT) {
        health->silent_step = 0;
        health->ejected_at_us = clock_now_us();
        log_limited(LOG_WARNING,
                    "pool '%s': server '%s' does not answer; until it does, its requests fail",
                    server->pool_config->name, server->config->name);
    }
    health->state = HEALTH_SILENT;
    metric_set(&server->more.down, 1);
    wait_longer(health, &health->silent_step, SILENT_FIRST_MS, SILENT_MOST_MS);
}

static void come_up(struct health *health, bool is_heard)
{
    struct server *server = health->server;
    bool was_ejected = health->state == HEALTH_EJECTED;

    if (is_heard && health->state != HEALTH_DOUBTED)
        log_limited(LOG_NOTICE, "pool '%s': server '%s' answers again after %llu ms",
                    server->pool_config->name, server->config->name,
                    (unsigned long long)(clock_now_us() - health->ejected_at_us) / 1000);
    health->state = HEALTH_UP;
    server->failures = 0;
    metric_set(&server->more.down, 0);
    if (!was_ejected)
        return;
    health->back_at_us = clock_now_us();
    health->moved(health);
}

/* Whether it was silent for so short a time that all might just have paused. */
static bool may_be_a_pause(const struct health *health)
{
    return health->state == HEALTH_SILENT &&
           clock_now_us() < health->ejected_at_us + (uint64_t)SURE_MS * 1000;
}

static void probe_done(struct probe *probe, enum probe_result result)
{
    struct health *health = container_of(probe, struct health, probe);
    bool was_heard = health->state == HEALTH_DOUBTED &&
                     metric_get(&health->server->metrics.responses) != health->replies_then;

    if (health->state == HEALTH_UP) {
        health->unheard_at_us = result == PROBE_SILENT ? clock_now_us() : 0;
        return;
    }
    if (result == PROBE_ANSWERED || was_heard) {
        come_up(health, true);
        return;
    }
    metric_add(&health->server->more.probes_failed, 1);
    location_doubt(&health->server->location);
    if (health->state == HEALTH_EJECTED)
        wait_ejected(health);
    else if (!may_be_a_pause(health) && health->may_eject(health, result == PROBE_REFUSED))
        eject(health);
    else if (result == PROBE_REFUSED)
        come_up(health, false);
    else
        fall_silent(health);
}

static bool tell(struct probe *probe, bool is_first, struct chain *out,
                 const struct mc_command **command, unsigned *replies)
{
    struct health *health = container_of(probe, struct health, probe);

    return health->tell(health, is_first, out, command, replies);
}

/* It failed too often, but may be well. Only a probe tells, and if it is good each time and no
 * client gets a reply, not even that. */
static void doubt(struct health *health)
{
    uint64_t replies = metric_get(&health->server->metrics.responses);

    health->doubts = replies == health->replies_then ? health->doubts + 1 : 1;
    health->replies_then = replies;
    health->server->failures = 0;
    if (health->doubts >= DOUBTS_MAX && health->may_eject(health, false)) {
        eject(health);
        return;
    }
    health->state = HEALTH_DOUBTED;
    ask_in_earnest(health);
}

void health_failed(struct health *health, bool is_refusal)
{
    struct server *server = health->server;

    health->failed_at_us = clock_now_us();
    server->failures++;
    if (health->is_retired || health->state == HEALTH_EJECTED || health->state == HEALTH_SILENT ||
        server->failures < server->pool_config->server_failure_limit)
        return;
    if (is_refusal && health->may_eject(health, true))
        eject(health);
    else if (!is_refusal && health->state == HEALTH_UP)
        doubt(health);
}

bool health_is_troubled(const struct health *health)
{
    uint64_t recent_us = ((uint64_t)RECENT_MS + 2 * health->server->timeout_ms) * 1000;
    uint64_t now_us = clock_now_us();

    return health->state != HEALTH_UP || probe_is_due(&health->probe) ||
           (health->unheard_at_us != 0 && now_us < health->unheard_at_us + recent_us) ||
           (health->server->failures != 0 && now_us < health->failed_at_us + recent_us);
}

void health_init(struct health *health, struct server *server)
{
    health->server = server;
    health->probe.done = probe_done;
    health->probe.tell = tell;
    probe_init(&health->probe, server);
    loop_timer_init(server->loop, &health->timer, timer_rang);
}

void health_hurry(struct health *health)
{
    if (health_is_served(health) || health->is_retired)
        return;
    probe_stop(&health->probe);
    loop_timer_set(&health->timer, 0);
}

void health_retire(struct health *health)
{
    health->is_retired = true;
    probe_stop(&health->probe);
    loop_timer_clear(&health->timer);
}

void health_close(struct health *health)
{
    if (health->server == NULL)
        return;
    probe_close(&health->probe);
    loop_timer_clear(&health->timer);
}
