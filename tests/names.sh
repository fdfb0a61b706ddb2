# SPDX-License-Identifier: ISC
# shellcheck shell=sh disable=SC2034
# What the tests of names share: a world where only the resolver of the test knows names, and writes down who asks it.
#
#   object COMMAND...             under the object with $environment; output to $out, standard error to $err
#   says NAME PATTERN COMMAND...  the same, and what it must print
#   fails NAME COMMAND...         the same, it must print nothing and fail
#   quiet NAME, asked NAME        whether anything has reached the resolver since the last time
#   program ...                   says() and quiet() for a program that may be missing

# The namespaces have loopback only, and files in /etc of their own.
alone='nm'
. "${srcdir:-.}/alone.sh"
. "${srcdir:-.}/preload.sh"

: "${NAMES_DIFF:=./names_diff}"
own=$(hostname)
# Addresses that are not loopback, for AI_ADDRCONFIG.
ip addr add 192.0.2.1/32 dev lo
has_ipv6 && ip -6 addr add 2001:db8:1::1/128 dev lo nodad
printf 'nameserver 127.0.0.1\noptions timeout:1 attempts:1\n' >"$work/resolv.conf"
printf 'multi on\n' >"$work/host.conf"
printf 'hosts: files dns\nservices: files\nprotocols: files\n' >"$work/nsswitch.conf"
cat >"$work/hosts" <<'END'
127.0.0.1 localhost
::1 localhost ip6-localhost
192.0.2.4 hosts4.test alias4 # x
2001:db8::6 hosts6.test
192.0.2.5 hostsboth.test second third
2001:db8::5 hostsboth.test
::1 loop6.test
END
for file in resolv.conf host.conf nsswitch.conf hosts; do
    [ -e "/etc/$file" ] || continue
    mount --bind "$work/$file" "/etc/$file" || {
        echo "skipped: /etc/$file cannot be replaced" >&2
        exit 77
    }
done
has_ipv6 || {
    skip "no IPv6 here"
    finish
}
packets=$work/packets
: >"$packets"
start "$work/resolver" "$NAMES_DIFF" resolver "$packets"
mkdir -m 700 "$work/state"
environment="SOCKSIFY_PROXY=socks5://127.0.0.1:1 SOCKSIFY_STATE=$work/state"

# object COMMAND...: runs it under the object with $environment; output to $out, standard error to $err.
object()
{
    # shellcheck disable=SC2086
    timeout -k 1 "$patience" env $environment "$preload" "$@" >"$out" 2>"$err"
    status=$?
}

# quiet NAME: nothing has reached the resolver since the last time this was asked.
quiet()
{
    if [ -s "$packets" ]; then
        bad "$1: asked the resolver:"
        sort "$packets" | uniq -c | head -10
    else
        ok "$1: asks nobody"
    fi
    : >"$packets"
}

# asked NAME: the opposite.
asked()
{
    if [ -s "$packets" ]; then
        ok "$1: asks the resolver"
    else
        bad "$1: did not ask the resolver"
    fi
    : >"$packets"
}

# says NAME EXPECTED COMMAND...: the output of the command, a shell pattern, and nobody is asked.
says()
{
    name=$1
    expected=$2
    shift 2
    object "$@"
    # shellcheck disable=SC2254
    case $(cat "$out") in
    $expected) ok "$name" ;;
    *)
        bad "$name: exit status $status, not '$expected':"
        head -5 "$out" "$err"
        ;;
    esac
}

# fails NAME COMMAND...: no output and a status that is not 0.
fails()
{
    name=$1
    shift
    object "$@"
    if [ "$status" != 0 ] && [ ! -s "$out" ]; then
        ok "$name"
    else
        bad "$name: exit status $status"
        head -5 "$out" "$err"
    fi
}

# program NAME EXPECTED COMMAND...: as says(), for a program that may be missing.
program()
{
    if command -v "$3" >/dev/null 2>&1; then
        says "$@"
        quiet "$3"
    else
        skip "no $3"
    fi
}
