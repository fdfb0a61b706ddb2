#!/bin/bash
# SPDX-License-Identifier: ISC
# What cannot go through the proxy goes nowhere: raw and other sockets, datagrams but those to its relay, every way to
# look a name up, system calls by number, addresses that stand for nothing, and everything when the configuration is
# broken.
[ -n "${BASH_VERSION:-}" ] || exec bash "$0" "$@"
. "${srcdir:-.}/real.sh"

network
mkdir "$work/www"
start_httpd
start_leak $proxy4 1080

cat >"$work/attempt.py" <<'END'
"""attempt.py KIND HOST PORT: one attempt to get a packet out; prints `done`, a word, or the errno's name."""
import ctypes, errno, socket, sys

kind, host, port = sys.argv[1], sys.argv[2], int(sys.argv[3])
family = socket.AF_INET6 if ":" in host else socket.AF_INET
libc = ctypes.CDLL(None, use_errno=True)
CALLS = {"x86_64": (42, 44, 425), "aarch64": (203, 206, 425)}

def number(i):
    import platform
    return CALLS[platform.machine()][i] if platform.machine() in CALLS else sys.exit("EACCES")

def checked(result):
    if result < 0:
        raise OSError(ctypes.get_errno(), "")

def native(address):
    raw = bytearray(16)
    raw[0:2] = int(socket.AF_INET).to_bytes(2, sys.byteorder)
    raw[2:4] = address[1].to_bytes(2, "big")
    raw[4:8] = socket.inet_aton(address[0])
    return bytes(raw)

def make(type, protocol=0):
    return socket.socket(family, type, protocol)

def send(s):
    s.sendto(b"x", (host, port))

def connect(s):
    s.connect((host, port))
    s.send(b"x")

def broadcast():
    s = make(socket.SOCK_DGRAM)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
    send(s)

def packet():
    s = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, 0x0800)
    s.sendto(b"x", ("sink", 0x0800))

def call_connect():
    s = make(socket.SOCK_STREAM)
    checked(libc.syscall(number(0), s.fileno(), native((host, port)), 16))

def call_sendto():
    s = make(socket.SOCK_DGRAM)
    checked(libc.syscall(number(1), s.fileno(), b"x", ctypes.c_long(1), 0, native((host, port)), 16))

def uring():
    checked(libc.syscall(number(2), 8, bytes(240)))

def by_dns():
    """A question as resolver libraries put it."""
    s = make(socket.SOCK_DGRAM)
    s.settimeout(0.2)
    s.connect((host, port))
    s.send(bytes.fromhex("123401000001000000000000") + b"\x06target\x07example\x00\x00\x01\x00\x01")
    print(len(s.recv(512)) and "answered")
    sys.exit()

def res_query():
    ctypes.CDLL("libresolv.so.2", ctypes.RTLD_GLOBAL)
    answer = ctypes.create_string_buffer(512)
    everywhere = ctypes.CDLL(None)
    query = getattr(everywhere, "res_query", None) or everywhere.__res_query
    print("answered" if query(host.encode(), 1, port, answer, 512) > 0 else "none")
    sys.exit()

ATTEMPTS = {
    "tcp": lambda: connect(make(socket.SOCK_STREAM)),
    "fastopen": lambda: make(socket.SOCK_STREAM).sendto(b"x", socket.MSG_FASTOPEN, (host, port)),
    "mptcp": lambda: connect(make(socket.SOCK_STREAM, 262)),
    "udp": lambda: send(make(socket.SOCK_DGRAM)),
    "udp-connected": lambda: connect(make(socket.SOCK_DGRAM)),
    "udp-message": lambda: make(socket.SOCK_DGRAM).sendmsg([b"x"], [], 0, (host, port)),
    "udplite": lambda: send(make(socket.SOCK_DGRAM, 136)),
    "broadcast": broadcast,
    "raw": lambda: send(make(socket.SOCK_RAW, socket.IPPROTO_ICMPV6 if ":" in host else socket.IPPROTO_ICMP)),
    "raw-header": lambda: send(make(socket.SOCK_RAW, socket.IPPROTO_RAW)),
    "packet": packet,
    "call-connect": call_connect,
    "call-sendto": call_sendto,
    "uring": uring,
    "dns": by_dns,
    "res_query": res_query,
    "gethostbyname": lambda: socket.gethostbyname_ex(host),
    "getaddrinfo": lambda: socket.getaddrinfo(host, port),
    "getaddrinfo6": lambda: socket.getaddrinfo(host, port, socket.AF_INET6),
    "gethostbyaddr": lambda: socket.gethostbyaddr(host),
    "getnameinfo": lambda: socket.getnameinfo((host, port), 0),
    "getfqdn": lambda: socket.getfqdn(host),
}
try:
    ATTEMPTS[kind]()
    print("done")
