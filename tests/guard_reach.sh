#!/bin/sh
# SPDX-License-Identifier: ISC
# A program's connect() reaches ours, in glibc and in musl: a rule refuses with EACCES what the kernel itself would
# refuse with ECONNREFUSED.
. "${srcdir:-.}/guard.sh"

: "${CC:=cc}"
need_tool "${CC%% *}"
need_file "$OBJECT"

cat >"$work/reach.c" <<'END'
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

int main(void)
{
    struct sockaddr_in address;
    int fd = socket(AF_INET, SOCK_STREAM, 0), error;

    memset(&address, 0, sizeof address);
    address.sin_family = AF_INET;
    address.sin_port = htons(1);
    address.sin_addr.s_addr = inet_addr("127.0.0.2");
    error = connect(fd, (struct sockaddr *)&address, sizeof address) == 0 ? 0 : errno;
    puts(error == EACCES ? "refused by rule" : strerror(error));
    return 0;
}
END

# reaches OBJECT COMPILER ...: a program of that compiler, bare and with the object.
reaches()
{
    object=$1
    shift
    "$@" -O2 -o "$work/reach" "$work/reach.c" 2>"$work/errors" || {
        fault "$*: $(cat "$work/errors")"
        return
    }
    said=$("$work/reach")
    [ "$said" = 'Connection refused' ] || fault "$*, bare: $said"
    said=$(LD_PRELOAD=$object SOCKSIFY_PROXY=socks5://127.0.0.1:1 SOCKSIFY_BLOCK=127.0.0.2 SOCKSIFY_LOG=quiet \
        "$work/reach" 2>&1)
    [ "$said" = 'refused by rule' ] || fault "$*, preloaded: $said"
}

reached()
{
    # The makefile's compiler may be several words.
    case $1 in
    "$OBJECT") reaching="$1 $CC" ;;
    *) reaching="$1 $CC -m32" ;;
    esac
    # shellcheck disable=SC2086
    {
        reaches $reaching
        reaches $reaching -D_FORTIFY_SOURCE=2
        reaches $reaching -Wl,-z,now
    }
}

each_object reached
# With 64-bit times and offsets the same call has other names.
# shellcheck disable=SC2086
[ -z "$OBJECT32" ] || reaches "$OBJECT32" $CC -m32 -D_FILE_OFFSET_BITS=64 -D_TIME_BITS=64
! command -v musl-gcc >/dev/null || reaches "$OBJECT" musl-gcc
finish
