#!/bin/bash
# SPDX-License-Identifier: ISC
# The object does no harm: programs print the same, end the same and find the same descriptors with it as without,
# with a configuration (of a proxy that is not there) and without any; and it is really in them.
[ -n "${BASH_VERSION:-}" ] || exec bash "$0" "$@"
. "${srcdir:-.}/real.sh"

need_file "$OBJECT"
have node java javac perl git busybox

# alike WHAT COMMAND ...: bare, with the object, and with the object and a configuration.
alike()
{
    local what=$1 mode status bare_status
    shift
    timeout -k 2 20 "$@" >"$work/bare.out" 2>"$work/bare.err" </dev/null
    bare_status=$?
    [ $bare_status != 124 ] || fault "$what, bare: did not end"
    [ -s "$work/bare.out" ] || [ "$what" = true ] || [ "$what" = false ] || fault "$what, bare: no output"
    for mode in unconfigured configured; do
        [ $mode = unconfigured ] && set -- env LD_PRELOAD="$OBJECT" "$@" ||
            set -- env SOCKSIFY_PROXY=socks5://127.0.0.1:1 SOCKSIFY_STATE="$work/state" "$@"
        timeout -k 2 20 "$@" >"$work/out" 2>"$work/err" </dev/null
        status=$?
        same "$what, $mode: exit status" $bare_status $status
        cmp -s "$work/bare.out" "$work/out" || fault "$what, $mode: $(diff "$work/bare.out" "$work/out" | head -n 5)"
        cmp -s "$work/bare.err" "$work/err" || fault "$what, $mode: $(diff "$work/bare.err" "$work/err" | head -n 5)"
    done
}

# loaded WHAT COMMAND ...: the command shows the memory map of its process.
loaded()
{
    local what=$1
    shift
    env LD_PRELOAD="$OBJECT" timeout -k 2 20 "$@" 2>&1 | grep -q "$(basename "$OBJECT")" ||
        fault "$what: the object is not in it"
}

shells()
{
    local shell
    alike true true
    alike false false
    for shell in sh bash; do
        # shellcheck disable=SC2016
        alike $shell $shell -c 'echo out; echo err >&2; (exit 4); echo $?; exit 3'
        # shellcheck disable=SC2016
        alike "$shell, pipes" $shell -c '
            seq 20000 | sort -rn | tail -n 3 | tr "\n" " "
            seq 100000 | head -n 1; yes | head -c 300000 | cksum; echo "$(echo "$(seq 3 | wc -l)")"
            { sleep 0.01; echo late; } & wait; cat <<END
here
END
            exec 7</dev/null; exec 8>&1; echo eight >&8; exec 7<&- 8>&-; sh -c "kill -TERM \$\$"; echo $?'
        # shellcheck disable=SC2016
        alike "$shell, descriptors" $shell -c 'for fd in /proc/$$/fd/*; do echo "${fd##*/}"; done'
        # shellcheck disable=SC2016
        loaded $shell $shell -c 'while read -r line; do echo "$line"; done </proc/$$/maps'
    done
    # shellcheck disable=SC2016
    alike 'bash, PIPESTATUS' bash -c 'false | true | (exit 5) | cat; echo ${PIPESTATUS[@]}
        cat <(seq 3) <(seq 4); coproc cat; echo word >&${COPROC[1]}; read -r -u ${COPROC[0]} -N 4 w; echo $w'
}

cat >"$work/harm.py" <<'END'
import asyncio, multiprocessing, os, select, socket, subprocess, sys, threading

def work(n):
    return n * n

async def echo():
    async def serve(reader, writer):
        writer.write((await reader.read(100)).upper())
        writer.close()
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
    writer.write(b"loopback")
    print(await reader.read(100))
    writer.close()
    server.close()

if __name__ == "__main__":
    a, b = socket.socketpair()
    a.send(b"pair")
    print(select.select([b], [], [], 5)[0] == [b], b.recv(10))
    udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    udp.bind(("127.0.0.1", 0))
    udp.sendto(b"datagram", udp.getsockname())
    print(udp.recv(100))
    print(socket.gethostbyname("localhost"), socket.getservbyname("http"))
    asyncio.run(echo())
    print(subprocess.run(["sh", "-c", "echo child; exit 6"], capture_output=True))
    with multiprocessing.Pool(2) as pool:
        print(pool.map(work, range(10)))
    threads = [threading.Thread(target=os.getpid) for _ in range(20)]
    print([t.start() or t.join() for t in threads])
    print(len(os.listdir("/proc/self/fd")))
