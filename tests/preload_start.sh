#!/bin/sh
# SPDX-License-Identifier: ISC
# Other libraries and wrappers beside the object, in either order, and programs that lock themselves up after the start.
. "${srcdir:-.}/preload.sh"

: "${CC:=cc}" "${WRAP:=./start_wrap}"
start_target
start_proxy --host jail.example=127.0.0.1
chmod 755 "$work"
early=$work/early.so
$CC -shared -fPIC "$srcdir/start_early.c" -o "$early" || exit 1
cat >"$work/expected.early" <<END
early connect 0 0, peer 0 same, echo 1 1 e
END

# with PRELOAD COMMAND...: as under(), with that list of objects.
with()
{
    objects=$1
    shift
    # shellcheck disable=SC2086
    timeout -k 1 "$patience" env $environment "LD_PRELOAD=$objects" "$@" >"$out" 2>"$err"
    status=$?
}

# requests NAME COUNT: what was tried came through the proxy.
requests()
{
    got=$(grep -c "^request CONNECT ipv4 127.0.0.1:$echo" "$proxy_log")
    if [ "$got" = "$2" ]; then ok "$1"; else bad "$1: $got requests instead of $2"; fi
    : >"$proxy_log"
}

for order in "$OBJECT:$early" "$early:$OBJECT"; do
    at_proxy "$proxy" "START_AT=127.0.0.1:$echo"
    with "$order" true
    result "a constructor that connects, $order" "$work/expected.early"
    requests "through the proxy" 1
done

at_proxy "$proxy"
"$WRAP" "127.0.0.1:$echo" >"$work/bare"
with "$OBJECT" "$WRAP" "127.0.0.1:$echo"
result "a connect() of the program's own" "$work/bare"
requests "through the proxy" 1
at_proxy "$proxy" "START_AT=127.0.0.1:$echo"
{ cat "$work/bare" "$work/expected.early" && echo 'dlopen: 1'; } >"$work/both"
with "$OBJECT" "$WRAP" "127.0.0.1:$echo" "$early"
result "a module that connects when it is loaded" "$work/both"
requests "through the proxy" 2

# beside NAME LIBRARY: other people's objects, found where the linker finds them.
beside()
{
    found=
    for library in /usr/lib/*/"$2" /usr/lib/*/faketime/"$2"; do
        [ ! -r "$library" ] || found=$library
    done
    if [ -z "$found" ]; then
        skip "no $1"
        return
    fi
    at_proxy "$proxy" FAKETIME=-1d
    bare echo "127.0.0.1:$echo" >"$work/bare"
    for order in "$OBJECT:$found" "$found:$OBJECT"; do
        with "$order" "$PROBE" echo "127.0.0.1:$echo"
        result "$order" "$work/bare"
        requests "through the proxy" 1
    done
}

beside faketime libfaketime.so.1
beside faketime libfaketimeMT.so.1
beside eatmydata libeatmydata.so
beside jemalloc libjemalloc.so.2
at_proxy "$proxy"
bare echo "127.0.0.1:$echo" >"$work/bare"
with "$OBJECT" stdbuf -o0 "$PROBE" echo "127.0.0.1:$echo"
result "stdbuf" "$work/bare"
requests "through the proxy" 1

# jailed NAME COMMAND...: standard input is what it says of locking itself up; the rest is the same for all.
jailed()
{
    name=$1
    shift
    cat - "$work/free" >"$work/expected"
    under "$@"
    result "$name" "$work/expected"
    saw_name "$name"
}

saw_name()
{
    if grep -q "^request CONNECT name jail.example:$echo" "$proxy_log"; then
        ok "$1: by its name"
    else
        bad "$1: the proxy did not see the name: $(head -5 "$proxy_log")"
    fi
    : >"$proxy_log"
}

cat >"$work/free" <<END
getaddrinfo: ok
connect: 0
echo: ok
sendto: 1
recv: 1
END
at_proxy "$proxy"
: >"$proxy_log"
jailed "no jail" jail-none jail.example "$echo" "127.0.0.1:$udp" </dev/null
jailed "a filter" jail-filter jail.example "$echo" "127.0.0.1:$udp" <<END
no new privileges: 0
filter: 0
END
if [ "$(id -u)" = 0 ]; then
    mkdir "$work/root"
    jailed "chroot" jail-root jail.example "$echo" "127.0.0.1:$udp" "$work/root" <<END
chroot: 0
chdir: 0
END
    jailed "another user" jail-user jail.example "$echo" "127.0.0.1:$udp" <<END
setgroups: 0
setresgid: 0
setresuid: 0
END
    # Names that are new to the state's file as well.
    rm -rf "$work/state"
    jailed "another user, a new state" jail-user jail.example "$echo" "127.0.0.1:$udp" <<END
setgroups: 0
setresgid: 0
setresuid: 0
END
else
    skip "chroot and another user: for root"
fi

# valgrind answers some calls by itself, and says so on standard error: those with arguments that are no good.
if command -v strace >/dev/null && strace -o /dev/null true 2>"$err"; then
    at_proxy "$proxy"
    bare echo "127.0.0.1:$echo" >"$work/bare"
    with "$OBJECT" strace -f -qq -e trace=rt_sigprocmask,futex -o "$work/trace" "$PROBE" echo "127.0.0.1:$echo"
    result "under strace" "$work/bare"
    grep -E '= -1 E(INVAL|NOSYS|FAULT)' "$work/trace" >"$work/odd"
    if grep -q FUTEX_CMP_REQUEUE "$work/trace" && [ ! -s "$work/odd" ]; then
        ok "no call is wrong on purpose"
    else
        bad "no call is wrong on purpose: $(cat "$work/odd")"
    fi
else
    skip "no strace"
fi
finish
