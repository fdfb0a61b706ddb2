#!/bin/bash
# SPDX-License-Identifier: ISC
# Event loops of programs from packages, by name, through a proxy that holds each reply for 300 ms, or until told: nginx
# as a reverse proxy, programs of libevent and of libuv, chromium.  While the proxy holds them all the loops turn.
[ -n "${BASH_VERSION:-}" ] || exec bash "$0" "$@"
. "${srcdir:-.}/real.sh"

delay=300    # milliseconds
requests=30 connections=50 refused=5

make_pages()
{
    local host
    mkdir -p "$work/www"
    echo '<html><body><h1>a page</h1>' >"$work/www/page.html"
    for host in held.example target.example six.example; do
        [ $host != six.example ] || [ "$ipv6" = yes ] || continue
        seq -f "<script src=\"http://$host/add.js?%g\"></script>" 6 >>"$work/www/page.html"
    done
    # shellcheck disable=SC2016
    echo 'document.write("<p>" + document.currentScript.src + "</p>\n")' >"$work/www/add.js"
}

# tell COMMAND: to the proxy.
tell()
{
    timeout -k 1 10 "$PROXYD" --tell "$work/control" "$@"
}

# held WHAT N: waits until the proxy holds that many replies.
held()
{
    tell wait "$2" >/dev/null && return
    fault "$1: of $2 connections the proxy holds but $(tell count)"
    return 1
}

# clean WHAT: since the last time all went by name, nothing before its time and nothing elsewhere.
clean()
{
    same "$1: early or bad bytes" '' "$(grep -E '^(early|bad) ' "$work/seen")"
    same "$1: requests by address" '' "$(grep '^request' "$work/seen" | grep -v '^request CONNECT name ')"
    no_leak "$1"
    : >"$work/seen"
}

