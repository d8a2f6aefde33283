"""Numbers with a target, judged on raw samples: met, refuted, or undecided. Pure; the seed is passed in.

**A p95** gets a 95 % interval by moving-block bootstrap: latencies come in bursts, and a plain bootstrap would
believe that 500 slow answers of one stall are 500 independent facts. Quick on 200,000 samples in plain Python:

1. The slowest 5 % are marked (ties are broken by the seed), so that the series becomes ones and zeros. A bound for the
   *share* under a threshold is a bound for the quantile, read back from the sorted samples (Woodruff 1952).
2. Block lengths are tried from n^(1/3), doubling, up to n/20; the one under which the share varies most is taken.
3. The share is resampled 1,000 times from the counts of all overlapping blocks. At most 400 blocks are drawn each
   time and the deviation is scaled by the root of what was left out (m-out-of-n bootstrap).

Measured over 150 simulated series each: 95 % of the intervals hold the truth for independent samples, 93 % at
autocorrelation 0.9 and n = 4,000, 91 % at n = 1,000. At 0.98 and n = 1,000 it is 72 %: run such a load for longer.

**A proportion** gets exact (Clopper-Pearson) bounds, each of which holds with 95 %: 3,000 requests without one failure
are then just enough for 99.9 %. Nothing is rounded before it is compared; equal to the target is not better than it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from random import Random
from typing import Final

from harness.records import SloResult

#: The names under which the launch plan's rows look for their numbers (`harness/readiness/stories.toml`).
WEBHOOK_P95: Final = "webhook latency p95"
DISPATCH_P95: Final = "CAPI dispatch p95"
SUCCESS_RATE: Final = "success rate"
AVAILABILITY: Final = "request availability"
DLQ_DEPTH: Final = "DLQ depth"
MATCH_RATE: Final = "match rate"
#: Read while load comes in; the plan's own line about it is judged with a million rows (`make bench-analytics`).
DASHBOARD_P95: Final = "dashboard p95 under load"
NAMES: Final = (WEBHOOK_P95, DISPATCH_P95, SUCCESS_RATE, AVAILABILITY, DLQ_DEPTH, MATCH_RATE)

MIN_SAMPLES: Final = 1_000
MIN_REQUESTS: Final = 3_000

_QUANTILE = 0.95
_RESAMPLES = 1_000
_MOST_BLOCKS = 400
_FEWEST_BLOCKS = 20
_TAIL = 0.025


def of_gateway(name: str, gateway: str) -> str:
    """The name of a number that was measured on one gateway only: `webhook latency p95, hotmart`."""
    return f"{name}, {gateway}"


def p95(name: str, samples: Sequence[float], *, target: float, unit: str = "ms", seed: int = 0) -> SloResult:
    """Judge a 95th percentile: met when the upper bound is under the target, refuted when the lower one is over it.

    `samples` are raw, in the order in which they were *due* (bursts are looked for in that order), in `unit`. A request
    that was never answered is `math.inf`: leaving it out would make a dying target look quick.

    Raises:
        ValueError: a sample is negative or not a number.
    """
    if any(not one >= 0 for one in samples):
        raise ValueError(f"{name}: a latency is negative or not a number")
    count = len(samples)
    if not count:
        return _result(name, target, unit, None, 0, met=None, note="no samples")
    ordered = sorted(samples)
    measured = ordered[math.ceil(_QUANTILE * count) - 1]
    if count < MIN_SAMPLES:
        return _result(
            name, target, unit, measured, count, met=None, note=f"{count} samples; {MIN_SAMPLES:,} are needed"
        )
    low, high, note = _quantile_bounds(ordered, _marks(samples, seed), seed)
    met = True if high < target else False if low > target else None
    if met is None and not note:
        note = f"the interval from {low:.6g} to {high:.6g} {unit} holds the target: more samples would narrow it"
    return _result(name, target, unit, measured, count, bounds=(low, high), met=met, note=note)


def proportion(name: str, *, good: int, total: int, target: float, of: str, at_least: int = MIN_SAMPLES) -> SloResult:
    """Judge a share that has to be over `target`; both, and the bounds, in %.

    `of` names numerator and denominator ("conversions counted by Meta / conversions accepted"). Under `at_least`
    observations nothing is said, except that the target is refuted where even so few show it.

    Raises:
        ValueError: more good ones than there are, or a negative number.
    """
    if not 0 <= good <= total:
        raise ValueError(f"{name}: {good} of {total} is no proportion")
    if not total:
        return _result(name, target, "%", None, 0, met=None, note=f"{of}: nothing observed")
    low, high = (100 * bound for bound in clopper_pearson(good, total))
    note = f"{of}: {good:,} / {total:,}; each bound holds with 95 %"
    met: bool | None = False if high < target else True if low > target else None
    if total < at_least and met is not False:
        met, note = None, f"{note}; {at_least:,} are needed"
    elif met is None:
        note = f"{note}; the target lies between them: more would narrow them"
    return _result(name, target, "%", 100 * good / total, total, bounds=(low, high), met=met, note=note)


def availability(*, requests: int, failures: int, target: float = 99.9) -> SloResult:
    """Request availability in %: at least 3,000 requests. Uptime is another matter, and attested."""
    return proportion(
        AVAILABILITY,
        good=requests - failures,
        total=requests,
        target=target,
        of="requests answered as promised / requests sent",
        at_least=MIN_REQUESTS,
    )


def ceiling(name: str, readings: Iterable[float], *, target: float, unit: str) -> SloResult:
    """Judge a gauge that has to stay under `target`: its highest reading counts."""
    seen = list(readings)
    if not seen:
        return _result(name, target, unit, None, 0, met=None, note="nobody looked")
    return _result(name, target, unit, max(seen), len(seen), met=max(seen) < target, note="the highest reading")


def match_rate(*, matched: int, conversions: int, target: float = 70.0) -> SloResult:
    """Show a match rate in %, and never call it met: our own simulated journeys decide it, so it would prove itself."""
    measured = 100 * matched / conversions if conversions else None
    note = "of our own simulated journeys; only real traffic can meet this target"
    return _result(MATCH_RATE, target, "%", measured, conversions, met=None, note=note)


def clopper_pearson(good: int, total: int, *, confidence: float = 0.95) -> tuple[float, float]:
    """Exact bounds of a proportion, between 0 and 1; each holds with `confidence`, the pair with 2 x confidence - 1."""
    miss = 1 - confidence
    low = 0.0 if good == 0 else _solve(lambda p: _beta(p, good, total - good + 1) - miss)
    high = 1.0 if good == total else _solve(lambda p: _beta(p, good + 1, total - good) - (1 - miss))
    return low, high


# -- the bootstrap ---------------------------------------------------------------------------------------------


def _marks(samples: Sequence[float], seed: int) -> list[int]:
    """1 for the slowest 5 %, in the order of the samples.

    Ties are broken by chance: broken by position, equal samples would look like one long burst.
    """
    rng = Random(f"{seed}/ties")
    slowest_first = sorted(range(len(samples)), key=lambda one: (samples[one], rng.random()), reverse=True)
    marks = [0] * len(samples)
    for position in slowest_first[: len(samples) - math.ceil(_QUANTILE * len(samples))]:
        marks[position] = 1
    return marks


def _quantile_bounds(ordered: Sequence[float], marks: Sequence[int], seed: int) -> tuple[float, float, str]:
    """The interval, and a note where the samples cannot give one."""
    count = len(ordered)
    fewer, more = _deviations(marks, seed)
    low_rank = math.floor(count * (_QUANTILE + fewer))
    high_rank = math.ceil(count * (_QUANTILE + more)) + 1
    low = ordered[max(low_rank, 1) - 1]
    if high_rank > count:
        return low, math.inf, "the slow answers came in too few bursts to give an upper bound"
    return low, ordered[high_rank - 1], ""


def _deviations(marks: Sequence[int], seed: int) -> tuple[float, float]:
    """How far the share of unmarked samples strays by chance: its 2.5 % and 97.5 % deviations."""
    count = len(marks)
    length, sums = max(
        ((length, _block_sums(marks, length)) for length in _lengths(count)), key=lambda one: _spread(*one)
    )
    blocks = count / length
    drawn = min(round(blocks), _MOST_BLOCKS)
    rng = Random(f"{seed}/blocks")
    pool = rng.choices(sums, k=drawn * _RESAMPLES)
    middle = sum(sums) / len(sums)
    shrink = math.sqrt(drawn / blocks) / length
    strays = sorted(
        (middle - sum(pool[start : start + drawn]) / drawn) * shrink for start in range(0, len(pool), drawn)
    )
    # Two-sided: neither a lucky nor an unlucky stretch may decide.
    return strays[math.floor(_TAIL * _RESAMPLES)], strays[math.ceil((1 - _TAIL) * _RESAMPLES) - 1]


def _lengths(count: int) -> list[int]:
    lengths = [math.ceil(count ** (1 / 3))]
    while lengths[-1] * 2 <= count // _FEWEST_BLOCKS:
        lengths.append(lengths[-1] * 2)
    return lengths


def _block_sums(marks: Sequence[int], length: int) -> list[int]:
    """The marks in every block of neighbours. Blocks run on past the end to the start: all samples weigh the same."""
    around = [*marks, *marks[: length - 1]]
    running = sum(around[:length])
    sums = [running]
    for entering, leaving in zip(around[length:], around, strict=False):
        running += entering - leaving
        sums.append(running)
    return sums


def _spread(length: int, sums: Sequence[int]) -> float:
    """The variance of the mean that this block length gives, up to a factor that all lengths share."""
    middle = sum(sums) / len(sums)
    return sum((one - middle) ** 2 for one in sums) / len(sums) / length


# -- the incomplete beta function --------------------------------------------------------------------------------


def _solve(rising: Callable[[float], float]) -> float:
    """Where a function that rises from below to above zero on 0..1 crosses it, by halving."""
    low, high = 0.0, 1.0
    for _ in range(100):
        middle = (low + high) / 2
        low, high = (low, middle) if rising(middle) > 0 else (middle, high)
    return low


def _beta(x: float, a: float, b: float) -> float:
    """The regularised incomplete beta function I_x(a, b).

    Source: its continued fraction (DLMF 8.17.22), evaluated by Lentz's method; it converges quickly on this side of
    the mean only, so the other side is reached by symmetry.
    """
    if not 0 < x < 1:
        return 0.0 if x <= 0 else 1.0
    if x > (a + 1) / (a + b + 2):
        return 1 - _beta(1 - x, b, a)
    front = math.exp(math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log1p(-x))
    c, d = 1.0, 1 / _away_from_zero(1 - (a + b) * x / (a + 1))
    fraction = d
    for m in range(1, 1_000):
        even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        change = 1.0
        for step in (even, odd):
            d = 1 / _away_from_zero(1 + step * d)
            c = _away_from_zero(1 + step / c)
            change = c * d
            fraction *= change
        if abs(change - 1) < 1e-14:
            break
    return front * fraction / a


def _away_from_zero(value: float) -> float:
    return value if abs(value) > 1e-300 else 1e-300


# -- results -----------------------------------------------------------------------------------------------------


def _result(
    name: str,
    target: float,
    unit: str,
    measured: float | None,
    samples: int,
    *,
    bounds: tuple[float, float] | None = None,
    met: bool | None,
    note: str = "",
) -> SloResult:
    """A result that JSON can hold: what is infinite is said in words."""
    if measured is not None and math.isinf(measured):
        measured, note = None, "; ".join(filter(None, ("more than 5 % were never answered", note)))
    if bounds is not None and math.isinf(bounds[1]):
        bounds, note = None, note or "too many were never answered to give an upper bound"
    return SloResult(
        name=name, target=target, unit=unit, measured=measured, samples=samples, ci95=bounds, met=met, note=note
    )
