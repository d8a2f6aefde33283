"""What a target file lets golive see, before anything runs. Pure: the scenarios' own words, and the file.

A scenario needs what its words look at: `pipeline.database` needs `probes.database_url`, `target.act("redrive")` needs
the action. Its source is read, never run. What a scenario finds out only while it runs (a table that is not there, a
clock that does not follow) is not known here.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from harness import samples
from harness.stack import monitoring
from harness.stack.network import PLACEHOLDERS as LINKS
from harness.stack.travelling import tied_down
from harness.target import Paths, Target

#: A word of `harness.testing` -> what the target file must say for it.
_WORDS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "database": ("probes.database_url",),
        "conversions": ("probes.database_url", "probes.conversions"),
        "conversion": ("probes.database_url", "probes.conversions"),
        "wait_for_state": ("probes.database_url", "probes.conversions"),
        "breaker": ("probes.database_url", "probes.breaker"),
        "wait_until_breaker": ("probes.database_url", "probes.breaker"),
        "match_method": ("probes.database_url", "probes.match_method"),
        "queue": ("probes.queue",),
        "wait_for_messages": ("probes.queue",),
        "dead_letters": ("probes.dead_letters",),
        "dashboard": ("paths.dashboard", "actions.create_user"),
        "purchases": ("probes.dashboard_purchases",),
        "click": ("paths.click",),
        "event_id_of": ("actions.event_id",),
        "redrive": ("actions.redrive",),
        "renew_token": ("actions.set_meta_token",),
        "expire_token": ("actions.set_meta_token",),
        "limit_token": ("actions.set_meta_token",),
        "crash_database": ("own.database",),
        "network": ("own.target",),
        "run_experiment": ("probes.database_url", "probes.conversions"),
        "alarms_table": ("own.monitoring",),
        "connections_taken": ("probes.database_url",),
    }
)
#: A word whose texts say what is needed: `target.kill("consumer")` -> `start.consumer`.
_TOLD: Mapping[str, str] = MappingProxyType(
    {
        "act": "actions",
        "must_be_able_to": "actions",
        "track": "paths",
        "tracking_path": "paths",
        "kept_days": "keeps",
        "gateway": "gateways",
        "kill": "start",
        "start": "start",
        "restart": "start",
        "stop": "start",
        "restart_gracefully": "start",
        "replica": "start",
        "arm": "link",
        "break_next": "link",
        "break_all": "link",
        "must_have": "link",
        "url": "link",
        "seen": "link",
    }
)
_FAULTS: Mapping[str, str] = MappingProxyType(
    {
        "database.down": "own.database",
        "database.read_only": "own.database",
        "meta.token_dead": "actions.set_meta_token",
    }
)
_FIXTURES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "travelling_pipeline": ("own.clock",),
        "monitored_pipeline": ("own.clock", "own.monitoring"),
        "model": ("probes.database_url", "probes.conversions"),
    }
)
#: A need of those variants alone that name it.
_IF_VARIANT = "only: "
#: What needs that are about gateways begin with.
OF_GATEWAYS = ("gateways.", "sample.", "second.", "variant.")
#: Words that are called by their name alone.
_FUNCTIONS = frozenset({"run_experiment", "alarms_table"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """One scenario for one gateway and dialect, and what it needs of the target file."""

    key: str
    suite: str
    rows: frozenset[str]
    needs: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """What a target file lets golive see."""

    seen: tuple[Variant, ...]
    unseen: Mapping[str, tuple[str, ...]]
    """By the key of a variant that cannot run: what the file lacks for it."""
    whole: frozenset[str]
    """Rows of which every scenario can run."""
    part: frozenset[str]
    """Rows of which some can."""
    none: frozenset[str]


def view(variants: Sequence[Variant], target: Target) -> View:
    """Judge every variant; a row is whole if all that prove it can run."""
    seen: list[Variant] = []
    unseen: dict[str, tuple[str, ...]] = {}
    for one in variants:
        lacking = tuple(sorted(need for need in one.needs if not has(target, need)))
        if lacking:
            unseen[one.key] = lacking
        else:
            seen.append(one)
    out = {row for one in variants if one.key in unseen for row in one.rows}
    able = {row for one in seen for row in one.rows}
    return View(
        seen=tuple(seen),
        unseen=unseen,
        whole=frozenset(able - out),
        part=frozenset(able & out),
        none=frozenset(out - able),
    )


def has(target: Target, need: str) -> bool:
    """Whether the target file says what is needed."""
    need = need.removeprefix(_IF_VARIANT)
    kind, _, name = need.partition(".")
    if kind in _JUDGES:
        return _JUDGES[kind](target, name)
    if need in ("probes.queue", "probes.dead_letters") and not target.probes.aws_url:
        return False
    section = getattr(target, kind)
    return name in section if isinstance(section, dict) else bool(getattr(section, name, None))


def _owns(target: Target, part: str) -> bool:
    if part == "clock":
        return tied_down(target) is None
    if part == "monitoring":
        return monitoring.why_not(target) is None
    return bool(target.start) if part == "target" else target.needs(f"{part}_url")


def _has_link(target: Target, link: str) -> bool:
    if not target.start:
        return False
    told = f"{target.env}{target.start}"
    return target.base_url.startswith("http://") if link == "target" else f"${{{LINKS.get(link)}}}" in told


def _speaks_one(target: Target, can: str) -> bool:
    return len(_able(target, can)) > 0


def _speaks_two(target: Target, can: str) -> bool:
    return len(_able(target, can)) > 1


def _has_variant(target: Target, can: str) -> bool:
    return bool(samples.able(samples.pairs(target.gateways), filter(None, can.split("+"))))


def _able(target: Target, can: str) -> list[samples.Spoken]:
    """As a scenario that is not spread over gateways has them: each once, in the vendor's dialect or in its first."""
    return samples.able(samples.pairs(target.gateways, rather="vendor"), filter(None, can.split("+")))


