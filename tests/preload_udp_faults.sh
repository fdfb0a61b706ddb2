#!/bin/sh
# SPDX-License-Identifier: ISC
# Datagrams through a proxy that does wrong: nothing reaches the program that must not, what was dropped is counted, and
# what cannot be carried fails closed.
. "${srcdir:-.}/alone.sh"
. "${srcdir:-.}/preload.sh"

start "$work/second" "$PROBE" serve
# shellcheck disable=SC2086
set -- $ready
other=$6
start_target
four=127.0.0.1:$udp
addresses=$four
has_ipv6 && addresses="$four [::1]:$udp [::ffff:127.0.0.1]:$udp"

# counted NAME NUMBER...: the last run said so many dropped datagrams, of one socket after the other, and nothing else.
counted()
{
    name=$1
    shift
    for each; do
        echo "UDP: $each datagrams dropped: not from the relay, malformed or in fragments"
    done >"$work/expected"
    grep -v 'UDP association: the relay is' "$err" | sed 's/^socksify\[[0-9]*\]: //' >"$work/counted"
    if cmp -s "$work/expected" "$work/counted"; then
        ok "$name: counted"
    else
        bad "$name: counted"
        diff "$work/expected" "$work/counted"
    fi
}

# unseen NAME: no datagram came to the last proxy.
unseen()
{
    if grep -q '^udp' "$proxy_log"; then bad "$1: a datagram went out"; else ok "$1: no datagram went out"; fi
}

# asked NAME NUMBER: so many associations were wanted of the last proxy.
asked()
{
    requests=$(grep -c '^request' "$proxy_log")
    if [ "$requests" = "$2" ]; then ok "$1: asked"; else bad "$1: asked $requests times instead of $2"; fi
}

# Bad datagrams before each answer.  The run without a peer has 5 answers, that with one 14.
while read -r number wrong; do
    # shellcheck disable=SC2086
    start_proxy $wrong
    # shellcheck disable=SC2086
    same "$wrong: many" udp-many $addresses
    # More would not fit into the receive buffer.
    [ "$number" != 1 ] || same "$wrong: many in a call" udp-batches "$four" "127.0.0.1:$other"
    # A name is more than four bytes, which the kernel finds.
    [ "${wrong#--udp-source}" != "$wrong" ] || same "$wrong: into memory that is none" udp-behind "$four"
    [ "$wrong" != --udp-stranger ] || same "$wrong: SO_RCVTIMEO of many in a call" fault-timed "$four"
    for address in $addresses; do
        at_proxy "$proxy" SOCKSIFY_LOG=info
        same "$wrong: $address" fault-heard "$address" 5
        counted "$wrong: $address" $((number * 5)) $((number * 14))
    done
done <<EOT
1 --udp-frag
1 --udp-rsv
1 --udp-stranger
6 --udp-garbage
1 --udp-source name:unknown.test:7
9 --udp-frag --udp-rsv --udp-stranger --udp-garbage
EOT
same "all at once: threads" udp-threads "$four"

# A thread that waits since before the association stands, by the calls that have room for a name.
# 15 is 70 messages, beside which the receive buffer holds no more garbage.
while read -r wrong ways; do
    start_proxy "$wrong"
    for address in $addresses; do
        # shellcheck disable=SC2086
        same "$wrong: a thread that waits already, $address" udp-early "$address" $ways
    done
done <<EOT
--udp-frag 3 4 5 6 8 10 11 15
--udp-rsv 3 4 5 6 8 10 11 15
--udp-garbage 3 4 5 6 8 10 11
EOT

# The same, where what was dropped is all that comes.
start_proxy --udp-frag --udp-no-answer
cat >"$work/expected" <<EOT
recvfrom: -1 EAGAIN
 room for a name: 128, for control messages: 100
recvmsg: -1 EAGAIN
 room for a name: 128, for control messages: 100
EOT
under udp-early "$four" 19 20
sed -i '/^bind\|^sendto/d' "$out"
result "a thread that waits in vain" "$work/expected"

# Sources that somebody without a peer hears, and with one does not.
while read -r source shown; do
    start_proxy --udp-source "$source"
    gives "source $source" fault-sources "$four" 2 <<EOT
sendto: 4
recvfrom: 3
 bad from $shown
recvfrom: 4
 good from $four
EOT
    at_proxy "$proxy" SOCKSIFY_LOG=info
    same "source $source, with a peer" fault-peer "$four" 5
    counted "source $source, with a peer" 5
done <<EOT
192.0.2.9:7 192.0.2.9:7
127.0.0.1:9 127.0.0.1:9
EOT
# An IPv4 socket has no form for an IPv6 source.
start_proxy --udp-source ipv6:2001:db8::9:7
at_proxy "$proxy" SOCKSIFY_LOG=info
same "an IPv6 source, IPv4 socket" fault-sources "$four" 1
counted "an IPv6 source, IPv4 socket" 1

