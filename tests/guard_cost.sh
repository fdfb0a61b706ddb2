#!/bin/sh
# SPDX-License-Identifier: ISC
# While nothing is pending a hook on the way to the kernel costs one look at the gate: the way straight on from its
# first instruction, with no jump taken, comes to libc's function with one load from the process' state and no call.
. "${srcdir:-.}/guard.sh"

: "${OBJDUMP:=objdump}"
need_tool "${OBJDUMP%% *}"
need_file "$OBJECT"
case $($READELF -h "$OBJECT") in
*X86-64*) ;;
*)
    echo "skipped: reads the code of x86-64 alone" >&2
    exit 77
    ;;
esac

$OBJDUMP -d --no-show-raw-insn "$OBJECT" >"$work/code"
for hook in poll ppoll select pselect epoll_wait epoll_pwait epoll_ctl accept \
    read readv recv write writev send; do
    awk -v hook="$hook" '
        /^[0-9a-f]+ </ { inside = $2 == "<" hook ">:" || index($2, "<" hook "@") == 1; found += inside; next }
        !inside || done { next }
        $2 ~ /^(call|jmp)q?$/ && $3 ~ /^\*/ { done = 1; next }
        $2 ~ /^lea/ {
            register = $3
            sub(/.*,/, "", register)
            if (/ <process/ || register == state)
                state = / <process/ ? register : ""
            next
        }
        / <process/ || (state && index($0, "(" state ")")) { looks++ }
        $2 ~ /^callq?$/ { calls++ }
        $2 ~ /^(ret|jmp)q?$/ { astray = 1 }
        END {
            if (!found || !done || astray || looks != 1 || calls)
                print hook ": " looks + 0 " looks at the state, " calls + 0 " calls"
        }' "$work/code"
done >"$work/faults"
faults "more than one look at the gate" <"$work/faults"
finish
