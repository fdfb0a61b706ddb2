#!/bin/sh
# SPDX-License-Identifier: ISC
# Drives every option of proxyd with plain sockets and fails when one does not hold.
: "${PROXYD:=./proxyd}"
command -v python3 >/dev/null 2>&1 || {
    echo "skipped: no python3" >&2
    exit 77
}
[ -x "$PROXYD" ] || {
    echo "no $PROXYD" >&2
    exit 1
}
exec python3 - "$PROXYD" "$@" <<'EOF'
import os, re, resource, selectors, shutil, socket, struct, subprocess, sys, tempfile, threading, time
import traceback

PROXYD, ONLY = sys.argv[1], sys.argv[2:]
WORK = tempfile.mkdtemp()
PATIENCE = 20
EE, G = b"\xee\xee\xee", b"HTTP/1.1 400"
CASES = []


def case(f):
    CASES.append(f)
    return f


def same(got, want, what=""):
    assert got == want, f"{what} got {got!r}, want {want!r}"


# ---- targets: an echo and one that speaks first, on both families; a UDP echo
def serve():
    sel = selectors.DefaultSelector()
    made = {}
    for kind, family, host in TARGETS:
        s = socket.socket(family, socket.SOCK_DGRAM if kind == "udp" else socket.SOCK_STREAM)
        s.bind((host, 0))
        if kind != "udp":
            s.listen(1024)
        s.setblocking(False)
        sel.register(s, selectors.EVENT_READ, kind)
        made[kind, family] = s.getsockname()[1]

    def loop():
        while True:
            for key, _ in sel.select():
                s, kind = key.fileobj, key.data
                try:
                    if kind == "udp":
                        data, source = s.recvfrom(65536)
                        s.sendto(data, source)
                    elif kind in ("echo", "banner"):
                        c = s.accept()[0]
                        if kind == "banner":
                            c.sendall(b"hello")
                        sel.register(c, selectors.EVENT_READ, "data")
                    else:
                        data = s.recv(65536)
                        if data:
                            s.sendall(data)
                        else:
                            s.sendall(b"END")   # the way back is still open
                            sel.unregister(s)
                            s.close()
                except BlockingIOError:
                    pass
                except OSError:
                    sel.unregister(s)
                    s.close()
    threading.Thread(target=loop, daemon=True).start()
    return made


def have_ipv6():
    try:
        with socket.socket(socket.AF_INET6) as s:
            s.bind(("::1", 0))
        return True
    except OSError:
        return False


IPV6 = have_ipv6()
TARGETS = [(k, socket.AF_INET, "127.0.0.1") for k in ("echo", "banner", "udp")]
if IPV6:
    TARGETS += [(k, socket.AF_INET6, "::1") for k in ("echo", "banner", "udp")]
PORTS = serve()
ECHO, BANNER, UDP = (PORTS[k, socket.AF_INET] for k in ("echo", "banner", "udp"))


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


# ---- the proxy under test and the bytes of the protocol
class Proxy:
    def __init__(self, *args, control=False):
        self.path = os.path.join(WORK, "control")
        extra = ("--control", self.path) if control else ()
        self.child = subprocess.Popen([PROXYD, *extra, *map(str, args)], stdout=subprocess.PIPE)
        self.buffer, self.seen = b"", []
        self.port = int(self.expect(r"ready (\d+)").group(1))
        if control:
            self.told = socket.socket(socket.AF_UNIX)
            self.told.settimeout(PATIENCE)
            self.told.connect(self.path)
            self.answers = self.told.makefile("r")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.child.terminate()
        same(self.child.wait(PATIENCE), 0, "exit code")
        self.child.stdout.close()

    def line(self):
        end = time.monotonic() + PATIENCE
        while b"\n" not in self.buffer:
            with selectors.DefaultSelector() as sel:
                sel.register(self.child.stdout, selectors.EVENT_READ)
                assert sel.select(max(0, end - time.monotonic())), f"no event in time; seen {self.seen}"
            data = os.read(self.child.stdout.fileno(), 65536)
            assert data, f"proxyd ended; seen {self.seen}"
            self.buffer += data
        line, self.buffer = self.buffer.split(b"\n", 1)
        self.seen.append(line.decode())
        return self.seen[-1]

    def expect(self, pattern):
        while True:
            match = re.fullmatch(pattern, self.line())
            if match:
                return match

    def tell(self, command):
        self.told.sendall(command.encode() + b"\n")
        return self.answers.readline().strip()

    def dial(self, host="127.0.0.1", own=None):
        return Client(host, self.port, own)


