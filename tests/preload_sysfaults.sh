#!/bin/sh
# SPDX-License-Identifier: ISC
# Every call that the object makes for a connection, a datagram, a listener, a name, a program or a question by TCP, and
# while it starts, fails once in each way it may fail: no descriptors, no memory, interrupted, nothing there yet, less
# than was asked for.  The target is known by a name alone, so that nothing but the proxy leads there.
. "${srcdir:-.}/alone.sh"
. "${srcdir:-.}/preload.sh"

: "${CC:=cc}"
patience=100
$CC -std=gnu11 -D_GNU_SOURCE -shared -fPIC -fno-builtin "$srcdir/faulty.c" -o "$work/faulty.so" || exit 1
echo 'void _start(void) { __builtin_trap(); }' >"$work/static.c"
$CC -nostdlib -static "$work/static.c" -o "$work/static" || exit 1
cat >"$work/go.c" <<'END'
__asm__(".pushsection .note.go.buildid, \"a\", %note\n.balign 4\n"
        ".long 4, 4, 4\n.asciz \"Go\\0\"\n.long 0\n.popsection");
int main(void) { return 0; }
END
$CC "$work/go.c" -o "$work/go" || exit 1
start "$work/back" "$PROBE" serve-back 127.0.0.1:0
back=${ready#ready }
start_target
start_proxy --host faults.example=127.0.0.1 --from 127.0.0.2 delay=method:50
settings="SOCKSIFY_TIMEOUT=3 SOCKSIFY_BIND_PORTS=$back SOCKSIFY_LOG=quiet"
at_proxy "$proxy" "$settings"
self=$(cd "$(dirname "$PROBE")" && pwd)/$(basename "$PROBE")
preload=LD_PRELOAD=$OBJECT:$work/faulty.so
echo "0 wrong" >"$work/none"

clean()
{
    if grep -E '^(early|bad) ' "$proxy_log" >"$work/foreign"; then
        bad "$1: foreign bytes in the handshake: $(head -n 3 "$work/foreign")"
    else
        ok "$1: no foreign bytes in the handshake"
    fi
}

under sysfaults faults.example "$echo" "$udp" "$back" "$refusing" "$work/static" "$work/go" "$self" "$work/hits"
result "each call fails" "$work/none"
sed 's/^/    /' "$err"
clean "each call"

# While it starts: with a state that is there, with the proxy in a file alone, and with a state that has to be made.
mkdir -m 700 "$work/state" 2>/dev/null
echo "proxy = socks5://127.0.0.1:$proxy" >"$work/conf"
at_proxy "$proxy" "$settings" SOCKSIFY_CONF="$work/conf"
for mode in there file fresh slow busy; do
    # shellcheck disable=SC2086
    timeout -k 1 "$patience" env $environment "$PROBE" sysfaults-start "${preload#*=}" "$self" "127.0.0.1:$echo" \
        "127.0.0.1:$udp" "$proxy" "$work/hits" $mode >"$out" 2>"$err"
    status=$?
    result "at the start, $mode" "$work/none"
    sed 's/^/    /' "$err"
done
clean "at the start"

# A file that cannot be looked at now is not taken for one that is not there: it may forbid what it names.
mkdir -p "$work/xdg/socksify"
printf '[rules]\nblock = 127.0.0.1:%s\n' "$echo" >"$work/xdg/socksify/socksify.conf"
at_proxy "$proxy" "$settings" XDG_CONFIG_HOME="$work/xdg"
for error in 2 5 12 23 24; do
    # shellcheck disable=SC2086
    timeout -k 1 "$patience" env $environment "$preload" FAULTY_ALSO=openat:$error:9999 "$PROBE" echo \
        "127.0.0.1:$echo" >"$out" 2>"$err"
    if grep -q '^connect: 0' "$out"; then word=connected; else word=refused; fi
    [ $word = "$([ $error = 2 ] && echo connected || echo refused)" ] && ok "no look at a file, $error: $word" ||
        bad "no look at a file, $error: $(cat "$out" "$err")"
done
at_proxy "$proxy" "$settings"

# A server of names behind a proxy that has no UDP.
cat >"$work/names.py" <<'END'
import socketserver

class Answer(socketserver.StreamRequestHandler):
    def handle(self):
        while len(size := self.rfile.read(2)) == 2:
            q = self.rfile.read(int.from_bytes(size, "big"))
            a = q[:2] + b"\x81\x80" + q[4:6] + bytes(6) + q[12:]
            self.wfile.write(len(a).to_bytes(2, "big") + a)

class Server(socketserver.ThreadingTCPServer):
    request_queue_size = 256
    allow_reuse_address = daemon_threads = True

server = Server(("127.0.0.1", 53), Answer)
print("ready", flush=True)
server.serve_forever()
END
start "$work/names" python3 "$work/names.py"
start_proxy --no-udp 7 --host faults.example=127.0.0.1
at_proxy "$proxy" "$settings"
under sysfaults-questions faults.example "$work/hits"
result "each call for a question by TCP fails" "$work/none"
sed 's/^/    /' "$err"
clean "questions by TCP"

# No row of the table is there for nothing.
awk '{ hits[$1 " " $2] += $3 } END { for (row in hits) print hits[row], row }' "$work/hits" | sort -k 2 >"$work/rows"
sed 's/^/    /' "$work/rows"
if grep '^0 ' "$work/rows" >"$work/dead"; then
    bad "faults that nothing has met: $(sed 's/^0 //' "$work/dead" | tr '\n' ',')"
else
    ok "each fault has been met"
fi
finish
