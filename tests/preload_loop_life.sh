#!/bin/sh
# SPDX-License-Identifier: ISC
# What may happen to a socket while its handshake is pending: calls, numbers, threads, processes, time.
. "${srcdir:-.}/loop.sh"

start_loop_target
at=127.0.0.1:$echo
unreachable=127.0.0.1:$refusing

start_proxy --hold reply --on "*:$refusing" refuse=4
for command in refused-calls flip cut-short duplicates many-duplicates over sets together beside starts-beside \
    closes-beside exec-closing killed forks vforks timeouts signals cancelled other-calls opens-beside streams guests \
    last-number set-numbers again low-water-later dup-first fork-first handler-looks; do
    passes "$command" $command "$at" "$control"
done

# passes_with LIBRARY NAME COMMAND: with a library behind the object; where a program is the object there is no such
# place.
passes_with()
{
    [ -z "${LINKED-}" ] || return 0
    with=$preload
    preload=$preload:$work/$1.so
    shift
    passes "$@"
    preload=$with
}

passes_cookieless()
{
    passes_with cookieless "$@"
}

passes_untimely()
{
    passes_with untimely "$@"
}

[ -n "${LINKED-}" ] ||
    ${CC:-cc} -D_GNU_SOURCE -shared -fPIC "$srcdir/cookieless.c" -o "$work/cookieless.so" || bad "cookieless.so"
for way in 0 1 2 3; do
    passes_cookieless "a child without cookies, way $way" unsure "$at" "$control" $way
done
passes_cookieless "the child of a vfork without cookies" unsure-vfork "$at" "$control"
passes "a blocking connect() of a registered socket" registered "$at" "$control" "$unreachable"

# like_bare NAME COMMAND: what it prints is what it prints bare, of a connection whose SYN is held.
like_bare()
{
    if unfit "$2"; then
        skip "$1"
        return
    fi
    bare "$2" "127.0.0.1:$full" - >"$work/expected" || bad "bare: $2"
    under "$2" "$at" "$control"
    result "$1" "$work/expected"
    clean "$1"
}
like_bare "shutdown() and AF_UNSPEC" give-up
like_bare "any bit in poll()'s events" marks
like_bare "bad pointers and counts" bad-pointers
like_bare "select() with a large count" far
! has_ipv6 || passes "a direct connect() that fails, first" refused-first "[::ffff:127.0.0.1]:$echo" "$control" \
    "127.0.0.1:$proxy"
passes "copies, and attempts that fail" attempts "$at" "$control" "$unreachable"
passes "a child beside a blocking connect()" blocking-fork "$at" "$control"
for how in dup fork alone; do
    passes "a direct connect() that is given up, $how" given-up-first "$at" "$control" "127.0.0.1:$proxy" $how
done
[ -n "${LINKED-}" ] ||
    ${CC:-cc} -D_GNU_SOURCE -shared -fPIC "$srcdir/untimely.c" -o "$work/untimely.so" || bad "untimely.so"
passes_untimely "close_range() that is none" ranges "$at" "$control"
at_proxy "$proxy" "SOCKSIFY_DIRECT=127.0.0.2,!127.0.0.0/8"
passes_untimely "a direct connect() that ends as another begins" overtaken "$at" "$control" 127.0.0.2:0
at_proxy "$proxy" SOCKSIFY_TIMEOUT=0.5
passes "killed inside connect(), and no answer" killed-held "$at" "$control"
kill "$proxy_pid"

start_proxy --hold reply --refuse 4
passes "blocking calls that fail" flip-fails "$at" "$control"
kill "$proxy_pid"

start_proxy --delay reply:5 --refuse 4
passes "a refusal that another thread is told of" refused-beside "$at"
kill "$proxy_pid"

start_proxy --delay reply:300
at_proxy "$proxy" SOCKSIFY_TIMEOUT=0.5
passes "connect() after the deadline of another" calm "$at" 600
passes_cookieless "threads, where the kernel has no cookies" calm "$at" 0
passes_cookieless "a socket in a set, where the kernel has no cookies" in-a-set "$at"
kill "$proxy_pid"

start_proxy --delay reply:20 --on "*:$refusing" refuse=4
passes "a second attempt" retry "$at" "$control" "$unreachable"
passes "a program that connects to itself" to-itself
passes "SO_RCVLOWAT" low-water "$at" "$control"
passes "numbers used again" numbers "$at" "$control"
passes "threads that wait since before" waiters "$at" "$control"
passes "exec" execs "$at" "$control"
passes "exec, with a thread inside connect()" exec-beside "$at" "$control"
passes "a thread that reads what another connects" reads-beside "$at" "$control"
for how in threads processes blocking-threads blocking-processes; do
    passes "connect() by two at the same moment, $how" connects-beside "$at" "$control" $how
done
passes "SCM_RIGHTS" passes "$at" "$control"
kill "$proxy_pid"

start_proxy --hold method --delay reply:100
passes "signals that come with a step" step-signals "$at" "$control"
kill "$proxy_pid"

start "$work/slow" "$LOOP" slow-proxy
at_proxy "${ready#* }"
passes "a proxy that is slow to take the connection" settles "$at"

# Long enough for another program to start and look.
start_proxy --delay reply:300
passes "sockets handed to other programs" handed "$at" "$control"
passes "a socket handed on by the child of a vfork" vfork-hands "$at" "$control"
kill "$proxy_pid"

start_proxy
at_proxy "$proxy" SOCKSIFY_TIMEOUT=0.5
passes "a program that looks too late" late "$at" 700
kill "$proxy_pid"

start_proxy
passes_untimely "connect() on what is a tunnel already" connects-quietly "$at" "$control"
passes "processes that come and go" come-and-go "$at" "$control"
kill "$proxy_pid"

for how in "--hang reply" --no-accept; do
    # shellcheck disable=SC2086
    start_proxy $how
    at_proxy "$proxy" SOCKSIFY_TIMEOUT=0.5
    passes "the deadline, $how" hangs "$at" 500
    passes "the deadline, $how, and something else to do" busy "$at" 500
done
start_proxy --hang reply
at_proxy "$proxy" SOCKSIFY_TIMEOUT=0.5
passes "the deadline, for one that sleeps since before" sleeper "$at"
passes "the deadline, with an error queue that is not empty" stamped "$at"
passes "the deadline, for one that nobody looks after" orphans "$at"
passes "the deadline, for one whose program was replaced" exec-leaves "$at"
# Nobody accepts, and the kernel hears nothing: the port of a listener that takes no more.
at_proxy "$full" SOCKSIFY_TIMEOUT=0.5
passes "the deadline, no answer to a SYN" hangs "$at" 500
passes "no answer to a SYN, for one that sleeps since before" sleeper "$at"
passes "no answer to a SYN, for one that is stopped at times" stopped "$at"
passes "no answer to a SYN, for many that get a signal" interrupted "$at"
finish
