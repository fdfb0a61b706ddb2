#!/bin/bash
# SPDX-License-Identifier: ISC
# Listeners that are none of the proxy's business: programs that fetch a page through `ssh -D`, which knows no BIND, and
# with that connection open listen on a port of the kernel's choice, and servers of the machine itself.  Whoever comes
# comes from this machine.
[ -n "${BASH_VERSION:-}" ] || exec bash "$0" "$@"
. "${srcdir:-.}/real.sh"
. "${srcdir:-.}/programs.sh"

# serving NAME COMMAND ...: a program under the object that serves on, and writes its port to $work/NAME.port.  Sets
# $port.
serving()
{
    local name=$1 tries=0
    shift
    start "$client" "$name" env LD_PRELOAD="$OBJECT" SOCKSIFY_PROXY="$url" SOCKSIFY_STATE="$work/state" \
        PORT="$work/$name.port" "$@"
    until [ -s "$work/$name.port" ]; do
        if [ $((tries += 1)) -gt 400 ] || ! kill -0 "$started" 2>/dev/null; then
            fault "$name did not serve: $(cat "$work/$name.out")"
            return 1
        fi
        sleep 0.05
    done
    port=$(cat "$work/$name.port")
}

visit()
{
    bare curl -sS -m 10 "$1"
}

in_python()
{
    cat >"$work/listen.py" <<'END'
import http.client, os, socket
page = http.client.HTTPConnection("four.example")
page.request("GET", "/hello", headers={"Connection": "keep-alive"})
text = page.getresponse().read()
with socket.create_server(("", 0)) as server:
    with open(os.environ["PORT"], "w") as file:
        print(server.getsockname()[1], file=file)
    visitor, _ = server.accept()
    visitor.recv(4096)
    visitor.sendall(b"HTTP/1.0 200 OK\r\n\r\n" + text)
    visitor.close()
END
    serving python3 $python "$work/listen.py" && job python3 "$expected" visit "http://127.0.0.1:$port/"
}

in_node()
{
    cat >"$work/listen.js" <<'END'
const http = require("http"), agent = new http.Agent({ keepAlive: true });
http.get({ host: "four.example", path: "/hello", agent }, (page) => {
    let text = "";
    page.on("data", (more) => text += more).on("end", () => {
        const server = http.createServer((question, answer) => answer.end(text));
        server.listen(0, () => require("fs").writeFileSync(process.env.PORT, String(server.address().port)));
    });
});
END
    serving node node "$work/listen.js" && job node "$expected" visit "http://127.0.0.1:$port/"
}

# The object's port is the kernel's choice; the registry, which knows it, has one of its own.
in_java()
{
    cat >"$work/Greets.java" <<'END'
public interface Greets extends java.rmi.Remote {
    String greet() throws java.rmi.RemoteException;
}
END
    cat >"$work/Greeter.java" <<'END'
import java.io.InputStream;
import java.net.URL;
import java.nio.file.Files;
import java.nio.file.Paths;
import java.rmi.registry.LocateRegistry;
import java.rmi.registry.Registry;
import java.rmi.server.UnicastRemoteObject;

public class Greeter implements Greets {
    private static String text;

    public String greet() {
        return text;
    }

    public static void main(String[] arguments) throws Exception {
        if (arguments.length > 0) {
            Registry there = LocateRegistry.getRegistry("127.0.0.1", 1099);
            System.out.print(((Greets) there.lookup("greeter")).greet());
            System.out.flush();
            return;
        }
        InputStream page = new URL("http://four.example/hello").openStream();
        text = new String(page.readAllBytes());
        Registry here = LocateRegistry.createRegistry(1099);
        here.bind("greeter", UnicastRemoteObject.exportObject(new Greeter(), 0));
        Files.write(Paths.get(System.getenv("PORT")), "1099".getBytes());
    }
}
END
    javac -d "$work" "$work/Greets.java" "$work/Greeter.java" || fault 'no java program'
    serving rmi java -cp "$work" Greeter && job 'java RMI' "$expected" through java -cp "$work" Greeter client
}

