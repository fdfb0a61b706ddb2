#!/bin/sh
# SPDX-License-Identifier: ISC
# Datagrams of sockets that do not wait, while the association is made: the proxy is held by the test.
. "${srcdir:-.}/alone.sh"
. "${srcdir:-.}/loop.sh"

# lost NAME NUMBER: so many datagrams never went out, and that was said.
lost()
{
    said=$(sed -n 's/^socksify\[[0-9]*\]: UDP: \([0-9]*\) datagrams never sent.*/\1/p' "$err")
    if [ "${said:-0}" = "$2" ]; then ok "$1: $2 lost"; else bad "$1: lost $said instead of $2"; fi
}

# sends NAME LOST COMMAND...: no fault, and so many datagrams lost.
sends()
{
    environment="SOCKSIFY_PROXY=socks5://127.0.0.1:$proxy SOCKSIFY_STATE=$work/state SOCKSIFY_LOG=info"
    environment="$environment SOCKSIFY_CONF=$work/conf"
    passes "$1" "$1" "$control"
    lost "$1" "$2"
}

printf '[rules]\nproxy = 127.0.0.2\n' >"$work/conf"
start_proxy --hold reply
while read -r command lost; do
    sends "$command" "$lost"
done <<EOT
udp-held 0
udp-events 0
udp-asleep 0
udp-bound 6
udp-bytes 8
udp-pieces 0
EOT
finish
