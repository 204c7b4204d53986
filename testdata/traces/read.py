"""Reads a trace of Stile as docs/trace-format.md describes it, with nothing but
Python's standard library, and prints one line for each step.

usage: read.py TRACE
"""

# reader: begin
import json
import sys


def read(path):
    """Gives the header, the steps and the end (None: there is none)."""
    with open(path, "rb") as file:
        *lines, rest = file.read().decode("utf-8").split("\n")
    if rest:
        sys.exit("truncated: the last line has no end")
    header, *records = [json.loads(line) for line in lines]
    if header["format"] != "stile-trace" or header["version"] != 1:
        sys.exit("no trace that this program can read")
    state = header.get("machine", {"state": "Idle"})["state"]
    asked, steps = set(), []
    for n, record in enumerate(records, 1):
        if record["n"] != n or record["from"] != state:
            sys.exit(f"altered: record {n} does not follow")
        if "ended" in record:
            if n != len(records):
                sys.exit("altered: something follows the end")
            return header, steps, record
        (kind, told), = record["input"].items()
        if "serial" in told and asked and told["serial"] not in asked:
            sys.exit(f"altered: step {n} answers what nobody asked")
        for effect in record.get("effects", []):
            (name, members), = effect.items()
            asked.add(members.get("serial"))
        steps.append((n, state, kind, record["event"], record["to"]))
        state = record["to"]
    return header, steps, None


if __name__ == "__main__":
    header, steps, end = read(sys.argv[1])
    print(header["config"]["server"])
    for step in steps:
        print(*step)
    if end:
        print("ended", end["ended"])
# reader: end
