#!/bin/sh
# SPDX-License-Identifier: ISC
# What SOCKS cannot carry, or is not to carry: refused with a fixed errno and one line; what is direct works as ever.

. "${srcdir:-.}/alone.sh"
. "${srcdir:-.}/preload.sh"

start_target
start_proxy

# Sockets of every kind.  What the kernel itself does not make fails as it does bare.
direct="SOCKSIFY_PROXY=socks5://127.0.0.1:$proxy SOCKSIFY_STATE=$work/state"
environment=$direct
bare kinds near >"$work/bare" 2>&1
sed '/^refused/s/: ok$/: EACCES/' "$work/bare" >"$work/expected"
under kinds near
result "kinds, near" "$work/expected"
reasons=1
grep -q "^refused.*socket: ok" "$work/bare" && reasons=2
for word in refused other; do
    if grep -q "^$word.*socket: ok" "$work/bare"; then
        ok "some are made: $word"
    else
        skip "none are made here: $word"
    fi
done
grep 'socket: E' "$work/bare" | sed 's/^/not made here: /'

# far NAME LINES: nothing gets through to the far addresses, and so many lines say so, one for each reason.
far()
{
    under kinds far
    grep -e ' connect: ' -e 'sendto' "$out" | grep -v ': EACCES$' >"$work/leaks"
    if [ "$status" = 0 ] && [ ! -s "$work/leaks" ] && grep -q ' connect: ' "$out"; then
        ok "$1"
    else
        bad "$1"
        cat "$work/leaks"
    fi
    said "$1, said once" "$2"
}

at_proxy "$proxy"
far "kinds, far, by default" 1
environment="$direct SOCKSIFY_BLOCK=127.0.0.9,[::1]"
far "kinds, far, by rule" "$reasons"
environment=$direct
under own-header
if grep -q -e '^socket: -1' -e '^IP_HDRINCL: -1 E' "$out"; then
    ok "own header"
else
    bad "own header: $(cat "$out")"
fi
at_proxy "$proxy"
under vsock
if grep -q '^socket: -1' "$out"; then
    skip "no AF_VSOCK"
else
    printf 'socket: 0\nconnect: -1 EACCES\n' >"$work/expected"
    result "AF_VSOCK" "$work/expected"
    said "AF_VSOCK" 1
fi

# Datagrams to where none may go, here this machine itself; what the proxy carries is in preload_udp.sh.
refused_datagrams()
{
    for address; do
        cat <<EOT
$address
 sendto: -1 EACCES
 sendmsg: -1 EACCES
 sendmmsg: -1 EACCES
 empty sendto: -1 EACCES
 SYS_sendto: -1 EACCES
 SYS_sendmsg: -1 EACCES
 SYS_sendmmsg: -1 EACCES
 connect: -1 EACCES
 SYS_connect: -1 EACCES
 peer: -1 ENOTCONN
 send: -1 EDESTADDRREQ
EOT
    done
}

at_proxy "$proxy" SOCKSIFY_BLOCK=127.0.0.8
set -- 127.0.0.8:9
if has_ipv6; then set -- "$@" "[::ffff:127.0.0.8]:9"; fi
refused_datagrams "$@" | gives "UDP to what is blocked" datagram "$@"
said "UDP, said once" 1
gives "UDP in disguise" datagram-disguised 127.0.0.8:9 <<EOT
127.0.0.8:9
 AF_UNSPEC sendto: -1 EACCES
 a long one: -1 EACCES
 an AF_INET6 socket: -1 EACCES
 its connect: -1 EACCES
EOT
said "UDP in disguise, said once" 1
at_proxy "$proxy"
gives "UDP to a resolver of this machine" datagram 127.0.0.9:53 <<EOT
127.0.0.9:53
 sendto: 4
 sendmsg: 4
 sendmmsg: 1
 empty sendto: 0
 SYS_sendto: 4
 SYS_sendmsg: 4
 SYS_sendmmsg: 1
 connect: 0
 SYS_connect: 0
 peer: 127.0.0.9:53
 send: 4
EOT
said "a resolver" 0
saw_nothing "the proxy is asked for none of them"

# Addresses that no proxy could mean: refused whatever the configuration, unless a rule names them.
set -- 224.0.0.1:9 239.255.255.250:1900 255.255.255.255:9 169.254.1.1:9
if has_ipv6; then set -- "$@" "[ff02::1]:9" "[fe80::1]:9" "[::ffff:169.254.1.1]:9" "[::ffff:224.0.0.1]:9"; fi
refused_datagrams "$@" | gives "UDP to multicast, broadcast, link-local" datagram "$@"
said "multicast, said once" 1
for address; do echo "$address: -1 EACCES"; done >"$work/expected"
echo "leaked: 0" >>"$work/expected"
under connect "$@"
result "TCP to multicast, broadcast, link-local" "$work/expected"
saw_nothing "no request for them"

# Direct by default: this machine.
environment=$direct
set -- "127.0.0.1:$udp"
if has_ipv6; then set -- "$@" "[::1]:$udp" "[::ffff:127.0.0.1]:$udp"; fi
same "UDP on this machine" datagram-direct "$@"
same "UDP in disguise on this machine" datagram-disguised "127.0.0.1:$udp"
same "UDP, every call" datagram "$@"
same "TCP on this machine" echo "127.0.0.1:$echo"
said "silence" 0
saw_nothing "nothing of this machine's own"
environment="$direct SOCKSIFY_BLOCK=127.0.0.9"
gives "of several messages those before the refused one go" datagram-mixed "127.0.0.1:$udp" "127.0.0.9:$udp" <<EOT
four, the third refused: 2
 answer: 4 word
 answer: 4 word
