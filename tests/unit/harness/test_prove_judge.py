"""What golive prove makes of a trial: caught, missed, no bite, error; and what it reads from the saboteurs' files."""

from pathlib import Path

import pytest

from harness.errors import HarnessError
from harness.runs.mutation_run import BITES, crashes, sabotaged, seed_for
from harness.runs.saboteurs import HUNT, Saboteur, Trial, exit_code, last_proof, registry, unknown_claims
from harness.target import Target, Tenants
from tests.rows import each_row

ONE = Saboteur(name="flag-ignored", story="The flag is not read.", caught_by=("G-40", "G-41"))
WANTED = 'CAUGHT_BY = ("G-40", "G-41")\n'


def trial(**changes: object) -> Trial:
    given = {"saboteur": ONE, "red": ("G-40", "G-41"), "bites": 1}
    return Trial(**{**given, **changes})  # type: ignore[arg-type]


def test_red_in_every_scenario_that_claims_it_is_caught() -> None:
    assert trial().outcome == "caught"
    assert exit_code([trial(), trial()]) == 0


def test_a_claim_that_stays_green_is_missed() -> None:
    half = trial(red=("G-40",), green=("G-41",))
    assert half.outcome == "missed"
    assert half.missed_by == ("G-41",)
    assert exit_code([trial(), half]) == 1


def test_a_scenario_that_was_not_observed_has_caught_nothing() -> None:
    assert trial(red=("G-40",), unobserved=("G-41",)).outcome == "missed"


def test_what_did_not_bite_is_neither_caught_nor_missed() -> None:
    assert trial(bites=0).outcome == "no bite"
    assert trial(bites=0, red=()).outcome == "no bite"
    assert exit_code([trial(), trial(bites=0)]) == 2


def test_an_error_of_ours_is_no_catch_and_outweighs_a_miss() -> None:
    died = trial(errors=("web ended with exit code 3 although nobody had stopped it",))
    assert died.outcome == "error"
    assert exit_code([trial(red=()), died]) == 2


def test_what_crashed_is_told_from_the_targets_logs(tmp_path: Path) -> None:
    """Seen: a statement that named a key which the saboteur had dropped; all webhooks were 500s: "caught"."""
    (tmp_path / "travelling").mkdir()
    told = '{"level": "error", "message": "an unforeseen error: InvalidColumnReference", "exception": "…"}\n'
    (tmp_path / "target-web.log").write_text('{"message": "up"}\n' + told + told)
    (tmp_path / "travelling" / "target-web.log").write_text('{"message": "dashboard: an unforeseen error: KeyError"}\n')
    (tmp_path / "pytest-scenarios.log").write_text("an unforeseen error: NotTheTargets\n")
    assert crashes(tmp_path) == ["InvalidColumnReference", "KeyError"]
    (tmp_path / "target-web.log").write_text('{"message": "up"}\n')
    (tmp_path / "travelling" / "target-web.log").write_text("")
    assert crashes(tmp_path) == []


def test_nothing_tried_proves_nothing() -> None:
    assert exit_code([]) == 2


def test_with_all_scenarios_one_red_is_enough() -> None:
    assert trial(red=("S-01",), any_will_do=True).outcome == "caught"
    assert trial(red=(), any_will_do=True).outcome == "missed"


def test_a_file_is_read_and_not_run(tmp_path: Path) -> None:
    (tmp_path / "flag_ignored.py").write_text(f'"""The flag is not read.\n\nMore.\n"""\nraise SystemExit\n{WANTED}')
    (tmp_path / "_patching.py").write_text("")
    assert registry(tmp_path) == (ONE,)


def test_traffic_is_run_and_claims_nothing(tmp_path: Path) -> None:
    (tmp_path / "leak.py").write_text('"""A leak."""\nCAUGHT_BY = ("HUNT",)\nTRAFFIC = ("S-01",)\n')
    (leak,) = registry(tmp_path)
    assert leak.caught_by == (HUNT,)
    assert leak.scenarios == ("S-01",)


@each_row("text", ['"""No claim."""\n', WANTED, '"""Empty."""\nCAUGHT_BY = ()\n', '"""Text."""\nCAUGHT_BY = "G-40"\n'])
def test_a_file_without_story_or_claim_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "half.py").write_text(text)
    with pytest.raises(HarnessError, match=r"half\.py is no saboteur"):
        registry(tmp_path)


def test_a_claim_on_a_scenario_that_is_not_there_is_named() -> None:
    assert unknown_claims([ONE], ["G-40", "G-41"]) == []
    assert unknown_claims([ONE], ["G-40"]) == [
        "flag-ignored claims to be caught by G-41, and there is no such scenario"
    ]


def target(**start: list[str]) -> Target:
    return Target(
        name="t",
        base_url="http://127.0.0.1:1",
        start=start,
        actions={"redrive": ["python", "-m", "reference_impl", "redrive"]},
        tenants=Tenants(provision=["python", "-m", "reference_impl", "tenant", "create"]),
    )


def test_processes_and_commands_are_broken_and_provisioning_is_not() -> None:
    intact = target(web=["python", "-m", "reference_impl", "web", "--port", "1"])
    broken = sabotaged(intact, ONE, bites=Path("/folder/bites"))
    front = ["python", "-m", "scenarios.saboteurs", "flag-ignored", "--"]
    assert broken.start == {"web": [*front, "web", "--port", "1"]}
    assert broken.actions == {"redrive": [*front, "redrive"]}
    assert broken.tenants == intact.tenants
    assert broken.env[BITES] == "/folder/bites"


def test_the_operator_program_is_broken_and_what_it_serves_is_still_served() -> None:
    actions = {"serve": ["python", "-m", "reference_impl", "operate"], "redrive": "serve"}
    intact = target(web=["python", "-m", "reference_impl", "web"]).model_copy(update={"actions": actions})
    broken = sabotaged(intact, ONE, bites=Path("/folder/bites"))
    program = ["python", "-m", "scenarios.saboteurs", "flag-ignored", "--", "operate"]
    assert broken.actions == {"serve": program, "redrive": "serve"}


def test_a_target_that_is_not_the_reference_cannot_be_broken() -> None:
    with pytest.raises(HarnessError, match="does not start it"):
        sabotaged(target(web=["./mine"]), ONE, bites=Path())


def test_a_saboteur_has_its_own_seed_alone_and_among_others() -> None:
    assert seed_for(7, "flag-ignored") == seed_for(7, "flag-ignored")
    assert len({seed_for(7, "flag-ignored"), seed_for(8, "flag-ignored"), seed_for(7, "first-touch")}) == 3


def test_a_report_tells_the_proof_of_its_own_commit_only(tmp_path: Path) -> None:
    proof = tmp_path / "prove.json"
    nothing = {"caught": 0, "total": 0}
    assert last_proof(proof, commit="abc") == nothing
    proof.write_text('{"caught": 41, "total": 42, "commit": "abc"}')
    assert last_proof(proof, commit="abc") == {"caught": 41, "total": 42}
    assert last_proof(proof, commit="abd") == nothing
    proof.write_text('{"caught": 41, "total": 42, "commit": "unknown"}')
    assert last_proof(proof, commit="unknown") == nothing
    for text in (
        "[]",
        '{"caught": 41, "total": 42, "comm',
        '{"caught": 41, "commit": "abc"}',
        '{"caught": "x", "total": 42}',
    ):
        proof.write_text(text)
        assert last_proof(proof, commit="abc") == nothing, text
