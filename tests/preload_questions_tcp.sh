#!/bin/sh
# SPDX-License-Identifier: ISC
# DNS questions in datagrams through proxies without UDP: they go by TCP, to the server that the program chose, or to
# SOCKSIFY_RESOLVER in the place of the system's own, and answers come as datagrams do.
. "${srcdir:-.}/names.sh"

# A server that answers by TCP alone, as the first label of the name says.
cat >"$work/odd.py" <<'END'
import socket, struct, threading

def answer(query, extra=b""):
    end = query.index(b"\0", 12) + 5
    record = b"\xc0\x0c\0\1\0\1\0\0\0\x3c\0\4" + bytes((192, 0, 2, len(query[13:13 + query[12]])))
    whole = query[:2] + b"\x81\x80\0\1\0\1\0\0\0\0" + query[12:end] + record + extra
    return struct.pack(">H", len(whole)) + whole

def serve(client):
    file, kept = client.makefile("rb"), []
    while len(size := file.read(2)) == 2:
        query = file.read(struct.unpack(">H", size)[0])
        how = query[13:13 + query[12]]
        more = { b"long": 2000, b"wide": 60000, b"huge": 65400 }
        if how in more:
            client.sendall(answer(query, bytes(more[how])))
        elif how == b"swap":
            kept.append(query)
            if len(kept) == 3:
                client.sendall(b"".join(answer(q) for q in reversed(kept)))
                kept = []
        elif how == b"bytes":
            for byte in answer(query):
                client.sendall(bytes((byte,)))
        elif how == b"stray":
            client.sendall(b"\0\0\0\3abc" + answer(b"\0\0" + query[2:]) + answer(query))
        elif how == b"gone":
            break
        elif how != b"mute":
            client.sendall(answer(query))
            if how == b"once":
                break
    client.shutdown(socket.SHUT_RDWR)
    client.close()

listener = socket.create_server(("127.0.0.2", 53))
print("ready", flush=True)
while True:
    threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()
END

# ask.py WAY SERVER[,SERVER]... NAME...: one socket asks them all at once, each question of the next server; prints for
# each name the response code and the last byte, or the number of bytes where the answer is cut.
cat >"$work/ask.py" <<'END'
import select, socket, struct, sys, time

way, servers, names = sys.argv[1], sys.argv[2].split(","), sys.argv[3:]
where = [(socket.gethostbyname(server), 53) for server in servers]
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("ll", 10, 0))
s.setblocking(way == "blocking")
if way == "epoll":
    epoll = select.epoll()
    epoll.register(s, select.EPOLLIN | select.EPOLLET)
if len(where) == 1:
    s.connect(where[0])
began = time.monotonic()
for number, name in enumerate(names):
    size = 0
    if "/" in name:
        name, size = name.split("/")
    q = struct.pack(">6H", number + 1, 0x100, 1, 0, 0, 1 if size else 0)
    q += b"".join(bytes([len(l)]) + l.encode() for l in name.split(".")) + b"\0\0\1\0\1"
    if size:
        q += struct.pack(">BHHIH", 0, 41, int(size), 0, 0)
    if len(where) == 1:
        s.send(q)
    else:
        s.sendto(q, where[number % len(where)])
if way != "blocking" and time.monotonic() - began > 5:
    print("slept")
got = {}
while len(got) < len(names):
    try:
        data, source = s.recvfrom(4096)
    except BlockingIOError:
        if way == "epoll":
            ready = epoll.poll(10)
        elif way == "select":
            ready = select.select([s], [], [], 10)[0]
        else:
            p = select.poll()
            p.register(s, select.POLLIN)
            ready = p.poll(10000)
        if not ready:
            break
        continue
    number = struct.unpack(">H", data[:2])[0]
    assert source == where[(number - 1) % len(where)], source
    got[number] = f"cut:{len(data)}" if data[2] & 2 else f"{data[3] & 15}:{data[-1] if data[7] else len(data)}"
print(*(got.get(number + 1, "nothing") for number in range(len(names))))
END

start "$work/odd" python3 "$work/odd.py"
with()
{
    start_proxy --host server.test=127.0.0.1 --host odd.test=127.0.0.2 --host none.test=127.0.0.3 "$@"
    plain="SOCKSIFY_PROXY=socks5://127.0.0.1:$proxy SOCKSIFY_STATE=$work/state SOCKSIFY_TIMEOUT=2"
    environment=$plain
}

