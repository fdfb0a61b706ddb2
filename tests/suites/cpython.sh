#!/bin/sh
# SPDX-License-Identifier: ISC
# CPython's own tests of sockets, waits, processes, signals and protocols, from the package libpython3.11-testsuite.
#
#     cpython.sh [WAY [MODULE_OR_TEST ...]]

# shellcheck disable=SC2034
suite=cpython
# shellcheck source=tests/suites/suite.sh
. "$(dirname "$0")/suite.sh"

suite_ready()
{
    "$PYTHON" -c 'import test.test_socket' 2>/dev/null ||
        suite_skip "$PYTHON has no package test (Debian: libpython3.11-testsuite)"
}

# Again behind a test that hangs or kills the process.
suite_try()
{
    patterns=/dev/null
    case $1 in under*) patterns=$work/patterns ;; esac
    tries=0
    until suite_run "$1" "$PYTHON" "$top_srcdir/tests/suites/cpython.py" "$work/$1" "$patterns" "$2" ||
        [ $tries = 20 ]; do
        tries=$((tries + 1))
    done
}

suite_enter "$0" "$@"
suite_least 4300 2500 2800
protocols='test_ssl test_ftplib test_httplib test_urllib2_localnet test_smtplib test_poplib test_imaplib test_xmlrpc
    test_socketserver test_httpservers test_telnetlib'
if [ $# -gt 1 ]; then
    shift
elif [ "$way" = direct ]; then
    # shellcheck disable=SC2086
    set -- test_socket test_select test_selectors test_epoll test_poll test_subprocess test_os test_posix test_signal \
        $protocols
    # Apart, so that the other ways need not try them bare once more.
    for module in $("$PYTHON" -c 'import os, test.test_asyncio; print(*os.listdir(test.test_asyncio.__path__[0]))'); do
        case $module in test_*.py) set -- "$@" "test_asyncio.${module%.py}" ;; esac
    done
else
    # shellcheck disable=SC2086
    set -- test_selectors $protocols test_asyncore test_asynchat test_docxmlrpc test_wsgiref test_socket test_logging
    # Of asyncio what comes near a socket: the rest is the same bare.
    for module in base_events buffered_proto events sendfile server sock_lowlevel ssl sslproto streams unix_events; do
        set -- "$@" "test_asyncio.test_$module"
    done
    # The longest of all, with little that leaves the machine: one way is enough.  Meanwhile danted's tries what is left
    # bare for both.
    [ "$way" != proxyd ] || set -- test_multiprocessing_spawn "$@"
fi
suite_compare "$@"