def address(host, port):
    if isinstance(host, str) and ":" in host:
        return b"\x04" + socket.inet_pton(socket.AF_INET6, host) + struct.pack(">H", port)
    try:
        return b"\x01" + socket.inet_pton(socket.AF_INET, host) + struct.pack(">H", port)
    except OSError:
        return b"\x03" + bytes([len(host)]) + host.encode() + struct.pack(">H", port)


class Client:
    def __init__(self, host, port, own=None):
        self.s = socket.create_connection((host, port), PATIENCE, own)
        self.s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def send(self, data):
        self.s.sendall(data)

    def read(self, n):
        data = b""
        while len(data) < n:
            piece = self.s.recv(n - len(data))
            if not piece:
                break
            data += piece
        return data

    def ends(self):
        """What comes up to the end: bytes and "eof" or "rst"."""
        data = b""
        try:
            while True:
                piece = self.s.recv(4096)
                if not piece:
                    return data, "eof"
                data += piece
        except ConnectionResetError:
            return data, "rst"

    def pending(self):
        self.s.setblocking(False)
        try:
            return self.s.recv(4096)
        except BlockingIOError:
            return None
        finally:
            self.s.settimeout(PATIENCE)

    def segments(self):
        info = self.s.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 160)
        return struct.unpack_from("I", info, 152)[0]    # tcpi_data_segs_in

    def greet(self, methods=b"\0"):
        self.send(b"\x05" + bytes([len(methods)]) + methods)
        return self.read(2)

    def login(self, user, password):
        self.send(b"\x01" + bytes([len(user)]) + user + bytes([len(password)]) + password)
        return self.read(2)

    def ask(self, host, port, command=1):
        self.send(bytes([5, command, 0]) + address(host, port))

    def reply(self):
        head = self.read(4)
        if len(head) < 4:
            return head, None
        size = {1: 4, 4: 16}.get(head[3]) or self.read(1)[0]
        host = self.read(size)
        host = host.decode() if head[3] == 3 else socket.inet_ntop(
            socket.AF_INET if head[3] == 1 else socket.AF_INET6, host)
        return head[1], (host, struct.unpack(">H", self.read(2))[0])

    def begin(self, host="127.0.0.1", port=None, command=1):
        same(self.greet(), b"\x05\x00", "method")
        self.ask(host, port if port is not None else ECHO, command)
        return self

    def echo(self, data=b"ping"):
        self.send(data)
        same(self.read(len(data)), data, "echo")
        self.s.close()


def to_stage(p, stage, port=None):
    """A client that has just sent the message which the stage answers."""
    c = p.dial()
    c.send(b"\x05\x01\x02")
    if stage == "method":
        return c
    same(c.read(2), b"\x05\x02")
    c.send(b"\x01\x01u\x01p")
    if stage == "auth":
        return c
    same(c.read(2), b"\x01\x00")
    c.ask("127.0.0.1", ECHO if port is None else port)
    return c


LOGIN = ("--user", "u", "--password", "p")
FIRST = ("method", "auth", "reply")
SIZE = {"method": 2, "auth": 2, "reply": 10}


# ---- an honest proxy
@case
def connect():
    with Proxy("--host", "echo.test=127.0.0.1") as p:
        hosts = [("127.0.0.1", "ipv4", "127.0.0.1"), ("Echo.Test", "name", "Echo.Test"), ("echo.test.", "name", None)]
        hosts += [("127.0.0.1", "ipv4", "127.0.0.1")]
        for host, kind, text in hosts:
            c = p.dial().begin(host)
            code, bnd = c.reply()
            same((code, bnd[0]), (0, "127.0.0.1"))
            c.echo()
            p.expect("greeting 00")
            p.expect("method 00")
            p.expect(f"request CONNECT {kind} {re.escape(text or '') if text else '.*'}:{ECHO}")
            p.expect("reply 0")
            p.expect("close")
        if IPV6:
            c = p.dial().begin("::1", PORTS["echo", socket.AF_INET6])
            same(c.reply()[1][0], "::1")
            c.echo()
            p.expect(r"request CONNECT ipv6 \[::1\]:%d" % PORTS["echo", socket.AF_INET6])
        for host, port, rep in (("other.test", ECHO, 4), ("127.0.0.1", free_port(), 5)):
            c = p.dial().begin(host, port)
            same(c.reply()[0], rep)
            same(c.ends(), (b"", "eof"))
            p.expect(f"reply {rep}")
        c = p.dial()
        c.greet()
        c.send(b"\x05\x09\x00" + address("127.0.0.1", 1))
        same(c.reply()[0], 7)
        c = p.dial()
        c.greet()
        c.send(b"\x05\x01\x00\x02" + bytes(6))
        same(c.reply()[0], 8)


