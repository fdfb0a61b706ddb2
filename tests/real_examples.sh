#!/bin/bash
# SPDX-License-Identifier: ISC
# The command lines of doc/examples, README and the manual pages, each run as it stands there, in a network where the
# names they use are those of servers from packages.  What stands below a line must be what it prints; `...' is any
# lines.  Not one packet goes elsewhere.
[ -n "${BASH_VERSION:-}" ] || exec bash "$0" "$@"
. "${srcdir:-.}/real.sh"
. "${srcdir:-.}/programs.sh"

# Lines that other tests run, or that are about another machine: scripts/demo and scripts/check say so themselves.
elsewhere='^(scripts/|mkdir build|\.\./configure|make )'
doc=$(cd "$top_srcdir/doc" && pwd)
launcher=$(cd "$top_builddir/scripts" && pwd)
ran=0

# The client knows the proxies, and they know the rest.
names()
{
    cat >>"/etc/netns/$client/hosts" <<END
$proxy4 proxy.example bastion.example
192.0.2.10 proxy-a.example
192.0.2.11 proxy-b.example
END
    echo "$target4 example.org mail.example.org game.example" >>"/etc/netns/$proxy/hosts"
    ip -n "$proxy" address add 192.0.2.10/32 dev lo && ip -n "$proxy" address add 192.0.2.11/32 dev lo &&
        ip -n "$client" route add 192.0.2.10/31 via $proxy4 || fault 'no addresses for two proxies'
}

certificate()
{
    openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=example.org -addext subjectAltName=DNS:example.org \
        -keyout "$work/tls_key" -out "$work/tls.crt" 2>"$work/openssl.err" || fault "no certificate: $(cat "$work/openssl.err")"
    cat "$work/tls.crt" "$work/tls_key" >"$work/tls.pem"
}

start_more_targets()
{
    certificate
    start "$target" httpsd $python "$srcdir/real_httpd.py" 443 "$work/www" "$work/tls.pem"
    listening "$target" 443 httpsd
    start "$target" dnsmasq dnsmasq -k -C /dev/null -x "$work/dnsmasq.pid" --no-resolv --no-hosts --user=root \
        --address=/example.org/$target4
    listening "$target" 53 dnsmasq u
    start "$target" game openarena-server +set net_port 27960 +set dedicated 1 +set sv_hostname carried +map oa_dm1
    listening "$target" 27960 game u
}

# proxy-a, proxy-b and the bastion are what they are; Dante gets its example of a configuration for this network.
start_proxies()
{
    start "$proxy" proxy_a microsocks -i 192.0.2.10 -p 1080
    proxy_a=$started
    listening "$proxy" 1080 proxy_a
    start "$proxy" proxy_b microsocks -i 192.0.2.11 -p 1080
    sed -e 's/eth0/client/' -e 's/eth1/target/' "$doc/examples/danted.conf" >"$work/danted.conf"
    start "$proxy" danted danted -f "$work/danted.conf" -p "$work/danted.pid" -N 1
    until ip netns exec "$proxy" ss -Hlnt 'sport = :1080' | grep -q "$proxy4:1080"; do
        kill -0 "$started" 2>/dev/null || {
            fault "danted did not start: $(cat "$work/danted.out")"
            return
        }
        sleep 0.05
    done
    start_sshd "$proxy" sshd_proxy 22
    mkdir "/etc/netns/$client/ssh"
    cp "$work/ssh_config" "/etc/netns/$client/ssh/ssh_config"
}

# run LINE: in the examples' directory, with an environment of its own; 0 when it ended well.  Nobody is there to type
# a password.
run()
{
    local password=()
    case $1 in
    *' -u '*) password=(SOCKSIFY_PASSWORD=secret) ;;
    esac
    (
        cd "$work/examples" || exit
        timeout -k 2 20 ip netns exec "$client" env -i HOME="$HOME" PATH="$launcher:$PATH" TERM=dumb \
            SOCKSIFY_STATE="$work/state" CURL_CA_BUNDLE="$work/tls.crt" "${password[@]}" bash -c "$1"
    ) >"$work/said" 2>&1 </dev/null
}

