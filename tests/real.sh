# SPDX-License-Identifier: ISC
# shellcheck shell=bash disable=SC2034
# What the tests with real servers and programs share: three network namespaces, and a counter of leaks.
#
#   client   198.51.100.2, 2001:db8:1::2   its default routes lead into a sink, and so do its resolvers
#   proxy    198.51.100.1, 2001:db8:1::1   the proxy host; 203.0.113.1, 2001:db8:2::1 on the other side
#   target   203.0.113.10, 2001:db8:2::10  target.example, four.example and six.example, names that only `proxy` knows
#
# A test ends with `finish`; a program it lacks is named by `have`, and then a test without faults counts as skipped.

# No test lasts longer than this, whatever hangs; one that must sets real_limit, in seconds.
if [ -z "${real_timed:-}" ]; then
    real_timed=1 exec timeout -k 10 "${real_limit:-115}" bash "$0" "$@"
fi

. "${srcdir:-.}/guard.sh"

: "${builddir:=.}" "${srcdir:=.}" "${CC:=cc}"
: "${PROXYD:=$builddir/proxyd}" "${LEAK:=$builddir/leak}" "${PROBE:=$builddir/probe}"
case $OBJECT in
/*) ;;
*) OBJECT=$PWD/$OBJECT ;;
esac

# Debian's, not one that is a script in front of it.
python=/usr/bin/python3
[ -x $python ] || python=python3

client=socksify-$$-c proxy=socksify-$$-p target=socksify-$$-t
proxy4=198.51.100.1 proxy6=2001:db8:1::1 client4=198.51.100.2
target4=203.0.113.10 target6=2001:db8:2::10
url=socks5://$proxy4:1080
servers=() missing='' ipv6=yes

for variable in $(compgen -e | grep -iE '^(socks[a-z0-9]*_|[a-z]*_proxy$|git_|java_|jdk_|node_|perl5|python|curl_|wgetrc)'); do
    unset "$variable"
done
PATH=$PATH:/usr/sbin:/sbin
unset LD_PRELOAD CDPATH BASH_ENV ENV SSH_AUTH_SOCK
export HOME=$work/home
mkdir -p "$HOME"
mkdir -m 700 "$work/state"

skip()
{
    echo "skipped: $*" >&2
    exit 77
}

# have PROGRAM ...: what needs them can be tried.  The names of those that are missing are kept for finish().
have()
{
    local program all=0
    for program; do
        command -v "$program" >/dev/null 2>&1 && continue
        all=1
        case " $missing " in
        *" $program "*) ;;
        *) missing="$missing $program" ;;
        esac
    done
    return $all
}

finish()
{
    [ $failed = 0 ] && [ -n "$missing" ] && skip "no$missing"
    exit $failed
}

# same WHAT EXPECTED GOT
same()
{
    [ "$2" = "$3" ] || fault "$1: '$3', not '$2'"
}

# stop_server PID: and wait for its end.
stop_server()
{
    kill "$1" 2>/dev/null
    wait "$1" 2>/dev/null
}

# Every process in a namespace of this test was started by this test, whoever's child it has become.
stop()
{
    local space
    trap '' TERM INT HUP
    # shellcheck disable=SC2154
    [ -z "${counter_PID:-}" ] || stop_server "$counter_PID"
    [ ${#servers[@]} = 0 ] || kill "${servers[@]}" 2>/dev/null
    for space in "$client" "$proxy" "$target"; do
        [ -e "/run/netns/$space" ] || continue
        # shellcheck disable=SC2046
        kill -KILL $(ip netns pids "$space") 2>/dev/null
        ip netns del "$space"
    done
    rm -rf "/etc/netns/$client" "/etc/netns/$proxy" "/etc/netns/$target" "$work"
    rmdir /etc/netns 2>/dev/null
}
trap stop EXIT
trap 'fault "cut off after too long a time"; exit 1' TERM
trap 'exit 1' INT HUP

# The files of /etc that a namespace sees instead of the machine's.
private_etc()
{
    local space tries=0
    for space in "$client" "$proxy" "$target"; do
        # A test that ends beside this one may remove the empty directory above.
        until mkdir -p "/etc/netns/$space" || [ $((tries += 1)) -gt 9 ]; do :; done
        printf '127.0.0.1 localhost\n::1 localhost\n' >"/etc/netns/$space/hosts"
        echo 'hosts: files' >"/etc/netns/$space/nsswitch.conf"
    done
    cat >>"/etc/netns/$proxy/hosts" <<END
$target4 target.example four.example
$target6 target.example six.example
203.0.113.99 far.example
203.0.113.66 denied.example
END
    echo 'hosts: files dns' >"/etc/netns/$client/nsswitch.conf"
    printf 'nameserver 192.0.2.53\nnameserver 127.0.0.1\noptions timeout:1 attempts:1\n' \
        >"/etc/netns/$client/resolv.conf"
}

# alice, password secret, for servers that know the users of the machine alone; root may log in with a key.
private_users()
{
    local space hash
    hash=$(perl -e 'print crypt("secret", "\$6\$socksify\$")')
    for space in "$proxy" "$target"; do
        { grep -v '^root:' /etc/passwd && echo "root:x:0:0:root:$HOME:/bin/sh" &&
            echo 'alice:x:65533:65534:alice:/nonexistent:/bin/false'; } >"/etc/netns/$space/passwd"
        printf 'root:*:19000:0:99999:7:::\nnobody:*:19000:0:99999:7:::\nalice:%s:19000:0:99999:7:::\n' "$hash" \
            >"/etc/netns/$space/shadow"
        chmod 600 "/etc/netns/$space/shadow"
    done
}

# link NAMESPACE DEVICE NAMESPACE DEVICE: both ends up, without addresses of the kernel's own choice.
link()
{
    ip -n "$1" link add "$2" type veth peer name "$4" netns "$3" &&
        ip -n "$1" link set "$2" addrgenmode none up && ip -n "$3" link set "$4" addrgenmode none up
}

links()
{
    link "$client" proxy "$proxy" client && link "$client" sink "$proxy" hole && link "$proxy" target "$target" proxy &&
        ip -n "$client" link set sink arp off &&
        ip -n "$client" address add $client4/30 dev proxy && ip -n "$proxy" address add $proxy4/30 dev client &&
        ip -n "$client" route add default dev sink src $client4 &&
        ip -n "$proxy" address add 203.0.113.1/24 dev target &&
        ip -n "$proxy" route add unreachable 203.0.113.99 &&
        ip -n "$target" address add $target4/24 dev proxy
}

links6()
{
    ip -n "$client" address add 2001:db8:1::2/64 dev proxy nodad &&
        ip -n "$proxy" address add $proxy6/64 dev client nodad &&
        ip -n "$client" route add default dev sink src 2001:db8:1::2 &&
        ip -n "$proxy" address add 2001:db8:2::1/64 dev target nodad &&
        ip -n "$target" address add $target6/64 dev proxy nodad
}

network()
{
    local space
    need_file "$OBJECT"
    need_file "$PROXYD"
    need_file "$LEAK"
    need_tool ip
    need_tool ss
    need_tool $python
    [ "$(id -u)" = 0 ] || skip 'not root, who alone may make network namespaces'
    for space in "$client" "$proxy" "$target"; do
        ip netns add "$space" 2>"$work/error" && ip -n "$space" link set lo up 2>"$work/error" ||
            skip "no network namespaces here: $(cat "$work/error")"
    done
    links 2>"$work/error" || skip "no network of veth devices here: $(cat "$work/error")"
    links6 2>"$work/error" || {
        ipv6=no
        missing="$missing IPv6"
    }
    private_etc
    private_users
}

# start NAMESPACE NAME COMMAND ...: a server; its number is then in $started, its output in $work/NAME.out.
start()
{
    local space=$1 name=$2
    shift 2
    ip netns exec "$space" "$@" >"$work/$name.out" 2>&1 </dev/null &
    started=$!
    servers+=("$started")
}

# listening NAMESPACE PORT NAME [u]: returns once something listens there, on TCP or on UDP.
listening()
{
    local tries=0
    until [ -n "$(ip netns exec "$1" ss "-Hln${4:-t}" "sport = :$2")" ]; do
        if [ $((tries += 1)) -gt 200 ] || ! kill -0 "$started" 2>/dev/null; then
            fault "$3 did not start: $(cat "$work/$3.out")"
            return 1
        fi
        sleep 0.05
    done
}

start_httpd()
{
    start "$target" httpd $python "$srcdir/real_httpd.py" 80 "$work/www"
    listening "$target" 80 httpd
}

# start_proxyd OPTION ...: on port 1080 of the proxy host; what it sees goes to $work/seen.
start_proxyd()
{
    : >"$work/seen"
    start "$proxy" proxyd "$PROXYD" --listen $proxy4 --port 1080 --log "$work/seen" --lifetime 120 \
        --host target.example=$target4 --host four.example=$target4 --host six.example=$target6 \
        --host far.example=203.0.113.99 "$@"
    proxyd=$started
    listening "$proxy" 1080 proxyd
}

# start_danted METHOD: none or username, on port 1081, its relays on UDP ports 40000 to 40999; its log is
# $work/danted.log.
start_danted()
{
    cat >"$work/danted.conf" <<END
logoutput: $work/danted.log
internal: client port = 1081
external: target
external.rotation: route
clientmethod: none
socksmethod: $1
user.privileged: root
user.unprivileged: nobody
client pass { from: 0/0 to: 0/0 }
client pass { from: ::/0 to: ::/0 }
socks block { from: 0/0 to: 203.0.113.66/32 }
socks pass {
    from: 0/0 to: 0/0
    log: connect error
    udp.portrange: 40000-40999
}
socks pass {
    from: ::/0 to: ::/0
    log: connect error
    udp.portrange: 40000-40999
}
END
    : >"$work/danted.log"
    chmod 755 "$work"
    chmod 666 "$work/danted.log"
    start "$proxy" danted danted -f "$work/danted.conf" -p "$work/danted.pid" -N 1
    danted=$started
    listening "$proxy" 1081 danted
}

# start_shadowsocks: a proxy at port 1083 of the client's loopback, and its other half at port 8388 of the proxy host,
# TCP and UDP both.  Sets $url.
start_shadowsocks()
{
    local way=(-s $proxy4 -p 8388 -k secret -m chacha20-ietf-poly1305 -u)
    url=socks5://127.0.0.1:1083
    start "$proxy" ss_server ss-server "${way[@]}"
    listening "$proxy" 8388 ss_server u
    start "$client" ss_local ss-local "${way[@]}" -l 1083 -b 127.0.0.1
    listening "$client" 1083 ss_local u
}

# start_leak [ADDRESS PORT] [ADDRESS LOW-HIGH] ...: counts from here on; TCP to a port, UDP to ports from LOW to HIGH is
# none.
start_leak()
{
    coproc counter { exec ip netns exec "$client" "$LEAK" "$@" 2>"$work/leaks"; }
    read -r -t 10 -u "${counter[0]}" line && [ "$line" = ready ] || {
        fault "no count of leaks: $(cat "$work/leaks")"
        exit 1
    }
}

# Sets $leaked and $allowed, the numbers of packets so far.
ask_leak()
{
    echo >&"${counter[1]}"
    read -r -t 10 -u "${counter[0]}" leaked allowed || {
        fault "the count of leaks ended: $(cat "$work/leaks")"
        exit 1
    }
}

mark_leak()
{
    ask_leak
    marked=$leaked marked_allowed=$allowed
}

# newest N: the last leaks.
newest()
{
    tail -n "$1" "$work/leaks" | sort | uniq -c
}

# no_leak WHAT: since mark_leak() no packet went elsewhere, and some to the proxy.
no_leak()
{
    ask_leak
    [ "$leaked" = "$marked" ] ||
        fault "$1: $((leaked - marked)) packets leaked: $(newest $((leaked - marked)))"
    [ "$allowed" -gt "$marked_allowed" ] || fault "$1: no packet to the proxy"
    marked=$leaked marked_allowed=$allowed
}

# bare COMMAND ...: in the client's namespace, without the object.
bare()
{
    timeout -k 2 20 ip netns exec "$client" "$@"
}

# through COMMAND ...: in the client's namespace, with the object and the proxy $url.
through()
{
    timeout -k 2 20 ip netns exec "$client" \
        env LD_PRELOAD="$OBJECT" SOCKSIFY_PROXY="$url" SOCKSIFY_STATE="$work/state" "$@"
}

# said WHAT FILE PATTERN: a server has written such a line; it may do so a moment after it served.
said()
{
    local tries=0
    until grep -Eq -- "$3" "$2"; do
        if [ $((tries += 1)) -gt 60 ]; then
            fault "$1: no '$3' in: $(tail -n 12 "$2")"
            return 1
        fi
        sleep 0.05
    done
}

# fetched WHAT EXPECTED REQUEST COMMAND ...: what it prints, what proxyd was asked for, and nothing leaked.
fetched()
{
    local what=$1 want=$2 request=$3
    shift 3
    : >"$work/seen"
    same "$what" "$want" "$("$@" 2>&1)"
    same "$what: the proxy" "$request" "$(grep ^request "$work/seen")"
    no_leak "$what"
}
