# SPDX-License-Identifier: ISC
# shellcheck shell=sh disable=SC2034
# What the preload tests share: servers started and ended, the probe run bare and under the object, results counted.
#
#   start_target            the probe as a target: $echo $first $refusing $deaf $udp are its ports
#   start_proxy OPTION...   proxyd: $proxy is its port, $proxy_log its event lines, $control its control socket
#   bare COMMAND...         run the probe by itself
#   under COMMAND...        run it under the object with $environment; output to $out, standard error to $err
#   same NAME COMMAND...    both, and the outputs must be equal
#   gives NAME COMMAND...   under the object; standard input is the output it must have
#                           (neither runs a COMMAND that is one of $UNFIT)
#   finish                  the end: exit 1 if anything failed

set -u
LC_ALL=C
export LC_ALL

: "${top_builddir:=..}" "${OBJECT:=$top_builddir/src/.libs/libsocksify.so}" "${PROBE:=./probe}" "${PROXYD:=./proxyd}"

# Nothing of the caller's may decide where the probe goes.
unset SOCKSIFY_PROXY SOCKSIFY_USER SOCKSIFY_PASSWORD SOCKSIFY_PASSWORD_FILE SOCKSIFY_DIRECT SOCKSIFY_BLOCK \
    SOCKSIFY_DNS SOCKSIFY_RESOLVER SOCKSIFY_POOL4 SOCKSIFY_POOL6 SOCKSIFY_TIMEOUT SOCKSIFY_PIPELINE SOCKSIFY_BIND \
    SOCKSIFY_BIND_PORTS SOCKSIFY_BYPASS SOCKSIFY_LOG SOCKSIFY_STATE SOCKSIFY_CONF SOCKSIFY_STATS SOCKS5_SERVER \
    SOCKS_SERVER SOCKS5_USER SOCKS5_PASSWORD SOCKS5_PASSWD SOCKS_USERNAME SOCKS_PASSWORD ALL_PROXY \
    all_proxy NO_PROXY no_proxy LD_PRELOAD

# Nor may a file of theirs.
XDG_CONFIG_HOME=/nonexistent
export XDG_CONFIG_HOME

pids=
patience=30    # seconds for one run of the probe: a bound for what hangs, not a time that anything should take
work=$(mktemp -d) || exit 99
: >"$work/results"
out=$work/out
err=$work/err

clean_up()
{
    for pid in $pids; do
        kill "$pid" 2>/dev/null
    done
    wait 2>/dev/null
    rm -rf "$work"
}
trap clean_up EXIT
trap 'exit 99' HUP INT TERM

# Where the object is part of the program (sanitize.sh) there is nothing to preload.
[ -z "${LINKED-}" ] || OBJECT=$PROBE
for file in "$OBJECT" "$PROBE" "$PROXYD"; do
    [ -r "$file" ] || {
        echo "no $file" >&2
        exit 1
    }
done
OBJECT=$(cd "$(dirname "$OBJECT")" && pwd)/$(basename "$OBJECT")
preload=LD_PRELOAD=$OBJECT
[ -z "${LINKED-}" ] || preload=LINKED=$LINKED

# Counted in a file: the end of a pipe is a process of its own in some shells.
ok()
{
    echo passed >>"$work/results"
    echo "ok: $*"
}

bad()
{
    echo failed >>"$work/results"
    echo "FAILED: $*"
}

skip()
{
    echo skipped >>"$work/results"
    echo "skipped: $*"
}

finish()
{
    passed=$(grep -c '^passed' "$work/results")
    failed=$(grep -c '^failed' "$work/results")
    skipped=$(grep -c '^skipped' "$work/results")
    echo "$passed passed, $failed failed, $skipped skipped"
    [ "$failed" = 0 ] || exit 1
    [ "$passed" -gt 0 ] || exit 77
    exit 0
}

# start FIFO COMMAND...: run in the background; $ready is its first line.
start()
{
    fifo=$1
    shift
    mkfifo "$fifo"
    "$@" >"$fifo" 2>>"$work/servers" </dev/null &
    pid=$!
    pids="$pids $pid"
    ready=
    read -r ready <"$fifo"
    case $ready in
    ready*) return ;;
    esac
    echo "not started: $*" >&2
    cat "$work/servers" >&2
    exit 1
}

