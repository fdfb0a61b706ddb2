#!/bin/sh
# SPDX-License-Identifier: ISC
# A handshake in one flight: always, never, and as the proxy is known; against a proxy that takes all of it, and one that
# drops what comes together with the first message.
. "${srcdir:-.}/alone.sh"
. "${srcdir:-.}/preload.sh"

: "${LOOP:=./loop}" "${SOCKSIFY:=$top_builddir/scripts/socksify}"
probe=$PROBE

start_target
start "$work/loops" "$LOOP" serve
# shellcheck disable=SC2086
set -- $ready
loop_echo=$2
start "$work/back" "$PROBE" serve-back 127.0.0.1:0
back=${ready#ready }

# mode MODE [VARIABLE=VALUE...]: for the last proxy, of which nothing is known yet.
states=0
mode()
{
    how=$1
    shift
    states=$((states + 1))
    at_proxy "$proxy" SOCKSIFY_PIPELINE="$how" SOCKSIFY_BIND_PORTS="$back" "$@"
    environment="$environment SOCKSIFY_STATE=$work/state.$states"
}

# came NAME COUNT: so many connections came to the last proxy since this was last asked.
came()
{
    accepted=$(grep -c '^accept' "$proxy_log")
    if [ "$accepted" = "$2" ]; then
        ok "$1: $2 connections"
    else
        bad "$1: $accepted connections instead of $2"
        head -20 "$proxy_log"
    fi
    : >"$proxy_log"
}

# fails NAME ERRNO: a connect() that gets this error.
fails()
{
    under connect "127.0.0.1:$echo"
    if grep -q " $2\$" "$out"; then ok "$1: $2"; else bad "$1: $(cat "$out" "$err")"; fi
}

# each NAME: every kind of request.
each()
{
    same "$1: a blocking connect()" echo "127.0.0.1:$echo"
    same "$1: a target that speaks first" first "127.0.0.1:$first"
    same "$1: datagrams" udp-calls "127.0.0.1:$udp"
    same "$1: a listener" bind-order "127.0.0.1:$back" tnftp 2
    same "$1: a listener, in event loops" bind-loops "127.0.0.1:$back"
}

# matrix NAME: a non-blocking connect() waited for in every way; the proxy holds its reply.
PROBE=$LOOP
bare bare accept >"$work/waits" 2>&1 || bad "the bare matrix"
PROBE=$probe
matrix()
{
    PROBE=$LOOP
    under through "127.0.0.1:$loop_echo" "$control"
    PROBE=$probe
    result "$1" "$work/waits"
}

# Always.
start_proxy
mode on
each "on"
start_proxy --user alice --password geheim --require-auth
mode on SOCKSIFY_USER=alice SOCKSIFY_PASSWORD=geheim
each "on, with credentials"
start_proxy --hold reply
mode on
matrix "on, non-blocking"
start_proxy --swallow
mode on SOCKSIFY_TIMEOUT=0.5 SOCKSIFY_LOG=info
fails "on, all but the first message is dropped" ETIMEDOUT
said "on, all but the first message is dropped" 1 "answers only the first of the messages"
start_proxy --swallow --user alice --password geheim --require-auth
mode on SOCKSIFY_TIMEOUT=0.5 SOCKSIFY_USER=alice SOCKSIFY_PASSWORD=geheim
fails "on, credentials are dropped" ETIMEDOUT
printf '[rules]\nvia other = 127.0.0.1\n[proxy other]\nproxy = socks5://127.0.0.1:%s\n' "$proxy" >"$work/conf"
start_proxy
mode on SOCKSIFY_TIMEOUT=0.5 SOCKSIFY_CONF="$work/conf"
fails "on, another proxy of the file" EACCES

# Never, which is the default.
start_proxy --swallow
mode off
each "off"
at_proxy "$proxy"
same "by default" echo "127.0.0.1:$echo"

# As it is known: at first nothing.
start_proxy
for kind in echo udp-calls; do
    mode auto
    : >"$proxy_log"
    address=127.0.0.1:$echo
    [ $kind = echo ] || address=127.0.0.1:$udp
    under $kind "$address"
    once=$(grep -c '^accept' "$proxy_log")
    start_proxy --swallow
    mode auto
    same "auto, $kind, dropped: the first" $kind "$address"
    came "auto, $kind, dropped: the first" $((once + 1))
    same "auto, $kind, dropped: from then on" $kind "$address"
    came "auto, $kind, dropped: from then on" "$once"
    start_proxy
done
mode auto
same "auto, a listener" bind-order "127.0.0.1:$back" unbound 1
start_proxy --swallow
mode auto
same "auto, dropped: a listener" bind-order "127.0.0.1:$back" unbound 1
start_proxy --swallow --user alice --password geheim --require-auth
mode auto SOCKSIFY_USER=alice SOCKSIFY_PASSWORD=geheim
each "auto, credentials are dropped"
start_proxy --user alice --password geheim
mode auto SOCKSIFY_USER=alice SOCKSIFY_PASSWORD=geheim
each "auto, with credentials"
# In order it takes longer than was waited before, so that nothing is learnt, and each connection is tried anew.
start_proxy --swallow --delay reply:300 --hold reply
mode auto
matrix "auto, dropped, non-blocking, each for the first time"
came "auto, dropped, non-blocking, each for the first time" $((2 * $(grep -c '^request' "$proxy_log")))

# What a proxy answers to all at once may be another thing than what it answers in order.
for fault in --garbage --rst --close; do
    start_proxy $fault method
    mode auto
    fails "auto, $fault method" ECONNREFUSED
    came "auto, $fault method" 2
done
start_proxy --refuse 4
mode auto
fails "auto, refused: the first" EHOSTUNREACH
came "auto, refused: the first" 2
fails "auto, refused: from then on" EHOSTUNREACH
came "auto, refused: from then on" 1
start_proxy --hang all
mode auto SOCKSIFY_TIMEOUT=0.5
fails "auto, no answer at all" ETIMEDOUT

# It is another one than it was.
start_proxy
mode auto
same "auto: the first" echo "127.0.0.1:$echo"
came "auto: the first" 1
tell set swallow >"$work/answer"
same "auto, all dropped all of a sudden" echo "127.0.0.1:$echo"
came "auto, all dropped all of a sudden" 2
same "auto, and from then on" echo "127.0.0.1:$echo"
came "auto, and from then on" 1

# Told by --check.
start_proxy --swallow --host localhost=127.0.0.1
mode auto SOCKSIFY_TIMEOUT=1
# shellcheck disable=SC2086
env $environment "$SOCKSIFY" --check >"$out" 2>"$err" || bad "--check: $(cat "$out" "$err")"
: >"$proxy_log"
same "auto, after --check" echo "127.0.0.1:$echo"
came "auto, after --check" 1

# Where it cannot be kept it is as off.
start_proxy --swallow
mode auto
environment="$environment SOCKSIFY_STATE=/proc/none SOCKSIFY_LOG=quiet"
same "auto without a state" echo "127.0.0.1:$echo"
came "auto without a state" 1
finish
