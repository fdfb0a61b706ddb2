#!/bin/bash
# SPDX-License-Identifier: ISC
# What curl, wget and python3 are told when it fails: the errno of each way to fail, from proxyd, danted and microsocks,
# within the deadline, with one line when asked for and none otherwise; and nothing goes anywhere else instead.
[ -n "${BASH_VERSION:-}" ] || exec bash "$0" "$@"
. "${srcdir:-.}/real.sh"

network
have curl wget danted microsocks
mkdir "$work/www"
start_httpd
start_leak $proxy4 1080 $proxy4 1081 $proxy4 1082 $proxy4 1089

cat >"$work/errors.py" <<'END'
"""errors.py HOST PORT [again]: the errno of a blocking and of a non-blocking connect(); with `again` the same socket
must then reach four.example."""
import errno, os, select, socket, sys

def blocking(s):
    return s.connect_ex(where)

def nonblocking(s):
    s.setblocking(False)
    error = s.connect_ex(where)
    if error != errno.EINPROGRESS:
        return error
    waits = select.poll()
    waits.register(s, select.POLLOUT)
    if not waits.poll(20000):
        return errno.EBUSY
    return s.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)

def reach(s):
    s.setblocking(True)
    # A failed non-blocking connect() is followed once by ECONNABORTED, as in the kernel.
    if s.connect_ex(("four.example", 80)) == errno.ECONNABORTED:
        s.connect(("four.example", 80))
    s.sendall(b"GET /hello HTTP/1.0\r\nHost: four.example\r\n\r\n")     # fails if it is not connected
    return b"as four.example" in s.makefile("rb").read()

where = (sys.argv[1], int(sys.argv[2]))
words = []
for way in blocking, nonblocking:
    before = os.listdir("/proc/self/fd")
    with socket.socket() as s:
        if "DEVICE" in os.environ:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, os.environ["DEVICE"].encode())
        words.append(errno.errorcode.get(way(s), "OK"))
        if sys.argv[3:] and not reach(s):
            words.append("not reached again")
    if os.listdir("/proc/self/fd") != before:
        words.append("descriptors left open")
print(*words)
END

