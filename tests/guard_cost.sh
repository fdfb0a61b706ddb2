#!/bin/sh
# SPDX-License-Identifier: ISC
# While nothing is pending a hook on the way to the kernel costs one look at the gate: the way from its first
# instruction, with the gate idle, comes to libc's function with one load from the process' state and no call.
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
        /^[0-9a-f]+ </ { inside = $2 == "<" hook ">:" || index($2, "<" hook "@") == 1; next }
        inside && NF > 1 {
            code[count++] = $0
            sub(/:$/, "", $1)
            place[$1] = count - 1
        }
        # The gate is idle when it is equal to GATE_WARM; no other conditional jump is taken.
        function next_of(i, words,    target) {
            target = words[3]
            if (words[2] ~ /^jmp/ || (words[2] == "je" && code[i - 1] ~ /cmp[lb]? +\$0x1,/))
                return target in place ? place[target] : -1
            return words[2] ~ /^ret/ ? -1 : i + 1
        }
        END {
            for (i = 0; i >= 0 && i < count && steps < 200; i = next_of(i, words)) {
                steps++
                split(code[i], words)
                if (words[2] ~ /^(call|jmp)q?$/ && words[3] ~ /^\*/) {
                    reached = 1
                    break
                }
                calls += words[2] ~ /^call/
                register = words[3]
                sub(/.*,/, "", register)
                if (words[2] ~ /^lea/ && (code[i] ~ / <process/ || register == state))
                    state = code[i] ~ / <process/ ? register : ""
                else if (words[2] !~ /^lea/)
                    looks += code[i] ~ / <process/ || (state && index(code[i], "(" state ")") > 0)
            }
            if (!reached || looks != 1 || calls)
                print hook ": " looks + 0 " looks at the state, " calls + 0 " calls"
        }' "$work/code"
done >"$work/faults"
faults "more than one look at the gate" <"$work/faults"
finish
