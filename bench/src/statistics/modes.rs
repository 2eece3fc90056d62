//! Whether a sample has several modes: two speeds instead of one.
//!
//! The dip is the distance from the sample's distribution to the nearest one
//! with a single mode (J. A. Hartigan and P. M. Hartigan, Annals of Statistics
//! 13, 1985). A sample is flagged where its dip is larger than that of 95% of
//! uniform samples of its size, the hardest case of a single mode; of samples
//! with a peak, normal or skewed, far fewer than 5% are flagged. What is
//! flagged has several modes; what is not flagged may have them too, if they
//! are near each other or the sample is small.

/// 95% of uniform samples of so many values have a dip of at most the second
/// number over the square root of the first. Of 200 000 samples each:
/// `cargo test --release --test modes -- --ignored --nocapture`.
pub const CRITICAL: [(usize, f64); 9] = [
    (10, 0.4414),
    (15, 0.4595),
    (20, 0.4701),
    (30, 0.4839),
    (50, 0.4966),
    (100, 0.5109),
    (200, 0.5206),
    (500, 0.5302),
    (1000, 0.5350),
];

/// Whether the values have more than one mode, at a level of 5%.
///
/// `None` for fewer than ten values, which cannot show it. Values are taken to
/// be measured finely: many that are equal count as a mode.
pub fn several(values: &[f64]) -> Option<bool> {
    let critical = critical(values.len())?;
    Some(dip(values)? > critical)
}

/// The dip of some finite values, from 0 to 0.25; at least `1 / (2 n)`. `None`
/// of none.
pub fn dip(values: &[f64]) -> Option<f64> {
    let mut ordered = values.to_vec();
    ordered.sort_unstable_by(f64::total_cmp);
    let steps = Steps(&ordered);
    // Distances are counted in values, and doubled.
    let mut depth: f64 = 1.0;
    let (mut lo, mut hi) = (0, values.len().checked_sub(1)?);
    loop {
        // The mode lies in lo..=hi. Below it a distribution with one mode is
        // convex and above it concave: these are the nearest of those.
        let convex = steps.hull(lo, hi, |slope, next| slope >= next);
        let concave = steps.hull(lo, hi, |slope, next| slope <= next);
        let (gap, inner_lo, inner_hi) = steps.widest(&convex, &concave);
        if gap <= depth {
            break;
        }
        depth = depth
            .max(steps.above(&convex, inner_lo))
            .max(steps.below(&concave, inner_hi));
        if (inner_lo, inner_hi) == (lo, hi) {
            break;
        }
        (lo, hi) = (inner_lo, inner_hi);
    }
    Some(depth / (2 * values.len()) as f64)
}

/// The dip that 95% of uniform samples of `n` values do not exceed; between
/// the sizes in the table in proportion, beyond its end as there.
fn critical(n: usize) -> Option<f64> {
    let root = (n as f64).sqrt();
    let above = CRITICAL.iter().position(|(size, _)| *size >= n);
    let scaled = match above {
        None => CRITICAL[CRITICAL.len() - 1].1,
        Some(0) if n < CRITICAL[0].0 => return None,
        Some(0) => CRITICAL[0].1,
        Some(at) => {
            let (small, low) = CRITICAL[at - 1];
            let (large, high) = CRITICAL[at];
            low + (high - low) * (n - small) as f64 / (large - small) as f64
        }
    };
    Some(scaled / root)
}

/// The sample's distribution, from its values in order: it steps from `at` to
/// `at + 1` at value number `at`.
struct Steps<'a>(&'a [f64]);

impl Steps<'_> {
    /// The corners, among values `lo` to `hi`, of the line that bends one way
    /// only. `drops` says by the slopes before and after a corner that it is
    /// none.
    fn hull(&self, lo: usize, hi: usize, drops: impl Fn(f64, f64) -> bool) -> Vec<usize> {
        let mut corners: Vec<usize> = vec![lo];
        for at in lo + 1..=hi {
            while let [.., before, last] = corners[..] {
                if !drops(self.slope(before, last), self.slope(last, at)) {
                    break;
                }
                corners.pop();
            }
            corners.push(at);
        }
        corners
    }

    /// Steps by unit from one value to a later one; infinite between equals.
    fn slope(&self, from: usize, to: usize) -> f64 {
        (to - from) as f64 / (self.0[to] - self.0[from])
    }

    /// Height at value `at` of the line through two corners around it.
    fn line(&self, from: usize, to: usize, at: usize) -> f64 {
        let run = self.0[to] - self.0[from];
        let share = if run > 0.0 {
            (self.0[at] - self.0[from]) / run
        } else {
            0.0
        };
        from as f64 + share * (to - from) as f64
    }

    /// Height at value `at` of the line with these corners.
    fn height(&self, corners: &[usize], at: usize) -> f64 {
        let after = corners.partition_point(|corner| *corner < at);
        if corners[after] == at {
            return at as f64;
        }
        self.line(corners[after - 1], corners[after], at)
    }

    /// How far the two lines lie apart where they do most, and the corners of
    /// the convex and of the concave one that enclose that place.
    fn widest(&self, convex: &[usize], concave: &[usize]) -> (f64, usize, usize) {
        let at_convex = convex.iter().map(|corner| {
            let gap = self.height(concave, *corner) - *corner as f64 + 1.0;
            let next = concave.partition_point(|other| other < corner);
            (gap, *corner, concave[next])
        });
        let at_concave = concave.iter().map(|corner| {
            let gap = *corner as f64 - self.height(convex, *corner) + 1.0;
            let next = convex.partition_point(|other| other <= corner);
            (gap, convex[next - 1], *corner)
        });
        at_convex
            .chain(at_concave)
            .fold((0.0, convex[0], convex[0]), |widest, other| {
                if other.0 > widest.0 {
                    other
                } else {
                    widest
                }
            })
    }

    /// The most by which the steps rise above the convex line, up to the corner
    /// `end`.
    fn above(&self, convex: &[usize], end: usize) -> f64 {
        self.farthest(
            convex.windows(2).filter(|pair| pair[1] <= end),
            |line, at| at as f64 - line,
        )
    }

    /// The most by which the steps stay below the concave line, from the corner
    /// `start` on.
    fn below(&self, concave: &[usize], start: usize) -> f64 {
        self.farthest(
            concave.windows(2).filter(|pair| pair[0] >= start),
            |line, at| line - at as f64,
        )
    }

    fn farthest<'b>(
        &self,
        pieces: impl Iterator<Item = &'b [usize]>,
        distance: impl Fn(f64, usize) -> f64,
    ) -> f64 {
        pieces
            .flat_map(|pair| (pair[0]..=pair[1]).map(|at| (self.line(pair[0], pair[1], at), at)))
            .map(|(line, at)| distance(line, at) + 1.0)
            .fold(0.0, f64::max)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn evenly_spaced_values_dip_as_little_as_their_number_allows() {
        for n in [1, 2, 3, 10, 99] {
            let values: Vec<f64> = (0..n).map(f64::from).collect();
            assert_eq!(dip(&values), Some(0.5 / f64::from(n)));
        }
        assert_eq!(dip(&[]), None);
    }

    #[test]
    fn two_piles_dip_by_a_quarter() {
        let values = [vec![0.0; 20], vec![1.0; 20]].concat();
        assert_eq!(dip(&values), Some(0.25));
        assert_eq!(several(&values), Some(true));
    }

    #[test]
    fn one_pile_has_one_mode() {
        assert_eq!(several(&[7.0; 40]), Some(false));
    }

    #[test]
    fn nine_values_show_nothing() {
        assert_eq!(several(&[0.0; 9]), None);
    }
}
