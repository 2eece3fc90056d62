//! Least squares with several columns, within groups.
//!
//! Every group has a level of its own: values and columns are taken less their
//! group's means, so that slopes come from what varies within groups alone.

use super::interval::{t_factor, Interval};

/// A column whose square, less what the columns before it say, falls below
/// this share of it says nothing of its own.
const ALONG: f64 = 1e-9;

/// One observation.
#[derive(Clone, Debug, PartialEq)]
pub struct Observation {
    /// Its group.
    pub group: usize,
    /// The columns; every observation has as many.
    pub columns: Vec<f64>,
    /// What they are to account for.
    pub value: f64,
}

/// Slopes of the columns, and how well they are known.
#[derive(Clone, Debug, PartialEq)]
pub struct LeastSquares {
    /// Of each column; `None` for one that does not vary within groups, or
    /// only along with those before it.
    pub slopes: Vec<Option<f64>>,
    /// Covariance of the slopes; 0 where there is none.
    pub covariance: Vec<Vec<f64>>,
    /// Degrees of freedom: observations less groups and slopes.
    pub dof: f64,
}

impl LeastSquares {
    /// Of some observations; `None` if there are too few for what is left
    /// over, or no columns.
    pub fn within(observations: &[Observation]) -> Option<LeastSquares> {
        let columns = observations.first()?.columns.len();
        let rows = centred(observations, columns);
        // Columns of length one: then pivots are shares.
        let lengths: Vec<f64> = (0..columns)
            .map(|at| rows.iter().map(|row| row[at] * row[at]).sum::<f64>().sqrt())
            .collect();
        let scale = |at: usize| match lengths.get(at) {
            Some(length) if *length > 0.0 => *length,
            _ => 1.0,
        };
        // Sums of products of all columns, the value's last.
        let mut sums = vec![vec![0.0; columns + 1]; columns + 1];
        for row in &rows {
            for (i, a) in row.iter().enumerate() {
                for (j, b) in row.iter().enumerate() {
                    sums[i][j] += a * b / (scale(i) * scale(j));
                }
            }
        }
        let mut kept = vec![false; columns];
        for at in 0..columns {
            kept[at] = sums[at][at] > ALONG;
            if kept[at] {
                sweep(&mut sums, at);
            }
        }
        let groups: std::collections::BTreeSet<usize> =
            observations.iter().map(|one| one.group).collect();
        let slopes = kept.iter().filter(|kept| **kept).count();
        let dof = observations.len() as f64 - groups.len() as f64 - slopes as f64;
        if columns == 0 || dof < 1.0 {
            return None;
        }
        let variance = sums[columns][columns].max(0.0) / dof;
        let both = |i: usize, j: usize| kept[i] && kept[j];
        Some(LeastSquares {
            slopes: (0..columns)
                .map(|at| kept[at].then(|| sums[at][columns] / scale(at)))
                .collect(),
            covariance: (0..columns)
                .map(|i| {
                    let one = |j| match both(i, j) {
                        true => variance * sums[i][j] / (scale(i) * scale(j)),
                        false => 0.0,
                    };
                    (0..columns).map(one).collect()
                })
                .collect(),
            dof,
        })
    }

    /// The interval of a slope, if it has one.
    pub fn interval(&self, column: usize, level: f64) -> Option<Interval> {
        let slope = (*self.slopes.get(column)?)?;
        let error = self.covariance[column][column].sqrt();
        Some(Interval::around(slope, t_factor(level, self.dof)? * error))
    }
}

/// The columns and the value of each observation, less their group's means.
fn centred(observations: &[Observation], columns: usize) -> Vec<Vec<f64>> {
    let groups = observations.iter().map(|one| one.group + 1).max();
    let mut means = vec![(vec![0.0; columns + 1], 0.0); groups.unwrap_or(0)];
    let row = |one: &Observation| -> Vec<f64> {
        let value = std::iter::once(one.value);
        one.columns.iter().copied().chain(value).collect()
    };
    for one in observations {
        let (sums, count) = &mut means[one.group];
        *count += 1.0;
        for (sum, value) in sums.iter_mut().zip(row(one)) {
            *sum += value;
        }
    }
    let less = |one: &Observation| {
        let (sums, count) = &means[one.group];
        let pairs = row(one).into_iter().zip(sums);
        pairs.map(|(value, sum)| value - sum / count).collect()
    };
    observations.iter().map(less).collect()
}