# expected: does what was said match $want, line by line?  An empty one stands for whatever.
expected()
{
    [ -n "$want" ] || return 0
    local pattern
    # shellcheck disable=SC2001
    pattern=$(sed 's/[][\\*?]/\\&/g; s/^\.\.\.$/*/' <<<"$want")
    # shellcheck disable=SC2254
    case $(cat "$work/said") in
    $pattern) return 0 ;;
    esac
    return 1
}

# try FILE LINE: and what it prints is in $want.
try()
{
    [[ ! $2 =~ $elsewhere ]] || return
    run "$2" || fault "$1: $2: exit status $?: $(cat "$work/said")"
    expected || fault "$1: $2: printed '$(cat "$work/said")', not '$want'"
    ran=$((ran + 1))
}

# transcript FILE: its lines behind `$ ', with what stands below each.
transcript()
{
    local line command='' want=''
    while IFS= read -r line || [ -n "$command" ]; do
        case $line in
        '    $ '* | '.Dl $ '* | '')
            [ -z "$command" ] || try "$(basename "$1")" "$command"
            command=${line#*'$ '} want=''
            case $command in
            *'(not run)') command='' ;;
            esac
            ;;
        '    '*) [ -z "$command" ] || want="$want${want:+$'\n'}${line#    }" ;;
        esac
    done <"$1"
}

# The variables of the image, with the object where it has it, and its command.
try_container()
{
    local assignments
    mapfile -t assignments < <(sed -n 's/^ENV //p' "$doc/examples/Containerfile")
    # shellcheck disable=SC2016
    ip netns exec "$client" sh -c 'mount -t tmpfs none /usr/local/lib && mkdir /usr/local/lib/socksify &&
        cp "$1" /usr/local/lib/socksify/libsocksify.so && shift && exec env -i "$@"' sh "$OBJECT" \
        "${assignments[@]}" CURL_CA_BUNDLE="$work/tls.crt" SOCKSIFY_STATE="$work/state" \
        $python -c 'import json, os, re, sys
words = json.loads(re.search("^CMD (.*)", open(sys.argv[1]).read(), re.M).group(1))
os.execvp(words[0], words)' "$doc/examples/Containerfile" >"$work/said" 2>&1 || fault "the container: exit status $?"
    same 'the container' "hello 203.0.113.1 at $target4 as example.org" "$(cat "$work/said")"
}

# Connections go on with the other proxy at once; the one that is there carries all of them.
try_failover()
{
    local i want="hello 203.0.113.1 at $target4 as example.org"
    stop_server "$proxy_a"
    for i in 1 2 3; do
        try "failover $i" 'socksify -x socks5://127.0.0.1:1090 curl -sS https://example.org/hello'
    done
}

# The file of the manual page is one.
try_conf()
{
    sed -n '/^\.Bd -literal/,/^\.Ed/{/^\./!p}' "$doc/socksify.conf.5.in" |
        sed "s,/home/alice,$HOME," >"$work/examples/page.conf"
    echo secret >"$HOME/.config/socksify/password"
    chmod 600 "$HOME/.config/socksify/password"
    run 'socksify -c page.conf --show' || fault "the file of socksify.conf(5): $(cat "$work/said")"
    grep -q '10\.1\.0\.0/16' "$work/said" || fault "the file of socksify.conf(5) was not read: $(cat "$work/said")"
}

PATH=$PATH:/usr/games
network
have git java curl ssh sshd ssh-keygen dig dnsmasq danted microsocks haproxy quakestat openarena-server openssl || finish
names
start_targets
start_more_targets
start_proxies
cp -r "$doc/examples" "$work/examples"
git clone -q "$work/www/repo.git" "$work/clone" && mv "$work/clone/.git" "$work/examples/.git" &&
    git -C "$work/examples" remote set-url origin http://example.org/repo.git || fault 'no clone'
start_leak $proxy4 1080 $proxy4 22 192.0.2.10 1080 192.0.2.11 1080 $proxy4 40000-40999
mark_leak
transcript "$doc/examples/README"
transcript "$doc/../README"
transcript "$doc/socksify.1.in"
try_conf
try_container
try_failover
no_leak 'the examples'
[ "$ran" -ge 18 ] || fault "only $ran lines were run"
finish
