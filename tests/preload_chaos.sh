#!/bin/sh
# SPDX-License-Identifier: ISC
# Many threads, waiters, modes, signals, forks and numbers used again: COUNT connects (3000), from SEED (1).
: "${CHAOS:=./chaos}"
. "${srcdir:-.}/loop.sh"

: "${COUNT:=3000}" "${SEED:=1}"
start_loop_target
PROBE=$CHAOS
patience=55

for how in --plain "--delay reply:2" --dribble=0; do
    # shellcheck disable=SC2086
    start_proxy $how --on "*:$refusing" refuse=4
    passes "chaos, $how" "127.0.0.1:$echo" "127.0.0.1:$refusing" $((COUNT / 3)) "$SEED"
    cat "$out"
    SEED=$((SEED + 1))
    kill "$proxy_pid"
done
finish
