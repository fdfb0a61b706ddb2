#!/bin/sh
# SPDX-License-Identifier: ISC
# Datagrams through the proxy: every call gives what it gives bare against the same echo, field by field.
. "${srcdir:-.}/alone.sh"
. "${srcdir:-.}/preload.sh"

ip addr add 192.0.2.7/32 dev lo || exit 99
start "$work/second" "$PROBE" serve
# shellcheck disable=SC2086
set -- $ready
other=$6
start_target
four=127.0.0.1:$udp
if has_ipv6; then
    addresses="$four [::1]:$udp [::ffff:127.0.0.1]:$udp"
else
    addresses=$four
    skip "no IPv6"
fi

# all NAME [FIRST]: everything that is the same with and without a proxy.  FIRST: for udp-batches.
all()
{
    # shellcheck disable=SC2086
    same "$1: every call" udp-calls $addresses
    # shellcheck disable=SC2086
    same "$1: many destinations" udp-many $addresses "127.0.0.1:$other"
    for address in $addresses; do
        # Its own address is the one that the proxy is reached from.
        bare udp-peers "$address" "${address%:*}:$other" | sed 's/^own: \[::1]/own: [::ffff:127.0.0.1]/' >"$work/expected"
        under udp-peers "$address" "${address%:*}:$other"
        result "$1: peers, $address" "$work/expected"
        same "$1: numbers and children, $address" udp-numbers "$address"
    done
    for address in $addresses; do
        same "$1: left to a program, $address" udp-leave "$address"
        same "$1: a number made before, $address" udp-duplicated "$address"
        same "$1: a child sends first, $address" udp-forked-first "$address"
        same "$1: a child or its parent connects, $address" udp-forked-connects "$address"
        same "$1: by a message, $address" udp-message "$address"
        # shellcheck disable=SC2086
        same "$1: many in a call, $address" udp-batches "$address" "${address%:*}:$other" ${2-}
    done
    ! has_ipv6 || [ "$1" = danted ] || same "$1: bound to IPv6 alone" udp-ipv6-only "[::1]:$udp" 0
    same "$1: received into memory that is none" udp-nowhere "$four"
    same "$1: looked at by recvmmsg()" udp-peeks "$four"
    same "$1: bound to an address" udp-bound "$four" 192.0.2.7:0 192.0.2.8:0
    gives "$1: IP_MTU" udp-mtu "$four" <<EOT
none: -1 ENOTCONN
connect: 0
mtu: 0
 65525, 4
EOT
    same "$1: control messages" udp-fields "$four"
    for address in $addresses; do
        same "$1: calls by number, $address" udp-by-number "$address"
        same "$1: what control messages hold, $address" udp-control "$address"
    done
    gives "$1: by ways that know no header" udp-aio "$four" <<EOT
connect: 0
send: 4
poll: 1
aio_read: -1 EINVAL
aio_write: -1 EINVAL
lio_listio: -1 EINVAL
io_submit: -1 EINVAL
aio_read, by a number made before: -1 EINVAL
splice: -1 EINVAL
recv: 4
word
EOT
    same "$1: 1,024 pieces" udp-vectors "$four"
    same "$1: MSG_MORE, UDP_CORK" udp-corked "$four"
    same "$1: threads" udp-threads "$four"
    for address in $addresses; do
        same "$1: a thread that waits already, $address" udp-early "$address"
    done
}

# What a sanitizer is to see.
if [ -n "${LINKED-}" ]; then
    start_proxy
    # shellcheck disable=SC2086
    same "every call" udp-calls $addresses
    # shellcheck disable=SC2086
    same "many destinations" udp-many $addresses "127.0.0.1:$other"
    for address in $addresses; do
        same "threads, $address" udp-threads "$address"
        same "many in a call, $address" udp-batches "$address" "${address%:*}:$other"
        same "numbers and children, $address" udp-numbers "$address"
        same "a thread that waits already, $address" udp-early "$address"
    done
    same "control messages" udp-fields "$four"
    same "calls by number" udp-by-number "$four"
    same "what control messages hold" udp-control "$four"
    same "1,024 pieces" udp-vectors "$four"
    same "received into memory that is none" udp-nowhere "$four"
    same "MSG_MORE, UDP_CORK" udp-corked "$four"
    finish
fi

