#!/bin/sh
# SPDX-License-Identifier: ISC
# What doc/SECURITY says of a process with the object in it: it listens nowhere and has no thread more, whatever goes
# through the proxy.
. "${srcdir:-.}/alone.sh"
. "${srcdir:-.}/preload.sh"

if [ -n "${LINKED-}" ]; then
    skip "the programs here are not the probe"
    finish
fi

# Debian's, not one that is a script in front of it.
python=/usr/bin/python3
[ -x $python ] || python=python3

start_target
start "$work/back" "$PROBE" serve-back 127.0.0.1:0
back=${ready#ready }

# Each way through the proxy, and what the process has of its own after it.
cat >"$work/uses.py" <<'END'
import os, select, socket, sys

echo, udp, back = (("127.0.0.1", int(port)) for port in sys.argv[1:4])
LISTEN = "0A"    # of enum tcp state, as /proc/net/tcp shows it

def own():
    return {os.readlink(f"/proc/self/fd/{fd}") for fd in os.listdir("/proc/self/fd")
            if os.path.exists(f"/proc/self/fd/{fd}")}

def listening():
    found = set()
    for table in "tcp", "tcp6":
        if os.path.exists(f"/proc/self/net/{table}"):
            for line in list(open(f"/proc/self/net/{table}"))[1:]:
                words = line.split()
                if words[3] == LISTEN:
                    found.add(f"socket:[{words[9]}]")
    return found & own()

def tell(what):
    print(f"{what}: {len(os.listdir('/proc/self/task'))} thread, {len(listening())} listening")

tell("start")
stream = socket.create_connection(echo, 10)
stream.settimeout(None)
stream.sendall(b"x")
assert stream.recv(1) == b"x"
tell("connect")
other = socket.socket()
other.setblocking(False)
other.connect_ex(echo)
tell("connect, under way")
assert select.select([], [other], [], 10)[1]
tell("connect, waited for")
datagram = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
datagram.sendto(b"y", udp)
assert datagram.recv(10) == b"y"
tell("datagram")
socket.getaddrinfo("name.test", 80, type=socket.SOCK_STREAM)
tell("name")
control = socket.create_connection(back, 10)
listener = socket.socket()
listener.bind(("127.0.0.1", 0))
listener.listen()
listener.getsockname()
tell("listen")
END

# uses NAME LISTENING COMMAND...: in the end so many sockets of the process listen.
uses()
{
    name=$1
    last=$2
    shift 2
    # shellcheck disable=SC2086
    timeout -k 1 "$patience" env $environment "$preload" "$@" $python "$work/uses.py" "$echo" "$udp" "$back" \
        >"$out" 2>"$err"
    status=$?
    for what in start connect 'connect, under way' 'connect, waited for' datagram name; do
        echo "$what: 1 thread, 0 listening"
    done >"$work/expected"
    echo "listen: 1 thread, $last listening" >>"$work/expected"
    result "$name" "$work/expected"
}

# requests NAME COMMAND NUMBER: the last proxy was asked so often.
requests()
{
    count=$(grep -c "^request $2 " "$proxy_log")
    if [ "$count" = "$3" ]; then ok "$1: $3 $2"; else bad "$1: $count $2 instead of $3: $(cat "$proxy_log")"; fi
}

start_proxy
at_proxy "$proxy" SOCKSIFY_BIND_PORTS="$back"
uses "all through the proxy" 0
requests "all through the proxy" CONNECT 3
requests "all through the proxy" ASSOCIATE 1
requests "all through the proxy" BIND 1

# What would be seen if anything listened.
start_proxy
at_proxy "$proxy" SOCKSIFY_BIND=off
uses "a listener of the program's own" 1
requests "a listener of the program's own" BIND 0

# No call to listen() either, for however short a time; the program's own is seen.
if command -v strace >/dev/null && strace -o /dev/null true 2>"$err"; then
    start_proxy
    at_proxy "$proxy" SOCKSIFY_BIND_PORTS="$back"
    uses "no call" 0 strace -f -qq -e trace=listen,clone,clone3,fork,vfork -o "$work/trace"
    [ ! -s "$work/trace" ] && ok "no call to listen() or clone()" || bad "calls: $(cat "$work/trace")"
    at_proxy "$proxy" SOCKSIFY_BIND=off
    uses "the program's call" 1 strace -f -qq -e trace=listen,clone,clone3,fork,vfork -o "$work/trace"
    [ "$(grep -c 'listen(' "$work/trace")" = 1 ] && ok "the program's call is seen" || bad "calls: $(cat "$work/trace")"
else
    skip "no strace, or it may not trace"
fi

# starts NAME STATUS COMMAND [PROGRAM]: what a shell does to the object that it has, before it starts a program.
starts()
{
    cp "$OBJECT" "$work/copy.so"
    : >"$work/empty"
    # shellcheck disable=SC2016,SC2086
    timeout -k 1 "$patience" env $environment "LD_PRELOAD=$work/copy.so" \
        sh -c 'cd "$1" && { eval "$3"; exec "$2" --help; }' sh "$work" "${4-$PROBE}" "$3" >"$out" 2>"$err"
    status=$?
    [ "$status" = "$2" ] && ok "$1" || bad "$1: exit status $status: $(cat "$err")"
}

# Without it the loader would start the program all the same, past the proxy.
PROBE=$(readlink -f "$PROBE")
starts "an object that is there" 0 :
[ -s "$out" ] && ok "an object that is there: ran" || bad "an object that is there: $(cat "$err")"
while read -r command; do
    starts "$command" 126 "$command"
    [ ! -s "$out" ] && ok "$command: did not run" || bad "$command: ran"
    grep -q '^socksify.* refused: the object .* cannot be loaded' "$err" && ok "$command: told" ||
        bad "$command: $(cat "$err")"
done <<'END'
rm copy.so
mv empty copy.so
END
# A program that env gives to the shell.
printf '#!/usr/bin/env %s/text\n' "$work" >"$work/script"
echo 'echo ran' >"$work/text"
chmod 755 "$work/script" "$work/text"
starts "what env gives to the shell" 0 : "$work/script"
[ -s "$out" ] && ok "what env gives to the shell: ran" || bad "what env gives to the shell: $(cat "$err")"
starts "what env gives to the shell, no object" 126 'rm copy.so' "$work/script"
[ ! -s "$out" ] && ok "what env gives to the shell, no object: did not run" || bad "what env gives to the shell: ran"
finish
