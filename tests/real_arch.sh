#!/bin/bash
# SPDX-License-Identifier: ISC
# Programs of 32 bits beside those of 64: each gets the object that fits it, from the launcher and from whatever starts
# it, and names are shared between them.
[ -n "${BASH_VERSION:-}" ] || exec bash "$0" "$@"
. "${srcdir:-.}/real.sh"

[ -n "$OBJECT32" ] || {
    echo 'int main(void) { return 0; }' >"$work/empty.c"
    # shellcheck disable=SC2086
    $CC -m32 -o "$work/empty" "$work/empty.c" 2>/dev/null || skip "no 32-bit programs can be built with $CC"
    skip 'configured without an object for 32-bit programs'
}
need_file "$OBJECT32"
network
mkdir "$work/www"
start_httpd
start_leak $proxy4 1080

# made KIND FLAG ...: its programs.
made()
{
    local kind=$1 name
    shift
    for name in fetch start; do
        # shellcheck disable=SC2086
        $CC -std=gnu11 -D_GNU_SOURCE -O2 "$@" -o "$work/$name-$kind" "$srcdir/real_$name.c" 2>"$work/err" ||
            fault "$name, $kind: $(cat "$work/err")"
    done
}

# launched COMMAND ...: by the launcher, in the client's namespace.
launched()
{
    timeout -k 2 20 ip netns exec "$client" env SOCKSIFY_STATE="$work/state" "$SOCKSIFY" -x "$url" "$@"
}

hello="hello 203.0.113.1 at $target4"
by_name="four.example: $hello as four.example"
asked_name='request CONNECT name four.example:80'

alone()
{
    local kind mode
    for kind in 32 wide; do
        for mode in '' nonblocking; do
            fetched "$kind, name, $mode" "$by_name" "$asked_name" launched "$work/fetch-$kind" four.example 80 $mode
            fetched "$kind, IPv4, $mode" "$target4: $hello as $target4" "request CONNECT ipv4 $target4:80" \
                launched "$work/fetch-$kind" $target4 80 $mode
            fetched "$kind, refused, $mode" 'connect: Connection refused' 'request CONNECT name target.example:9' \
                launched "$work/fetch-$kind" target.example 9 $mode
        done
    done
}

# With an empty environment, so that the exec hook must put the right object in.
started()
{
    local from to
    for from in 64 32; do
        for to in 64 32 wide; do
            [ $from != $to ] || continue
            fetched "$to started from $from" "$by_name" "$asked_name" \
                launched "$work/start-$from" "$work/fetch-$to" four.example 80
            fetched "$to started from $from by way of env and sh" "$by_name" "$asked_name" \
                launched "$work/start-$from" /bin/sh -c "exec env -i $work/fetch-$to four.example 80"
        done
    done
}

# A name that the one has looked up, and the address that the other connects to.
shared()
{
    local address
    address=$(launched $python -c 'import socket; print(socket.gethostbyname("four.example"))')
    fetched 'an address from a 64-bit program' "four.example: $hello as $address" "$asked_name" \
        launched "$work/fetch-32" "$address" 80
}

# Without one for it, a program of the other kind is refused, whoever starts it.
missing()
{
    mkdir "$work/alone"
    cp "$OBJECT" "$work/alone/"
    sed "s|^socksify_object=.*|socksify_object='$work/alone/libsocksify.so'|" "$SOCKSIFY" >"$work/launcher"
    chmod +x "$work/launcher"
    ip netns exec "$client" "$work/launcher" -x "$url" "$work/fetch-32" $target4 80 >"$work/out" 2>&1
    same 'no object for it' 126 $?
    grep -q 'another architecture' "$work/out" || fault "no object for it: $(cat "$work/out")"
    OBJECT=$work/alone/libsocksify.so through "$work/start-64" "$work/fetch-32" $target4 80 >"$work/out" 2>&1
    same 'no object for it, started' 126 $?
    grep -q 'another architecture' "$work/out" || fault "no object for it, started: $(cat "$work/out")"
}

numbers()
{
    local want='' name
    for name in ppoll_time64 pselect6_time64 _newselect epoll_pwait2 fcntl64; do
        want="$want$name: 1, connected, error 0, HTTP/1.
"
    done
    # shellcheck disable=SC2086
    $CC -std=gnu11 -D_GNU_SOURCE -O2 -m32 -o "$work/calls" "$srcdir/real_calls32.c" 2>"$work/err" ||
        fault "real_calls32.c: $(cat "$work/err")"
    same 'calls by number' "${want}socketcall: -1 Function not implemented" \
        "$(launched "$work/calls" four.example 80 2>&1)"
    no_leak 'calls by number'
}

made 64
made 32 -m32
made wide -m32 -D_FILE_OFFSET_BITS=64 -D_TIME_BITS=64
start_proxyd --delay reply:20
mark_leak
alone
started
shared
numbers
missing
finish
