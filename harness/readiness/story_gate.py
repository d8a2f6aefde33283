"""The story gate (011.2): ten points that a story needs before anybody builds it. Pure: text in, findings out.

Stories are written in Markdown, in English or Portuguese, with or without accents. Ten of ten is Ready, else Draft.
The gate reads what is there and what is not; whether it is true, a person has to say.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from harness.readiness.markdown_text import (
    Document,
    Line,
    Section,
    cells,
    content,
    indent_of,
    is_unfinished,
    item_text,
    plain,
    read,
    words_in,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What is missing, where, and what to do about it."""

    line: int
    """The line to look at, from 1; that of the nearest heading, or 1, where the whole thing is absent."""
    missing: str
    fix: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """One of the ten, and what was found."""

    id: str
    """The end of its row's id: `risks` is 011.2/risks."""
    title: str
    line: int
    """Where it stands; 0: nowhere."""
    findings: tuple[Finding, ...]

    @property
    def met(self) -> bool:
        """Nothing is missing."""
        return not self.findings


@dataclass(frozen=True, slots=True, kw_only=True)
class Criterion:
    """One acceptance criterion as the story says it."""

    line: int
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StoryReport:
    """What the gate says of one story."""

    number: str
    """`006`; empty: the story does not say which one it is."""
    title: str
    points: tuple[Point, ...]
    criteria: tuple[Criterion, ...]

    @property
    def status(self) -> Literal["Ready", "Draft"]:
        """Ten of ten is Ready."""
        return "Ready" if all(one.met for one in self.points) else "Draft"

    @property
    def met(self) -> int:
        """How many of the ten are met."""
        return sum(one.met for one in self.points)


#: Words in a heading or label, accents and case taken off. The first kind that fits is it: order matters.
_KINDS: dict[str, tuple[str, ...]] = {
    "done": (
        "definition of done", "criteria of done", "done criteria", "criteria for done", "dod", "done when",
        "definicao de pronto", "criterios de pronto", "criterio de pronto", "definicao de feito",
        "criterios de conclusao", "criterios de done", "pronto quando", "definicao de concluido",
    ),
    "criteria": (
        "acceptance criteria", "acceptance criterion", "acceptance tests", "acceptance", "criterios de aceite",
        "criterio de aceite", "criterios de aceitacao", "criterio de aceitacao", "aceite", "aceitacao",
    ),
    "out": (
        "out of scope", "scope out", "not in scope", "non goals", "not included", "excluded", "fora do escopo",
        "fora de escopo", "escopo out", "nao inclui", "nao incluido", "nao esta no escopo", "nao faz parte",
    ),
    "in": (
        "in scope", "scope in", "included", "dentro do escopo", "no escopo", "escopo in", "inclui", "incluido",
        "faz parte",
    ),
    "scope": ("scope", "escopo"),
    "dependencies": (
        "dependencies", "dependency", "depends on", "blocked by", "prerequisites", "dependencias", "dependencia",
        "depende de", "pre requisitos", "bloqueado por",
    ),
    "estimate": (
        "estimate", "estimation", "estimated", "complexity", "story points", "points", "effort", "size",
        "estimativa", "complexidade", "pontos", "esforco", "tamanho",
    ),
    "risks": ("risks", "risk", "riscos", "risco"),
    "alignment": ("alignment", "prd", "epic", "alinhamento", "epico"),
    "value": (
        "business value", "value", "benefit", "benefits", "business impact", "valor de negocio",
        "valor para o negocio", "valor do negocio", "valor", "beneficio", "beneficios", "impacto no negocio",
    ),
    "description": (
        "description", "problem", "need", "context", "background", "user story", "motivation", "why", "story",
        "descricao", "problema", "necessidade", "contexto", "historia", "motivacao", "por que", "historia de usuario",
    ),
}  # fmt: skip
_KIND_PATTERNS = {
    kind: re.compile(r"\b(?:" + "|".join(sorted(names, key=len, reverse=True)) + r")\b")
    for kind, names in _KINDS.items()
}

