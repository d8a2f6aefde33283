"""What people answer for: whole, in force, and never in place of what can be measured."""

import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.cli.readiness_session import Case, judge, rest_on
from harness.errors import UsageError
from harness.readiness import attestations, missing, plan
from harness.readiness.attestations import parse, template
from harness.readiness.evidence import Found
from harness.records import RowState, RunRecord, TargetInfo, Verdict
from tests.rows import each_row

TODAY = date(2026, 3, 1)
COMMIT = "0123456789ab"
PLAN = plan.load()


def entry(row: str, kind: str = "attest", **changed: str) -> str:
    """One entry of a file."""
    fields = {
        "row": f'"{row}"',
        "owner": '"Bia"',
        "date": "2026-02-20",
        "expires": "2026-03-20",
        "reason": '"seen on the screen"',
    }
    return f"[[{kind}]]\n" + "".join(f"{name} = {value}\n" for name, value in (fields | changed).items() if value)


def judged(text: str | None, found: Sequence[Found] = (), today: date = TODAY) -> RunRecord:
    """The launch, with this file; what ran counts, and saw nothing itself."""
    now = datetime.combine(today, time(12), tzinfo=UTC)
    nothing = rest_on([], commit=COMMIT, now=now, max_age_days=14).record
    ran = replace(nothing, target=TargetInfo(name="mine", commit=COMMIT), started_at=f"{today}T11:00:00Z")
    rest = rest_on([ran], commit=COMMIT, now=now, max_age_days=14)
    said = None if text is None else parse(text, PLAN, today)
    return judge(Case(basis=rest, commit=COMMIT, found=tuple(found), said=said), "r")


def row(record: RunRecord, name: str) -> tuple[RowState, str]:
    """A row's state, and its evidence as one text."""
    found = next(one for one in (*record.stories, *record.checklist) if one.id == name)
    return found.state, " ".join(found.evidence)


#: Everything that machines can see, seen; without the rows that follow from others, and those that need a person.
MEASURED = [
    Found(row=one.id, state=RowState.MET, evidence="seen")
    for one in PLAN.rows.values()
    if not one.all_of and not attestations.attestable(one) and one.how != "out_of_scope"
]
STORY_009 = [
    Found(row=f"011.3/story-009-{place}", state=RowState.UNDECIDED, evidence="its text") for place in range(1, 10)
]
PEOPLE = [one.id for one in PLAN.rows.values() if attestations.attestable(one) and not one.all_of]
EVERYTHING = "\n".join(map(entry, PEOPLE))


# -- the launch ----------------------------------------------------------------------------------------------------


def test_what_to_run_next_is_about_the_same_target() -> None:
    """A launch owner copies the command; without its options it would judge our example instead."""
    now = datetime.combine(TODAY, time(12), tzinfo=UTC)
    nothing = rest_on([], commit=COMMIT, now=now, max_age_days=14).record
    command = "golive run --seed 3 --target mine.toml --allow-host shop.example.com --suite smoke"
    target = TargetInfo(name="mine", commit=COMMIT)
    ran = replace(nothing, target=target, started_at=f"{TODAY}T11:00:00Z", broken=("web died",), command=command)
    record = judge(Case(basis=rest_on([ran], commit=COMMIT, now=now, max_age_days=14), commit=COMMIT), "r")
    wanted = "When it is mended: `golive run --target mine.toml --allow-host shop.example.com`"
    assert record.next_steps[-1] == f"{wanted}; 191 rows were not looked at yet"


@each_row("seen", [[], MEASURED])
def test_an_empty_file_is_no_go_and_lists_what_is_missing_and_who_has_it(seen: list[Found]) -> None:
    record = judged("", seen)
    assert (record.verdict, record.exit_code) == (Verdict.NO_GO, 1)
    groups = missing.by_supplier(PLAN, (*record.stories, *record.checklist))
    listed = {one.id for group in groups.values() for one in group}
    settled = {one.row for one in seen}
    in_scope = {one.id for one in PLAN.rows.values() if one.how != "out_of_scope" and not one.all_of}
    assert listed == in_scope - settled
    for who, rows in groups.items():
        assert any(step.startswith(f"Ask {who} ({len(rows)}): {rows[0].id}") for step in record.next_steps)
    assert "broken" not in record.headline.replace("nothing was seen broken", "")
    assert "the team lead" in groups


def test_without_a_file_nobody_was_asked() -> None:
    assert judged(None).verdict is Verdict.INCONCLUSIVE


def test_with_everything_supplied_it_is_go() -> None:
    record = judged(EVERYTHING, [*MEASURED, *STORY_009])
    assert (record.verdict, record.exit_code, record.not_observed) == (Verdict.GO, 0, ())


@each_row("name", PEOPLE)
def test_one_attestation_less_is_no_go(name: str) -> None:
    text = "\n".join(entry(one) for one in PEOPLE if one != name)
    assert judged(text, [*MEASURED, *STORY_009]).verdict is Verdict.NO_GO


WAIVABLE = "checklist/infrastructure/rds"


@each_row(
    ("expires", "verdict"),
    [
        ("2026-03-02", Verdict.GO_WITH_CONCERNS),
        ("2026-03-01", Verdict.GO_WITH_CONCERNS),  # its last day
        ("2026-02-28", Verdict.NO_GO),
    ],
)
def test_a_waiver_holds_until_it_expires(expires: str, verdict: Verdict) -> None:
    seen = [one for one in [*MEASURED, *STORY_009] if one.row != WAIVABLE]
    record = judged(EVERYTHING + entry(WAIVABLE, "waive", expires=expires), seen)
    assert record.verdict is verdict
    if verdict is Verdict.NO_GO:
        assert any("expired on 2026-02-28" in one for one in record.reasons)
    assert record.verdict is not Verdict.GO


