#!/bin/sh
# SPDX-License-Identifier: ISC
# The matrix of faults: each message of the proxy, for CONNECT, ASSOCIATE and BIND, gone wrong in each way, waited for
# in each way: the right errno, in time, no descriptor left, and the next connection is a good one.  The cases are made
# here and their number is told.  FAULTS=all: more ways to wait, and the whole once more in pieces and pipelined.
. "${srcdir:-.}/alone.sh"
. "${srcdir:-.}/preload.sh"

: "${FAULTS:=some}"
patience=120
timeout=3
# What is over after a second deadline, or only by one, fails.
slack=2500
start "$work/back" "$PROBE" serve-back 127.0.0.1:0
back=${ready#ready }
start_target
long=$(printf '%0255d' 0 | tr 0 n)
ways='blocking poll epoll'
[ "$FAULTS" = some ] || ways="$ways select edge"

# emit SKIP LEAST ERRNO AFTER ACTION [ACTION]: a case of $kind for each way.  It is told by where it comes from; dial is
# no ACTION of the proxy's, it goes to one that is not there.
emit()
{
    skip=$1 least=$2 error=$3 after=$4
    shift 4
    for way in $ways; do
        number=$((number + 1))
        source=127.$((16 + number / 62500)).$((number / 250 % 250)).$((number % 250 + 1))
        what="$*"
        [ "$what" != dial ] || source=-
        echo "$kind $way $source $skip $least $error $after ${what%%nnnnnnnn*}" >>"$work/cases"
        [ "$what" != dial ] || continue
        for action in "$@" $also; do
            echo "--from $source $action" >>"$work/options"
        done
        # Where the server that comes back is told so.
        case $kind in listen | accept) echo "--from $source:1999 plain" >>"$work/options" ;; esac
    done
}

good()
{
    emit 0 0 ok ok "$@"
}

fails()
{
    emit 0 0 "$@"
}

# Stalls end by the deadline of the step.
stalls()
{
    for action in "$@"; do
        emit 0 $((timeout * 1000 - 100)) "$late" ok "$action"
    done
}

# Before the command: of no stage the proxy may say more than its message.
early_stages()
{
    for stage in method auth; do
        emit 0 200 ok ok "delay=$stage:200"
        for action in close=$stage cut=$stage:1 rst=$stage garbage=$stage flood=$stage:4096 extra=$stage \
            alter=$stage:4; do
            fails ECONNREFUSED ok "$action"
        done
        fails "$denied" ok alter=$stage:257
        # The last byte of two comes too late, though none of them by itself.
        stalls hang=$stage hold=$stage:1 drip=$stage:$((timeout * 667))
    done
    fails "$denied" ok alter=method:511
    good dribble=1
    good split=1
    good split=3
}

# Octet 3 is ATYP: one that is none, then two whose addresses are longer than what comes; octet 2 is RSV.
reply()
{
    emit 0 200 ok ok delay=reply:200
    for action in close=reply rst=reply cut=reply:1 cut=reply:4 cut=reply:9; do
        fails "$ended" "$ended_after" "$action"
    done
    for action in garbage=reply alter=reply:4 alter=reply:768 alter=reply:777; do
        fails ECONNREFUSED ok "$action"
    done
    stalls hang=reply hold=reply:1 hold=reply:5 alter=reply:771 alter=reply:772 drip=reply:$((timeout * 333))
    good alter=reply:519
    good "bnd=name:$long:*"
    fails "$unreachable" ok refuse=4
    fails "$unreachable" ok refuse=4 short-reply=2
    # Ten bytes, just in time.
    emit 0 $((timeout * 600)) ok ok drip=reply:$((timeout * 67))
}

second_reply()
{
    emit 0 200 ok ok delay=reply2:200
    for action in close=reply2 rst=reply2 cut=reply2:1 cut=reply2:4 cut=reply2:9 garbage=reply2 alter=reply2:4 \
        alter=reply2:768 alter=reply2:777 refuse2=1; do
        fails ECONNABORTED ok "$action"
    done
    # Nobody has come yet.
    for action in hang=reply2 hold=reply2:1 hold=reply2:5 alter=reply2:771 alter=reply2:772; do
        fails EAGAIN ok "$action"
    done
    good alter=reply2:519
    good dribble=1
    good split=1
    good split=3
    emit 0 900 ok ok drip=reply2:100
    good "bnd2=name:$long:*"
    emit 3 0 ok ok extra=reply2
    emit $flood 0 ok ok flood=reply2:$flood
    # Behind the first reply, where the second one should begin.
    fails ECONNABORTED ok extra=reply
    fails ECONNABORTED ok flood=reply:$flood
}

