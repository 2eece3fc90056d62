#!/usr/bin/env python3
"""Reference values for bench/tests/reference.rs, worked out with SciPy.

The values in `statistics.json` beside this file are invented numbers, not
measurements. To make that file again, in a virtual environment:

    python3 -m venv /tmp/reference
    /tmp/reference/bin/pip install scipy statsmodels
    /tmp/reference/bin/python bench/tests/reference/statistics.py \
        > bench/tests/reference/statistics.json

Every figure comes from SciPy's own functions where there is one:
`ttest_ind(equal_var=False)` for Welch, `ttest_1samp` for t intervals and for
the two one-sided tests, `t.ppf` for quantiles, `wilcoxon(method="exact")` for
the Hodges-Lehmann interval, `binomtest` and `binom` for counts; adjusted p
values are statsmodels' `multipletests`.
"""

import json
import sys

import numpy
import scipy
from scipy import stats
from statsmodels.stats.multitest import multipletests

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
    },
    sys.stdout,
    indent=1,
)
print()
