#!/usr/bin/env python3
"""Reference values for bench/tests/reference.rs, worked out with SciPy.

The values in `statistics.json` beside this file are invented numbers, not
measurements. To make that file again, in a virtual environment:

    python3 -m venv /tmp/reference
    /tmp/reference/bin/pip install scipy statsmodels diptest
    /tmp/reference/bin/python bench/tests/reference/statistics.py \
        > bench/tests/reference/statistics.json

Every figure comes from SciPy's own functions where there is one:
`ttest_ind(equal_var=False)` for Welch, `ttest_1samp` for t intervals and for
the two one-sided tests, `t.ppf` for quantiles, `wilcoxon(method="exact")` for
the Hodges-Lehmann interval, `binomtest` and `binom` for counts; adjusted p
values are statsmodels' `multipletests`. Bootstrap intervals are SciPy's
`bootstrap` with draws that are written down, autocovariances statsmodels'
`acovf`, mean squares its `anova_lm`, powers its `TTestPower`, and where they
are inverted SciPy's `nct` under `brentq`. Dips and their p values are the package diptest's, whose critical values
are those of R's package of that name.
"""

import json
import sys

import diptest
import numpy
import pandas
import scipy
from diptest.consts import Consts
from scipy import stats
from scipy.optimize import brentq
from statsmodels.formula.api import ols
from statsmodels.stats.anova import anova_lm
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.power import TTestPower
from statsmodels.tsa.stattools import acovf

rng = numpy.random.default_rng(20250101)


def quantiles():
    for level in (0.90, 0.95, 0.99):
        for dof in (1, 2, 3, 3.7, 9, 17.25, 39, 78, 1000):
            yield {
                "level": level,
                "dof": dof,
                "factor": stats.t.ppf(0.5 + level / 2, dof),
            }


def intervals():
    for n in (2, 3, 4, 10, 40, 400):
        values = rng.normal(50_000, 700, n).tolist()
        for level in (0.90, 0.95):
            ends = stats.ttest_1samp(values, 0).confidence_interval(level)
            yield {
                "values": values,
                "level": level,
                "mean": numpy.mean(values),
                "sd": numpy.std(values, ddof=1),
                "error": stats.sem(values),
                "interval": [ends.low, ends.high],
            }


def welch():
    shapes = [
        (2, 2, 1.0, 1.0),
        (4, 3, 1.0, 5.0),
        (8, 8, 1.0, 1.0),
        (10, 40, 3.0, 0.5),
        (40, 40, 1.0, 2.0),
    ]
    for n, m, sd, other in shapes:
        first = rng.normal(101, sd, n).tolist()
        second = rng.normal(100, other, m).tolist()
        test = stats.ttest_ind(first, second, equal_var=False)
        ends = test.confidence_interval(0.95)
        yield {
            "first": first,
            "second": second,
            "difference": numpy.mean(first) - numpy.mean(second),
            "error": (numpy.mean(first) - numpy.mean(second)) / test.statistic,
            "dof": test.df,
            "p": test.pvalue,
            "interval": [ends.low, ends.high],
        }


def headlines():
    shapes = [
        # boots, blocks, effect, deviation of boots, of blocks, margin
        (2, 4, 0.00, 0.001, 0.001, 0.01),
        (4, 2, 0.00, 0.002, 0.002, 0.01),
        (10, 4, 0.00, 0.003, 0.004, 0.01),
        (10, 4, 0.004, 0.001, 0.002, 0.01),
        (10, 4, 0.03, 0.01, 0.01, 0.01),
        (10, 4, -0.20, 0.01, 0.01, 0.01),
        (10, 4, 0.00, 0.02, 0.01, 0.01),
        (40, 1, -0.02, 0.02, 0.01, 0.05),
        (6, 3, 0.009, 0.001, 0.001, 0.01),
    ]
    for boots, blocks, effect, by_boot, by_block, margin in shapes:
        runs = []
        for _ in range(boots):
            level = 50_000 * numpy.exp(rng.normal(0, 0.05))
            shift = effect + rng.normal(0, by_boot)
            runs.append(
                {
                    "first": (
                        level * numpy.exp(shift + rng.normal(0, by_block, blocks))
                    ).tolist(),
                    "second": (level * numpy.exp(rng.normal(0, by_block, blocks))).tolist(),
                }
            )
        logs = [numpy.log(numpy.mean(r["first"]) / numpy.mean(r["second"])) for r in runs]
        test = stats.ttest_1samp(logs, 0)
        ci95 = test.confidence_interval(0.95)
        ci90 = test.confidence_interval(0.90)
        bound = numpy.log1p(margin)
        above = stats.ttest_1samp(logs, -bound, alternative="greater").pvalue
        below = stats.ttest_1samp(logs, bound, alternative="less").pvalue
        yield {
            "boots": runs,
            "margin": margin,
            "mean": numpy.expm1(numpy.mean(logs)),
            "ci95": numpy.expm1([ci95.low, ci95.high]).tolist(),
            "ci90": numpy.expm1([ci90.low, ci90.high]).tolist(),
            "p": test.pvalue,
            "differs": bool(test.pvalue < 0.05),
            "equivalent": bool(max(above, below) < 0.05),
        }


