#!/bin/sh
# SPDX-License-Identifier: ISC
# --check, --show and the options that only they and the configuration know.
. "${srcdir:-.}/preload.sh"

: "${SOCKSIFY:=$top_builddir/scripts/socksify}"

# launcher EXPECTED NAME ARGUMENT ...: ends with that status; output and errors in $out and $err.
launcher()
{
    expected=$1
    name=$2
    shift 2
    timeout -k 1 "$patience" "$SOCKSIFY" "$@" >"$out" 2>"$err" </dev/null
    status=$?
    [ "$status" = "$expected" ] && ok "$name" || bad "$name: exit status $status: $(cat "$out" "$err")"
}

# tells NAME PATTERN ...: the output has a line for each.
tells()
{
    name=$1
    shift
    for pattern; do
        grep -Eq "$pattern" "$out" && ok "$name: $pattern" || bad "$name: no '$pattern' in: $(cat "$out")"
    done
}

start_proxy --host localhost=127.0.0.1
launcher 0 "a proxy" -x "socks5://127.0.0.1:$proxy" --check
tells "a proxy" '^reachable +yes +[0-9]+ ms' '^SOCKS5 +yes .* no credentials$' '^name +yes' '^pipelining +yes' \
    '^IPv6 +yes' '^UDP +yes' '^BIND +yes'
if grep -E ' $|yes +[0-9]+ ms +(the|conn|host|gen)' "$out"; then bad "blanks and errors in good rows"; else ok "good rows"; fi
# What refuses the target knows the request all the same.
start_proxy --host localhost=127.0.0.1 --on localhost refuse=5 --on '[::1]' refuse=4
launcher 0 "targets refused" -x "socks5://127.0.0.1:$proxy" --check
tells "targets refused" '^name +yes +[0-9]+ ms$' '^IPv6 +yes +[0-9]+ ms$'
# A row is there as soon as its step is over, whatever the next one waits for.
start_proxy --hang method
mkfifo "$work/rows"
timeout -k 1 "$patience" "$SOCKSIFY" -t 60 -x "socks5://127.0.0.1:$proxy" --check >"$work/rows" 2>"$err" </dev/null &
pid=$!
pids="$pids $pid"
{ IFS= read -r first && IFS= read -r second; } <"$work/rows"
kill "$pid"
[ "$first ${second%% *}" = "proxy 127.0.0.1:$proxy reachable" ] && ok "rows at once" || bad "rows: $first, $second"
start_proxy --user alice --password geheim --require-auth --no-udp 7 --no-bind eof --swallow
launcher 1 "no credentials" -x "socks5://127.0.0.1:$proxy" --check
tells "no credentials" '^credentials +no .* it wants a user and a password: give the user with -u$'
launcher 1 "wrong credentials" -x "socks5://alice:falsch@127.0.0.1:$proxy" --check
tells "wrong credentials" '^credentials +no .*refused user or password'
launcher 0 "right credentials" -t 2 -x "socks5://alice:geheim@127.0.0.1:$proxy" --check
tells "right credentials" '^credentials +yes' '^UDP +no' '^BIND +no' '^pipelining +no'
SOCKS_SERVER=127.0.0.1:$proxy SOCKS_USERNAME=alice SOCKS_PASSWORD=geheim launcher 0 "Dante's variables" -t 2 --check
tells "Dante's variables" '^credentials +yes'
# It never answers what comes in one flight, which is found out long before the limit of a step.
launcher 0 "no pipelining, said soon" -t 3600 -x "socks5://alice:geheim@127.0.0.1:$proxy" --check
tells "no pipelining, said soon" '^pipelining +no' '^UDP +no'
if grep -q geheim "$out" "$err"; then bad "the password is shown"; else ok "the password is not shown"; fi
start_proxy --garbage method
launcher 1 "no SOCKS5" -t 2 -x "socks5://127.0.0.1:$proxy" --check
tells "no SOCKS5" '^SOCKS5 +no'
launcher 1 "nobody there" -x socks5://127.0.0.1:1 --check
tells "nobody there" '^reachable +no .*refused'
launcher 125 "nothing configured" --check

