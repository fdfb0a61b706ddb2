# SPDX-License-Identifier: ISC
# shellcheck shell=sh disable=SC2154
# Read by bench.sh: what connections, names, start-up and the calls of no concern cost; bench_cost.py has the method.
# The clients of others are looked for below RIVALS, which is /usr/lib unless set.  Targets are within the proxy, at an
# address without a route: what passes the proxy by is an error.

# server NAME COMMAND ...: one that says `ready`.
server()
{
    server_name=$1
    shift
    mkfifo "$work/hold.$server_name"
    "$@" <"$work/hold.$server_name" >"$work/ready.$server_name" 2>&1 6>&- 7>&- 8>&- &
    pids="$pids $!"
    # Opened by number, since it is to stay open.
    exec 8>"$work/hold.$server_name"
    until grep -qs ready "$work/ready.$server_name"; do
        kill -0 $! || exit 1
    done
}

ip address add 198.51.100.1/32 dev lo
ip address add 198.51.100.2/32 dev lo
ip address add 198.51.100.3/32 dev lo
server near "$builddir/bench/bench_proxy" 198.51.100.1 1090 198.51.100.2 0
exec 7>&8
server far "$builddir/bench/bench_proxy" 198.51.100.1 1091 198.51.100.3 40
exec 6>&8
server relay "$builddir/bench/bench_relay" 198.51.100.1 1080 198.51.100.2
for port in 1080 1090 1091; do
    printf 'strict_chain\nquiet_mode\nproxy_dns\nremote_dns_subnet 224\n[ProxyList]\nsocks5 198.51.100.1 %s\n' $port \
        >"$work/proxychains4.$port"
    printf 'TorAddress 198.51.100.1\nTorPort %s\nOnionAddrRange 127.42.42.0/24\n' $port >"$work/torsocks.$port"
    printf 'server = 198.51.100.1\nserver_port = %s\nserver_type = 5\n' $port >"$work/tsocks.$port"
    cat >"$work/dante.$port" <<END
resolveprotocol: fake
route {
    from: 0.0.0.0/0 to: 0.0.0.0/0 via: 198.51.100.1 port = $port
    proxyprotocol: socks_v5
    protocol: tcp udp
    method: none
}
END
done
LOOK=$builddir/bench/.libs/bench_look.so
SERVERS=$pids
export LOOK OBJECT SERVERS builddir
python3 "$srcdir/bench/bench_cost.py" "$work" "$work/cost.json"
for fd in 6 7 8; do
    eval "exec $fd>&-"
done
ip address del 198.51.100.1/32 dev lo
ip address del 198.51.100.2/32 dev lo
ip address del 198.51.100.3/32 dev lo