END
cat >"$work/harm.js" <<'END'
const http = require("http"), child = require("child_process"), dns = require("dns"), fs = require("fs");

fs.readdir(".", () => {});
const server = http.createServer((_, answer) => answer.end("loopback")).listen(0, "127.0.0.1", () => {
    http.get({ port: server.address().port, host: "127.0.0.1" }, answer => {
        answer.on("data", text => console.log(String(text)));
        answer.on("end", () => server.close());
    });
});
dns.lookup("localhost", { family: 4 }, (_, address) => console.log(address));
console.log(String(child.execFileSync("sh", ["-c", "echo child"])));
END
cat >"$work/Harm.java" <<'END'
import java.net.*;
import java.nio.file.*;

public class Harm {
    public static void main(String[] arguments) throws Exception {
        if (arguments.length > 0) {
            System.out.print(Files.readString(Path.of("/proc/self/maps")));
            return;
        }
        InetAddress here = InetAddress.getByName("127.0.0.1");
        try (ServerSocket server = new ServerSocket(0, 5, here); Socket a = new Socket(here, server.getLocalPort());
             Socket b = server.accept()) {
            a.getOutputStream().write(42);
            System.out.println(b.getInputStream().read());
        }
        System.out.write(new ProcessBuilder("sh", "-c", "echo child").start().getInputStream().readAllBytes());
        System.out.flush();
    }
}
END

interpreters()
{
    alike python3 $python "$work/harm.py"
    loaded python3 $python -c 'print(open("/proc/self/maps").read())'
    if have node; then
        alike node node "$work/harm.js"
        loaded node node -e 'console.log(require("fs").readFileSync("/proc/self/maps", "utf8"))'
    fi
    if have java javac && javac -d "$work" "$work/Harm.java"; then
        alike java java -cp "$work" Harm
        loaded java java -cp "$work" Harm maps
    fi
    if have perl; then
        # shellcheck disable=SC2016
        alike perl perl -MIO::Socket -MSocket -e '
            $| = 1; print `echo child`; pipe(my $r, my $w); if (!fork) { print $w "forked\n"; exit 2 } close $w;
            print <$r>; wait; print $? >> 8, "\n"; my $l = IO::Socket::INET->new(Listen => 1, LocalAddr => "127.0.0.1");
            my $c = IO::Socket::INET->new($l->sockhost . ":" . $l->sockport) or die $@; print $c->peerhost, "\n"'
        loaded perl perl -pe '' /proc/self/maps
    fi
}

others()
{
    local repository=$work/repository
    if have git; then
        # shellcheck disable=SC2016
        alike git sh -c 'rm -rf "$1" && git init -q "$1" && cd "$1" && seq 1000 >n && git add n &&
            git -c user.name=a -c user.email=a@b commit -q -m m --date=2026-01-01T00:00:00Z && git fsck &&
            git clone -q . c && git -C c log --format=%s%an && git gc -q && git ls-tree HEAD' sh "$repository"
    fi
    have busybox && readelf -l "$(command -v busybox)" | grep -q INTERP || return
    alike busybox busybox sh -c 'busybox seq 100 | busybox tail -n 3; busybox wc -c /etc/passwd'
    loaded busybox busybox cat /proc/self/maps
}

# A program that has next to no memory, or descriptors, to spare.
narrow()
{
    # shellcheck disable=SC2016
    alike 'little memory' bash -c 'ulimit -v 200000; exec "$@"' bash sh -c 'echo out | cat'
    # shellcheck disable=SC2016
    alike 'few descriptors' bash -c 'ulimit -n 6; exec "$@"' bash sh -c 'echo out | cat'
    # shellcheck disable=SC2016
    alike 'closed standard descriptors' bash -c 'exec 3>&1 0<&- 1>&- 2>&-; sh -c "echo out >&3; ls /proc/self/fd >&3"'
}

shells
interpreters
others
narrow
finish
