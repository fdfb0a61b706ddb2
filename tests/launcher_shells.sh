#!/bin/sh
# SPDX-License-Identifier: ISC
# The launcher does the same under each shell that may be /bin/sh.
. "${srcdir:-.}/guard.sh"

: "${SOCKSIFY:=$top_builddir/scripts/socksify}" "${srcdir:=.}"
need_file "$SOCKSIFY"
here=$(cd "$srcdir" && pwd)

tried=0
for shell in dash bash 'busybox sh'; do
    program=$(command -v "${shell%% *}") || {
        echo "not tried: no $shell" >&2
        continue
    }
    tried=$((tried + 1))
    mkdir "$work/$tried"
    { echo "#!$program${shell#"${shell%% *}"}" && sed 1d "$SOCKSIFY"; } >"$work/$tried/socksify"
    chmod +x "$work/$tried/socksify"
    SOCKSIFY=$work/$tried/socksify sh "$here/launcher.sh" >"$work/said" 2>&1 || fault "under $shell: $(cat "$work/said")"
done
[ $tried -gt 0 ] || {
    echo 'skipped: none of the shells is here' >&2
    exit 77
}
finish
