#!/bin/sh
# SPDX-License-Identifier: ISC
# Numbers that end in every way and are made anew, processes of every sort: nothing known of the old sticks to the new,
# what is shared is shared, and no descriptor of the library's stays.
. "${srcdir:-.}/preload.sh"

patience=60
start_target
start_proxy --on "*:$deaf" hang=reply
set -- "127.0.0.1:$echo" "127.0.0.1:$proxy" "127.0.0.1:$udp" "127.0.0.1:$deaf"

same "numbers used again" life "$@"
said "silence" 0
same "the library's own descriptors closed" usurp "$@"
same "fork, both use it" both "$@"
same "children with their parent's memory" guests "$@"
mkfifo "$work/fifo"
same "a daemon" daemon "$@" "$work/fifo"
same "descriptors of an activated program" activate "$@"
at_proxy "$proxy" SOCKSIFY_TIMEOUT=0.2
same "numbers used again, whose handshake has ended" life-drained "$@"
finish