def hodges_lehmann():
    """The interval by searching for the centres that the test rejects."""
    shapes = [(6, 0.95), (7, 0.90), (10, 0.95), (10, 0.90), (15, 0.95), (40, 0.99), (100, 0.95)]
    for n, level in shapes:
        values = rng.standard_t(3, n) * 0.01 + 0.02
        above, below = numpy.triu_indices(n)
        walsh = numpy.sort((values[above] + values[below]) / 2)
        between = numpy.concatenate(
            ([walsh[0] - 1], (walsh[1:] + walsh[:-1]) / 2, [walsh[-1] + 1])
        )

        def kept(at):
            test = stats.wilcoxon(values - between[at], method="exact")
            return test.pvalue > 1 - level

        # `between[at]` lies below `walsh[at]`; the p value rises to the middle.
        outside, inside = 0, len(walsh) // 2
        while inside - outside > 1:
            at = (outside + inside) // 2
            outside, inside = (outside, at) if kept(at) else (at, inside)
        lo = walsh[inside - 1]
        outside, inside = len(walsh), len(walsh) // 2
        while outside - inside > 1:
            at = (outside + inside) // 2
            outside, inside = (outside, at) if kept(at) else (at, inside)
        yield {
            "values": values.tolist(),
            "level": level,
            "estimate": numpy.median(walsh),
            "interval": [lo, walsh[inside]],
        }


def p_values():
    for n, mean in ((2, 0.0), (3, 0.01), (4, 0.1), (10, 0.005), (10, 0.05), (40, -0.003), (100, 0.1)):
        values = rng.normal(mean, 0.01, n).tolist()
        yield {"values": values, "p": stats.ttest_1samp(values, 0).pvalue}


def many():
    for m in (1, 2, 5, 16, 120):
        p = numpy.round(rng.uniform(0, 1, m) ** 3, 6)
        yield {
            "p": p.tolist(),
            "holm": multipletests(p, method="holm")[1].tolist(),
            "benjamini_hochberg": multipletests(p, method="fdr_bh")[1].tolist(),
        }


def rates():
    for hits, n in ((0, 1), (0, 60), (1, 2), (3, 60), (5, 100), (60, 60), (49, 1000), (261, 5000)):
        for level in (0.95, 0.99):
            ends = stats.binomtest(hits, n).proportion_ci(level, method="exact")
            yield {"hits": hits, "n": n, "level": level, "interval": [ends.low, ends.high]}


def counts():
    for n in (0, 1, 10, 16, 60, 100, 400, 1000, 2000, 5000, 20000):
        yield {
            "n": n,
            "rate": 0.05,
            "lo": int(stats.binom.ppf(0.025, n, 0.05)),
            "hi": int(stats.binom.isf(0.025, n, 0.05)),
        }


class Drawn(numpy.random.Generator):
    """A generator that keeps the draws it made."""

    def integers(self, *args, **kwargs):
        self.drawn = super().integers(*args, **kwargs)
        return self.drawn


def bootstraps():
    """Boots are counted from 0 to 9, so that a draw is a word of digits."""
    for n, level in ((4, 0.95), (6, 0.90), (10, 0.95), (10, 0.90)):
        # Sums of such values are exact, in whichever order.
        values = numpy.round(rng.gamma(1.5, 0.02, n) * 2**20) / 2**20
        ends = {}
        for kind in ("percentile", "BCa"):
            source = Drawn(numpy.random.PCG64(n))
            found = stats.bootstrap(
                (values,),
                numpy.mean,
                n_resamples=150,
                confidence_level=level,
                method=kind,
                rng=source,
            )
            ends[kind] = list(found.confidence_interval)
        yield {
            "values": values.tolist(),
            "draws": ["".join(map(str, draw)) for draw in source.drawn],
            "level": level,
            "percentile": ends["percentile"],
            "accelerated": ends["BCa"],
        }


