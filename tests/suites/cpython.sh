#!/bin/sh
# SPDX-License-Identifier: ISC
# CPython's own tests of sockets, waits, processes, signals and protocols: none that passes bare may fail under the
# object, but those that cpython.list has with the reason why not.
#
#     cpython.sh [WAY [MODULE ...]]     LIMIT: seconds for one module (600); KEEP: a directory for what was lost
#
# In a network namespace with nothing but loopback.  WAY direct: loopback is direct, the proxy is one that is not there.
# WAY danted, proxyd: loopback goes through a proxy as everything else does.

: "${top_srcdir:=$(cd "$(dirname "$0")/../.." && pwd)}" "${top_builddir:=$top_srcdir/build/gcc}" "${LIMIT:=600}"
: "${OBJECT:=$top_builddir/src/.libs/libsocksify.so}" "${PYTHON:=/usr/bin/python3}"
: "${PROXYD:=$top_builddir/tests/proxyd}"
suite=$top_srcdir/tests/suites/cpython.py
list=$top_srcdir/tests/suites/cpython.list
OBJECT=$(readlink -f "$OBJECT")
export OBJECT PYTHON LIMIT PROXYD top_srcdir

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
server=
end()
{
    [ -z "$server" ] || kill "$server" 2>/dev/null
    wait
    rm -rf "$work"
}
trap end EXIT
trap 'exit 99' HUP INT TERM
chmod 755 "$work"
mkdir "$work/home"
bad=0 compared=0 listed=0
way=${1:-direct}
[ $# = 0 ] || shift

# await PORT: somebody listens there.
await()
{
    for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
        "$PYTHON" -c "import socket; socket.create_connection(('127.0.0.1', $1))" 2>/dev/null && return
        sleep 0.1
    done
    echo "$way does not listen: $(cat "$work/server")" >&2
    exit 1
}

port=1080
case $way in
direct)
    settings=SOCKSIFY_PROXY=socks5://127.0.0.1:9
    [ $# != 0 ] || set -- test_socket test_select test_selectors test_epoll test_poll test_asyncio test_subprocess \
        test_os test_posix test_signal
    ;;
proxyd)
    "$PROXYD" --port $port --resolve --lifetime 0 --log "$work/proxyd.log" >"$work/server" 2>&1 &
    server=$!
    ;;
danted)
    cat >"$work/danted.conf" <<END
logoutput: $work/danted.log
internal: 127.0.0.1 port = $port
external: 127.0.0.1
external: ::1
clientmethod: none
socksmethod: none
user.privileged: root
user.unprivileged: nobody
client pass { from: 0.0.0.0/0 to: 0.0.0.0/0 }
socks pass { from: 0.0.0.0/0 to: 0.0.0.0/0 }
socks pass { from: 0.0.0.0/0 to: ::/0 }
END
    : >"$work/danted.log"
    chmod 666 "$work/danted.log"
    danted -f "$work/danted.conf" -p "$work/danted.pid" -N 4 >"$work/server" 2>&1 &
    server=$!
    ;;
*)
    echo "no such way: $way" >&2
    exit 2
    ;;
esac
if [ -n "$server" ]; then
    settings="SOCKSIFY_PROXY=socks5://127.0.0.1:$port SOCKSIFY_DIRECT= SOCKSIFY_LOG=quiet"
    await $port
    [ $# != 0 ] || set -- test_selectors test_ssl test_ftplib test_httplib test_urllib2_localnet test_smtplib \
        test_poplib test_imaplib test_xmlrpc test_socketserver test_httpservers test_telnetlib test_asyncore \
        test_asynchat test_docxmlrpc test_wsgiref
fi

# run HOW NAME ...: bare or under; the outcomes in the file HOW.  Again behind a test that hangs or kills the process.
run()
{
    how=$1
    shift
    : >"$work/$how"
    : >"$work/$how.err"
    # shellcheck disable=SC2086
    case $how in
    under*) set -- env "LD_PRELOAD=$OBJECT" $settings "SOCKSIFY_STATE=$work/state" "$PYTHON" "$suite" "$work/$how" "$@" ;;
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

# is_listed TEST: a line of the list is for this way, or for every tunnel, and its pattern fits.
is_listed()
{
    while read -r where pattern _; do
        case $where in '#'* | '') continue ;; tunnel) [ "$way" != direct ] || continue ;; "$way") ;; *) continue ;; esac
        # shellcheck disable=SC2254
        case ${1#test.} in $pattern) return 0 ;; esac
    done <"$list"
    return 1
}

# A test that depends on the machine's load fails now and then, bare as well.  One that is lost twice is looked at alone.
judge()
{
    if is_listed "$1"; then
        listed=$((listed + 1))
        return
    fi
    name=${1#test.}
    run bare-again "$name"
    run under-again "$name"
    if [ -n "$(lost "$work/bare-again" "$work/under-again")" ]; then
        bad=$((bad + 1))
        echo "FAILED: $name passes bare alone"
        tail -n 12 "$work/under-again.err"
        [ -z "${KEEP-}" ] || cat "$work/under-again.err" >>"$KEEP/$way.err"
        [ -z "${KEEP-}" ] || echo "$name" >>"$KEEP/$way.lost"
    else
        echo "again: $name: $(tail -n 1 "$work/bare-again" | sed 's/.* //') bare, ok under the object"
    fi
}

for module; do
    run bare "$module"
    run under "$module"
    count=$(grep -c ' ok$' "$work/bare")
    echo "$way, $module: $count pass bare, $(grep -c ' ok$' "$work/under") under the object"
    compared=$((compared + count))
    # What was not tried, because the process ended, counts as lost too.
    lost "$work/bare" "$work/under" >"$work/lost"
    while read -r test; do
        judge "$test" </dev/null
    done <"$work/lost"
done
echo "$way: $compared tests, $bad failed, $listed listed"
[ "$bad" = 0 ] && [ "$compared" -gt 0 ]
