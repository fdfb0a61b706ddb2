#!/bin/sh
# SPDX-License-Identifier: ISC
# The socket that connect() returns is the one it was given; its peer is the target, in whoever's hands it is.
. "${srcdir:-.}/preload.sh"

start_target
start_proxy

same "options and registration" identity "127.0.0.1:$echo"
same "options and registration, O_NONBLOCK" identity-nonblock "127.0.0.1:$echo"
tell set dribble=2 >"$work/answer"
same "options and registration, dribbled" identity "127.0.0.1:$echo"
same "options and registration, O_NONBLOCK, dribbled" identity-nonblock "127.0.0.1:$echo"
tell set dribble=none >"$work/answer"
at_proxy "$proxy" SOCKSIFY_TIMEOUT=2
same "SO_RCVLOWAT" low-water "127.0.0.1:$echo"
at_proxy "$proxy"
same "the peer everywhere" peer "127.0.0.1:$echo"
same "the peer in every size of buffer" peer-sizes "127.0.0.1:$echo"
environment=$(echo "$environment" | sed 's,socks5://127.0.0.1,socks5://localhost,')
same "the peer everywhere, of a proxy by name" peer "127.0.0.1:$echo"
at_proxy "$proxy"
same "a second connect()" twice "127.0.0.1:$echo" "127.0.0.1:$first"
same "high numbers" high "127.0.0.1:$echo" 1023 1024 1025 5000 65535 65536 70000 524287 1048575
gives "a peer that was" stale-peer "127.0.0.1:$echo" "127.0.0.1:$proxy" <<EOT
connect: 0
peer: 127.0.0.1:$echo
unspec: 0
connect: 0
peer: 127.0.0.1:$proxy
EOT
if has_ipv6; then
    same "options, IPv6" identity "[::1]:$echo"
    same "options, v4-mapped" identity "[::ffff:127.0.0.1]:$echo"
    same "the peer everywhere, IPv6" peer "[::1]:$echo"
    same "the peer everywhere, v4-mapped" peer "[::ffff:127.0.0.1]:$echo"
    same "the peer in every size of buffer, IPv6" peer-sizes "[::1]:$echo"
    same "IPV6_V6ONLY" v6only "[::1]:$refusing" "[::1]:$echo"
else
    skip "no IPv6"
fi
finish
