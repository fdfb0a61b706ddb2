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

# The target of the probe's datagrams is at 127.0.0.2.
at_sink()
{
    environment="SOCKSIFY_PROXY=socks5://127.0.0.1:$proxy SOCKSIFY_STATE=$work/state SOCKSIFY_LOG=info"
    environment="$environment SOCKSIFY_CONF=$work/conf $*"
}

printf '[rules]\nproxy = 127.0.0.2\n' >"$work/conf"

start_proxy --hold reply
at_sink
while read -r command lost; do
    passes "$command" "$command" "$control"
    lost "$command" "$lost"
done <<EOT
udp-held 0
udp-events 0
udp-asleep 0
udp-bound 6
udp-bytes 8
udp-pieces 0
udp-corked 1
udp-closes 0
udp-exits 0
udp-forks 0
udp-vfork 0
udp-beside 0
udp-cancels 0
udp-strangers 0
udp-other-device 0
EOT
passes udp-all-closed udp-all-closed "$control"

# What the summary says of it.
at_sink SOCKSIFY_STATS=on
passes "udp-bound, counted" udp-bound "$control"
if [ "$(sed -n 's/^socksify\[[0-9]*\]: \(datagrams\|dropped\)  */\1 /p' "$err")" = "datagrams 65 out, 0 in
dropped 6 out: no room in the queue, or no association" ]; then
    ok "the summary"
else
    bad "the summary: $(cat "$err")"
fi

# How the association fails, what the program is told, and what its next datagram gives.
while read -r error again how; do
    # shellcheck disable=SC2086
    start_proxy $how
    at_sink SOCKSIFY_TIMEOUT=0.5
    passes "$how" udp-fails "$control" "$error" "$again"
done <<EOT
ENETUNREACH ok --hold method --refuse 3
ECONNREFUSED ok --hold method --close method
EACCES ok --hold method --no-method
EACCES EACCES --hold method --no-udp 7
ETIMEDOUT ok --hang reply
ETIMEDOUT ok --no-accept
EOT

start_proxy --hold method --refuse 3
at_sink
passes "asleep before it fails" udp-fails-late "$control" ENETUNREACH
finish
