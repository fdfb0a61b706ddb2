#!/bin/sh
# SPDX-License-Identifier: ISC
# Programs that start programs: the object and its variables arrive whatever environment is passed, what would bypass
# it is refused, and what cannot be started fails as it does without the object.
. "${srcdir:-.}/guard.sh"

: "${EXEC_PROBE:=./exec_probe}" "${HELPER:=$top_builddir/src/socksify-helper}" "${CC:=cc}"
need_file "$OBJECT"
need_file "$EXEC_PROBE"
need_file "$HELPER"

unset LD_PRELOAD SOCKSIFY_PROXY SOCKSIFY_STATE SOCKSIFY_DIRECT SOCKSIFY_LOG SOCKSIFY_BYPASS SOCKSIFY_USER \
    SOCKSIFY_PASSWORD SOCKS5_SERVER SOCKS_SERVER ALL_PROXY all_proxy
object=$(readlink -f "$OBJECT")
helper=$(readlink -f "$HELPER")
proxy=socks5://127.0.0.1:9
chmod 755 "$work"
cp "$EXEC_PROBE" "$work/probe"
mkdir -m 700 "$work/state"
source=$(readlink -f "$srcdir/exec_probe.c")
probe=$work/probe
calls='execve execv execvp execvpe execl execlp execle fexecve execveat posix_spawn posix_spawnp system popen'

# under COMMAND ...: run it with the object; output and errors in the files out and err.
under()
{
    SOCKSIFY_PROXY=$proxy SOCKSIFY_STATE=$work/state LD_PRELOAD=$object "$@" >"$work/out" 2>"$work/err" </dev/null
}

# carried MARK COMMAND ...: the probe that it starts in the end is carried.
carried()
{
    mark=$1
    shift
    under "$@"
    status=$?
    line=$(grep '^object ' "$work/out")
    [ "$line" = "object yes preload $object proxy $proxy state yes mark $mark" ] ||
        fault "$*: status $status, '$line', $(cat "$work/err")"
}

# refused PHRASE COMMAND ...: it starts nothing, and one line says why and what helps.
refused()
{
    phrase=$1
    shift
    under "$@"
    [ $? != 0 ] || fault "$*: was not refused"
    grep -q '^object ' "$work/out" && fault "$*: ran: $(cat "$work/out")"
    [ "$(grep -c "^socksify.* refused: .*$phrase.*SOCKSIFY_BYPASS=allow" "$work/err")" = 1 ] ||
        fault "$*: no '$phrase' in: $(cat "$work/err")"
}

# same_status STATUS COMMAND ...
same_status()
{
    wanted=$1
    shift
    under "$@"
    got=$?
    [ $got = "$wanted" ] || fault "$*: status $got, not $wanted: $(cat "$work/err")"
}

# as_bare COMMAND ...: same output, errors and status with and without the object.
as_bare()
{
    "$@" >"$work/bare.out" 2>"$work/bare.err" </dev/null
    bare=$?
    under "$@"
    status=$?
    [ $status = $bare ] || fault "$*: status $status, bare $bare: $(cat "$work/err")"
    cmp -s "$work/out" "$work/bare.out" || fault "$*: '$(cat "$work/out")', bare '$(cat "$work/bare.out")'"
    cmp -s "$work/err" "$work/bare.err" || fault "$*: '$(cat "$work/err")', bare '$(cat "$work/bare.err")'"
}

have()
{
    command -v "$1" >/dev/null 2>&1 && return
    echo "not here, so not tried: $1" >&2
    return 1
}

# Files of all sorts.  The programs trap at their first instruction: nobody needs a static libc to make them.
cd "$work" || exit 99
echo 'void _start(void); void _start(void) { __builtin_trap(); }' >start.c
echo 'echo "object by shell $# $0 $1"' >text
printf '#!/no/such/interpreter\n' >orphan
printf '#!%s\n' "$work/circle" >circle
printf '#!%s show\n' "$work/probe" >script
printf '#!/usr/bin/env -S %s show\n' "$work/probe" >script-env
printf '\177ELFnonsense' >nonsense
printf 'x' >plain
ln -s loop loop
chmod 755 text orphan circle script script-env nonsense
for kind in static static-pie pie; do
    $CC -nostdlib -O1 -fno-stack-protector -fPIE -$kind start.c -o $kind 2>err || fault "cannot make $kind: $(cat err)"
    printf '#!%s\n' "$work/$kind" >script-$kind
    printf '#!/usr/bin/env -S X=1 %s\n' "$work/$kind" >script-env-$kind
    chmod 755 script-$kind script-env-$kind
