# SPDX-License-Identifier: ISC
# shellcheck shell=sh
# For the drivers of other people's tests: none that passes bare may fail under the object, but those that the suite's
# list has with the reason why not.  A driver sets `suite`, sources this, and ends with
#
#     suite_enter "$0" "$@"     in a network namespace of its own from here on
#     suite_compare GROUP ...   the end, with the verdict
#
# Before, it defines
#     suite_ready               makes what is to be run, or calls suite_skip
#     suite_try HOW NAME        tries the group, or the one test, of that name by suite_run; one line for each test in
#                               the file $work/HOW: its name and `ok` or what else came of it
#
# and, between suite_enter and suite_compare, calls suite_least with what a whole run compares at least.
#
# The first argument is the way.  direct: loopback, and what the variable `direct` has, is direct, the proxy is one that
# is not there.  danted, proxyd: loopback goes through a proxy as everything else does; danted has an IPv4 address
# alone, proxyd a name for both.  A run of all groups is bad as well if it compared less than that, or if the list has a
# pattern for nothing that passes bare; any is, if more than a few tests were lost at first and passed alone.
# LIMIT: seconds for one command (600); BUDGET: seconds for all (3600), then the rest has failed; BARE: a directory that
# keeps what came of each group bare, for other ways; KEEP: a directory for what was lost; LISTED=yes: try nothing but
# what is listed, and tell what of it passes, which is no fault; SOURCES: where sources are unpacked and built.

: "${top_srcdir:=$(cd "$(dirname "$0")/../.." && pwd)}" "${top_builddir:=$top_srcdir/build/gcc}"
: "${LIMIT:=600}" "${BUDGET:=3600}" "${SOURCES:=$top_builddir/tests/sources}" "${PYTHON:=/usr/bin/python3}"
: "${OBJECT:=$top_builddir/src/.libs/libsocksify.so}" "${PROXYD:=$top_builddir/tests/proxyd}"
OBJECT=$(readlink -f "$OBJECT")
export OBJECT PROXYD PYTHON LIMIT BUDGET SOURCES top_srcdir top_builddir

# What else the way `direct` leads past the proxy.
direct=
# Tests that depend on the machine's load: of ten ways one or two have one, on two cores with a load of 8 to 14.
again_most=3

suite_skip()
{
    echo "skipped: $*"
    exit 77
}

# suite_source PACKAGE DIRECTORY: the sources of Debian's package, in $SOURCES/DIRECTORY.  The system's own list of
# sources is asked for those of sources, with apt's memory in a place of our own, for which nobody need be root.
suite_source()
{
    [ ! -d "$SOURCES/$2" ] || return 0
    mkdir -p "$SOURCES/lists/partial" && cd "$SOURCES" || exit 99
    sed 's/^Types: *deb$/Types: deb-src/' /etc/apt/sources.list.d/debian.sources >"$SOURCES/list.sources" 2>/dev/null ||
        sed -n 's/^deb /deb-src /p' /etc/apt/sources.list >"$SOURCES/list.list"
    set -- "$1" "$2" -q -o "Dir::Etc::SourceList=$(echo "$SOURCES"/list.*)" -o Dir::Etc::SourceParts=/dev/null \
        -o "Dir::State::Lists=$SOURCES/lists" -o APT::Sandbox::User=root
    package=$1 directory=$2
    shift 2
    suite_fetch "$@" >"$SOURCES/$package.log" 2>&1 ||
        suite_skip "the sources of $package cannot be had"
    rm -rf "$directory.new"
    mkdir "$directory.new"
    tar xf "$package"_*.orig.tar.* -C "$directory.new" --strip-components=1 && mv "$directory.new" "$directory"
}

# suite_fetch OPTION ...: the newest version that can be had: a list may name one that its archive has dropped.
suite_fetch()
{
    apt-get "$@" update || return
    for version in $(apt-cache "$@" showsrc --only-source "$package" | sed -n 's/^Version: //p' | sort -urV); do
        apt-get "$@" source --download-only "$package=$version" && return
    done
    return 1
}

# suite_enter SCRIPT WAY ...: what needs the network of outside first, then the script once more inside.
suite_enter()
{
    if [ "${INSIDE-}" != yes ]; then
        [ -r "$OBJECT" ] || {
            echo "no $OBJECT" >&2
            exit 1
        }
        # One after another: they share apt's lists.
        mkdir -p "$SOURCES"
        (flock 9 && suite_ready) 9>"$SOURCES/lock" || exit
        set -- -n -m "$@"
        [ "$(id -u)" = 0 ] || set -- -r "$@"
        INSIDE=yes exec unshare "$@"
    fi
    ip link set lo up
    work=$(mktemp -d) || exit 99
    servers=
    trap suite_end EXIT
    trap 'exit 99' HUP INT TERM
    chmod 755 "$work"
    mkdir "$work/home"
    printf '127.0.0.1 localhost proxy\n::1 localhost ip6-localhost proxy\n' >"$work/hosts"
    mount --bind "$work/hosts" /etc/hosts || exit 99
    special=
    bad=0 compared=0 listed=0 again=0 least=1
    whole=yes
    [ $# -le 2 ] || whole=
    end_s=$(($(date +%s) + BUDGET))
    way=${2:-direct}
    suite_settings
    suite_probe
    suite_proxy
    suite_patterns >"$work/patterns"
    : >"$work/hit"
}

# suite_least DIRECT DANTED PROXYD: that many tests pass bare at least, when all groups are tried that way.
suite_least()
{
    case $way in
    direct) least=$1 ;;
    danted) least=$2 ;;
    proxyd) least=$3 ;;
    esac
}

