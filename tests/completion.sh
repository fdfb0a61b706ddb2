#!/bin/sh
# SPDX-License-Identifier: ISC
# bash and zsh complete every option of the launcher's --help, no other, and what follows them.
. "${srcdir:-.}/guard.sh"

: "${SOCKSIFY:=$top_builddir/scripts/socksify}"
need_file "$SOCKSIFY"
there=$(cd "$top_srcdir/scripts/completion" && pwd)
"$SOCKSIFY" --help | sed -n 's/^  \(-[a-z]\), /  \1\n  /; s/  \(--*[a-z-]*\)[^\n]*/\1/gp' |
    grep '^-' | LC_ALL=C sort >"$work/options"
[ "$(wc -l <"$work/options")" -gt 9 ] || fault "no options in --help"

tried=0
if command -v shellcheck >/dev/null; then
    shellcheck "$there/socksify" || fault 'shellcheck: completion/socksify'
fi

# completes EXPECTED WORD ...: by bash, the last word being completed.
completes()
{
    expected=$1
    shift
    # shellcheck disable=SC2016
    got=$(cd "$work" && bash --norc --noprofile -c '
        . "$1"
        shift
        COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
        _socksify 2>/dev/null
        printf "%s\n" "${COMPREPLY[@]}"' bash "$there/socksify" socksify "$@" | sort -u | tr '\n' ' ')
    [ "$got" = "$expected " ] || fault "bash, $*: '$got', not '$expected'"
}

if command -v bash >/dev/null; then
    tried=1
    : >"$work/file.conf"
    : >"$work/file.txt"
    completes "$(sed 's/^--dns$/&=/; s/^--bind$/&=/; s/^--pipeline$/&=/; s/^--password-file$/&=/; $a\--' "$work/options" |
        LC_ALL=C sort | tr '\n' ' ' | sed 's/ $//')" -
    completes '--shell --show --stats' --s
    completes '--dns=' --d
    completes 'remote' --dns = r
    completes 'local remote' --dns =
    completes 'auto off on' --pipeline =
    completes 'file.conf' -v -c file.c
    completes 'file.conf file.txt' --password-file = 'fi'
    completes 'file.conf file.txt' -vql 'fi'
    completes '' -x socks5://h -u al
    completes '--show' -x socks5://h -v --sho
    completes 'mkfifo' -x socks5://h mkfif
    completes 'mkfifo' -xsocks5://h -- mkfif
    completes 'file.conf file.txt' -x socks5://h -d '' cat 'fi'
    completes 'file.conf file.txt' --dns = local cat -x 'fi'
fi
if command -v zsh >/dev/null; then
    tried=1
    zsh -n "$there/_socksify" || fault 'zsh: a fault of syntax'
    # What it tells zsh to offer.
    # shellcheck disable=SC2016
    zsh -f -c '_arguments() { print -rl -- "$@" }; . "$1"' zsh "$there/_socksify" >"$work/specs"
    sed -n 's/^\(([^)]*)\)*\**\(--*[a-z-]*\)[=+]*\[.*/\2/p' "$work/specs" | sort >"$work/offered"
    cmp -s "$work/options" "$work/offered" || fault "zsh: $(diff "$work/options" "$work/offered")"
    # A shell on a terminal of its own, and what it makes of a line and a tab: told, and not run.
    cat >"$work/tab.zsh" <<'END'
zmodload zsh/zpty
zpty shell zsh -f -i
zpty -w shell "PS1= RPS1=; unsetopt zle_bracketed_paste prompt_cr; fpath=($1 \$fpath)
autoload -U compinit; compinit -u -D
tell() { print -r -- \"<\$BUFFER>\"; BUFFER=; zle accept-line }; zle -N tell; bindkey '^X' tell; print rea'dy'"
zpty -r shell out '*ready*'
shift
for line; do
    zpty -w -n shell "$line"$'\t\x18'
    zpty -r shell out '*<socksify*>*'
    print -r -- "${${out##*<}%%>*}|"
done
zpty -d shell
END
    : >"$work/file.conf"
    cat >"$work/expected" <<'END'
socksify --show |
socksify --dns=remote |
socksify --bind=auto |
socksify --password-file=file.conf |
socksify -x socks5://h -c file.conf |
socksify -vl file.conf |
socksify -v mkfifo |
socksify -x socks5://h --stats cat file.conf |
END
    (cd "$work" && rm -f file.txt && timeout 60 zsh -f tab.zsh "$there" 'socksify --sho' 'socksify --dns=r' \
        'socksify --bind=a' 'socksify --password-file=fi' 'socksify -x socks5://h -c fi' 'socksify -vl fi' \
        'socksify -v mkfif' 'socksify -x socks5://h --stats cat fi' >"$work/said" 2>"$work/complaints")
    cmp -s "$work/expected" "$work/said" || fault "zsh: $(diff "$work/expected" "$work/said"; cat "$work/complaints")"
fi
[ $tried = 1 ] || {
    echo 'skipped: neither bash nor zsh' >&2
    exit 77
}
finish