done
long=$(printf '%0300d' 0)
PATH=$work/plain:$work:$PATH

try_calls()
{
    for call in $calls; do
        carried 1 "$probe" "$call" "$probe" show
        carried 1 "$probe" full "$call" "$probe" show
        refused 'statically linked' "$probe" "$call" "$work/static" x
        refused 'static-pie' "$probe" "$call" "$work/static-pie" x
        [ "$call $probe" = "execveat $work/probe-musl" ] && continue
        for program in "$work/missing" "$work/plain" "$work/text"; do
            as_bare "$probe" "$call" "$program" argument
        done
    done
    for call in execve execvp posix_spawn posix_spawnp; do
        for program in "$work/plain/x" "$work/loop" "$work" "$work/orphan" "$work/circle" "$work/nonsense" \
            "$work/$long" missing plain ''; do
            as_bare "$probe" "$call" "$program" argument
        done
        as_bare "$probe" big "$call" "$probe" show
    done
    for call in execvp execlp execvpe posix_spawnp; do
        carried 1 "$probe" "$call" probe show
        carried 1 "$probe" long "$call" probe show
        refused 'statically linked' "$probe" "$call" static x
        as_bare "$probe" "$call" text argument
        as_bare "$probe" "$call" "$long" argument
        as_bare env -u PATH "$probe" "$call" true x
        as_bare env PATH= "$probe" "$call" text x
    done
    for call in execve execvp; do
        for mode in vfork thread 'full vfork' 'full thread'; do
            # shellcheck disable=SC2086
            carried 1 "$probe" $mode $call "$probe" show
            # shellcheck disable=SC2086
            refused 'statically linked' "$probe" $mode $call "$work/static" x
            # shellcheck disable=SC2086
            as_bare "$probe" $mode $call "$work/missing" x
        done
    done
    under "$probe" over execve "$probe" show
    [ "$(cat out)" = 'Argument list too long' ] || fault "over: $(cat out)"
    grep -q '^socksify.*too many' err || fault "over: no line: $(cat err)"
    under "$probe" again 60
    [ "$(cat out)" = 'the same' ] || fault "again: $(cat out err)"
    (preload=$work/probe-none.so && under env LD_PRELOAD="$object:$preload" "$probe" again 60)
    [ "$(cat out)" = 'the same' ] || fault "again, with another object: $(cat out err)"
    carried 1 "$probe" execve "$work/script"
    carried 1 "$probe" execve "$work/script-env"
}

try_calls
if have musl-gcc; then
    probe=$work/probe-musl
    if musl-gcc -D_GNU_SOURCE -O1 "$source" -o "$probe" 2>err; then
        try_calls
    else
        fault "musl-gcc: $(cat err)"
    fi
fi
probe=$work/probe

# What the search of libc passes over does not hide what lies behind it.
mkdir front behind
cp orphan front/tool
cp static behind/tool
kept=$PATH
PATH=$work/front:$work/behind:$PATH
for call in execvp execlp execvpe posix_spawnp; do
    refused "statically linked" "$probe" $call tool x
done
loader=$(readelf -lW probe | sed -n 's/.*interpreter: \(.*\)]/\1/p')
LC_ALL=C sed "s,${loader:-?},${loader%?}@," probe >front/tool
for call in execvp posix_spawnp; do
    refused "statically linked" "$probe" $call tool x
done
# A file that the effective user alone may run.
if [ "$(id -u)" = 0 ] && have python3; then
    mkdir -m 700 front/own
    cp static front/own/alone
    PATH=$work/front/own:$PATH refused 'another effective user\|statically linked' python3 -c \
        'import os; os.setresuid(65534, 0, 0); os.posix_spawnp("alone", ["alone"], os.environ)'
fi
cp probe behind/tool
for call in execvp posix_spawnp; do
    carried 1 "$probe" $call tool show
done
PATH=$kept

# Another directory, which posix_spawn() changes to.  What is here tells nothing of what is there.
$CC -O1 "$(readlink -f "$srcdir/spawn_moved.c")" -o moved 2>err || fault "$CC: $(cat err)"
mkdir there
cp static there/there-alone
cp static there/probe
cp probe there/carried
printf '#!./probe show\n' >there/script
chmod 755 there/script
for call in addchdir_np addfchdir_np paddchdir_np; do
    refused 'relative to the directory' "$work/moved" $call there ./there-alone
    refused 'relative to the directory' "$work/moved" $call there ./probe
    refused 'relative to the directory' "$work/moved" $call there ./carried
    refused 'statically linked' "$work/moved" $call there "$work/there/probe"
    refused 'relative to a directory' "$work/moved" $call there "$work/there/script"
    carried 1 env MARK=1 "$work/moved" $call there "$work/probe"
