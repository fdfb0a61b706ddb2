#!/bin/bash
# SPDX-License-Identifier: ISC
# curl, wget and python3 through proxyd and danted: by name and by address, with and without credentials, with the
# proxy on either family, and with everything on loopback; not one packet goes elsewhere.
[ -n "${BASH_VERSION:-}" ] || exec bash "$0" "$@"
. "${srcdir:-.}/real.sh"

network
have curl wget danted
mkdir "$work/www"
start_httpd
start_leak $proxy4 1080 $proxy4 1081 $proxy6 1080 127.0.0.1 1090

cat >"$work/fetch.py" <<'END'
import sys, urllib.request

print(urllib.request.urlopen(sys.argv[1], timeout=15).read().decode(), end="")
END
cat >"$work/fetch6.py" <<'END'
import socket, sys

# The one family that can reach an IPv6 proxy.
with socket.socket(socket.AF_INET6) as s:
    s.connect((sys.argv[1], 80))
    s.sendall(b"GET /hello HTTP/1.0\r\nHost: %s\r\n\r\n" % sys.argv[1].encode())
    print(s.makefile("rb").read().partition(b"\r\n\r\n")[2].decode(), end="")
END
cat >"$work/fetch_async.py" <<'END'
import asyncio, sys, urllib.parse

async def main():
    url = urllib.parse.urlsplit(sys.argv[1])
    reader, writer = await asyncio.open_connection(url.hostname, url.port or 80)
    writer.write(b"GET %s HTTP/1.0\r\nHost: %s\r\n\r\n" % (url.path.encode(), url.netloc.encode()))
    print((await reader.read()).partition(b"\r\n\r\n")[2].decode(), end="")
    writer.close()

asyncio.run(main())
END

cat >"$work/many.py" <<'END'
import asyncio, collections, errno

async def one(host, port):
    try:
        reader, writer = await asyncio.open_connection(host, port)
    except OSError as error:
        return errno.errorcode[error.errno]
    writer.write(b"GET /hello HTTP/1.0\r\nHost: %s\r\n\r\n" % host.encode())
    page = await reader.read()
    writer.close()
    return "page" if page.endswith(b" as four.example\n") else page

async def main():
    ends = [("four.example", 80), ("four.example", 9), ("far.example", 80)] * 50
    print(sorted(collections.Counter(await asyncio.gather(*(one(*end) for end in ends))).items()))

asyncio.run(main())
END

# fetch PROGRAM RUNNER URL
fetch()
{
    case $1 in
    curl) $2 curl -sS -g -m 15 "$3" ;;
    wget) $2 wget -q -T 15 -t 1 -O - "$3" ;;
    python3) $2 $python "$work/fetch.py" "$3" ;;
    asyncio) $2 $python "$work/fetch_async.py" "$3" ;;
    esac
}

# What the counter is there for: each way to leak must be seen, or the rest shows nothing.
counter_sees_leaks()
{
    local what
    for what in "203.0.113.10 80 STREAM" "192.0.2.53 53 DGRAM" "127.0.0.1 53 DGRAM" "127.0.0.1 53 STREAM" \
        "$target6 80 STREAM"; do
        [ "$ipv6" = yes ] || [ "${what#*:}" = "$what" ] || continue
        mark_leak
        # shellcheck disable=SC2086
        bare $python - $what <<'END'
import socket, sys

host, port, kind = sys.argv[1], int(sys.argv[2]), getattr(socket, "SOCK_" + sys.argv[3])
with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, kind) as s:
    s.setblocking(False)
    s.connect_ex((host, port))
    if kind == socket.SOCK_DGRAM:
        s.send(b"question")
END
        ask_leak
        [ "$leaked" -gt "$marked" ] || fault "the counter does not see $what"
    done
    mark_leak
    bare curl -sS -m 2 http://target.example/ >"$work/out" 2>&1
    same 'exit status of curl, bare, by a name that only the proxy knows' 6 $?
    ask_leak
    [ "$leaked" -gt "$marked" ] || fault "the counter does not see what curl asks its resolvers"
}

# page NAME PROGRAM HOST TARGET: the page as the target shows it.  danted writes no names down, but the client knows no
# address for them.
page()
{
    local by=203.0.113.1
    [ "$4" != $target6 ] || by=2001:db8:2::1
    : >"$work/seen"
    fetch "$2" through "http://$3/hello" >"$work/out" 2>"$work/err"
    same "$1, $2, $3: exit status" 0 $?
    same "$1, $2, $3" "hello $by at $4 as $3" "$(cat "$work/out")"
    same "$1, $2, $3: standard error" '' "$(cat "$work/err")"
    no_leak "$1, $2, $3"
}

# asked NAME PROGRAM KIND HOST: what proxyd saw of the last page.
asked()
{
    same "$1, $2, $4: the proxy" "request CONNECT $3 $4:80" "$(grep ^request "$work/seen")"
    [ "$1" = 'proxyd with credentials' ] || return
    same "$1, $2, $4: the method" 'method 02' "$(grep ^method "$work/seen")"
    same "$1, $2, $4: the user" 'auth alice ok' "$(grep ^auth "$work/seen")"
}