@case
def listen_ipv6_and_port():
    port = free_port()
    host = "::1" if IPV6 else "127.0.0.2"
    with Proxy("--listen", host, "--port", port) as p:
        same(p.port, port)
        c = p.dial(host).begin()
        same(c.reply()[0], 0)
        c.echo()


@case
def resolve():
    for args, want in (((), {4}), (("--resolve",), {0, 5})):
        with Proxy(*args) as p:
            # A name to this test, a number to the resolver: a machine need not know localhost.
            code = p.dial().begin("127.1").reply()[0]
            assert code in want, code


@case
def pipelined_and_bytewise():
    with Proxy() as p:
        c = p.dial()
        c.send(b"\x05\x01\x00\x05\x01\x00" + address("127.0.0.1", ECHO) + b"early")
        same(c.read(2), b"\x05\x00")
        same(c.reply()[0], 0)
        same(c.read(5), b"early")
        p.expect("early 5")
        c = p.dial()
        for i, byte in enumerate(b"\x05\x01\x00\x05\x01\x00" + address("127.0.0.1", ECHO)):
            c.send(bytes([byte]))
            if i == 2:
                same(c.read(2), b"\x05\x00")
        same(c.reply()[0], 0)
        c.echo()


@case
def swallow():
    with Proxy("--swallow") as p:
        c = p.dial()
        c.send(b"\x05\x01\x00\x05\x01\x00" + address("127.0.0.1", ECHO))
        same(c.read(2), b"\x05\x00")
        p.expect("method 00")
        c.ask("127.0.0.1", ECHO)
        same(c.reply()[0], 0)
        c.echo()
        c = p.dial()
        c.send(b"\x05\x02\x00")
        same(c.ends(), (b"", "eof"))
        p.expect("bad piece")


@case
def authentication():
    with Proxy(*LOGIN) as p:
        c = p.dial()
        same(c.greet(b"\x00\x02"), b"\x05\x02")
        p.expect("greeting 00,02")
        same(c.login(b"u", b"p"), b"\x01\x00")
        p.expect("auth u ok")
        c.ask("127.0.0.1", ECHO)
        same(c.reply()[0], 0)
        c.echo()
        same(p.dial().greet(b"\x00"), b"\x05\x00")
        for user, password in ((b"u", b"q"), (b"v", b"p"), (b"u", b""), (b"u" * 255, b"p" * 255)):
            c = p.dial()
            c.greet(b"\x02")
            same(c.login(user, password), b"\x01\x01")
            same(c.ends(), (b"", "eof"))
            p.expect(f"auth {user.decode()} bad")
    with Proxy(*LOGIN, "--require-auth", "--auth-failed", 255) as p:
        c = p.dial()
        same(c.greet(b"\x00"), b"\x05\xff")
        same(c.ends(), (b"", "eof"))
        c = p.dial()
        c.greet(b"\x02")
        same(c.login(b"u", b"x"), b"\x01\xff")
    with Proxy("--no-method") as p:
        same(p.dial().greet(b"\x00\x02"), b"\x05\xff")
        p.expect("method ff")
    with Proxy() as p:
        same(p.dial().greet(b"\x02"), b"\x05\xff")


@case
def half_close_and_reset():
    with Proxy() as p:
        c = p.dial().begin()
        c.reply()
        c.send(b"x" * 300000)
        c.s.shutdown(socket.SHUT_WR)
        data, how = c.ends()
        same((len(data), data[-3:], how), (300003, b"END", "eof"))
        p.expect("close")
        with socket.create_server(("127.0.0.1", 0)) as s:
            for passes_on in (True, False):
                c = p.dial().begin(port=s.getsockname()[1])
                c.reply()
                t = s.accept()[0]
                if passes_on:
                    t.shutdown(socket.SHUT_WR)
                    same(c.ends(), (b"", "eof"))
                    c.send(b"still")
                    same(t.recv(5), b"still")
                    c.s.close()
                    same(t.recv(5), b"")
                else:
                    t.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    t.close()
                    same(c.ends(), (b"", "rst"))


