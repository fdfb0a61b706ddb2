#!/bin/sh
# SPDX-License-Identifier: ISC
# What -vv tells of a handshake: each message with its bytes, in order, and no credentials.
. "${srcdir:-.}/preload.sh"

start_target

# told NAME: the debug lines of the last run, without what differs between runs, are the standard input.
told()
{
    cat >"$work/expected"
    sed -n 's/^socksify\[[0-9]*\]: descriptor [0-9]*: //p' "$err" >"$work/steps"
    if cmp -s "$work/expected" "$work/steps"; then
        ok "$1"
    else
        bad "$1"
        diff "$work/expected" "$work/steps"
        cat "$err"
    fi
}

start_proxy
at_proxy "$proxy" SOCKSIFY_LOG=debug
under echo "127.0.0.1:$echo"
told 'without credentials' <<EOT
sent 3 bytes of the greeting
received 2 bytes of the method
sent 10 bytes of the request
received 5 bytes of the reply
received 5 bytes of the reply
EOT
at_proxy "$proxy" SOCKSIFY_LOG=info
under echo "127.0.0.1:$echo"
told 'not with -v' <<EOT
EOT

start_proxy --user alice --password verysecret --require-auth
at_proxy "$proxy" SOCKSIFY_LOG=debug SOCKSIFY_USER=alice SOCKSIFY_PASSWORD=verysecret
under echo "127.0.0.1:$echo"
told 'with credentials' <<EOT
sent 4 bytes of the greeting
received 2 bytes of the method
sent 18 bytes of the credentials
received 2 bytes of the verdict on the credentials
sent 10 bytes of the request
received 5 bytes of the reply
received 5 bytes of the reply
EOT
if grep -q -e alice -e verysecret "$err"; then
    bad 'credentials stay out of the log'
else
    ok 'credentials stay out of the log'
fi

start_proxy --dribble
at_proxy "$proxy" SOCKSIFY_LOG=debug
under echo "127.0.0.1:$echo"
same_count=$(grep -c 'received 1 bytes of the reply' "$err")
[ "$same_count" = 10 ] && ok 'byte by byte' || bad "byte by byte: $same_count lines for 10 bytes"

# The summary: of each process what it did itself, and of one that did nothing, nothing.
summed()
{
    cat >"$work/expected"
    sed -n 's/^socksify\[[0-9]*\]: \(connections\|datagrams\|dropped\)/\1/p; s/^socksify\[[0-9]*\]: handshake  *[0-9]* ms/handshake/p' \
        "$err" >"$work/lines"
    if cmp -s "$work/expected" "$work/lines"; then
        ok "$1"
    else
        bad "$1"
        diff "$work/expected" "$work/lines"
    fi
}

start_proxy --on 192.0.2.1 refuse=4
at_proxy "$proxy" SOCKSIFY_STATS=on SOCKSIFY_LOG=quiet
under small-stack "127.0.0.1:$echo" 192.0.2.1:1 "127.0.0.1:$echo"
summed 'a summary' <<EOT
connections  2, failed 1
handshake (median)
EOT
under identity-nonblock "127.0.0.1:$echo"
summed 'of handshakes beside the program' <<EOT
connections  1, failed 0
handshake (median)
EOT
under udp-repeat "127.0.0.1:$udp" 5
summed 'of datagrams' <<EOT
datagrams    5 out, 5 in
EOT
under udp-counted "127.0.0.1:$udp" 40 mmsg
summed 'of datagrams, many in a call' <<EOT
datagrams    81 out, 81 in
EOT
# A destination that was judged before is judged anew once a rule on a name may concern it.
at_proxy "$proxy" SOCKSIFY_STATS=on SOCKSIFY_LOG=quiet "SOCKSIFY_DIRECT=localhost:$udp,!127.0.0.0/8"
under udp-learned "127.0.0.1:$udp" localhost
summed 'of datagrams until a rule makes them direct' <<EOT
datagrams    4 out, 4 in
EOT
start_proxy --udp-frag
at_proxy "$proxy" SOCKSIFY_STATS=on SOCKSIFY_LOG=quiet
under udp-repeat "127.0.0.1:$udp" 5
summed 'of datagrams that were dropped' <<EOT
datagrams    5 out, 5 in
dropped      5 in: not from the relay, malformed or in fragments
EOT
start_proxy
at_proxy "$proxy" SOCKSIFY_STATS=on SOCKSIFY_LOG=quiet
under
summed 'of nothing' <<EOT
EOT
at_proxy "$proxy" SOCKSIFY_LOG=quiet
under echo "127.0.0.1:$echo"
summed 'not asked for' <<EOT
EOT

# On a terminal it is a table; the probe's own lines go elsewhere.
table()
{
    what=$1
    shift
    cat >"$work/expected"
    # shellcheck disable=SC2086
    env $environment PROBE="$PROBE" OUT="$out" PRELOAD="$preload" script -qec \
        "env \"\$PRELOAD\" \"\$PROBE\" $* >\"\$OUT\"" /dev/null >"$err" 2>&1 </dev/null
    tr -d '\r' <"$err" | sed 's/^socksify\[[0-9]*\]: //; s/^\(connections .* \)  *[0-9][0-9]*$/\1N/; s/  *N$/ N/' \
        >"$work/lines"
    if cmp -s "$work/expected" "$work/lines"; then
        ok "$what"
    else
        bad "$what"
        diff "$work/expected" "$work/lines"
    fi
}

start_proxy --on 192.0.2.1 refuse=4
at_proxy "$proxy" SOCKSIFY_STATS=on SOCKSIFY_LOG=quiet
table 'a table of connections' small-stack "127.0.0.1:$echo" 192.0.2.1:1 "127.0.0.1:$echo" <<EOT
                   done    failed   dropped  handshake ms
connections           2         1         - N
EOT
start_proxy --udp-frag
at_proxy "$proxy" SOCKSIFY_STATS=on SOCKSIFY_LOG=quiet
table 'a table of datagrams' udp-repeat "127.0.0.1:$udp" 5 <<EOT
                   done    failed   dropped  handshake ms
datagrams out         5         -         0             -
datagrams in          5         -         5             -
dropped      5 in: not from the relay, malformed or in fragments
EOT
finish
