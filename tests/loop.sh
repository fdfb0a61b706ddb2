# SPDX-License-Identifier: ISC
# shellcheck shell=sh disable=SC2034,SC2154
# What the tests of event loops share, beyond preload.sh.
#
#   start_loop_target     $echo $first $refusing $full are the ports of the targets
#   passes NAME COMMAND   the sub-command finds no fault, and the proxy saw no byte before its reply; not run when it is
#                         one of $UNFIT

: "${LOOP:=./loop}"
PROBE=$LOOP
. "${srcdir:-.}/preload.sh"

start_loop_target()
{
    start "$work/target" "$LOOP" serve
    # shellcheck disable=SC2086
    set -- $ready
    echo=$2
    first=$3
    refusing=$4
    full=$5
}

# clean NAME: the last proxy saw no foreign byte; its log is then emptied.
clean()
{
    if grep -E '^(early|bad) ' "$proxy_log" >"$work/foreign"; then
        bad "$1: foreign bytes in the handshake"
        head -5 "$work/foreign"
    fi
    : >"$proxy_log"
}

passes()
{
    name=$1
    shift
    if unfit "$1"; then
        skip "$name"
        return
    fi
    under "$@"
    if [ "$status" = 0 ]; then
        ok "$name"
    else
        bad "$name (exit status $status)"
        head -20 "$out" "$err"
    fi
    clean "$name"
}