_NEED = re.compile(
    r"\b(?:problem|needs?|needed|wants?|today|currently|because|so that|must|cannot|can not|can t|lacks?|los(?:e|es|t)|"
    r"missing|without|should|never|problema|precis\w+|necess\w+|quer\w+|hoje|atualmente|porque|para que|nao|falta\w*|"
    r"sem|perd\w+|dev\w+)\b"
)
_NEED_HEADING = re.compile(r"\b(?:problem|need|motivation|why|problema|necessidade|motivacao|por que)\b")
_VAGUE_TITLE = re.compile(
    r"\b(?:improvements?|various|misc|miscellaneous|stuff|things|etc|general changes|melhorias?|diversos|diversas|"
    r"coisas|ajustes gerais|varios|varias)\b"
)
_VAGUE = re.compile(
    r"\b(?:fast|quickly|quick|user friendly|intuitive|easy|easily|as expected|properly|nicely|works? well|"
    r"rapid[oa]s?|rapidamente|amigavel|intuitiv[oa]|facil|facilmente|como esperado|adequadamente|funcionar? bem)\b"
)
_STEPS = {
    "Given/Dado": re.compile(r"\b(?:given|dad[oa]s?(?: que)?)\b"),
    "When/Quando": re.compile(r"\b(?:when|quando)\b"),
    "Then/Então": re.compile(r"\b(?:then|entao)\b"),
}
_GOES_ON = re.compile(r"(?:when|then|and|but|quando|entao|e|mas)\b")
_BEGINS = re.compile(r"(?:given|dad[oa]s?|scenario|scenario outline|cenario|esquema do cenario|example|exemplo)\b")
_SCENARIO = re.compile(r"(?:scenario|cenario|esquema do cenario|example|exemplo)\b")
_FEATURE = re.compile(r"(?:feature|funcionalidade|background|contexto|language|examples|exemplos)\b")
_ESTIMATE = re.compile(
    r"\d|\b(?:low|medium|high|simple|complex|small|large|trivial|baix[oa]|medi[oa]|alt[oa]|simples|complex[oa]|"
    r"pequen[oa]|grande|one|two|three|five|eight|dois|duas|tres|cinco|oito)\b"
)
#: In capitals only: the s of "let's see" is no size.
_SIZE = re.compile(r"\b(?:XS|S|M|L|XL|XXL|PP|P|G|GG)\b")
_NONE = re.compile(r"(?:none|nothing|no|nao ha|nenhum|nenhuma|nada|nao|n a)$")
_STORY_NUMBER = re.compile(r"\b(?:story|historia|us|user story)\W{0,3}0*(\d{1,4})(?![\d.])")


def check(text: str, *, name: str = "") -> StoryReport:
    """Judge one story. `name` is its file's name, which may say which story it is. Never raises."""
    story = _Story(read(text))
    return StoryReport(
        number=_number(story, name),
        title=story.title.text,
        points=tuple(_point(story, *one) for one in _POINTS),
        criteria=tuple(story.criteria),
    )


class _Story:
    """A document, with its sections by kind."""

    def __init__(self, document: Document) -> None:
        self.document = document
        top = [one for one in document.headings if one.level == 1] or document.headings[:1]
        #: The first heading of level 1; a heading such as `## Risks` is no title.
        self.heading = top[0] if top and (top[0].level == 1 or not _kind(top[0].plain)) else None
        front = document.front.get("title") or document.front.get("titulo")
        self.title = front or (Line(self.heading.line, self.heading.title) if self.heading else Line(0, ""))
        self._by_kind: dict[str, list[Section]] = {}
        for one in document.headings:
            if one is not self.heading:
                self._by_kind.setdefault(_kind(one.plain), []).append(one)
        for one in document.labels:
            # A label is short and begins with the word: "the risk is: …" inside of prose is none.
            kind = _kind(one.plain)
            if kind and len(one.plain.split()) <= 5 and _KIND_PATTERNS[kind].match(one.plain):
                self._by_kind.setdefault(kind, []).append(one)
        self.criteria, self.criteria_findings = _criteria(self.of("criteria"))

    def of(self, kind: str) -> list[Section]:
        """Its sections: headings first, then labels, each in the file's order."""
        return self._by_kind.get(kind, [])

    def best(self, kind: str) -> tuple[Section | None, list[Line]]:
        """The first section of a kind that says something, with what it says; else the first one, and nothing."""
        sections = self.of(kind)
        for one in sections:
            said = content(one.body)
            if said:
                return one, said
        return (sections[0] if sections else None), []


