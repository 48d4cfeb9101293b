//! Medians and percentiles.

/// The value below which `share` of all are (nearest rank); NaN of none.
pub fn quantile(values: &[f64], share: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let rank = (share * sorted.len() as f64).ceil() as usize;
    sorted.get(rank.saturating_sub(1)).copied().unwrap_or(f64::NAN)
}

/// Half are above, half below; of an even count the mean of the two in the middle.
pub fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    match sorted.len() {
        0 => f64::NAN,
        count if count % 2 == 0 => f64::midpoint(sorted[count / 2 - 1], sorted[count / 2]),
        count => sorted[count / 2],
    }
}

/// Bytes in a time as Mbit/s.
pub fn mbits(bytes: u64, seconds: f64) -> f64 {
    bytes as f64 * 8.0 / 1e6 / seconds
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_values_that_occurred() {
        let values: Vec<_> = (1..=100).rev().map(f64::from).collect();
        let of_all = |share| quantile(&values, share) as u32;
        assert_eq!([0.5, 0.95, 0.99, 1.0].map(of_all), [50, 95, 99, 100]);
        assert_eq!(quantile(&[7.0], 0.01) as u32, 7);
        assert!(quantile(&[], 0.5).is_nan());
    }

    #[test]
    fn the_median_is_in_the_middle() {
        assert_eq!(median(&[3.0, 1.0, 2.0]) as u32, 2);
        assert_eq!((median(&[4.0, 1.0, 2.0, 3.0]) * 10.0) as u32, 25);
    }
}
