//! What makes a difference in time: instructions, events, or neither.
//!
//! An operation takes `T` ns of a job's time and executes `I` instructions. The
//! model is `T = p I + Σ q E`: every instruction has the same price `p`, and
//! events `E` beyond those that the instruction count contains have a price `q`
//! of their own. `q` is the slope of time over events within boots
//! (`prices`); `p` is what is left of the second subject's time, an
//! instruction. What the first subject takes beyond that is left over.

mod counted;
mod prices;

use std::collections::{BTreeMap, HashMap};

use anyhow::{bail, Result};
use serde::{Deserialize, Serialize};

use super::{CaseSummary, Estimate, Summary, IOPS};
use crate::case::{Case, CaseKey};
use crate::folder::Recording;
use crate::sample::Sample;
use crate::statistics::interval::{of_sum, Part};
use crate::statistics::moments::Moments;
use crate::statistics::verdict::Verdict;
use counted::Counted;
use prices::Prices;

/// Kinds of events, as a sample's `extra` names them: numbers an operation.
pub const EVENTS: [&str; 6] = [
    "interrupts",
    "timer_interrupts",
    "ipis",
    "softirqs",
    "context_switches",
    "doorbells",
];

/// The name of instructions among what explains.
pub const INSTRUCTIONS: &str = "instructions";

/// A load that is off its processor for more of its time than this waits: then
/// instructions that others execute meanwhile are counted too, and a mean
/// price says nothing.
const WAITS: f64 = 0.05;

/// The level of all intervals here.
const LEVEL: f64 = 0.95;

/// Where the difference in time of a case's first two subjects comes from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Attribution {
    /// The difference in ns of a job's time an operation, the first less the
    /// second, over boots.
    pub difference: Estimate,
    /// Instructions an operation; `None` where no count was joined.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instructions: Option<Instructions>,
    /// Events an operation by kind, of [`EVENTS`] that every sample tells.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub events: BTreeMap<String, Event>,
    /// The part of `difference` that neither makes; `None` where instructions
    /// have no price.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub left_over: Option<Estimate>,
    /// What that says.
    pub finding: Finding,
    /// What makes the difference, largest part first: of [`INSTRUCTIONS`] and
    /// [`EVENTS`] those whose part is shown to be there.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub by: Vec<String>,
    /// What a reader must know besides, a sentence each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
}

/// Instructions of an operation, from a run that counted them.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Instructions {
    /// Those of the first subject.
    pub first: f64,
    /// Those of the second.
    pub second: f64,
    /// The first less the second, over the boots of the count.
    pub difference: Estimate,
    /// Nanoseconds that an instruction takes on average, the second subject's
    /// in this case; `None` where the load waited.
    pub price: Option<f64>,
    /// Nanoseconds of the difference that they make.
    pub part: Option<Estimate>,
}

/// Events of one kind an operation, from the samples of time.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// Those of the first subject.
    pub first: f64,
    /// Those of the second.
    pub second: f64,
    /// The first less the second, over boots.
    pub difference: Estimate,
    /// That of the boots in which instructions were counted: what these events
    /// execute is among the instructions. `None` where it is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub counted: Option<f64>,
    /// Nanoseconds that one more takes; `None` where samples do not tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub price: Option<Estimate>,
    /// Nanoseconds of the difference that those make which the count does not
    /// contain; `None` without a price.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub part: Option<Estimate>,
}

/// What an attribution says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Finding {
    /// Instructions have no price here: nothing was counted, the load waited, or
    /// one boot gives no interval.
    NotToldApart,
    /// No difference is shown, and none is to be explained.
    NoDifference,
    /// What is left over may be nothing, and is less than half of the
    /// difference.
    Explained,
    /// There is more than what [`Attribution::by`] names makes.
    More,
    /// There is less than what [`Attribution::by`] names would make.
    Less,
    /// What is left over may be nothing or most of the difference.
    Unclear,
}

