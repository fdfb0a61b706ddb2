#!/bin/sh
# SPDX-License-Identifier: ISC
# Programs that speak DNS themselves: their questions to the resolvers of this system are answered without a packet to
# them, or by a resolver behind the proxy.  (The calls and messages one by one: names_questions.c in preload_names.sh.)
. "${srcdir:-.}/names.sh"

# Besides the one that counts there is one that nobody reaches, and one whose address is of no other network.
ip addr add 10.53.53.53/32 dev lo
printf 'nameserver 127.0.0.1\nnameserver 192.0.2.53\nnameserver 10.53.53.53\nnameserver fe80::53%%lo\n' \
    >"$work/resolv.conf"

program dig '198.1[89].*' dig +short +tries=1 a.test
program dig 'fd*:*' dig +short +tries=1 AAAA a.test
program dig '198.1[89].*' dig +short +tries=1 @192.0.2.53 a.test
program dig '198.1[89].*' dig +short +tries=1 @10.53.53.53 a.test
program dig '198.1[89].*' dig +short +tries=1 @::1 a.test
program dig '198.1[89].*' dig +short +tries=1 @fe80::53%lo a.test
program dig '' dig +short +tries=1 MX a.test
program dig '*status: NXDOMAIN*' dig +tries=1 no.invalid
program dig '*ANSWER: 1,*AnY.tEsT.*IN*A*198.1*SERVER: 127.0.0.1#53*' dig +tries=1 +dnssec AnY.tEsT
program host '*a.test has address 198.1[89].*a.test has IPv6 address fd*' host a.test
program nslookup '*Address: 198.1[89].*Address: fd*' nslookup a.test
# shellcheck disable=SC2016
program sh '198.1[89].* a.test.' sh -c 'a=$(dig +short +tries=1 a.test); echo "$a" $(dig +short +tries=1 -x "$a")'
program node '198.1[89].* fd* a.test 198.1[89].* ENODATA ENOTFOUND' node -e '
const dns = require("dns").promises, own = new dns.Resolver({ timeout: 2000, tries: 1 });
own.setServers(["10.53.53.53", "[::1]:53"]);
(async () => {
    const [a] = await dns.resolve4("a.test"), [b] = await dns.resolve6("a.test"), [c] = await own.resolve("b.test");
    const [name] = await dns.reverse(a), error = (e) => e.code;
    console.log(a, b, name, c, await own.resolveMx("b.test").catch(error), await own.resolve("no.invalid").catch(error));
})();'
cat >"$work/ask.py" <<'END'
import asyncio, socket, struct, sys

def question(name, kind, number):
    labels = b"".join(bytes([len(l)]) + l.encode() for l in name.split("."))
    return struct.pack(">6H", number, 0x100, 1, 0, 0, 0) + labels + b"\0" + struct.pack(">2H", kind, 1)

class Ask(asyncio.DatagramProtocol):
    def __init__(self):
        self.answers = asyncio.Queue()

    def datagram_received(self, data, source):
        self.answers.put_nowait((data, source[:2]))

async def main():
    loop = asyncio.get_running_loop()
    for family, server in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET, "192.0.2.53"), (socket.AF_INET6, "::1")):
        for peer in True, False:
            where = {"remote_addr": (server, 53)} if peer else {"family": family}
            transport, ask = await loop.create_datagram_endpoint(Ask, **where)
            for number in range(50):
                transport.sendto(question("n%d.test" % number, 1, number), None if peer else (server, 53))
            for number in range(50):
                data, source = await asyncio.wait_for(ask.answers.get(), 5)
                assert source == (server, 53), source
                assert data[:2] == struct.pack(">H", number) and data[-4] == 198, data
            transport.close()
    print("answered")

asyncio.run(main())
END
program python3 answered python3 "$work/ask.py"
says "TCP to a resolver of this machine" '*connection refused*' dig +tcp +tries=1 a.test
quiet "TCP to a resolver"

# Rules on names: blocked ones do not exist, direct ones are asked for where the program asks.
plain=$environment
environment="$plain SOCKSIFY_BLOCK=blocked.test SOCKSIFY_DIRECT=.direct.test"
says "a blocked name" '*status: NXDOMAIN*' dig +tries=1 blocked.test
said "a blocked name: said" 1 ': blocked.test refused: rule of -b or SOCKSIFY_BLOCK$'
says "another type of it" '*status: NXDOMAIN*' dig +tries=1 MX blocked.test
quiet "a blocked name"
says "a direct name" '203.0.113.7' dig +short +tries=1 is.direct.test
asked "a direct name"
says "a direct name, host" '*is.direct.test has address 203.0.113.7' host -t A is.direct.test 127.0.0.1
says "its address is direct as well" 'ECONNREFUSED ENETUNREACH' python3 -c '
import ctypes, errno, socket
def attempt(address):
    try:
        socket.create_connection((address, 9), 2)
    except OSError as e:
        return errno.errorcode[e.errno]
