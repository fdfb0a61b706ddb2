#!/bin/sh
# SPDX-License-Identifier: ISC
# Datagrams through the proxy that a rule names: one socket has an association at each.
. "${srcdir:-.}/alone.sh"
probe=${PROBE:-./probe}
. "${srcdir:-.}/loop.sh"

PROBE=$probe
start "$work/second" "$PROBE" serve
# shellcheck disable=SC2086
set -- $ready
other=$6
start_target
four=127.0.0.1:$udp there=127.0.0.1:$other

# two_proxies [OPTION...]: the first, and the one of the rules, with options and a password.
two_proxies()
{
    start_proxy
    first=$proxy first_log=$proxy_log
    start_proxy --user bob --password other --require-auth "$@"
    printf '%s\n' "proxy = socks5://127.0.0.1:$first" '[proxy work]' "proxy = socks5://bob:other@127.0.0.1:$proxy" \
        '[rules]' "via work = $there, 127.0.0.3" 'proxy = 127.0.0.0/8' >"$work/conf"
    chmod 600 "$work/conf"
    environment="SOCKSIFY_CONF=$work/conf SOCKSIFY_STATE=$work/state"
}

# apart NAME: each proxy has carried what is for it and nothing else.
apart()
{
    if grep -q "udp out $four " "$first_log" && ! grep -q "udp out $there " "$first_log" &&
        grep -q "udp out $there " "$proxy_log" && ! grep -q "udp out $four " "$proxy_log"; then
        ok "$1: apart"
    else
        bad "$1: not apart"
        head -5 "$first_log" "$proxy_log"
    fi
    : >"$first_log"
    : >"$proxy_log"
}

two_proxies
same "both, from the first on" udp-many "$four" "$there"
apart "both, from the first on"
same "both, from the other on" udp-many "$there" "$four"
apart "both, from the other on"
same "a peer at each" udp-peers "$four" "$there"
apart "a peer at each"
same "a peer at each, from the other on" udp-peers "$there" "$four"
apart "a peer at each, from the other on"
same "many in a call" udp-batches "$four" "$there"
same "many in a call, from the other on" udp-batches "$there" "$four"
: >"$first_log"
same "numbers and children" udp-numbers "$there"
[ -n "${LINKED-}" ] || same "left to a program" udp-leave "$there"
same "by a message" udp-message "$there"
same "threads" udp-threads "$there"
[ ! -s "$first_log" ] && ok "nothing at the first" || bad "the first proxy saw: $(head -3 "$first_log")"

# One call carries what is for both, once both associations stand.
if command -v strace >/dev/null && strace -o /dev/null true 2>/dev/null; then
    # shellcheck disable=SC2086
    timeout -k 1 "$patience" strace -qq -o "$work/trace" -e trace=getsid,sendmsg,sendto,sendmmsg \
        env $environment "$preload" "$PROBE" udp-counted "$four" 96 mmsg "$there" >"$out" 2>"$err"
    sed '1,/^getsid(/d; /^getsid(/,$d; s/(.*//' "$work/trace" | sort | uniq -c | sed 's/^ *//' >"$out"
    echo "3 sendmmsg" >"$work/expected"
    status=0
    result "the calls for many" "$work/expected"
    apart "the calls for many"
else
    skip "no strace"
fi

# fails NAME ERROR: what goes through the other, which fails, fails, and the first goes on.
fails()
{
    bare udp-many "$four" | sed "/^  content/a\\
sendto 20 in 1: -1 $2" >"$work/expected"
    under udp-many "$four" "$there"
    result "$1" "$work/expected"
    grep -q '^udp' "$proxy_log" && bad "$1: a datagram went out" || ok "$1: no datagram went out"
    grep -q "udp out $there " "$first_log" && bad "$1: went to the first" || ok "$1: not to the first"
}

two_proxies --no-udp 7
fails "no UDP at the other" EACCES
said "no UDP at the other" 1 "UDP is not offered by the proxy 127.0.0.1:$proxy"
two_proxies --refuse 3
fails "the other refuses" ENETUNREACH

# The other's control connection ends after each datagram and its answer.
two_proxies --udp-close-after 2
same "a new association at the other" udp-again "$there" 3
[ "$(grep -c '^request' "$proxy_log")" = 3 ] && ok "asked anew" || bad "not asked anew: $(cat "$proxy_log")"

# Both hold their reply.
PROBE=$LOOP
start_proxy --hold reply
first=$proxy first_control=$control
start_proxy --hold reply
printf '%s\n' "proxy = socks5://127.0.0.1:$first" '[proxy work]' "proxy = socks5://127.0.0.1:$proxy" \
    '[rules]' 'via work = 127.0.0.3' 'proxy = 127.0.0.2' >"$work/conf"
environment="SOCKSIFY_CONF=$work/conf SOCKSIFY_STATE=$work/state"
passes "held by both" udp-via "$first_control" "$control"
finish
