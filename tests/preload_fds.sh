#!/bin/sh
# SPDX-License-Identifier: ISC
# Numbers that are used again: what was known of the old socket is not true of the new one.
. "${srcdir:-.}/preload.sh"

start_target
start_proxy

# No datagram may go to the blocked address; since it is this machine's own, none leaves it even if one does.
at_proxy "$proxy" SOCKSIFY_BLOCK=127.0.0.9
bare reuse "127.0.0.1:$echo" "127.0.0.9:9" >"$work/bare" 2>&1
if [ $? = 77 ]; then
    skip "libc's own functions cannot be found"
else
    # Bare, every datagram goes out; nothing else may differ.
    sed 's/sent, sent$/EACCES, EACCES/' "$work/bare" >"$work/expected"
    under reuse "127.0.0.1:$echo" "127.0.0.9:9"
    result "numbers used again" "$work/expected"
    said "one line for all" 1 "127.0.0.9:9"
fi

# Direct connections (to the proxy itself) and tunnels in turn, on the same number.
at_proxy "$proxy"
: >"$proxy_log"
same "direct and tunnelled in turn" connect "127.0.0.1:$proxy" "127.0.0.1:$echo" "127.0.0.1:$proxy" "127.0.0.1:$echo"
requests=$(grep -c "^request" "$proxy_log")
if [ "$requests" = 2 ]; then ok "two requests"; else bad "$requests requests instead of two"; fi
finish
