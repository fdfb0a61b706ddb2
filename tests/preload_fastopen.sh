#!/bin/sh
# SPDX-License-Identifier: ISC
# TCP Fast Open: a handshake in one flight goes out with the SYN where kernel and proxy can do that, and nothing else
# changes.  The proxy tells whose SYN had data, by what its kernel says of the connection.
. "${srcdir:-.}/alone.sh"
. "${srcdir:-.}/preload.sh"

: "${LOOP:=./loop}"
probe=$PROBE
switch=/proc/sys/net/ipv4/tcp_fastopen
if ! { echo 3 >$switch; } 2>/dev/null; then
    echo "$switch cannot be set here" >&2
    exit 77
fi

start_target
start "$work/loops" "$LOOP" serve
# shellcheck disable=SC2086
set -- $ready
loop_echo=$2
PROBE=$LOOP
bare bare accept >"$work/waits" 2>&1 || bad "the bare matrix"
PROBE=$probe

# mode MODE [VARIABLE=VALUE...]: for the last proxy.
mode()
{
    how=$1
    shift
    at_proxy "$proxy" SOCKSIFY_PIPELINE="$how" "$@"
}

# opened NAME COUNT OF: so many of so many connections came with data in the SYN since this was last asked.
opened()
{
    all=$(grep -c '^accept' "$proxy_log")
    those=$(grep -c '^opened' "$proxy_log")
    if [ "$those" = "$2" ] && [ "$all" = "$3" ]; then
        ok "$1: $2 of $3"
    else
        bad "$1: $those of $all instead of $2 of $3"
        head -20 "$proxy_log"
    fi
    : >"$proxy_log"
}

# fails NAME ERRNO: a blocking connect() that gets this error.
fails()
{
    under connect "127.0.0.1:$echo"
    if grep -q " $2\$" "$out"; then ok "$1: $2"; else bad "$1: $(cat "$out" "$err")"; fi
}

# The kernel's cookie is that of an address, not of a port: one that was never asked is wanted where none may be known.
start_proxy --fastopen
mode off
same "in order" echo "127.0.0.1:$echo"
same "in order, once more" echo "127.0.0.1:$echo"
opened "in order" 0 2
mode on
same "the first, which asks for a cookie" echo "127.0.0.1:$echo"
opened "the first" 0 1
same "with a cookie" echo "127.0.0.1:$echo"
opened "with a cookie" 1 1
if has_ipv6; then
    under echo "[::ffff:127.0.0.1]:$echo"
    opened "v4-mapped" 1 1
fi
same "a target that speaks first" first "127.0.0.1:$first"
opened "a target that speaks first" 1 1
same "the program's own MSG_FASTOPEN" fastopen "127.0.0.1:$echo"
grep -q '^opened' "$proxy_log" && ok "the program's own: opened" || bad "the program's own: $(cat "$proxy_log")"
: >"$proxy_log"

echo 0 >$switch
same "the kernel will not" echo "127.0.0.1:$echo"
opened "the kernel will not" 0 1
echo 1 >$switch
same "the proxy's kernel will not" echo "127.0.0.1:$echo"
opened "the proxy's kernel will not" 0 1
echo 3 >$switch

start_proxy --fastopen --user alice --password geheim --require-auth
mode on SOCKSIFY_USER=alice SOCKSIFY_PASSWORD=geheim
same "credentials" echo "127.0.0.1:$echo"
opened "credentials" 1 1
mode on SOCKSIFY_USER=alice SOCKSIFY_PASSWORD=wrong
fails "wrong credentials" EACCES
opened "wrong credentials" 1 1

start_proxy --fastopen --hold reply
mode on
PROBE=$LOOP
under through "127.0.0.1:$loop_echo" "$control"
PROBE=$probe
result "non-blocking" "$work/waits"
connections=$(grep -c '^request' "$proxy_log")
opened "non-blocking" "$connections" "$connections"

# What fails does so as without it.
start_proxy --fastopen --refuse 4
mode on
fails "refused by the proxy" EHOSTUNREACH
opened "refused by the proxy" 1 1
start_proxy --fastopen --hang all
mode on SOCKSIFY_TIMEOUT=0.5
fails "no answer" ETIMEDOUT
opened "no answer" 1 1
start_proxy --fastopen --no-accept
mode on SOCKSIFY_TIMEOUT=0.5
fails "no SYN is answered" ETIMEDOUT
at_proxy "$refusing" SOCKSIFY_PIPELINE=on
fails "nobody there" ECONNREFUSED
# As seen by every way to wait, and by the next connect(), of which the kernel has an answer that it gives once.
PROBE=$LOOP
bare bare refuse >"$work/refused" 2>&1 || bad "the bare matrix, refused"
start_proxy --fastopen --no-accept
mode on SOCKSIFY_TIMEOUT=0.5
under hang "127.0.0.1:$loop_echo"
sed "s/ECONNREFUSED/ETIMEDOUT/" "$work/refused" >"$work/expected"
result "non-blocking, no SYN is answered" "$work/expected"
PROBE=$probe

# Made anew in order, without data in the SYN.
start_proxy --fastopen --swallow
mode auto
same "auto, all but the first message is dropped" echo "127.0.0.1:$echo"
opened "auto, all but the first message is dropped" 1 2
same "auto, and from then on" echo "127.0.0.1:$echo"
opened "auto, and from then on" 0 1
finish
