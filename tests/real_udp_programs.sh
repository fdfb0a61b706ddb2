#!/bin/bash
# SPDX-License-Identifier: ISC
# What people carry over UDP, by name and by address, through danted, each program against its own server: iperf3,
# snmpget, chronyd, quakestat with a game's server, mosh; and tftp through shadowsocks-libev.  Not one packet
# goes elsewhere.
[ -n "${BASH_VERSION:-}" ] || exec bash "$0" "$@"
. "${srcdir:-.}/real.sh"
. "${srcdir:-.}/programs.sh"

# Most have files of their own below /var and /run, which are given to them in a mount namespace of their own.
# shellcheck disable=SC2016
alone=(unshare -m sh -c 'mount -t tmpfs none /run && mount -t tmpfs none /var/lib &&
    mkdir /run/chrony && exec "$@"' sh)

run_iperf3()
{
    through iperf3 -4 -u -c "$1" -b 2M -l 1000 -t 1 -J "${@:2}" >"$work/iperf3" && $python -c '
import json, sys
end = json.load(open(sys.argv[1]))["end"]
sums = end["sum"] if "sum" in end else end["sum_received"]
print("received" if sums["packets"] >= 100 and sums["lost_packets"] <= sums["packets"] / 2 else sums)' "$work/iperf3"
}

try_iperf3()
{
    start "$target" iperf3 iperf3 -s -p 5201
    listening "$target" 5201 iperf3
    for host in four.example "$target4"; do
        job "iperf3 to $host" received run_iperf3 "$host"
        job "iperf3 from $host" received run_iperf3 "$host" -R
    done
}

try_snmp()
{
    local oid=.1.3.6.1.2.1.1.5.0
    mkdir "$work/snmp"
    printf 'rocommunity public\nsysName carried\n' >"$work/snmpd.conf"
    start "$target" snmpd "${alone[@]}" snmpd -f -Lo -C -c "$work/snmpd.conf" udp:161 udp6:161
    listening "$target" 161 snmpd u
    for host in four.example "$target4"; do
        job "snmpget $host" "$oid = STRING: \"carried\"" \
            through snmpget -m '' -On -v 2c -c public -t 2 -r 4 "$host" $oid
    done
}

# The offset between two clocks that are one.
run_chronyd()
{
    through "${alone[@]}" chronyd -Q -t 15 -f /dev/null 'cmdport 0' 'bindcmdaddress /' \
        "server $1 iburst maxsamples 1 minpoll -4" 2>&1 |
        sed -n 's/.*System clock wrong by -*0\.0[0-9]* seconds (ignored)/asked/p'
}

try_chronyd()
{
    printf '%s\n' 'local stratum 5' 'allow all' 'cmdport 0' 'bindcmdaddress /' >"$work/chrony.conf"
    start "$target" chronyd "${alone[@]}" chronyd -d -x -f "$work/chrony.conf"
    listening "$target" 123 chronyd u
    for host in four.example "$target4"; do
        job "chronyd, $host" asked run_chronyd "$host"
    done
}

run_quakestat()
{
    through quakestat -raw , -nh -openarenas "$1:27960" | cut -d , -f 1-5 | head -n 1
}

try_game()
{
    start "$target" game openarena-server +set net_port 27960 +set dedicated 1 +set sv_hostname carried +map oa_dm1
    listening "$target" 27960 game u
    for host in four.example "$target4"; do
        job "quakestat $host" "OPENARENAS,$host:27960,carried,oa_dm1,8" run_quakestat "$host"
    done
}

# mosh.py ADDRESS PORT: types a word when it is asked for, prints what comes of it, types once more for the end.
cat >"$work/mosh.py" <<'END'
import fcntl, os, pty, re, signal, struct, sys, termios

signal.alarm(15)
child, terminal = pty.fork()
if child == 0:
    fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("4H", 24, 80, 0, 0))
    os.execvp("mosh-client", ["mosh-client", *sys.argv[1:]])
seen, awaited = b"", [(rb"word\?", b"hello\r"), (rb"carried (\S+)", b"\r")]
while True:
    try:
        seen += os.read(terminal, 4096)
    except OSError:
        break
    if awaited and (found := re.search(awaited[0][0], seen)):
        os.write(terminal, awaited.pop(0)[1])
        print(found.group().decode())
os.waitpid(child, 0)
END

run_mosh()
{
    local port key
    # shellcheck disable=SC2016
    read -r port key < <(ip netns exec "$target" env LC_ALL=C.UTF-8 mosh-server new -i "$target4" -p "$2" -- \
        sh -c 'echo "word?"; read -r a; echo "carried $a"; read -r a' 2>>"$work/mosh" </dev/null |
        sed -n 's/^MOSH CONNECT //p')
    MOSH_KEY=$key TERM=xterm LC_ALL=C.UTF-8 through $python "$work/mosh.py" "$1" "$port"
}

# Its client takes addresses alone: that of a name, and one that stands for one.
try_mosh()
{
    local mapped
    mapped=$(through getent ahostsv4 four.example | head -n 1 | cut -d ' ' -f 1)
    job 'mosh, by address' $'word?\ncarried hello' run_mosh "$target4" 60001
    job "mosh, by name as $mapped" $'word?\ncarried hello' run_mosh "$mapped" 60002
}

run_tftp()
{
    rm -f "$work/fetched"
    through tftp -m binary "$1" -c get file "$work/fetched" && cmp "$work/fetched" "$work/tftp/file" &&
        through tftp -m binary "$1" -c put "$work/tftp/file" "put-$1" && cmp "$work/tftp/put-$1" "$work/tftp/file" &&
        echo same
}

# The server answers each client from a port of its own, which danted does not let pass.
try_tftp()
{
    mkdir -m 777 "$work/tftp"
    seq 8192 >"$work/tftp/file"
    start "$target" tftpd in.tftpd -L -c -s -u root -a :69 "$work/tftp"
    listening "$target" 69 tftpd u
    for host in four.example "$target4"; do
        job "tftp $host" same run_tftp "$host"
    done
}

PATH=$PATH:/usr/games
export SNMP_PERSISTENT_DIR=$work/snmp
network
start_leak $proxy4 1081 $proxy4 40000-40999 $proxy4 8388 $proxy4 8388-8388
url=socks5://$proxy4:1081
if have danted && start_danted none; then
    mark_leak
    ! have iperf3 || try_iperf3
    ! have snmpd snmpget || try_snmp
    ! have chronyd || try_chronyd
    ! have quakestat openarena-server || try_game
    ! have mosh-client mosh-server || try_mosh
fi
if have ss-local ss-server in.tftpd tftp && start_shadowsocks; then
    mark_leak
    try_tftp
fi
finish
