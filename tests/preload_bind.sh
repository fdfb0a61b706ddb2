#!/bin/sh
# SPDX-License-Identifier: ISC
# Connections that come in through the proxy: a server is told a port and comes to it, as FTP's do in active mode.  Each
# command also runs bare, where the server comes to the program itself.
. "${srcdir:-.}/alone.sh"
. "${srcdir:-.}/preload.sh"

start "$work/back" "$PROBE" serve-back 127.0.0.1:0
back=${ready#ready }
four=127.0.0.1:$back
start_target

# with OPTION...: a proxy, and the environment for it.
with()
{
    start_proxy "$@"
    at_proxy "$proxy" SOCKSIFY_BIND_PORTS="$back"
}

# asked NAME NUMBER: at least so many requests came to the last proxy; the last one may not have got so far.
asked()
{
    requests=$(grep -c '^request BIND' "$proxy_log")
    if [ "$requests" -ge "$2" ]; then ok "$1: asked"; else bad "$1: asked $requests times instead of $2"; fi
    : >"$proxy_log"
}

# not_asked NAME: none did.
not_asked()
{
    if grep -q BIND "$proxy_log"; then bad "$1: the proxy was asked"; else ok "$1: not asked"; fi
    : >"$proxy_log"
}

with
for order in tnftp lftp unbound; do
    same "as $order does" bind-order "$four" $order 3
    asked "as $order does" 3
done
same "each call" bind-calls "$four"
same "event loops" bind-loops "$four"
same "threads" bind-threads "$four"
same "the kernel's own AIO" bind-submits "$four"
same "another listener comes unseen" bind-unseen "$four"
same "processes" bind-forks "$four"
same "numbers that are older" bind-numbers "$four"
same "events that come back" bind-events "$four"
same "written to" bind-written "$four"
gives "closed under accept()" bind-under "$four" "127.0.0.1:$udp" <<END
the same number: yes
sendto: 4
accept: over
recvfrom: 4
word, from the target: yes
END
same "odd calls" bind-odd "$four"
# Sanitizers have handlers of their own, and deliver signals when they see fit.
[ -n "${LINKED-}" ] || same "signals and time" bind-signals "$four"
: >"$proxy_log"
same "bound, but then connected" bind-connect "$four"
asked "bound, but then connected" 1
gives "the next request" bind-again "$four" "$control" <<END
$(for _ in poll select epoll; do
    printf 'greeting: ok\nan event: ok\nasked again: yes\ncame: yes\nevent: IN\ngreeting: ok\n'
done)
END
gives "in a set, with a child that has it" bind-followed "$four" "$control" <<END
epoll_ctl: 0
$(for _ in 1 2 3; do printf 'came: yes\nevent: IN\ngreeting: ok\nafter it:\n'; done)
connect: ok
END
gives "a number beyond the limit" bind-beyond "$four" <<END
by the low number: -1 EMFILE
by the high number: -1 EMFILE
still there: IN
within the limit: ok
the next: ok
the next: ok
END
if has_ipv6; then
    start "$work/back6" "$PROBE" serve-back "[::1]:0"
    six="[::1]:${ready#ready }"
    start_proxy --listen ::1
    environment="SOCKSIFY_PROXY=socks5://[::1]:$proxy SOCKSIFY_DIRECT= SOCKSIFY_STATE=$work/state
        SOCKSIFY_BIND_PORTS=${six##*:}"
    for order in tnftp lftp unbound; do
        same "IPv6, as $order does" bind-order "$six" $order 2
    done
    same "IPv6, each call" bind-calls "$six"
    same "IPv6, event loops" bind-loops "$six"
    asked "IPv6" 10
fi

# A look at a listener by select() may cost two looks at where the table of open files ends, which it was told of.
if [ -z "${LINKED-}" ] && command -v strace >/dev/null 2>&1; then
    with
    # shellcheck disable=SC2086
    timeout -k 1 "$patience" strace -qq -o "$work/calls" -e trace=pselect6 \
        env $environment "$preload" "$PROBE" bind-looks "$four" 100 >"$out" 2>"$err"
    calls=$(grep -c pselect6 "$work/calls")
    if [ "$(cat "$out")" = looked ] && [ "$calls" -gt 0 ] && [ "$calls" -le 210 ]; then
        ok "select(): $calls calls more for 100"
    else
        bad "select(): $calls calls more for 100: $(head -3 "$out" "$err")"
    fi
else
    skip "no strace"
fi

# Which sockets: none without a connection to such a port, with a port of the program's choice, or elsewhere.
with
same "native beside it" bind-native "$four"
not_asked "native beside it"
for setting in SOCKSIFY_BIND=off SOCKSIFY_BIND_PORTS=1-20,22; do
    at_proxy "$proxy" SOCKSIFY_BIND_PORTS="$back" $setting
    same "$setting" bind-order "$four" lftp 2
    same "$setting, each call" bind-calls "$four"
    not_asked "$setting"
done
at_proxy "$proxy" SOCKSIFY_BIND_PORTS=1 SOCKSIFY_BIND=on
same "SOCKSIFY_BIND=on" bind-order "$four" lftp 2
asked "SOCKSIFY_BIND=on" 2
# A program that has the object in it has none that exec could hand on.
if [ -z "${LINKED-}" ]; then
    same "SOCKSIFY_BIND=on, an inherited socket" bind-inherits "$four"
    asked "SOCKSIFY_BIND=on, an inherited socket" 2
fi

# The kernel's word on an address that is not this machine's.
with --bnd '192.0.2.9:*'
same "bind to the shown address" bind-shown "$four"
asked "bind to the shown address" 1

# What the first reply says, and what it may not.
for bnd in any name other-family name:far.test:*; do
    with --bnd "$bnd"
    same "BND $bnd" bind-order "$four" lftp 2
done
while read -r error wrong; do
    # shellcheck disable=SC2086
    with $wrong
    at_proxy "$proxy" SOCKSIFY_BIND_PORTS="$back" SOCKSIFY_TIMEOUT=1
    gives "$wrong" bind-refused "$four" <<END
listen, unbound: -1 $error
SO_ACCEPTCONN: 0
  0 of 4 bytes
bind: 0
the kernel's name: yes
listen: -1 $error
listen: -1 $error
SO_ACCEPTCONN: 0
  0 of 4 bytes
the port: the same
connect: 0
END
    said "$wrong: said once" 1 'listen refused: the proxy takes no connections (BIND) for the peer 127.0.0.1'
done <<END
EOPNOTSUPP --no-bind 7
EOPNOTSUPP --no-bind 2byte
ECONNREFUSED --no-bind eof
EOPNOTSUPP --bnd 127.0.0.1:0
END
with --no-bind 7
gives "refused, its events" bind-refused-events "$four" <<END
listen: -1 EOPNOTSUPP
connect: ok
connected: OUT
END
gives "refused, its numbers and streams" bind-connects "$four" <<END
listen: -1 EOPNOTSUPP
connect: -1 EINPROGRESS
the other number:
answer: ok
listen: -1 EOPNOTSUPP
connect: -1 EINPROGRESS
answer: ok
END
with
at_proxy "$proxy" SOCKSIFY_BIND=on
gives "refused at once" bind-at-once "$four" "$control" <<END
listen: -1 ECONNREFUSED
by the other number: -1 ECONNREFUSED
the first: does not listen
the other: does not listen
accept: -1 EINVAL
the port: the same
its port, by another socket: -1 EADDRINUSE
its events: OUT HUP
END
start_proxy
tell "set bnd=127.0.0.1:$proxy" >/dev/null
at_proxy "$proxy" SOCKSIFY_BIND_PORTS="$back"
under bind-refused "$four"
if grep -q '^listen, unbound: -1 EOPNOTSUPP' "$out"; then ok "BND the proxy itself"; else bad "BND the proxy itself"; fi

# The second reply.
with
gives "late and in pieces" bind-late "$four" "$control" <<END
came: yes
a part of the reply: IN
accept: -1 EAGAIN
nothing more:
accept: -1 EAGAIN
the rest: IN
greeting: ok
came: yes
served: 0 then 1
END
with
same "somebody else comes" bind-stranger "$four" 127.0.0.1:0
gives "somebody else comes" bind-stranger "$four" 127.0.0.2:0 <<END
came: yes
event: IN
accept: -1 EAGAIN
came: yes
event: IN
greeting: ok
END
while read -r actions peer; do
    with
    gives "$actions" bind-scripted "$four" "$control" "$actions" <<END
came: yes
peer: $peer
greeting: ok
came: yes
greeting: ok
END
done <<END
set@bnd2=name:peer.test:77 peer.test 77
set@bnd2=192.0.2.9:79 192.0.2.9 79
set@glue,set@bnd2=192.0.2.9:80 192.0.2.9 80
set@dribble,set@bnd2=192.0.2.9:81 192.0.2.9 81
END
for action in set@close=reply2 set@rst=reply2 set@cut=reply2:4 set@refuse2=1; do
    with
    gives "$action" bind-scripted "$four" "$control" "$action" <<END
came: yes
accept: -1 ECONNABORTED
came: yes
greeting: ok
END
done
with
gives "close() ends the request" bind-closed "$four" "$control" <<END
with a listener: 2
by another number: 2
closed: 1
with a listener: 2
dup2: done
replaced: 1
accept: -1 ENOTSOCK
END
# Where a program is the object there is no place for a library behind it.
if [ -z "${LINKED-}" ]; then
    ${CC:-cc} -D_GNU_SOURCE -shared -fPIC "$srcdir/cookieless.c" -o "$work/cookieless.so" || bad "cookieless.so"
    with
    plain=$preload
    preload=$preload:$work/cookieless.so
    gives "the kernel does not say whose a number is" bind-unsure "$four" "$control" <<END
$(for _ in 1 2; do
        printf 'accept: many places\nlisten: many places\nanother in its place: ok\n'
        printf 'close: 1\ndescriptors left: 0\nconnections left: 1\n'
    done)
END
    ${CC:-cc} -D_GNU_SOURCE -shared -fPIC "$srcdir/untimely.c" -o "$work/untimely.so" || bad "untimely.so"
    with
    preload=$plain:$work/untimely.so
    gives "a signal between two sleeps" bind-untimely "$four" <<END
accept: -1 EINTR
handled: yes
END
    preload=$plain
fi
with
gives "the proxy goes away" bind-gone "$four" "$control" <<END
woken: yes
accept: -1 ECONNABORTED
woken: yes
accept: -1 EINVAL
accept: -1 EINVAL
END

# Programs.  One that has a connection to elsewhere and listens is none of our business; nor is a chosen port.
with --no-bind eof
if command -v curl >/dev/null 2>&1 && command -v python3 >/dev/null 2>&1; then
    start_web
    # shellcheck disable=SC2086
    got=$(env $environment SOCKSIFY_BIND_PORTS="$web" "$preload" curl -sS -m 10 --local-port 20000-60000 \
        "http://127.0.0.1:$web/file" 2>&1)
    if [ "$got" = carried ]; then ok "curl --local-port"; else bad "curl --local-port: $got"; fi
    # shellcheck disable=SC2086
    start "$work/native" env $environment "$preload" python3 "$work/web.py" "$work/www"
    got=$(curl -sS -m 10 "http://127.0.0.1:${ready#ready }/file" 2>&1)
    if [ "$got" = carried ]; then ok "http.server"; else bad "http.server: $got"; fi
    cat >"$work/after.py" <<'END'
import socket, sys, threading, urllib.request
urllib.request.urlopen("http://127.0.0.1:%s/file" % sys.argv[1]).read()
server = socket.create_server(("", 0))
print("ready", server.getsockname()[1], flush=True)
server.accept()[0].sendall(b"served")
END
    # shellcheck disable=SC2086
    start "$work/after" env $environment "$preload" python3 "$work/after.py" "$web"
    got=$(python3 -c 'import socket, sys
print(socket.create_connection(("127.0.0.1", int(sys.argv[1]))).recv(9).decode())' "${ready#ready }" 2>&1)
    if [ "$got" = served ]; then ok "a request, then a listener"; else bad "a request, then a listener: $got"; fi
    not_asked "programs"
else
    skip "no curl or no python3"
fi
finish
