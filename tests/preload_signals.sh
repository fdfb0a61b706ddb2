#!/bin/sh
# SPDX-License-Identifier: ISC
# Cancellation, signals and small stacks.  The proxy holds its reply until the moment has come; no time is waited for.
. "${srcdir:-.}/preload.sh"

start_target
start_proxy

cat >"$work/cancelled" <<EOT
connect: cancelled
peer: -1 ENOTCONN
error: ok
again: 0
echo: ok
leaked: 0
EOT
under cancel "127.0.0.1:$echo" "$control"
result "cancelled in the handshake" "$work/cancelled"
tell set dribble=1 >"$work/answer"
under cancel "127.0.0.1:$echo" "$control"
result "cancelled in the handshake, dribbled" "$work/cancelled"
tell set plain >"$work/answer"
under cancel-disabled "127.0.0.1:$echo" "$control"
cat >"$work/expected" <<EOT
connect: 0
peer: 127.0.0.1:$echo
echo: ok
EOT
result "cancellation disabled" "$work/expected"
same "cancelled before the call" cancel-pending "127.0.0.1:$echo"
environment="SOCKSIFY_PROXY=socks5://127.0.0.1:$proxy SOCKSIFY_STATE=$work/state"
same "cancelled before the call, direct" cancel-pending "127.0.0.1:$echo"

# The number becomes another file's.
at_proxy "$proxy"
gives "another file at the number" reused "127.0.0.1:$echo" "$control" <<EOT
connect: ended
read: 6
for us
write: 1
leaked: 0
EOT
tell set plain >"$work/answer"

# A close_range() that fails closes nothing.
gives "a bad close_range()" bad-range "127.0.0.1:$echo" "$control" <<EOT
connect: EINPROGRESS
close_range: -1 EINVAL
poll: 0
send: -1 EAGAIN
released: 1
echo: ok
EOT
tell set plain >"$work/answer"

# Signals in the middle of a handshake.
at_proxy "$proxy"
cat >"$work/restarted" <<EOT
connect: 0
settled: ok
peer: 127.0.0.1:$echo
echo: ok
leaked: 0
EOT
sed 's/^connect: 0/connect: -1 EINTR/' "$work/restarted" >"$work/ended"
under signal "127.0.0.1:$echo" "$control" restart
result "a handler with SA_RESTART" "$work/restarted"
tell set plain >"$work/answer"
under signal "127.0.0.1:$echo" "$control" end
result "a handler without SA_RESTART" "$work/ended"

# The handler's own connection is refused by the proxy at once, or direct: the held one must not notice.
for inner in "127.0.0.1:$proxy:ok" "192.0.2.1:80:EHOSTUNREACH"; do
    start_proxy --on 192.0.2.1 refuse=4 --on 192.0.2.1 hold=none
    [ "$inner" = 192.0.2.1:80:EHOSTUNREACH ] || inner=127.0.0.1:$proxy:ok
    { cat "$work/restarted" && echo "inner: ${inner##*:}"; } >"$work/expected"
    under signal-nested "127.0.0.1:$echo" "$control" "${inner%:*}"
    result "a handler that connects to ${inner%:*}" "$work/expected"
done

# A signal each millisecond.
start_proxy --dribble=5
gives "a storm, SA_RESTART" storm "127.0.0.1:$echo" restart 10000 <<EOT
connect: 0
in time
storm
settled: ok
EOT
gives "a storm, no SA_RESTART" storm "127.0.0.1:$echo" end 10000 <<EOT
connect: -1 EINTR
in time
storm
settled: ok
EOT
start_proxy --hang reply
at_proxy "$proxy" SOCKSIFY_TIMEOUT=1
under storm "127.0.0.1:$echo" restart 5000
if grep -qx "connect: -1 ETIMEDOUT" "$out" && grep -qx "in time" "$out"; then
    ok "a deadline in a storm"
else
    bad "a deadline in a storm: $(cat "$out")"
fi
start_proxy
gives "many connections in a storm" storm-sequence "127.0.0.1:$echo" 3 <<EOT
interrupted
other error: ok
leaked: 0
EOT

# Small stacks: a connection, a failure, refusals, each with its line in the log.
start_proxy --on 192.0.2.1 refuse=4
at_proxy "$proxy" SOCKSIFY_LOG=debug SOCKSIFY_BLOCK=192.0.2.2 SOCKSIFY_USER=u SOCKSIFY_PASSWORD=p
set -- "127.0.0.1:$echo" 192.0.2.1:1 192.0.2.2:1 224.0.0.1:1 "127.0.0.1:$echo"
cat >"$work/expected" <<EOT
127.0.0.1:$echo: 0
192.0.2.1:1: -1 EHOSTUNREACH
192.0.2.2:1: -1 EACCES
224.0.0.1:1: -1 EACCES
127.0.0.1:$echo: 0
EOT
under small-stack "$@"
result "the smallest stack of a thread" "$work/expected"
under alt-stack "$@"
result "an alternative signal stack" "$work/expected"

# In the dial: the proxy's backlog is full.
start_proxy --no-accept
gives "cancelled in the dial" cancel-dial "127.0.0.1:$echo" <<EOT
connect: cancelled
EOT
finish
