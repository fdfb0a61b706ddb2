# SPDX-License-Identifier: ISC
# shellcheck shell=sh disable=SC2154
# Read by bench.sh: decisions by a thousand rules none of which matches.  The aim is 20 microseconds for one.

each_kind()
{
    for kind in names networks mixed; do
        row rules "1000 $kind" socksify "$builddir/bench/bench_rules" $kind "$MS"
    done
}

rounds each_kind
