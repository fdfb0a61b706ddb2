/* SPDX-License-Identifier: ISC */
/* flight.c - how the messages of a handshake go out */
#include "flight.h"

#include <errno.h>
#include <time.h>

#include "clock.h"
#include "log.h"

enum {
    TRIAL_MS = 250,         /* of silence behind the method reply; or, if that is longer, ... */
    TRUSTED_MS = 2000,
    TRIPS = 4,              /* ... so many times what the method reply took */
    METHOD_PART = 4,        /* the part of a step's time for the method reply, since there is a second try */
    HOUR_S = 3600
};

uint32_t flight_hour(void)
{
    struct timespec now = { .tv_sec = 0 };

    clock_gettime(CLOCK_REALTIME, &now);
    return now.tv_sec > 0 ? (uint32_t)((int64_t)now.tv_sec / HOUR_S) : 0;
}

static enum flight_mode choose(struct flight *f, const struct flight_plan *plan)
{
    if (plan->pipeline == CONF_PIPELINE_ON)
        return FLIGHT_ON;
    if (plan->pipeline == CONF_PIPELINE_OFF || !plan->traits)
        return FLIGHT_ORDER;
    f->traits = plan->traits;
    f->key = traits_key(plan->proxy, plan->account->user[0] != '\0');
    switch (traits_get(f->traits, f->key, flight_hour())) {
    case TRAIT_FIT:
        return FLIGHT_TRUSTED;
    case TRAIT_UNFIT:
        return FLIGHT_ORDER;
    default:
        return FLIGHT_TRIAL;
    }
}

void flight_prepare(struct flight *f, struct socks5 *machine, const struct flight_plan *plan,
                    enum socks5_command command, const struct addr *target)
{
    const struct conf_proxy *account = plan->account;
    struct socks5_options options = { .user = account->user[0] ? account->user : NULL,
                                      .password = account->password };

    *f = (struct flight){ .traits = NULL };
    f->mode = (uint8_t)choose(f, plan);
    options.pipelined = f->mode != FLIGHT_ORDER;
    socks5_init(machine, &options, command, target);
}

bool flight_opens(const struct flight *f)
{
    return f->mode != FLIGHT_ORDER && f->mode != FLIGHT_AGAIN;
}

void flight_opened(struct flight *f)
{
    f->opened = clock_ms();
}

/* A second time when another thread, or a later call, goes on with a handshake that was left waiting. */
void flight_greet(struct flight *f)
{
    if (f->mode != FLIGHT_ORDER && !f->greeted)
        f->greeted = f->opened ? f->opened : clock_ms();
}

static bool has_second_try(const struct flight *f)
{
    return f->mode == FLIGHT_TRIAL || f->mode == FLIGHT_TRUSTED;
}

static uint32_t since_greeted(const struct flight *f)
{
    return (uint32_t)(clock_ms() - f->greeted);
}

uint32_t flight_patience(struct flight *f, const struct socks5 *machine, uint32_t ms)
{
    uint32_t least = f->mode == FLIGHT_TRIAL ? TRIAL_MS : TRUSTED_MS;

    if (!has_second_try(f) || socks5_rep(machine))
        return ms;
    if (socks5_stage(machine) == SOCKS5_STAGE_METHOD)
        return ms / METHOD_PART;
    if (!f->trip_ms)
        f->trip_ms = since_greeted(f) + 1;
    if (f->trip_ms > least / TRIPS)
        least = f->trip_ms > ms / TRIPS ? ms : f->trip_ms * TRIPS;
    return least < ms ? least : ms;
}

bool flight_again(struct flight *f, struct socks5 *machine, int error)
{
    bool silent = error == -ETIMEDOUT && !socks5_error(machine);
    enum socks5_cause cause = socks5_cause(machine);
    bool replied = cause == SOCKS5_CAUSE_REPLY;

    if (!error || !has_second_try(f) || !f->greeted || (!silent && !socks5_error(machine)))
        return false;
    /* Of a trial's own making the error may be, too: a proxy may have read the messages as something else.  One that
     * reads them well is asked once: refused passwords are counted. */
    if ((replied || cause == SOCKS5_CAUSE_PASSWORD) && f->mode == FLIGHT_TRUSTED)
        return false;
    log_line(CONF_LOG_DEBUG, "no success with all messages in one flight: made anew, one by one");
    f->rep = replied ? socks5_rep(machine) : 0;
    f->waited_ms = silent ? since_greeted(f) : UINT32_MAX;
    f->greeted = 0;
    f->opened = 0;
    f->mode = FLIGHT_AGAIN;
    socks5_again(machine);
    return true;
}

/* In order it took as long: the target was slow, which says nothing about the proxy. */
static bool was_slow(const struct flight *f)
{
    return f->waited_ms != UINT32_MAX && since_greeted(f) >= f->waited_ms;
}

void flight_learn(const struct flight *f, const struct socks5 *machine)
{
    bool done = socks5_want(machine) == SOCKS5_DONE, replied = socks5_cause(machine) == SOCKS5_CAUSE_REPLY;

    if (!f->traits || !f->greeted || (!done && !replied))
        return;
    if (f->mode == FLIGHT_TRIAL)
        traits_set(f->traits, f->key, flight_hour(), TRAIT_FIT);
    else if (f->mode == FLIGHT_AGAIN && f->rep && f->rep == socks5_rep(machine))
        traits_set(f->traits, f->key, flight_hour(), TRAIT_FIT);
    else if (f->mode == FLIGHT_AGAIN && !was_slow(f))
        traits_set(f->traits, f->key, flight_hour(), TRAIT_UNFIT);
}
