#!/bin/sh
# SPDX-License-Identifier: ISC
# Every call that the object makes for a connection, a datagram, a listener and a name fails once in each way it may
# fail: no descriptors, no memory, interrupted, nothing there yet, less than was asked for.  The target is known by a
# name alone, so that nothing but the proxy leads there.
. "${srcdir:-.}/alone.sh"
. "${srcdir:-.}/preload.sh"

: "${CC:=cc}"
patience=100
$CC -std=gnu11 -D_GNU_SOURCE -shared -fPIC -fno-builtin "$srcdir/faulty.c" -o "$work/faulty.so" || exit 1
start "$work/back" "$PROBE" serve-back 127.0.0.1:0
back=${ready#ready }
start_target
start_proxy --host faults.example=127.0.0.1 --from 127.0.0.2 delay=method:50
at_proxy "$proxy" SOCKSIFY_TIMEOUT=3 SOCKSIFY_BIND_PORTS="$back" SOCKSIFY_LOG=quiet
preload=LD_PRELOAD=$OBJECT:$work/faulty.so
under sysfaults faults.example "$echo" "$udp" "$back"
echo "many, 0 wrong" >"$work/expected"
result "each call fails" "$work/expected"
sed 's/^/    /' "$err"
if grep -E '^(early|bad) ' "$proxy_log" >"$work/foreign"; then
    bad "foreign bytes in the handshake: $(head -n 3 "$work/foreign")"
else
    ok "no foreign bytes in the handshake"
fi
finish
