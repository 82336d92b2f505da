#!/usr/bin/env python3
"""Compares what --explain says with what strace saw, call by call and process by process.

    explain_compare.py EXPLAIN-OUTPUT STRACE-PREFIX        (strace -ff -o PREFIX …)

Of every process the explanation tells of, the calls (name and result) must be those that strace saw, in the same order, with none
left out on either side from the first that is told to the last. Left aside: calls that set nothing up (memory, clocks, closing, the writes
of the explanation itself)."""
import glob
import re
import sys

STEP = re.compile(r"^(?:\s*\d+\s+|     )(host|child|parent)\s+(\S+)")
CALL = re.compile(r"^\s{7}([a-z_0-9]+)\((.*)$")
TRACED = re.compile(r"^([a-z_0-9]+)\((.*)$")
RESULT = re.compile(r"\)\s+= (-?\d+|\?)(?: ([A-Z0-9]+))?")
ASIDE = {"brk", "mmap", "munmap", "mprotect", "rt_sigprocmask", "rt_sigaction", "set_robust_list", "rseq", "arch_prctl",
         "clock_gettime", "exit_group", "gettid", "getpid", "futex", "set_tid_address", "getrandom", "poll", "madvise", "close"}


def result_of(rest):
    found = None
    for found in RESULT.finditer(rest):
        pass
    if not found:
        return "0"
    value, name = found.groups()
    return name if value == "-1" and name else value


def shown(name, result):
    return result.lstrip("0") or "0" if name == "umask" else result  # strace shows a mask


def explained(path):
    """{'monitor': [(name, result)…], 'child': […]}"""
    calls = {"monitor": [], "child": []}
    role, pending = "host", []
    for line in open(path, errors="replace"):
        step = STEP.match(line)
        if step:
            role = step.group(1)
            continue
        call = CALL.match(line)
        if call and call.group(1) not in ASIDE:
            name, rest = call.groups()
            # What a process did before its first step stands before that step: the socket pair, the child's first acts.
            side = "child" if role == "child" else "monitor"
            calls[side].append((name, shown(name, result_of(rest))))
    return calls


def traced(path, fd="2"):
    calls = []
    for line in open(path, errors="replace"):
        found = TRACED.match(line)
        if not found or found.group(1) in ASIDE:
            continue
        name, rest = found.groups()
        if name == "write" and rest.startswith(fd + ","):
            continue
        calls.append((name, shown(name, result_of(rest))))
    return calls


def part(seen, first, last_count):
    """The calls of `seen` from the first occurrence of `first` on, as many as were told."""
    if first not in seen:
        return []
    start = seen.index(first)
    return seen[start:start + last_count]


def compare(what, told, seen):
    if not told:
        return [f"{what}: nothing was told"]
    seen = part(seen, told[0], len(told))
    for i, call in enumerate(told):
        if i >= len(seen):
            return [f"{what}: call {i + 1} was told, but not seen: {call}"]
        if call != seen[i]:
            return [f"{what}: call {i + 1}: told {call}, seen {seen[i]}; before: {told[max(0, i - 2):i]}"]
    return []


def main():
    told = explained(sys.argv[1])
    files = {name: traced(name) for name in glob.glob(sys.argv[2] + ".*")}
    monitor = [f for f, c in files.items() if any(n == "socketpair" for n, _ in c)]
    child = [f for f, c in files.items() if any(n == "pivot_root" for n, _ in c)]
    if len(monitor) != 1 or len(child) != 1:
        sys.exit(f"cannot tell the processes apart: {monitor} {child}")
    wrong = compare("monitor", told["monitor"], files[monitor[0]]) + compare("child", told["child"], files[child[0]])
    # Nothing may follow in the child's set-up that was not told: its last call is the execve.
    if not wrong and told["child"][-1][0] != "execve":
        wrong.append(f"child: the last call told is {told['child'][-1]}")
    if wrong:
        sys.exit("\n".join(wrong))
    print(f"{len(told['monitor'])} calls of the monitor and {len(told['child'])} of the child agree")


main()