@case
def many_at_once():
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < 4200:
        print("skipped: many_at_once: fewer than 4200 descriptors")
        return
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    with Proxy("--hold", "reply", "--log", os.path.join(WORK, "many"), control=True) as p:
        clients = [p.dial().begin() for _ in range(1000)]
        same(p.tell("wait 1000"), "1000")
        same(p.tell("open"), "1000")
        assert all(c.pending() is None for c in clients)
        same(p.tell("release"), "1000")
        for i, c in enumerate(clients):
            same(c.reply()[0], 0)
            c.send(b"%d" % i)
        for i, c in enumerate(clients):
            same(c.read(len(b"%d" % i)), b"%d" % i)
        for c in clients:
            c.s.close()
        c = p.dial().begin()
        same(p.tell("wait 1"), "1")


# ---- the script, stage by stage
@case
def delay():
    for stage in FIRST:
        with Proxy(*LOGIN, "--delay", stage + ":300") as p:
            c = to_stage(p, stage)
            begin = time.monotonic()
            same(len(c.read(SIZE[stage])), SIZE[stage])
            assert time.monotonic() - begin > 0.25, stage


@case
def dribble():
    for arg in ("--dribble", "--dribble=5"):
        with Proxy(*LOGIN, arg) as p:
            c = to_stage(p, "reply")
            same(c.reply()[0], 0)
            same(c.segments(), 2 + 2 + 10)
            c.echo()


@case
def drip():
    for stage, least in (("method", 0.2), ("auth", 0.2), ("reply", 1.0)):
        with Proxy(*LOGIN, "--drip", stage + ":100") as p:
            c = to_stage(p, stage)
            before, begin = c.segments(), time.monotonic()
            same(len(c.read(SIZE[stage])), SIZE[stage])
            assert least - 0.05 < time.monotonic() - begin, stage
            same(c.segments() - before, SIZE[stage])


@case
def split():
    for n in (1, 3, 9):
        with Proxy(*LOGIN, "--split", n) as p:
            c = to_stage(p, "reply")
            same(c.reply()[0], 0)
            same(c.segments(), 6 if n == 1 else 4, f"split {n}")
            c.echo()


@case
def glue():
    with Proxy("--glue") as p:
        for _ in range(20):
            c = p.dial().begin(port=BANNER)
            same(len(c.s.recv(4096)), 15)
            same(c.segments(), 2)
            c.echo()


@case
def hold():
    for stage in FIRST:
        with Proxy(*LOGIN, "--hold", stage, control=True) as p:
            c = to_stage(p, stage)
            same(p.tell("wait 1"), "1")
            same(c.pending(), None, stage)
            p.expect(f"held {stage}")
            same(p.tell("count"), "1")
            same(p.tell("release"), "1")
            same(len(c.read(SIZE[stage])), SIZE[stage])
            same(p.tell("count"), "0")
    with Proxy("--hold", "reply:3", control=True) as p:
        c = p.dial().begin()
        same(p.tell("wait 1"), "1")
        same(c.read(3), b"\x05\x00\x00")
        same(c.pending(), None)
        p.tell("release")
        same(len(c.read(7)), 7)
        c.echo()


@case
def control():
    with Proxy(control=True) as p:
        same(p.dial().begin().reply()[0], 0)
        same(p.tell("hold reply"), "ok")
        clients = []
        for i in range(3):
            clients.append(p.dial().begin())
            same(p.tell(f"wait {i + 1}"), str(i + 1))
        same(p.tell("release 1"), "1")
        same(clients[0].reply()[0], 0)
        same([c.pending() for c in clients[1:]], [None, None])
        same(p.tell("hold none"), "ok")
        p.dial().begin().reply()
        same(p.tell("count"), "2")
        clients[1].s.close()
        p.expect("held reply")
        p.expect("close")
        tell = subprocess.run([PROXYD, "--tell", p.path, "release", "9"], stdout=subprocess.PIPE, check=True)
        same(tell.stdout, b"1\n")
        same(clients[2].reply()[0], 0)
        same(p.tell("set refuse=3"), "ok")
        same(p.dial().begin().reply()[0], 3)
        same(p.tell("set plain"), "ok")
        same(p.dial().begin().reply()[0], 0)
        for wrong in ("set nonsense", "hold nowhere", "release x", "wait 0", "what"):
            assert p.tell(wrong).startswith("error"), wrong
        same(subprocess.run([PROXYD, "--tell", p.path, "what"], stdout=subprocess.DEVNULL).returncode, 1)
        same(p.tell("quit"), "ok")
        same(p.child.wait(PATIENCE), 0)
        assert not os.path.exists(p.path)


