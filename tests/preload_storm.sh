#!/bin/sh
# SPDX-License-Identifier: ISC
# Many threads connect in every way, a signal each millisecond, forks in between: THREADS (64) of COUNT (20) each.
: "${STORM:=./storm}" "${THREADS:=64}" "${COUNT:=20}"
. "${srcdir:-.}/preload.sh"

patience=110
start_target
start_proxy --host storm.example=127.0.0.1
# Nothing here waits for a peer that is not there: the limit is for a machine that has other things to do.
at_proxy "$proxy" SOCKSIFY_TIMEOUT=60
PROBE=$STORM
gives "storm" "127.0.0.1:$echo" "127.0.0.1:$udp" storm.example "$THREADS" "$COUNT" <<EOT
$THREADS threads, $COUNT connections each: 0 faults, 0 left
EOT
cat "$err"
finish
