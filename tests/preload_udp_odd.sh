#!/bin/sh
# SPDX-License-Identifier: ISC
# Datagrams whose association is made beside a limit, another thread, a busy loop, or without descriptors to spare.
. "${srcdir:-.}/alone.sh"
. "${srcdir:-.}/loop.sh"

# The target of the program's datagrams is at 127.0.0.2.
at_sink()
{
    environment="SOCKSIFY_PROXY=socks5://127.0.0.1:$proxy SOCKSIFY_STATE=$work/state SOCKSIFY_CONF=$work/conf $*"
}

printf '[rules]\nproxy = 127.0.0.2\n' >"$work/conf"

start_proxy --hold reply
at_sink
for command in udp-limited udp-closed-beside udp-beside-another udp-numbers-gone udp-busy-blind; do
    passes "$command" "$command" "$control"
done

start_proxy
at_sink
passes udp-keeps-alive udp-keeps-alive "$control" "$proxy"

start_proxy --hold method --refuse 3
at_sink
for command in udp-fails-duplicated udp-fails-forked; do
    passes "$command" "$command" "$control"
done

start_proxy --hang reply
at_sink SOCKSIFY_TIMEOUT=0.5
passes udp-busy-late udp-busy-late "$control"
passes udp-guest-late udp-guest-late "$control"
finish
