#!/bin/sh
# SPDX-License-Identifier: ISC
# The arrows between the rings point inwards: core includes core and harmless headers of libc, io includes io and core,
# hook files include io, core, hook.h, process.h and helpers, which define no function of the table: no face includes
# another.  Every source file and every test is in the build.
. "${srcdir:-.}/guard.sh"

src=$top_srcdir/src
system='errno|limits|netinet/in|stdalign|stdatomic|stdbool|stddef|stdint|string|strings|sys/socket|elf|endian'

# includes RING: "file header" for each header in quotes, the header as its path below src.
includes()
{
    for file in "$src/$1"/*.[ch]; do
        [ -e "$file" ] || continue
        sed -n 's/^[[:space:]]*#[[:space:]]*include[[:space:]]*"\([^"]*\)".*/\1/p' "$file" | while IFS= read -r header; do
            case $header in
            ../*) echo "${file#"$src/"} ${header#../}" ;;
            */*) echo "${file#"$src/"} $header" ;;
            *) echo "${file#"$src/"} $1/$header" ;;
            esac
        done
    done
}

# is_helper hook/NAME.h: hook/NAME.c has no function of the table.
table HOOK FACE >"$work/table"
is_helper()
{
    [ -f "$src/${1%.h}.c" ] || return 0
    sed -n 's/^[a-z].*[ *]\([a-z0-9_]*\)(.*/\1/p' "$src/${1%.h}.c" | sort -u | comm -12 "$work/table" - >"$work/faces"
    [ ! -s "$work/faces" ]
}

{
    includes core | grep -Ev ' core/[a-z0-9_]+\.h$'
    includes io | grep -Ev ' (core|io)/[a-z0-9_]+\.(h|def)$'
    includes hook | grep -Ev ' ((core|io)/[a-z0-9_]+\.h|hook/(hook|process)\.h)$' | while read -r file header; do
        [ "${file%.c}.h" = "$header" ] || is_helper "$header" || echo "$file $header"
    done
    for file in "$src"/core/*.[ch]; do
        sed -n 's/^[[:space:]]*#[[:space:]]*include[[:space:]]*<\([^>]*\)\.h>.*/\1/p' "$file" |
            grep -Exv "$system" | sed "s|^|${file#"$src/"} |"
    done
} >"$work/outward"
faults "includes what its ring may not" <"$work/outward"

for file in "$src"/*/*.[ch]; do
    grep -Fq " ${file#"$src/"}" "$src/Makefile.am" || fault "not in src/Makefile.am: ${file#"$src/"}"
done
for file in "$top_srcdir"/tests/*.[ch] "$top_srcdir"/tests/*.sh; do
    name=${file##*/}
    case $name in
    check_*.c) name=${name%.c} ;;
    esac
    grep -Eq "(^| )$name( |\$)" "$top_srcdir/tests/Makefile.am" || fault "not in tests/Makefile.am: $name"
done
finish
