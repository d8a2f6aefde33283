"""`make bench-model`: how soon the model alone, with every other scenario switched off, finds a broken pipeline.

For each of some saboteurs (`golive list saboteurs`) one `golive run -k M-01`, against the reference that is broken so;
said is in which example it was found, by which promise, and by how short a story. The clean reference goes first, and
must be green for as many examples.

Exit 0: at least 8 of the first ten are found, and the clean reference is green. Exit 1: not so. Exit 2: a saboteur
never bit, so nothing can be said of it.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
WANTED, OF = 8, 10
SABOTEURS = (
    "dedupe-by-payload",
    "event-id-for-each-try",
    "acknowledged-before-commit",
    "delete-before-send",
    "unknown-is-success",
    "breaker-never-closes",
    "refund-ignored",
    "batch-lost-with-one-event",
    "gives-up-on-what-is-transient",
    "dedupe-across-tenants",
    "breaker-never-opens",
    "dead-token-kills-the-sale",
    "consent-ignored",
)
"""The first ten are those of the number that was wanted; the others are told beside them."""
_FOUND = re.compile(r"Broken in M-01: (.*?) \(example (\d+); (\d+) of (\d+) steps are needed: (.*?)\)\.", re.DOTALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What came of one breakage."""

    name: str
    exit_code: int
    bitten: bool
    example: int | None = None
    sentence: str = ""
    story: str = ""


def broken_target(name: str, folder: Path) -> Path:
    """The reference's target file, whose processes start broken and say in `{name}.bites` that the broken code ran."""
    text = (ROOT / "reference_impl" / "target.toml").read_text(encoding="utf-8")
    start, end = text.index("[target.start]"), text.index("[target.env]")
    broken = text[start:end].replace('"-m", "reference_impl"', f'"-m", "scenarios.saboteurs", "{name}", "--"')
    path = folder / f"{name}.toml"
    bites = f'[target.env]\nGOLIVE_SABOTEUR_BITES = "{folder / name}.bites"'
    path.write_text(text[:start] + broken + text[end:].replace("[target.env]", bites, 1), encoding="utf-8")
    return path


def try_it(name: str, *, seed: int, examples: int, folder: Path) -> Result:
    """One run; "" is the clean reference."""
    out = folder / (name or "clean")
    target = broken_target(name, folder) if name else ROOT / "reference_impl" / "target.toml"
    argv = [
        str(Path(sys.executable).parent / "golive"),
        "run",
        "-k",
        "M-01",
        "--seed",
        str(seed),
        "--target",
        str(target),
    ]
    argv += ["--model-examples", str(examples), "--out", str(out), "--json"]
    done = subprocess.run(argv, capture_output=True, text=True, check=False, cwd=ROOT)
    report = json.loads((out / "report.json").read_text(encoding="utf-8")) if (out / "report.json").exists() else {}
    reasons = " ".join(report.get("reasons", []))
    bitten = (folder / f"{name}.bites").exists()
    found = _FOUND.search(reasons)
    if found is None:
        return Result(name=name, exit_code=done.returncode, bitten=bitten, sentence=reasons[:160])
    sentence, example, _, _, story = found.groups()
    return Result(
        name=name,
        exit_code=done.returncode,
        bitten=bitten,
        example=int(example),
        sentence=sentence,
        story=story,
    )


def main() -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--examples", type=int, default=25)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", nargs="*", default=list(SABOTEURS))
    parser.add_argument("--without-clean", action="store_true")
    asked = parser.parse_args()
    results = []
    with tempfile.TemporaryDirectory(prefix="golive-bench-model-") as folder:
        for name in [*([] if asked.without_clean else [""]), *asked.only]:
            one = try_it(name, seed=asked.seed, examples=asked.examples, folder=Path(folder))
            results.append(one)
            when = f"example {one.example}" if one.example else f"not in {asked.examples}, exit {one.exit_code}"
            bite = "" if one.bitten or not name else " (never bit)"
            print(f"| {name or 'clean reference'} | {when}{bite} | {one.sentence} | {one.story} |", flush=True)
    ten = [one for one in results if one.name in SABOTEURS[:OF]]
    # Counted strictly: an example that Hypothesis threw away has a number as well.
    caught = sum(one.example is not None and one.example <= asked.examples for one in ten)
    print(f"{caught} of {len(ten)} found within {asked.examples} examples (seed {asked.seed}); wanted {WANTED} of {OF}")
    if any(not one.bitten for one in results if one.name):
        return 2
    clean = all(one.exit_code == 0 for one in results if not one.name)
    return 0 if clean and caught * OF >= WANTED * len(ten) else 1


if __name__ == "__main__":
    sys.exit(main())
