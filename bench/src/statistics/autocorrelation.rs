//! How far the values of a series depend on those before them.

/// The correlation of each value with the next, from -1 to 1: the
/// autocovariance at lag one over the variance, both over the number of values
/// (G. E. P. Box and G. M. Jenkins, Time Series Analysis, 1970).
///
/// It leans towards zero in short series. `None` for fewer than three values
/// and where they do not vary.
pub fn lag_one(series: &[f64]) -> Option<f64> {
    let covariance = centred(series).filter(|_| series.len() > 2)?;
    Some(covariance(1) / covariance(0))
}

/// How many independent values would know the mean as well as this series
/// does, from 1 to the number of its values.
///
/// The initial positive sequence of C. J. Geyer (Statistical Science 7, 1992):
/// autocovariances are summed in pairs up to the first pair that is not
/// positive. A series that swings from side to side knows more than as many
/// independent values; it gets no more than its own number. Nor does one that
/// does not vary or is shorter than three, of which nothing is known.
pub fn effective_size(series: &[f64]) -> f64 {
    let most = series.len() as f64;
    let Some(covariance) = centred(series).filter(|_| series.len() > 2) else {
        return most;
    };
    let pairs = (0..series.len() / 2).map(|pair| covariance(2 * pair) + covariance(2 * pair + 1));
    let positive: f64 = pairs.take_while(|pair| *pair > 0.0).sum();
    let variance = 2.0 * positive - covariance(0);
    if variance <= covariance(0) {
        return most;
    }
    (most * covariance(0) / variance).max(1.0)
}

/// The autocovariance by lag; `None` where the values do not vary.
fn centred(series: &[f64]) -> Option<impl Fn(usize) -> f64> {
    let mean = series.iter().sum::<f64>() / series.len() as f64;
    let each: Vec<f64> = series.iter().map(|value| value - mean).collect();
    let covariance = move |lag: usize| -> f64 {
        let products = each.iter().zip(&each[lag..]).map(|(a, b)| a * b);
        products.sum::<f64>() / each.len() as f64
    };
    let varies = series.iter().any(|value| *value != series[0]);
    (varies && covariance(0) > 0.0).then_some(covariance)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn constant_and_short_series_have_no_correlation_and_keep_their_size() {
        for series in [&[][..], &[1.0], &[1.0, 2.0], &[0.1; 7], &[3.0; 3]] {
            assert_eq!(lag_one(series), None);
            assert_eq!(effective_size(series), series.len() as f64);
        }
    }

    #[test]
    fn a_series_that_swings_counts_as_its_own_number() {
        let series: Vec<f64> = (0..20).map(|at| f64::from(at % 2)).collect();
        assert!(lag_one(&series).unwrap() < -0.9);
        assert_eq!(effective_size(&series), 20.0);
    }

    #[test]
    fn a_series_that_drifts_counts_as_few() {
        let series: Vec<f64> = (0..40).map(f64::from).collect();
        assert!(lag_one(&series).unwrap() > 0.9);
        let size = effective_size(&series);
        assert!((1.0..4.0).contains(&size), "{size}");
    }
}