q = bytes.fromhex("cafe01000001000000000000") + b"\2is\6direct\4test\0\0\1\0\1"
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.connect(("127.0.0.1", 53))
before = attempt("203.0.113.7")
s.send(q)
print(before, end=" ")
print(attempt(".".join(str(b) for b in s.recv(512)[-4:])))'
says "a direct name, another type" '"told"' dig +short +tries=1 TXT text.direct.test
: >"$packets"
says "a mapped name beside them" '198.1[89].*' dig +short +tries=1 a.test
quiet "a mapped name beside them"
environment="$plain SOCKSIFY_DIRECT=127.0.0.1:53"
says "a resolver by rule" '203.0.113.7' dig +short +tries=1 a.test
asked "a resolver by rule"
environment="$plain SOCKSIFY_DNS=local"
says "names left alone" '203.0.113.7' dig +short +tries=1 a.test
asked "names left alone"

# A resolver behind the proxy: the test's own once more, which is reached from there alone.
start_proxy
plain="SOCKSIFY_PROXY=socks5://127.0.0.1:$proxy SOCKSIFY_STATE=$work/state"
environment="$plain SOCKSIFY_RESOLVER=127.0.0.1"
for server in 127.0.0.1 192.0.2.53 10.53.53.53 ::1; do
    says "another type, $server" '"told"' dig +short +tries=1 "@$server" TXT text.test
    says "an address, $server" '198.1[89].*' dig +short +tries=1 "@$server" text.test
    asked "another type, $server"
done
says "without a peer" '"told"' python3 -c '
import socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.settimeout(5)
for server in "127.0.0.1", "192.0.2.53":
    q = bytes.fromhex("cafe01000001000000000000") + b"\4text\4test\0\0\x10\0\1"
    s.sendto(q, (server, 53))
    answer, source = s.recvfrom(512)
    assert source == (server, 53), source
print("\"%s\"" % answer[-4:].decode())'
saw "by way of the relay" "udp out 127.0.0.1:53 27"
: >"$packets"
says "HTTPS all the same" '' dig +short +tries=1 HTTPS a.test
quiet "HTTPS"

# The resolver calls ask by TCP.
cat >"$work/call.py" <<'END'
import ctypes, sys
ctypes.CDLL("libresolv.so.2", ctypes.RTLD_GLOBAL)
libc = ctypes.CDLL(None)
query = getattr(libc, "res_query", None) or libc.__res_query
for name in sys.argv[1:]:
    answer = ctypes.create_string_buffer(512)
    n = query(name.encode(), 1, 16, answer, 512)
    print(answer[n - 4:n].decode() if n > 0 else "none")
END
: >"$proxy_log"
says "res_query()" "told
none" python3 "$work/call.py" text.test other.test
saw "res_query()" "request CONNECT ipv4 127.0.0.1:53"

# A connection that cannot be told from others carries no question, and does not stay.
cat >>"$work/call.py" <<'END'
import os
print(len(os.listdir("/proc/self/fd")))
END
if ${CC:-cc} -D_GNU_SOURCE -shared -fPIC "$srcdir/cookieless.c" -o "$work/cookieless.so"; then
    open=$(python3 "$work/call.py" | tail -n 1)
    plain=$preload
    preload=$preload:$work/cookieless.so
    says "res_query() without cookies" "none
none
$open" python3 "$work/call.py" text.test other.test
    preload=$plain
    saw_nothing "res_query() without cookies"
else
    bad "cookieless.so"
fi
: >"$packets"

# Without UDP such a question goes by TCP (preload_questions_tcp.sh), and fails at once where nobody listens.
start_proxy --no-udp 7
environment="SOCKSIFY_PROXY=socks5://127.0.0.1:$proxy SOCKSIFY_STATE=$work/state SOCKSIFY_RESOLVER=127.0.0.9"
says "a proxy without UDP" '*status: SERVFAIL*' dig +tries=1 TXT text.test
says "an address there" '198.1[89].*' dig +short +tries=1 text.test
quiet "a proxy without UDP"

