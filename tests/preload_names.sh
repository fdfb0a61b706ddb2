#!/bin/sh
# SPDX-License-Identifier: ISC
# Every resolver call under the object, beside a bare run that asks a resolver of the test's own; the same resolver then
# counts what reaches it, and that must be nothing.

. "${srcdir:-.}/names.sh"

probe=$PROBE
PROBE=$NAMES_DIFF
for table in addrinfo calls questions; do
    bare $table bare >"$work/bare" 2>&1 || bad "$table: bare: exit status $?"
    asked "$table, bare"
    object "$NAMES_DIFF" $table object
    result "$table: $(wc -l <"$work/bare") rows alike" "$work/bare"
    quiet "$table"
done
# What follows are programs of others, which have no object in them.
[ -z "${LINKED-}" ] || finish

# Names of this machine.
says "own name" '127.0.0.1*' getent ahostsv4 "$own"
says "a name below localhost" '127.0.0.1*' getent ahostsv4 any.localhost
says "an alias in hosts" '192.0.2.4 *hosts4.test alias4' getent hosts alias4

# One map for all: over exec, over an empty environment, and back.
says "a mapped name" '198.1[89].*' getent ahostsv4 one.test
says "a mapped name, IPv6" 'fd*' getent ahostsv6 one.test
# shellcheck disable=SC2016
says "there and back in two programs" '198.1[89].* one.test' \
    sh -c 'a=$(getent hosts one.test | cut -d" " -f1); getent hosts "$a"'
# shellcheck disable=SC2016
says "there and back over env -i" '198.1[89].* two.test' \
    sh -c 'a=$(getent hosts two.test | cut -d" " -f1); env -i "$(command -v getent)" hosts "$a"'
fails "an address of the pool that stands for nothing" getent hosts 198.18.200.200
fails "an address that nobody knows" getent hosts 192.0.2.77
quiet "getent"

program python3 '198.1[89].* a.test a.test a.test 198.1[89].* 127.0.0.1' python3 -c '
import socket
a = socket.gethostbyname("a.test")
info = socket.getaddrinfo("a.test", 80, type=socket.SOCK_STREAM)
assert len(info) == 1 and info[0][4] == (a, 80), info
print(a, socket.gethostbyaddr(a)[0], socket.getfqdn(a), socket.getnameinfo((a, 80), 0)[0], end=" ")
print(socket.gethostbyname_ex("A.test")[2][0], socket.gethostbyname(socket.gethostname()))
for name in "no.invalid", "a..test", "1.2.3.256":
    try:
        print(socket.getaddrinfo(name, 80))
    except (socket.gaierror, UnicodeError):
        pass'
program perl '198.1[89].* a.test' perl -MSocket -e '
my $a = gethostbyname("a.test") or die; my $name = gethostbyaddr($a, AF_INET);
my ($e, @r) = Socket::getaddrinfo("a.test", "80", { socktype => SOCK_STREAM }); die if $e || @r != 1;
print inet_ntoa($a), " $name\n"'
program node '198.1[89].* a.test' node -e '
const dns = require("dns");
dns.lookup("a.test", (e, a) => dns.lookupService(a, 80, (f, name) => console.log(a, name)));'
cat >"$work/Names.java" <<'END'
import java.net.InetAddress;

class Names {
    public static void main(String[] arguments) throws Exception {
        InetAddress a = InetAddress.getByName("a.test");

        System.out.println(a.getHostAddress() + " " + InetAddress.getByAddress(a.getAddress()).getHostName() + " "
            + InetAddress.getLocalHost().getHostAddress());
    }
}
END
if javac -d "$work" "$work/Names.java" 2>"$work/javac"; then
    program java '198.1[89].* a.test 127.0.0.1' java -cp "$work" Names
else
    skip "no java that compiles"
fi

# Rules on names, and names left to the program's resolver.
environment="$environment SOCKSIFY_BLOCK=blocked.test SOCKSIFY_DIRECT=.direct.test"
fails "a blocked name" getent ahostsv4 blocked.test
said "a blocked name: said" 1 ': blocked.test refused: rule of -b or SOCKSIFY_BLOCK$'
quiet "a blocked name"
says "blocked names, said once" 'None None 2' python3 -c '
import ctypes, socket
libc = ctypes.CDLL(None)
libc.gethostbyname.restype = ctypes.c_void_p
print(libc.gethostbyname(b"blocked.test"), libc.gethostbyname(b"blocked.test"), end=" ")
failed = 0
for _ in range(2):
    try:
        socket.getaddrinfo("blocked.test", 80)
    except socket.gaierror:
        failed += 1
print(failed)'
said "blocked names, said once" 1 ': blocked.test refused: rule of -b or SOCKSIFY_BLOCK$'
says "a direct name" '203.0.113.7*' getent ahostsv4 is.direct.test
asked "a direct name"
says "another name" '198.1[89].*' getent ahostsv4 other.test
quiet "another name"
environment="SOCKSIFY_PROXY=socks5://127.0.0.1:1 SOCKSIFY_STATE=$work/state SOCKSIFY_DNS=local"
says "names left alone" '203.0.113.7*' getent ahostsv4 a.test
asked "names left alone"

# A proxy whose name nobody knows is called by it.
environment="SOCKSIFY_PROXY=socks5://proxy.unknown:7 SOCKSIFY_STATE=$work/state"
says "an unknown proxy" 'EHOSTUNREACH EHOSTUNREACH' python3 -c '
import errno, socket
for kind in socket.SOCK_STREAM, socket.SOCK_DGRAM:
    s = socket.socket(socket.AF_INET, kind)
    try:
        s.connect(("192.0.2.9", 80))
        s.send(b"x")
    except OSError as e:
        print(errno.errorcode[e.errno], end=" " if kind == socket.SOCK_STREAM else "")'
