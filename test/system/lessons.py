#!/usr/bin/env python3
"""Runs the commands shown in a document and compares what they print with what the document says.

    lessons.py DOCUMENT PRELUDE

PRELUDE is shell text that defines what the commands use (a function `tare`, variables). Blocks fenced as ```console hold lines after
"$ " (commands, run by bash one by one, both streams together) and what each prints. In that, `…` stands for any text (of any number of
lines when it is alone on one), `…1…` for some text that is the same wherever it stands in what one command prints, and a last line [N] for
the exit status, which is 0 unless said. A page without commands fails.
"""
import re
import subprocess
import sys


def blocks(text):
    """Yields (line number, [(command, [expected line])]) of each block."""
    for match in re.finditer(r"^```console\n(.*?)^```$", text, re.M | re.S):
        commands = []
        for line in match.group(1).splitlines():
            if line.startswith("$ "):
                commands.append((line[2:], []))
            else:
                commands[-1][1].append(line)
        yield text.count("\n", 0, match.start()) + 1, commands


def line_pattern(line, named):
    out = ""
    for part in re.split(r"(…\d…|…)", line):
        if part == "…":
            out += ".*"
        elif re.fullmatch(r"…\d…", part):
            name = "n" + part[1]
            out += f"(?P={name})" if name in named else f"(?P<{name}>\\S+?)"
            named.add(name)
        else:
            out += re.escape(part)
    return out


def expected(lines):
    """The pattern of what a command prints, and its status."""
    status = 0
    if lines and re.fullmatch(r"\[\d+\]", lines[-1]):
        status = int(lines[-1][1:-1])
        lines = lines[:-1]
    named = set()
    pattern = "".join(r"(?:.*\n)+" if line == "…" else line_pattern(line, named) + r"\n" for line in lines)
    return re.compile(pattern), status


def check(where, command, lines, prelude):
    done = subprocess.run(["bash", "-c", prelude + "\n" + command], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, timeout=60, check=False)
    pattern, status = expected(lines)
    if pattern.fullmatch(done.stdout) and done.returncode == status:
        return True
    print(f"line {where}: $ {command}\n--- the document says (status {status}):")
    print("\n".join(lines))
    print(f"--- it is (status {done.returncode}):\n{done.stdout}")
    return False


def main():
    text = open(sys.argv[1], encoding="utf-8").read()
    results = [check(at, command, lines, sys.argv[2]) for at, block in blocks(text) for command, lines in block]
    print(f"{results.count(True)} of {len(results)} commands print what is shown")
    return 0 if results and all(results) else 1


sys.exit(main())