# TCP goes to a resolver behind the proxy, under the address that was asked.
: >"$proxy_log"
environment="SOCKSIFY_PROXY=socks5://127.0.0.1:$proxy SOCKSIFY_STATE=$work/state SOCKSIFY_RESOLVER=127.0.0.1"
says "TCP to a resolver" '203.0.113.7' dig +short +tcp +tries=1 +time=2 @192.0.2.53 a.test
saw "TCP to a resolver" "request CONNECT ipv4 127.0.0.1:53"
environment="SOCKSIFY_PROXY=socks5://127.0.0.1:$proxy SOCKSIFY_STATE=$work/state"
says "TCP to a public one" '*' dig +tcp +tries=1 +time=2 @192.0.2.53 a.test
saw "TCP to a public one" "request CONNECT ipv4 192.0.2.53:53"
says "TCP to a private one" '*connection refused*' dig +tcp +tries=1 +time=2 @10.53.53.53 a.test
saw_nothing "TCP to a private one"

# What a socket is sent as an answer stays on this machine, whatever address the socket has.
cat >"$work/elsewhere.py" <<'END'
import errno, socket, sys

FREEBIND = { socket.AF_INET: (socket.SOL_IP, 15), socket.AF_INET6: (socket.IPPROTO_IPV6, 78) }
QUESTION = bytes.fromhex("cafe01000001000000000000") + b"\1a\4test\0\0"  # and the type

def bound(address):
    s = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM)
    s.settimeout(1)
    s.setsockopt(*FREEBIND[s.family], 1)
    s.bind((address, 5300))
    # What is bound stays so.
    s.setsockopt(*FREEBIND[s.family], 0)
    return s

def ask(s, kind):
    try:
        s.sendto(QUESTION + bytes([kind, 0, 1]), ("::1" if s.family == socket.AF_INET6 else "127.0.0.1", 53))
        return "answer %d" % (s.recv(512)[3] & 15)
    except TimeoutError:
        return "nothing"
    except OSError as e:
        return errno.errorcode[e.errno]

kind = int(sys.argv[1])
if kind == 0:
    for address in sys.argv[2:]:
        bound(address).sendto(b"x", (address, 5300))
    sys.exit()
# That the proxy has no UDP is known from now on.
ask(socket.socket(socket.AF_INET, socket.SOCK_DGRAM), kind)
print(*[ask(bound(address), kind) for address in sys.argv[2:]])
END

sent_away()
{
    awk '$1 == "away:" { print $11 }' /proc/net/dev
}

if ip link add away type veth peer name far 2>/dev/null; then
    for device in away far; do
        # No address of its own, of which the network would be told.
        echo 1 >/proc/sys/net/ipv6/conf/$device/addr_gen_mode
        ip link set $device arp off up
    done
    ip address add 192.0.2.2/24 dev away && ip route add default dev away && ip -6 route add default dev away
    far="239.1.2.3 2001:db8:77::7"
    # shellcheck disable=SC2086
    python3 "$work/elsewhere.py" 0 $far
    before=$(sent_away)
    if [ "$before" = 2 ]; then ok "bare, they go out by the device"; else bad "bare, $before go out"; fi
    # The kernel itself sends nothing from an IPv4 address of elsewhere.
    far="198.51.100.7 $far"
    environment="SOCKSIFY_PROXY=socks5://127.0.0.1:1 SOCKSIFY_STATE=$work/state"
    # shellcheck disable=SC2086
    says "addresses of elsewhere" 'EACCES EACCES EACCES' python3 "$work/elsewhere.py" 1 $far
    said "addresses of elsewhere: said" 1 "its answer cannot be given back"
    says "addresses of this machine" 'answer 0 answer 0 answer 0 answer 0' \
        python3 "$work/elsewhere.py" 1 127.0.0.9 192.0.2.1 192.0.2.2 2001:db8:1::1
    start_proxy --no-udp 7
    environment="SOCKSIFY_PROXY=socks5://127.0.0.1:$proxy SOCKSIFY_STATE=$work/state SOCKSIFY_RESOLVER=127.0.0.9"
    # shellcheck disable=SC2086
    says "by TCP, addresses of elsewhere" 'EACCES EACCES EACCES' python3 "$work/elsewhere.py" 16 $far
    says "by TCP, addresses of this machine" 'answer 2 answer 2' python3 "$work/elsewhere.py" 16 192.0.2.1 2001:db8:1::1
    if [ "$(sent_away)" = "$before" ]; then ok "nothing goes out"; else bad "$(sent_away) packets, not $before"; fi
else
    skip "no device can be made here"
fi
finish
