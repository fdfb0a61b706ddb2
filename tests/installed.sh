# SPDX-License-Identifier: ISC
# shellcheck shell=bash disable=SC2154
# For tests that use socksify as it is installed, with real.sh: through danted, with user and password.

address=$proxy4:1081

# in_tree BUILD PREFIX TARGET [VARIABLE=VALUE ...]: make install, or uninstall, with all directories below the prefix.
in_tree()
{
    local build=$1 prefix=$2 target=$3
    shift 3
    make -s --no-print-directory -C "$build" prefix="$prefix" exec_prefix="$prefix" bindir="$prefix/bin" \
        libdir="$prefix/lib" libexecdir="$prefix/libexec" datarootdir="$prefix/share" mandir="$prefix/share/man" \
        "$@" "$target" >"$work/make.out" 2>&1 && return
    fault "make $target: $(tail -n 5 "$work/make.out")"
    return 1
}

# user PREFIX COMMAND ...: as a login would have it, with the prefix in the PATH; answers in out and err.
user()
{
    local prefix=$1
    shift
    timeout -k 2 20 ip netns exec "$client" env -i HOME="$HOME" TERM=dumb PATH="$prefix/bin:/usr/bin:/bin" \
        SOCKSIFY_STATE="$work/state" "$@" >"$work/out" 2>"$work/err" </dev/null
}

# carried WHAT EXPECTED PREFIX COMMAND ...
carried()
{
    local what=$1 want=$2
    shift 2
    user "$@"
    same "$what: exit status" 0 $?
    same "$what" "$want" "$(cat "$work/out" "$work/err")"
    no_leak "$what"
}

# fails WHAT STATUS PATTERN PREFIX COMMAND ...
fails()
{
    local what=$1 want=$2 pattern=$3
    shift 3
    user "$@"
    same "$what: exit status" "$want" $?
    grep -q -- "$pattern" "$work/err" || fault "$what: no '$pattern' in: $(cat "$work/err")"
}

# walk PREFIX: what a user does first.
walk()
{
    local prefix=$1 page="hello 203.0.113.1 at $target4 as four.example" get='curl -sS -m 15 http://four.example/hello'
    # shellcheck disable=SC2086
    {
        carried 'user and password in the URL' "$page" "$prefix" socksify -x "socks5://alice:secret@$address" $get
        carried 'password in the environment' "$page" "$prefix" \
            SOCKSIFY_PASSWORD=secret socksify -x "socks5://$address" -u alice $get
        carried 'proxy in the environment' "$page" "$prefix" \
            SOCKSIFY_PROXY="socks5://alice:secret@$address" socksify sh -c "$get"
        fails 'a wrong password' 7 'curl: (7)' "$prefix" \
            SOCKSIFY_PASSWORD=wrong socksify -v -x "socks5://$address" -u alice $get
    }
    fails 'no proxy named' 125 'no proxy' "$prefix" socksify true
    fails 'no such command' 127 'not found' "$prefix" socksify -x "socks5://$address" no-such-command
    user "$prefix" socksify --version
    grep -q '^socksify [0-9]' "$work/out" || fault "--version: $(cat "$work/out" "$work/err")"
}
