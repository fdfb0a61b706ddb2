#!/bin/sh
# SPDX-License-Identifier: ISC
# TCP connections that fail, in every way and at every stage: errno, deadline, the socket afterwards, the log.
. "${srcdir:-.}/preload.sh"

start_target

# expect_failure ERRNO: what the probe says of a socket whose connect() failed and that is then connected.
expect_failure()
{
    cat >"$work/expected" <<EOT
connect: -1 $1
peer: -1 ENOTCONN
error: ok
poll: 1
events: OUT HUP
recv: -1 ENOTCONN
send: -1 EPIPE
again: 0
peer: 127.0.0.1:$echo
echo: ok
leaked: 0
EOT
}

# fails NAME ERRNO ARGUMENT...: blocking and not, then with the log; the arguments are those of `probe retry`.
fails()
{
    name=$1
    error=$2
    shift 2
    expect_failure "$error"
    under retry "$@"
    result "$name" "$work/expected"
    said "$name: silence" 0
}

fails_nonblock()
{
    name=$1
    error=$2
    shift 2
    under retry-nonblock "$@"
    cat >"$work/expected" <<EOT
connect: $error
peer: -1 ENOTCONN
again: ok
peer: 127.0.0.1:$echo
echo: ok
leaked: 0
EOT
    result "$name, O_NONBLOCK" "$work/expected"
    said "$name, O_NONBLOCK: silence" 0
}

now_ms()
{
    date +%s%3N
}

# in_time NAME STEPS: since $began so many steps of half a second have run out, and no more.
in_time()
{
    took=$(($(now_ms) - began))
    if [ "$took" -ge $(($2 * 500)) ] && [ "$took" -le $(($2 * 500 + 3000)) ]; then
        ok "$1: in time"
    else
        bad "$1: $took ms"
    fi
}

# Replies: the code decides, whatever the reply's length (host 3: two bytes, 4: four, 5: dribbled, 6: BND is a name).
errors="1:ECONNREFUSED 2:EACCES 3:ENETUNREACH 4:EHOSTUNREACH 5:ECONNREFUSED 6:ETIMEDOUT 7:EOPNOTSUPP 8:EAFNOSUPPORT
9:ECONNREFUSED 145:ECONNREFUSED 255:ECONNREFUSED"
set --
for pair in $errors; do
    set -- "$@" --on "127.0.0.2:${pair%%:*}" "refuse=${pair%%:*}"
    set -- "$@" --on "127.0.0.3:${pair%%:*}" "refuse=${pair%%:*}" --on "127.0.0.3:${pair%%:*}" short-reply=2
    set -- "$@" --on "127.0.0.4:${pair%%:*}" "refuse=${pair%%:*}" --on "127.0.0.4:${pair%%:*}" short-reply=4
    set -- "$@" --on "127.0.0.5:${pair%%:*}" "refuse=${pair%%:*}" --on "127.0.0.5:${pair%%:*}" dribble=1
    set -- "$@" --on "127.0.0.6:${pair%%:*}" "refuse=${pair%%:*}" --on "127.0.0.6:${pair%%:*}" bnd=name:x.test:1
done
start_proxy "$@"
for pair in $errors; do
    fails "reply ${pair%%:*}" "${pair#*:}" "127.0.0.2:${pair%%:*}" "127.0.0.1:$echo"
    fails_nonblock "reply ${pair%%:*}" "${pair#*:}" "127.0.0.2:${pair%%:*}" "127.0.0.1:$echo"
done
for host in 3 4 5 6; do
    set --
    : >"$work/expected"
    for pair in $errors; do
        set -- "$@" "127.0.0.$host:${pair%%:*}"
        echo "127.0.0.$host:${pair%%:*}: -1 ${pair#*:}" >>"$work/expected"
    done
    echo "leaked: 0" >>"$work/expected"
    under connect "$@"
    result "replies from 127.0.0.$host" "$work/expected"
done
# The probe's silence says nothing if such a line could not be seen.
at_proxy "$proxy" SOCKSIFY_LOG=info
under connect 127.0.0.2:4
said "one line for a failure" 1 "127.0.0.2:4.*host unreachable.*EHOSTUNREACH"
under connect "127.0.0.1:$echo"
said "one line for a success" 1 "127.0.0.1:$echo"
at_proxy "$proxy" "SOCKSIFY_LOG=info:$work/file"
under connect 127.0.0.2:4
said "nothing on standard error with a log file" 0
if [ "$(wc -l <"$work/file")" = 1 ]; then ok "one line in the file"; else bad "$(cat "$work/file")"; fi

# Ends and garbage at every stage of the handshake.
start_proxy --user u --password p --require-auth
with_password="SOCKSIFY_USER=u SOCKSIFY_PASSWORD=p"
# shellcheck disable=SC2086
at_proxy "$proxy" $with_password SOCKSIFY_TIMEOUT=20
for stage in method auth reply; do
    for action in close rst cut=$stage:0 cut=$stage:1 garbage; do
        case $action in
        cut*) ;;
        *) action=$action=$stage ;;
        esac
        tell set plain >"$work/answer"
        tell set "$action" >"$work/answer"
        fails "$action" ECONNREFUSED "127.0.0.1:$echo" "127.0.0.1:$echo" "$control" "set plain"
        tell set "$action" >"$work/answer"
        fails_nonblock "$action" ECONNREFUSED "127.0.0.1:$echo" "127.0.0.1:$echo" "$control" "set plain"
    done
done
for at in 2 3 4 5 9; do
    tell set "cut=reply:$at" >"$work/answer"
    fails "cut after $at bytes" ECONNREFUSED "127.0.0.1:$echo" "127.0.0.1:$echo" "$control" "set plain"
