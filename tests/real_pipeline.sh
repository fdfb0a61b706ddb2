#!/bin/bash
# SPDX-License-Identifier: ISC
# A handshake in one flight through danted, microsocks, `ssh -D`, ss-local and tor: always, never, and as the proxy is
# known, twice; also one that is another than it was.
[ -n "${BASH_VERSION:-}" ] || exec bash "$0" "$@"
. "${srcdir:-.}/real.sh"
. "${srcdir:-.}/programs.sh"

network
have curl danted
mkdir "$work/www"
start_httpd
make_keys

cat >"$work/connect.py" <<'END'
import errno, socket, sys, time

def attempt(timeout):
    with socket.socket() as s:
        s.settimeout(timeout)
        try:
            s.connect((sys.argv[1], int(sys.argv[2])))
            return "ok"
        except OSError as error:
            return errno.errorcode.get(error.errno, str(error))

print(attempt(None), attempt(20))
END

# each NAME MODE EXPECTED [REFUSED]: a blocking and a non-blocking connect() to what answers and to what refuses.
each()
{
    same "$1, $2" "$3" "$(SOCKSIFY_PIPELINE=$2 through $python "$work/connect.py" $target4 80 2>&1)"
    [ -z "${4-}" ] ||
        same "$1, $2, refused" "$4" "$(SOCKSIFY_PIPELINE=$2 through $python "$work/connect.py" $target4 9 2>&1)"
}

page()
{
    same "$1, $2: a page" "hello 203.0.113.1 at $target4 as $target4" \
        "$(SOCKSIFY_PIPELINE=$2 through curl -sS -m 15 "http://$target4/hello" 2>&1)"
}

# fits NAME REFUSED: a proxy that takes all at once.
fits()
{
    for mode in off on auto auto; do
        each "$1" $mode 'ok ok' "$2 $2"
        page "$1" $mode
    done
}

export SOCKSIFY_TIMEOUT=5
url=socks5://$proxy4:1081
start_danted none
fits danted ECONNREFUSED
stop_server "$danted"

if have microsocks; then
    for account in '' alice:secret@; do
        url=socks5://$account$proxy4:1082
        # shellcheck disable=SC2046
        start "$proxy" microsocks microsocks -i $proxy4 -p 1082 $([ -z "$account" ] || echo -u alice -P secret)
        listening "$proxy" 1082 microsocks
        for mode in off auto auto; do
            each "microsocks, '$account'" $mode 'ok ok' 'ECONNREFUSED ECONNREFUSED'
            page "microsocks, '$account'" $mode
        done
        # Clear, and at the deadline; the socket's own time is longer.
        SOCKSIFY_TIMEOUT=1 each "microsocks, '$account'" on 'ETIMEDOUT ETIMEDOUT'
        stop_server "$started"
    done
    # The address of danted, which was known to take it.
    url=socks5://$proxy4:1081
    start "$proxy" microsocks microsocks -i $proxy4 -p 1081
    listening "$proxy" 1081 microsocks
    for _ in 1 2; do
        each 'microsocks in place of danted' auto 'ok ok' 'ECONNREFUSED ECONNREFUSED'
        page 'microsocks in place of danted' auto
    done
    stop_server "$started"
fi

if have ssh sshd ssh-keygen; then
    url=socks5://127.0.0.1:1085
    start_sshd "$proxy" sshd_proxy 2222
    start "$client" ssh_tunnel ssh -F "$work/ssh_config" -N -D 127.0.0.1:1085 -p 2222 $proxy4
    listening "$client" 1085 ssh_tunnel
    fits 'ssh -D' ECONNREFUSED
fi

if have ss-local ss-server; then
    start_shadowsocks
    # This one says yes before it has tried.
    fits ss-local ok
fi

# Without a network it has one answer, at once: that it goes to no private address.  It leaves the first reply out when
# credentials come with it.
if have tor; then
    printf 'SocksPort 127.0.0.1:1084\nDataDirectory %s\nDisableNetwork 0\nLog notice stdout\n' "$work/tor" >"$work/torrc"
    mkdir -m 700 "$work/tor"
    start "$client" tor tor -f "$work/torrc" --defaults-torrc /dev/null
    listening "$client" 1084 tor
    for url in socks5://127.0.0.1:1084 socks5://alice:secret@127.0.0.1:1084; do
        for mode in off on auto auto; do
            same "tor, $url, $mode" 'ECONNREFUSED ECONNREFUSED / general socks server failure / general socks server failure' \
                "$(SOCKSIFY_PIPELINE=$mode SOCKSIFY_LOG=info through $python "$work/connect.py" 10.0.0.1 80 2>"$work/err")$(
                sed -n 's/.*: connect 10.0.0.1:80 via .*: \(.*\) (.*/ \/ \1/p' "$work/err" | tr -d '\n')"
        done
    done
fi
finish
