#!/bin/bash
# SPDX-License-Identifier: ISC
# --check against danted, microsocks, `ssh -D`, tor (which has no network here) and ss-local.
[ -n "${BASH_VERSION:-}" ] || exec bash "$0" "$@"
. "${srcdir:-.}/real.sh"
. "${srcdir:-.}/programs.sh"

: "${SOCKSIFY:=$top_builddir/scripts/socksify}"

network
start_targets
start_leak $proxy4 1081 $proxy4 1082 $proxy4 2222 127.0.0.1 1083
mark_leak

# checked WHAT NAMESPACE URL STATUS PATTERN ...: the status, and a line for each pattern.
checked()
{
    local what=$1 space=$2 url=$3 expected=$4 pattern status
    shift 4
    timeout -k 2 60 ip netns exec "$space" "$SOCKSIFY" -t 4 -x "$url" --check >"$work/table" 2>&1
    status=$?
    [ $status = "$expected" ] || fault "$what: exit status $status: $(cat "$work/table")"
    for pattern; do
        grep -Eq "$pattern" "$work/table" || fault "$what: no '$pattern' in: $(cat "$work/table")"
    done
}

if have danted; then
    start_danted username
    checked danted "$client" socks5://alice:secret@$proxy4:1081 0 '^SOCKS5 +yes .*user and password' \
        '^credentials +yes' '^name +yes' '^UDP +yes'
    checked 'danted, wrong password' "$client" socks5://alice:wrong@$proxy4:1081 1 '^credentials +no'
    stop_server "$danted"
fi
if have microsocks; then
    start "$proxy" microsocks microsocks -i $proxy4 -p 1082 -u alice -P secret
    listening "$proxy" 1082 microsocks
    checked microsocks "$client" socks5://alice:secret@$proxy4:1082 0 '^credentials +yes' '^name +yes' '^UDP +no' \
        '^BIND +no'
    checked 'microsocks, no credentials' "$client" socks5://$proxy4:1082 1 '^credentials +no'
    stop_server "$started"
fi
if have ssh sshd ssh-keygen; then
    start_sshd "$proxy" sshd_proxy 2222
    start "$client" ssh_tunnel ssh -F "$work/ssh_config" -N -D 127.0.0.1:1083 -p 2222 $proxy4
    listening "$client" 1083 ssh_tunnel
    checked 'ssh -D' "$client" socks5://127.0.0.1:1083 0 '^SOCKS5 +yes .*no credentials' '^name +[?] ' '^UDP +no'
fi
no_leak 'all servers'
if have tor; then
    printf 'SocksPort 127.0.0.1:1084\nDataDirectory %s\nDisableNetwork 0\nLog notice stdout\n' "$work/tor" >"$work/torrc"
    mkdir -m 700 "$work/tor"
    start "$proxy" tor tor -f "$work/torrc" --defaults-torrc /dev/null
    listening "$proxy" 1084 tor
    checked tor "$proxy" socks5://127.0.0.1:1084 0 '^SOCKS5 +yes' '^UDP +no' '^BIND +no'
    stop_server "$started"
fi
if have ss-local; then
    start "$proxy" ss_local ss-local -s 203.0.113.10 -p 8388 -b 127.0.0.1 -l 1085 -k secret -m aes-256-gcm
    listening "$proxy" 1085 ss_local
    checked ss-local "$proxy" socks5://127.0.0.1:1085 0 '^SOCKS5 +yes' '^name +yes'
fi
finish