# A signal behind it.
start_proxy --udp-stranger --udp-no-answer
gives "interrupted behind a stranger" fault-interrupted "$four" <<EOT
sendto: 1
recvmmsg: -1 EINTR
and then: -1 EAGAIN
EOT

# Silence, and silence broken by what counts for nothing; and a relay that is none.
while read -r wrong; do
    # shellcheck disable=SC2086
    start_proxy $wrong
    gives "$wrong" fault-silence "$four" <<EOT
sendto: 1
sendto: 1
sendto: 1
recvfrom: -1 EAGAIN
recvfrom: -1 EAGAIN
MSG_PEEK: -1 EAGAIN
MSG_DONTWAIT: -1 EAGAIN
connect: 0
send: 1
recv: -1 EAGAIN
EOT
done <<EOT
--udp-silent
--udp-no-answer
--udp-no-answer --udp-garbage --udp-frag --udp-stranger
--udp-bnd 127.0.0.1:9
EOT
unseen "a relay that is none"

# Nobody at the relay's port, though the control connection stands: the kernel says of it what it says of a target, but
# that the error queue has what went out, with its header, and where it went.
start_proxy --udp-bnd 127.0.0.1:9
bare fault-unreachable 127.0.0.2:9 |
    sed 's/^MSG_ERRQUEUE: 3$/MSG_ERRQUEUE: 13/; s/ header 0, \(.*\) about the target$/ header 1, \1 about another/' >"$work/expected"
under fault-unreachable 127.0.0.2:9
result "ICMP from the relay" "$work/expected"

# All datagrams go where the first went.
start_proxy --udp-first-only
gives "first destination only" fault-turns "$four" "127.0.0.1:$other" <<EOT
sendto: 1
recvfrom: 1
connect: 0
send: 1
recv: -1 EAGAIN
EOT

# Where the relay is: what the reply says, or the proxy's own address.
for bnd in any name other-family name:far.test:* ipv6:::1:*; do
    start_proxy --udp-bnd "$bnd"
    same "BND $bnd" fault-heard "$four" 2
done
start_proxy --udp-bnd "ipv4:127.0.0.1:0"
gives "no port for the relay" udp-repeat "$four" 1 <<EOT
sendto 20 in 1: -1 ECONNREFUSED
EOT

# No UDP at the proxy: it is asked once, and nothing goes out any other way.
for how in "--no-udp 7" "--no-udp 2byte" "--no-udp eof" "--cut reply:4" "--rst reply"; do
    # shellcheck disable=SC2086
    start_proxy $how
    gives "no UDP: $how" udp-repeat "$four" 3 <<EOT
sendto 20 in 1: -1 EACCES
sendto 20 in 1: -1 EACCES
sendto 20 in 1: -1 EACCES
EOT
    said "no UDP: $how, said once" 1 "UDP is not offered by the proxy 127.0.0.1:$proxy"
    asked "no UDP: $how" 1
    unseen "no UDP: $how"
done

# Handshakes that fail: each datagram tries anew.
while read -r error wrong; do
    # shellcheck disable=SC2086
    start_proxy $wrong
    at_proxy "$proxy" SOCKSIFY_TIMEOUT=1
    gives "$wrong" udp-repeat "$four" 2 <<EOT
sendto 20 in 1: -1 $error
sendto 20 in 1: -1 $error
EOT
    unseen "$wrong"
done <<EOT
EACCES --no-method
EACCES --user name --password word --require-auth
ECONNREFUSED --close method
ECONNREFUSED --rst method
ECONNREFUSED --garbage method
ECONNREFUSED --garbage reply
ECONNREFUSED --refuse 1
EACCES --refuse 2
ENETUNREACH --refuse 3
EHOSTUNREACH --refuse 4
ETIMEDOUT --refuse 6
EAFNOSUPPORT --refuse 8 --short-reply 4
ETIMEDOUT --hang method
ETIMEDOUT --hang reply
EOT
start_proxy --dribble --user name --password word --require-auth
at_proxy "$proxy" SOCKSIFY_USER=name SOCKSIFY_PASSWORD=word
same "credentials, byte by byte" udp-repeat "$four" 3
at_proxy "$refusing"
gives "no proxy" udp-repeat "$four" 2 <<EOT
sendto 20 in 1: -1 ECONNREFUSED
sendto 20 in 1: -1 ECONNREFUSED
EOT

# The control connection ends after each datagram and its answer: the next one, once that is seen, is associated anew.
start_proxy --udp-close-after 2
same "a new association" udp-again "$four" 3
asked "a new association" 3
# So it is where the proxy has said something that nobody asked for, which is never read.
start_proxy --udp-close-after 2 --extra reply
same "a new association, behind stray bytes" udp-again "$four" 3
asked "a new association, behind stray bytes" 3
finish
