#!/bin/bash
# SPDX-License-Identifier: ISC
# Datagrams of dig, python3, node and java, by name and by address, through danted with and without credentials and
# through shadowsocks-libev; and what they are told by microsocks, which carries none.  Not one packet goes elsewhere.
[ -n "${BASH_VERSION:-}" ] || exec bash "$0" "$@"
. "${srcdir:-.}/real.sh"
. "${srcdir:-.}/programs.sh"

network

# For each of HOST ...: with a peer and without, answers and whether their sender is the address that was written to.
cat >"$work/udp.py" <<'END'
import asyncio, socket, sys

class Talk(asyncio.DatagramProtocol):
    def __init__(self, answer):
        self.answer = answer
    def datagram_received(self, data, source):
        self.answer.set_result((data.decode(), source))
    def error_received(self, error):
        self.answer.set_exception(error)

async def talk(host, connected):
    loop = asyncio.get_running_loop()
    where = (await loop.getaddrinfo(host, 7, type=socket.SOCK_DGRAM))[0]
    answer = loop.create_future()
    how = {"remote_addr": where[4][:2]} if connected else {"family": where[0]}
    transport, _ = await loop.create_datagram_endpoint(lambda: Talk(answer), **how)
    transport.sendto(b"hello", None if connected else where[4])
    data, source = await asyncio.wait_for(answer, 10)
    print(host, data, "true" if source[:2] == where[4][:2] else source)
    transport.close()

async def main():
    for host in sys.argv[1:]:
        await talk(host, False)
        await talk(host, True)

asyncio.run(main())
END
cat >"$work/udp.js" <<'END'
const dgram = require("dgram"), dns = require("dns");

function talk(host, connected, next) {
    dns.lookup(host, (error, address, family) => {
        if (error)
            throw error;
        const socket = dgram.createSocket(family === 6 ? "udp6" : "udp4");
        socket.on("message", (data, from) => {
            console.log(host, data.toString(), from.address === address && from.port === 7);
            socket.close();
            next();
        });
        if (connected)
            socket.connect(7, address, () => socket.send("hello"));
        else
            socket.send("hello", 7, address);
    });
}

const hosts = process.argv.slice(2).flatMap(host => [[host, false], [host, true]]);
(function each() {
    const one = hosts.shift();
    if (one)
        talk(...one, each);
})();
END
cat >"$work/Udp.java" <<'END'
import java.net.DatagramPacket;
import java.net.DatagramSocket;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.SocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.DatagramChannel;
import java.nio.channels.SelectionKey;
import java.nio.channels.Selector;

public class Udp {
    static void say(String host, byte[] data, int length, boolean same) {
        System.out.println(host + " " + new String(data, 0, length) + " " + same);
    }

    static void socket(String host, InetSocketAddress where, boolean connected) throws Exception {
        byte[] word = "hello".getBytes();
        try (DatagramSocket s = new DatagramSocket()) {
            s.setSoTimeout(10000);
            if (connected)
                s.connect(where);
            s.send(connected ? new DatagramPacket(word, word.length) : new DatagramPacket(word, word.length, where));
            DatagramPacket answer = new DatagramPacket(new byte[100], 100);
            s.receive(answer);
            say(host, answer.getData(), answer.getLength(), answer.getSocketAddress().equals(where));
        }
    }

    static void channel(String host, InetSocketAddress where, boolean connected, boolean selected) throws Exception {
        try (DatagramChannel c = DatagramChannel.open(); Selector selector = Selector.open()) {
            ByteBuffer word = ByteBuffer.wrap("hello".getBytes()), answer = ByteBuffer.allocate(100);
            if (connected)
                c.connect(where);
            if (selected) {
                c.configureBlocking(false);
                c.register(selector, SelectionKey.OP_READ);
            }
            if (connected)
                c.write(word);
            else
                c.send(word, where);
            if (selected && selector.select(10000) != 1)
                System.out.println("not selected");
            SocketAddress from = connected ? where : null;
            if (connected)
                c.read(answer);
            else
                from = c.receive(answer);
            say(host, answer.array(), answer.position(), where.equals(from));
        }
    }

    public static void main(String[] hosts) throws Exception {
        for (String host : hosts) {
            InetSocketAddress where = new InetSocketAddress(InetAddress.getByName(host), 7);
            for (int i = 0; i < 2; i++) {
                socket(host, where, i == 1);
                channel(host, where, i == 1, false);
                channel(host, where, i == 1, true);
            }
        }
    }
}
END

start_targets()
{
    start "$target" echo $python "$srcdir/real_echo.py" 7
    listening "$target" 7 echo u
    if have dig dnsmasq; then
        start "$target" dnsmasq dnsmasq -k -C /dev/null -x "$work/dnsmasq.pid" --no-resolv --no-hosts --user=root \
            --address=/answer.example/192.0.2.80
        listening "$target" 53 dnsmasq u
    fi
    have java javac || return
    javac -d "$work" "$work/Udp.java" || fault 'no java program'
}

# answers N HOST ...: what the programs print, N times for each.
answers()
{
    local n=$1 host
    shift
    for host; do
        case $host in
        *six* | *:*) yes "$host hello from 2001:db8:2::1 true" ;;
        *) yes "$host hello from 203.0.113.1 true" ;;
        esac | head -n "$n"
    done
}

# dug HOST: the server by name or address.
dug()
{
    through dig +short +tries=1 +time=10 "@$1" answer.example
}

# datagrams WHAT HOST ...: each program.
datagrams()
{
    local what=$1 host
    shift
    mark_leak
    if have dig dnsmasq; then
        # Its IPv6 sockets are bound for IPv6 alone, and the relay is at an IPv4 address.
        for host in "${@#"$target6"}"; do
            [ -z "$host" ] || job "$what: dig @$host" 192.0.2.80 dug "$host"
        done
    fi
    job "$what: asyncio" "$(answers 2 "$@")" through $python "$work/udp.py" "$@"
    ! have node || job "$what: node" "$(answers 2 "$@")" through node "$work/udp.js" "$@"
    ! have java javac || job "$what: java" "$(answers 6 "$@")" through java -cp "$work" Udp "$@"
}

# A server that carries none: what asyncio is told, and the one line that names the proxy.
refused()
{
    mark_leak
    through $python "$work/udp.py" four.example >"$work/out" 2>"$work/err"
    same "$1: asyncio's error" 'PermissionError: [Errno 13] Permission denied' "$(tail -n 1 "$work/err")"
    same "$1: its line" "socksify[]: UDP is not offered by the proxy $2: datagrams are refused" \
        "$(sed -n 's/^socksify\[[0-9]*\]/socksify[]/p' "$work/err")"
    no_leak "$1"
}


start_targets
start_leak $proxy4 1081 $proxy4 40000-40999 $proxy4 1082 $proxy4 8388 $proxy4 8388-8388
hosts=(four.example "$target4")
[ "$ipv6" = no ] || hosts+=("$target6")
if have danted; then
    url=socks5://$proxy4:1081
    start_danted none && datagrams danted "${hosts[@]}"
    stop_server "$danted"
    url=socks5://alice:secret@$proxy4:1081
    start_danted username && datagrams 'danted with credentials' four.example
    stop_server "$danted"
fi
if have ss-local ss-server; then
    start_shadowsocks
    datagrams shadowsocks four.example "$target4"
fi
if have microsocks; then
    url=socks5://$proxy4:1082
    start "$proxy" microsocks microsocks -i $proxy4 -p 1082
    listening "$proxy" 1082 microsocks
    refused microsocks $proxy4:1082
fi
finish
