"""`junit.xml`: one test suite for each suite, and one, `run`, for what was judged over the whole run.

A broken promise is a failure, a harness error an error, a skip a skip. CI systems that read nothing but this file must
not see green where the verdict is not: an INCONCLUSIVE run has an error in the suite `run`.
"""

from __future__ import annotations

from collections.abc import Iterable
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from harness.records import RunRecord, ScenarioResult, SloResult, Verdict
from reports import view, words


def render(record: RunRecord) -> str:
    """The file's text."""
    root = Element("testsuites", name="golive", time=f"{record.duration_s:.3f}")
    for suite in view.suites(record):
        element = _suite(root, suite.name, record, suite.duration_s)
        for one in suite.results:
            _scenario(element, suite.name, one)
        _count(element)
    _whole_run(root, record)
    for name in ("tests", "failures", "errors"):  # `skipped` stands at suites only: Jenkins' schema knows no other
        root.set(name, str(sum(int(one.get(name, "0")) for one in root)))
    indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + tostring(root, encoding="unicode") + "\n"


def _suite(root: Element, name: str, record: RunRecord, duration_s: float) -> Element:
    stamp = record.started_at.removesuffix("Z")
    element = SubElement(root, "testsuite", name=words.printable(name), timestamp=stamp, time=f"{duration_s:.3f}")
    if name == "run":
        properties = SubElement(element, "properties")
        facts = {"run_id": record.run_id, "seed": str(record.seed), "clock_origin": record.clock_origin}
        facts |= {"target": record.target.name, "commit": record.target.commit, "verdict": words.verdict_word(record)}
        if record.left_out:
            facts["left_out"] = words.left_out(record)
        for key, value in facts.items():
            SubElement(properties, "property", name=key, value=words.printable(value))
    return element


def _scenario(suite: Element, name: str, one: ScenarioResult) -> None:
    case = _case(suite, name, f"{one.id} {one.title}", one.duration_s)
    if one.outcome == "failed" and one.blame != "harness":
        _bad(case, "failure", "PromiseBroken", one.message, _details(one))
    elif one.outcome in ("failed", "error"):
        _bad(case, "error", "HarnessError", one.message, _details(one))
    elif one.outcome == "skipped":
        SubElement(case, "skipped", message=words.printable(one.message or "not observed"))


def _details(one: ScenarioResult) -> Iterable[str]:
    yield one.message
    for word, text in (("Given", one.given), ("When", one.when), ("Then", one.then)):
        if text:
            yield f"{word:5} {text}"
    yield from one.evidence
    if one.reproduce:
        yield f"again: {one.reproduce}"


def _whole_run(root: Element, record: RunRecord) -> None:
    suite = _suite(root, "run", record, record.duration_s)
    book = record.ledger
    if book.deliveries:
        case = _case(suite, "run", "the ledger closes: nothing lost, nothing doubled, nothing on its way")
        if not book.closed:
            told = f"{book.lost} lost, {book.doubled} doubled, {book.pending} pending"
            _bad(case, "failure", "PromiseBroken", told, (told,))
    if record.privacy.places:
        case = _case(suite, "run", "no personal data is written down in plain text")
        if record.privacy.leaks:
            told = words.count(len(record.privacy.leaks), "leak")
            _bad(case, "failure", "PromiseBroken", told, record.privacy.leaks)
    for one in record.slo:
        _slo(suite, one)
    _verdict(_case(suite, "run", "verdict", record.duration_s), record)
    _count(suite)


def _slo(suite: Element, one: SloResult) -> None:
    case = _case(suite, "run", f"{one.name} {words.slo_target(one)}")
    told = f"measured {words.slo_measured(one)}, 95 % interval {words.slo_interval(one)}, {one.samples:,} samples"
    if one.met is False:
        _bad(case, "failure", "PromiseBroken", told, (told, one.note))
    elif one.met is None:
        SubElement(case, "skipped", message=words.printable(f"{words.plain(words.slo_state(one))}: {one.note or told}"))


def _verdict(case: Element, record: RunRecord) -> None:
    if record.verdict is None:
        _bad(case, "error", "HarnessError", record.headline, (*record.harness_errors, *record.reasons))
    elif record.verdict is Verdict.NO_GO:
        _bad(case, "failure", "NO_GO", record.headline, record.reasons)
    elif record.verdict is Verdict.INCONCLUSIVE:
        _bad(case, "error", "INCONCLUSIVE", record.headline, record.reasons)


def _case(suite: Element, suite_name: str, name: str, duration_s: float = 0.0) -> Element:
    return SubElement(
        suite,
        "testcase",
        classname=words.printable(f"golive.{suite_name}"),
        name=words.printable(name),
        time=f"{duration_s:.3f}",
    )


def _bad(case: Element, tag: str, kind: str, message: str, lines: Iterable[str]) -> None:
    first = next(iter(message.splitlines()), "") or "no reason was given"
    SubElement(case, tag, type=kind, message=words.printable(first)).text = words.printable("\n".join(lines))


def _count(suite: Element) -> None:
    cases = suite.findall("testcase")
    suite.set("tests", str(len(cases)))
    for name, tag in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
        suite.set(name, str(sum(case.find(tag) is not None for case in cases)))
