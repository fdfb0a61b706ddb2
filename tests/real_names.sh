#!/bin/bash
# SPDX-License-Identifier: ISC
# Names in real programs, where every resolver of the system is a counter of leaks: each program has its answer, or
# reaches its target by the name that only the proxy knows, and not one packet goes to a resolver.
[ -n "${BASH_VERSION:-}" ] || exec bash "$0" "$@"
. "${srcdir:-.}/real.sh"
. "${srcdir:-.}/programs.sh"

pool='198\.1[89]\.[0-9.]*' pool6='fd[0-9a-f:]*'
mail='four.example mail is handled by 10 mail.example.'
hello="hello 203.0.113.1 at $target4 as"

# gives WHAT PATTERN COMMAND ...: exit status 0, its output an extended regular expression in whole lines joined by
# blanks, and nothing leaked.
gives()
{
    local what=$1 pattern=$2 got status
    shift 2
    got=$("$@" 2>"$work/err")
    status=$?
    got=$(tr -s ' \t\n' ' ' <<<"$got")
    [ $status = 0 ] || fault "$what: exit status $status: $(tail -n 3 "$work/err")"
    grep -Eqx -- "$pattern ?" <<<"$got" || fault "$what: '$got', not '$pattern' $(tail -n 3 "$work/err")"
    ask_leak
    [ "$leaked" = "$marked" ] ||
        fault "$what: $((leaked - marked)) packets leaked: $(newest $((leaked - marked)))"
    marked=$leaked
}

resolvers_of_the_system()
{
    gives 'getent hosts' "$pool four.example" through getent hosts four.example
    gives 'getent ahosts' "$pool STREAM four.example $pool DGRAM $pool RAW" through getent ahosts four.example
    gives 'getent ahostsv6' "$pool6 STREAM four.example $pool6 DGRAM $pool6 RAW" through getent ahostsv6 four.example
    # shellcheck disable=SC2016
    gives 'an address in a shell' "$hello $pool" through sh -c \
        'ip=$(getent hosts four.example | cut -d" " -f1); curl -sS -m 10 "http://$ip/hello"'
    # shellcheck disable=SC2016
    gives 'an address through env -i' "$hello $pool" through sh -c \
        'ip=$(env -i "$(command -v getent)" hosts four.example | cut -d" " -f1)
        env -i "$(command -v curl)" -sS -m 10 "http://$ip/hello"'
    gives curl "$hello four.example" through curl -sS -m 10 http://four.example/hello
}

asking()
{
    gives dig "$pool" through dig +short +tries=1 four.example
    gives 'dig, IPv6' "$pool6" through dig +short +tries=1 four.example AAAA
    gives 'dig, the other resolver' "$pool" through dig +short +tries=1 @127.0.0.1 four.example
    gives 'dig MX' '10 mail.example.' through dig +short +tries=1 MX four.example
    gives 'dig MX over TCP' '10 mail.example.' through dig +short +tcp +tries=1 MX four.example
    gives host "four.example has address $pool four.example has IPv6 address $pool6 $mail" through host four.example
    gives nslookup "Server: .*Name: four.example Address: $pool Name: four.example Address: $pool6" \
        through nslookup four.example
    # shellcheck disable=SC2016
    gives 'an address of dig' "$hello $pool" through sh -c \
        'curl -sS -m 10 "http://$(dig +short +tries=1 four.example)/hello"'
}

in_node()
{
    cat >"$work/names.js" <<'END'
const dns = require("dns"), http = require("http"), own = new dns.promises.Resolver();
(async () => {
    const p = dns.promises, [a] = await p.resolve4("four.example"), [b] = await p.resolve6("four.example");
    console.log(a, b, (await p.lookup("four.example")).address, await p.reverse(a), (await own.resolve4("six.example"))[0]);
    console.log((await p.resolveMx("four.example"))[0].exchange, await p.resolve4("a.invalid").catch((e) => e.code));
    http.get({ host: "four.example", path: "/hello", lookup: (name, options, done) =>
        dns.resolve4(name, (e, all) => options.all ? done(e, [{ address: all[0], family: 4 }]) : done(e, all[0], 4)) },
        (response) => response.pipe(process.stdout));
})();
END
    gives node "$pool $pool6 $pool \[ 'four.example' \] $pool mail.example ENOTFOUND $hello four.example" \
        through node "$work/names.js"
}

in_java()
{
    cat >"$work/Names.java" <<'END'
import java.net.InetAddress;
import java.net.URL;

public class Names {
    public static void main(String[] arguments) throws Exception {
        InetAddress a = InetAddress.getByName("four.example");
        System.out.println(a.getHostAddress() + " " + InetAddress.getByAddress(a.getAddress()).getHostName() + " "
            + InetAddress.getAllByName("six.example").length + " " + InetAddress.getLocalHost().isLoopbackAddress());
        try {
            System.out.println(InetAddress.getByName("a.invalid"));
        } catch (java.net.UnknownHostException e) {
            System.out.println("unknown");
        }
        new URL("http://four.example/hello").openStream().transferTo(System.out);
        System.out.flush();
    }
}
END
    javac -d "$work" "$work/Names.java" || fault 'no java program'
    gives java "$pool four.example 1 true unknown $hello four.example" through java -cp "$work" Names
}