/// Solves for a column (the sweep operator: J. H. Goodnight, The American
/// Statistician 33, 1979). Once all are swept, their part of the matrix is its
/// inverse, the last column holds the slopes, the corner what is left over.
fn sweep(matrix: &mut [Vec<f64>], at: usize) {
    let pivot = matrix[at][at];
    let row: Vec<f64> = matrix[at].iter().map(|value| value / pivot).collect();
    for (place, other) in matrix.iter_mut().enumerate() {
        if place == at {
            continue;
        }
        let factor = other[at];
        for (value, own) in other.iter_mut().zip(&row) {
            *value -= factor * own;
        }
        other[at] = -factor / pivot;
    }
    matrix[at] = row;
    matrix[at][at] = 1.0 / pivot;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn observations(rows: &[(usize, &[f64], f64)]) -> Vec<Observation> {
        let one = |(group, columns, value): &(usize, &[f64], f64)| Observation {
            group: *group,
            columns: columns.to_vec(),
            value: *value,
        };
        rows.iter().map(one).collect()
    }

    /// Longley's data and values that are certified: NIST, Statistical
    /// Reference Datasets, linear regression.
    #[test]
    fn longleys_slopes_and_errors_are_the_certified_ones() {
        let rows: [[f64; 7]; 16] = [
            [60323., 83.0, 234289., 2356., 1590., 107608., 1947.],
            [61122., 88.5, 259426., 2325., 1456., 108632., 1948.],
            [60171., 88.2, 258054., 3682., 1616., 109773., 1949.],
            [61187., 89.5, 284599., 3351., 1650., 110929., 1950.],
            [63221., 96.2, 328975., 2099., 3099., 112075., 1951.],
            [63639., 98.1, 346999., 1932., 3594., 113270., 1952.],
            [64989., 99.0, 365385., 1870., 3547., 115094., 1953.],
            [63761., 100.0, 363112., 3578., 3350., 116219., 1954.],
            [66019., 101.2, 397469., 2904., 3048., 117388., 1955.],
            [67857., 104.6, 419180., 2822., 2857., 118734., 1956.],
            [68169., 108.4, 442769., 2936., 2798., 120445., 1957.],
            [66513., 110.8, 444546., 4681., 2637., 121950., 1958.],
            [68655., 112.6, 482704., 3813., 2552., 123366., 1959.],
            [69564., 114.2, 502601., 3931., 2514., 125368., 1960.],
            [69331., 115.7, 518173., 4806., 2572., 127852., 1961.],
            [70551., 116.9, 554894., 4007., 2827., 130081., 1962.],
        ];
        let all: Vec<Observation> = rows
            .iter()
            .map(|row| Observation {
                group: 0,
                columns: row[1..].to_vec(),
                value: row[0],
            })
            .collect();
        let certified = [
            (15.0618722713733, 84.9149257747669),
            (-0.358191792925910e-1, 0.334910077722432e-1),
            (-2.02022980381683, 0.488399681651699),
            (-1.03322686717359, 0.214274163161675),
            (-0.511041056535807e-1, 0.226073200069370),
            (1829.15146461355, 455.478499142212),
        ];
        let fit = LeastSquares::within(&all).expect("a fit");
        assert_eq!(fit.dof, 9.0);
        for (at, (slope, error)) in certified.into_iter().enumerate() {
            let found = fit.slopes[at].expect("a slope");
            assert!((found / slope - 1.0).abs() < 1e-7, "{at}: {found} {slope}");
            let found = fit.covariance[at][at].sqrt();
            assert!((found / error - 1.0).abs() < 1e-7, "{at}: {found} {error}");
        }
    }

    #[test]
    fn what_differs_between_groups_alone_is_no_slope() {
        // Across groups the value falls by 100; within them it rises by 2.
        let fit = LeastSquares::within(&observations(&[
            (0, &[1.0], 100.0),
            (0, &[2.0], 102.0),
            (1, &[51.0], 0.0),
            (1, &[53.0], 4.0),
        ]));
        let fit = fit.expect("a fit");
        assert!((fit.slopes[0].expect("a slope") - 2.0).abs() < 1e-12);
        assert_eq!(fit.dof, 1.0);
    }

    #[test]
    fn a_column_that_is_still_or_goes_along_has_no_slope() {
        let fit = LeastSquares::within(&observations(&[
            (0, &[1.0, 7.0, 3.0], 1.0),
            (0, &[2.0, 7.0, 6.0], 2.1),
            (0, &[3.0, 7.0, 9.0], 2.9),
        ]));
        let fit = fit.expect("a fit");
        let some: Vec<bool> = fit.slopes.iter().map(Option::is_some).collect();
        assert_eq!(some, [true, false, false]);
        assert_eq!(fit.interval(1, 0.95), None);
        assert_eq!(fit.covariance[0][2], 0.0);
    }

    #[test]
    fn too_few_observations_give_nothing() {
        assert_eq!(LeastSquares::within(&[]), None);
        let two = [(0, &[1.0][..], 1.0), (0, &[2.0][..], 2.0)];
        assert_eq!(LeastSquares::within(&observations(&two)), None);
    }
}
