# SPDX-License-Identifier: ISC
"""bench_cost.py WORK JSON: what TCP, names, start-up and the calls in between cost, beside others; read by bench_cost.sh.

WORK is a directory with the configurations of the others.  Counts come first.  Instructions are those in user space, by
callgrind, and system calls those that strace counts; each is taken for few and for many of the same work, and divided
by the difference, so that start-up is not in it.  Meanwhile the servers and what is counted share one core, the servers
first: an answer is there when it is read, and no wait for it, which is a matter of chance, is counted.  They repeat
within a per cent on a machine that does other things.
Times do not: they are medians of runs in turns, and mean something beside one another only.  Nothing runs longer than
a bound, and nothing begins after LIMIT_S; what has failed says so and has no number.
"""
import json
import os
import re
import statistics
import subprocess
import sys
import time

work, out = sys.argv[1:]
env = os.environ
bench_work = env["builddir"] + "/bench/bench_work"
LIMIT_S = int(env.get("COST_SECONDS_MAX", "600"))
began = time.monotonic()

PROXY, FAR, NEAR, NOWHERE, PORT, FAR_PORT, RELAY = "198.51.100.1", 40, "198.51.100.2", "192.0.2.10", 1090, 1091, 1080
ours = {"SOCKSIFY_STATE": work + "/state", "LD_PRELOAD": env["OBJECT"], "SOCKSIFY_BYPASS": "allow"}
libraries = env.get("RIVALS", "/usr/lib")


def find(name):
    for directory, _, files in os.walk(libraries):
        if name in files:
            return os.path.join(directory, name)
    return None


def settings(port):
    """The environment of each client for the proxy at a port; those that are not installed are left out."""
    others = {"proxychains4": ("libproxychains.so.4", "PROXYCHAINS_CONF_FILE"),
              "torsocks": ("libtorsocks.so.0", "TORSOCKS_CONF_FILE"),
              "tsocks": ("libtsocks.so.1.8", "TSOCKS_CONF_FILE"), "dante": ("libdsocksd.so.0", "SOCKS_CONF")}
    found = {"bare": {}, "look": {"LD_PRELOAD": env["LOOK"]},
             "socksify": ours | {"SOCKSIFY_PROXY": f"socks5://{PROXY}:{port}"}}
    found["socksify, flight"] = found["socksify"] | {"SOCKSIFY_PIPELINE": "on"}
    for name, (library, variable) in others.items():
        path = find(library)
        if path:
            found[name] = {"LD_PRELOAD": path, variable: f"{work}/{name}.{port}"}
    return found


servers = [int(pid) for pid in env["SERVERS"].split()]
cores = os.sched_getaffinity(0)


def behind_servers():
    os.sched_setaffinity(0, {min(cores)})
    os.nice(19)


def run(command, extra, seconds=30, before=None):
    """What it prints, or None when it fails.  before: called in the child."""
    try:
        done = subprocess.run(command, env={"PATH": env["PATH"], "LC_ALL": "C"} | extra, timeout=seconds,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL,
                              preexec_fn=before)
    except subprocess.TimeoutExpired:
        return None
    return done.stdout.decode(errors="replace") + "\n" + done.stderr.decode(errors="replace") \
        if done.returncode == 0 else None


def instructions(command, extra):
    text = run(["valgrind", "--tool=callgrind", f"--callgrind-out-file={work}/callgrind", *command], extra, 60,
               behind_servers)
    found = re.search(r"Collected : (\d+)", text or "")
    return int(found[1]) if found else None


def calls(command, extra):
    """With -E alone what is traced gets the environment, and not strace itself."""
    sets = [word for name, value in extra.items() for word in ("-E", f"{name}={value}")]
    if run(["strace", "-f", "-c", "-o", work + "/strace", *sets, *command], {}, 30, behind_servers) is None:
        return None
    found = [line.split() for line in open(work + "/strace") if line.endswith(" total\n")]
    return int(found[0][3]) if found else None


def each(count, cell, few, many, arguments, extra):
    values = [count([bench_work, cell, str(n), *arguments], extra) for n in (few, many)]
    return None if None in values else (values[1] - values[0]) / (many - few)