# pages NAME: all programs and forms through the proxy of $url.
pages()
{
    local program
    mark_leak
    for program in curl wget python3 asyncio; do
        page "$1" $program four.example $target4
        [ "$proxyd" = "$server" ] && asked "$1" $program name four.example
        page "$1" $program $target4 $target4
        [ "$proxyd" = "$server" ] && asked "$1" $program ipv4 $target4
        [ "$ipv6" = yes ] || continue
        page "$1" $program "[$target6]" $target6
        [ "$proxyd" = "$server" ] && asked "$1" $program ipv6 "[$target6]"
        page "$1" $program six.example $target6
    done
}

# 3 MB down and up, and many connections at a time.
bulk()
{
    local want program i urls=()
    $python -c 'for i in range(3 << 16): print("%015d" % i)' >"$work/big"
    want=$(sha256sum <"$work/big")
    for program in curl wget python3; do
        same "3 MB by $program" "$want" "$(fetch $program through http://target.example/big | sha256sum)"
    done
    same '3 MB up by curl' "${want%% *}" \
        "$(through curl -sS -m 15 --data-binary "@$work/big" http://target.example/sum)"
    for ((i = 0; i < 20; i++)); do
        urls+=(-o "$work/parallel.$i" http://four.example/hello)
    done
    through curl -sS -m 15 -Z --no-keepalive "${urls[@]}" 2>"$work/err" || fault "20 at a time: $? $(cat "$work/err")"
    for ((i = 0; i < 20; i++)); do
        same "$i of 20 at a time" "hello 203.0.113.1 at $target4 as four.example" "$(cat "$work/parallel.$i")"
    done
    same '150 at a time, in one thread' "[('ECONNREFUSED', 50), ('EHOSTUNREACH', 50), ('page', 50)]" \
        "$(through $python "$work/many.py" 2>&1)"
    no_leak bulk
}

# The proxy has an IPv6 address only.
over_ipv6()
{
    start "$proxy" proxyd6 "$PROXYD" --listen $proxy6 --port 1080 --log "$work/seen" --lifetime 120 \
        --host six.example=$target6
    listening "$proxy" 1080 proxyd6
    url="socks5://[$proxy6]:1080"
    : >"$work/seen"
    mark_leak
    same 'IPv6 proxy, by address' "hello 2001:db8:2::1 at $target6 as [$target6]" \
        "$(fetch curl through "http://[$target6]/hello" 2>&1)"
    same 'IPv6 proxy, by name' "hello 2001:db8:2::1 at $target6 as six.example" \
        "$(through $python "$work/fetch6.py" six.example 2>&1)"
    same 'IPv6 proxy: the proxy' "request CONNECT ipv6 [$target6]:80
request CONNECT name six.example:80" "$(grep ^request "$work/seen")"
    no_leak 'IPv6 proxy'
    stop_server "$started"
}

# Proxy and target on the client's own loopback.
on_loopback()
{
    local host
    start "$client" local_httpd $python "$srcdir/real_httpd.py" 8080 "$work/www"
    listening "$client" 8080 local_httpd
    start "$client" local_proxyd "$PROXYD" --listen 127.0.0.1 --port 1090 --log "$work/seen" --lifetime 120 \
        --host target.example=127.0.0.1
    listening "$client" 1090 local_proxyd
    url=socks5://127.0.0.1:1090
    mark_leak
    : >"$work/seen"
    for host in 127.0.0.1 localhost; do
        same "loopback, direct, $host" "hello 127.0.0.1 at 127.0.0.1 as $host:8080" \
            "$(fetch curl through "http://$host:8080/hello" 2>&1)"
    done
    same 'loopback, direct: the proxy' '' "$(cat "$work/seen")"
    for host in 127.0.0.1 target.example; do
        same "loopback, proxied, $host" "hello 127.0.0.1 at 127.0.0.1 as $host:8080" \
            "$(SOCKSIFY_DIRECT='' fetch curl through "http://$host:8080/hello" 2>&1)"
    done
    [ "$ipv6" = no ] || same "loopback, proxied, ::1" "hello ::1 at ::1 as [::1]:8080" \
        "$(SOCKSIFY_DIRECT='' fetch curl through "http://[::1]:8080/hello" 2>&1)"
    printf 'request CONNECT %s:8080\n' 'ipv4 127.0.0.1' 'name target.example' >"$work/wanted"
    [ "$ipv6" = no ] || echo 'request CONNECT ipv6 [::1]:8080' >>"$work/wanted"
    same 'loopback, proxied: the proxy' "$(cat "$work/wanted")" "$(grep ^request "$work/seen")"
    no_leak 'loopback, proxied'
}

counter_sees_leaks

start_proxyd
server=$proxyd
pages proxyd
bulk
stop_server "$proxyd"

url=socks5://alice:secret@$proxy4:1080
start_proxyd --user alice --password secret --require-auth
server=$proxyd
pages 'proxyd with credentials'
stop_server "$proxyd"

if have danted; then
    url=socks5://$proxy4:1081
    start_danted none
    server=$danted
    pages danted
    said danted "$work/danted.log" "connect .*: $client4\.[0-9]+ .* $target4\.80"
    stop_server "$danted"

    url=socks5://alice:secret@$proxy4:1081
    start_danted username
    server=$danted
    pages 'danted with credentials'
    said 'danted with credentials' "$work/danted.log" "connect .*: username%alice@$client4\.[0-9]+ .* $target4\.80"
    [ "$ipv6" = no ] || said 'danted with credentials' "$work/danted.log" "username%alice@.* $target6\.80"
    stop_server "$danted"
fi

[ "$ipv6" = no ] || over_ipv6
on_loopback
finish
