#!/bin/sh
# SPDX-License-Identifier: ISC
# Event loops of real programs, with a proxy that takes its time for each connection: all are served at once, and the
# loops turn meanwhile.  Only what is far from what a blocked loop would show is asserted of time.
. "${srcdir:-.}/loop.sh"

delay=300    # milliseconds for each reply
start_loop_target
start_proxy --delay "reply:$delay"

# program NAME SECONDS COMMAND...: it ends well, within that time; "gap N" in its output is the longest time its loop
# stood still, in milliseconds.
program()
{
    name=$1
    limit=$2
    shift 2
    # shellcheck disable=SC2086
    timeout -k 1 "$limit" env $environment "LD_PRELOAD=$OBJECT" "$@" >"$out" 2>"$err" </dev/null
    status=$?
    gap=$(sed -n 's/^gap //p' "$out")
    if [ "$status" != 0 ]; then
        bad "$name (exit status $status)"
        head -20 "$out" "$err"
    elif [ "${gap:-0}" -ge $((5 * delay)) ]; then
        bad "$name: the loop stood still for $gap ms"
    else
        ok "$name${gap:+ (gap $gap ms)}"
    fi
    clean "$name"
}

python=/usr/bin/python3
[ -x $python ] || python=python3
if command -v $python >/dev/null; then
    cat >"$work/loop.py" <<'EOT'
import asyncio, errno, selectors, socket, sys, time

async def one(port, payload):
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    assert writer.get_extra_info("peername") == ("127.0.0.1", port)
    writer.write(payload)
    assert await reader.readexactly(len(payload)) == payload
    writer.close()

async def tick(gaps):
    last = time.monotonic()
    while True:
        await asyncio.sleep(0.01)
        now = time.monotonic()
        gaps.append(now - last)
        last = now

async def refused(port, wanted):
    try:
        await asyncio.open_connection("127.0.0.1", port)
    except OSError as e:
        assert e.errno == wanted, e
    else:
        assert False, "connected"

async def main(echo, bad):
    gaps = []
    ticker = asyncio.create_task(tick(gaps))
    await asyncio.gather(*(one(echo, b"%d" % i * 99) for i in range(100)))
    await asyncio.gather(*(refused(bad, errno.ECONNREFUSED) for _ in range(10)))
    child = await asyncio.create_subprocess_exec("true")
    assert await child.wait() == 0
    ticker.cancel()
    print("gap", int(max(gaps) * 1000))

loop = asyncio.SelectorEventLoop(getattr(selectors, sys.argv[1])())
asyncio.set_event_loop(loop)
loop.run_until_complete(main(int(sys.argv[2]), int(sys.argv[3])))
EOT
    for selector in SelectSelector PollSelector EpollSelector; do
        program "python3, $selector, 100 connections" 15 $python "$work/loop.py" $selector "$echo" "$refusing"
    done
else
    skip "no python3"
fi

cat >"$work/pages.py" <<'EOT'
import http.server, socketserver, sys
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", "5")
        self.end_headers()
        self.wfile.write(b"hello")
    def log_message(self, *arguments):
        pass
class Server(socketserver.ThreadingTCPServer):
    request_queue_size = 128
    daemon_threads = True
server = Server(("127.0.0.1", 0), Handler)
print("ready", server.server_address[1], flush=True)
server.serve_forever()
EOT
if command -v $python >/dev/null; then
    start "$work/http" $python "$work/pages.py"
    http=${ready#ready }
fi

if [ -z "${http-}" ] || ! command -v node >/dev/null; then
    skip "no node"
else
    cat >"$work/loop.js" <<'EOT'
const http = require('http'), net = require('net'), port = +process.argv[2], bad = +process.argv[3];
let left = 60, last = Date.now(), gap = 0;
const ticker = setInterval(() => { const now = Date.now(); gap = Math.max(gap, now - last); last = now; }, 10);
function done() { if (--left === 0) { clearInterval(ticker); console.log('gap ' + gap); } }
function fail(why) { console.log(why); process.exit(1); }
for (let i = 0; i < 50; i++)
    http.get({ host: '127.0.0.1', port, agent: false }, r => {
        if (r.statusCode !== 200 || r.socket.remotePort !== port) fail('status or port');
        r.resume().on('end', done);
    }).on('error', e => fail(e));
for (let i = 0; i < 10; i++)
    net.connect(bad, '127.0.0.1').on('error', e => e.code === 'ECONNREFUSED' ? done() : fail(e))
        .on('connect', () => fail('connected'));
EOT
    program "node, 50 requests" 20 node "$work/loop.js" "$http" "$refusing"
    program "node with io_uring, 50 requests" 20 env UV_USE_IO_URING=1 node "$work/loop.js" "$http" "$refusing"
fi

if [ -z "${http-}" ] || ! command -v curl >/dev/null; then
    skip "no curl"
else
    # shellcheck disable=SC2046
    program "curl -Z, 30 requests" 20 curl -sSfZ --parallel-immediate --parallel-max 30 $(
        for i in $(seq 30); do echo "http://127.0.0.1:$http/$i -o $work/page.$i"; done)
    if [ "$(cat "$work"/page.* | tr -d '\n' | wc -c)" = 150 ]; then ok "30 pages"; else bad "not 30 pages"; fi
fi

if ! command -v javac >/dev/null; then
    skip "no javac"
else
    cat >"$work/Loop.java" <<'EOT'
import java.net.*;
import java.nio.*;
import java.nio.channels.*;

public class Loop {
    public static void main(String[] a) throws Exception {
        int port = Integer.parseInt(a[0]), bad = Integer.parseInt(a[1]), left = 0, refused = 0, echoed = 0;
        Selector selector = Selector.open();
        for (int i = 0; i < 60; i++, left++) {
            SocketChannel c = SocketChannel.open();
            c.configureBlocking(false);
            if (c.connect(new InetSocketAddress("127.0.0.1", i < 50 ? port : bad)))
                throw new Exception("too early");
            c.register(selector, SelectionKey.OP_CONNECT);
        }
        long last = System.nanoTime(), gap = 0;
        while (left > 0) {
            selector.select(10);
            long now = System.nanoTime();
            gap = Math.max(gap, now - last);
            last = now;
            for (var keys = selector.selectedKeys().iterator(); keys.hasNext();) {
                SelectionKey key = keys.next();
                SocketChannel c = (SocketChannel) key.channel();
                keys.remove();
                if (key.isConnectable()) {
                    try {
                        if (!c.finishConnect())
                            throw new Exception("not finished");
                        c.write(ByteBuffer.wrap("x".getBytes()));
                        key.interestOps(SelectionKey.OP_READ);
                    } catch (ConnectException e) {
                        refused++;
                        left--;
                        c.close();
                    }
                } else if (key.isReadable()) {
                    ByteBuffer b = ByteBuffer.allocate(9);
                    if (c.read(b) == 1 && b.get(0) == 'x')
                        echoed++;
                    left--;
                    c.close();
                }
            }
        }
        System.out.println("gap " + gap / 1000000);
        if (refused != 10 || echoed != 50)
            throw new Exception(echoed + " echoed, " + refused + " refused");
    }
}
EOT
    if javac -d "$work" "$work/Loop.java" 2>"$err"; then
        program "java, 50 channels" 30 java -cp "$work" Loop "$echo" "$refusing"
        program "java with poll(), 50 channels" 30 java \
            -Djava.nio.channels.spi.SelectorProvider=sun.nio.ch.PollSelectorProvider -cp "$work" Loop "$echo" "$refusing"
    else
        skip "javac does not work"
    fi
fi
finish
