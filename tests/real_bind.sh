#!/bin/bash
# SPDX-License-Identifier: ISC
# FTP in active mode, where the server connects to the client, by tnftp, lftp and python3, and a program of asyncio that
# a server connects back to: through danted, by name and by address, IPv4 and IPv6.  The server can reach nobody but the
# proxy, and not one packet of the client's goes elsewhere.
[ -n "${BASH_VERSION:-}" ] || exec bash "$0" "$@"
. "${srcdir:-.}/real.sh"
. "${srcdir:-.}/programs.sh"

make_tree()
{
    mkdir -p "$work/ftp/incoming" "$work/empty" "$work/got"
    seq 20000 >"$work/ftp/numbers"
    seq 30000 >"$work/more"
    chmod 755 "$work" "$work/ftp"
    chmod 777 "$work/ftp/incoming"
}

# start_vsftpd NAME OPTION ...: every user is anonymous; it connects from any port.
start_vsftpd()
{
    local name=$1
    printf '%s\n' "${@:2}" background=NO anonymous_enable=YES anon_root="$work/ftp" no_anon_password=YES \
        write_enable=YES anon_upload_enable=YES anon_umask=022 anon_other_write_enable=YES ftp_username=nobody \
        nopriv_user=nobody secure_chroot_dir="$work/empty" seccomp_sandbox=NO connect_from_port_20=NO \
        pasv_enable=NO xferlog_enable=YES vsftpd_log_file="$work/$name.log" log_ftp_protocol=YES >"$work/$name.conf"
    start "$target" "$name" vsftpd "$work/$name.conf"
    listening "$target" 21 "$name"
}

# round WHAT COMMAND ...: the command has listed the directory to $work/list, and put $work/more as incoming/$name, and
# got numbers as $work/got/$name.
name=0
round()
{
    local what=$1
    shift
    name=$((name + 1))
    rm -f "$work/list"
    "$@" >"$work/out" 2>"$work/err" || fault "$what: exit status $?: $(tail -n 5 "$work/out" "$work/err")"
    grep -q numbers "$work/list" || fault "$what: no list: $(head -n 5 "$work/out" "$work/err")"
    cmp "$work/ftp/numbers" "$work/got/$name" || fault "$what: get"
    cmp "$work/more" "$work/ftp/incoming/$name" || fault "$what: put"
    no_leak "$what"
}

run_tnftp()
{
    through tnftp "$@" -n -i >"$work/list" <<END
user anonymous alice@target.example
binary
ls
get numbers $work/got/$name
put $work/more incoming/$name
quit
END
}

run_lftp()
{
    through lftp -c "set ftp:passive-mode off; set net:max-retries 1; set net:timeout 10; set dns:order 'inet inet6';
        $2 open ftp://$1; ls > $work/list; get numbers -o $work/got/$name; put $work/more -o incoming/$name"
}

cat >"$work/ftp.py" <<'END'
import ftplib, sys
host, work, name = sys.argv[1:]
with ftplib.FTP(host, timeout=15) as ftp:
    ftp.login()
    ftp.set_pasv(False)
    with open(work + "/list", "w") as file:
        ftp.retrlines("LIST", lambda line: print(line, file=file))
    with open(work + "/got/" + name, "wb") as file:
        ftp.retrbinary("RETR numbers", file.write)
    with open(work + "/more", "rb") as file:
        ftp.storbinary("STOR incoming/" + name, file)
END

run_python()
{
    through $python "$work/ftp.py" "$1" "$work" "$name"
}

try_ftp()
{
    local host
    for host in four.example $target4; do
        ! have tnftp || round "tnftp $host" run_tnftp -4 -A "$host"
        ! have lftp || round "lftp $host" run_lftp "$host" ''
        round "ftplib $host" run_python "$host"
    done
    said IPv4 "$work/vsftpd4.log" '"PORT 203,0,113,1,'
}

