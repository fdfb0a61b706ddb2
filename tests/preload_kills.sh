#!/bin/sh
# SPDX-License-Identifier: ISC
# Processes that share what is pending, one of which is killed in the middle of it, again and again; and a proxy that
# ends and begins anew in the middle of everything.  FAULTS=all: also one that is killed in another PID namespace.
. "${srcdir:-.}/alone.sh"
. "${srcdir:-.}/preload.sh"

start_target
start_proxy
at_proxy "$proxy" SOCKSIFY_TIMEOUT=8 SOCKSIFY_LOG=quiet
patience=80

gives "killed among others" kills "127.0.0.1:$echo" 100 <<EOT
some are good: yes
failed: none
late: 0
error: ok
lost processes: 0
afterwards: ok
leaked: 0
EOT
sed 's/^/    /' "$err"
# Who cannot tell whether the owner of a lock is dead waits a second for it, at each call: half a minute in all.
if [ "${FAULTS-}" = all ]; then
    at_proxy "$proxy" SOCKSIFY_TIMEOUT=2 SOCKSIFY_LOG=quiet
    gives "killed in another PID namespace" kills-apart "127.0.0.1:$echo" 60 <<EOT
some are good: yes
error: ok
lost processes: 0
afterwards: ok
EOT
    sed 's/^/    /' "$err"
fi

# The proxy comes back at its old port, where connections of the old one linger.
at_proxy "$proxy" SOCKSIFY_TIMEOUT=8 SOCKSIFY_LOG=quiet
mkfifo "$work/events"
under restarts "127.0.0.1:$echo" <"$work/events" &
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
    at_proxy "$proxy" SOCKSIFY_TIMEOUT=8 SOCKSIFY_LOG=quiet
done
exec 7>&-
wait "$worker"
status=$?
cat >"$work/expected" <<EOT
working
some are good: yes
failed: some
late: 0
error: ok
lost processes: 0
afterwards: ok
leaked: 0
EOT
result "the proxy ends and comes back" "$work/expected"
sed 's/^/    /' "$err"
finish
