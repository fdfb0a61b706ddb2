#!/bin/sh
# SPDX-License-Identifier: ISC
# How much stack each hook takes at most: a thread may have 16 KiB of it, an alternative stack 8, and libc's own calls
# and the kernel's signal frame need their part.  Read from the machine code: frames, and who calls whom.  Calls through
# pointers are not seen (the handshake's steps have none), nor what alloca() takes: exec says its own bound.
# Start-up is left out: it runs before main(), on the main thread's stack.
. "${srcdir:-.}/guard.sh"

handler_max=6656    # bytes
other_max=8704      # for what POSIX lets no signal handler call
others='^(__res_|res_|gethostby|getaddrinfo|getnameinfo|(__)?sendmmsg|(__)?recvmmsg|syscall|posix_spawn|popen|system)'

: "${OBJDUMP:=objdump}"
need_tool "$OBJDUMP"
need_file "$OBJECT"
"$READELF" -h "$OBJECT" | grep -q 'Machine: .*X86-64' || {
    echo "skipped: the machine code is not x86-64's" >&2
    exit 77
}

# Lines "START NAME FRAME CALLED...", functions by their addresses, since several files have one name for theirs.
# A jump into another function, or into its part that is seldom run, counts as a call.
"$OBJDUMP" -d --no-show-raw-insn -M att "$OBJECT" | awk '
    function hex(text,  n, i) {
        sub(/^-?0x/, "", text)
        if (text ~ /^ffffffff/)    # a small negative one
            return hex(substr(text, length(text) - 2)) - 4096
        for (i = 1; i <= length(text); i++)
            n = n * 16 + index("0123456789abcdef", substr(text, i, 1)) - 1
        return n
    }
    function end() { if (name) print start, name, frame + 8 calls }
    /^[0-9a-f]+ <.*>:$/ {
        end()
        start = hex($1); name = substr($2, 2, length($2) - 3); frame = 0; calls = ""
        split("", saved); split("", seen); next
    }
    $2 ~ /^push/ && !($3 in saved) { saved[$3]; frame += 8 }
    $2 ~ /^sub/ && $3 ~ /^\$0x[0-9a-f]+,%rsp$/ {
        n = hex(substr($3, 2, index($3, ",") - 2)); frame += n < 0 ? -n : n
    }
    # A large frame is taken in steps of a page by compilers that guard it.
    $2 ~ /^lea/ && $3 ~ /^-0x[0-9a-f]+\(%rsp\),%r11$/ { frame += hex(substr($3, 1, index($3, "(") - 1)) }
    $2 ~ /^(call|j)/ && $4 ~ /^<.*>$/ && $4 !~ /@/ {
        to = hex($3); at = index($4, "+")
        if (at)
            to -= hex(substr($4, at + 1, length($4) - at - 1))
        if (to != start && !(to in seen)) { seen[to]; calls = calls " " to }
    }
    END { end() }' >"$work/frames"

table HOOK FACE >"$work/hooks"
awk '
    # Functions that are under way are not entered again: nothing here is recursive.
    function depth(f,  n, i, list, d, best, way) {
        if (name[f] == "process_start") return 0
        if (f in known) return known[f]
        if (f in busy) return 0
        busy[f]; best = 0; way = ""
        n = split(calls[f], list, " ")
        for (i = 1; i <= n; i++) {
            d = depth(list[i])
            if (d > best) { best = d; way = name[list[i]] " " path[list[i]] }
        }
        delete busy[f]
        path[f] = way
        return known[f] = frame[f] + best
    }
    FNR == NR { name[$1] = $2; entry[$2] = $1; frame[$1] = $3; f = $1; $1 = $2 = $3 = ""; calls[f] = $0; next }
    { print depth(entry[$1]), $1, path[entry[$1]] }' "$work/frames" "$work/hooks" | sort -rn >"$work/depths"
[ -z "${VERBOSE-}" ] || cat "$work/depths"

# Where the tools say something that this does not understand, it must not pass.
awk '$2 == "connect" && $1 > 1024 { found = 1 } END { exit !found }' "$work/depths" ||
    fault "no frames to be read in the machine code"
awk -v handler_max=$handler_max -v other_max=$other_max -v others="$others" '
    { max = $2 ~ others ? other_max : handler_max }
    $1 > max { print $2 ": " $1 " bytes of stack, " max " at most, by " substr($0, index($0, $3)) }' \
    "$work/depths" >"$work/deep"
faults "too deep" <"$work/deep"
finish