start_target()
{
    start "$work/target" "$PROBE" serve
    # shellcheck disable=SC2086
    set -- $ready
    echo=$2
    first=$3
    refusing=$4
    deaf=$5
    udp=$6
}

# A web server with one file, `carried`; web: its port.
start_web()
{
    mkdir "$work/www"
    echo carried >"$work/www/file"
    cat >"$work/web.py" <<'END'
import functools, http.server, sys
handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=sys.argv[1])
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
print("ready", server.server_port, flush=True)
server.serve_forever()
END
    start "$work/web" python3 "$work/web.py" "$work/www"
    web=${ready#ready }
}

# Several may run; the variables are those of the last.
proxies=0
start_proxy()
{
    proxies=$((proxies + 1))
    proxy_log=$work/log.$proxies
    control=$work/control.$proxies
    : >"$proxy_log"
    start "$work/proxy.$proxies" "$PROXYD" --lifetime 120 --log "$proxy_log" --control "$control" "$@"
    proxy=${ready#ready }
    proxy_pid=$pid
    at_proxy "$proxy"
}

# at_proxy PORT [VARIABLE=VALUE...]: the environment of what runs next.
at_proxy()
{
    port=$1
    shift
    environment="SOCKSIFY_PROXY=socks5://127.0.0.1:$port SOCKSIFY_DIRECT= SOCKSIFY_STATE=$work/state $*"
}

# tell COMMAND: to the last proxy; its answer is the output.
tell()
{
    "$PROXYD" --tell "$control" "$*"
}

# A program that has the object in it has a twin that was built without.
bare()
{
    program=$PROBE
    [ -z "${LINKED-}" ] || program=./${PROBE##*/}
    timeout -k 1 "$patience" "$program" "$@"
}

# The variables hold no blanks.
under()
{
    # shellcheck disable=SC2086
    timeout -k 1 "$patience" env $environment "$preload" "$PROBE" "$@" >"$out" 2>"$err"
    status=$?
}

# result NAME EXPECTED: what under() wrote is what EXPECTED holds, and it ended well.
result()
{
    if [ "$status" = 0 ] && cmp -s "$2" "$out"; then
        ok "$1"
        return
    fi
    bad "$1 (exit status $status)"
    diff "$2" "$out" | head -40
    head -5 "$err"
}

# unfit COMMAND: it is one of $UNFIT, and $UNFIT_USED, a file, gets to know that.
unfit()
{
    case " ${UNFIT-} " in
    *" $1 "*) echo "$1" >>"${UNFIT_USED:-/dev/null}" ;;
    *) return 1 ;;
    esac
}

same()
{
    name=$1
    shift
    if unfit "$1"; then
        skip "$name"
        return
    fi
    bare "$@" >"$work/bare" 2>&1 || bad "$name: bare: exit status $?"
    under "$@"
    result "$name" "$work/bare"
}

gives()
{
    name=$1
    shift
    cat >"$work/expected"
    if unfit "$1"; then
        skip "$name"
        return
    fi
    under "$@"
    result "$name" "$work/expected"
}

# saw NAME LINE: the last proxy's events have this line; its log is then emptied.
saw()
{
    if grep -qxF "$2" "$proxy_log"; then
        ok "$1"
    else
        bad "$1: the proxy did not see: $2"
        head -20 "$proxy_log"
    fi
    : >"$proxy_log"
}

saw_nothing()
{
    if [ -s "$proxy_log" ]; then
        bad "$1: the proxy saw:"
        head -20 "$proxy_log"
    else
        ok "$1"
    fi
    : >"$proxy_log"
}

# said NAME COUNT [PHRASE]: the last run wrote that many lines of ours to standard error, and nothing else.
said()
{
    lines=$(grep -c '^socksify\[[0-9]*\]: ' "$err")
    others=$(grep -vc '^socksify\[[0-9]*\]: ' "$err")
    if [ "$lines" != "$2" ] || [ "$others" != 0 ]; then
        bad "$1: $lines lines instead of $2, $others others"
    elif [ -n "${3-}" ] && ! grep -q "$3" "$err"; then
        bad "$1: no '$3'"
    else
        ok "$1"
        return
    fi
    head -5 "$err"
}

has_ipv6()
{
    [ -r /proc/net/if_inet6 ] && grep -q ' lo$' /proc/net/if_inet6
}
