#!/bin/sh
# SPDX-License-Identifier: ISC
# CPython's own tests of sockets, waits, processes and signals: none that passes bare may fail under the object.
# In a network namespace with nothing but loopback, which is direct; the proxy is one that is not there.
#
#     cpython.sh [MODULE ...]     LIMIT: seconds for one module (600)

: "${top_srcdir:=$(cd "$(dirname "$0")/../.." && pwd)}" "${top_builddir:=$top_srcdir/build/gcc}" "${LIMIT:=600}"
: "${OBJECT:=$top_builddir/src/.libs/libsocksify.so}" "${PYTHON:=/usr/bin/python3}"
suite=$top_srcdir/tests/suites/cpython.py
OBJECT=$(readlink -f "$OBJECT")
export OBJECT PYTHON LIMIT top_srcdir

if [ "${INSIDE-}" != yes ]; then
    "$PYTHON" -c 'import test.test_socket' 2>/dev/null || {
        echo "skipped: $PYTHON has no package test (Debian: libpython3.11-testsuite)"
        exit 77
    }
    [ -r "$OBJECT" ] || {
        echo "no $OBJECT" >&2
        exit 1
    }
    set -- -n "$0" "$@"
    [ "$(id -u)" = 0 ] || set -- -r "$@"
    INSIDE=yes exec unshare "$@"
fi

ip link set lo up
work=$(mktemp -d) || exit 99
trap 'rm -rf "$work"' EXIT
trap 'exit 99' HUP INT TERM
mkdir "$work/home"
bad=0 compared=0
[ $# != 0 ] || set -- test_socket test_select test_selectors test_epoll test_poll test_asyncio test_subprocess \
    test_os test_posix test_signal

# run HOW NAME ...: bare or under; the outcomes in the file HOW.  Again behind a test that hangs or kills the process.
run()
{
    how=$1
    shift
    rm -f "$work/$how"
    : >"$work/$how.err"
    case $how in
    under*) set -- env "LD_PRELOAD=$OBJECT" SOCKSIFY_PROXY=socks5://127.0.0.1:9 "SOCKSIFY_STATE=$work/state" \
        "$PYTHON" "$suite" "$work/$how" "$@" ;;
    *) set -- "$PYTHON" "$suite" "$work/$how" "$@" ;;
    esac
    tries=0
    # A place of its own: tests leave files and look for some.
    until (cd "$work/home" && exec timeout -k 5 "$LIMIT" env HOME="$work/home" "$@") >"$work/$how.out" \
        2>>"$work/$how.err" </dev/null || [ $tries = 5 ]; do
        tries=$((tries + 1))
    done
    sort -o "$work/$how" "$work/$how"
}

# Those that passed in the file $1 and did not in $2.
lost()
{
    grep ' ok$' "$1" | comm -23 - "$2" | sed 's/ ok$//'
}

# A test that depends on the machine's load fails now and then, bare as well.  One that is lost twice is looked at alone.
judge()
{
    name=${1#test.}
    run bare-again "$name"
    run under-again "$name"
    if [ -n "$(lost "$work/bare-again" "$work/under-again")" ]; then
        bad=$((bad + 1))
        echo "FAILED: $name passes bare alone"
        tail -n 12 "$work/under-again.err"
    else
        echo "again: $name: $(tail -n 1 "$work/bare-again" | sed 's/.* //') bare, ok under the object"
    fi
}

for module; do
    run bare "$module"
    run under "$module"
    count=$(grep -c ' ok$' "$work/bare")
    echo "$module: $count pass bare, $(grep -c ' ok$' "$work/under") under the object"
    compared=$((compared + count))
    # What was not tried, because the process ended, counts as lost too.
    lost "$work/bare" "$work/under" >"$work/lost"
    while read -r test; do
        judge "$test" </dev/null
    done <"$work/lost"
done
echo "$compared tests, $bad failed"
[ "$bad" = 0 ] && [ "$compared" -gt 0 ]