/// Tells events apart in every case that has them; without a count,
/// instructions have no part.
pub(super) fn add(cases: &mut [CaseSummary], recording: &Recording) {
    let samples = by_case(recording);
    for entry in cases {
        entry.attribution = of(entry, recording, &samples, Err(None));
    }
}

/// The samples of a run by case.
type ByCase<'a> = HashMap<&'a CaseKey, Vec<&'a Sample>>;

fn by_case(recording: &Recording) -> ByCase<'_> {
    let mut samples = ByCase::new();
    for sample in &recording.samples {
        samples.entry(&sample.key).or_default().push(sample);
    }
    samples
}

/// Joins the instructions that another run counted to the times of this one.
///
/// # Errors
/// One line: which of the two runs is not what it should be, what of kernel,
/// build or settings differs, or why no case could be joined.
pub fn join(summary: &mut Summary, recording: &Recording, counts: &Recording) -> Result<()> {
    let notes = counted::agree(recording, counts)?;
    let samples = by_case(recording);
    let mut refused = None;
    let mut joined = 0;
    for entry in &mut summary.cases {
        if entry.metric != IOPS {
            continue;
        }
        let counted = match counted::of(recording, counts, entry) {
            Ok(counted) => {
                joined += 1;
                Ok(counted)
            }
            Err(why) => {
                refused.get_or_insert(format!("{}: {why}", entry.key.case));
                Err(Some(why))
            }
        };
        entry.attribution = of(entry, recording, &samples, counted);
        if let Some(attribution) = &mut entry.attribution {
            attribution.notes.extend(notes.iter().cloned());
        }
    }
    match refused {
        Some(why) if joined == 0 => bail!(
            "{}: its counts fit no case of {}: {why}; count the same cases with the same settings",
            counts.path.display(),
            recording.path.display()
        ),
        _ => {
            summary.run.counts = Some(counts.path.display().to_string());
            Ok(())
        }
    }
}

/// The attribution of a case. `counted` may fail for a reason that is to be
/// told.
fn of(
    entry: &CaseSummary,
    recording: &Recording,
    samples: &ByCase<'_>,
    counted: Result<Counted, Option<String>>,
) -> Option<Attribution> {
    // Intervals here know nothing of looks.
    let apart = entry.metric == IOPS
        && entry.main.verdict != Verdict::NotComparable
        && recording.plan.target.is_none();
    let case = recording.plan.case(&entry.key).filter(|_| apart)?;
    let pair = pair(recording, case.ring)?;
    let times = Times::of(samples.get(&entry.key)?, case, pair)?;
    if times.kinds.is_empty() && !matches!(counted, Ok(_) | Err(Some(_))) {
        return None;
    }
    Some(attribute(&times, case, counted))
}

/// One sample of one subject.
#[derive(Clone)]
struct Timed {
    /// Nanoseconds of a job's time an operation.
    time: f64,
    /// The part of its time that the load was on its processor; `None` where it
    /// was not told.
    busy: Option<f64>,
    /// Events an operation, of [`Times::kinds`].
    events: Vec<f64>,
}

/// The times of the first two subjects in one case.
struct Times {
    /// Kinds of events that every sample tells.
    kinds: Vec<&'static str>,
    /// By boot, the pairs of its blocks in which both were sampled.
    boots: Vec<Vec<[Timed; 2]>>,
}

/// The first two subjects of a ring, as reports compare them.
fn pair(recording: &Recording, ring: u8) -> Option<[&str; 2]> {
    let subjects = recording.plan.subjects.get(&ring)?.iter();
    let mut compared = subjects
        .map(String::as_str)
        .filter(|subject| *subject != super::EMPTY);
    Some([compared.next()?, compared.next()?])
}

