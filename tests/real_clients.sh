#!/bin/bash
# SPDX-License-Identifier: ISC
# Programs from packages through proxyd and danted: git, ssh, perl, ncat, node and java, by name.
[ -n "${BASH_VERSION:-}" ] || exec bash "$0" "$@"
. "${srcdir:-.}/real.sh"
. "${srcdir:-.}/programs.sh"

: "${SOCKSIFY:=$top_builddir/scripts/socksify}"
need_file "$SOCKSIFY"
network
start_targets
start_leak $proxy4 1080 $proxy4 1081

start_proxyd
jobs_through proxyd
same 'proxyd: requests by address' '' "$(grep '^request' "$work/seen" | grep -v 'CONNECT name four.example')"
stop_server "$proxyd"

if have danted; then
    url=socks5://alice:secret@$proxy4:1081
    start_danted username
    jobs_through danted
    job 'danted: curl by the launcher' "$expected" \
        bare env SOCKSIFY_STATE="$work/state" "$SOCKSIFY" -x "$url" curl -sS -m 15 http://four.example/hello
fi
finish