done
refused 'relative to the directory' env PATH=:/usr/bin "$work/moved" paddchdir_np there carried
refused 'relative to the directory' env PATH=/usr/bin: "$work/moved" paddchdir_np there carried
carried 1 env MARK=1 PATH="$work:/usr/bin" "$work/moved" paddchdir_np there probe
carried 1 env MARK=1 "$work/moved" - there ./probe
# The names of POSIX 2024, which libc need not have.
for call in addchdir addfchdir; do
    refused 'relative to the directory' "$work/moved" $call there ./carried
    carried 1 env MARK=1 "$work/moved" $call there "$work/probe"
done
printf '#!/usr/bin/env sh\nexec %s show\n' "$work/probe" >there/by-env
chmod 755 there/by-env
carried 1 env MARK=1 "$work/moved" addchdir_np there "$work/there/by-env"
export SOCKSIFY_BYPASS=allow
carried 1 env MARK=1 "$work/moved" addchdir_np there ./carried
unset SOCKSIFY_BYPASS

# Pointers that lead nowhere, and in musl an environment that is none.
cat >astray.c <<'END'
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

extern char **environ;

int main(int argc, char **argv)
{
    char *bad = (char *)8, *texts[] = { argv[1], bad, NULL }, **lists[] = { (char **)8, texts };

    execve(bad, argv, environ);
    puts(strerror(errno));
    printf("%s\n", strerror(posix_spawn(NULL, bad, NULL, NULL, argv, environ)));
    for (int i = 0; i < 2; i++) {
        execve(argv[1], lists[i], environ);
        puts(strerror(errno));
        execve(argv[1], argv, lists[i]);
        puts(strerror(errno));
        execve("/nonexistent", argv, lists[i]);
        puts(strerror(errno));
        printf("%s\n", strerror(posix_spawn(NULL, argv[1], NULL, NULL, lists[i], environ)));
        printf("%s\n", strerror(posix_spawn(NULL, argv[1], NULL, NULL, argv, lists[i])));
    }
    fflush(stdout);
    if (argc > 2)
        fexecve(open(argv[1], O_RDONLY), argv, NULL);
    puts(strerror(errno));
    return 1;
}
END
if $CC astray.c -o astray 2>err; then
    as_bare "$work/astray" "$work/probe"
    as_bare "$work/astray" "$work/probe" null
else
    fault "$CC: $(cat err)"
fi
if have musl-gcc && musl-gcc astray.c -o astray-musl 2>err; then
    as_bare "$work/astray-musl" "$work/probe"
    refused 'statically linked' "$work/astray-musl" "$work/static" null
fi

# The whole chain of what can be wrong, by its reasons.
refused 'links no shared library' sh -c "$work/pie"
refused "$work/static, which it runs, is statically" sh -c "$work/script-static"
refused "$work/static-pie, which it runs, is statically" sh -c "$work/script-env-static-pie"
under env SOCKSIFY_BYPASS=allow sh -c "$work/static"
[ $? -gt 128 ] || fault 'SOCKSIFY_BYPASS=allow did not let a static program run'
if have busybox && ! readelf -l "$(command -v busybox)" | grep -q INTERP; then
    refused 'statically linked' sh -c "exec $(command -v busybox) true"
fi
# A dynamic one and a static one.
for go in gron shfmt; do
    ! have "$go" || refused 'a Go program' sh -c "exec $(command -v "$go") --version"
done
# What is started without an exec of ours to judge it judges itself.
cat >go.c <<'END'
#include <unistd.h>
__asm__(".pushsection .note.go.buildid, \"a\", %note\n.balign 4\n"
        ".long 4, 4, 4\n.asciz \"Go\\0\"\n.long 0\n.popsection");
int main(void)
{
    return write(1, "ran\n", 4) != 4;
}
END
if $CC go.c -o go 2>err; then
    refused 'a Go program' "$work/go"
    same_status 126 "$work/go"
    SOCKSIFY_BYPASS=allow same_status 0 "$work/go"
    [ "$(cat out)" = ran ] || fault "SOCKSIFY_BYPASS=allow: $(cat out err)"
    SOCKSIFY_CONF=/nonexistent same_status 126 "$work/go"
else
    fault "$CC: $(cat err)"
