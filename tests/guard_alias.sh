#!/bin/sh
# SPDX-License-Identifier: ISC
# No libc of this machine exports a function that we hook under another name too, or in a form for 64-bit files or times
# (as 32-bit libcs do): what imports that would get past us.
. "${srcdir:-.}/guard.sh"

: "${CC:=cc}"
need_tool "${NM%% *}"

table HOOK FACE >"$work/table"
[ -s "$work/table" ] || fault "the table is empty"

# other_names LIBRARY: "name, as hook is", for each function at the address of one that we export.
other_names()
{
    $NM -D --defined-only "$1" | awk -v table="$work/table" '
        BEGIN { while ((getline name <table) > 0) hooked[name] = 1 }
        $2 ~ /^[TtWwVi]$/ {
            sub(/@.*/, "", $3)
            if ($3 in hooked)
                hook[$1] = $3
            else
                other[$3] = $1
        }
        END {
            for (name in other)
                if (other[name] in hook)
                    print name ", as " hook[other[name]] " is"
        }' | sort
}

# wide_names LIBRARY: "name, for hook", for each function that is named as the 64-bit form of one that we export.
wide_names()
{
    $NM -D --defined-only "$1" | awk -v table="$work/table" '
        BEGIN { while ((getline name <table) > 0) hooked[name] = 1 }
        $2 ~ /^[TtWwVi]$/ {
            name = $3
            sub(/@.*/, "", name)
            plain = name
            if (name in hooked || (sub(/(64|_time64)(_chk)?$/, "", plain) == 0))
                next
            sub(/64$/, "", plain)
            unmarked = plain
            sub(/^__/, "", unmarked)
            if (plain in hooked || unmarked in hooked)
                print name ", for " (plain in hooked ? plain : unmarked)
        }' | sort -u
}

looked=0
for library in libc.so.6 libresolv.so.2 libpthread.so.0 libanl.so.1 librt.so.1 /lib32/libc.so.6 /lib32/libresolv.so.2 \
    /lib/ld-musl-*.so.1; do
    case $library in
    /*) file=$library ;;
    *) file=$($CC -print-file-name="$library") ;;
    esac
    [ -r "$file" ] || continue
    looked=$((looked + 1))
    other_names "$file" >"$work/other"
    faults "exported by $file, not in the table" <"$work/other"
    wide_names "$file" >"$work/wide"
    faults "exported by $file, not in the table" <"$work/wide"
done
[ "$looked" -gt 0 ] || fault "no libc found"
finish