impl Times {
    fn of(all: &[&Sample], case: &Case, pair: [&str; 2]) -> Option<Times> {
        let mut samples = BTreeMap::new();
        for sample in all {
            let place = pair.iter().position(|subject| *subject == sample.subject);
            if let Some(place) = place.filter(|_| sample.value > 0.0) {
                samples.insert((sample.boot, sample.block, place), *sample);
            }
        }
        let kinds: Vec<&'static str> = EVENTS
            .into_iter()
            .filter(|kind| samples.values().all(|one| one.extra.contains_key(*kind)))
            .collect();
        let timed = |boot, block, place| {
            let sample = samples.get(&(boot, block, place))?;
            let part = |name| sample.extra.get(name).map(|percent| percent / 100.0);
            Some(Timed {
                time: 1e9 * f64::from(case.jobs()) / sample.value,
                busy: part("usr_cpu").zip(part("sys_cpu")).map(|(a, b)| a + b),
                events: kinds.iter().map(|kind| sample.extra[*kind]).collect(),
            })
        };
        let mut boots: BTreeMap<u32, Vec<[Timed; 2]>> = BTreeMap::new();
        for (boot, block, place) in samples.keys().copied() {
            if place == 0 {
                if let Some(both) = timed(boot, block, 0).zip(timed(boot, block, 1)) {
                    boots.entry(boot).or_default().push(both.into());
                }
            }
        }
        let boots: Vec<_> = boots.into_values().collect();
        (!boots.is_empty()).then_some(Times { kinds, boots })
    }

    /// What `f` makes of each boot's means.
    fn each(&self, f: impl Fn([&Mean; 2]) -> f64) -> Vec<f64> {
        let boots = self.boots.iter();
        boots
            .map(|blocks| {
                let [a, b] = [0, 1].map(|place| Mean::of(blocks, place, self.kinds.len()));
                f([&a, &b])
            })
            .collect()
    }

    /// The part of its time that a subject's load was off its processor, on
    /// average; `None` where some sample does not tell.
    fn waits(&self, place: usize) -> Option<f64> {
        let all = self.boots.iter().flatten();
        let busy: Option<Vec<f64>> = all.map(|both| both[place].busy).collect();
        Some(1.0 - Moments::of(&busy?)?.mean)
    }
}

/// Means of a subject over the blocks of a boot.
struct Mean {
    time: f64,
    events: Vec<f64>,
}

impl Mean {
    fn of(blocks: &[[Timed; 2]], place: usize, kinds: usize) -> Mean {
        let over = |value: &dyn Fn(&Timed) -> f64| {
            blocks.iter().map(|both| value(&both[place])).sum::<f64>() / blocks.len() as f64
        };
        Mean {
            time: over(&|timed| timed.time),
            events: (0..kinds)
                .map(|kind| over(&|timed| timed.events[kind]))
                .collect(),
        }
    }
}

/// A mean over boots and its interval; exact where none of `more` varies and
/// all boots agree.
fn estimate(each: &[f64], more: &[Part]) -> Option<Estimate> {
    let moments = Moments::of(each)?;
    let own = moments.variance_of_mean().map(|variance| Part {
        variance,
        dof: (moments.n - 1) as f64,
    });
    let ci95 = own.and_then(|own| of_sum(moments.mean, &[&[own], more].concat(), LEVEL));
    Some(Estimate {
        mean: moments.mean,
        ci95,
    })
}

fn mean_of(each: &[f64]) -> f64 {
    Moments::of(each).map_or(0.0, |moments| moments.mean)
}