results = []


def note(metric, variant, goal="", **values):
    results.append({"metric": metric, "variant": variant, "goal": goal, "values": values})


def late():
    return time.monotonic() - began > LIMIT_S


def counted(metric, cell, few, many, target, variants, goal="", proxy=PORT, hand=True, native=0):
    """native: system calls of the program's that are not meant."""
    for name, extra in settings(proxy).items():
        if name not in variants or late():
            continue
        where = [NEAR if name in ("bare", "look") else NOWHERE, target]
        i = each(instructions, cell, few, many, where, extra)
        s = each(calls, cell, few, many, where, extra)
        note(metric, name, goal, instructions=i, calls=None if s is None else s - native)
    for how in ("order", "flight") if hand and not late() else ():
        where = [NOWHERE, target, PROXY, str(proxy), how]
        note(metric, "hand, " + how, goal, instructions=each(instructions, cell, few, many, where, {}),
             calls=each(calls, cell, few, many, where, {}))


OTHERS = ("proxychains4", "torsocks", "tsocks", "dante")
ALL = ("bare", "look", "socksify", "socksify, flight", *OTHERS)


def counts():
    for pid in servers:
        os.sched_setaffinity(pid, {min(cores)})
    counted("connect() and close()", "connect", 20, 120, "7", ALL, "3000 instructions, 16 calls")
    counted("connect() with epoll, to SO_ERROR", "connect-epoll", 20, 120, "7", ALL, "20 calls", hand=False, native=2)
    counted("send() and recv(), tunnel", "data", 20, 1020, "7", ("bare", "look", "socksify", *OTHERS),
            "40 instructions, 0 calls more than bare")
    few = ("bare", "look", "socksify")
    goal = "20 instructions a call more than bare"
    counted("write() and read(), pipe", "pipe", 20, 1020, "7", (*few, *OTHERS), goal, hand=False)
    counted("send() and recv(), AF_UNIX", "unix", 20, 1020, "7", few, goal, hand=False)
    counted("close(open())", "open", 20, 1020, "7", few, goal, hand=False)
    counted("poll()", "poll", 20, 1020, "7", few, goal, hand=False)
    counted("epoll_wait()", "epoll", 20, 1020, "7", few, goal, hand=False)
    counted("datagram there and back", "datagram", 20, 520, str(RELAY), ("bare", "socksify", "dante"),
            "300 instructions, 0.1 calls a datagram more than bare", RELAY, False)
    counted("sendmmsg() and recvmmsg() of 32", "batch", 5, 105, str(RELAY), ("bare", "socksify"),
            "one call for 32 messages", RELAY, False)
    for pid in servers:
        os.sched_setaffinity(pid, cores)


def start_up():
    goal = "250000 instructions, 256 KiB at the peak, 64 private, more than bare"
    for name, extra in settings(PORT).items():
        if name == "socksify, flight" or late():
            continue
        rows = [run([bench_work, "nothing", "1"], extra) for _ in range(9)]
        rows = [[int(word) for word in row.split()[:2]] for row in rows if row]
        private, peak = (statistics.median(column) for column in zip(*rows)) if rows else (None, None)
        note("start-up", name, goal, instructions=instructions(["/bin/true"], extra), peak_kib=peak, private_kib=private)
    text = run(["strace", "-f", "-e", "trace=process", "-o", work + "/strace",
                env["LAUNCHER"], "-x", f"socks5://{PROXY}:{PORT}", "/bin/true"], {"SOCKSIFY_STATE": work + "/state"})
    if text is not None:
        trace = open(work + "/strace").read()
        note("launcher", "socksify", "one shell, two execs more", execs=len(re.findall(r"execve\(.* = 0$", trace, re.M)) - 1,
             forks=len(re.findall(r"(?:clone3?|v?fork)\(.* = \d+$", trace, re.M)))