commands()
{
    denied=EACCES late=ETIMEDOUT ended=ECONNREFUSED ended_after=ok unreachable=EHOSTUNREACH
    kind=connect
    early_stages
    reply
    emit 3 0 ok ok extra=reply
    emit $flood 0 ok ok flood=reply:$flood
    # A proxy that ends the connection there has no UDP, which is remembered.
    kind=associate ended=EACCES ended_after=EACCES
    early_stages
    reply
    good extra=reply
    good flood=reply:$flood
    # listen() knows no other error.
    kind=listen denied=ECONNREFUSED late=ECONNREFUSED ended=ECONNREFUSED ended_after=ok unreachable=ECONNREFUSED
    early_stages
    reply
    kind=accept
    second_reply
}

# dials LEAST ERRNO: no message has gone out yet.  listen() knows no other error.
dials()
{
    for kind in connect associate listen; do
        case $kind:$2 in
        listen:*) emit 0 "$1" ECONNREFUSED ok dial ;;
        *) emit 0 "$1" "$2" ok dial ;;
        esac
    done
}

# run_cases NAME: all of them, each beside 63 others; the proxy then has no connection left.
run_cases()
{
    under faults "127.0.0.1:$echo" "127.0.0.1:$udp" "127.0.0.1:$back" 127.0.0.3:7 64 $slack <"$work/cases"
    count=$(wc -l <"$work/cases")
    echo "$count cases, 0 faults" >"$work/expected"
    result "$1: $count cases" "$work/expected"
    sed 's/^/    /' "$err"
    open=1
    for _ in 1 2 3 4 5 6 7 8 9 10; do
        [ "$open" = 0 ] || open=$(tell open)
    done
    if [ "$open" = 0 ]; then ok "$1: no connection is left"; else bad "$1: $open connections are left"; fi
}

# matrix NAME [VARIABLE=VALUE]: the cases of a proxy that is there.
matrix()
{
    name=$1
    shift
    # shellcheck disable=SC2046
    start_proxy --user u --password p --require-auth --from 127.0.0.2 delay=method:50 $(cat "$work/options")
    at_proxy "$proxy" SOCKSIFY_USER=u SOCKSIFY_PASSWORD=p SOCKSIFY_TIMEOUT=$timeout SOCKSIFY_BIND_PORTS="$back" \
        SOCKSIFY_LOG=quiet "$@"
    run_cases "$name"
    if grep -E '^(early|bad) ' "$proxy_log" >"$work/foreign"; then
        bad "$name: foreign bytes in the handshake: $(head -n 3 "$work/foreign")"
    fi
    kill "$proxy_pid"
}

# each NAME ALSO [VARIABLE=VALUE]: the matrix, with one more action in each case.
each()
{
    name=$1 also=$2 number=0 flood=2048
    # Each of them takes a millisecond or two then.
    [ "$also" != dribble=1 ] || flood=512
    shift 2
    : >"$work/cases"
    : >"$work/options"
    commands
    matrix "$name" "$@"
}

# undialled NAME PORT LEAST ERRNO: the three commands of a proxy at that port, which cannot be dialled; all else is for
# another.
undialled()
{
    number=0 also=
    : >"$work/cases"
    dials "$3" "$4"
    start_proxy --from 127.0.0.2 delay=method:50
    printf '%s\n' "proxy = socks5://127.0.0.1:$2" "timeout = $timeout" 'bind = on' "bind-ports = $back" 'log = quiet' \
        '[proxy good]' "proxy = socks5://127.0.0.1:$proxy" \
        '[rules]' 'via good = 127.0.0.1' 'proxy = 127.0.0.0/8' >"$work/conf"
    environment="SOCKSIFY_CONF=$work/conf SOCKSIFY_STATE=$work/state"
    run_cases "$1"
    kill "$proxy_pid"
}

each "each fault" ""
undialled "no proxy" "$refusing" 0 ECONNREFUSED
start_proxy --no-accept
undialled "a proxy that never accepts" "$proxy" $((timeout * 1000 - 100)) ETIMEDOUT
if [ "$FAULTS" = all ]; then
    each "each fault, byte by byte" dribble=1
    each "each fault, in two pieces" split=2
    each "each fault, pipelined" "" SOCKSIFY_PIPELINE=on
fi
finish