@case
def early_data_is_told():
    with Proxy("--hold", "reply", control=True) as p:
        c = p.dial().begin()
        p.tell("wait 1")
        c.send(b"too early")
        p.tell("release")
        same(c.reply()[0], 0)
        same(c.read(9), b"too early")
        p.expect("early 9")
        c = p.dial().begin()
        p.tell("wait 1")
        p.tell("release")
        c.reply()
        c.echo()
        p.expect("close")
        same(len([x for x in p.seen if x.startswith("early")]), 1)


@case
def refuse():
    for rep in (1, 2, 5, 8, 9, 255, 0):
        with Proxy("--refuse", rep) as p:
            c = p.dial().begin()
            same(c.reply(), (rep, ("0.0.0.0", 0)))
            same(c.ends(), (b"", "eof"))
            p.expect(f"reply {rep}")
    for size in (2, 4):
        with Proxy("--refuse=5", f"--short-reply={size}") as p:
            same(p.dial().begin().ends(), (b"\x05\x05\x00\x01"[:size], "eof"))
        with Proxy("--short-reply", size) as p:
            same(p.dial().begin("nowhere.test").ends(), (b"\x05\x04\x00\x01"[:size], "eof"))
            same(p.dial().begin().reply()[0], 0)


@case
def bound_address():
    for text, want in (("ipv4:192.0.2.1:80", ("192.0.2.1", 80)), ("192.0.2.1:80", ("192.0.2.1", 80)),
                       ("ipv6:2001:db8::1:81", ("2001:db8::1", 81)), ("[2001:db8::1]:81", ("2001:db8::1", 81)),
                       ("name:bnd.test:82", ("bnd.test", 82)), ("ipv4:0.0.0.0:0", ("0.0.0.0", 0)),
                       ("any", ("0.0.0.0", None)), ("other-family", ("::1", None)), ("name", ("localhost", None)),
                       ("name:%s:1" % ("n" * 63), ("n" * 63, 1)), ("name:x.test:*", ("x.test", None))):
        with Proxy("--bnd", text) as p:
            c = p.dial().begin()
            code, (host, port) = c.reply()
            same((code, host), (0, want[0]), text)
            assert port == want[1] if want[1] is not None else port > 0, port
            c.echo()


@case
def silence_close_reset_garbage_extra_cut():
    for stage in FIRST:
        with Proxy(*LOGIN, "--hang", stage) as p:
            c = to_stage(p, stage)
            p.expect(f"silent {stage}")
            same(c.pending(), None)
            c.s.close()
            p.expect("close")
        with Proxy(*LOGIN, "--close", stage) as p:
            same(to_stage(p, stage).ends(), (b"", "eof"), stage)
        with Proxy(*LOGIN, "--rst", stage) as p:
            same(to_stage(p, stage).ends(), (b"", "rst"), stage)
            p.expect("reset")
        with Proxy(*LOGIN, "--garbage", stage) as p:
            same(to_stage(p, stage).read(len(G)), G, stage)
        with Proxy(*LOGIN, "--extra", stage) as p:
            same(to_stage(p, stage).read(SIZE[stage] + 3)[SIZE[stage]:], EE, stage)
        with Proxy(*LOGIN, "--cut", f"{stage}:1") as p:
            data, how = to_stage(p, stage).ends()
            same((len(data), how), (1, "eof"), stage)
        with Proxy(*LOGIN, "--flood", f"{stage}:4096") as p:
            same(to_stage(p, stage).read(SIZE[stage] + 4096)[SIZE[stage]:], b"\xee" * 4096, stage)
        with Proxy(*LOGIN, "--alter", f"{stage}:{256 + 7}") as p:
            same(to_stage(p, stage).read(2)[1:], b"\7", stage)