fi
# A program of the other class; its library need not be there, since it is never run.
if echo 'void f(void); void f(void) {}' >foreign.c && $CC -m32 -nostdlib -shared foreign.c -o libforeign.so 2>err &&
    $CC -m32 -nostdlib -fno-stack-protector start.c -Wl,--no-as-needed libforeign.so -o foreign 2>err &&
    ! cmp -s -n 5 foreign "$object"; then
    # With no object for it beside ours; real_arch.sh has one.
    mkdir alone && cp "$object" alone/libsocksify.so
    kept=$object
    object=$work/alone/libsocksify.so
    refused 'another architecture' sh -c "exec $work/foreign"
    object=$kept
else
    echo "not tried: no program of 32 bits can be made here: $(cat err)" >&2
fi
if [ "$(id -u)" = 0 ] && have setpriv; then
    nobody='setpriv --reuid 65534 --regid 65534 --clear-groups'
    cp probe probe-suid
    chmod 4755 probe-suid
    mv state state-root
    if $nobody test -r "$object"; then
        mkdir -m 700 state && chown 65534:65534 state
        refused 'another effective user' $nobody sh -c "$work/probe-suid show"
        carried - $nobody --no-new-privs sh -c "$work/probe-suid show"
        carried - $nobody sh -c "$work/probe show"
    fi
    if $nobody test -r "$object"; then
        # Linked with the object it has that, but nothing of the caller's environment, and reaches loopback alone.
        cat >setid.c <<'END'
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

static const char *try(const char *host, int type, int port)
{
    struct sockaddr_in sa = { .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = inet_addr(host) };

    return connect(socket(AF_INET, type, 0), (struct sockaddr *)&sa, sizeof sa) ? strerror(errno) : "connected";
}

int main(void)
{
    return printf("%s, %s\n", try("127.0.0.2", SOCK_STREAM, 1), try("127.0.0.1", SOCK_DGRAM, 53)) < 0;
}
END
        ${CC:-cc} -o setid setid.c "$object" -Wl,-rpath,"${object%/*}" && cp setid setid-suid && chmod 4755 setid-suid
        for program in setid setid-suid; do
            SOCKSIFY_BYPASS=allow SOCKSIFY_PROXY=$proxy SOCKSIFY_STATE=$work/state SOCKSIFY_BLOCK=0.0.0.0/0 \
                $nobody "./$program" >>setid.out 2>/dev/null
        done
        printf '%s, %s\n' 'Permission denied' 'Permission denied' 'Connection refused' 'Network is unreachable' |
            cmp -s - setid.out || fault "a set-user-ID program with the object: $(cat setid.out)"
    fi
    rm -rf state
    mv state-root state
fi

# A shell that looks in two directories tells of the program once, in each of its processes; with -v, of each file.
mkdir one two
ln static one/twice
ln static two/twice
places=PATH=$work/one:$work/two:$PATH
refused "statically linked" env "$places" sh -c twice
refused "statically linked" env "$places" sh -c 'twice; exit 1'
under env "$places" sh -c 'twice; twice; exit 1'
[ "$(grep -c 'one/twice refused' err)$(grep -c ' refused: ' err)" = 22 ] || fault "told by two processes: $(cat err)"
under env "$places" SOCKSIFY_LOG=info sh -c twice
[ "$(grep -c ' refused: ' err)" = 2 ] || fault "each file, with -v: $(cat err)"

# An environment of which our part is kept: nothing is added, nothing comes twice.
under sh -c "LD_PRELOAD='$object' exec env"
[ "$(grep -c '^LD_PRELOAD=' out)$(grep -c '^SOCKSIFY_PROXY=' out)" = 11 ] || fault "twice: $(cat out)"
under env SOCKSIFY_PROXY=socks5://127.0.0.1:10 env
grep -Fxq SOCKSIFY_PROXY=socks5://127.0.0.1:10 out || fault "what the program passes is not left alone: $(cat out)"
under env -i LD_PRELOAD=/no/such.so "$work/probe" show
grep -q "preload $object:/no/such.so proxy" out || fault "others' LD_PRELOAD: $(cat out)"
under env -u SOCKSIFY_PROXY -u SOCKSIFY_STATE -u LD_PRELOAD sh -c 'cd / && exec env'
grep -Fxq "LD_PRELOAD=$object" out || fault "unset: $(cat out)"
cp "$object" libsocksify.so
SOCKSIFY_PROXY=$proxy LD_PRELOAD=./libsocksify.so sh -c 'cd / && exec env -i env' >out 2>err
grep -Fq "LD_PRELOAD=$work/./libsocksify.so" out || fault "relative path: $(cat out err)"
LD_PRELOAD=$object sh -c 'exec env -i env' >out 2>err
[ ! -s out ] || fault "not configured, and yet: $(cat out)"
ALL_PROXY=$proxy LD_PRELOAD=$object sh -c 'exec env -i env' >out 2>err
grep -Fxq ALL_PROXY=$proxy out || fault "a convention that configures is not carried: $(cat out)"
ALL_PROXY=http://x LD_PRELOAD=$object SOCKSIFY_PROXY=$proxy sh -c 'exec env -i env' >out 2>err
grep -q ^ALL_PROXY out && fault "a convention that does not configure is carried: $(cat out)"