done
# Bytes that come too early are no part of any reply; of a reply they may be the target's.
for stage in method auth; do
    tell set "extra=$stage" >"$work/answer"
    fails "bytes after stage $stage" ECONNREFUSED "127.0.0.1:$echo" "127.0.0.1:$echo" "$control" "set plain"
done
tell set no-method >"$work/answer"
fails "no acceptable method" EACCES "127.0.0.1:$echo" "127.0.0.1:$echo" "$control" "set no-method=none"
at_proxy "$proxy" SOCKSIFY_USER=u SOCKSIFY_PASSWORD=wrong SOCKSIFY_LOG=info
under connect "127.0.0.1:$echo"
printf '127.0.0.1:%s: -1 EACCES\nleaked: 0\n' "$echo" >"$work/expected"
result "wrong password" "$work/expected"
said "wrong password, in the log" 1 "user or password"
if grep -q wrong "$err"; then bad "the log shows the password"; else ok "no password in the log"; fi
at_proxy "$proxy" SOCKSIFY_LOG=info
under connect "127.0.0.1:$echo"
result "a password is wanted and there is none" "$work/expected"
said "no method, in the log" 1 "method"

# Deadlines: each stage that hangs, before and in a reply.
# shellcheck disable=SC2086
at_proxy "$proxy" $with_password SOCKSIFY_TIMEOUT=0.5
for action in hang=method hang=auth hang=reply hold=method:1 hold=reply:1 hold=reply:5; do
    tell set "$action" >"$work/answer"
    began=$(now_ms)
    fails "$action" ETIMEDOUT "127.0.0.1:$echo" "127.0.0.1:$echo" "$control" "set plain"
    in_time "$action" 1
done
tell set hang=reply >"$work/answer"
began=$(now_ms)
fails_nonblock hang=reply ETIMEDOUT "127.0.0.1:$echo" "127.0.0.1:$echo" "$control" "set plain"
in_time "hang=reply, O_NONBLOCK" 1
# Two datagrams, each of which tries anew.
for action in hang=method hang=auth hang=reply hold=reply:5 no-udp=hang; do
    tell set "$action" >"$work/answer"
    began=$(now_ms)
    gives "$action, a datagram" udp-repeat "127.0.0.1:$udp" 2 <<EOT
sendto 20 in 1: -1 ETIMEDOUT
sendto 20 in 1: -1 ETIMEDOUT
EOT
    in_time "$action, a datagram" 2
    tell set plain >"$work/answer"
done
# Listeners: one that is not bound, one whose name is asked for and that then listens, twice.
start "$work/back" "$PROBE" serve-back 127.0.0.1:0
tell set no-bind=hang >"$work/answer"
# shellcheck disable=SC2086
at_proxy "$proxy" $with_password SOCKSIFY_TIMEOUT=0.5 SOCKSIFY_BIND_PORTS="${ready#ready }"
began=$(now_ms)
gives "no reply to BIND" bind-refused "127.0.0.1:${ready#ready }" <<EOT
listen, unbound: -1 ECONNREFUSED
SO_ACCEPTCONN: 0
  0 of 4 bytes
bind: 0
the kernel's name: yes
listen: -1 ECONNREFUSED
listen: -1 ECONNREFUSED
SO_ACCEPTCONN: 0
  0 of 4 bytes
the port: the same
connect: 0
EOT
in_time "no reply to BIND" 3
tell set plain >"$work/answer"
tell set hang=reply >"$work/answer"
# shellcheck disable=SC2086
at_proxy "$proxy" $with_password SOCKSIFY_TIMEOUT=0.5 SOCKSIFY_LOG=info
under connect "127.0.0.1:$echo"
said "a deadline in the log" 1 ETIMEDOUT

# A proxy that is not there, and one that never accepts.
at_proxy "$refusing"
gives "no proxy" connect "127.0.0.1:$echo" "127.0.0.1:$refusing" <<EOT
127.0.0.1:$echo: -1 ECONNREFUSED
127.0.0.1:$refusing: -1 ECONNREFUSED
leaked: 0
EOT
said "no proxy: silence" 0
start_proxy --no-accept
at_proxy "$proxy" SOCKSIFY_TIMEOUT=1
gives "a proxy that never accepts" connect "127.0.0.1:$echo" <<EOT
127.0.0.1:$echo: -1 ETIMEDOUT
leaked: 0
EOT
said "a proxy that never accepts: silence" 0

# SO_SNDTIMEO bounds connect() whatever it waits for, as on a direct connection that gets no answer.
at_proxy "$proxy"
name="SO_SNDTIMEO in the dial"
bare send-timeout "127.0.0.1:$deaf" 400 >"$work/bare"
under send-timeout "127.0.0.1:$echo" 400
result "$name" "$work/bare"
start_proxy --hang reply
under send-timeout "127.0.0.1:$echo" 400
result "SO_SNDTIMEO in the handshake" "$work/bare"

# An IPv4 socket cannot reach an IPv6 proxy.
if has_ipv6; then
    start_proxy --listen ::1
    environment="SOCKSIFY_PROXY=socks5://[::1]:$proxy SOCKSIFY_DIRECT= SOCKSIFY_STATE=$work/state"
    gives "IPv6 proxy" connect "127.0.0.1:$echo" "[::1]:$echo" "127.0.0.1:$echo" <<EOT
127.0.0.1:$echo: -1 EAFNOSUPPORT
[::1]:$echo: 0
127.0.0.1:$echo: -1 EAFNOSUPPORT
leaked: 0
EOT
    said "IPv6 proxy, said once" 1 "IPv6 proxy"
else
    skip "no IPv6"
fi
finish