start_proxy --host echo.test=127.0.0.1
all proxyd
said "silence" 0
: >"$proxy_log"
under udp-repeat "$four" 1
saw "the request" "request ASSOCIATE ipv4 0.0.0.0:0"
gives "what would bypass the proxy" udp-refused "$four" <<EOT
UDP_SEGMENT: -1 ENOPROTOOPT
UDP_GRO: -1 ENOPROTOOPT
SO_ZEROCOPY: -1 ENOPROTOOPT
SO_PEEK_OFF: -1 ENOPROTOOPT
a segment's size: -1 EIO
the largest: -1 EMSGSIZE
10 less: 65497
one more: -1 EMSGSIZE
EOT

gives "options by number" udp-options-by-number "$four" <<EOT
SYS_connect: 0
IP_MTU: 0
 65525, 4
UDP_SEGMENT: -1 ENOPROTOOPT
EOT
# Less by the header: of an address, 10 or 22 bytes; of a name, 7 and its length.
for host in 127.0.0.1,65497 echo.test,65491 $(! has_ipv6 || echo ::1,65485 ::ffff:127.0.0.1,65497); do
    gives "the largest to ${host%,*}" udp-largest "$udp" "${host%,*}" <<EOT
a byte: 1
 ${host#*,}, by a message 1, one more -1 EMSGSIZE, by a message -1 EMSGSIZE
connect: 0
 ${host#*,}, by a message 1, one more -1 EMSGSIZE, by a message -1 EMSGSIZE
EOT
done

# calls WAY COUNT: the system calls for so many datagrams there and back are the standard input.  Not counted is the
# look at the association that is due once a second.
calls()
{
    cat >"$work/expected"
    # shellcheck disable=SC2086
    timeout -k 1 "$patience" strace -qq -o "$work/trace" \
        env $environment "$preload" "$PROBE" udp-counted "$four" "$2" "$1" >"$out" 2>"$err"
    status=$?
    sed '1,/^getsid(/d; /^getsid(/,$d' "$work/trace" >"$work/between"
    [ "$(grep -c -e SO_COOKIE -e MSG_PEEK "$work/between")" -gt 9 ] || sed -i '/SO_COOKIE/d; /MSG_PEEK/d' "$work/between"
    sed 's/(.*//; s/_time64$//' "$work/between" | sort | uniq -c | sed 's/^ *//' >"$out"
    result "the calls for $2 datagrams, $1" "$work/expected"
}

same "left to a program under a high number" udp-leave "$four" 900
same "sizes beyond any memory" udp-boundless "$four"
same "another file under the number" udp-replaced "$four"
same "cancelled with many pieces" udp-cancelled "$four"
same "AF_UNSPEC" udp-unspec "$four"
! has_ipv6 || same "AF_UNSPEC, IPv6" udp-unspec "[::1]:$udp"
if command -v strace >/dev/null && strace -o /dev/null true 2>/dev/null; then
    # A program that starts looks at the descriptors that it has.
    # shellcheck disable=SC2086
    timeout -k 1 "$patience" strace -qq -o "$work/trace" -e trace=getsockopt env $environment "$preload" \
        "$PROBE" >/dev/null 2>&1
    looks=$(grep -c SO_COOKIE "$work/trace")
    if [ "$looks" -gt 0 ] && [ "$looks" -lt 20 ]; then ok "few looks"; else bad "$looks looks at the start"; fi
    calls mmsg 96 <<EOT
3 recvmmsg
3 sendmmsg
EOT
    for way in to peer; do
        calls $way 20 <<EOT
20 recvmsg
20 sendmsg
EOT
    done
else
    skip "no strace"
fi

# connect() alone asks the proxy for nothing: programs do it to sort addresses.
: >"$proxy_log"
under udp-mtu "$four"
saw_nothing "connect() alone"

# Names: the source is the address that was used, whatever the proxy calls it.
named()
{
    under udp-name echo.test "$udp"
    if [ "$status" = 0 ] && [ "$(grep -c '^source: same$' "$out")" = 6 ] && ! grep -q -e ' -1 ' -e another "$out"; then
        ok "$1"
    else
        bad "$1: $(cat "$out")"
    fi
}

named "sources, as addresses"
if has_ipv6; then
    under udp-mixed echo.test "$udp" "[::1]:$udp" "[::ffff:127.0.0.1]:$other"
    if [ "$status" = 0 ] && [ "$(grep -c '^source: same$' "$out")" = 6 ] && ! grep -q -e ' -1 ' "$out"; then
        ok "a name and addresses on one socket"
    else
        bad "a name and addresses on one socket: $(cat "$out")"
    fi
fi
# A port after another, mixed with what needs no proxy.
printf '%s\n' '[rules]' "direct = 127.0.0.1:$other" 'proxy = 127.0.0.0/8, ::1' >"$work/conf"
environment="SOCKSIFY_PROXY=socks5://127.0.0.1:$proxy SOCKSIFY_STATE=$work/state SOCKSIFY_CONF=$work/conf"
: >"$proxy_log"
# shellcheck disable=SC2086
same "direct destinations beside proxied ones" udp-many "127.0.0.1:$other" $addresses "127.0.0.1:$other"
same "a direct peer after a proxied one" udp-peers "$four" "127.0.0.1:$other"
same "a proxied peer after a direct one" udp-peers "127.0.0.1:$other" "$four"
same "what outlives a change of peers" udp-changes "$four" "127.0.0.1:$other"
! has_ipv6 || same "what outlives a change of peers, IPv4 mapped" udp-changes "[::ffff:127.0.0.1]:$udp" \
    "[::ffff:127.0.0.1]:$other"
same "many pieces, and direct datagrams, into memory that is none" udp-odd-memory "$four" "127.0.0.1:$other"
if grep -q "udp out $four " "$proxy_log" && ! grep -q "udp out 127.0.0.1:$other " "$proxy_log"; then
    ok "some direct, some by the proxy"
else
    bad "some direct, some by the proxy"
fi

name=echo.of.a.name.longer.than.any.address.test
start_proxy --host echo.test=127.0.0.1 --host $name=127.0.0.1 --udp-name-sources
named "sources, as names"
gives "many in a call, as names" udp-batch-name $name "$udp" <<EOT
recv: 40
recvmmsg: 3
 40 flags 0, as sent
 40 flags 0, as sent
 40 flags 0, as sent
EOT

# close(): at once when an answer came after the last datagram, else two live on.
start_proxy
gives "control connections of closed sockets" udp-close "$control" "$four" <<EOT
sendto: 1
recv: 1
open, with an answer: 0
sendto: 1
recv: 1
open, with an answer: 0
sendto: 1
recv: 1
open, with an answer: 0
sendto: 1
open, without: 1
sendto: 1
open, without: 2
sendto: 1
open, without: 2
EOT

# The other families.
if has_ipv6; then
    start_proxy --listen ::1
    environment="SOCKSIFY_PROXY=socks5://[::1]:$proxy SOCKSIFY_DIRECT= SOCKSIFY_STATE=$work/state"
    same "an IPv6 relay" udp-repeat "[::1]:$udp" 3
    same "an IPv6 relay, IPv4 mapped" udp-repeat "[::ffff:127.0.0.1]:$udp" 3
    gives "an IPv6 relay, IPv4 socket" udp-repeat "$four" 1 <<EOT
sendto 20 in 1: -1 EAFNOSUPPORT
EOT
    said "an IPv6 relay, IPv4 socket: said" 1 "UDP: an IPv4 socket cannot reach the proxy's IPv6 relay$"
fi

danted=$(command -v danted || command -v /usr/sbin/danted)
if [ -n "$danted" ]; then
    cat >"$work/danted.conf" <<EOT
logoutput: $work/danted.log
internal: 127.0.0.1 port = 1080
external: 127.0.0.1
external: ::1
clientmethod: none
socksmethod: none
user.privileged: root
user.notprivileged: nobody
client pass { from: 0/0 to: 0/0 }
socks pass { from: 0/0 to: 0/0 }
EOT
    "$danted" -f "$work/danted.conf" -p "$work/danted.pid" >"$work/danted.out" 2>&1 &
    pids="$pids $!"
    at_proxy 1080
    while ! "$PROBE" connect 127.0.0.1:1080 2>/dev/null | grep -q ': 0$'; do
        kill -0 $! 2>/dev/null || break
    done
    addresses=$four
    # Its socket for targets is connected to the first of them.  At a datagram for a second one it is disconnected, which
    # takes its port away, and bound anew: an answer of the first that comes in between is lost.
    if kill -0 $! 2>/dev/null; then all danted first; else skip "danted does not start: $(cat "$work/danted.out")"; fi
else
    skip "no danted"
fi
finish
