#!/bin/sh
# SPDX-License-Identifier: ISC
# The configuration file under the bare object: where it is looked for, what goes before it, and that a file which
# cannot be used lets nothing out.
. "${srcdir:-.}/preload.sh"

# Where the object is part of the probe (LINKED) other programs have none.

start_target
start_proxy
kept="SOCKSIFY_STATE=$work/state"
mkdir -p "$work/xdg/socksify" "$work/home/.config/socksify" "$work/none"
printf 'proxy = socks5://127.0.0.1:%s\n[rules]\nproxy = 127.0.0.0/8:%s\n' "$proxy" "$echo" >"$work/file"
cp "$work/file" "$work/xdg/socksify/socksify.conf"
cp "$work/file" "$work/home/.config/socksify/socksify.conf"

# proxied NAME: with $environment the echo goes through the proxy.
proxied()
{
    same "$1" echo "127.0.0.1:$echo"
    saw "$1: through the proxy" "request CONNECT ipv4 127.0.0.1:$echo"
}

# kept_in NAME PHRASE: with $environment a connection elsewhere fails at once, and one line says why.
kept_in()
{
    under echo 192.0.2.1:80
    grep -qx 'connect: -1 ENETUNREACH' "$out" && ok "$1" || bad "$1: $(cat "$out")"
    said "$1: told" 1 "$2"
    saw_nothing "$1: the proxy"
}

environment="$kept SOCKSIFY_CONF=$work/file XDG_CONFIG_HOME=$work/none"
proxied "named by a variable"
environment="$kept XDG_CONFIG_HOME=$work/xdg"
proxied "the user's"
environment="$kept XDG_CONFIG_HOME= HOME=$work/home"
proxied "the user's, in its usual place"
environment="$kept SOCKSIFY_CONF=$work/file SOCKSIFY_DIRECT=127.0.0.1"
same "a variable goes before the file" echo "127.0.0.1:$echo"
saw_nothing "a variable goes before the file: direct"

environment="$kept SOCKSIFY_CONF=$work/file"
if [ -z "${LINKED-}" ]; then
    # shellcheck disable=SC2086
    env $environment "LD_PRELOAD=$OBJECT" ls -l /proc/self/fd >"$out"
    if grep -qF "$work/file" "$out"; then bad "the file stays open"; else ok "nothing stays open"; fi
fi

# A program that empties the environment of its child.
environment="$kept XDG_CONFIG_HOME=$work/xdg"
if [ -z "${LINKED-}" ]; then
    # shellcheck disable=SC2086
    timeout -k 1 "$patience" env $environment "LD_PRELOAD=$OBJECT" env -i "$PROBE" echo "127.0.0.1:$echo" >"$out" 2>"$err"
    status=$?
    bare echo "127.0.0.1:$echo" >"$work/bare"
    result "without an environment" "$work/bare"
    saw "without an environment: through the proxy" "request CONNECT ipv4 127.0.0.1:$echo"
fi

environment="$kept SOCKSIFY_CONF=$work/gone SOCKSIFY_PROXY=socks5://127.0.0.1:$proxy"
kept_in "a file that is not there" "$work/gone: the file does not exist"
environment="$kept SOCKSIFY_CONF=file SOCKSIFY_PROXY=socks5://127.0.0.1:$proxy"
kept_in "a path that is not absolute" 'file: the path is not absolute'
printf 'proxy = socks5://127.0.0.1:%s\nblock = a\n' "$proxy" >"$work/bad"
environment="$kept SOCKSIFY_CONF=$work/bad"
kept_in "a fault in the file" "$work/bad:2: block: unknown key"
printf 'proxy = socks5://u:p@127.0.0.1:%s\n' "$proxy" >"$work/secret"
chmod 644 "$work/secret"
environment="$kept SOCKSIFY_CONF=$work/secret"
kept_in "a password for everyone" 'everyone may read'
printf 'proxy = socks5://127.0.0.1:%s\0\n' "$proxy" >"$work/nul"
environment="$kept SOCKSIFY_CONF=$work/nul"
kept_in "a NUL byte" 'NUL byte'
head -c 1048577 /dev/zero | tr '\0' '#' >"$work/large"
environment="$kept SOCKSIFY_CONF=$work/large"
kept_in "too large a file" 'larger than 1 MiB'
mkfifo "$work/pipe"
environment="$kept SOCKSIFY_CONF=$work/pipe"
kept_in "a pipe that nobody writes to" 'a pipe is read once only'

