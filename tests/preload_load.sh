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

# Very many in one process, all open at once, after a thousand handshakes at a time; and again, from which nothing grows.
# LOAD: how many, LOAD_ROUNDS: how often.
: "${LOAD:=2000}" "${LOAD_ROUNDS:=4}"
start "$work/tunnels" "$PROBE" serve-tunnels
at_proxy "${ready#ready }" SOCKSIFY_TIMEOUT=60
state_size()
{
    stat -c %s "$work"/state/socksify-*.state
}
before=$(state_size)
{
    loaded $((LOAD * LOAD_ROUNDS)) | sed 's/^leaked/grown: no\n&/'
} | gives "$LOAD tunnels, a thousand handshakes at once, $LOAD_ROUNDS times" many 192.0.2.1:7 "$LOAD" 1000 "$LOAD_ROUNDS"
sed 's/^/    /' "$err"
if [ "$(state_size)" = "$before" ]; then ok "the state file is as large as before"; else bad "the state file has grown"; fi
finish