@case
def per_client():
    with Proxy("--from", "127.0.0.9", "close=method", "--from", "127.0.0.9:1999", "plain", "--from", "127.0.0.8",
               "extra=method", "--on", f"*:{ECHO}", "refuse=3") as p:
        for own, want in ((0, (b"", "eof")), (1999, None)):
            c = p.dial(own=("127.0.0.9", own))
            c.send(b"\5\1\0")
            same(c.read(2) if want is None else c.ends(), want or b"\5\0")
        c = p.dial(own=("127.0.0.8", 0))
        c.send(b"\5\1\0")
        same(c.read(5), b"\5\0" + EE)
        c.ask("127.0.0.1", ECHO)
        same(c.reply()[0], 3)
        same(p.dial().begin(port=BANNER).reply()[0], 0)


@case
def per_target():
    with Proxy("--on", f"127.0.0.1:{ECHO}", "refuse=3", "--on", "gone.test", "--close=reply", "--host",
               "fine.test=127.0.0.1", "--on", "[::1]", "refuse=6", "--on", "[::2]:9", "refuse=7",
               "--on", "fine.test:9", "refuse=8") as p:
        same(p.dial().begin().reply()[0], 3)
        same(p.dial().begin(port=BANNER).reply()[0], 0)
        same(p.dial().begin("gone.test").ends(), (b"", "eof"))
        same(p.dial().begin("FINE.test").reply()[0], 0)
        same(p.dial().begin("fine.test", 9).reply()[0], 8)
        same(p.dial().begin("::1", 1).reply()[0], 6)
        same(p.dial().begin("::2", 9).reply()[0], 7)
    with Proxy("--refuse", 2, "--on", f"*:{ECHO}", "plain", "--on", "*", "bnd=192.0.2.7:7") as p:
        same(p.dial().begin().reply(), (0, ("192.0.2.7", 7)))
        same(p.dial().begin(port=BANNER).reply(), (2, ("192.0.2.7", 7)))


@case
def no_accept():
    with Proxy("--no-accept") as p:
        s = socket.socket()
        s.setblocking(False)
        s.connect_ex(("127.0.0.1", p.port))
        with selectors.DefaultSelector() as sel:
            sel.register(s, selectors.EVENT_WRITE)
            same(sel.select(0.5), [])


# ---- BIND
def bind(p, host="127.0.0.1"):
    c = p.dial().begin(host, 0, 2)
    code, bnd = c.reply()
    same(code, 0)
    return c, bnd


@case
def bind_plain():
    with Proxy(control=True) as p:
        c, bnd = bind(p)
        p.expect("request BIND ipv4 127.0.0.1:0")
        peer = socket.create_connection(bnd, PATIENCE)
        same(c.reply(), (0, peer.getsockname()))
        p.expect("reply2 0")
        peer.sendall(b"in")
        same(c.read(2), b"in")
        c.send(b"out")
        same(peer.recv(3), b"out")
        c, bnd = bind(p)
        peer = socket.create_connection(bnd, PATIENCE, ("127.0.0.2", 0))
        same(c.reply()[0], 2)
        same(c.ends(), (b"", "eof"))
        c, bnd = bind(p, "0.0.0.0")
        peer = socket.create_connection(bnd, PATIENCE, ("127.0.0.2", 0))
        same(c.reply()[0], 0)
        if IPV6:
            c, bnd = bind(p, "::1")
            peer = socket.create_connection(("::1", bnd[1]), PATIENCE)
            same(c.reply()[1][0], "::1")
        same(p.tell("hold reply2"), "ok")
        c, bnd = bind(p)
        peer = socket.create_connection(bnd, PATIENCE)
        p.tell("wait 1")
        same(c.pending(), None)
        p.tell("release")
        same(c.reply()[0], 0)