@each_row("given", ["2026-03-02", "2026-03-19"])
def test_what_is_dated_in_the_future_does_not_count_yet(given: str) -> None:
    state, said = row(judged(entry("011.6/on-call", date=given)), "011.6/on-call")
    assert state is RowState.NOT_MET
    assert "does not count yet" in said


def test_a_waiver_excuses_what_the_environment_lacks_but_not_what_a_run_saw_broken() -> None:
    found = [Found(row=one, state=RowState.NOT_MET, evidence="seen") for one in (WAIVABLE, "011.6/smoke-match")]
    record = judged(entry(WAIVABLE, "waive") + entry("011.6/smoke-match", "waive"), found)
    assert row(record, WAIVABLE)[0] is RowState.WAIVED
    state, said = row(record, "011.6/smoke-match")
    assert state is RowState.NOT_MET
    assert "no waiver excuses that" in said


def test_an_attestation_does_not_outweigh_what_was_seen() -> None:
    found = [Found(row="011.1/alive", state=RowState.NOT_MET, evidence="it answers nothing")]
    state, said = row(judged(entry("011.1/alive"), found), "011.1/alive")
    assert state is RowState.NOT_MET
    assert "speaks against it" in said


def test_story_009_is_not_attested_unread() -> None:
    text = entry("011.3/story-009-1")
    assert row(judged(text), "011.3/story-009-1")[0] is RowState.NOT_OBSERVED
    assert row(judged(text, STORY_009), "011.3/story-009-1")[0] is RowState.ATTESTED


def test_the_report_says_who_until_when_and_why() -> None:
    _, said = row(judged(entry("011.6/on-call")), "011.6/on-call")
    assert said.startswith("Attested by Bia on 2026-02-20, until 2026-03-20: seen on the screen.")


# -- the file ------------------------------------------------------------------------------------------------------


@each_row(
    ("text", "told"),
    [
        ("[[attest", "not TOML"),
        ("[[attests]]\n", "'attests', which means nothing"),
        ("attest = 1", "two brackets"),
        ("attest = [1]", "number 1"),
        (entry("011.6/on-cal"), "Did you mean '011.6/on-call'?"),
        (entry("quite something else"), "--init-attestations F` lists them"),
        (entry("011.6/on-call", owner=""), "owner: Field required"),
        (entry("011.6/on-call", owner='" "'), "nobody owns it"),
        (entry("011.6/on-call", expires=""), "expires: Field required"),
        (entry("011.6/on-call", date=""), "date: Field required"),
        (entry("011.6/on-call", reason=""), "reason: Field required"),
        (entry("011.6/on-call", reason='"ok"'), "says too little"),
        (entry("011.6/on-call", expires="2026-02-19"), "before its date"),
        (entry("011.6/on-call", date='"soon"'), "dates as 2026-03-01"),
        (entry("011.6/on-call", until="2026-02-19"), "until: Extra inputs"),
        (entry("011.6/on-call") * 2, "stands twice"),
        (entry("011.6/on-call") + entry("011.6/on-call", "waive"), "stands twice"),
        (entry("011.4a/hmac"), "is measured, so nobody can attest it"),
        (entry("metric/webhook-latency"), "is measured"),
        (entry(WAIVABLE), "is measured"),
        (entry("011.2/ready"), "follows from other rows"),
        (entry("constraint/aws", "waive"), "out of scope"),
    ],
)
def test_a_file_that_cannot_be_used_says_why_and_what_to_do(text: str, told: str) -> None:
    with pytest.raises(UsageError, match=re.escape(told)):
        parse(text, PLAN, TODAY)


@each_row("one", [one for one in PLAN.rows.values() if one.how in ("scenario", "load")])
def test_what_is_measured_is_never_attestable(one: plan.Row) -> None:
    assert not attestations.attestable(one)


def test_what_people_read_are_rows_of_the_plan_that_no_run_sees() -> None:
    assert all(
        PLAN.rows[name].how == "readiness" and not PLAN.rows[name].all_of for name in attestations.READ_BY_PEOPLE
    )


def test_the_template_lists_each_row_that_needs_a_person_once_and_says_nothing_by_itself() -> None:
    text = template(PLAN, TODAY, TODAY + timedelta(days=30))
    assert parse(text, PLAN, TODAY).entries == {}
    assert sorted(re.findall(r'(?m)^# \[\[attest\]\]\n# row = "(.*)"', text)) == sorted(PEOPLE)


def test_the_template_filled_in_is_a_file() -> None:
    text = template(PLAN, TODAY, TODAY + timedelta(days=30))
    filled = text.replace('# owner = ""', '# owner = "Bia"').replace('# reason = ""', '# reason = "seen it myself"')
    bare = re.sub(r"(?m)^# (\[\[attest|row =|owner =|date =|expires =|reason =)", r"\1", filled)
    bare = bare.split("# [[waive]]")[0] + "\n# ----" + bare.split("# ----", 1)[1]
    assert set(parse(bare, PLAN, TODAY).entries) == set(PEOPLE)


@given(st.text(max_size=200))
def test_no_file_makes_it_fall_over(text: str) -> None:
    try:
        parse(text, PLAN, TODAY)
    except UsageError as error:
        assert str(error)  # noqa: PT017 -- most texts are refused, comments are not