def timed(metric, cell, count, target, variants, goal="", port=PORT, rounds=3, hand=("order",), unit="ms", more=None):
    """variants one after the other, and that some times, so that what else the machine does falls on all alike."""
    known, rows = settings(port), {}
    for _ in range(rounds):
        for name in variants:
            if name in known and not late():
                where = [NEAR, "7" if int(target) > 100 else target] if name == "bare" else [NOWHERE, target]
                rows.setdefault(name, []).append(run([bench_work, cell, str(count), *where], known[name]))
        for how in hand if not late() else ():
            rows.setdefault("hand, " + how, []).append(
                run([bench_work, cell, str(count), NOWHERE, target, PROXY, str(port), how], {}))
    for name, texts in rows.items():
        good = [[float(word) for word in text.split()[:2 if more else 1]] for text in texts if text]
        values = dict.fromkeys([unit, more] if more else [unit])
        if good:
            values = {key: statistics.median(column) for key, column in zip(values, zip(*good))}
        note(metric, name, goal, **values)


def round_trips():
    goal = "3 in order, 2 in flight; with credentials 4 and 2"
    timed("round trips to the first byte", "first-byte", 3, "7", ALL[2:], goal, FAR_PORT, 1, ("order", "flight"))
    timed("round trips, credentials", "first-byte", 3, "7", (), goal, FAR_PORT, 1, ("account", "account-flight"))
    account = {"SOCKSIFY_USER": "me", "SOCKSIFY_PASSWORD": "secret"}
    for name in ("socksify", "socksify, flight"):
        text = run([bench_work, "first-byte", "3", NOWHERE, "7"], settings(FAR_PORT)[name] | account)
        note("round trips, credentials", name, goal, ms=float(text.split()[0]) if text else None)
    for result in results:
        if result["metric"].startswith("round trips") and "ms" in result["values"]:
            ms = result["values"].pop("ms")
            result["values"] = {"round_trips": None if ms is None else round(ms / FAR, 1)}


def times():
    round_trips()
    timed("longest gap of a 10 ms ticker", "ticker", 5, "11000", ("bare", "socksify", *OTHERS), "as bare", hand=())
    timed("100 connects at 200 ms", "together", 100, "10200", ("bare", "socksify", *OTHERS), "under 300 ms", hand=())
    for count in (100, 1000, 10000):
        timed(f"a connect beside {count} tunnels", "crowd", count, "7", ("bare", "socksify", "torsocks"),
              "flat, 200 bytes for each", rounds=3, unit="us", more="bytes_each")
    timed("getaddrinfo(), 10,000 names", "names", 10000, "7", ("socksify", "proxychains4", "dante"), "3 us", hand=(),
          unit="us")
    timed("throughput", "stream", 200, "19", ("bare", "socksify", *OTHERS), "1.0 of by hand", rounds=7, unit="MB_s")


NUMBERS = ("instructions", "calls", "execs", "forks", "peak_kib", "private_kib", "round_trips", "ms", "us", "bytes_each",
           "MB_s")


def table():
    """Each metric with its goal, then who does it: numbers, each with its ratio to the first (bare, or by hand)."""
    metric, first = None, {}
    for r in results:
        if r["metric"] != metric:
            metric, first = r["metric"], r["values"]
            reference = [s for s in results if s["metric"] == metric and s["variant"] == "hand, order"]
            if metric == "throughput" and reference:
                first = reference[0]["values"]
            print(f"{metric}   [{r['goal']}]")
        words = []
        for key in NUMBERS:
            if key not in r["values"]:
                continue
            value, base = r["values"][key], first.get(key)
            if value is None:
                words.append(f"{key} -")
                continue
            words.append(f"{value:.0f} {key}" if abs(value) >= 100 or value == int(value) else f"{value:.2f} {key}")
            if base and r["values"] is not first:
                r.setdefault("ratios", {})[key] = round(value / base, 3)
                words[-1] += f" ({value / base:.2f})"
        print(f"    {r['variant']:18} {', '.join(words)}")


if run(["strace", "-V"], {}) is None or run(["valgrind", "--version"], {}) is None:
    print("bench_cost.py: without strace and valgrind there are no counts", file=sys.stderr)
else:
    counts()
    start_up()
times()
table()
with open(out, "w") as f:
    json.dump(results, f, indent=1)
    f.write("\n")