launcher 0 "a command" -x socks5://h --check sh -c 'exit 3'
tells "a command" '^sh would use the proxy$'
launcher 127 "no command" -x socks5://h --check ./no-such-command

printf '#!/no/such/interpreter\n' >"$work/script"
chmod +x "$work/script"
launcher 127 "no interpreter" -x socks5://h --check "$work/script"
grep -q "^socksify: $work/script: /no/such/interpreter, which it runs, does not exist$" "$err" && ok "no interpreter: why" ||
    bad "no interpreter: $(cat "$err")"
launcher 127 "no interpreter, run" -x socks5://h "$work/script"

# What somebody wrote into a script moves no terminal's cursor, and text of any language can be read.
escape=$(printf '\033[2J\233\302\233')
printf '#!/no/\303\244/%s/it\n' "$escape" >"$work/forged"
chmod +x "$work/forged"
launcher 127 "control characters in a script" -x socks5://h --check "$work/forged"
expected="socksify: $work/forged: $(printf '/no/\303\244')/\\x1b[2J\\x9b\\xc2\\x9b/it, which it runs, does not exist"
[ "$(cat "$err")" = "$expected" ] && ok "control characters: escaped" || bad "control characters: $(od -c "$err")"

# A program that starts as another user takes no object along, so it does not start.
if [ "$(id -u)" = 0 ] && ! grep -q '^NoNewPrivs:.*1' /proc/self/status; then
    cp "$PROBE" "$work/setid"
    chown 65534:65534 "$work/setid"
    launcher 0 "of another user" -x socks5://h --check "$work/setid"
    chmod 4755 "$work/setid"
    launcher 126 "set-user-ID" -x socks5://h --check "$work/setid"
    grep -q "^socksify: $work/setid refused: .*another effective user" "$err" && ok "set-user-ID: why" ||
        bad "set-user-ID: $(cat "$err")"
    launcher 126 "set-user-ID, run" -x socks5://h "$work/setid" --help
    [ ! -s "$out" ] && ok "set-user-ID: did not run" || bad "set-user-ID: ran: $(head -n 1 "$out")"
    chmod 2755 "$work/setid"
    launcher 126 "set-group-ID" -x socks5://h --check "$work/setid"
else
    skip "set-user-ID programs: for root"
fi

# A static program, which traps at once; what lets it run may stand in the file as well.
echo 'void _start(void); void _start(void) { __builtin_trap(); }' >"$work/start.c"
${CC:-cc} -nostdlib -O1 -fno-stack-protector -static "$work/start.c" -o "$work/static" || bad "cannot make a static program"
printf 'proxy = socks5://h\nbypass = allow\n' >"$work/allow"
launcher 126 "static" -x socks5://h --check "$work/static"
grep -q 'is statically linked; one that is linked to libc.so can be carried; SOCKSIFY_BYPASS=allow runs it' "$err" && ok "static: why" || bad "static: $(cat "$err")"
launcher 0 "static, allowed by the file" -c "$work/allow" --check "$work/static"
tells "static, allowed by the file" '/static would run without the proxy: it is statically linked, and bypass=allow lets it$'
launcher 126 "static, run" -x socks5://h "$work/static"
timeout -k 1 "$patience" "$SOCKSIFY" -c "$work/allow" "$work/static" >"$out" 2>"$err" </dev/null
[ $? -gt 128 ] && ok "static, allowed by the file, run" || bad "static, allowed by the file, run: $(cat "$err")"

printf 'geheim\n' >"$work/password"
chmod 600 "$work/password"
printf 'bind-ports = 21, 8000-8010\n[rules]\nproxy = 127.0.0.0/8\nblock = *:25\nvia work = .a\n[proxy work]\nproxy = socks5://u:geheim@w\n' \
    >"$work/rules"
