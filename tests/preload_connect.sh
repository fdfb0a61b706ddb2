#!/bin/sh
# SPDX-License-Identifier: ISC
# TCP connections that succeed: by every kind of address, by every call, with replies that come in every shape.
. "${srcdir:-.}/preload.sh"

start_target
start_proxy

same "IPv4" echo "127.0.0.1:$echo"
saw "IPv4 is ATYP 1" "request CONNECT ipv4 127.0.0.1:$echo"
said "silence by default" 0
same "target speaks first" first "127.0.0.1:$first"
saw "the other port" "request CONNECT ipv4 127.0.0.1:$first"
if has_ipv6; then
    same "v4-mapped" echo "[::ffff:127.0.0.1]:$echo"
    saw "v4-mapped is ATYP 1" "request CONNECT ipv4 127.0.0.1:$echo"
    same "v4-mapped, target speaks first" first "[::ffff:127.0.0.1]:$first"
    # The local address shows the way to the proxy, which is IPv4.
    gives "IPv6" echo "[::1]:$echo" <<EOT
connect: 0
errno: ok
peer: [::1]:$echo
local: [::ffff:127.0.0.1]
echo: ok
shutdown: 0
end: 0
close: 0
EOT
    : >"$proxy_log"
    under echo "[::1]:$echo"
    saw "IPv6 is ATYP 4" "request CONNECT ipv6 [::1]:$echo"
else
    skip "no IPv6"
fi

# The any-address is this machine, for the kernel; a proxy elsewhere would take it as itself.
gives "any-address" connect "0.0.0.0:$echo" <<EOT
0.0.0.0:$echo: 0
leaked: 0
EOT

# requested COUNT: so many requests for the echo since the log was last emptied.
requested()
{
    requests=$(grep -c "^request CONNECT ipv4 127.0.0.1:$echo" "$proxy_log")
    if [ "$requests" = "$1" ]; then ok "$1 requests"; else bad "$requests requests instead of $1"; fi
}

same "errno and sockets after failures and successes" connect "127.0.0.1:$echo" "127.0.0.1:$refusing" "127.0.0.1:$echo"
same "a second connect()" twice "127.0.0.1:$echo" "127.0.0.1:$first"
same "a second connect() to a refusing target" retry "127.0.0.1:$refusing" "127.0.0.1:$echo"
: >"$proxy_log"
if [ $(($(cat /proc/sys/net/ipv4/tcp_fastopen 2>/dev/null || echo 0) % 2)) = 1 ]; then
    same "MSG_FASTOPEN" fastopen "127.0.0.1:$echo"
    requested 3
    same "MSG_FASTOPEN to a refusing target" fastopen-fails "127.0.0.1:$refusing"
else
    skip "no TCP Fast Open"
fi
same "an address without MSG_FASTOPEN" address-ignored "127.0.0.1:$echo"
: >"$proxy_log"
same "system calls by number" by-number "127.0.0.1:$echo"
requested 3
same "a call by number is no cancellation point" raw-cancel "127.0.0.1:$echo"
tell set delay=reply:300 >"$work/answer"
same "pselect6 by number, with what it cannot take" raw-select "127.0.0.1:$echo"
tell set delay=reply:0 >>"$work/answer"
grep -qvx ok "$work/answer" && bad "proxyd did not obey"
same "whether a program may be executed" raw-check /bin/true "$work/missing" "$work"
gives "io_uring does not exist" io-uring <<EOT
io_uring_setup: -1 ENOSYS
io_uring_setup: -38
io_uring_queue_init: -38
io_uring_queue_init_params: -38
io_uring_queue_init_mem: -38
EOT

# Replies of every shape.
shapes()
{
    same "$1" echo "127.0.0.1:$echo"
    same "$1, target speaks first" first "127.0.0.1:$first"
}

tell set dribble=1 >"$work/answer"
shapes "dribbled replies"
tell set dribble=none >"$work/answer"
for at in 1 2 3 4 5 7 8 9; do
    tell set "split=$at" >"$work/answer"
    shapes "replies split after $at"
done
tell set split=none >"$work/answer"
tell set glue >"$work/answer"
same "the target's first bytes glued to the reply" first "127.0.0.1:$first"
tell set dribble=1 >"$work/answer"
same "glued and dribbled" first "127.0.0.1:$first"
for bnd in name:a-rather-long-name.example.test:77 ipv6:2001:db8::1:1 ipv4:0.0.0.0:0 any other-family; do
    tell set plain >"$work/answer"
    tell set "bnd=$bnd" >"$work/answer"
    shapes "a reply with BND $bnd"
    tell set glue >"$work/answer"
    same "glued, BND $bnd" first "127.0.0.1:$first"
    tell set glue=none >"$work/answer"
    tell set dribble=0 >"$work/answer"
    tell set split=5 >"$work/answer"
    same "split, BND $bnd" first "127.0.0.1:$first"
done
if grep -v -x -e ok "$work/answer"; then bad "proxyd did not obey"; else ok "proxyd obeyed"; fi

# Credentials.
for options in "--user u --password p --require-auth" "--user u --password p --require-auth --dribble=1" \
    "--user u --password p --require-auth --split=1"; do
    # shellcheck disable=SC2086
    start_proxy $options
    at_proxy "$proxy" SOCKSIFY_USER=u SOCKSIFY_PASSWORD=p
    same "$options" echo "127.0.0.1:$echo"
    saw "the user" "auth u ok"
    environment="SOCKSIFY_PROXY=socks5://u:p@127.0.0.1:$proxy SOCKSIFY_DIRECT= SOCKSIFY_STATE=$work/state"
    same "$options in the URL" first "127.0.0.1:$first"
done
finish
