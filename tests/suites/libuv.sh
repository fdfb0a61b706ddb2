#!/bin/sh
# SPDX-License-Identifier: ISC
# libuv's own tests: node's loop, with streams, datagrams, names, processes, signals and files, from Debian's source
# package.
#
#     libuv.sh [WAY [GROUP_OR_TEST ...]]

# shellcheck disable=SC2034
suite=libuv
# shellcheck source=tests/suites/suite.sh
. "$(dirname "$0")/suite.sh"
runner=$SOURCES/libuv/test/run-tests
# Its files are looked for where it was built.
# shellcheck disable=SC2034
place=$SOURCES/libuv
# Loopback, multicast, and the network of documentation, where nobody is: what goes there is for the kernel to refuse.
# shellcheck disable=SC2034
direct=127.0.0.0/8,::1,239.0.0.0/8,ff00::/8,192.0.2.0/24
export UV_RUN_AS_ROOT=1 UV_TEST_TIMEOUT_MULTIPLIER=2

suite_ready()
{
    [ ! -x "$runner" ] || return 0
    suite_source libuv1 libuv
    cd "$SOURCES/libuv" || exit 99
    { sh autogen.sh && ./configure -q --disable-shared CFLAGS=-O1 && make -s -j2 test/run-tests; } >../libuv.log 2>&1 ||
        suite_skip "libuv does not build; see $SOURCES/libuv.log"
}

# Each in a process of its own, which ends by itself after some seconds.  A group is the word that names begin with.
suite_try()
{
    for name in $("$runner" --list | sed 's/ .*//' | grep "^$2\(_\|\$\)"); do
        suite_leaves "$1" "$name" && continue
        suite_run "$1" "$runner" "$name"
        case $? in
        0) echo "$name ok" ;;
        7) echo "$name skipped" ;;
        *) echo "$name error" ;;
        esac >>"$work/$1"
        cat "$work/$1.out" >>"$work/$1.err"
    done
}

suite_enter "$0" "$@"
suite_least 390 390 390
shift
# shellcheck disable=SC2046
[ $# -gt 0 ] || set -- $("$runner" --list | sed 's/_.*//' | sort -u)
suite_compare "$@"