# fails WHAT HOST PORT ERRNO [again]: python3's blocking and non-blocking socket and curl are told so, in time.
fails()
{
    local what="$1, $2:$3" code=7 began=$SECONDS
    [ "$4" != ETIMEDOUT ] || code=28
    same "$what: python3" "$4 $4" "$(through $python "$work/errors.py" "$2" "$3" ${5:+"$5"} 2>&1)"
    SOCKSIFY_LOG=info through curl -sS -g -m 20 "http://$2:$3/" >"$work/out" 2>"$work/err"
    same "$what: exit status of curl" $code $?
    same "$what: curl's output" '' "$(cat "$work/out")"
    same "$what: lines of the log" 1 \
        "$(grep -c "^socksify\[.*connect .*$2:$3 .*(${4/ENOTSUP/EOPNOTSUPP})" "$work/err")"
    [ $((SECONDS - began)) -lt 12 ] || fault "$what: $((SECONDS - began)) s"
    through curl -sS -g -m 20 "http://$2:$3/" >"$work/out" 2>"$work/err"
    same "$what: our lines unasked" 0 "$(grep -c socksify "$work/err")"
    no_leak "$what"
}

# scripted ACTION: what proxyd does from here on.
scripted()
{
    local answer
    answer=$("$PROXYD" --tell "$work/control" "set $1") && [ "${answer%% *}" != error ] || fault "proxyd: $1: $answer"
}

# Targets that cannot be reached, and the errno of each reply.
by_target()
{
    local number error
    fails proxyd target.example 9 ECONNREFUSED again
    fails proxyd $target4 9 ECONNREFUSED
    fails proxyd far.example 80 EHOSTUNREACH again
    fails proxyd 203.0.113.99 80 EHOSTUNREACH
    fails proxyd 192.0.2.1 80 ENETUNREACH again
    fails proxyd nohost.example 80 EHOSTUNREACH again
    # A socket that is bound to a device has no way to loopback.
    DEVICE=proxy fails 'bound to a device' target.example 9 ECONNREFUSED again
    DEVICE=proxy fails 'bound to a device' far.example 80 EHOSTUNREACH again
    number=0
    # Python says ENOTSUP for EOPNOTSUPP, which is the same number.
    for error in ECONNREFUSED EACCES ENETUNREACH EHOSTUNREACH ECONNREFUSED ETIMEDOUT ENOTSUP EAFNOSUPPORT \
        ECONNREFUSED; do
        number=$((number + 1))
        fails proxyd "reply$number.example" 80 "$error"
    done
    SOCKSIFY_LOG=quiet through wget -q -T 15 -t 1 -O /dev/null http://target.example:9/
    same 'refused: exit status of wget' 4 $?
}

# The proxy breaks off or says something else, at each step.
by_step()
{
    local action
    for action in close=method close=auth close=reply rst=method rst=reply garbage=method garbage=auth garbage=reply \
        cut=reply:1 cut=reply:6; do
        scripted "$action"
        SOCKSIFY_TIMEOUT=5 fails "$action" target.example 80 ECONNREFUSED
        scripted plain
    done
    for action in hang=method hang=auth hang=reply; do
        scripted "$action"
        SOCKSIFY_TIMEOUT=0.5 fails "$action" target.example 80 ETIMEDOUT
        scripted plain
    done
    scripted no-method
    fails 'no method' target.example 80 EACCES
    scripted plain
}

# The proxy itself cannot be reached.
by_proxy()
{
    url=socks5://$proxy4:1089
    fails 'proxy down' target.example 80 ECONNREFUSED
    start "$proxy" deaf "$PROXYD" --listen $proxy4 --port 1089 --no-accept --lifetime 120
    listening "$proxy" 1089 deaf
    said deaf "$work/deaf.out" ready
    SOCKSIFY_TIMEOUT=0.5 fails 'proxy that accepts nothing' target.example 80 ETIMEDOUT
    stop_server "$started"
}

by_danted()
{
    url=socks5://$proxy4:1081
    start_danted none
    fails danted target.example 9 ECONNREFUSED again
    fails danted far.example 80 EHOSTUNREACH again
    fails danted 192.0.2.1 80 ENETUNREACH
    fails danted nohost.example 80 EHOSTUNREACH
    fails danted 203.0.113.66 80 EACCES again
    stop_server "$danted"
    start_danted username
    fails 'danted without credentials' target.example 80 EACCES
    url=socks5://alice:wrong@$proxy4:1081
    fails 'danted, wrong password' target.example 80 EACCES
    stop_server "$danted"
}

by_microsocks()
{
    url=socks5://alice:secret@$proxy4:1082
    start "$proxy" microsocks microsocks -i $proxy4 -p 1082 -u alice -P secret
    listening "$proxy" 1082 microsocks
    fails microsocks target.example 9 ECONNREFUSED again
    fails microsocks far.example 80 EHOSTUNREACH
    fails microsocks nohost.example 80 ECONNREFUSED
    url=socks5://alice:wrong@$proxy4:1082
    fails 'microsocks, wrong password' target.example 80 EACCES
    url=socks5://$proxy4:1082
    fails 'microsocks without credentials' target.example 80 EACCES
    stop_server "$started"
}

mark_leak
refusals=()
for number in 1 2 3 4 5 6 7 8 9; do
    refusals+=(--host "reply$number.example=$target4" --on "reply$number.example" "refuse=$number")
done
start_proxyd --control "$work/control" --user alice --password secret --require-auth "${refusals[@]}"
url=socks5://alice:secret@$proxy4:1080
by_target
by_step
url=socks5://alice:wrong@$proxy4:1080
fails 'wrong password' target.example 80 EACCES
url=socks5://$proxy4:1080
fails 'no credentials' target.example 80 EACCES
stop_server "$proxyd"
by_proxy
! have danted || by_danted
! have microsocks || by_microsocks
finish
