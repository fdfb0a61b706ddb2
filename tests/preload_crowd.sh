#!/bin/sh
# SPDX-License-Identifier: ISC
# Many names, in one process and in many at once, in a state of the test's own; and while its file is damaged.
. "${srcdir:-.}/alone.sh"
. "${srcdir:-.}/preload.sh"

PROBE=${NAMES_CROWD:-./names_crowd}
environment="SOCKSIFY_PROXY=socks5://127.0.0.1:1 SOCKSIFY_STATE=$work/state"
mkdir -m 700 "$work/state"

# run NAME COMMAND...: no fault was found; standard input is the output it must have.
run()
{
    gives "$@"
    [ ! -e "$err" ] || sed 's/^/    /' "$err"
}

run "10,000 names in one process" many 10000 </dev/null
echo "32500 names of 64 processes" | run "1,000 names in each of 64 processes" crowd 64 1000
grep -q socksify "$err" && bad "64 processes: something was said"
file=$(echo "$work"/state/socksify-*.state)
echo "    the file has $(du -k "$file" | cut -f 1) KiB"
echo "30000 bytes of damage" | run "damage" damage 4 "$file"
# What comes next has a map again.
environment="$environment SOCKSIFY_LOG=quiet"
echo "1000 names of 4 processes" | run "afterwards" crowd 4 400
finish
