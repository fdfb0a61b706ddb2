#!/bin/bash
# SPDX-License-Identifier: ISC
# The same programs through microsocks, with credentials, and through `ssh -D`, which listens on the client's loopback.
[ -n "${BASH_VERSION:-}" ] || exec bash "$0" "$@"
. "${srcdir:-.}/real.sh"
. "${srcdir:-.}/programs.sh"

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
fi
finish
