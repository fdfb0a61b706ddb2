#!/bin/sh
# SPDX-License-Identifier: ISC
# Calls by which a program may get past our object: plug-ins, handles, other names, and what connects inside libc.
. "${srcdir:-.}/preload.sh"

: "${CC:=cc}"
source=$(cd "$srcdir" && pwd)
unset LD_LIBRARY_PATH

# Where rules refuse a destination, what is ours says EACCES, and what is not is refused by the kernel.
environment="SOCKSIFY_PROXY=socks5://127.0.0.1:1 SOCKSIFY_BLOCK=127.0.0.2 SOCKSIFY_LOG=quiet"
environment="$environment SOCKSIFY_STATE=$work/state"
PROBE=$work/main/calls

# build COMPILER ...: program and libraries, each where the test wants it.
build()
{
    rm -rf "$work/main" "$work/apart"
    set -- "$@" -D_GNU_SOURCE -Wall -Werror
    mkdir "$work/main" "$work/apart"
    # The loader's path is that of the library, the program's that of its own directory: both written as $ORIGIN.
    # shellcheck disable=SC2016
    origin='-Wl,-rpath,$ORIGIN,--enable-new-dtags'
    "$@" "$origin" -o "$work/main/calls" "$source/calls.c" -ldl &&
        "$@" -fPIC -shared -DPLUG -o "$work/main/near.so" "$source/calls_plug.c" &&
        "$@" -fPIC -shared -DPLUG -o "$work/apart/plug.so" "$source/calls_plug.c" &&
        "$@" -fPIC -shared -DLOADER "$origin" -o "$work/apart/loader.so" "$source/calls_plug.c" -ldl &&
        "$@" -fPIC -shared -DRPC -o "$work/rpc.so" "$source/calls_plug.c" &&
        "$@" -fPIC -shared -DBEHIND -o "$work/next.so" "$source/calls_plug.c" -ldl &&
        "$@" -fPIC -shared -DBEHIND "-DHANDLE=\"$libc\"" -o "$work/handle.so" "$source/calls_plug.c" -ldl && return
    bad "$*: not built"
    return 1
}

# with LIBRARY COMMAND...: under our object with this library preloaded behind it.
with()
{
    kept=$preload
    preload="$preload $1"
    shift
    under "$@"
    preload=$kept
}

both_libcs()
{
    echo 'plug-in: EACCES' | gives "$*: deep binding" plug near.so
    gives "$*: by handle and by name" symbol "$libc" <<EOT
connect: EACCES
of libc: EACCES
of the program: EACCES
default: EACCES
next: EACCES
not there: error
not ours: libc's
EOT
    same "$*: by number what libc may lack" numbers
    gives "$*: a ring of another library, by its handle" ring "$work/main/near.so" <<EOT
io_uring_setup: -38
io_uring_queue_init_params: -38
EOT
    echo 'wordexp: socks5://127.0.0.1:1' | gives "$*: wordexp, nothing in the environment" words
    for kind in next handle; do
        environment="$environment SOCKSIFY_DIRECT=127.0.0.2 SOCKSIFY_BLOCK="
        with "$work/$kind.so" connect
        environment=${environment% SOCKSIFY_DIRECT=*}
        printf 'behind: entered\nconnect: Connection refused\n' >"$work/expected"
        result "$*: a library behind ours, by $kind" "$work/expected"
        with "$work/$kind.so" connect
        echo 'connect: EACCES' >"$work/expected"
        result "$*: a library behind ours, refused before it, by $kind" "$work/expected"
    done
}

# What libc would ask the network about, or connect to, by itself.
inside_libc()
{
    gives "$*: old calls" old "$version" <<EOT
rcmd: -1 EACCES
rexec: -1 EACCES
ruserok: -1 EACCES
iruserok: -1 EACCES
clnttcp_create: 0 EACCES
EOT
    echo "all refused" | gives "$*: every old call" refused "$version"
    same "$*: the Sun RPC of another library" rpc "$work/rpc.so"
    gives "$*: pidfd_spawnp" pidfd "$libc" <<EOT
socks5://127.0.0.1:1
0
EOT
    if ! private_etc true; then
        skip "$*: no mount namespace"
        return
    fi
    echo "10.5.6.7 $(hostname)" >"$work/etc-hosts"
    printf 'networks: files\nhosts: files\n' >"$work/etc-nsswitch"
    private_etc "$PROBE" network >"$work/expected" 2>&1
    grep -q '^getnetbyname: calls-net' "$work/expected" || bad "$*: bare: $(cat "$work/expected")"
    printf 'networks: dns\nhosts: dns\n' >"$work/etc-nsswitch"
    # shellcheck disable=SC2086
    private_etc env $environment "$preload" "$PROBE" network >"$out" 2>"$err"
    status=$?
    result "$*: networks and host id" "$work/expected"
}

# private_etc COMMAND...: with files of the test's own in /etc.
private_etc()
{
    # shellcheck disable=SC2016
    unshare -rm sh -c 'mount --bind "$1/etc-hosts" /etc/hosts && mount --bind "$1/etc-nsswitch" /etc/nsswitch.conf &&
        mount --bind "$1/etc-networks" /etc/networks && shift && exec "$@"' \
        sh "$work" "$@" 2>"$work/errors"
}

glibc_alone()
{
    echo 'plug-in: EACCES' | gives "$*: by the path of the library that loads" loader "$work/apart/loader.so"
    version=$(readelf -W --dyn-syms "$work/main/calls" | sed -n 's/.* connect@\([^ ]*\).*/\1/p')
    gives "$*: glibc's other ways" glibc "$libc" "$version" <<EOT
__connect: EACCES
__connect of libc: EACCES
connect by version: EACCES
EOT
    gives "$*: a namespace of its own" namespace "$work/main/near.so" <<EOT
plug-in: EACCES
plug-in: /dev/null/socksify: a namespace of its own would pass the proxy by: cannot open shared object file: $(
        )Not a directory
EOT
    inside_libc "$@"
    environment="$environment SOCKSIFY_BYPASS=allow"
    printf 'plug-in: EACCES\nplug-in: Connection refused\n' | gives "$*: allowed" namespace "$work/main/near.so"
    environment=${environment% SOCKSIFY_BYPASS=allow}
}

printf 'calls-net 10.5 calls-alias\n' >"$work/etc-networks"
: >"$work/etc-hosts"
: >"$work/etc-nsswitch"
libc=libc.so.6
for level in -O0 -O2; do
    # shellcheck disable=SC2086
    build $CC $level || continue
    # The test tells ours from libc's at all.
    case $("$work/main/calls" plug near.so) in
    'plug-in: Connection refused') ok "$CC $level: bare" ;;
    *) bad "$CC $level: bare" ;;
    esac
    both_libcs "$CC $level"
    glibc_alone "$CC $level"
done
if command -v musl-gcc >/dev/null; then
    libc=libc.so
    build musl-gcc -O0 && both_libcs musl-gcc
else
    skip "no musl-gcc"
fi

finish