_JUDGES: Mapping[str, Callable[[Target, str], bool]] = MappingProxyType(
    {"own": _owns, "link": _has_link, "sample": _speaks_one, "second": _speaks_two, "variant": _has_variant}
)


def needs_of(home: Path) -> Mapping[str, frozenset[str]]:
    """By scenario id: what its words need. Reads `test_*.py` below that folder."""
    found: dict[str, frozenset[str]] = {}
    for path in sorted(home.rglob("test_*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        functions = {one.name: one for one in tree.body if isinstance(one, ast.FunctionDef)}
        for function in functions.values():
            needs = {*_needs(function, functions, met=set()), *_of_mark(function), *_of_parameters(function)}
            for name in _scenario_ids(function):
                found[name] = frozenset(needs)
    return found


def _scenario_ids(function: ast.FunctionDef) -> Iterator[str]:
    for mark in function.decorator_list:
        if isinstance(mark, ast.Call) and isinstance(mark.func, ast.Attribute) and mark.func.attr == "scenario":
            yield str(ast.literal_eval(mark.args[0]))


def _of_mark(function: ast.FunctionDef) -> Iterator[str]:
    """`any_gateway`: where the target speaks none that can what is needed, the scenario says so and ends."""
    for mark in function.decorator_list:
        if isinstance(mark, ast.Call) and isinstance(mark.func, ast.Attribute) and mark.func.attr == "any_gateway":
            yield f"variant.{_can(mark)}"


def _of_parameters(function: ast.FunctionDef) -> Iterator[str]:
    """`pipeline.track(what, …)`: what each variant of it needs, marked as such; `of_variant` chooses."""
    named = [
        node.args[0].id
        for node in ast.walk(function)
        if isinstance(node, ast.Call)
        and getattr(node.func, "attr", "") == "track"
        and isinstance(node.args[0], ast.Name)
    ]
    for mark in function.decorator_list:
        if not isinstance(mark, ast.Call) or getattr(mark.func, "attr", "") != "parametrize":
            continue
        for node in ast.walk(mark.args[1]) if _first_name(mark) in named else ():
            if isinstance(node, ast.Constant) and node.value in Paths.model_fields:
                yield f"{_IF_VARIANT}paths.{node.value}"


def _first_name(parametrize: ast.Call) -> str:
    names = ast.literal_eval(parametrize.args[0])
    return names if isinstance(names, str) else str(names[0])


def of_variant(needs: frozenset[str], key: str) -> frozenset[str]:
    """What that variant needs: of what only some need, what its key `T-18[pageview]` names."""
    pieces = key.partition("[")[2].removesuffix("]").split("-")
    named = (need.removeprefix(_IF_VARIANT) for need in needs if need.rpartition(".")[2] in pieces)
    return frozenset({*(need for need in needs if not need.startswith(_IF_VARIANT)), *named})


def _can(call: ast.Call) -> str:
    """What a gateway must be able to tell, as a need spells it: `click+phone`."""
    given = next((one.value for one in call.keywords if one.arg == "can"), None)
    return "+".join(sorted(ast.literal_eval(given))) if given is not None else ""


def _needs(function: ast.FunctionDef, known: Mapping[str, ast.FunctionDef], *, met: set[str]) -> Iterator[str]:
    """What a function needs, and every function of its file that it names."""
    met.add(function.name)
    for argument in function.args.args:
        yield from _FIXTURES.get(argument.arg, ())
    for node in ast.walk(ast.Module(body=function.body, type_ignores=[])):
        if isinstance(node, ast.Attribute):
            yield from _of_word(node)
        elif isinstance(node, ast.Call):
            yield from _of_call(node)
        elif isinstance(node, ast.Name):
            yield from _WORDS[node.id] if node.id in _FUNCTIONS else ()
            if (other := known.get(node.id)) is not None and node.id not in met:
                yield from _needs(other, known, met=met)


def _of_word(node: ast.Attribute) -> Iterator[str]:
    # `order.gateway` and the like are no looks: only what belongs to the pipeline and its views counts.
    if node.attr in _WORDS and _owner(node.value) not in _STRANGERS:
        yield from _WORDS[node.attr]


#: Whose attributes of the same name are something else: a visitor's click, a target file's own sections.
_STRANGERS = frozenset({"click", "timings", "keeps", "paths", "expect"})


def _owner(node: ast.expr) -> str:
    if isinstance(node, ast.Call):
        return _owner(node.func)
    return node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")


def _of_call(node: ast.Call) -> Iterator[str]:
    if not isinstance(node.func, ast.Attribute):
        return
    word, texts = node.func.attr, [one.value for one in node.args if isinstance(one, ast.Constant)]
    names = [one for one in texts if isinstance(one, str)]
    given = {one.arg for one in node.keywords}
    if word == "gateway" and "like" in given:
        yield f"{'second' if 'besides' in given else 'sample'}.{_can(node)}"
    if word == "fault":
        yield from _of_fault(names[0] if names else "", node)
    kind = _TOLD.get(word)
    owner = _owner(node.func.value)
    if kind is None or (kind == "link") != (owner == "network") or (kind == "start" and owner != "target"):
        return
    for name in names if kind == "actions" and word != "act" else names[:1]:
        yield f"{kind}.{name}"


def _of_fault(name: str, node: ast.Call) -> Iterator[str]:
    given = {one.arg: one.value for one in node.keywords}
    if name.startswith("aws.") or "service" in given:
        yield "own.aws"
    elif name in _FAULTS:
        yield _FAULTS[name]
    if "role" in given:
        role = given["role"]
        yield f"start.{role.value!s}" if isinstance(role, ast.Constant) else "own.target"


#: What to write into the target file, by what is lacking; the rest follows from the kind.
_ADD: Mapping[str, str] = MappingProxyType(
    {
        "probes.database_url": 'database_url = "postgresql://…" under [target.probes]: read, never written',
        "probes.conversions": 'conversions = "SELECT …" under [target.probes]: sale, gateway, event_id, state',
        "probes.breaker": 'breaker = "SELECT …" under [target.probes]: closed, open, half_open',
        "probes.match_method": 'match_method = "SELECT …" under [target.probes]: click_id, email … or null',
        "probes.queue": 'queue = "NAME" and aws_url = "${aws_url}" under [target.probes]',
        "probes.dead_letters": 'dead_letters = "NAME" and aws_url = "${aws_url}" under [target.probes]',
        "probes.dashboard_purchases": 'dashboard_purchases = "([0-9]+) purchases" under [target.probes]',
        "own.database": 'let the target use the run\'s own PostgreSQL: "${database_url}" in [target.env]',
        "own.aws": 'let the target use the run\'s own AWS endpoint: AWS_ENDPOINT_URL = "${aws_url}" in [target.env]',
        "own.monitoring": 'template = "….yaml" under [target.monitoring], "${cloudwatch_url}" in [target.env]',
        "own.target": 'let golive start the target: web = ["…"] under [target.start]',
        "own.clock": 'let golive start the target, on "${port}" and (if it has one) on "${database_url}"',
    }
)


def what_to_add(need: str) -> str:
    """One line that says what to write into the target file."""
    if need in _ADD:
        return _ADD[need]
    kind, _, name = need.removeprefix(_IF_VARIANT).partition(".")
    if kind in ("sample", "second", "variant"):
        which = "a second gateway" if kind == "second" else "a gateway"
        told = f" that tells {name.replace('+', ', ').replace('_', ' ')}" if name else ""
        return f"{which}{told} under [target.gateways], if the target speaks one"
    return {
        "paths": f'{name} = "/…/{{tenant}}/…" under [target.paths]',
        "actions": f'{name} = ["command", …] (or a URL, or "serve") under [target.actions]',
        "keeps": f"{name} = DAYS under [target.keeps]",
        "start": f'{name} = ["command", …] under [target.start]: the process that does that work',
        "gateways": f'{name} = ["vendor"] under [target.gateways], if the target speaks it',
        "link": f"let golive start the target, and let it reach its {name} by ${{{LINKS.get(name, name)}}}",
    }[kind]
