#!/bin/sh
# SPDX-License-Identifier: ISC
# The launcher: what it refuses, what it exports, what it makes of the command.
. "${srcdir:-.}/guard.sh"

: "${SOCKSIFY:=$top_builddir/scripts/socksify}"
need_file "$SOCKSIFY"
need_file "$OBJECT"

unset SOCKSIFY_PROXY SOCKSIFY_USER SOCKSIFY_PASSWORD SOCKSIFY_PASSWORD_FILE SOCKSIFY_DIRECT SOCKSIFY_BLOCK \
    SOCKSIFY_TIMEOUT SOCKSIFY_LOG SOCKSIFY_CONF SOCKS5_SERVER SOCKS_SERVER SOCKS5_USER SOCKS5_PASSWORD SOCKS5_PASSWD \
    SOCKS_USERNAME SOCKS_PASSWORD ALL_PROXY all_proxy NO_PROXY no_proxy LD_PRELOAD
url=socks5://127.0.0.1:1080
cd "$work" || exit 99

# refused PHRASE ARGUMENT ...: exit 125, one line with the phrase in it, and nothing runs.
refused()
{
    phrase=$1
    shift
    rm -f ran
    "$SOCKSIFY" "$@" touch ran >out 2>err </dev/null
    status=$?
    [ $status = 125 ] || fault "$*: exit status $status"
    [ ! -e ran ] || fault "$*: the command was run"
    [ ! -s out ] || fault "$*: wrote to standard output: $(cat out)"
    [ "$(wc -l <err)" = 1 ] || fault "$*: not one line: $(cat err)"
    grep -q "^socksify: " err && grep -q -e "$phrase" err || fault "$*: no '$phrase' in: $(cat err)"
}

# runs STATUS OUTPUT ARGUMENT ...: the status and all that is written to standard output; nothing on standard error.
runs()
{
    expected=$1
    output=$2
    shift 2
    "$SOCKSIFY" "$@" >out 2>err </dev/null
    status=$?
    [ $status = "$expected" ] || fault "$*: exit status $status, not $expected: $(cat err)"
    [ "$(cat out)" = "$output" ] || fault "$*: printed '$(cat out)', not '$output'"
    [ ! -s err ] || fault "$*: wrote to standard error: $(cat err)"
}

# exports NAME=VALUE ARGUMENT ...: the command finds the variable in its environment.
exports()
{
    line=$1
    shift
    "$SOCKSIFY" "$@" env >out 2>err </dev/null || fault "$*: exit status $?: $(cat err)"
    grep -Fxq "$line" out || fault "$*: no $line but: $(grep "^${line%%=*}=" out)"
}

long=$(printf '%0256d' 0)
refused 'no proxy'
refused 'no proxy: .*ALL_PROXY, or in' -d x
ALL_PROXY=http://127.0.0.1:3128 refused 'no proxy: ALL_PROXY is not a socks5:// URL; ' -v
all_proxy=socks://127.0.0.1 refused 'no proxy: all_proxy is not'
for word in socks5://127.0.0.1 -xSOCKS5H://127.0.0.1; do
    refused '^socksify: no proxy: .*: socksify -x URL COMMAND \.\.\.$' -- touch $word