for how in 7 2byte eof; do
    with --no-udp $how
    says "$how, dig" '203.0.113.7' dig +short +tries=1 @server.test real.test
    said "$how, dig: silence" 0
    saw "$how, dig" "request CONNECT name server.test:53"
    environment="$plain SOCKSIFY_RESOLVER=127.0.0.1"
    says "$how, the system's resolver" '"told"' dig +short +tries=1 TXT text.test
    saw "$how, the system's resolver" "request CONNECT ipv4 127.0.0.1:53"
    : >"$packets"
    says "$how, an address" '198.1[89].*' dig +short +tries=1 text.test
    quiet "$how, an address"
done
program node '192.0.2.5 192.0.2.4' node -e '
const dns = require("dns").promises, own = new dns.Resolver({ timeout: 4000, tries: 1 });
(async () => {
    own.setServers([(await dns.lookup("odd.test")).address]);
    console.log((await own.resolve4("bytes.test"))[0], (await Promise.all([1, 2].map((n) =>
        own.resolve4("once." + n + ".test"))))[1][0]);
})();'

environment=$plain
# asks NAME ANSWERS SERVERS NAME...: in the way that $way is.
asks()
{
    what=$1
    answers=$2
    shift 2
    says "$way: $what" "$answers" python3 "$work/ask.py" "$way" "$@"
}

for way in poll select blocking epoll; do
    asks "one" '0:5' odd.test plain.test
    asks "two servers" '0:5 0:7 0:4 0:7' odd.test,server.test plain.a real.test once.b real.test
done
for way in blocking epoll; do
    asks "no answer, and none ever" '2:27 2:27 0:7' odd.test,odd.test,server.test gone.test gone.test real.test
    asks "answers in any order" '0:4 0:4 0:4 0:5' odd.test swap.a swap.b swap.c plain.test
    asks "in single bytes" '0:5 0:5' odd.test bytes.a bytes.b
    asks "bytes that are no answer" '0:5 0:5' odd.test stray.a plain.b
    asks "one for each connection" '0:4 0:4 0:4' odd.test once.a once.b once.c
    asks "long ones" 'cut:27 cut:27 0:0 0:0 cut:27' \
        odd.test long.test long.test/1232 long.test/4096 wide.test/65535 huge.test/65535
    asks "a server that is none" '2:28 0:5' none.test,odd.test plain.test plain.test
    environment="$plain SOCKSIFY_TIMEOUT=1"
    asks "nothing in time" '2:27 2:27' odd.test mute.test mute.test
    environment=$plain
done
environment="$plain SOCKSIFY_STATS=on"
asks "counted" '2:28 0:5 0:5' none.test,odd.test,odd.test plain.test plain.test plain.test
said "counted" 2 'questions    2 by TCP, failed 1$'
environment=$plain
names=$(seq -f 'plain.%g' 250)
# shellcheck disable=SC2086
object python3 "$work/ask.py" epoll odd.test $names
same=$(tr ' ' '\n' <"$out" | grep -c '^0:5$')
if [ "$same" = 250 ]; then ok "many at once"; else bad "many at once: $same of 250"; fi
: >"$packets"

# What is no question goes nowhere, and neither does anything else.
says "other datagrams" 'EACCES 0 timed-out EACCES' python3 -c '
import errno, socket
def send(port, data):
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.settimeout(0.3)
    try:
        s.connect((socket.gethostbyname("odd.test"), port))
        s.send(data)
        return len(s.recv(100))
    except TimeoutError:
        return "timed-out"
    except OSError as e:
        return errno.errorcode[e.errno]
print(send(54, b"x"), 0, send(53, b"no question at all"[:5]), send(54, b"x"))'
said "other datagrams: said" 1 'UDP is not offered by the proxy'

# By the other family, and in a child that the answer is for as well.
says "a child has the answer" '0:5' python3 -c '
import os, socket
s = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
s.connect(("::ffff:" + socket.gethostbyname("odd.test"), 53))
s.send(b"\0\1\1\0\0\1\0\0\0\0\0\0\5plain\4test\0\0\1\0\1")
child = os.fork()
data = s.recv(512) if child else b""
if child:
    os.waitpid(child, 0)
    print("%d:%d" % (data[3] & 15, data[-1]))'
quiet "all of them"
finish