lengths: 4 4 0
the rest: -1 EACCES
the last: 1
 answer: 4 word
none: 0
EOT

# Rules.
at_proxy "$proxy" "SOCKSIFY_BLOCK=127.0.0.0/8:$first,127.0.0.9,[::1]"
gives "blocked" connect "127.0.0.1:$first" "127.0.0.9:$echo" "[::1]:$echo" "127.0.0.1:$echo" <<EOT
127.0.0.1:$first: -1 EACCES
127.0.0.9:$echo: -1 EACCES
[::1]:$echo: -1 EACCES
127.0.0.1:$echo: 0
leaked: 0
EOT
said "blocked, said once" 1 "127.0.0.1:$first"
saw "what is not blocked" "request CONNECT ipv4 127.0.0.1:$echo"
environment="$direct SOCKSIFY_DIRECT=169.254.0.0/16,224.0.0.0/4"
under connect "127.0.0.1:$echo"
printf '127.0.0.1:%s: 0\nleaked: 0\n' "$echo" >"$work/expected"
result "a direct list" "$work/expected"
saw_nothing "this machine is direct beside a direct list"

# Resolvers of the machine would ask for names in the open.
at_proxy "$proxy"
set -- /run/nscd/socket /var/run/nscd/socket /run/systemd/resolve/io.systemd.Resolve \
    /run/systemd/resolve/io.systemd.Resolve.Monitor /run/avahi-daemon/socket
for path; do printf '%s: -1 ECONNREFUSED\n%s: -1 ECONNREFUSED\n%s: -1 ECONNREFUSED\n' "$path" "$path" "$path"; done |
    gives "resolvers of the machine" unix "$@"
same "other local sockets" unix /run/nothing/socket "$work/none"
under unix "$control"
if grep -q "^$control: 0$" "$out"; then ok "a local socket that listens"; else bad "a local socket: $(cat "$out")"; fi

# A socket with a device looks for 127.0.0.1 on that device's wire.
sent_away()
{
    awk '$1 == "away:" { print $11 }' /proc/net/dev
}

if ip link add away type veth peer name far 2>/dev/null; then
    for device in away far; do
        [ ! -e /proc/sys/net/ipv6/conf/$device ] || echo 1 >/proc/sys/net/ipv6/conf/$device/disable_ipv6
        ip link set $device arp off up
    done
    ip address add 192.0.2.2/24 dev away && ip route add default dev away
    bare detours away "127.0.0.1:$udp" >/dev/null
    before=$(sent_away)
    if [ "$before" -gt 0 ]; then ok "bare, they go out by the device"; else bad "nothing goes out bare"; fi
    for environment in "$direct" ""; do
        gives "detours" detours away "127.0.0.1:$udp" <<EOT
bound by name: 0
 sendto: -1 EACCES
bound by number: 0
 connect: -1 EACCES
 sendto: -1 EACCES
unicast device: 0
 sendto: -1 EACCES
TCP bound: 0
 connect: -1 EACCES
connected: 0
 then bound: -1 EACCES
packet information: -1 EACCES
packet information, loopback: 4
route in a message: -1 EACCES
route as an option: -1 EACCES
bound to loopback: 0
 sendto: 4
transparent: 0
 bind: 0
 connect: -1 EACCES
EOT
        said "detours, said once" 1
        gives "multicast groups" groups away <<EOT
group by number: -1 EACCES
group by address: -1 EACCES
group of any family: -1 EACCES
IPv6 group: -1 EACCES
group on loopback: 0
group on loopback by address: 0
EOT
    done
    environment=$direct
    # shellcheck disable=SC2086
    bare detours-give away env $direct "$preload" "$PROBE" detours-inherited "127.0.0.1:$udp" 9 8 \
        >"$work/inherited" 2>/dev/null
    if [ "$(sort -u "$work/inherited")" = "sendto: -1 EACCES" ]; then
        ok "inherited"
    else
        bad "inherited: $(cat "$work/inherited")"
    fi
    if [ "$(sent_away)" = "$before" ]; then ok "nothing goes out"; else bad "$(sent_away) packets, not $before"; fi
    at_proxy "$proxy"
    under detours away "127.0.0.1:$udp"
    if [ "$(sent_away)" = "$before" ]; then ok "nor to a proxy here"; else bad "$(sent_away) packets, not $before"; fi
    : >"$proxy_log"
else
    skip "no device can be made"
fi

# No configuration, and a broken one: nothing but this machine can be reached.
unreachable()
{
    gives "$1" connect 192.0.2.1:80 "127.0.0.1:$echo" 192.0.2.1:80 127.0.0.1:53 <<EOT
192.0.2.1:80: -1 ENETUNREACH
127.0.0.1:$echo: 0
192.0.2.1:80: -1 ENETUNREACH
127.0.0.1:53: -1 ENETUNREACH
leaked: 0
EOT
    said "$1, said once" 1 "192.0.2.1:80 refused"
    same "$1: echo on this machine" echo "127.0.0.1:$echo"
    same "$1: UDP on this machine" datagram-direct "127.0.0.1:$udp"
    said "$1: silence" 0
}

environment=
unreachable "no configuration"
for broken in SOCKSIFY_PROXY=http://127.0.0.1:1 SOCKSIFY_PROXY=socks5://127.0.0.1:70000 SOCKSIFY_PROXY=socks5:// \
    "SOCKSIFY_PROXY=socks5://127.0.0.1:$proxy SOCKSIFY_DIRECT=1.2.3.4/99" \
    "SOCKSIFY_PROXY=socks5://127.0.0.1:$proxy SOCKSIFY_TIMEOUT=never"; do
    environment=$broken
    unreachable "$broken"
done
finish
