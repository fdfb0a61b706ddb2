# SPDX-License-Identifier: ISC
# shellcheck shell=bash disable=SC2154
# For tests that have sourced real.sh: programs from packages, each doing its job once through the proxy of $url.

set -o pipefail
ncat_options=()
expected="hello 203.0.113.1 at $target4 as four.example"

make_repository()
{
    local at=$work/checkout
    git init -q "$at" && $python -c 'for i in range(1 << 17): print(i)' >"$at/numbers" &&
        git -C "$at" add numbers &&
        git -C "$at" -c user.name=alice -c user.email=alice@target.example commit -q -m numbers &&
        git clone -q --bare "$at" "$work/www/repo.git" && cp -r "$work/www/repo.git" "$work/www/dumb.git" &&
        git -C "$work/www/dumb.git" update-server-info || fault 'no git repository'
}

make_java()
{
    cat >"$work/Fetch.java" <<'END'
import java.io.InputStream;
import java.net.HttpURLConnection;
import java.net.URL;

public class Fetch {
    public static void main(String[] arguments) throws Exception {
        HttpURLConnection c = (HttpURLConnection) new URL(arguments[0]).openConnection();
        try (InputStream in = c.getInputStream()) {
            in.transferTo(System.out);
        }
        System.out.flush();
    }
}
END
    javac -d "$work" "$work/Fetch.java" || fault 'no java program'
}

make_keys()
{
    ssh-keygen -q -t ed25519 -N '' -C '' -f "$work/host_key" && ssh-keygen -q -t ed25519 -N '' -C '' -f "$work/key" ||
        fault 'no keys'
    cat >"$work/ssh_config" <<END
IdentityFile $work/key
IdentitiesOnly yes
BatchMode yes
StrictHostKeyChecking no
UserKnownHostsFile $work/known_hosts
LogLevel ERROR
ExitOnForwardFailure yes
User root
END
}

# start_sshd NAMESPACE NAME PORT
start_sshd()
{
    cat >"$work/$2.conf" <<END
Port $3
HostKey $work/host_key
PidFile none
AuthorizedKeysFile $work/key.pub
StrictModes no
UsePAM no
PermitRootLogin prohibit-password
PasswordAuthentication no
END
    # It wants a directory in /run, which is given to it in a mount namespace of its own.
    # shellcheck disable=SC2016
    start "$1" "$2" sh -c 'mount -t tmpfs none /run && mkdir -m 755 /run/sshd && exec "$@"' sh \
        "$(command -v sshd)" -D -e -f "$work/$2.conf"
    listening "$1" "$3" "$2"
}

start_targets()
{
    mkdir "$work/www"
    ! have git || make_repository
    ! have java javac || make_java
    start_httpd
    have ssh sshd ssh-keygen || return
    make_keys
    start_sshd "$target" sshd 22
}

clone()
{
    rm -rf "$work/clone"
    through git clone -q "$1" "$work/clone" && cmp "$work/checkout/numbers" "$work/clone/numbers" && echo cloned
}

perl_http()
{
    # shellcheck disable=SC2016
    through perl -e '
        use IO::Socket::INET;
        my $s = IO::Socket::INET->new(PeerAddr => "four.example", PeerPort => 80, Timeout => 15) or die "perl: $@";
        print $s "GET /hello HTTP/1.0\r\nHost: four.example\r\n\r\n";
        local $/;
        print +(split /\r\n\r\n/, <$s>, 2)[1];'
}

ncat_http()
{
    printf 'GET /hello HTTP/1.0\r\nHost: four.example\r\n\r\n' |
        through ncat "${ncat_options[@]}" four.example 80 | sed '1,/^\r$/d'
}

node_http()
{
    through node -e '
        require("http").get("http://four.example/hello", answer => answer.pipe(process.stdout));'
}

# job WHAT EXPECTED COMMAND ...: the output, nothing on standard error, exit status 0, and nothing leaked.
job()
{
    local what=$1 want=$2 status
    shift 2
    "$@" >"$work/out" 2>"$work/err"
    status=$?
    same "$what: exit status" 0 $status
    same "$what" "$want" "$(cat "$work/out")"
    same "$what: standard error" '' "$(cat "$work/err")"
    no_leak "$what"
}

# jobs_through SERVER: all that are installed.
jobs_through()
{
    mark_leak
    ! have curl || job "$1: curl" "$expected" through curl -sS -m 15 http://four.example/hello
    ! have wget || job "$1: wget" "$expected" through wget -q -T 15 -t 1 -O - http://four.example/hello
    if have git; then
        job "$1: git clone over http" cloned clone http://four.example/repo.git
        job "$1: git clone over dumb http" cloned clone http://four.example/dumb.git
    fi
    ! have perl || job "$1: perl" "$expected" perl_http
    ! have ncat || job "$1: ncat" "$expected" ncat_http
    ! have node || job "$1: node" "$expected" node_http
    ! have java || job "$1: java" "$expected" through java -cp "$work" Fetch http://four.example/hello
    if have ssh sshd; then
        # shellcheck disable=SC2016
        job "$1: ssh" "203.0.113.1 $target4 22" through ssh -F "$work/ssh_config" four.example \
            'set -- $SSH_CONNECTION; echo $1 $3 $4'
        ! have git || GIT_SSH_COMMAND="ssh -F $work/ssh_config" \
            job "$1: git clone over ssh" cloned clone "four.example:$work/www/repo.git"
    fi
}
