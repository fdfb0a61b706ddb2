#!/bin/bash
# SPDX-License-Identifier: ISC
# The way of a new user, in an empty environment: install to a prefix, run programs through danted with user and
# password, uninstall.
[ -n "${BASH_VERSION:-}" ] || exec bash "$0" "$@"
. "${srcdir:-.}/real.sh"
. "${srcdir:-.}/real_install.sh"

prefix=$work/prefix
address=$proxy4:1081

# user COMMAND ...: as a login would have it, with the prefix in the PATH; answers in out and err.
user()
{
    timeout -k 2 20 ip netns exec "$client" env -i HOME="$HOME" TERM=dumb PATH="$prefix/bin:/usr/bin:/bin" \
        SOCKSIFY_STATE="$work/state" "$@" >"$work/out" 2>"$work/err" </dev/null
}

# carried WHAT EXPECTED COMMAND ...
carried()
{
    local what=$1 want=$2
    shift 2
    user "$@"
    same "$what: exit status" 0 $?
    same "$what" "$want" "$(cat "$work/out" "$work/err")"
    no_leak "$what"
}

# fails WHAT STATUS PATTERN COMMAND ...
fails()
{
    local what=$1 want=$2 pattern=$3
    shift 3
    user "$@"
    same "$what: exit status" "$want" $?
    grep -q -- "$pattern" "$work/err" || fault "$what: no '$pattern' in: $(cat "$work/err")"
}

walk()
{
    local page="hello 203.0.113.1 at $target4 as four.example"
    carried 'user and password in the URL' "$page" \
        socksify -x "socks5://alice:secret@$address" curl -sS -m 15 http://four.example/hello
    carried 'password in the environment' "$page" \
        SOCKSIFY_PASSWORD=secret socksify -x "socks5://$address" -u alice curl -sS -m 15 http://four.example/hello
    carried 'proxy in the environment' "$page" \
        SOCKSIFY_PROXY="socks5://alice:secret@$address" socksify sh -c 'curl -sS -m 15 http://four.example/hello'
    fails 'a wrong password' 7 'curl: (7)' \
        SOCKSIFY_PASSWORD=wrong socksify -v -x "socks5://$address" -u alice curl -sS -m 15 http://four.example/hello
    fails 'no proxy named' 125 'no proxy' socksify true
    fails 'no such command' 127 'not found' socksify -x "socks5://$address" no-such-command
    user socksify --version
    grep -q '^socksify [0-9]' "$work/out" || fault "--version: $(cat "$work/out" "$work/err")"
}

have make curl danted || finish
network
start_httpd
start_leak $proxy4 1081
in_tree "$prefix" install || finish
[ -f "$prefix/share/man/man1/socksify.1" ] || fault 'no manual page'
start_danted username
mark_leak
walk
in_tree "$prefix" uninstall
same 'left by uninstall' '' "$(find "$prefix" ! -type d)"
finish
