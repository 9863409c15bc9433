//! `--max-shard-size 5GB`.

/// Units by suffix; as in Hugging Face's libraries GB are 10^9 bytes, GiB are 2^30.
const UNITS: [(&str, u64); 9] = [
    ("KIB", 1 << 10),
    ("MIB", 1 << 20),
    ("GIB", 1 << 30),
    ("TIB", 1 << 40),
    ("KB", 1_000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
    ("TB", 1_000_000_000_000),
    ("B", 1),
];

/// Parses "5GB", "500 MB", "1GiB" or "4096" as bytes.
pub(crate) fn parse_size(text: &str) -> Result<u64, String> {
    let upper = text.trim().to_ascii_uppercase();
    let of_unit = |&(suffix, unit)| Some((upper.strip_suffix(suffix)?.trim_end(), unit));
    let (number, unit) = UNITS.iter().find_map(of_unit).unwrap_or((&upper, 1));
    let number: u64 =
        number.parse().map_err(|_| "write a whole number with a unit: 5GB, 500MB or 1GiB")?;
    match number.checked_mul(unit) {
        Some(0) => Err("a shard of 0 bytes holds nothing; write a size such as 5GB".to_owned()),
        Some(bytes) => Ok(bytes),
        None => Err("it overflows 64 bits; write a smaller size, such as 5GB".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::parse_size;

    #[test]
    fn sizes_have_units() {
        for (text, bytes) in [
            ("5GB", 5_000_000_000),
            ("500MB", 500_000_000),
            ("1GiB", 1 << 30),
            (" 2 tib ", 2 << 40),
            ("3kb", 3000),
            ("7B", 7),
            ("4096", 4096),
        ] {
            assert_eq!(parse_size(text), Ok(bytes), "{text}");
        }
        for (text, part) in [
            ("", "whole number"),
            ("GB", "whole number"),
            ("1.5GB", "whole number"),
            ("-1GB", "whole number"),
            ("5XB", "whole number"),
            ("0GB", "0 bytes"),
            ("99999999999TB", "overflows"),
        ] {
            assert!(parse_size(text).unwrap_err().contains(part), "{text}");
        }
    }
}