def series():
    for n, follow in ((3, 0.0), (8, 0.5), (40, 0.0), (40, 0.8), (41, 0.9), (60, -0.5), (400, 0.7)):
        values = [rng.normal()]
        while len(values) < n:
            values.append(follow * values[-1] + rng.normal())
        covariances = acovf(values, adjusted=False, fft=False)
        # Geyer's sum, to the first pair that is not positive.
        variance = -covariances[0]
        for even, odd in zip(covariances[::2], covariances[1::2]):
            if even + odd <= 0:
                break
            variance += 2 * (even + odd)
        size = n * covariances[0] / variance if variance > 0 else n
        yield {
            "values": values,
            "lag_one": covariances[1] / covariances[0],
            "effective_size": min(max(size, 1), n),
        }


def components():
    for sizes in ((4, 4), (4,) * 10, (4, 3, 4, 2, 1, 4), (1, 7, 2), (2,) * 40):
        for by_boot in (0.0, 0.01):
            boots = [
                (rng.normal(0, by_boot) + rng.normal(0, 0.008, size)).tolist() for size in sizes
            ]
            table = pandas.DataFrame(
                [(boot, ratio) for boot, blocks in enumerate(boots) for ratio in blocks],
                columns=["boot", "ratio"],
            )
            between, within = anova_lm(ols("ratio ~ C(boot)", table).fit())["mean_sq"]
            unequal = sum(size**2 for size in sizes) / sum(sizes)
            blocks = (sum(sizes) - unequal) / (len(sizes) - 1)
            yield {
                "boots": boots,
                "by_boot": max((between - within) / blocks, 0),
                "by_block": within,
            }


def boots_for_width():
    """The half width of the next smaller number of boots is too large."""
    for by_boot, by_block, blocks, wanted in (
        (1e-4, 1e-4, 4, 0.01),
        (1e-4, 4e-4, 4, 0.002),
        (0.0, 1e-4, 1, 0.02),
        (9e-6, 1e-6, 8, 0.001),
    ):
        sd = numpy.sqrt(by_boot + by_block / blocks)

        def half(boots):
            return stats.t.ppf(0.975, boots - 1) * sd / numpy.sqrt(boots)

        def needed(half_width):
            return next(boots for boots in range(2, 10_000) if half(boots) <= half_width)

        boots = needed(wanted)
        yield {
            "by_boot": by_boot,
            "by_block": by_block,
            "blocks": blocks,
            "half_width": wanted,
            "boots": boots,
            "sd": sd,
            "reached": half(boots),
            "boots_to_halve": needed(half(boots) / 2),
        }


def powers():
    for effect in (0.002, 0.02, -0.05):
        for sd in (0.005, 0.01, 0.03):
            for boots in (2, 3, 4, 10, 40, 400):
                size = numpy.log1p(effect) / sd
                power = TTestPower().power(size, boots, 0.05, alternative="two-sided")
                # It has none for some large shifts.
                if numpy.isfinite(power):
                    yield {"effect": effect, "sd": sd, "boots": boots, "power": power}


def shown(effect, sd, boots):
    """The chance that a positive effect is shown."""
    shift = numpy.log1p(effect) / sd * numpy.sqrt(boots)
    end = stats.t.ppf(0.975, boots - 1)
    # SciPy has no value for a chance below the lower end that is next to none.
    below = numpy.nan_to_num(stats.nct.cdf(-end, boots - 1, shift))
    return stats.nct.sf(end, boots - 1, shift) + below


def effects():
    for sd in (0.003, 0.01, 0.03):
        for boots in (3, 4, 10, 40):
            # Three times what the interval reaches: no run misses that.
            most = 3 * stats.t.ppf(0.975, boots - 1) * sd / numpy.sqrt(boots)
            for wanted in (0.5, 0.9):
                yield {
                    "sd": sd,
                    "boots": boots,
                    "power": wanted,
                    "effect": brentq(
                        lambda effect: shown(effect, sd, boots) - wanted,
                        1e-6,
                        numpy.expm1(most),
                        xtol=1e-15,
                        rtol=1e-14,
                    ),
                }


def boots_for_power():
    for effect, sd in ((0.02, 0.005), (0.02, 0.0125), (0.02, 0.03), (0.005, 0.01), (0.05, 0.11)):

        def needed(wanted):
            return next(n for n in range(2, 10_000) if shown(effect, sd, n) >= wanted)

        yield {"effect": effect, "sd": sd, "boots": needed(0.9), "planned": needed(0.93)}


def looks():
    for at in ((10,), tuple(range(2, 11)), (5, 10, 20), tuple(range(4, 41, 4))):
        z = stats.norm.isf(0.025)
        spent = 0.0
        for boots in at:
            so_far = 2 * stats.norm.sf(z / numpy.sqrt(boots / at[-1]))
            share, spent = so_far - spent, so_far
            values = rng.normal(0.01, 0.01, boots)
            ends = stats.ttest_1samp(values, 0).confidence_interval(1 - share)
            yield {
                "looks": at,
                "values": values.tolist(),
                "share": share,
                # Too small a share shows nothing.
                "interval": [ends.low, ends.high] if share > 1e-7 else None,
            }


