//! What others published of the same drivers: shown beside a run for who wants
//! to compare, and never part of a verdict.

use serde::Deserialize;

use super::plot::percent_tick;
use super::Section;

/// One result of somebody else's, as `published.json` has it.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Published {
    /// Of which driver.
    pub driver: String,
    /// Of which kernel or year.
    pub version: String,
    /// Who measured it.
    pub who: String,
    /// Where it was published.
    pub place: String,
    /// What was measured, and how.
    pub measured: String,
    /// The metric in this project's words; `None` where that is not known.
    pub metric: Option<String>,
    /// The least and the largest relative change of Rust against C over cases,
    /// as fractions of C.
    pub range: Option<[f64; 2]>,
    /// The median over the same cases.
    pub median: Option<f64>,
    /// A lone number, in the same way.
    pub value: Option<f64>,
    /// The result in words, where it has no number, or needs some.
    pub said: Option<String>,
    /// What is known to be wrong with it.
    pub doubt: String,
}

/// Everything that ships with the program.
pub fn all() -> Vec<Published> {
    serde_json::from_str(include_str!("published.json")).expect("a test reads it")
}

impl Published {
    /// Every number of it.
    pub fn marks(&self) -> Vec<f64> {
        let range = self.range.into_iter().flatten();
        range.chain(self.median).chain(self.value).collect()
    }

    /// The result in figures: `-4.7 to +14.9%, median +1.3%`; without any, in
    /// words.
    pub fn figures(&self) -> String {
        let range = self
            .range
            .map(|[lo, hi]| [percent_tick(lo), percent_tick(hi)])
            .map(|[lo, hi]| format!("{} to {hi}", lo.trim_end_matches('%')));
        let median = self
            .median
            .map(|median| format!("median {}", percent_tick(median)));
        let parts: Vec<String> = range
            .into_iter()
            .chain(median)
            .chain(self.value.map(percent_tick))
            .collect();
        match parts.is_empty() {
            true => self.said.clone().unwrap_or_default(),
            false => parts.join(", "),
        }
    }

    /// A row of a Markdown table: what, result, what was measured, source,
    /// doubts.
    #[cfg(test)]
    fn line(&self) -> String {
        let said = self.said.as_ref().filter(|said| **said != self.figures());
        let said = said.map_or(String::new(), |said| format!(": {said}"));
        format!(
            "| {}, {} | {}{said} | {} | {}, {} | {} |",
            self.driver,
            self.version,
            self.figures(),
            self.measured,
            self.who,
            self.place,
            self.doubt
        )
    }

    /// Whether it may be drawn beside the changes of a section: it has a
    /// number, and is of the same driver and metric, of a kernel's drivers as
    /// all that is published, and of Rust against C.
    fn fits(&self, section: &Section<'_>, other: &str) -> bool {
        let same = section.driver == self.driver && self.metric.as_deref() == Some(section.metric);
        let pair = (section.pair().0, other);
        same && section.ring == 0 && pair == ("rust", "c") && !self.marks().is_empty()
    }
}

/// Those of `published` that are drawn beside a section's changes against
/// `other`.
pub fn beside<'a>(
    published: &'a [Published],
    section: &Section<'_>,
    other: &str,
) -> Vec<&'a Published> {
    let all = published.iter();
    all.filter(|one| one.fits(section, other)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_result_says_where_it_is_from_and_what_is_wrong_with_it() {
        let all = all();
        assert!(all.len() > 5);
        for one in &all {
            for text in [
                &one.version,
                &one.who,
                &one.place,
                &one.measured,
                &one.doubt,
            ] {
                assert!(!text.trim().is_empty(), "{one:?}");
            }
            assert!(!one.figures().is_empty(), "{one:?}");
            if let Some([lo, hi]) = one.range {
                assert!(lo < hi, "{one:?}");
                assert!(one.median.is_none_or(|median| lo < median && median < hi));
                assert!(one.value.is_none(), "a range or a number: {one:?}");
            }
        }
    }

    #[test]
    fn the_page_on_them_has_them_all() {
        let page = concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/../docs/runs/published/README.md"
        );
        let page = std::fs::read_to_string(page).expect("a page");
        for one in all() {
            let line = one.line();
            assert!(page.contains(&line), "docs/runs/published lacks: {line}");
        }
    }

    #[test]
    fn figures_are_those_that_were_published() {
        let all = all();
        let of = |driver: &str| -> Vec<String> {
            let own = all.iter().filter(|one| one.driver == driver);
            own.map(Published::figures).collect()
        };
        assert_eq!(of("nullblk")[0], "-4.7 to +14.9%, median +1.3%");
        assert_eq!(of("nvme")[0], "-2.7 to +2.7%");
        assert_eq!(of("binder"), ["+10%", "-1.96 to +1.38%"]);
        assert_eq!(of("e1000"), ["+1000%"]);
    }
}