fn attribute(times: &Times, case: &Case, counted: Result<Counted, Option<String>>) -> Attribution {
    let mut notes = Vec::new();
    let nothing = Estimate {
        mean: 0.0,
        ci95: None,
    };
    let difference = times.each(|[a, b]| a.time - b.time);
    let difference = estimate(&difference, &[]).unwrap_or(nothing);
    let events = |kind: usize| {
        let each = times.each(|[a, b]| a.events[kind] - b.events[kind]);
        Event {
            first: mean_of(&times.each(|[a, _]| a.events[kind])),
            second: mean_of(&times.each(|[_, b]| b.events[kind])),
            difference: estimate(&each, &[]).unwrap_or(nothing),
            counted: None,
            price: None,
            part: None,
        }
    };
    let mut told: Vec<Event> = (0..times.kinds.len()).map(events).collect();
    let mut instructions = None;
    let mut left_over = None;
    match counted {
        Err(why) => notes.extend(why.map(|why| format!("no instructions: {why}"))),
        Ok(counted) => {
            let waits = waits(times, case, &mut notes);
            if counted.boots == 1 {
                notes.push("instructions were counted in one boot and are taken as exact".into());
            }
            notes.extend(counted.unknown.clone());
            for (kind, event) in times.kinds.iter().zip(&mut told) {
                event.counted = counted.events(kind).map(|[first, second]| first - second);
            }
            let parts = Parts::of(times, &counted, waits);
            for (event, (price, part)) in told.iter_mut().zip(parts.events) {
                (event.price, event.part) = (price, part);
            }
            instructions = Some(Instructions {
                first: counted.first,
                second: counted.second,
                difference: counted.difference,
                price: parts.price,
                part: parts.instructions,
            });
            left_over = parts.left_over;
        }
    }
    let events: BTreeMap<String, Event> = times
        .kinds
        .iter()
        .map(|kind| kind.to_string())
        .zip(told)
        .collect();
    let mut by: Vec<(String, f64)> = Vec::new();
    let own = instructions.and_then(|all| all.part);
    let own = own.map(|part| (INSTRUCTIONS.to_string(), part));
    let others = events.iter();
    let others = others.filter_map(|(kind, event)| Some((kind.clone(), event.part?)));
    for (name, part) in own.into_iter().chain(others) {
        if part.ci95.is_some_and(|ends| !ends.contains(0.0)) {
            by.push((name, part.mean));
        }
    }
    by.sort_by(|a, b| b.1.abs().total_cmp(&a.1.abs()));
    Attribution {
        finding: finding(&difference, left_over.as_ref(), !by.is_empty()),
        difference,
        instructions,
        events,
        left_over,
        by: by.into_iter().map(|(name, _)| name).collect(),
        notes,
    }
}

/// Whether the load of either subject waits, so that there is no price; says
/// so.
fn waits(times: &Times, case: &Case, notes: &mut Vec<String>) -> bool {
    let most = times.waits(0).zip(times.waits(1)).map(|(a, b)| a.max(b));
    match most {
        Some(most) if most > WAITS => {
            notes.push(format!(
                "the load is off its processor for {:.0}% of its time, in which others execute \
                 instructions that are counted too: an instruction has no price",
                most * 100.0
            ));
            true
        }
        Some(_) => false,
        // The load of ring 3 never waits.
        None if case.ring == 3 => false,
        None => {
            notes.push("whether the load waits was not told: an instruction has no price".into());
            true
        }
    }
}

/// The parts of the difference.
struct Parts {
    /// Of an instruction.
    price: Option<f64>,
    instructions: Option<Estimate>,
    /// Price and part of each kind.
    events: Vec<(Option<Estimate>, Option<Estimate>)>,
    left_over: Option<Estimate>,
}

