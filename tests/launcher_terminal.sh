#!/bin/sh
# SPDX-License-Identifier: ISC
# The launcher on a terminal: the warning about a password that others can read, and the question for one.
. "${srcdir:-.}/guard.sh"

: "${SOCKSIFY:=$top_builddir/scripts/socksify}"
need_tool script
need_tool setsid
need_file "$SOCKSIFY"
need_file "$OBJECT"

unset SOCKSIFY_PROXY SOCKSIFY_USER SOCKSIFY_PASSWORD SOCKSIFY_PASSWORD_FILE SOCKSIFY_LOG
cd "$work" || exit 99

# terminal COMMAND: runs the shell command on a terminal of its own; what appears there goes to the file screen.
terminal()
{
    script -qec "$1" typescript >screen 2>&1
}

warnings()
{
    grep -c 'socksify: warning: .*password' screen
}

terminal "$SOCKSIFY -x socks5://alice:geheim@127.0.0.1:1080 true" </dev/null || fault "with a password: $(cat screen)"
[ "$(warnings)" = 1 ] || fault "not one warning: $(cat screen)"
terminal "$SOCKSIFY -q -x socks5://alice:geheim@127.0.0.1:1080 true" </dev/null
[ "$(warnings)" = 0 ] || fault "a warning with -q: $(cat screen)"
terminal "$SOCKSIFY -x socks5://alice@[::1]:1080 true" </dev/null
[ "$(warnings)" = 0 ] || fault "a warning without a password: $(cat screen)"

# shellcheck disable=SC2016
echo 'g e\h%' | terminal "$SOCKSIFY"' -x socks5://127.0.0.1 -u alice sh -c '\''
    printf "%s" "$SOCKSIFY_PASSWORD" >password; stty -a >modes'\' || fault "asked: $(cat screen)"
grep -q 'password of alice:' screen || fault "no question: $(cat screen)"
[ "$(cat password)" = 'g e\h%' ] || fault "the password became '$(cat password)'"
grep -Eq '(^| )echo( |;|$)' modes || fault "the echo stays off"

SOCKSIFY_PASSWORD=x terminal "$SOCKSIFY -x socks5://127.0.0.1 -u alice true" </dev/null || fault "$(cat screen)"
grep -q 'password of' screen && fault "asked although the environment has one"

# Nobody types a password for what cannot run.
for arguments in '-x socks5://127.0.0.1:0 -u alice true' '-x socks5://127.0.0.1 -u alice ./no-such-command'; do
    terminal "$SOCKSIFY $arguments" </dev/null && fault "$arguments: ran"
    grep -q 'password of' screen && fault "$arguments: asked for a password"
done

# A shell of the user's, whose prompt says what it is, and whose commands are socksified; bash's own files set a prompt.
shell()
{
    printf '%s\n' 'echo preload=$LD_PRELOAD' 'sh -c "exit 7"' 'exit $?' |
        SHELL=$1 HOME=$work terminal "$SOCKSIFY -x socks5://127.0.0.1 --shell"
    [ $? = 7 ] || fault "$1: not the shell's exit status: $(cat screen)"
    grep -q 'preload=/.*/libsocksify.so' screen || fault "$1: no object in the shell's children: $(cat screen)"
    grep -q '(socksify) '"$2" screen || fault "$1: no mark in the prompt: $(cat screen)"
}

echo "PS1='mine> '" >.bashrc
shell /bin/sh ''
shell /bin/bash 'mine> '
"$SOCKSIFY" -x socks5://127.0.0.1 --shell true >screen 2>&1
[ $? = 125 ] && grep -q 'takes no command' screen || fault "--shell with a command: $(cat screen)"

# Without a terminal there is nobody to ask.
setsid "$SOCKSIFY" -x socks5://127.0.0.1 -u alice touch ran </dev/null >screen 2>&1
[ $? = 125 ] && [ ! -e ran ] || fault "without a terminal: $(cat screen)"
grep -q 'no terminal .*SOCKSIFY_PASSWORD, or give --password-file=FILE$' screen ||
    fault "without a terminal: $(cat screen)"
finish