# epmd knows the port that a node of Erlang has been given; another node asks it.
in_erlang()
{
    cat >"$work/node.erl" <<'END'
-module(node).
-export([serve/0, visit/0]).

serve() ->
    {ok, Page} = gen_tcp:connect("four.example", 80, [binary, {active, false}]),
    ok = gen_tcp:send(Page, "GET /hello HTTP/1.1\r\nHost: four.example\r\n\r\n"),
    Answer = read(Page, <<>>),
    {ok, _} = net_kernel:start(['server@localhost', shortnames]),
    register(server, self()),
    ok = file:write_file(os:getenv("PORT"), "known to epmd"),
    receive {From, page} -> From ! {page, lists:last(binary:split(Answer, <<"\r\n\r\n">>))} end,
    gen_tcp:close(Page).

read(Page, Text) ->
    case binary:match(Text, <<" as four.example\n">>) of
        nomatch ->
            {ok, More} = gen_tcp:recv(Page, 0, 10000),
            read(Page, <<Text/binary, More/binary>>);
        _ ->
            Text
    end.

visit() ->
    {ok, _} = net_kernel:start(['visitor@localhost', shortnames]),
    pong = net_adm:ping('server@localhost'),
    {server, 'server@localhost'} ! {self(), page},
    receive {page, Text} -> io:put_chars(Text) after 10000 -> io:put_chars("no answer") end.
END
    erlc -o "$work" "$work/node.erl" || fault 'no program of Erlang'
    through epmd -daemon
    listening "$client" 4369 erlang
    serving erlang erl -noshell -setcookie socksify -pa "$work" -s node serve &&
        job erlang "$expected" through erl -noshell -setcookie socksify -pa "$work" -s node visit -s init stop
}

# Servers, by loopback and by the address of the machine.
native()
{
    local address
    mkdir -p "$work/native"
    echo native >"$work/native/page"
    cat >"$work/nginx.conf" <<END
error_log $work/nginx.log;
pid $work/nginx.pid;
daemon off;
user root;
events { }
http {
    access_log off;
    server {
        listen 8081;
        root $work/native;
    }
}
END
    if have nginx; then
        start "$client" nginx env LD_PRELOAD="$OBJECT" SOCKSIFY_PROXY="$url" SOCKSIFY_STATE="$work/state" \
            nginx -c "$work/nginx.conf"
        listening "$client" 8081 nginx &&
            for address in 127.0.0.1 $client4; do
                same "nginx, $address" native "$(visit "http://$address:8081/page" 2>&1)"
            done
    fi
    start "$client" web env LD_PRELOAD="$OBJECT" SOCKSIFY_PROXY="$url" SOCKSIFY_STATE="$work/state" \
        $python -m http.server -d "$work/native" 8082
    listening "$client" 8082 web &&
        for address in 127.0.0.1 $client4; do
            same "http.server, $address" native "$(visit "http://$address:8082/page" 2>&1)"
        done
}

network
have curl ssh sshd ssh-keygen || finish
mkdir "$work/www"
start_httpd
make_keys
start_sshd "$proxy" sshd_proxy 2222
url=socks5://127.0.0.1:1083
start "$client" ssh_tunnel ssh -F "$work/ssh_config" -N -D 127.0.0.1:1083 -p 2222 $proxy4
listening "$client" 1083 ssh_tunnel
start_leak $proxy4 2222 127.0.0.1 1083
mark_leak
job 'curl --local-port' "$expected" through curl -sS -m 15 --local-port 20000-60000 http://four.example/hello
job 'curl --interface' "$expected" through curl -sS -m 15 --interface $client4 http://four.example/hello
in_python
! have node || in_node
! have java javac || in_java
! have erl erlc epmd || in_erlang
native
ask_leak
same 'packets leaked by servers' "$marked" "$leaked"
finish