@case
def bind_scripted():
    with Proxy("--refuse2", 2) as p:
        c, bnd = bind(p)
        peer = socket.create_connection(bnd, PATIENCE)
        same(c.reply()[0], 2)
    with Proxy("--bnd", "0.0.0.0:*", "--bnd2", "name:peer.test:77") as p:
        c, bnd = bind(p)
        same(bnd[0], "0.0.0.0")
        peer = socket.create_connection(("127.0.0.1", bnd[1]), PATIENCE)
        same(c.reply(), (0, ("peer.test", 77)))
    with Proxy("--close", "reply2") as p:
        c, bnd = bind(p)
        peer = socket.create_connection(bnd, PATIENCE)
        same(c.ends(), (b"", "eof"))
    with Proxy("--glue") as p:
        c, bnd = bind(p)
        before = c.segments()
        peer = socket.create_connection(bnd, PATIENCE)
        peer.sendall(b"220 hi")
        same(len(c.s.recv(4096)), 16)
        same(c.segments() - before, 1)
    for word, want in (("7", b"\x05\x07\x00\x01"), ("2byte", b"\x05\x07"), ("eof", b"")):
        for option, command in (("--no-bind", 2), ("--no-udp", 3)):
            with Proxy(option, word) as p:
                c = p.dial().begin("0.0.0.0", 0, command)
                data, how = c.ends()
                same((data[:4], how, len(data)), (want, "eof", 10 if word == "7" else len(want)))
                c = p.dial().begin()
                same(c.reply()[0], 0)
    with Proxy("--no-bind", "hang") as p:
        c = p.dial().begin("0.0.0.0", 0, 2)
        p.expect("silent reply")


# ---- UDP
class Association:
    def __init__(self, p, host="127.0.0.1"):
        self.c = p.dial(host).begin("0.0.0.0", 0, 3)
        code, self.bnd = self.c.reply()
        same(code, 0)
        self.s = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM)
        self.s.bind((host, 0))
        self.s.settimeout(PATIENCE)
        self.relay = (host, self.bnd[1])

    def send(self, host, port, data):
        self.s.sendto(b"\0\0\0" + address(host, port) + data, self.relay)

    def receive(self):
        data, source = self.s.recvfrom(65536)
        return data, source[:2] == self.relay

    def ping(self, host, port, data, source=None):
        self.send(host, port, data)
        same(self.receive(), (b"\0\0\0" + address(source or host, port) + data, True))


@case
def udp_plain():
    with Proxy("--host", "echo.test=127.0.0.1") as p:
        a = Association(p)
        same(a.bnd[0], "127.0.0.1")
        p.expect(r"request ASSOCIATE ipv4 0.0.0.0:0")
        # What came for an association that had the port before does not make its sender the client.
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.sendto(b"late", a.relay)
            p.expect("udp drop header")
        a.ping("127.0.0.1", UDP, b"one")
        p.expect(f"udp out 127.0.0.1:{UDP} 3")
        p.expect(f"udp in 127.0.0.1:{UDP} 3")
        a.ping("127.0.0.1", UDP, b"")
        a.ping("127.0.0.1", UDP, b"x" * 60000)
        a.ping("echo.test", UDP, b"name", "127.0.0.1")
        p.expect(f"udp out echo.test:{UDP} 4")
        if IPV6:
            a.ping("::1", PORTS["udp", socket.AF_INET6], b"six")
        a.send("unknown.test", UDP, b"lost")
        p.expect("udp drop name")
        a.s.sendto(b"\0\0\1" + address("127.0.0.1", UDP) + b"frag", a.relay)
        p.expect("udp drop frag")
        a.s.sendto(b"\0\0", a.relay)
        p.expect("udp drop header")
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.sendto(b"\0\0\0" + address("127.0.0.1", UDP) + b"other", a.relay)
            p.expect("udp drop stranger")
        a.ping("127.0.0.1", UDP, b"last")
        a.c.s.close()
        p.expect("close")
        if IPV6:
            Association(p).ping("127.0.0.1", UDP, b"again")
    if IPV6:
        with Proxy("--listen", "::1") as p:
            Association(p, "::1").ping("127.0.0.1", UDP, b"v6 relay")


