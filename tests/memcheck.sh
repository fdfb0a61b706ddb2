#!/bin/sh
# SPDX-License-Identifier: ISC
# Programs under the object and under valgrind, whose every finding is a fault, and the unit tests of what reads foreign
# bytes.  Of memory without a value the sanitizers see nothing, and of an object in a program that is not instrumented.
# Run by `make memcheck`.
. "${srcdir:-.}/preload.sh"

for tool in valgrind curl python3; do
    command -v $tool >/dev/null 2>&1 || {
        echo "skipped: no $tool" >&2
        exit 77
    }
done
memcheck="valgrind -q --vgdb=no --trace-children=yes --suppressions=$srcdir/memcheck.list --error-exitcode=99"
memcheck="$memcheck --log-file=$work/found.%p"
patience=150
rounds=0

# quiet NAME: valgrind wrote nothing, and the run ended as it should.
quiet()
{
    cat "$work"/found.* >"$work/found" 2>/dev/null
    rm -f "$work"/found.*
    if [ "$status" != 0 ]; then
        bad "$1: exit status $status"
        tail -n 5 "$out" "$err"
    elif [ -s "$work/found" ]; then
        bad "$1: $(grep -c ' at 0x' "$work/found") findings"
    else
        ok "$1"
    fi
    head -n 40 "$work/found"
}

# looked_at COMMAND...: under the object.  valgrind is linked statically, which is why something is allowed here, and a
# proxy that is slow here is no fault.
looked_at()
{
    # shellcheck disable=SC2086
    timeout -k 1 "$patience" env $environment SOCKSIFY_BYPASS=allow SOCKSIFY_TIMEOUT=100 $memcheck \
        env "$preload" "$@" >"$out" 2>"$err" </dev/null
    status=$?
}

# probed NAME COMMAND...: the probe, which must write what it writes by itself.  A proxy of its own for each: none lasts
# as long as all of them may take.
probed()
{
    name=$1
    shift
    bare "$@" >"$work/bare" 2>&1
    start_proxy --host target.example=127.0.0.1
    looked_at "$PROBE" "$@"
    quiet "$name"
    rounds=$((rounds + 1))
    [ -s "$proxy_log" ] || bad "$name: the proxy saw nothing"
    cmp "$work/bare" "$out" || bad "$name: another output"
}

# That it would be seen.
cat >"$work/wrong.c" <<'END'
#include <stdlib.h>
#include <sys/socket.h>
int main(void) { char *p = malloc(8); return send(-1, p, 8, 0) > 0 || p[3] == 1; }
END
${CC:-cc} -o "$work/wrong" "$work/wrong.c" || exit 1
at_proxy 1
looked_at "$work/wrong"
if [ "$status" = 99 ] && cat "$work"/found.* | grep -q main; then ok "a fault is seen"; else bad "no fault is seen"; fi
rm -f "$work"/found.*

start_target
start_web
start_proxy --host target.example=127.0.0.1
looked_at sh -c "curl -sS -m 100 http://target.example:$web/file; exit \$?"
quiet "curl, started by a shell"
grep -qx carried "$out" || bad "curl: $(head -n 3 "$out" "$err")"

# As socksify(1) has it.
# shellcheck disable=SC2086
timeout -k 1 "$patience" env $environment SOCKSIFY_BYPASS=allow SOCKSIFY_TIMEOUT=100 "$SOCKSIFY" $memcheck \
    curl -sS -m 100 "http://target.example:$web/file" >"$out" 2>"$err" </dev/null
status=$?
quiet "curl in valgrind, by the launcher"
grep -qx carried "$out" || bad "curl by the launcher: $(head -n 3 "$out" "$err")"

probed "a stream" echo "127.0.0.1:$echo"
probed "datagrams of threads" udp-threads "127.0.0.1:$udp"
probed "failures" connect "127.0.0.1:$echo" "127.0.0.1:$refusing" "127.0.0.1:$echo"
probed "datagrams" udp-calls "127.0.0.1:$udp"
probed "datagrams, many in a call" udp-batches "127.0.0.1:$udp" "127.0.0.1:$udp"
probed "datagrams, numbers and children" udp-numbers "127.0.0.1:$udp"

# unit NAME...: a unit test is there, and valgrind has nothing to say.
unit()
{
    for test; do
        rounds=$((rounds + 1))
        # shellcheck disable=SC2086
        timeout -k 1 "$patience" $memcheck "./check_$test" >"$out" 2>"$err"
        status=$?
        quiet "check_$test"
    done
}

CK_TIMEOUT_MULTIPLIER=60
export CK_TIMEOUT_MULTIPLIER
unit envlist flight hosts memory program
# These leave nothing behind that the next case could stumble over, and go four times as fast in one process.
CK_FORK=no
export CK_FORK
unit addr addr_text bindrule conf conf_fault conf_file conf_url dns dns_answer elf learned message pools reply rules \
    script socks5 traits udp_header
[ "$rounds" -gt 20 ] || bad "only $rounds were looked at"
finish
