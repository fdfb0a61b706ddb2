# SPDX-License-Identifier: ISC
# shellcheck shell=sh disable=SC2154
# Read by bench.sh: datagrams there and back, 16 under way at a time, of 64 and of 1400 bytes, by send()/recv(),
# sendto()/recvfrom() and sendmmsg()/recvmmsg().
#
# relay: through bench_relay, which costs next to nothing, so that clients are told apart.  danted: through Dante's
# server, which costs more than any of them.  The target of `relay` has no route: a datagram that passes the proxy by
# is an error.
#
# Where valgrind and strace are there, the cells of `relay` are counted as well: instructions outside the kernel and
# system calls for each datagram, which no load of the machine changes.

proxy=198.51.100.1 echo=198.51.100.2 nowhere=192.0.2.10
dante=$(find /usr/lib -name 'libdsocksd.so.0' 2>/dev/null | head -n 1)
danted=$(command -v danted || command -v /usr/sbin/danted)

ip address add $proxy/32 dev lo
ip address add $echo/32 dev lo
mkfifo "$work/hold"
exec 9<>"$work/hold"
"$builddir/bench/bench_relay" $proxy 1080 $echo <"$work/hold" >"$work/ready" 2>&1 9>&- &
pids="$pids $!"
until grep -q ready "$work/ready"; do
    kill -0 $! || exit 1
done
cat >"$work/dante.conf" <<END
route {
    from: 0.0.0.0/0 to: 0.0.0.0/0 via: $proxy port = 1080
    proxyprotocol: socks_v5
    protocol: udp
    method: none
}
END

each_cell()
{
    for calls in send sendto sendmmsg; do
        for size in 64 1400; do
            "$1" "$calls $size" "$builddir/bench/bench_udp" $calls $size "$MS"
        done
    done
}

through_relay()
{
    cell=$1
    shift
    row 'udp, relay' "$cell" bare "$@" $echo 1080
    row 'udp, relay' "$cell" hand "$@" $nowhere 9 $proxy 1080
    row 'udp, relay' "$cell" socksify \
        env SOCKSIFY_PROXY="socks5://$proxy:1080" SOCKSIFY_STATE="$work/state" LD_PRELOAD="$OBJECT" "$@" $nowhere 9
    [ -z "$dante" ] || row 'udp, relay' "$cell" dante \
        env SOCKS_CONF="$work/dante.conf" LD_PRELOAD="$dante" "$@" $nowhere 9
}

through_danted()
{
    cell=$1
    shift
    row 'udp, danted' "$cell" hand "$@" $echo 1080 $proxy 1081
    row 'udp, danted' "$cell" socksify \
        env SOCKSIFY_PROXY="socks5://$proxy:1081" SOCKSIFY_STATE="$work/state" LD_PRELOAD="$OBJECT" "$@" $echo 1080
}

start_danted()
{
    cat >"$work/danted.conf" <<END
logoutput: $work/danted.log
internal: $proxy port = 1081
external: $echo
clientmethod: none
socksmethod: none
user.privileged: root
user.unprivileged: nobody
client pass { from: 0/0 to: 0/0 }
socks pass { from: 0/0 to: 0/0 }
END
    "$danted" -f "$work/danted.conf" -p "$work/danted.pid" -N 1 >"$work/danted.out" 2>&1 9>&- &
    pids="$pids $!"
    until [ -n "$(ss -Hltn 'sport = :1081')" ]; do
        kill -0 $! || return 1
    done
}

# difference COMMAND: what it says of the longer of two runs, more than of the shorter, for each datagram of 16.
difference()
{
    shorter=$("$1" +20) && longer=$("$1" +220) && awk "BEGIN { printf \"%.2f\", ($longer - $shorter) / 3200 }"
}

# Valgrind's own program is statically linked, which is refused unless that is allowed.
instructions()
{
    timeout -k 1 60 valgrind -q --tool=callgrind --trace-children=yes --callgrind-out-file="$work/instructions" \
        env SOCKSIFY_BYPASS=allow $variables "$builddir/bench/bench_udp" $calls "$size" "$1" $ends \
        >/dev/null 2>"$work/error" &&
        sed -n 's/^\(totals\|summary\): //p' "$work/instructions" | tail -n 1
}

system_calls()
{
    timeout -k 1 20 strace -qq -c -U calls,name -o "$work/calls" \
        env $variables "$builddir/bench/bench_udp" $calls "$size" "$1" $ends >/dev/null 2>"$work/error" &&
        awk '$2 == "total" { print $1 }' "$work/calls"
}

# counted VARIANT "TARGET PORT [PROXY PORT]" [VARIABLE=VALUE]...
counted()
{
    variant=$1 ends=$2
    shift 2
    variables=$*
    for calls in send sendto sendmmsg; do
        for size in 64 1400; do
            printf '%s\t%s\t%s\t%s\n' "$calls $size" "$variant" \
                "$(difference instructions)" "$(difference system_calls)" >>"$work/counts"
        done
    done
}

rounds each_cell through_relay
if [ -n "$danted" ] && start_danted; then
    rounds each_cell through_danted
fi
if command -v valgrind >/dev/null && command -v strace >/dev/null; then
    counted bare "$echo 1080"
    counted hand "$nowhere 9 $proxy 1080"
    counted socksify "$nowhere 9" \
        SOCKSIFY_PROXY="socks5://$proxy:1080" SOCKSIFY_STATE="$work/state" LD_PRELOAD="$OBJECT"
fi