def _kind(title: str) -> str:
    return next((kind for kind, pattern in _KIND_PATTERNS.items() if pattern.search(title)), "")


def _number(story: _Story, name: str) -> str:
    for key in ("id", "story", "historia", "story id"):
        given = story.document.front.get(key)
        found = re.search(r"(?<![\d.])0*(\d{1,4})(?![\d.])", given.text) if given else None
        if found:
            return found.group(1).zfill(3)
    found = _STORY_NUMBER.search(plain(story.title.text)) or re.search(r"(?<![\d.])0*(\d{1,4})(?!\d|\.\d)", name)
    return found.group(1).zfill(3) if found else ""


# -- the ten points ------------------------------------------------------------------------------------------------

_Found = tuple[int, list[Finding]]


def _point(story: _Story, name: str, title: str, look: Callable[[_Story], _Found]) -> Point:
    line, findings = look(story)
    return Point(id=name, title=title, line=line, findings=tuple(findings))


def _one(line: int, missing: str, fix: str) -> list[Finding]:
    return [Finding(line=max(line, 1), missing=missing, fix=fix)]


def _title(story: _Story) -> _Found:
    line, text = story.title.number, story.title.text
    if not text or is_unfinished(text):
        return 0, _one(line, "there is no title", "begin the file with one line `# What will be true afterwards`")
    bare = _STORY_NUMBER.sub("", plain(text))
    words = [one for one in bare.split() if not one.isdigit()]
    if len(words) < 3:
        return line, _one(line, f"the title “{_cut(text)}” says too little", "name who or what, and what changes")
    if len(text) > 120:
        return line, _one(line, "the title has more than 120 characters", "keep the aim; move the rest below")
    vague = _VAGUE_TITLE.search(bare)
    if vague:
        return line, _one(line, f"“{vague.group()}” in the title is no objective", "say what will be true afterwards")
    return line, []


def _description(story: _Story) -> _Found:
    section, said = story.best("description")
    if section is None:
        return 0, _absent(story, "description", "Description", "Descrição")
    # Several sections may share the work: Context and Problem, or Descrição and Necessidade.
    everything = [line for one in story.of("description") for line in content(one.body)]
    if words_in(everything) < 15:
        fix = "say in two or three sentences whose problem it is, and what they need"
        return section.line, _one(section.line, f"“{_cut(section.title)}” has fewer than 15 words", fix)
    told = plain(" ".join(one.text for one in everything[:200]))[:20_000]
    named = any(_NEED_HEADING.search(one.plain) for one in story.of("description"))
    if not named and not any(_NEED.search(plain(one.text)) for one in everything) and not _NEED.search(told):
        return section.line, _one(
            section.line, "no problem or need is named", "say what goes wrong today, and for whom"
        )
    return (said[0].number if said else section.line), []


def _acceptance(story: _Story) -> _Found:
    sections = story.of("criteria")
    if not sections:
        return 0, _absent(story, "acceptance criteria", "Acceptance criteria", "Critérios de aceite")
    if not story.criteria:
        fix = "write each as “Given …, when …, then …” (Dado …, quando …, então …)"
        return sections[0].line, _one(sections[0].line, "no acceptance criterion stands there", fix)
    return sections[0].line, story.criteria_findings


def _scope(story: _Story) -> _Found:
    sides = {"IN": _side(story, "in"), "OUT": _side(story, "out")}
    lines = [found for found in sides.values() if found]
    whole = story.of("scope")
    at = whole[0].line if whole else (lines[0] if lines else 0)
    findings = []
    for side, portuguese in (("IN", "Inclui"), ("OUT", "Não inclui")):
        if not sides[side]:
            missing = f"the scope does not say what is {side}" if at else f"nothing says what is {side} of scope"
            missing = missing.replace("IN of scope", "IN scope")
            findings += _one(at, missing, f"under `## Scope` (`## Escopo`) add `**{side}:** …` (`**{portuguese}:** …`)")
    return at, findings


def _side(story: _Story, side: Literal["in", "out"]) -> int:
    """The line where this side of the scope is said; 0: nowhere."""
    section, said = story.best(side)
    if section and said:
        return said[0].number
    words = {"in": {"in", "dentro", "inclui", "sim"}, "out": {"out", "fora", "exclui", "nao"}}[side]
    for scope in story.of("scope"):
        for mine, lines in _parts(scope):
            if words & set(mine.split()[:2]) and content(lines):
                return content(lines)[0].number
    return 0


