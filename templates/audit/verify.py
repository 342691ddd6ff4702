"""Verify a bundle of a peaktrade workspace with Python's standard library alone: ``python verify.py [HEAD]``.

It reads the files beside it and changes none. HEAD is a hash that was kept elsewhere: in a report, on an evidence page.
"""

import hashlib
import json
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
LEDGER = HERE / "reports" / "ledger.jsonl"
FOLDERS = {"evidence", "incidents", "drills", "forward"}


def sha256(data):
    """Return the SHA-256 of some bytes as hexadecimal digits."""
    return hashlib.sha256(data).hexdigest()


def entries():
    """Yield each entry of the ledger with its hash; end with a sentence where one does not follow from the one before."""
    head = "0" * 64
    for number, line in enumerate(LEDGER.read_bytes().split(b"\n")[:-1]):
        entry = json.loads(line)
        if entry["seq"] != number or entry["prev"] != head:
            sys.exit(
                f"FAIL  entry {number + 1} of the ledger does not follow from the one before; those before it hold"
            )
        head = sha256(line)
        yield entry, head


def files_of(entry):
    """Yield what an entry says of files: a key that a later entry replaces, path, first byte, last byte, hash."""
    section, _, kind = entry["kind"].partition("/")
    data = entry["data"]
    if section == "registry" and "file" in data and kind != "started":
        yield ("record", data["file"]), f"reports/experiments/live_sessions/{data['file']}", 0, None, data["sha256"]
        for name, digest in data.get("run", {}).items():
            yield ("run", data["id"], name), f"live_runs/{data['id']}/{name}", 0, None, digest
    elif section in FOLDERS and "sha256" in data:
        name = f"{data['id']}/{data['file']}" if section != "evidence" and "file" in data else f"{data['id']}.json"
        yield (section, data["id"]), f"reports/{section}/{name}", 0, None, data["sha256"]
        for page, digest in data.get("pages", {}).items():
            yield (section, data["id"], page), f"reports/{section}/{data['id']}/{page}", 0, None, digest
    elif section == "papers":
        for path, digest in data["files"].items():
            yield ("paper", path), path, 0, None, digest or "missing"
    elif section == "logs":
        for part in data.get("parts", ()):
            yield ("log", part["log"], part["begin"]), part["log"], part["begin"], part["end"], part["sha256"]


def main(given):
    """Verify everything and return the exit code."""
    heads, wanted, absent = {}, {}, 0
    for entry, head in entries():
        heads[head] = entry
        for log in entry["data"].get("anew", ()):
            wanted = {key: value for key, value in wanted.items() if key[:2] != ("log", log)}
        for key, *said in files_of(entry):
            wanted[key] = said
    if given and not any(head.startswith(given.lower()) for head in heads):
        sys.exit(
            f"FAIL  the ledger does not hold {given}: something before it was changed, or it is of another workspace"
        )
    faults = []
    for path, begin, end, digest in wanted.values():
        file = HERE / path
        if digest == "missing":
            continue
        if not file.is_file():
            absent += 1
            continue
        if sha256(file.read_bytes()[begin:end]) != digest:
            faults.append(path)
    for path in faults:
        print(f"FAIL  {path} is not as it was entered")
    last = list(heads)[-1] if heads else "none"
    print(f"{len(heads)} entries, the last with the hash {last}")
    print(
        f"{len(wanted) - len(faults) - absent} files and parts of logs as they were entered, {absent} not in this bundle"
    )
    for stamp in sorted((HERE / "anchors").glob("*.tsr")):
        known = "its entry is in the ledger" if stamp.stem in heads else "no entry of the ledger has this hash"
        print(f"Time stamp of {stamp.stem[:16]}: {known}. Its signature, with OpenSSL:")
        print(f"  openssl ts -verify -digest {stamp.stem} -in anchors/{stamp.name} -CAfile anchors/roots.pem")
        faults += [] if stamp.stem in heads else [stamp.name]
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1] if len(sys.argv) > 1 else ""))
