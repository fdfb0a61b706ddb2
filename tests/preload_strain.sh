#!/bin/sh
# SPDX-License-Identifier: ISC
# What must hold of all hooks alike, each call of one table tried bare and under the object: which are cancellation
# points, errno after success, the smallest stack of a thread, a signal handler that interrupts the same calls; and ways
# out of a resolver call other than its return.

# A name server that never answers, at port 53 of a namespace that has loopback only.
alone='nm'
. "${srcdir:-.}/alone.sh"
. "${srcdir:-.}/preload.sh"

: "${STRAIN:=./strain}"
patience=120
start_target
start_proxy
set -- "127.0.0.1:$echo" "127.0.0.1:$udp"
PROBE=$STRAIN

same "cancellation points" cancel "$@"

# What libc's own call leaves changed may be left so.
bare errno "$@" >"$work/bare" 2>&1 || bad "errno, bare"
under errno "$@"
awk 'FNR == NR { was[$1] = $0; next } $2 == "kept" { $0 = was[$1] } { print }' "$work/bare" "$out" >"$work/merged"
mv "$work/merged" "$out"
result "errno after success" "$work/bare"

bare stack "$@" >"$work/bare" 2>"$work/bare.depths" || bad "the smallest stack, bare"
under stack "$@"
cp "$err" "$work/depths"
result "the smallest stack of a thread" "$work/bare"
[ -z "${VERBOSE-}" ] || paste "$work/bare.depths" "$work/depths"
awk 'FNR == NR { bare[$1] = $2; next }
    $2 - bare[$1] > ($3 == "names" ? 8704 : 6656) { print $1 ": " $2 - bare[$1] " bytes more than bare" }' \
    "$work/bare.depths" "$work/depths" >"$work/deep"
if [ -s "$work/deep" ]; then
    bad "stack beyond that of the bare call"
    cat "$work/deep"
else
    ok "stack beyond that of the bare call"
fi

# What calls open for themselves; bare a socket comes of the last.
mkdir "$work/etc"
cp /etc/nsswitch.conf /etc/ld.so.cache "$work/etc" 2>/dev/null
printf '127.0.0.1 localhost\n::1 localhost\n' >"$work/etc/hosts"
printf 'host' >"$work/etc/hostid"
if mount --bind "$work/etc" /etc; then
    gives "descriptors after cancellation" open <<EOT
getaddrinfo: 0
gethostid: 0
socket: -1 EACCES
socket: 0
EOT
    umount /etc
else
    skip "descriptors after cancellation: /etc cannot be replaced"
fi

printf 'handled\nwrong: ok\n' >"$work/expected"
bare handler "$@" >"$out" 2>"$err"
status=$?
result "calls in a signal handler, bare" "$work/expected"
under handler "$@"
result "calls in a signal handler" "$work/expected"

# Out of the real resolver, which a rule lets ask: the next name is the proxy's again.
printf 'nameserver 127.0.0.1\noptions timeout:20 attempts:1\n' >"$work/resolv.conf"
printf 'hosts: files dns\n' >"$work/nsswitch.conf"
mount --bind "$work/resolv.conf" /etc/resolv.conf && mount --bind "$work/nsswitch.conf" /etc/nsswitch.conf || {
    skip "out of a resolver call: files in /etc cannot be replaced"
    finish
}
at_proxy "$proxy" SOCKSIFY_DIRECT=.direct.example
gives "out of a resolver call" leave waits.direct.example <<EOT
after siglongjmp(): answered here
in a cleanup handler: answered here
EOT
finish