# suite_patterns: of the list, those for this way.
suite_patterns()
{
    ways=$way
    [ "$way" = direct ] || ways="tunnel\|$way"
    sed -n "s/^\($ways\) *\([^ ]*\) .*/\2/p" "$top_srcdir/tests/suites/${suite:?}.list"
}

suite_end()
{
    for server in $servers; do
        kill "$server" 2>/dev/null
    done
    wait
    umount -l /etc/hosts
    rm -rf "$work"
}

# suite_settings: those that lead to the proxy of this way.
suite_settings()
{
    case $way in
    direct)
        settings="SOCKSIFY_PROXY=socks5://127.0.0.1:9${direct:+ SOCKSIFY_DIRECT=$direct}"
        return
        ;;
    proxyd) host=proxy ;;
    danted) host=127.0.0.1 ;;
    *)
        echo "no such way: $way" >&2
        exit 2
        ;;
    esac
    settings="SOCKSIFY_PROXY=socks5://$host:1080 SOCKSIFY_DIRECT= SOCKSIFY_LOG=quiet"
}

# suite_probe: what is run under the object has it, and before there is a proxy loopback is refused unless it is direct.
suite_probe()
{
    expected=refused
    [ "$way" != direct ] || expected=reached
    suite_run under "$PYTHON" -c "import socket
print(any('$OBJECT' in line for line in open('/proc/self/maps')))
server = socket.create_server(('127.0.0.1', 0))
try:
    socket.create_connection(server.getsockname())
    print('reached')
except ConnectionRefusedError:
    print('refused')"
    [ "$(cat "$work/under.out")" = "True
$expected" ] && return
    echo "the object is not there, or loopback is not $expected: $(cat "$work/under.out" "$work/under.err")" >&2
    exit 1
}

# suite_proxy: the proxy of this way.
suite_proxy()
{
    case $way in
    direct) return ;;
    proxyd)
        "$PROXYD" --port 1080 --resolve --lifetime 0 --log "$work/proxyd.log" >"$work/server" 2>&1 &
        servers=$!
        "$PROXYD" --listen ::1 --port 1080 --resolve --lifetime 0 --log "$work/proxyd6.log" >"$work/server6" 2>&1 &
        servers="$servers $!"
        ;;
    danted)
        printf '%s\n' "logoutput: $work/danted.log" 'internal: 127.0.0.1 port = 1080' 'external: 127.0.0.1' \
            'external: ::1' 'clientmethod: none' 'socksmethod: none' 'user.privileged: root' \
            'user.unprivileged: nobody' 'client pass { from: 0.0.0.0/0 to: 0.0.0.0/0 }' \
            'socks pass { from: 0.0.0.0/0 to: 0.0.0.0/0 }' 'socks pass { from: 0.0.0.0/0 to: ::/0 }' \
            >"$work/danted.conf"
        : >"$work/danted.log"
        chmod 666 "$work/danted.log"
        danted -f "$work/danted.conf" -p "$work/danted.pid" -N 4 >"$work/server" 2>&1 &
        servers=$!
        ;;
    esac
    suite_await 127.0.0.1
    [ $host != proxy ] || suite_await ::1
}

# suite_await ADDRESS: the proxy listens there.
suite_await()
{
    for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
        "$PYTHON" -c "import socket; socket.create_connection(('$1', 1080))" 2>/dev/null && return
        sleep 0.1
    done
    echo "$way does not listen: $(cat "$work/server")" >&2
    exit 1
}

# suite_left: the seconds that one command may take now, 0 when the budget is spent.
suite_left()
{
    left=$((end_s - $(date +%s)))
    [ $left -lt "$LIMIT" ] || left=$LIMIT
    [ $left -gt 0 ] || left=0
    echo $left
}

# suite_run HOW COMMAND ...: bare or under; in $place, or one of its own, since tests leave files and look for some.
# $special: settings for this one.
suite_run()
{
    how=$1
    shift
    left=$(suite_left)
    [ "$left" -gt 0 ] || return 124
    # shellcheck disable=SC2086
    case $how in under*) set -- env "LD_PRELOAD=$OBJECT" $settings $special "SOCKSIFY_STATE=$work/state" "$@" ;; esac
    (cd "${place:-$work/home}" && exec timeout -k 5 "$left" env HOME="$work/home" "$@") >"$work/$how.out" \
        2>>"$work/$how.err" </dev/null
}

