#!/bin/sh
# SPDX-License-Identifier: ISC
# libevent's own tests: its loops over epoll, its buffers, HTTP, DNS and TLS, from Debian's source package.
#
#     libevent.sh [WAY [GROUP_OR_TEST ...]]

# shellcheck disable=SC2034
suite=libevent
# shellcheck source=tests/suites/suite.sh
. "$(dirname "$0")/suite.sh"
regress=$SOURCES/libevent/test/regress

suite_ready()
{
    [ ! -x "$regress" ] || return 0
    suite_source libevent libevent
    cd "$SOURCES/libevent" || exit 99
    { ./configure -q --disable-samples --disable-shared CFLAGS=-O1 && make -s -j2 test/regress; } >../libevent.log \
        2>&1 || suite_skip "libevent does not build; see $SOURCES/libevent.log"
}

# Each in a process of its own.
suite_try()
{
    for name in $("$regress" --list-tests | sed 's/^ *//;s/ .*//' | grep "^$2\(/\|\$\)"); do
        suite_leaves "$1" "$name" && continue
        # It wants the look-up of localhost to fail for want of a descriptor: names that are looked up here need one.
        special=
        case $name in *_emfile) special=SOCKSIFY_DNS=local ;; esac
        suite_run "$1" "$regress" "$name"
        case $(tail -n 2 "$work/$1.out") in
        *'1 tests ok.  (0 skipped)'*) echo "$name ok" ;;
        *skipped*) echo "$name skipped" ;;
        *) echo "$name error" ;;
        esac >>"$work/$1"
    done
}

suite_enter "$0" "$@"
suite_least 340 340 340
shift
# shellcheck disable=SC2046
[ $# -gt 0 ] || set -- $("$regress" --list-tests | sed -n 's,^ *\([^ /]*\)/.*,\1,p' | uniq)
suite_compare "$@"