except socket.gaierror as error:
    print("none")
except socket.herror as error:
    print("none")
except OSError as error:
    print(errno.errorcode.get(error.errno, str(error).replace(" ", "-")))
END

# attempt KIND HOST PORT RESULT ...: one of these results, and nothing leaks.
attempt()
{
    local what="$1 $2 $3" got strays
    [ "$ipv6" = yes ] || [ "${2#*:}" = "$2" ] || return
    mark_leak
    got=$(through $python "$work/attempt.py" "$1" "$2" "$3" 2>"$work/err")
    shift 3
    case " $* " in
    *" $got "*) ;;
    *) fault "$what: '$got', not '$*' $(tail -n 1 "$work/err")" ;;
    esac
    ask_leak
    # Datagrams to a relay at the proxy are no leak; its port is one that the system gave.
    strays=$([ "$leaked" = "$marked" ] || newest $((leaked - marked)) |
        grep -v "protocol 17 to $proxy4 port [3-6][0-9][0-9][0-9][0-9] on proxy\$")
    [ -z "$strays" ] || fault "$what: leaked: $strays"
}

start_proxyd
url=socks5://$proxy4:1080
while read -r line; do
    # shellcheck disable=SC2086
    attempt $line
done <<END
tcp $target4 80 done
tcp $target6 80 done
tcp 127.0.0.1 53 ECONNREFUSED
tcp ::1 53 ECONNREFUSED
tcp 192.0.2.53 53 ENETUNREACH
tcp 198.18.255.1 80 EHOSTUNREACH
tcp ::ffff:198.18.255.1 80 EHOSTUNREACH
tcp 169.254.1.1 80 EACCES
tcp 255.255.255.255 80 EACCES
tcp 224.0.0.251 80 EACCES
tcp ff02::fb 80 EACCES
fastopen $target4 80 done
mptcp $target4 80 done EPROTONOSUPPORT
udp $target4 7 done
udp $target6 7 done
udp 192.0.2.53 53 done
udp 127.0.0.1 53 done
udp $proxy4 1080 done
udp 224.0.0.251 5353 EACCES
udp-connected $target4 7 done
udp-connected $target6 7 done
udp-connected 127.0.0.1 53 done
udp-message $target4 7 done
udp-message $target6 7 done
udplite $target4 7 EACCES EPROTONOSUPPORT
broadcast 255.255.255.255 7 EACCES
raw $target4 0 EACCES
raw $target6 0 EACCES
raw-header $target4 0 EACCES
packet $target4 0 EACCES
call-connect $target4 80 done
call-sendto $target4 7 done
uring $target4 80 ENOSYS
dns 192.0.2.53 53 answered
dns 127.0.0.1 53 answered
dns 192.0.2.54 53 timed-out
res_query target.example 1 answered
res_query target.example 28 answered
res_query target.example 15 none
gethostbyname target.example 0 done
getaddrinfo target.example 80 done
getaddrinfo6 target.example 80 done
getaddrinfo *.example 80 none
getaddrinfo target.invalid 80 none
gethostbyaddr $target4 0 none
gethostbyaddr $target6 0 none
getnameinfo $target4 80 done
getnameinfo 198.18.255.1 80 done
getfqdn target.example 0 done
getfqdn localhost 0 done
END
for url in '' ftp://$proxy4 socks5://$proxy4:0 "socks5://[$proxy6"; do
    while read -r line; do
        # shellcheck disable=SC2086
        attempt $line
    done <<END
tcp $target4 80 ENETUNREACH
tcp $target6 80 ENETUNREACH
tcp $proxy4 1080 ENETUNREACH
udp $target4 7 ENETUNREACH
dns 192.0.2.53 53 ENETUNREACH
getaddrinfo target.example 80 none
gethostbyname target.example 0 none
res_query target.example 1 none
END
    same "'$url': lines on standard error" 1 \
        "$(through $python "$work/attempt.py" tcp $target4 80 2>&1 >"$work/out" | grep -c socksify)"
done
finish