chmod 600 "$work/rules"
launcher 0 show -c "$work/rules" -x socks5://alice@h:7 --password-file="$work/password" --dns=local --bind=on --pipeline=auto \
    -t 2.5 -d '.a:1-2,[2001:db8::]/32' --show
sed -n '1,$p' >"$work/expected" <<END
file     $work/rules
given    -x, --password-file, -d, -t, --dns, --bind, --pipeline
proxy    h:7, with user and password
proxy    w:1080, named work, with user and password
timeout  2.500 s for a step, 2.500 s for the last
dns      local
pool4    198.18.0.0/15
pool6    fd00::/8
bypass   refuse
bind     on, ports 21,8000-8010
pipeline auto
log      warn
stats    off
rules, the first that matches decides:
direct   .a:1-2
direct   [2001:db8::]/32
proxy    127.0.0.0/8
block    *:25
via work .a
direct   loopback, but for port 53
block    multicast, broadcast and link-local addresses
proxy    *
END
result show "$work/expected"
# Where a file would have been, what counted and what did not, and no credentials.
mkdir -p "$work/home/.config/socksify"
shown()
{
    what=$1
    shift
    (
        unset XDG_CONFIG_HOME
        export HOME="$work/home" SOCKS5_USER=mallory SOCKS5_PASSWORD=geheim ALL_PROXY=http://h
        export NO_PROXY='.b,<local>,10.0.0.0/8 10.0.0.0/40,u:geheim@h,!c'
        launcher 0 "$what" "$@" --show
    )
    if grep -e geheim -e mallory "$out" "$err"; then bad "$what: credentials"; else ok "$what: no credentials"; fi
    grep -v '/etc/socksify.conf' "$out" | sed '/^proxy /,$d' >"$work/head"
    sed "s|~|$work/home/.config/socksify/socksify.conf|" | cmp -s - "$work/head" && ok "$what: head" ||
        bad "$what: head: $(cat "$work/head")"
}
shown "--show, no file" -vx socks5://h -u alice --stats <<END
no file  ~: the file does not exist
file     none
given    -v, -q or -l, -x, -u, a password to be asked for, NO_PROXY, --stats
ignored  ALL_PROXY, SOCKS5_USER, SOCKS5_PASSWORD
skipped  <local>, 10.0.0.0/40, an item with an @, !c in NO_PROXY
END
SOCKSIFY_PROXY=socks5://h all_proxy=socks5://i shown "--show, a proxy that counts more" <<END
no file  ~: the file does not exist
file     none
given    SOCKSIFY_PROXY, SOCKS5_USER, SOCKS5_PASSWORD, NO_PROXY
ignored  ALL_PROXY, all_proxy
skipped  <local>, 10.0.0.0/40, an item with an @, !c in NO_PROXY
END
all_proxy=socks5://i shown "--show, all_proxy" <<END
no file  ~: the file does not exist
file     none
given    all_proxy, SOCKS5_USER, SOCKS5_PASSWORD, NO_PROXY
ignored  ALL_PROXY
skipped  <local>, 10.0.0.0/40, an item with an @, !c in NO_PROXY
END
echo 'proxy = socks5://u:geheim@h' >"$work/home/.config/socksify/socksify.conf"
chmod 600 "$work/home/.config/socksify/socksify.conf"
shown "--show, the user's file" -d .a <<END
file     ~
given    -d
ignored  ALL_PROXY, SOCKS5_USER, SOCKS5_PASSWORD, NO_PROXY
END
launcher 125 "--show with a command" -x socks5://h --show true
# Without a proxy there is still something to see.
launcher 125 "--show without a proxy" -d .a --show
tells "--show without a proxy" '^file +none$' '^proxy +none$' '^direct +\.a$'
grep -q 'no proxy: ' "$err" && ok "--show: no proxy" || bad "--show: no proxy: $(cat "$err")"
finish