said "an unknown proxy" 1 ': 192.0.2.9:80 refused: no address is known of the proxy proxy.unknown:7$'
asked "an unknown proxy"

# Pools of the user's choice, in a file of their own.
environment="SOCKSIFY_PROXY=socks5://127.0.0.1:1 SOCKSIFY_STATE=$work/state SOCKSIFY_POOL4=10.200.0.0/15"
environment="$environment SOCKSIFY_POOL6=fd12:3456::/32"
says "a pool of IPv4" '10.20[01].*' getent ahostsv4 a.test
says "a pool of IPv6" 'fd12:3456:*' getent ahostsv6 a.test
# shellcheck disable=SC2016
says "there and back over env -i" '10.20[01].* two.test' \
    sh -c 'a=$(getent hosts two.test | cut -d" " -f1); env -i "$(command -v getent)" hosts "$a"'
environment="SOCKSIFY_PROXY=socks5://127.0.0.1:1 SOCKSIFY_STATE=$work/state"
# shellcheck disable=SC2016
says "the usual pool beside it" '198.1[89].* one.test' \
    sh -c 'a=$(getent hosts one.test | cut -d" " -f1); getent hosts "$a"'
quiet "pools"

# A directory that others can enter keeps no names, and is told by the variable that names it.
mkdir -m 755 "$work/open"
environment="SOCKSIFY_PROXY=socks5://127.0.0.1:1 SOCKSIFY_STATE=$work/open"
says "an open directory" '198.1[89].*' getent ahostsv4 a.test
said "an open directory" 1 ': names are kept in this process .*: SOCKSIFY_STATE is not an absolute path to a directory of'

# Without a valid configuration nothing is asked.
environment="SOCKSIFY_PROXY=nonsense: SOCKSIFY_STATE=$work/state"
fails "no configuration" getent ahostsv4 a.test
says "no configuration: localhost" '127.0.0.1*' getent ahostsv4 localhost
says "no configuration: hosts" '192.0.2.4*' getent ahostsv4 hosts4.test
says "no configuration: a number" '192.0.2.9*' getent ahostsv4 192.0.2.9
fails "no configuration: back" getent hosts 192.0.2.77
quiet "no configuration"

# Rules for a name in /etc/hosts hold for what is then connected to by its address, and else those for the address.
# goes WHAT SEEN: as many requests of the last proxy, for $name at $at; standard input is what the program sees but for
# the name.
goes()
{
    cat >"$work/seen"
    for how in getaddrinfo gethostbyname; do
        : >"$proxy_log"
        { echo 'found: 0' && cat "$work/seen"; } |
            gives "$1, $how" named $how "$name" "$at:$echo" "$at:$udp"
        requests=$(grep -c '^request' "$proxy_log")
        if [ "$requests" = "$2" ]; then
            ok "$1, $how: $2 requests"
        else
            bad "$1, $how: $requests requests instead of $2"
        fi
    done
}

printf '192.0.2.1 near.test\n127.0.0.1 here.test\n' >>"$work/hosts"
PROBE=$probe
name=near.test
at=192.0.2.1
start "$work/near" "$PROBE" serve $at
# shellcheck disable=SC2086
set -- $ready
echo=$2
udp=$6
start_proxy
first=$proxy
printf 'connect: 0\necho: ok\nsendto: 4\nrecv: 4\n' >"$work/reached"
printf 'connect: -1 EACCES\nsendto: -1 EACCES\n' >"$work/blocked"
there="near.test:$echo,near.test:$udp"
at_proxy "$proxy" 'SOCKSIFY_DIRECT=!near.test,192.0.2.0/24'
goes "an exception by name" 2 <"$work/reached"
at_proxy "$proxy" 'SOCKSIFY_DIRECT=192.0.2.0/24' "SOCKSIFY_BLOCK=$there"
goes "ports of a name blocked" 0 <"$work/blocked"
at_proxy "$proxy" 'SOCKSIFY_DIRECT=.test' "SOCKSIFY_BLOCK=$there"
goes "ports of a direct name blocked" 0 <"$work/blocked"
at_proxy "$proxy" 'SOCKSIFY_DIRECT=!192.0.2.0/24,near.test'
goes "a direct name" 0 <"$work/reached"
at_proxy "$proxy" 'SOCKSIFY_DIRECT=192.0.2.0/24'
goes "no rule for the name" 0 <"$work/reached"
at_proxy "$proxy" 'SOCKSIFY_DIRECT=*' 'SOCKSIFY_BLOCK=192.0.2.0/24'
goes "an address blocked, all else direct" 0 <"$work/blocked"
start_proxy
printf '%s\n' "proxy = socks5://127.0.0.1:$first" '[proxy work]' "proxy = socks5://127.0.0.1:$proxy" '[rules]' \
    'via work = near.test' 'direct = 192.0.2.0/24' >"$work/conf"
environment="SOCKSIFY_CONF=$work/conf SOCKSIFY_STATE=$work/state"
goes "a proxy for the name" 2 <"$work/reached"

# Loopback is no proxy's, whatever it is called.
name=here.test
at=127.0.0.1
start_target
goes "loopback, where a proxy is for other addresses" 0 <"$work/reached"
at_proxy "$proxy" 'SOCKSIFY_DIRECT=!here.test'
goes "loopback, by a name that is an exception" 0 <"$work/reached"
at_proxy "$proxy" "SOCKSIFY_BLOCK=here.test:$echo,here.test:$udp"
goes "loopback, ports of its name blocked" 0 <"$work/blocked"
finish