impl Parts {
    fn of(times: &Times, counted: &Counted, waits: bool) -> Parts {
        let kinds = times.kinds.len();
        // Events that the count does not contain, of each subject; those whose
        // number in the count is not known have no price, since their
        // instructions would count twice.
        let known: Vec<Option<[f64; 2]>> = times
            .kinds
            .iter()
            .map(|kind| counted.events(kind))
            .collect();
        let prices = Prices::of(&times.boots, kinds);
        let price = |kind: usize| known[kind].and(prices.of_kind(kind));
        let priced: Vec<usize> = (0..kinds).filter(|kind| price(*kind).is_some()).collect();
        let beyond = |mean: &Mean, place: usize, kind: usize| {
            mean.events[kind] - known[kind].map_or(0.0, |both| both[place])
        };
        let of_events = |mean: &Mean, place: usize| -> f64 {
            let all = priced.iter();
            all.map(|kind| price(*kind).unwrap_or(0.0) * beyond(mean, place, *kind))
                .sum()
        };
        // What `weights` of the prices adds to a variance.
        let of_prices = |weights: &dyn Fn([&Mean; 2], usize) -> f64| {
            let all: Vec<(usize, f64)> = priced
                .iter()
                .map(|kind| (*kind, mean_of(&times.each(|both| weights(both, *kind)))))
                .collect();
            prices.variance(&all)
        };
        let more = |both: [&Mean; 2], kind| beyond(both[0], 0, kind) - beyond(both[1], 1, kind);
        let events = (0..kinds)
            .map(|kind| {
                let Some(slope) = price(kind) else {
                    return (None, None);
                };
                let each = times.each(|both| slope * more(both, kind));
                let known = mean_of(&times.each(|both| more(both, kind)));
                let vary = prices.variance(&[(kind, known)]);
                let of_count = counted.part_of_events(times.kinds[kind], slope);
                let parts: Vec<Part> = vary.into_iter().chain(of_count).collect();
                (prices.estimate(kind), estimate(&each, &parts))
            })
            .collect();
        if waits {
            return Parts {
                price: None,
                instructions: None,
                events,
                left_over: None,
            };
        }
        // With R = I1 / I2: instructions make (R - 1) of the second's own time,
        // and T1 - R T2, both less their events, is left over.
        let ratio = counted.ratio;
        let own = times.each(|[_, b]| b.time - of_events(b, 1));
        let level = mean_of(&own);
        let of_ratio = counted.of_ratio(level);
        let instructions = {
            let each: Vec<f64> = own.iter().map(|own| own * (ratio - 1.0)).collect();
            let vary = of_prices(&|both, kind| (ratio - 1.0) * beyond(both[1], 1, kind));
            let parts: Vec<Part> = vary.into_iter().chain(of_ratio).collect();
            estimate(&each, &parts)
        };
        let left_over = {
            let each =
                times.each(|[a, b]| a.time - of_events(a, 0) - ratio * (b.time - of_events(b, 1)));
            let vary = of_prices(&|both, kind| {
                beyond(both[0], 0, kind) - ratio * beyond(both[1], 1, kind)
            });
            let of_counts = priced.iter().filter_map(|kind| {
                counted.part_of_events(times.kinds[*kind], price(*kind).unwrap_or(0.0))
            });
            let parts: Vec<Part> = vary.into_iter().chain(of_ratio).chain(of_counts).collect();
            estimate(&each, &parts)
        };
        Parts {
            price: Some(level / counted.second),
            instructions,
            events,
            left_over,
        }
    }
}

/// What the difference and what is left over of it say; `named` tells whether
/// there is anything that makes a part.
fn finding(difference: &Estimate, left_over: Option<&Estimate>, named: bool) -> Finding {
    let both = left_over.and_then(|left| Some((left, difference.ci95?, left.ci95?)));
    let Some((left, own, rest)) = both else {
        return Finding::NotToldApart;
    };
    let shown = !own.contains(0.0);
    match (shown, rest.contains(0.0)) {
        (false, true) => Finding::NoDifference,
        (true, true) if named && left.mean.abs() <= difference.mean.abs() / 2.0 => {
            Finding::Explained
        }
        (true, true) => Finding::Unclear,
        // Without a difference, what instructions and events would make is not
        // there.
        (false, false) => Finding::Less,
        (true, false) if (left.mean > 0.0) == (difference.mean > 0.0) => Finding::More,
        (true, false) => Finding::Less,
    }
}
