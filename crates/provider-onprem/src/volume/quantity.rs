//! Sizes as Kubernetes writes them.

/// Bytes of a quantity such as `10Gi`, `1G`, `1.5Ti`, `128974848`, `129e6`; fractions of a byte are rounded up.
/// Syntax: the Kubernetes API reference, `resource.Quantity`.
pub(super) fn bytes(quantity: &str) -> Option<u64> {
    let quantity = quantity.trim();
    let number_ends = quantity.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(quantity.len());
    let (number, suffix) = quantity.split_at(number_ends);
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if (whole.is_empty() && fraction.is_empty()) || fraction.contains('.') || fraction.len() > 18 {
        return None;
    }
    let digits: u128 = format!("{whole}{fraction}").parse().ok()?;
    let scale = 10_u128.checked_pow(u32::try_from(fraction.len()).ok()?)?;
    let (factor, divisor): (u128, u128) = match suffix {
        "" => (1, 1),
        "n" => (1, 1_000_000_000),
        "u" => (1, 1_000_000),
        "m" => (1, 1000),
        "k" => (1000, 1),
        "M" => (1000_u128.pow(2), 1),
        "G" => (1000_u128.pow(3), 1),
        "T" => (1000_u128.pow(4), 1),
        "P" => (1000_u128.pow(5), 1),
        "E" => (1000_u128.pow(6), 1),
        "Ki" => (1 << 10, 1),
        "Mi" => (1 << 20, 1),
        "Gi" => (1 << 30, 1),
        "Ti" => (1 << 40, 1),
        "Pi" => (1 << 50, 1),
        "Ei" => (1 << 60, 1),
        _ => {
            let exponent: i32 = suffix.strip_prefix(['e', 'E'])?.parse().ok()?;
            let power = 10_u128.checked_pow(exponent.unsigned_abs())?;
            if exponent < 0 { (1, power) } else { (power, 1) }
        }
    };
    let bytes = digits.checked_mul(factor)?.div_ceil(scale.checked_mul(divisor)?);
    u64::try_from(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::bytes;

    #[test]
    fn every_form_of_a_size_is_read() {
        for (quantity, expected) in [
            ("0", 0),
            ("128974848", 128_974_848),
            ("129e6", 129_000_000),
            ("129E6", 129_000_000),
            ("123Mi", 128_974_848),
            ("10Gi", 10 << 30),
            ("1.5Gi", 3 << 29),
            ("1k", 1000),
            ("2E", 2_000_000_000_000_000_000),
            ("1500m", 2),
            (".5Ki", 512),
            ("12e-1", 2),
        ] {
            assert_eq!(bytes(quantity), Some(expected), "{quantity}");
        }
    }

    #[test]
    fn what_is_no_size_is_refused() {
        for quantity in ["", "Gi", "-1", "1.2.3", "1 Gi", "1GiB", "1e", "ten", "99E", "1e99"] {
            assert_eq!(bytes(quantity), None, "{quantity}");
        }
    }
}
