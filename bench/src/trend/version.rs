//! Which of two kernels is the older one.

use std::cmp::Ordering;

/// The release of a kernel, ordered as kernels follow each other: `7.4-rc2`,
/// `7.4`, `7.4.1`, `7.10`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Version {
    /// Without zeros at the end.
    numbers: Vec<u64>,
    /// Of a release candidate.
    candidate: Option<u64>,
    /// All of it, for what is equal else.
    text: String,
}

impl Version {
    /// Of a text; what is no number counts as none.
    pub fn of(text: &str) -> Version {
        let end = text.find(|c: char| c != '.' && !c.is_ascii_digit());
        let (digits, rest) = text.split_at(end.unwrap_or(text.len()));
        let mut numbers: Vec<u64> = digits
            .split('.')
            .map(|number| number.parse().unwrap_or(0))
            .collect();
        while numbers.last() == Some(&0) {
            numbers.pop();
        }
        let candidate = rest.strip_prefix("-rc").or(rest.strip_prefix("~rc"));
        let candidate = candidate.map(|rest| {
            let end = rest.find(|c: char| !c.is_ascii_digit());
            rest[..end.unwrap_or(rest.len())].parse().unwrap_or(0)
        });
        Version {
            numbers,
            candidate,
            text: text.into(),
        }
    }

    fn key(&self) -> (&[u64], u64, &str) {
        let candidate = self.candidate.unwrap_or(u64::MAX);
        (&self.numbers, candidate, &self.text)
    }
}

impl Ord for Version {
    fn cmp(&self, other: &Version) -> Ordering {
        self.key().cmp(&other.key())
    }
}

impl PartialOrd for Version {
    fn partial_cmp(&self, other: &Version) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kernels_follow_each_other_by_number_and_candidates_come_before_them() {
        let order = [
            "odd",
            "6.18.44-fc-v595",
            "7.2.1+deb13-amd64",
            "7.3.4+deb13-amd64",
            "7.4-rc2",
            "7.4.0-rc10",
            "7.4.0+deb13-amd64",
            "7.4.1",
            "7.10.0",
        ];
        for pair in order.windows(2) {
            assert!(Version::of(pair[0]) < Version::of(pair[1]), "{pair:?}");
        }
        assert_eq!(Version::of("7.4"), Version::of("7.4"));
    }
}
