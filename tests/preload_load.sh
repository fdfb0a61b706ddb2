#!/bin/sh
# SPDX-License-Identifier: ISC
# Many connections, one after the other and side by side: none fails, no peer is mixed up, no descriptor stays.
. "${srcdir:-.}/preload.sh"

start_target
start_proxy
at_proxy "$proxy" SOCKSIFY_TIMEOUT=30
patience=50

loaded()
{
    cat <<EOT
good: $1
bad: 0
first error: ok
strange peers: 0
leaked: 0
EOT
}

loaded 1000 | gives "a thousand in sequence" load "127.0.0.1:$echo" 1 1000
said "silence" 0
loaded 3200 | gives "64 threads, 50 each" load "127.0.0.1:$echo" 64 50
said "silence" 0
requests=$(grep -c "^request CONNECT ipv4 127.0.0.1:$echo" "$proxy_log")
if [ "$requests" = 4200 ]; then ok "4200 requests"; else bad "$requests requests instead of 4200"; fi
if has_ipv6; then
    loaded 640 | gives "IPv6, 64 threads, 10 each" load "[::1]:$echo" 64 10
else
    skip "no IPv6"
fi

# Very many in one process, open at once, after a thousand handshakes at a time; and again, from which nothing grows:
# neither its memory nor the state file, with addresses and with the same names each time.
# LOAD: how many, LOAD_ROUNDS: how often.
: "${LOAD:=2000}" "${LOAD_ROUNDS:=4}"
patience=250
start "$work/tunnels" "$PROBE" serve-tunnels
tunnels=${ready#ready }
at_proxy "$tunnels" SOCKSIFY_TIMEOUT=60
# flat NAME ADDRESS GROWN
flat()
{
    {
        printf 'state, by the first: %s\nstate, by others: 0\n' "$3"
        loaded $((LOAD * LOAD_ROUNDS)) | sed 's/^leaked/grown: no\n&/'
    } >"$work/flat"
    began=$(date +%s)
    gives "$LOAD tunnels to $1, a thousand handshakes at once, $LOAD_ROUNDS times" \
        many "$2" "$LOAD" 1000 "$LOAD_ROUNDS" "$work/state" <"$work/flat"
    sed "s/^/    $(($(date +%s) - began)) s, /" "$err"
}
flat "an address" 192.0.2.1:7 "the same"
flat "names" 0.0.0.0:7 grown

# What comes to nothing leaves no place taken: more of each than there are places for it.
# vain NAME ERRNO WHAT ADDRESS COUNT
vain()
{
    printf 'each: %s\nso many: %d\nanother: ok\nleaked: 0\n' "$2" "$5" | gives "$1: $5" load-vain "$3" "$4" "$5"
}
vain "refused, as by the target" ECONNREFUSED connect 192.0.2.1:261 5000
vain "refused otherwise" EHOSTUNREACH connect 192.0.2.1:260 5000
vain "refused, and not asked why" EHOSTUNREACH connect-unasked 192.0.2.1:260 5000
vain "closed in the handshake" EINPROGRESS close 192.0.2.1:7 5000
vain "peers of datagrams" ok peer 192.0.2.1:7 17000
vain "no association" EHOSTUNREACH sendto 192.0.2.1:7 17000
at_proxy "$tunnels" SOCKSIFY_TIMEOUT=60 SOCKSIFY_BIND=on SOCKSIFY_LOG=quiet
vain "no BIND" EOPNOTSUPP listen 192.0.2.1:7 500
finish
