#!/bin/sh
# SPDX-License-Identifier: ISC
# The tests of Perl's own IO and IO::Socket::IP, and of IO::Socket::SSL, HTTP::Daemon and LWP, from Debian's source
# packages, run with the installed Perl.
#
#     perl.sh [WAY [FILE ...]]      FILE: ssl/t/core.t

# shellcheck disable=SC2034
suite=perl
: "${LIMIT:=120}"
# shellcheck source=tests/suites/suite.sh
. "$(dirname "$0")/suite.sh"

suite_ready()
{
    perl -MNet::SSLeay -MHTTP::Daemon -MLWP -MTest::Needs -MTest::Fatal -MTest::RequiresInternet -e 1 2>/dev/null ||
        suite_skip 'some modules are missing (Debian: see scripts/needs)'
    suite_source libio-socket-ssl-perl ssl
    suite_source libhttp-daemon-perl daemon
    suite_source libwww-perl lwp
    suite_source perl perl
    # Where it lies when that is released apart.
    cp "$SOURCES/perl/t/test.pl" "$SOURCES/perl/t/charset_tools.pl" "$SOURCES/perl/dist/IO/t" || exit 99
}

# A file's tests are numbered; `end` is that it came to its end.  One that is listed is left out as a whole if FILE is.
suite_try()
{
    file=${2%%#*}
    [ "${LISTED-}" != yes ] && suite_leaves "$1" "$file" && return
    # shellcheck disable=SC2034
    place=$SOURCES/${file%%/t/*}
    suite_run "$1" perl -Ilib -It/lib "t/${file#*/t/}" &&
        echo "$file#end ok" >>"$work/$1"
    sed -n "s,^ok \([0-9]*\).*# skip.*,$file#\1 skipped,p;t;s,^ok \([0-9]*\).*,$file#\1 ok,p
        s,^not ok \([0-9]*\).*,$file#\1 error,p" "$work/$1.out" >>"$work/$1"
}

suite_enter "$0" "$@"
suite_least 1200 1200 1200
shift
# All but those that only look at names and at what is installed, or want the network outside, and one whose 16,406 tests
# are of the coding of characters.
# shellcheck disable=SC2046
[ $# -gt 0 ] || set -- $(cd "$SOURCES" && printf '%s\n' ssl/t/*.t daemon/t/*.t lwp/t/local/*.t lwp/t/robot/*.t \
    perl/dist/IO/t/io_*.t perl/dist/IO/t/cachepropagate-*.t perl/cpan/IO-Socket-IP/t/*.t |
    grep -v '/public_suffix\|/verify_hostname_\|loadmodule\|prereqs\|-internet\|/99pod\|/io_utf8.t')
suite_compare "$@"
