/* SPDX-License-Identifier: ISC */
/* report.c - the one log line of a connection */
#include "report.h"

#include <errno.h>

#include "../core/errname.h"
#include "../core/reply.h"
#include "clock.h"
#include "log.h"

enum { NUMERIC_SIZE = 64 };     /* an IPv6 address with brackets, scope and port */

/* Behind one that was answered the others may have been dropped. */
static bool took_only_first(const struct socks5 *machine)
{
    return machine->pipelined && socks5_stage(machine) != SOCKS5_STAGE_METHOD;
}

const char *report_explain(const struct socks5 *machine, int error)
{
    switch (socks5_cause(machine)) {
    case SOCKS5_CAUSE_REPLY:
        return reply_text(socks5_rep(machine));
    case SOCKS5_CAUSE_METHOD:
        return "the proxy accepts none of the offered authentication methods";
    case SOCKS5_CAUSE_PASSWORD:
        return "the proxy refused user or password";
    case SOCKS5_CAUSE_GARBAGE:
        return "the proxy does not speak SOCKS5";
    case SOCKS5_CAUSE_EOF:
        return "the proxy closed the connection";
    default:
        if (error == -EBADF)
            return "the program closed the socket";
        if (error == -ETIMEDOUT && took_only_first(machine))
            return "the proxy answers only the first of the messages sent in one flight (SOCKSIFY_PIPELINE=off)";
        return !error ? "connected" : error == -ETIMEDOUT ? "the proxy does not answer" : "cannot reach the proxy";
    }
}

void report_sent(int fd, enum socks5_stage stage, size_t n)
{
    static const char *const messages[] = { "greeting", "credentials", "request", "nothing" };

    log_line(CONF_LOG_DEBUG, "descriptor %d: sent %u bytes of the %s", fd, (unsigned)n, messages[stage]);
}

void report_received(int fd, enum socks5_stage stage, size_t n)
{
    static const char *const messages[] = { "method", "verdict on the credentials", "reply", "nothing" };

    log_line(CONF_LOG_DEBUG, "descriptor %d: received %u bytes of the %s", fd, (unsigned)n, messages[stage]);
}

/* proxy: an address, no name. */
static void write_line(const char *what, const struct addr *target, const struct addr *proxy,
                       const struct socks5 *machine, int error, int64_t took)
{
    char to[ADDR_TEXT_SIZE], via[NUMERIC_SIZE];

    if (!log_wants(CONF_LOG_INFO))
        return;
    addr_format(target, to, sizeof to);
    addr_format(proxy, via, sizeof via);
    log_line(CONF_LOG_INFO, "%s %s via %s: %s (%s), %u ms", what, to, via, report_explain(machine, error),
             errname(error), (unsigned)took);
}

void report_connect(struct tally *t, const struct addr *target, const struct addr *proxy,
                    const struct socks5 *machine, int error, int64_t began)
{
    int64_t took = clock_ms() - began;

    tally_add(t, error ? TALLY_FAILED : TALLY_CONNECTED, 1);
    if (!error)
        tally_time(t, took);
    write_line("connect", target, proxy, machine, error, took);
}

void report_bind(const struct addr *target, const struct addr *proxy, const struct socks5 *machine, int error,
                 int64_t began)
{
    write_line("bind for", target, proxy, machine, error, clock_ms() - began);
}

void report_refused(const struct conf *c, const char *target, const char *why)
{
    if (c->state == CONF_READY)
        log_once(LOG_BLOCKED, "%s refused: %s", target, why);
    else
        log_once(LOG_CONF, "%s refused: %s", target,
                 c->state == CONF_BROKEN ? c->message : "no proxy is configured");
}

void report_name(const struct conf *c, const char *asked, const char *name, const struct resolve_answer *found)
{
    if (found->kind == RESOLVE_BLOCKED || (found->kind == RESOLVE_FAILED && c->state != CONF_READY))
        report_refused(c, name, found->why);
    else if (found->kind == RESOLVE_FAILED)
        log_once(LOG_NAME, "%s %s: %s", asked, name, found->why);
    else
        log_line(found->kind == RESOLVE_UNKNOWN ? CONF_LOG_INFO : CONF_LOG_DEBUG, "%s %s: %s", asked, name, found->why);
}