def dips():
    for n in (4, 5, 10, 11, 40, 41, 100):
        for values in (
            rng.normal(size=n),
            rng.uniform(size=n),
            rng.exponential(size=n),
            numpy.append(rng.normal(size=n // 2), rng.normal(5, 1, n - n // 2)),
            numpy.round(rng.normal(size=n), 1),
            numpy.round(rng.normal(size=n)),
        ):
            values = numpy.round(values, 4)
            found, p = diptest.diptest(values)
            yield {"values": values.tolist(), "dip": found, "p": p}


def critical_dips():
    at = list(Consts._ALPHA).index(0.95)
    for n, values in zip(Consts._SAMPLE_SIZE, Consts._CRIT_VALS):
        if 10 <= n <= 1000:
            yield {"n": int(n), "dip": values[at]}


def relative(logs):
    """Mean and intervals of log ratios, as relative changes."""
    test = stats.ttest_1samp(logs, 0)
    return {
        "mean": numpy.expm1(numpy.mean(logs)),
        "ci95": numpy.expm1(list(test.confidence_interval(0.95))).tolist(),
        "ci90": numpy.expm1(list(test.confidence_interval(0.90))).tolist(),
    }


def changes():
    """Of two runs, by the log ratios of their boots."""
    for before, after, sd, other, change in (
        (10, 10, 0.01, 0.01, 0.02),
        (10, 4, 0.05, 0.005, 0.0),
        (2, 3, 0.002, 0.01, -0.3),
        (40, 7, 0.01, 0.04, 0.01),
    ):
        old = rng.normal(0.03, sd, before)
        new = rng.normal(0.03 + change, other, after)
        test = stats.ttest_ind(new, old, equal_var=False)
        yield {
            "before": old.tolist(),
            "after": new.tolist(),
            "mean": numpy.expm1(numpy.mean(new) - numpy.mean(old)),
            "ci95": numpy.expm1(list(test.confidence_interval(0.95))).tolist(),
            "ci90": numpy.expm1(list(test.confidence_interval(0.90))).tolist(),
            "p": test.pvalue,
        }


def runs():
    """Of all samples of a case in ring 3: by subject, boot and block."""
    for boots, blocks, jobs in ((2, 3, 1), (6, 4, 2), (10, 5, 4)):
        nanoseconds = {"rust": 23.0, "c": 24.0, "empty": 9.0}
        samples = {
            name: jobs * 1e9 / (ns * numpy.exp(rng.normal(0, 0.02, (boots, blocks))))
            for name, ns in nanoseconds.items()
        }
        rust, c, empty = samples["rust"], samples["c"], samples["empty"]
        classical = stats.ttest_ind(rust.ravel(), c.ravel(), equal_var=False)
        difference = list(classical.confidence_interval(0.95))
        logs = numpy.log(rust / c)
        costs = [
            numpy.median(jobs * 1e9 / of - jobs * 1e9 / empty, axis=1) for of in (rust, c)
        ]
        yield {
            "jobs": jobs,
            "samples": {name: each.tolist() for name, each in samples.items()},
            "difference": numpy.mean(rust) - numpy.mean(c),
            "difference_ci95": difference,
            "relative": (numpy.mean(rust) - numpy.mean(c)) / numpy.mean(c),
            "relative_ci95": [end / numpy.mean(c) for end in difference],
            "iops": relative(numpy.log(rust.mean(axis=1) / c.mean(axis=1))),
            "cost": relative(numpy.log(costs[0] / costs[1])),
            "first_block": relative(logs[:, 0] - logs[:, 1:].mean(axis=1)),
        }


json.dump(
    {
        "scipy": scipy.__version__,
        "quantiles": list(quantiles()),
        "intervals": list(intervals()),
        "welch": list(welch()),
        "headlines": list(headlines()),
        "hodges_lehmann": list(hodges_lehmann()),
        "p_values": list(p_values()),
        "many": list(many()),
        "rates": list(rates()),
        "counts": list(counts()),
        "bootstraps": list(bootstraps()),
        "series": list(series()),
        "components": list(components()),
        "boots_for_width": list(boots_for_width()),
        "powers": list(powers()),
        "looks": list(looks()),
        "dips": list(dips()),
        "critical_dips": list(critical_dips()),
        "effects": list(effects()),
        "boots_for_power": list(boots_for_power()),
        "changes": list(changes()),
        "runs": list(runs()),
    },
    sys.stdout,
    allow_nan=False,
    indent=1,
)
print()