done
refused '-x: neither socks5:// nor socks5h://, and no other proxy can be used$' -x ftp://127.0.0.1
refused '-x: a user without a password: .*SOCKSIFY_PASSWORD' -x socks5://alice@127.0.0.1
refused '^socksify: --dns: neither remote nor local$' -x $url --dns=here
refused '^socksify: --bind: none of auto, on and off$' -x $url --bind=here
refused '^socksify: --pipeline: none of auto, on and off$' -x $url --pipeline=yes
refused '^socksify: --password-file: the file does not exist$' -x $url -u alice --password-file=/no/such/file
SOCKSIFY_DNS=here refused '^socksify: SOCKSIFY_DNS: neither' -x $url
refused 'not empty' -x ''
refused 'needs a value' -x $url --dns remote
refused 'needs a value' -x $url --password-file /x
refused 'host' -x socks5://
refused 'host' -x socks5://:1080
refused 'port' -x socks5://127.0.0.1:0
refused 'port' -x socks5://127.0.0.1:70000
refused 'port' -x socks5://127.0.0.1:8x
refused 'bracket' -x 'socks5://[::1:1080'
refused 'user' -x "socks5://$long:x@127.0.0.1"
refused 'percent' -x socks5://u%zz:x@127.0.0.1
refused 'NUL' -x socks5://u%00:x@127.0.0.1
refused '-d: the prefix length does not fit the address in item "10.0.0.0/33"$' -x $url -d 10.0.0.0/33
refused '-b: neither address, network, name nor \* in item "b..c"$' -x $url -b 'a b..c'
refused '-t: not a number' -x $url -t soon
refused 'unknown option -z' -z -x $url
refused 'unknown option --nonsense;' --nonsense
refused 'unknown option --proxy;' --proxy=$url
refused 'cannot write' -x $url -l "$work/no/such/file"
SOCKSIFY_PROXY=socks5://127.0.0.1:0 refused 'SOCKSIFY_PROXY'
SOCKSIFY_BLOCK=x/ refused 'SOCKSIFY_BLOCK' -x $url -d x
refused 'no/such/file: the file does not exist' -c no/such/file
printf 'proxy = %s\n\nwhat = x\n' $url >bad.conf
refused "$work/bad.conf:3: what: unknown key" -c bad.conf
SOCKSIFY_CONF=bad.conf refused "$work/bad.conf:3: what: unknown key" -x $url
SOCKSIFY_PASSWORD=secret refused 'user' -x $url -u "$long"

# Errors without a command to run, and the password in no message.
for arguments in "-x $url" -x '-l' "-x $url --" ''; do
    # shellcheck disable=SC2086
    "$SOCKSIFY" $arguments >out 2>err
    status=$?
    [ $status = 125 ] && [ "$(wc -l <err)" = 1 ] || fault "'$arguments': $status, $(cat err)"
done
"$SOCKSIFY" -x socks5://alice:geheim@127.0.0.1:0 true 2>err
grep -q geheim err && fault "the password is in the message"

runs 0 'socksify '"$("$SOCKSIFY" --version | sed 's/^socksify //')" --version
runs 0 "$("$SOCKSIFY" --help)" -h
[ "$("$SOCKSIFY" --help | head -n 1 | cut -c 1-15)" = 'usage: socksify' ] || fault 'no usage in --help'

