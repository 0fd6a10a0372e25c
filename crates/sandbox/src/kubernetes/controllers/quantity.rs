//! Amounts of bytes as API objects write them: `1Gi`, `500M`, `1048576`.

const BINARY: [&str; 6] = ["Ki", "Mi", "Gi", "Ti", "Pi", "Ei"];
const DECIMAL: [&str; 6] = ["k", "M", "G", "T", "P", "E"];

/// The bytes that a quantity means, rounded up; `None` for what is no amount of bytes.
pub(super) fn bytes(quantity: &str) -> Option<u64> {
    let (number, unit) = quantity.split_at(quantity.find(|c: char| c.is_ascii_alphabetic()).unwrap_or(quantity.len()));
    let power = |units: [&str; 6], base: u64| {
        let place = units.iter().position(|it| *it == unit)?;
        base.checked_pow(u32::try_from(place).ok()? + 1)
    };
    let factor = if unit.is_empty() { 1 } else { power(BINARY, 1024).or_else(|| power(DECIMAL, 1000))? };
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let whole: u64 = if whole.is_empty() && !fraction.is_empty() { 0 } else { whole.parse().ok()? };
    let mut bytes = u128::from(whole) * u128::from(factor);
    if !fraction.is_empty() {
        let scale = 10u128.checked_pow(u32::try_from(fraction.len()).ok()?)?;
        let part = u128::from(fraction.parse::<u64>().ok()?).checked_mul(u128::from(factor))?;
        bytes += part.div_ceil(scale);
    }
    u64::try_from(bytes).ok()
}

/// The shortest way to write an amount of bytes with binary units and without a fraction.
pub(super) fn text(bytes: u64) -> String {
    let mut number = bytes;
    let mut unit = "";
    for larger in BINARY {
        if number == 0 || !number.is_multiple_of(1024) {
            break;
        }
        number /= 1024;
        unit = larger;
    }
    format!("{number}{unit}")
}

#[cfg(test)]
mod tests {
    use super::{bytes, text};

    #[test]
    fn reads_and_writes_quantities() {
        for (quantity, amount) in
            [("1Gi", 1 << 30), ("1048576", 1 << 20), ("1.5Ki", 1536), ("2M", 2_000_000), ("0.1k", 100), (".5k", 500)]
        {
            assert_eq!(bytes(quantity), Some(amount), "{quantity}");
        }
        for quantity in ["", "Gi", "1Xi", "one", "-1Gi", "1..2"] {
            assert_eq!(bytes(quantity), None, "{quantity}");
        }
        for (amount, quantity) in [(1 << 30, "1Gi"), (1 << 20, "1Mi"), (0, "0"), (1500, "1500"), (1536, "1536")] {
            assert_eq!(text(amount), quantity);
        }
    }
}