# A worker that is another user, as it usually is, and one worker, so that one loop has all the requests.
start_nginx()
{
    chmod 755 "$work"
    mkdir "$work/nginx"
    cat >"$work/nginx.conf" <<END
daemon off;
user nobody nogroup;
worker_processes 1;
pid $work/nginx/pid;
error_log $work/nginx/error.log;
events { worker_connections 512; use epoll; }
http {
    access_log off;
    client_body_temp_path $work/nginx/body;
    proxy_temp_path $work/nginx/proxy;
    fastcgi_temp_path $work/nginx/fastcgi;
    uwsgi_temp_path $work/nginx/uwsgi;
    scgi_temp_path $work/nginx/scgi;
    proxy_set_header Host \$http_host;
    upstream kept { server target.example; keepalive 4; }
    server {
        listen 127.0.0.1:8080 backlog=256;
        location / { proxy_pass http://four.example; }
        location /kept/ {
            proxy_pass http://kept/;
            proxy_http_version 1.1;
            proxy_set_header Host \$http_host;
            proxy_set_header Connection "";
        }
        location /refused { proxy_pass http://four.example:9; }
        location /far { proxy_pass http://far.example; }
        location = /here { return 200 here; }
    }
}
END
    : >"$work/nginx/error.log"
    start "$client" nginx env LD_PRELOAD="$OBJECT" SOCKSIFY_PROXY="$url" SOCKSIFY_STATE="$work/state" \
        nginx -e "$work/nginx/error.log" -c "$work/nginx.conf"
    nginx=$started
    listening "$client" 8080 nginx
}

# fetch N PATH: so many requests to nginx at once; prints the milliseconds, and each different answer with its number.
cat >"$work/fetch.py" <<'END'
import collections, concurrent.futures, hashlib, http.client, sys, time

def fetch(i):
    try:
        return answer(i)
    except OSError as error:
        return repr(error), ""

def answer(i):
    c = http.client.HTTPConnection("127.0.0.1", 8080, timeout=25)
    c.request("GET", sys.argv[2], headers={"Host": f"client-{i}"})
    response = c.getresponse()
    body = response.read()
    if len(body) > 100:
        body = hashlib.sha256(body).hexdigest().encode()
    return response.status, body.decode().strip().replace(f"client-{i}", "itself")

n = int(sys.argv[1])
start = time.monotonic()
with concurrent.futures.ThreadPoolExecutor(n) as pool:
    answers = collections.Counter(pool.map(fetch, range(n)))
print(int((time.monotonic() - start) * 1000))
for (status, body), count in answers.items():
    print(count, status, body)
END

fetch()
{
    bare $python "$work/fetch.py" "$@"
}

nginx_answers()
{
    local page="200 hello 203.0.113.1 at $target4 as itself" time big
    fetch $requests /hello >"$work/out"
    same 'nginx: answers' "$requests $page" "$(sed 1d "$work/out")"
    time=$(head -n 1 "$work/out")
    [ "${time:-99999}" -lt $((requests * delay / 3)) ] || fault "nginx: $requests requests took $time ms"
    same 'nginx, upstreams that are kept' "$requests $page" "$(fetch $requests /kept/hello | sed 1d)"
    same 'nginx, by kept connections' "4 $page" "$(fetch 4 /kept/hello | sed 1d)"
    same 'nginx: connections to the upstreams that are kept' $requests "$(grep -c '^request .* target' "$work/seen")"
    big=$($python -c 'import hashlib
print(hashlib.sha256(b"".join(b"%015d\n" % i for i in range(3 << 16))).hexdigest())')
    same 'nginx, 3 MB' "3 200 $big" "$(fetch 3 /big | sed 1d)"
    same 'nginx, refused' "$refused 502" "$(fetch $refused /refused | sed 1d | cut -d ' ' -f 1,2)"
    same 'nginx, far' "$refused 502" "$(fetch $refused /far | sed 1d | cut -d ' ' -f 1,2)"
    same 'nginx: connections refused' $refused "$(grep -c 'connect() failed (111: .*/refused' "$work/nginx/error.log")"
    same 'nginx: hosts unreachable' $refused "$(grep -c 'connect() failed (113: .*/far' "$work/nginx/error.log")"
    clean nginx
}

nginx_held()
{
    local fetcher
    tell hold reply >/dev/null
    fetch $requests /hello >"$work/out" &
    fetcher=$!
    held nginx $requests && same 'nginx, while all is held' '1 200 here' "$(fetch 1 /here | sed 1d)"
    tell hold none >/dev/null
    same 'nginx: released' "$requests" "$(tell release)"
    wait $fetcher
    same 'nginx, held' "$requests 200 hello 203.0.113.1 at $target4 as itself" "$(sed 1d "$work/out")"
    clean 'nginx, held'
}

# compile NAME MODULE PACKAGE: tests/NAME.c, where that package is there.
compile()
{
    if ! have pkg-config || ! pkg-config --exists "$2"; then
        missing="$missing $3"
        return 1
    fi
    # shellcheck disable=SC2046
    $CC -D_GNU_SOURCE -std=gnu11 -O2 -o "$work/$1" "$srcdir/$1.c" $(pkg-config --cflags --libs "$2") \
        >"$work/out" 2>&1 || {
        fault "$1 does not compile: $(cat "$work/out")"
        return 1
    }
}

# loop WHAT FIRST COMMAND ...: a program of ours, which says first what it is; while its connections are held it answers
# that none is announced yet.  Fails where they are not all made at once: the next would take as long.
loop()
{
    local what=$1 first=$2 program good=0
    shift 2
    rm -f "$work/ask"
    mkfifo "$work/ask"
    exec 8<>"$work/ask"
    tell hold reply >/dev/null
    through env "$@" four.example 80 $connections 9 $refused <"$work/ask" >"$work/out" 2>&1 8>&- &
    program=$!
    if held "$what" $((connections + refused)); then
        echo >&8
        said "$what, while all is held" "$work/out" '^0$'
    else
        good=1
    fi
    tell hold none >/dev/null
    same "$what: released" $((connections + refused)) "$(tell release)"
    wait $program
    same "$what: exit status" 0 $?
    same "$what: output" "$first 0" "$(tr '\n' ' ' <"$work/out" | sed 's/ $//')"
    exec 8>&-
    clean "$what"
    return $good
}

loops()
{
    if compile loop_libevent libevent libevent-dev; then
        loop 'libevent, epoll' epoll "$work/loop_libevent" &&
            loop 'libevent, epoll changes in a list' 'epoll (with changelist)' \
                EVENT_EPOLL_USE_CHANGELIST=1 "$work/loop_libevent" &&
            loop 'libevent, poll' poll EVENT_NOEPOLL=1 "$work/loop_libevent" &&
            loop 'libevent, select' select EVENT_NOEPOLL=1 EVENT_NOPOLL=1 "$work/loop_libevent"
    fi
    if compile loop_libuv libuv libuv1-dev; then
        loop libuv "libuv $(pkg-config --modversion libuv)" "$work/loop_libuv" &&
            loop 'libuv with io_uring' "libuv $(pkg-config --modversion libuv)" UV_USE_IO_URING=1 "$work/loop_libuv"
    fi
}

# The page has as many scripts of each host as the browser makes connections to a host at once; one host is held until
# they are all there.  Its own questions to its makers' hosts go to the proxy as well, which knows no such names.
browse()
{
    local script browser
    mark_leak
    timeout -k 2 45 ip netns exec "$client" \
        env LD_PRELOAD="$OBJECT" SOCKSIFY_PROXY="$url" SOCKSIFY_STATE="$work/state" \
        chromium --headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking \
        --disable-component-update --disable-sync --user-data-dir="$work/profile" \
        --dump-dom http://four.example/page.html >"$work/out" 2>"$work/err" </dev/null &
    browser=$!
    held chromium 6
    while kill -0 $browser 2>/dev/null; do
        tell release >/dev/null
        sleep 0.1
    done
    wait $browser
    same 'chromium: exit status' 0 $?
    grep -q '<h1>a page</h1>' "$work/out" || fault "chromium: no page: $(cat "$work/out") $(grep -v dbus/ "$work/err")"
    for script in $(grep -o 'http://[^"]*' "$work/www/page.html"); do
        grep -q "<p>$script</p>" "$work/out" || fault "chromium: not in the page: $script"
    done
    said chromium "$work/seen" '^request CONNECT name four.example:80$'
    clean chromium
}

network
make_pages
start_httpd
start_leak $proxy4 1080
start_proxyd --delay "reply:$delay" --control "$work/control" --host held.example=$target4 \
    --on held.example hold=reply
mark_leak
if have nginx && start_nginx; then
    nginx_answers
    nginx_held
    stop_server "$nginx"
fi
loops
! have chromium || browse
finish