in_perl()
{
    cat >"$work/names.pl" <<'END'
use Socket;
my $a = gethostbyname("four.example") or die;
print inet_ntoa($a), " ", scalar gethostbyaddr($a, AF_INET), "\n";
use IO::Socket::INET;
my $s = IO::Socket::INET->new(PeerAddr => "four.example", PeerPort => 80, Timeout => 10) or die;
print $s "GET /hello HTTP/1.0\r\nHost: four.example\r\n\r\n";
my @lines = <$s>;
print $lines[-1];
END
    gives perl "$pool four.example $hello four.example" through perl "$work/names.pl"
}

in_python()
{
    cat >"$work/names.py" <<'END'
import asyncio, socket, urllib.request

async def main():
    loop = asyncio.get_running_loop()
    (*_, (a, _)), = await loop.getaddrinfo("four.example", 80, type=socket.SOCK_STREAM)
    print(a, (await loop.getnameinfo((a, 80)))[0], socket.gethostbyname_ex("six.example")[2][0], socket.getfqdn(a))

asyncio.run(main())
print(urllib.request.urlopen("http://four.example/hello", timeout=10).read().decode())
END
    gives python3 "$pool four.example $pool four.example $hello four.example" through $python "$work/names.py"
}

# A repository of one empty list, for apt as root and, as it is by default, for a user of its own.
with_apt()
{
    local own dir=$work/apt
    mkdir -p "$work/www/apt" "$dir"/{cache/archives/partial,log,parts}
    : >"$work/www/apt/Packages"
    {
        echo "Date: $(LC_ALL=C date -uR)"
        echo 'SHA256:'
        echo " $(sha256sum "$work/www/apt/Packages" | cut -d ' ' -f 1) 0 Packages"
    } >"$work/www/apt/Release"
    echo 'deb [trusted=yes] http://four.example/apt ./' >"$dir/sources"
    : >"$dir/status"
    chmod 755 "$work"
    for own in root _apt; do
        getent passwd $own >/dev/null || continue
        rm -rf "$dir/lists"
        mkdir -p "$dir/lists/partial"
        : >"$work/seen"
        gives "apt-get, $own" '.*http://four.example/apt .*Reading package lists.*' through apt-get \
            -o Dir::Etc::SourceList="$dir/sources" -o Dir::Etc::SourceParts="$dir/parts" -o Dir::Etc::Parts="$dir/parts" \
            -o Dir::State::Lists="$dir/lists" -o Dir::State::status="$dir/status" -o Dir::Cache="$dir/cache" \
            -o Dir::Log="$dir/log" -o APT::Sandbox::User=$own -o Acquire::Retries=0 -o Acquire::Languages=none \
            -o Acquire::http::Timeout=10 -o APT::Update::Error-Mode=any update
        said "apt-get, $own" "$work/seen" '^request CONNECT name four.example:80$'
    done
}

# With the resolver of libc, and with the browser's own, which asks for HTTPS records as well.
with_chromium()
{
    local own
    mkdir -p "$work/www"
    echo '<title>a page</title><script>document.title = document.location.hostname</script>' >"$work/www/page.html"
    for own in --disable-features=AsyncDns --enable-features=AsyncDns; do
        gives "chromium $own" '.*<title>four.example</title>.*' timeout -k 2 45 ip netns exec "$client" \
            env LD_PRELOAD="$OBJECT" SOCKSIFY_PROXY="$url" SOCKSIFY_STATE="$work/state" \
            chromium --headless --no-sandbox --disable-gpu --disable-quic --no-first-run \
            --disable-background-networking --disable-component-update --disable-sync --user-data-dir="$work/profile" \
            $own --dump-dom http://four.example/page.html
    done
}

# What is no address is asked of this one, through the proxy, by its relay.
start_resolver()
{
    start "$target" dnsmasq dnsmasq -k -C /dev/null -p 53 --no-resolv --no-hosts --no-daemon --user=root \
        --mx-host=four.example,mail.example,10
    listening "$target" 53 dnsmasq u
}

network
mkdir "$work/www"
start_httpd
start_leak $proxy4 1080 $proxy4 1024-65535
start_proxyd
have dnsmasq && start_resolver || finish
export SOCKSIFY_RESOLVER=$target4
mark_leak
! have curl || resolvers_of_the_system
! have dig host nslookup curl || asking
! have perl || in_perl
in_python
! have node || in_node
! have java javac || in_java
! have apt-get || with_apt
! have chromium || with_chromium
finish