@case
def udp_scripted():
    for text, want in (("any", "0.0.0.0"), ("name", "localhost"), ("other-family", "::1"),
                       ("192.0.2.9:99", "192.0.2.9")):
        with Proxy("--udp-bnd", text) as p:
            c = p.dial().begin("0.0.0.0", 0, 3)
            code, bnd = c.reply()
            same((code, bnd[0], bnd[1] == 99), (0, want, "99" in text))
            same(p.dial().begin().reply()[1][0], "127.0.0.1")
        if "99" not in text:
            with Proxy("--udp-bnd", text) as p:
                Association(p).ping("127.0.0.1", UDP, b"as usual")
    with Proxy("--host", "echo.test=127.0.0.1", "--udp-name-sources") as p:
        a = Association(p)
        a.ping("127.0.0.1", UDP, b"no name yet")
        a.ping("Echo.test", UDP, b"by name")
    with Proxy("--udp-frag") as p:
        a = Association(p)
        a.send("127.0.0.1", UDP, b"x")
        same(a.receive(), (b"\0\0\1" + address("127.0.0.1", UDP) + b"bad", True))
        same(a.receive()[0][-1:], b"x")
    with Proxy("--udp-rsv") as p:
        a = Association(p)
        a.send("127.0.0.1", UDP, b"x")
        same(a.receive(), (b"\0\1\0" + address("127.0.0.1", UDP) + b"bad", True))
        same(a.receive()[0][-1:], b"x")
    for text, want in (("192.0.2.9:7", ("192.0.2.9", 7)), ("name:other.test:*", ("other.test", UDP)),
                       ("other-family", ("::1", UDP))):
        with Proxy("--udp-source", text) as p:
            a = Association(p)
            a.send("127.0.0.1", UDP, b"x")
            same(a.receive(), (b"\0\0\0" + address(*want) + b"bad", True))
            same(a.receive()[0], b"\0\0\0" + address("127.0.0.1", UDP) + b"x")
    with Proxy("--udp-rsv", "--udp-no-answer") as p:
        a = Association(p)
        a.send("127.0.0.1", UDP, b"x")
        same(a.receive()[0][-3:], b"bad")
        p.expect("udp drop answer")
        a.s.setblocking(False)
        try:
            same(a.receive(), None)
        except BlockingIOError:
            pass
    with Proxy("--udp-garbage") as p:
        a = Association(p)
        a.send("127.0.0.1", UDP, b"x")
        bad = [a.receive()[0] for _ in range(6)]
        same([len(b) for b in bad], [0, 1, 5, 13, 13, 8])
        same(a.receive()[0][-1:], b"x")
    with Proxy("--udp-stranger") as p:
        a = Association(p)
        a.send("127.0.0.1", UDP, b"x")
        same(a.receive(), (b"\0\0\0" + address("127.0.0.1", UDP) + b"bad", False))
        same(a.receive()[1], True)
    with Proxy("--on", f"*:{UDP}", "plain", "--udp-silent") as p:
        a = Association(p)
        a.send("127.0.0.1", UDP, b"x")
        p.expect("udp drop silent")
    with Proxy("--udp-close-after", 4) as p:
        a = Association(p)
        a.ping("127.0.0.1", UDP, b"1")
        a.ping("127.0.0.1", UDP, b"2")
        same(a.c.ends(), (b"", "eof"))
    with Proxy("--udp-first-only") as p, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.bind(("127.0.0.1", 0))
        a = Association(p)
        a.ping("127.0.0.1", UDP, b"1")
        a.send("127.0.0.1", s.getsockname()[1], b"2")
        same(a.receive()[0], b"\0\0\0" + address("127.0.0.1", UDP) + b"2")


# ---- the program itself
@case
def life_and_arguments():
    path = os.path.join(WORK, "log")
    with Proxy("--log", path, "--ids") as p:
        for _ in range(2):
            p.dial().begin().reply()
    lines = open(path).read().split("\n")
    assert "greeting 00 #1" in lines and "greeting 00 #2" in lines, lines
    p = Proxy("--lifetime", 1)
    same(p.child.wait(PATIENCE), 0)
    for wrong in (["--nonsense"], ["--hold"], ["--hold", "nowhere"], ["--delay", "reply"], ["--refuse", "256"],
                  ["--bnd", "x"], ["--on", "a.test"], ["--on", "a.test", "nonsense"], ["--host", "a=b"], ["stray"],
                  ["--port", "65536"], ["--require-auth"], ["--glue=1"], ["--no-udp", "8"], ["--listen", "name"]):
        done = subprocess.run([PROXYD, "--lifetime", "1", *wrong], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        same(done.returncode, 2, wrong)
        assert done.stderr.startswith(b"proxyd: "), wrong
    done = subprocess.run([PROXYD, "--help"], stdout=subprocess.PIPE)
    same(done.returncode, 0)
    assert b"--udp-first-only" in done.stdout and b"--on HOST" in done.stdout


failed = 0
try:
    for f in CASES:
        if ONLY and f.__name__ not in ONLY:
            continue
        try:
            f()
            print("ok", f.__name__)
        except Exception:
            failed += 1
            print("FAIL", f.__name__)
            traceback.print_exc(file=sys.stdout)
        sys.stdout.flush()
finally:
    shutil.rmtree(WORK, ignore_errors=True)
sys.exit(1 if failed else 0)
EOF