chmod 600 "$work/secret"
printf 'pass\n' >"$work/password"
chmod 644 "$work/password"
environment="$kept SOCKSIFY_PROXY=socks5://u@127.0.0.1:$proxy SOCKSIFY_PASSWORD_FILE=$work/password"
kept_in "a password file for everyone" 'everyone may read the file'

# A line about a refused connection says which rule it was.
printf 'proxy = socks5://127.0.0.1:%s\n[rules]\nblock = *:25\nblock = 192.0.2.0/24, b.test\n' "$proxy" >"$work/blocks"
environment="$kept SOCKSIFY_CONF=$work/blocks"
under connect 192.0.2.1:80
said "a rule of the file is named" 1 "192.0.2.1:80 refused: rule at $work/blocks:4\$"
under connect 127.0.0.1:25
said "another is" 1 "127.0.0.1:25 refused: rule at $work/blocks:3\$"
environment="$kept SOCKSIFY_CONF=$work/blocks SOCKSIFY_BLOCK=192.0.2.1"
under connect 192.0.2.1:80
said "a list is named" 1 '192.0.2.1:80 refused: rule of -b or SOCKSIFY_BLOCK$'
environment="$kept SOCKSIFY_CONF=$work/blocks SOCKSIFY_LOG=info"
if [ -z "${LINKED-}" ]; then
    # shellcheck disable=SC2086
    env $environment "LD_PRELOAD=$OBJECT" python3 -c 'import socket
try:
    socket.getaddrinfo("b.test", 80)
except socket.gaierror:
    pass' 2>"$err"
    said "the rule about a name is named" 1 "b.test refused: rule at $work/blocks:4\$"
fi

# Two proxies: what a rule sends to the one with a name goes there alone, with its credentials.
main_log=$proxy_log
main=$proxy
start_proxy --user bob --password other --require-auth --host name.test=127.0.0.1
printf 'proxy = socks5://127.0.0.1:%s\n[proxy work]\nproxy = socks5://bob:other@localhost:%s\n[rules]\n%s\n%s\n' \
    "$main" "$proxy" "via work = 127.0.0.1:$echo, .test" 'proxy = 127.0.0.0/8' >"$work/two"
chmod 600 "$work/two"
environment="$kept SOCKSIFY_CONF=$work/two SOCKSIFY_LOG=warn"
: >"$main_log"
same "through another proxy" echo "127.0.0.1:$echo"
saw "through another proxy" "request CONNECT ipv4 127.0.0.1:$echo"
same "through another proxy, O_NONBLOCK" identity-nonblock "127.0.0.1:$echo"
saw "through another proxy, O_NONBLOCK" "request CONNECT ipv4 127.0.0.1:$echo"
if [ -z "${LINKED-}" ]; then
    # shellcheck disable=SC2086
    env $environment "LD_PRELOAD=$OBJECT" python3 -c 'import socket, sys
socket.create_connection(("name.test", int(sys.argv[1])), 10)' "$echo"
    saw "a name through another proxy" "request CONNECT name name.test:$echo"
fi
[ ! -s "$main_log" ] && ok "nothing at the first" || bad "the first proxy saw: $(cat "$main_log")"
under connect "127.0.0.1:$refusing"
[ -s "$proxy_log" ] && bad "the rest went to the other: $(cat "$proxy_log")" || ok "nothing more at the other"
grep -q "request CONNECT ipv4 127.0.0.1:$refusing" "$main_log" && ok "the rest at the first" || bad "the rest at the first"
finish
