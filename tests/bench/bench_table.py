# SPDX-License-Identifier: ISC
"""bench_table.py ROWS COUNTS COST JSON: reads the lines of bench.sh, writes medians as JSON, together with what
bench_cost.py has left, and prints them as a table.

Behind each variant but the one to compare with, "hand", stand its ratios to that one: of rate, and of processor time.
The best of all runs stand last: on a machine that does other things they are nearer to what one at rest shows.
"""
import collections
import json
import statistics
import sys

runs = collections.defaultdict(list)
for line in open(sys.argv[1]):
    benchmark, cell, variant, *values = line.rstrip("\n").split("\t")
    runs[benchmark, cell, variant].append([float(value) for value in values])

results = []
for (benchmark, cell, variant), rows in runs.items():
    good = [row for row in rows if row]
    result = {"benchmark": benchmark, "cell": cell, "variant": variant,
              "runs": len(good), "failed": len(rows) - len(good)}
    if good:
        rate, cpu, lost = zip(*good)
        result |= {"rate": statistics.median(rate), "best_rate": max(rate),
                   "cpu_ns": statistics.median(cpu), "best_cpu_ns": min(cpu),
                   "lost": sum(lost)}
    results.append(result)

hand = {(r["benchmark"], r["cell"]): r for r in results if r["variant"] == "hand" and r["runs"]}
if results:
    print(f"{'':37} {'rate/s':>8} {'CPU ns':>8} {'rate':>6} {'CPU':>6} {'lost':>5} {'best':>8} {'CPU ns':>8}")
for r in sorted(results, key=lambda r: r["benchmark"], reverse=True):
    start = f"{r['benchmark']:12} {r['cell']:14} {r['variant']:9}"
    if not r["runs"]:
        print(start, "not carried")
        continue
    ratios = f"{'':6} {'':6}"
    reference = hand.get((r["benchmark"], r["cell"]))
    if reference and reference is not r:
        r["rate_ratio"] = r["rate"] / reference["rate"]
        r["cpu_ratio"] = r["cpu_ns"] / reference["cpu_ns"]
        ratios = f"{r['rate_ratio']:6.2f} {r['cpu_ratio']:6.2f}"
    best = f"{r['best_rate']:8.0f} {r['best_cpu_ns']:8.0f}"
    print(start, f"{r['rate']:8.0f} {r['cpu_ns']:8.0f} {ratios} {r['lost']:5.0f} {best}")

counts = {}
for line in open(sys.argv[2]):
    cell, variant, instructions, calls = line.rstrip("\n").split("\t")
    if instructions and calls:
        counts[cell, variant] = float(instructions), float(calls)
if counts:
    print(f"\n{'for each datagram':37} {'instructions':>12} {'more':>6} {'system calls':>13}")
for (cell, variant), (instructions, calls) in sorted(counts.items(), key=lambda item: item[0][0]):
    more = instructions - counts.get((cell, "hand"), (instructions,))[0]
    print(f"{'':12} {cell:14} {variant:9} {instructions:12.0f} {more:6.0f} {calls:13.2f}")
    results.append({"benchmark": "counts", "cell": cell, "variant": variant,
                    "instructions": instructions, "calls": calls})

with open(sys.argv[4], "w") as out:
    json.dump({"cost": json.load(open(sys.argv[3])), "rates": results}, out, indent=1)
    out.write("\n")
