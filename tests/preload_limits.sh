#!/bin/sh
# SPDX-License-Identifier: ISC
# Little address space (RLIMIT_AS): programs start, and what has no room fails at once instead of waiting or leaking.
. "${srcdir:-.}/preload.sh"

start "$work/back" "$PROBE" serve-back 127.0.0.1:0
back=${ready#ready }
start_target
start_proxy
plain=$(cd "$(dirname "$PROBE")" && pwd)/$(basename "$PROBE")
PROBE=$work/limited

# limit KILOBYTES: for the probe alone, from its start.
limit()
{
    printf '#!/bin/sh\nulimit -v %s\nexec %s "$@"\n' "$1" "$plain" >"$PROBE"
    chmod +x "$PROBE"
    at_proxy "$proxy" SOCKSIFY_BIND_PORTS="$back"
}

limit 65536
same "64 MiB: echo" echo "127.0.0.1:$echo"
same "64 MiB: refusing ports, O_NONBLOCK" retry-nonblock "127.0.0.1:$refusing" "127.0.0.1:$echo"
said "64 MiB: silence" 0
: >"$proxy_log"

gives "64 MiB: a datagram, a listener, a name" once "127.0.0.1:$udp" "127.0.0.1:$back" <<EOT
datagram: ENOBUFS
listener: ok
name: ok
datagram: ENOBUFS
listener: ok
name: ok
leaked: 0
EOT
: >"$proxy_log"
limit 131072
gives "128 MiB: a datagram, a listener, a name" once "127.0.0.1:$udp" "127.0.0.1:$back" <<EOT
datagram: ok
listener: ok
name: ok
datagram: ok
listener: ok
name: ok
leaked: 0
EOT
: >"$proxy_log"

# No room for names and peers, then none for handshakes that go on beside the program either.
for kilobytes in 24000 12000; do
    limit $kilobytes
    same "$kilobytes: connect" connect "127.0.0.1:$echo"
    said "$kilobytes: one line" 1 "the state file could not be"
    saw "$kilobytes: the proxy was asked" "request CONNECT ipv4 127.0.0.1:$echo"
done
# A proxy of its own: the ends of the connections above may come late.
start_proxy
limit 12000
gives "12000: O_NONBLOCK" retry-nonblock "127.0.0.1:$refusing" "127.0.0.1:$echo" <<EOT
connect: ENOBUFS
peer: -1 ENOTCONN
again: ENOBUFS
peer: -1 ENOTCONN
echo: EPIPE
leaked: 0
EOT
saw_nothing "12000: O_NONBLOCK, no request"

# Who a listener is for is not remembered there either: it is asked for whoever may come.
for kilobytes in 24000 12000; do
    limit $kilobytes
    at_proxy "$proxy" SOCKSIFY_BIND=on
    listener=ok
    [ $kilobytes = 24000 ] || listener=EOPNOTSUPP
    gives "$kilobytes: a datagram, a listener, a name" once "127.0.0.1:$udp" "127.0.0.1:$back" <<EOT
datagram: ENOBUFS
listener: $listener
name: none
datagram: ENOBUFS
listener: $listener
name: none
leaked: 0
EOT
done
finish
