//! Gaussian kernel densities.

use std::f64::consts::TAU;

use crate::statistics::median::median;

/// The density of `values` at `x`: a normal curve of deviation `bandwidth`
/// over each value, their mean.
pub fn density(values: &[f64], bandwidth: f64, x: f64) -> f64 {
    let curve = |value: &f64| (-0.5 * ((x - value) / bandwidth).powi(2)).exp();
    let sum: f64 = values.iter().map(curve).sum();
    sum / (values.len().max(1) as f64 * bandwidth * TAU.sqrt())
}

/// A bandwidth for groups (boots) of one subject that is the same for all of
/// them: Silverman's rule of thumb, `0.9 min(s, IQR / 1.349) n^(-1/5)`, with
/// deviation and quartiles of the distances from the groups' medians, and `n`
/// the mean size of a group. Zero where most values equal their group's median.
pub fn bandwidth(groups: &[Vec<f64>]) -> f64 {
    let mut distances = Vec::new();
    let mut some = 0;
    for values in groups {
        let Some(middle) = median(values) else {
            continue;
        };
        distances.extend(values.iter().map(|value| value - middle));
        some += 1;
    }
    let n = distances.len();
    if n <= some {
        return 0.0;
    }
    distances.sort_by(f64::total_cmp);
    let squares: f64 = distances.iter().map(|distance| distance.powi(2)).sum();
    let deviation = (squares / (n - some) as f64).sqrt();
    let quartiles = distances[(n - 1) * 3 / 4] - distances[(n - 1) / 4];
    let size = n as f64 / some as f64;
    0.9 * deviation.min(quartiles / 1.349) * size.powf(-0.2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_density_encloses_an_area_of_one() {
        let values = [1.0, 1.5, 4.0];
        let step = 0.01;
        let area: f64 = (-1000..2000)
            .map(|at| density(&values, 0.3, f64::from(at) * step) * step)
            .sum();
        assert!((area - 1.0).abs() < 1e-9, "{area}");
    }

    #[test]
    fn a_density_agrees_with_scipy() {
        // scipy.stats.norm.pdf(2, [1, 1.5, 4], 0.5).mean()
        let there = density(&[1.0, 1.5, 4.0], 0.5, 2.0);
        assert!((there - 0.197_397_014_172).abs() < 1e-9, "{there}");
    }

    #[test]
    fn the_bandwidth_knows_the_spread_within_boots_only() {
        let near = vec![vec![1.0, 3.0], vec![1.0, 3.0]];
        let far = vec![vec![1.0, 3.0], vec![101.0, 103.0]];
        assert_eq!(bandwidth(&near), bandwidth(&far));
        // Distances -1, -1, 1, 1: s = sqrt(2), IQR = 2; n = 2.
        let expected = 0.9 * 2f64.sqrt() / 2f64.powf(0.2);
        assert!((bandwidth(&near) - expected).abs() < 1e-12);
        let hit = vec![vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 1e6]; 2];
        assert!(bandwidth(&hit) < 20.0, "one value far outside");
        assert_eq!(bandwidth(&[vec![5.0], vec![6.0]]), 0.0);
        assert_eq!(bandwidth(&[vec![5.0, 5.0]]), 0.0);
        assert_eq!(bandwidth(&[]), 0.0);
    }
}