try_ftp6()
{
    local host
    for host in six.example $target6; do
        ! have tnftp || round "tnftp $host" run_tnftp -6 -A "$host"
        ! have lftp || round "lftp $host" run_lftp "$(echo "$host" | sed 's/.*:.*/[&]/')" "set dns:order 'inet6'; "
        round "ftplib $host" run_python "$host"
    done
    said IPv6 "$work/vsftpd6.log" '"EPRT \|2\|2001:db8:2::1\|'
}

# A server that is told where to come to.
cat >"$work/back.py" <<'END'
import socket
listener = socket.create_server(("", 2121))
while True:
    control, _ = listener.accept()
    host, port = control.makefile().readline().split()
    with socket.create_connection((host, int(port)), 10) as data:
        data.sendall(b"hello\n")
        data.shutdown(socket.SHUT_WR)
        control.sendall(data.makefile("rb").readline())
    control.close()
END
cat >"$work/loop.py" <<'END'
import asyncio, sys

async def main():
    reader, writer = await asyncio.open_connection(sys.argv[1], 2121)
    done = asyncio.get_running_loop().create_future()

    async def serve(peer_reader, peer_writer):
        line = await peer_reader.readline()
        peer = peer_writer.get_extra_info("peername")[0]
        peer_writer.write(b"back\n")
        await peer_writer.drain()
        peer_writer.close()
        done.set_result((line.decode().strip(), peer == writer.get_extra_info("peername")[0]))

    server = await asyncio.start_server(serve, "0.0.0.0", 0)
    host, port = server.sockets[0].getsockname()
    ticks = 0
    writer.write(f"{host} {port}\n".encode())
    while not done.done():
        await asyncio.sleep(0.01)
        ticks += 1
    print(*done.result(), (await reader.readline()).decode().strip(), host)
    server.close()
    writer.close()

asyncio.run(asyncio.wait_for(main(), 15))
END

try_asyncio()
{
    local host
    start "$target" back $python "$work/back.py"
    listening "$target" 2121 back
    for host in four.example $target4; do
        job "asyncio $host" 'hello True back 203.0.113.1' \
            through env SOCKSIFY_BIND_PORTS=2121 $python "$work/loop.py" "$host"
    done
}

# One that does not take BIND: nothing is listened on in its place.
try_refusal()
{
    start "$proxy" microsocks microsocks -i $proxy4 -p 1082
    listening "$proxy" 1082 microsocks
    url=socks5://$proxy4:1082
    if through $python "$work/ftp.py" $target4 "$work" 0 >"$work/out" 2>&1; then
        fault 'microsocks: active mode'
    fi
    grep -q 'OSError: .*Operation not supported' "$work/out" || fault "microsocks: $(tail -n 2 "$work/out")"
    [ "$(grep -c '^socksify.*takes no connections (BIND)' "$work/out")" = 1 ] ||
        fault "microsocks: $(grep socksify "$work/out")"
    no_leak microsocks
}

network
have danted vsftpd || finish
start_leak $proxy4 1081 $proxy6 1081 $proxy4 1082
url=socks5://$proxy4:1081
start_danted none || finish
make_tree
mark_leak
start_vsftpd vsftpd4 listen=YES listen_ipv6=NO && try_ftp
stop_server "$started"
try_asyncio
if [ $ipv6 = yes ]; then
    url="socks5://[$proxy6]:1081"
    start_vsftpd vsftpd6 listen=NO listen_ipv6=YES && try_ftp6
    stop_server "$started"
fi
if [ $ipv6 = yes ]; then
    url=socks5://$proxy4:1081
    if start_vsftpd vsftpd6 listen=NO listen_ipv6=YES; then
        round 'ftplib, IPv6 through an IPv4 proxy' run_python $target6
        ! have tnftp || round 'tnftp, IPv6 through an IPv4 proxy' run_tnftp -6 -A $target6
        ! have lftp || round 'lftp, IPv6 through an IPv4 proxy' run_lftp "[$target6]" ''
    fi
    stop_server "$started"
fi
if have microsocks; then
    start_vsftpd vsftpd4 listen=YES listen_ipv6=NO && try_refusal
fi
finish
