#!/bin/sh
# SPDX-License-Identifier: ISC
# What the object wants from libc is in undefined.list, whose names are in glibc 2.17 and musl 1.2 alike: a name that
# the libc of a program lacks kills that program at its start.  What the list has and nothing wants is a fault as well.
. "${srcdir:-.}/guard.sh"

need_tool "${NM%% *}"
need_file "$srcdir/undefined.list"

sed -n 's/^\(strong\|build\) //p' "$srcdir/undefined.list" | sort >"$work/strong"
sed -n 's/^strong //p' "$srcdir/undefined.list" | sort >"$work/always"
sed -n 's/^weak //p' "$srcdir/undefined.list" | sort >"$work/weak"

examine()
{
    $NM -D --undefined-only "$1" | awk '$1 == "U" { print $2 }' | sed 's/@.*//' | sort >"$work/wanted"
    $NM -D --undefined-only "$1" | awk '$1 != "U" { print $2 }' | sed 's/@.*//' | sort >"$work/wished"

    comm -13 "$work/strong" "$work/wanted" >"$work/extra"
    faults "undefined in $1, not listed as strong" <"$work/extra"
    sort -u "$work/strong" "$work/weak" | comm -13 - "$work/wished" >"$work/extra"
    faults "undefined and weak in $1, not listed" <"$work/extra"
    sort -u "$work/wanted" "$work/wished" >"$work/all"
    sort "$work/always" "$work/weak" | comm -23 - "$work/all" >"$work/stale"
    faults "listed, not wanted by $1" <"$work/stale"
    $NM -D --undefined-only "$1" | grep '@' >"$work/versioned"
    faults "bound to a version in $1" <"$work/versioned"
}

each_object examine

# The list itself, against the libraries of this machine where it has them.
for libc in /lib/ld-musl-*.so.1 /usr/lib/*-linux-musl/libc.so; do
    [ -r "$libc" ] || continue
    $NM -D --defined-only "$libc" | sed 's/.* //' | sort -u | comm -23 "$work/strong" - >"$work/absent"
    faults "listed, not in $libc" <"$work/absent"
done
for libc in /lib/*-linux-gnu/libc.so.6 /lib64/libc.so.6; do
    [ -r "$libc" ] || continue
    $NM -D --defined-only "$libc" | awk '
        { split($NF, part, /@+/); split(part[2], v, /[_.]/) }
        v[1] == "GLIBC" && v[2] == 2 && v[3] <= 17 { print part[1] }' | sort -u >"$work/old"
    comm -23 "$work/strong" "$work/old" >"$work/absent"
    faults "listed, not in glibc 2.17 by $libc" <"$work/absent"
    break
done
finish
