#!/bin/bash
# SPDX-License-Identifier: ISC
# Tried as a new user would: a fresh clone, an empty environment, what README says, then an installation to a prefix and
# curl through danted with user and password.
[ -n "${BASH_VERSION:-}" ] || exec bash "$0" "$@"
# It builds twice, on a machine that has other things to do.
export real_limit=900
. "${srcdir:-.}/real.sh"
. "${srcdir:-.}/installed.sh"

clone=$work/clone
prefix=$work/prefix

# as_new COMMAND ...: in the clone, with what a login gives and no more.
as_new()
{
    (cd "$clone" && env -i HOME="$HOME" TERM=dumb PATH=/usr/sbin:/usr/bin:/sbin:/bin "$@") >"$work/out" 2>&1 </dev/null
}

# worked WHAT STATUS PATTERN ...: what as_new() said.
worked()
{
    local what=$1 status=$2 pattern
    shift 2
    [ "$status" = 0 ] || fault "$what: exit status $status: $(tail -n 25 "$work/out")"
    for pattern; do
        grep -Eq -- "$pattern" "$work/out" || fault "$what: no '$pattern' in: $(tail -n 25 "$work/out")"
    done
}

have make curl danted git || finish
git -c safe.directory='*' -C "$top_srcdir" rev-parse -q --verify HEAD >/dev/null 2>&1 || skip 'no repository to clone'
network
start_httpd
start_leak $proxy4 1081
start_danted username
git -c safe.directory='*' clone -q "$top_srcdir" "$clone" 2>"$work/err" || skip "cannot clone: $(cat "$work/err")"

# The two commands to set it up, as README has them.
sed -n 's/^    \$ \(scripts\/[a-z]*\)$/\1/p' "$clone/README" | sed '/bootstrap/d' >"$work/commands"
same 'commands of README' "scripts/demo
scripts/check" "$(cat "$work/commands")"

as_new "$(sed -n 1p "$work/commands")"
worked demo $? '^hello from the target, asked as demo.example' '^hello from the target, asked as 127.0.0.1' \
    '^  request CONNECT name demo.example' '^  request CONNECT ipv4 127.0.0.1'

# A command of one's own, shown as it would be typed.
as_new "$(sed -n 1p "$work/commands")" printf '%s|' "it's" 'a b' '' x
quoted="'%s[|]' 'it'[\\\\]''s' 'a b' '' x"
worked 'demo of a command' $? "^[$] SOCKSIFY_DIRECT= socksify -x socks5://127.0.0.1:[0-9]+ printf $quoted\$" \
    "^it's[|]a b[|][|]x[|]" '^The proxy saw:$' '^  nothing$'

# All its tests would run this one again.  Without optimization it is built in half the time.
as_new CFLAGS=-O0 CHECK_ONLY='check_addr launcher.sh preload_connect.sh' "$(sed -n 2p "$work/commands")" --quick
worked check $? '^3 passed, 0 failed, 0 skipped$'

mark_leak
if in_tree "$clone/build/gcc" "$prefix" install; then
    walk "$prefix"
    in_tree "$clone/build/gcc" "$prefix" uninstall
    same 'left by uninstall' '' "$(find "$prefix" ! -type d)"
fi
finish