def _parts(scope: Section) -> Iterator[tuple[str, list[Line]]]:
    """The sub-headings, labels and table columns inside a scope section, each with its lines."""
    name, lines = "", list[Line]()
    header: list[str] = []
    for line in scope.body:
        row = cells(line.text)
        if row:
            for title, text in zip(header or [], row, strict=False):
                yield plain(title), [Line(line.number, text)]
            yield plain(row[0]), [Line(line.number, " ".join(row[1:]))]
            header = header or row
            continue
        found = re.match(r"\W{0,12}(\w[\w ]{0,20}?)\W{0,4}(?:[:–—]|$)\W{0,4}(.*)$", line.text.strip())
        first = plain(found.group(1)) if found else ""
        if found and first and first.split()[0] in _SIDES:
            yield name, lines
            name, lines = first, [Line(line.number, found.group(2))]
        else:
            lines.append(line)
    yield name, lines


_SIDES = frozenset({"in", "out", "dentro", "fora", "inclui", "exclui", "nao", "sim"})


def _dependencies(story: _Story) -> _Found:
    return _says(story, "dependencies", ("Dependencies", "Dependências"), "name them, or write “None” (“Nenhuma”)")


def _estimate(story: _Story) -> _Found:
    for key, value in story.document.front.items():
        if _KIND_PATTERNS["estimate"].match(key) and _has_size(value.text):
            return value.number, []
    fix = "write points, hours or a size: S, M, L (P, M, G)"
    line, findings = _says(story, "estimate", ("Estimate", "Estimativa"), fix)
    if findings:
        return line, findings
    for one in story.of("estimate"):
        for said in [*content(one.body), Line(one.line, re.sub(r"^\W*\d+\W", "", one.title))]:
            if _has_size(said.text):
                return said.number, []
    return line, _one(line, "the estimate has no size", fix)


def _has_size(text: str) -> bool:
    return bool(_SIZE.search(text) or _ESTIMATE.search(plain(text) + " " + text.casefold()))


def _value(story: _Story) -> _Found:
    fix = "say in a sentence what the business gains, in figures where there are any"
    return _says(story, "value", ("Business value", "Valor de negócio"), fix, words=5)


def _risks(story: _Story) -> _Found:
    line, findings = _says(story, "risks", ("Risks", "Riscos"), "name what can go wrong, and what is done about it")
    if findings:
        return line, findings
    _, said = story.best("risks")
    if words_in(said) < 3 or all(_NONE.match(plain(one.text)) for one in said):
        return line, _one(line, "no risk is named", "name one, or say in a sentence why there is none")
    return line, []


def _done(story: _Story) -> _Found:
    titles = ("Definition of done", "Critérios de pronto")
    return _says(story, "done", titles, "list what must be true before it counts as done", words=3)


def _alignment(story: _Story) -> _Found:
    fix = "name the epic or PRD that it serves, with its number or link: `**Epic:** 011`"
    for key, value in story.document.front.items():
        if key in ("epic", "epico", "prd"):
            return value.number, []
    line, findings = _says(story, "alignment", ("Alignment with the epic", "Alinhamento com o épico"), fix)
    if findings:
        return line, findings
    _, said = story.best("alignment")
    named = words_in(said) >= 3 or any(re.search(r"\d|https?://|\]\(", one.text) for one in said)
    return line, [] if named else _one(line, "no epic or PRD is named", fix)


def _says(story: _Story, kind: str, titles: tuple[str, str], fix: str, *, words: int = 1) -> _Found:
    section, said = story.best(kind)
    if section is None:
        return 0, _absent(story, titles[0].lower(), *titles)
    if not said:
        return section.line, _one(section.line, f"“{_cut(section.title)}” is empty or only holds a place", fix)
    if words_in(said) < words:
        return section.line, _one(section.line, f"“{_cut(section.title)}” says too little", fix)
    return section.line, []


def _absent(story: _Story, what: str, english: str, portuguese: str) -> list[Finding]:
    at = story.title.number or 1
    return _one(at, f"nothing says the {what}", f"add a heading `## {english}` (`## {portuguese}`) and fill it")