# A child that only execs pays for the look at the program, by calls that neither map, lock, wait nor leave anything.
if have strace && strace -o /dev/null true 2>err; then
    under strace -f -qq -o trace "$probe" vfork execve "$probe" show
    first=$(sed -n '1s/ .*//p' trace)
    # A futex() that waits for nothing looks where a pointer leads.
    sed -n "/^$first /d; s/^[0-9]* *//; /^execve/q; p" trace | sed 's/^futex(.*FUTEX_CMP_REQUEUE.*/look/; s/(.*//' |
        sort | uniq -c >child
    grep -Ev ' (look|statx|openat|preadv?(64)?|fstatfs|fgetxattr|get[eu]?[ug]id|getpid|prctl|close)$' child |
        faults 'vfork child'
    [ "$(awk '{ n += $1 } END { print (n > 0 && n <= 60) }' child)" = 1 ] || fault "vfork child: $(cat child)"
fi

# Other people's programs.
carried - sh -c "env $work/probe show"
carried - env -i "PATH=$PATH" "$work/probe" show
carried 2 sh -c "echo show | xargs env -i MARK=2 $work/probe"
carried - find "$work/plain" -exec "$work/probe" show ';'
have make && printf 'all:\n\t@env -i %s show\n' "$work/probe" >makefile && carried - make -f makefile
have git && carried - git -c "alias.x=!env -i $work/probe show" x
if have perl; then
    carried - perl -e "%ENV = (); exec '$work/probe', 'show'"
    carried - perl -e "%ENV = (); system '$work/probe', 'show'"
    carried - perl -e "%ENV = (); print qx($work/probe show; true)"
fi
if have python3; then
    carried - sh -c "env python3 -c 'import os; os.execv(\"$work/probe\", [\"p\", \"show\"])'"
    carried 3 python3 -c "import subprocess; subprocess.run(['$work/probe', 'show'], env={'MARK': '3'})"
    carried - python3 -c "import subprocess; subprocess.run('$work/probe show; true', shell=True, env={})"
    carried 3 python3 -c "import os; os.posix_spawn('$work/probe', ['p', 'show'], {'MARK': '3'}); os.wait()"
    carried - python3 -c "import os; os.environ.clear(); os.system('$work/probe show; true')"
    under python3 -c "import subprocess; subprocess.run(['$work/static'], env={})"
    grep -q 'PermissionError' err || fault "python3, static: $(cat err)"
fi
have node && carried 4 node -e "require('child_process').spawnSync('$work/probe', ['show'],
    { env: { MARK: '4' }, stdio: 'inherit' })"
if have java && java --version 2>&1 | grep -Eq '^[a-z]+ (1[1-9]|[2-9][0-9])'; then
    cat >Start.java <<END
public class Start {
    public static void main(String[] a) throws Exception {
        ProcessBuilder b = new ProcessBuilder("$work/probe", "show").inheritIO();
        b.environment().clear();
        b.environment().put("MARK", "5");
        b.start().waitFor();
    }
}
END
    carried 5 java -XX:TieredStopAtLevel=1 Start.java
fi

# The helper says the same before anything runs, the good to standard output.
# checked STATUS PHRASE COMMAND ...
checked()
{
    expected=$1
    phrase=$2
    shift 2
    "$helper" check "$OBJECT" "$@" >out 2>err
    status=$?
    [ $status = "$expected" ] || fault "check $*: $status: $(cat err)"
    if [ "$status" = 0 ]; then
        [ ! -s err ] && grep -q "^$1 would $phrase" out || fault "check $*: $(cat out err)"
        return
    fi
    [ ! -s out ] || fault "check $*: output: $(cat out)"
    [ "$(wc -l <err)" = 1 ] && grep -q "^socksify: .*$phrase" err || fault "check $*: no '$phrase' in: $(cat err)"
}
checked 0 'use the proxy$' probe
checked 0 'use the proxy$' "$work/script-env"
checked 126 'statically linked' static
checked 126 'static-pie, which it runs, is statically' "$work/script-env-static-pie"
checked 126 'Permission denied' "$work/plain"
checked 127 'not found' "$work/missing"
checked 127 'not found' "no such"
SOCKSIFY_BYPASS=allow checked 0 'run without the proxy: it is statically linked' static
checked 125 'no command'
finish
