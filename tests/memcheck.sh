#!/bin/sh
# SPDX-License-Identifier: ISC
# Programs under the object and under valgrind, whose every finding is a fault, and the unit tests of what reads foreign
# bytes.  Of memory without a value the sanitizers see nothing, and of an object in a program that is not instrumented.
# Run by `make memcheck`.
. "${srcdir:-.}/preload.sh"

: "${LOOP:=./loop}"

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

# probed NAME COMMAND...: the probe, which must write what it writes by itself, with $with in its environment.  A proxy
# of its own for each: none lasts as long as all of them may take.
with=
probed()
{
    name=$1
    shift
    bare "$@" >"$work/bare" 2>&1
    start_proxy --host target.example=127.0.0.1
    # shellcheck disable=SC2086
    at_proxy "$proxy" $with
    looked_at "$PROBE" "$@"
    quiet "$name"
    rounds=$((rounds + 1))
    [ -s "$proxy_log" ] || bad "$name: the proxy saw nothing"
    diff "$work/bare" "$out" || bad "$name: another output"
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

# A non-blocking connect(): by the probe, and waited for in every way while the proxy holds its reply.
probed "a socket that does not wait" identity-nonblock "127.0.0.1:$echo"
probed "failures of one that does not wait" retry-nonblock "127.0.0.1:$refusing" "127.0.0.1:$echo"
start "$work/loops" "$LOOP" serve
# shellcheck disable=SC2086
set -- $ready
loop_echo=$2
# Without what is waited for by epoll_pwait2(): valgrind 3.19 does not have it, and tells that.
events()
{
    sed '/, order 2$/,/^  close: 0$/d'
}
timeout -k 1 "$patience" "$LOOP" bare accept 2>&1 | events >"$work/bare"
start_proxy --hold reply --lifetime 300
patience=300
looked_at "$LOOP" through "127.0.0.1:$loop_echo" "$control"
patience=150
sed -i '/unhandled .* syscall: 441$/,/bug_reports/d' "$work"/found.*
quiet "event loops"
rounds=$((rounds + 1))
[ "$(grep -c '^  event' "$work/bare")" -ge 32 ] || bad "event loops: no events"
events <"$out" | diff "$work/bare" - || bad "event loops: another output"

# BIND.
start "$work/back" "$PROBE" serve-back 127.0.0.1:0
back=${ready#ready }
with=SOCKSIFY_BIND_PORTS=$back
probed "a listener" bind-order "127.0.0.1:$back" tnftp 2
probed "a listener in event loops" bind-loops "127.0.0.1:$back"
with=

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

# A suppression has the name of the unit test that needs it, which is asked once more.
sed -n 's/^ *\(check_[a-z_]*\): .*/\1/p' "$srcdir/memcheck.list" | sort -u | while read -r test; do
    # shellcheck disable=SC2086
    timeout -k 1 "$patience" $memcheck -v -v "./$test" >"$out" 2>"$err" </dev/null
    cat "$work"/found.*
    rm -f "$work"/found.*
done >"$work/said"
grep '^{' -A 1 "$srcdir/memcheck.list" | sed -n 's/^ *\([^ {-].*\)/\1/p' >"$work/listed"
[ -s "$work/listed" ] || bad "memcheck.list is not read"
while read -r suppression; do
    if grep -F used_suppression: "$work/said" | grep -qF " $suppression "; then
        ok "needed: $suppression"
    else
        bad "memcheck.list has what nothing needs: $suppression"
    fi
done <"$work/listed"
[ "$rounds" -gt 25 ] || bad "only $rounds were looked at"
finish