# suite_leaves HOW TEST: it is not tried, because it is listed for this way, or because what is listed is wanted.
suite_leaves()
{
    case $1 in under*) ;; *) return 1 ;; esac
    if suite_listed "$2"; then [ "${LISTED-}" != yes ]; else [ "${LISTED-}" = yes ]; fi
}

# suite_listed TEST: sets $pattern.
suite_listed()
{
    while read -r pattern; do
        # shellcheck disable=SC2254
        case $1 in $pattern) return 0 ;; esac
    done <"$work/patterns"
    return 1
}

# suite_outcomes HOW NAME: of the group or test, sorted.
suite_outcomes()
{
    : >"$work/$1"
    : >"$work/$1.err"
    suite_try "$1" "$2"
    sort -o "$work/$1" "$work/$1"
}

# suite_bare GROUP: the same bare, from where another way has left it, if one has.
suite_bare()
{
    kept=${BARE:+$BARE/$suite.$(echo "$1" | tr / _)}
    if [ -n "$kept" ] && [ -r "$kept" ]; then
        cp "$kept" "$work/bare"
        return
    fi
    suite_outcomes bare "$1"
    [ -z "$kept" ] || [ "$(suite_left)" = 0 ] || { cp "$work/bare" "$kept.$$" && mv "$kept.$$" "$kept"; }
}

# Those that passed in the file $1 and did not in $2.
suite_lost()
{
    grep ' ok$' "$1" | comm -23 - "$2" | sed 's/ ok$//'
}

# A test that depends on the machine's load fails now and then, bare as well.  So what is lost is tried once more alone,
# and again where it then fails bare too, which says nothing.
suite_judge()
{
    if suite_listed "$1"; then
        listed=$((listed + 1))
        echo "$pattern" >>"$work/hit"
        return
    fi
    verdict='so many have failed that it was not tried alone'
    if [ "$bad" -lt 10 ]; then
        verdict='fails alone, bare as well'
        for _ in 1 2 3; do
            suite_outcomes under-again "$1"
            grep -Fqx -- "$1 ok" "$work/under-again" && verdict=ok && break
            suite_outcomes bare-again "$1"
            grep -Fqx -- "$1 ok" "$work/bare-again" && verdict='passes bare alone' && break
        done
        [ "$verdict" = ok ] || tail -n 12 "$work/under-again.err"
        [ "$verdict" = ok ] || [ -z "${KEEP-}" ] || cat "$work/under-again.err" >>"$KEEP/$way.err"
    fi
    if [ "$verdict" = ok ]; then
        again=$((again + 1))
        echo "again: $1: ok alone"
        return
    fi
    suite_fault "$1: $verdict"
    [ -z "${KEEP-}" ] || echo "$1" >>"$KEEP/$way.lost"
}

# suite_fault WORDS: one more that is bad.
suite_fault()
{
    bad=$((bad + 1))
    echo "FAILED: $*"
}

# suite_passes: of the group, what is listed and passes all the same.
suite_passes()
{
    grep ' ok$' "$work/bare" | comm -12 - "$work/under" | sed 's/ ok$//' >"$work/pass"
    while read -r test; do
        suite_listed "$test" || continue
        again=$((again + 1))
        echo "passes: $test: $pattern"
    done <"$work/pass"
}

# suite_whole: what only all groups together show.
suite_whole()
{
    [ "$compared" -ge "$least" ] || suite_fault "$compared tests were compared, $least are there at least"
    grep -Fvx -f "$work/hit" "$work/patterns" >"$work/stale"
    while read -r pattern; do
        suite_fault "listed, but no test that passes bare is called $pattern, or it is one that another line has"
    done <"$work/stale"
}

suite_compare()
{
    for group; do
        if [ "$(suite_left)" = 0 ]; then
            suite_fault "$group: the $BUDGET seconds are over"
            continue
        fi
        begin_s=$(date +%s)
        suite_bare "$group"
        suite_outcomes under "$group"
        count=$(grep -c ' ok$' "$work/bare")
        took=$(($(date +%s) - begin_s))
        echo "$suite, $way, $group: $count pass bare, $(grep -c ' ok$' "$work/under") under the object, $took s"
        compared=$((compared + count))
        if [ "${LISTED-}" = yes ]; then
            suite_passes
            continue
        fi
        # What was not tried, because the process ended, counts as lost too.
        suite_lost "$work/bare" "$work/under" >"$work/lost"
        while read -r test; do
            suite_judge "$test" </dev/null
        done <"$work/lost"
    done
    if [ "${LISTED-}" = yes ]; then
        echo "$suite, $way: $again of what is listed pass"
        [ "$bad" = 0 ]
        return
    fi
    [ -z "$whole" ] || suite_whole
    [ "$again" -le $again_most ] || suite_fault "$again were lost at first and passed alone, more than $again_most"
    echo "$suite, $way: $compared tests, $bad failed, $listed listed, $again passed at a second try"
    [ "$bad" = 0 ] && [ "$compared" -gt 0 ]
}