def _cut(text: str) -> str:
    return text if len(text) <= 60 else f"{text[:57]}…"


_POINTS: Sequence[tuple[str, str, Callable[[_Story], _Found]]] = (
    ("title", "clear objective title", _title),
    ("description", "complete description (problem/need)", _description),
    ("criteria", "testable acceptance criteria (Given/When/Then)", _acceptance),
    ("scope", "scope IN/OUT", _scope),
    ("dependencies", "dependencies mapped", _dependencies),
    ("estimate", "complexity estimate", _estimate),
    ("value", "business value", _value),
    ("risks", "risks", _risks),
    ("done", "criteria of done", _done),
    ("alignment", "alignment with PRD/epic", _alignment),
)
POINT_IDS = tuple(name for name, _, _ in _POINTS)


# -- acceptance criteria -------------------------------------------------------------------------------------------


def _criteria(sections: Sequence[Section]) -> tuple[list[Criterion], list[Finding]]:
    """The criteria of the first section that has any, and what each lacks."""
    for section in sections:
        found = [one for one in _criteria_of(section) if not is_unfinished(one.text)]
        if found:
            return found, [finding for one in found for finding in _untestable(one)]
    return [], []


def _criteria_of(section: Section) -> Iterator[Criterion]:
    line, texts, header = 0, list[str](), list[str]()
    for one in section.body:
        row = cells(one.text)
        if row is not None:
            # The header's words count for each row: a table with the columns Given, When and Then has them.
            if row and header:
                yield Criterion(line=one.number, text="; ".join(_named_cells(header, row)))
            header = header or row
            continue
        header = []
        text = one.text.strip()
        simple = plain(item_text(one.text) or text.lstrip("#"))
        if not text or _FEATURE.match(simple):
            continue
        if _starts(one.text, simple, texts):
            if _is_criterion(texts):
                yield Criterion(line=line, text=_joined(texts))
            line, texts = one.number, []
        texts.append(text)
        line = line or one.number
    if _is_criterion(texts):
        yield Criterion(line=line, text=_joined(texts))


def _named_cells(header: Sequence[str], row: Sequence[str]) -> list[str]:
    return [f"{title} {text}" for title, text in zip(header, row, strict=False) if text and not is_unfinished(text)]


def _starts(raw: str, simple: str, texts: Sequence[str]) -> bool:
    """Whether a new criterion begins here: a heading, a list item at the margin, a scenario, the next Given."""
    if not texts:
        return True
    if raw.lstrip().startswith("#") or _SCENARIO.match(simple):
        return True
    if _GOES_ON.match(simple):
        return False
    so_far = plain(_joined(texts))
    if _BEGINS.match(simple):
        return bool(_STEPS["Given/Dado"].search(so_far))
    item = item_text(raw) is not None and indent_of(raw) < 2
    # `**AC1** the click` and then `- Given …` below it are one; a Given that has begun goes on until its Then.
    return item and (item_text(texts[0]) is not None or bool(_STEPS["Then/Então"].search(so_far)))


def _is_criterion(texts: Sequence[str]) -> bool:
    """A lone heading or an introduction that ends in a colon is none."""
    if not texts:
        return False
    alone = len(texts) == 1 and (texts[0].startswith("#") or texts[0].rstrip("*_ ").endswith(":"))
    return not alone


def _joined(texts: Sequence[str]) -> str:
    bare = [item_text(one) or one.lstrip("# ") for one in texts[:40]]
    return " ".join(bare)[:2_000]


def _untestable(one: Criterion) -> Iterator[Finding]:
    simple = plain(one.text)
    lacking = [name for name, pattern in _STEPS.items() if not pattern.search(simple)]
    said = _cut(one.text)
    if lacking:
        fix = "write it as “Given …, when …, then …” (Dado …, quando …, então …)"
        yield Finding(line=one.line, missing=f"“{said}” has no {', no '.join(lacking)}", fix=fix)
        return
    vague = _VAGUE.search(simple)
    if vague and not any(char.isdigit() for char in one.text):
        fix = "say by which number or state one can see it"
        yield Finding(line=one.line, missing=f"“{vague.group()}” in “{said}” cannot be tested", fix=fix)
