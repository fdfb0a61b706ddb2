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
finish
