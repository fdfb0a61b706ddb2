# SPDX-License-Identifier: ISC
# shellcheck shell=bash
# For tests that use socksify as it is installed.

# in_tree PREFIX TARGET: make install, or uninstall, of the build tree with all its directories below the prefix.
in_tree()
{
    local part
    for part in src scripts doc; do
        make -s --no-print-directory -C "$top_builddir/$part" prefix="$1" exec_prefix="$1" bindir="$1/bin" \
            libdir="$1/lib" libexecdir="$1/libexec" mandir="$1/share/man" "$2" >"$work/make.out" 2>&1 || {
            fault "make $2 in $part: $(tail -n 5 "$work/make.out")"
            return 1
        }
    done
}
