#!/bin/sh
# SPDX-License-Identifier: ISC
# Processes that share what is pending, one of which is killed in the middle of it, again and again, and surely while it
# holds the lock; and a proxy that ends and begins anew in the middle of everything.  FAULTS=all: also one that is
# killed in another PID namespace.
. "${srcdir:-.}/alone.sh"
. "${srcdir:-.}/preload.sh"

: "${CC:=cc}"
$CC -std=gnu11 -D_GNU_SOURCE -shared -fPIC -fno-builtin "$srcdir/faulty.c" -o "$work/faulty.so" || exit 1
start "$work/back" "$PROBE" serve-back 127.0.0.1:0
back=${ready#ready }
start_target
start_proxy
at_proxy "$proxy" SOCKSIFY_TIMEOUT=8 SOCKSIFY_LOG=quiet
patience=80

gives "killed among others" kills "127.0.0.1:$echo" 100 <<EOT
some are good: yes
failed: none
late: 0
late in connect(): 0
error: ok
lost processes: 0
afterwards: ok
leaked: 0
EOT
sed 's/^/    /' "$err"

# With a library behind the object that kills the process in connect().
plain=$preload
preload=$preload:$work/faulty.so
gives "killed while it holds the lock" kills-inside "127.0.0.1:$echo" 20 0 <<EOT
died inside: 20
some are good: yes
failed: none
late: 0
late in connect(): 0
error: ok
lost processes: 0
afterwards: ok
leaked: 0
EOT
sed 's/^/    /' "$err"
preload=$plain

# The lock is lost: killed with it in another PID namespace.
start_proxy --hold reply
at_proxy "$proxy" SOCKSIFY_TIMEOUT=1 SOCKSIFY_LOG=quiet
preload=$plain:$work/faulty.so
patience=15
gives "those that wait while the lock is lost" kills-stuck "127.0.0.1:$echo" "$control" <<EOT
died inside: 1
released: 1
poll: in time
epoll: 1
epoll: in time
data: 7
answered: ECONNREFUSED
silent: ECONNREFUSED
registered: ECONNREFUSED
empty: 0
asleep
EOT
patience=80
preload=$plain
kill "$proxy_pid"
start_proxy
at_proxy "$proxy" SOCKSIFY_TIMEOUT=8 SOCKSIFY_LOG=quiet

# Who cannot tell whether the owner of a lock is dead waits a second for it, at each call: half a minute in all.
if [ "${FAULTS-}" = all ]; then
    at_proxy "$proxy" SOCKSIFY_TIMEOUT=2 SOCKSIFY_LOG=quiet
    gives "killed in another PID namespace" kills-apart "127.0.0.1:$echo" 60 <<EOT
some are good: yes
late: 0
late in connect(): 0
error: ok
lost processes: 0
afterwards: ok
EOT
    sed 's/^/    /' "$err"
    preload=$plain:$work/faulty.so
    gives "the same in another PID namespace" kills-inside "127.0.0.1:$echo" 2 1 <<EOT
died inside: 2
some are good: yes
late: 0
late in connect(): 0
error: ok
lost processes: 0
afterwards: ok
leaked: 0
EOT
    sed 's/^/    /' "$err"
    preload=$plain
fi

# The proxy comes back at its old port, where connections of the old one linger.
settings="SOCKSIFY_TIMEOUT=8 SOCKSIFY_LOG=quiet SOCKSIFY_BIND_PORTS=$back"
at_proxy "$proxy" "$settings"
mkfifo "$work/events"
under restarts "127.0.0.1:$echo" "127.0.0.1:$udp" "127.0.0.1:$back" <"$work/events" &
worker=$!
exec 7>"$work/events"
for _ in 1 2 3 4; do
    # Some hundred connections for each life of it.
    lines=$(wc -l <"$proxy_log")
    until [ "$(wc -l <"$proxy_log")" -gt $((lines + 600)) ]; do
        kill -0 "$worker" || break
        sleep 0.05
    done
    kill -KILL "$proxy_pid"
    wait "$proxy_pid" 2>/dev/null
    start_proxy --port "$proxy" 7>&-
    at_proxy "$proxy" "$settings"
done
exec 7>&-
wait "$worker"
status=$?
cat >"$work/expected" <<EOT
working
some are good: yes
failed: some
late: 0
late in connect(): 0
error: ok
lost processes: 0
afterwards: ok
some datagrams are good: yes
some listeners are good: yes
a datagram afterwards: ok
a listener afterwards: ok
leaked: 0
EOT
result "the proxy ends and comes back" "$work/expected"
sed 's/^/    /' "$err"
finish
