#!/bin/bash
# SPDX-License-Identifier: ISC
# The same programs through microsocks, with credentials, and through `ssh -D`, which listens on the client's loopback.
[ -n "${BASH_VERSION:-}" ] || exec bash "$0" "$@"
. "${srcdir:-.}/real.sh"
. "${srcdir:-.}/programs.sh"

# `ssh -D` has no UDP: DNS questions to the server that a program chose get its real answers all the same.
ask_by_tcp()
{
    start "$target" dnsmasq dnsmasq -k -C /dev/null -p 53 --no-resolv --no-hosts --no-daemon --user=root \
        --mx-host=four.example,mail.example,10 --host-record=only.example,192.0.2.77
    listening "$target" 53 dnsmasq
    job 'dig without UDP' '10 mail.example.' through dig +short +tries=1 "@$target4" MX four.example
    job 'dig without UDP, by name' 192.0.2.77 through dig +short +tries=1 @four.example only.example
    job 'node without UDP' '192.0.2.77 mail.example ENOTFOUND' through node -e '
const dns = require("dns").promises, own = new dns.Resolver();
own.setServers([process.argv[1]]);
Promise.all([own.resolve4("only.example"), own.resolveMx("four.example"),
    own.resolve4("none.invalid").catch((e) => e.code === "EREFUSED" ? "ENOTFOUND" : e.code)])
    .then(([[a], [mx], code]) => console.log(a, mx.exchange, code));' "$target4"
}

network
start_targets
start_leak $proxy4 1082 $proxy4 2222 127.0.0.1 1083

if have microsocks; then
    url=socks5://alice:secret@$proxy4:1082
    start "$proxy" microsocks microsocks -i $proxy4 -p 1082 -u alice -P secret
    listening "$proxy" 1082 microsocks
    # This server ends a connection as soon as one side has sent all.
    ncat_options=(--no-shutdown)
    jobs_through microsocks
    ncat_options=()
    stop_server "$started"
fi

if have ssh sshd ssh-keygen; then
    url=socks5://127.0.0.1:1083
    start_sshd "$proxy" sshd_proxy 2222
    start "$client" ssh_tunnel ssh -F "$work/ssh_config" -N -D 127.0.0.1:1083 -p 2222 $proxy4
    listening "$client" 1083 ssh_tunnel
    jobs_through 'ssh -D'
    same 'ssh -D: refused' 'ECONNREFUSED' "$(through $python -c '
import errno, socket
print(errno.errorcode[socket.socket().connect_ex(("four.example", 9))])')"
    no_leak 'ssh -D: refused'
    ! have dig node dnsmasq || ask_by_tcp
fi
finish
