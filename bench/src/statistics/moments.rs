//! Number, mean and deviation of some values.

/// Number, mean and sample standard deviation.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Moments {
    /// How many values, 1 or more.
    pub n: usize,
    /// Their mean.
    pub mean: f64,
    /// Their standard deviation with `n - 1` below the line; `None` for one
    /// value.
    pub sd: Option<f64>,
}

impl Moments {
    /// Of some finite values; `None` of none.
    pub fn of(values: &[f64]) -> Option<Moments> {
        if values.is_empty() {
            return None;
        }
        let n = values.len();
        let mean = values.iter().sum::<f64>() / n as f64;
        let sd = (n > 1).then(|| {
            let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
            (squares / (n - 1) as f64).sqrt()
        });
        Some(Moments { n, mean, sd })
    }

    /// Variance of the mean; `None` for one value.
    pub fn variance_of_mean(&self) -> Option<f64> {
        self.sd.map(|sd| sd * sd / self.n as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_deviation_of_one_value_is_not_known() {
        assert_eq!(Moments::of(&[]), None);
        assert_eq!(Moments::of(&[3.0]).unwrap().sd, None);
        let two = Moments::of(&[1.0, 3.0]).unwrap();
        assert_eq!((two.n, two.mean), (2, 2.0));
        assert!((two.sd.unwrap() - 2f64.sqrt()).abs() < 1e-15);
    }
}