# The command is run as it was given.
runs 0 '[a b][][*][-x]' -x $url "$(command -v env)" printf '[%s]' 'a b' '' '*' -x
runs 0 "[a
b

][\$(x)\`x\`][\\][?\"'][{a,b};&|]" -x $url printf '[%s]' 'a
b

' '$(x)`x`' '\' "?\"'" '{a,b};&|'
runs 7 '' -x $url sh -c 'exit 7'
# shellcheck disable=SC2016
"$SOCKSIFY" -x $url sh -c 'kill -TERM $$' 2>/dev/null
status=$?
[ $status = 143 ] || fault "ended by a signal: exit status $status"
# Signals are ignored or not as they were, and none is blocked.
# shellcheck disable=SC2016
for ignored in '' 'INT QUIT' HUP; do
    (
        for signal in $ignored; do
            trap '' "$signal"
        done
        grep '^Sig[BI]' /proc/self/status >bare
        "$SOCKSIFY" -x $url grep '^Sig[BI]' /proc/self/status >out 2>err
    )
    cmp -s bare out || fault "signals, with '$ignored' ignored: $(cat bare out err)"
done
# Of all that is started only the command is left: one shell becomes the helper, which becomes the command.
if command -v strace >/dev/null && strace -o /dev/null true 2>err; then
    strace -f -qq -e trace=execve,exit_group -o trace "$SOCKSIFY" -x $url true 2>err || fault "traced: $(cat err)"
    [ "$(grep -c 'execve(.* = 0$' trace)" = 3 ] || fault "not launcher, helper and command: $(cat trace)"
    [ "$(cut -d ' ' -f 1 trace | sort -u | wc -l)" = 1 ] || fault "not one process: $(cat trace)"
else
    echo "not tried: no strace, or it may not trace: $(cat err)" >&2
fi
"$SOCKSIFY" -x $url -- -no-such-command >out 2>err
[ $? = 127 ] && [ "$(wc -l <err)" = 1 ] || fault "not found: $(cat err)"
"$SOCKSIFY" -x $url ./no-such-command >out 2>err
[ $? = 127 ] || fault "no such path: $(cat err)"
: >plain
"$SOCKSIFY" -x $url ./plain >out 2>err
[ $? = 126 ] || fault "not executable: $(cat err)"
"$SOCKSIFY" -x $url "$work" >out 2>err
[ $? = 126 ] && [ "$(cat err)" = "socksify: cannot execute $work: Is a directory" ] || fault "a directory: $(cat err)"
# shellcheck disable=SC2016
pid=$(sh -c 'echo $$ >pid; exec "$@"' sh "$SOCKSIFY" -x $url sh -c 'echo $$') || fault 'the process is another'
[ "$pid" = "$(cat pid)" ] || fault 'the process is another'

# Options become variables, before those of the environment.
exports SOCKSIFY_PROXY=$url -x $url
SOCKSIFY_PROXY=socks5://192.0.2.1 exports SOCKSIFY_PROXY=$url -x $url
SOCKSIFY_DIRECT=192.0.2.1 exports SOCKSIFY_DIRECT= -x $url -d ''
exports SOCKSIFY_BLOCK=192.0.2.0/24 -x $url -b 192.0.2.0/24
exports SOCKSIFY_TIMEOUT=2.5 -x $url -t 2.5
exports SOCKSIFY_LOG=info -x $url -v
exports SOCKSIFY_STATS=on -x $url --stats
exports SOCKSIFY_LOG=debug -x $url -vv
exports SOCKSIFY_LOG=debug -x $url -v -v
exports SOCKSIFY_LOG=quiet -x $url -vq
exports SOCKSIFY_LOG=info:"$work/log" -x $url -l log
SOCKSIFY_LOG=debug exports SOCKSIFY_LOG=debug:"$work/log" -x $url -l log
SOCKSIFY_LOG=warn:"$work/log" exports SOCKSIFY_LOG=debug:"$work/log" -x $url -vv
ALL_PROXY=$url runs 0 '' true
SOCKS5_SERVER=127.0.0.1 runs 0 '' true

# A user of -u comes before one in any URL.
SOCKSIFY_PASSWORD=x exports SOCKSIFY_USER=bob -x $url -u bob
SOCKSIFY_PASSWORD=x exports SOCKSIFY_PROXY=$url -x socks5://alice:y@127.0.0.1:1080 -u bob
SOCKSIFY_PASSWORD=x SOCKSIFY_PROXY=socks5://alice@127.0.0.1:1080 exports SOCKSIFY_PROXY=$url -u bob
SOCKSIFY_PASSWORD=x ALL_PROXY=socks5h://alice:y@127.0.0.1 exports SOCKSIFY_USER=bob -u bob
ALL_PROXY=socks5://127.0.0.1:0 refused '^socksify: ALL_PROXY: port' -v
all_proxy=socks5://127.0.0.1:0 refused '^socksify: all_proxy: port' -v
ALL_PROXY=socks5://127.0.0.1 exports SOCKS5_SERVER=socks5://127.0.0.1
echo 'proxy = socks5://127.0.0.1:1' >file.conf
exports "SOCKSIFY_CONF=$work/file.conf" -c file.conf
ALL_PROXY=socks5://127.0.0.1:0 exports "SOCKSIFY_CONF=$work/file.conf" -c file.conf
# The command would go to the proxy by itself.
ALL_PROXY=SOCKS5://127.0.0.1 runs 1 "" printenv ALL_PROXY
ALL_PROXY=socks5://127.0.0.1 all_proxy=socks5h://127.0.0.2 runs 1 "" printenv ALL_PROXY all_proxy

# The object is the first of those preloaded, and once.
exports "LD_PRELOAD=$OBJECT" -x $url
LD_PRELOAD=libm.so.6 exports "LD_PRELOAD=$OBJECT:libm.so.6" -x $url
exports "LD_PRELOAD=$OBJECT" -x $url "$SOCKSIFY"
"$SOCKSIFY" -x $url grep -q libsocksify.so /proc/self/maps || fault 'the object is not in the process'

# altered NAME VALUE: a launcher with another path in it.
altered()
{
    sed "s|^socksify_$1=.*|socksify_$1='$2'|" "$SOCKSIFY" >altered && chmod +x altered
}

mkdir 'a b' 'a:b'
for directory in 'a b' 'a:b'; do
    cp "$OBJECT" "$directory/"
    altered object "$work/$directory/libsocksify.so"
    ./altered -x $url touch ran 2>err
    [ $? = 125 ] && grep -q 'blank or a colon' err || fault "$directory: $(cat err)"
done
altered object "$work/gone.so"
./altered -x $url touch ran 2>err
[ $? = 125 ] && [ ! -e ran ] || fault "object gone: $(cat err)"
# The loader passes an empty one over, and the program would run without it.
: >empty.so
altered object "$work/empty.so"
./altered -x $url touch ran 2>err
[ $? = 125 ] && [ ! -e ran ] && grep -q 'no object that the loader takes' err || fault "object empty: $(cat err)"
cp "$OBJECT" moved.so
altered object "$work/moved.so"
./altered -x $url sh -c ': >new.so && mv new.so moved.so && exec touch ran' 2>err
[ $? = 126 ] && [ ! -e ran ] && grep -q 'refused: the object' err || fault "object emptied: $(cat err)"

# Each program reads these files anew.
mkfifo pipe
refused '--password-file: a pipe is read once only' -x $url -u alice --password-file=pipe
refused 'a pipe is read once only' -x $url -c pipe

# A script without #! is run by a shell that has the object; a name may begin with a dash.
printf 'grep -c libsocksify /proc/$$/maps | sed s/[1-9].*/in/\necho "$0 $*"\n' >bare-script
chmod +x bare-script
runs 0 "in
./bare-script a b" -x $url ./bare-script a b
mkdir path
cp bare-script path/-c
PATH=$PATH:$work/path runs 0 "in
$work/path/-c a" -x $url -- -c a
# A variable of the environment stays exported when a shell sets it anew: none is set but those that are ours.
names='OPTARG level file user given mode option object helper url saved old old_file warn_password'
printf 'geheim\n' >secret
chmod 600 secret
# shellcheck disable=SC2046
env $(printf '%s=kept ' $names) "$SOCKSIFY" -x $url -u alice -v -l log --password-file=secret env >out 2>err
for name in $names; do
    grep -Fxq $name=kept out || fault "$name was changed: $(grep "^$name=" out) $(cat err)"
done
# Dante's user alone says nothing; only a blank or a colon ends a path in LD_PRELOAD.
SOCKS_USERNAME=alice runs 0 '' -x $url true
preloaded=$(readlink -f "$OBJECT")
LD_PRELOAD="$preloaded	x" "$SOCKSIFY" -x $url env >out 2>err
grep -Fxq "LD_PRELOAD=$preloaded:$preloaded	x" out || fault "a path that goes on: $(grep LD_PRELOAD out)"
# Without PATH the file that was judged is the one that runs.
env -u PATH "$SOCKSIFY" -x $url true || fault 'without PATH'

# No password in the arguments of what the launcher starts.
cat >helper <<'END'
#!/bin/sh
tr '\0' ' ' </proc/$$/cmdline >helper-arguments
shift 3
exec "$@"
END
chmod +x helper
altered helper "$work/helper"
./altered -x socks5://alice:geheim@127.0.0.1:1080 cat /proc/self/cmdline >arguments || fault 'a password in -x fails'
[ -s helper-arguments ] && [ -s arguments ] || fault 'the helper or the command was not run'
grep -q geheim helper-arguments arguments && fault 'a password in the arguments'
finish
