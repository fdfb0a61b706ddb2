#!/bin/sh
# SPDX-License-Identifier: ISC
# Datagram endpoints of event loops, while the proxy holds its reply: it is the program that lets it go on, once its loop
# has turned for a while after the datagrams were sent.  One that sleeps in the first send never comes so far.
. "${srcdir:-.}/alone.sh"
. "${srcdir:-.}/preload.sh"

start_target

# program NAME COMMAND...: it ends well.
program()
{
    name=$1
    shift
    # shellcheck disable=SC2086
    timeout -k 1 20 env $environment "LD_PRELOAD=$OBJECT" "$@" >"$out" 2>"$err" </dev/null
    status=$?
    if [ "$status" = 0 ]; then ok "$name"; else
        bad "$name (exit status $status)"
        head -20 "$out" "$err"
    fi
}

python=/usr/bin/python3
[ -x $python ] || python=python3
cat >"$work/loop.py" <<'EOT'
import asyncio, errno, selectors, socket, sys

selector, port, control, wanted = sys.argv[1], int(sys.argv[2]), sys.argv[3], sys.argv[4]

def tell(command):
    with socket.socket(socket.AF_UNIX) as s:
        s.connect(control)
        s.sendall(command.encode() + b"\n")
        return int(s.recv(80).split()[0])

class Endpoint(asyncio.DatagramProtocol):
    def __init__(self):
        self.events = asyncio.Queue()
    def datagram_received(self, data, source):
        assert source == ("127.0.0.1", port), source
        self.events.put_nowait(data.decode())
    def error_received(self, error):
        self.events.put_nowait(errno.errorcode[error.errno])

async def run(peer):
    loop = asyncio.get_running_loop()
    to = ("127.0.0.1", port)
    transport, endpoint = await loop.create_datagram_endpoint(
        Endpoint, **({"remote_addr": to} if peer else {"local_addr": ("0.0.0.0", 0)}))
    for i in range(10):
        transport.sendto(str(i).encode(), None if peer else to)
    ticks = 0
    while ticks < 20 or tell("count") == 0:
        await asyncio.sleep(0.005)
        ticks += 1
    assert endpoint.events.empty()
    tell("release")
    for i in range(10 if wanted == "ok" else 1):
        event = await asyncio.wait_for(endpoint.events.get(), 10)
        assert event == (str(i) if wanted == "ok" else wanted), event
    transport.close()

kind = {"epoll": selectors.EpollSelector, "poll": selectors.PollSelector, "select": selectors.SelectSelector}[selector]
loop = asyncio.SelectorEventLoop(kind())
asyncio.set_event_loop(loop)
loop.run_until_complete(run(False))
if wanted != "EACCES":
    loop.run_until_complete(run(True))
EOT
cat >"$work/loop.js" <<'EOT'
const dgram = require('dgram'), net = require('net');
const [port, control, wanted] = [+process.argv[2], process.argv[3], process.argv[4]];
const tell = (command) => new Promise((done) => {
    const s = net.connect(control, () => s.write(command + '\n'));
    s.once('data', (data) => { s.destroy(); done(parseInt(data)); });
});
const socket = dgram.createSocket('udp4'), seen = [];
let released = false, wake = () => {};
socket.on('message', (data, from) => {
    if (!released || from.port !== port) process.exit(3);
    seen.push(String(data));
    wake();
});
socket.on('error', (error) => { seen.push(error.code); wake(); });
for (let i = 0; i < 10; i++)
    socket.send(String(i), port, '127.0.0.1', (error) => { if (error) { seen.push(error.code); wake(); } });
(async () => {
    for (let ticks = 0; ticks < 20 || await tell('count') === 0; ticks++)
        await new Promise((done) => setTimeout(done, 5));
    if (seen.length) process.exit(4);
    released = true;
    await tell('release');
    const enough = wanted === 'ok' ? 10 : 1;
    while (seen.length < enough)
        await new Promise((done) => { wake = done; });
    if (wanted === 'ok' ? seen.join() !== '0,1,2,3,4,5,6,7,8,9' : seen[0] !== wanted) {
        console.log(seen);
        process.exit(5);
    }
    socket.close();
})();
EOT

while read -r wanted how; do
    # shellcheck disable=SC2086
    start_proxy --hold method $how
    for selector in epoll poll select; do
        command -v "$python" >/dev/null || { skip "no python3"; break; }
        program "python3, $selector: $wanted" "$python" "$work/loop.py" $selector "$udp" "$control" "$wanted"
        [ "$wanted" = ok ] || break
    done
    command -v node >/dev/null || { skip "no node"; continue; }
    program "node: $wanted" node "$work/loop.js" "$udp" "$control" "$wanted"
    program "node with io_uring: $wanted" env UV_USE_IO_URING=1 node "$work/loop.js" "$udp" "$control" "$wanted"
done <<EOT
ok
ENETUNREACH --refuse 3
EACCES --no-udp 7
EOT
finish
