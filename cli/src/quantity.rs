//! Sizes and times as people read them: rounded, with a unit. What programs read is exact and stands elsewhere.

use std::time::Duration;

/// `812 B`, `24.1 KiB`, `1.4 MiB`.
pub(crate) fn size(bytes: u64) -> String {
    const UNITS: [&str; 4] = ["KiB", "MiB", "GiB", "TiB"];
    if bytes < 1024 {
        return format!("{bytes} B");
    }
    let mut shift = 10u32;
    let mut unit = UNITS[0];
    for name in UNITS.iter().skip(1) {
        if bytes >> shift < 1024 {
            break;
        }
        shift += 10;
        unit = name;
    }
    let tenths = (u128::from(bytes) * 10 + (1 << (shift - 1))) >> shift;
    format!("{}.{} {unit}", tenths / 10, tenths % 10)
}

/// `3ms`, `1.2s`, `2m05s`.
pub(crate) fn time(time: Duration) -> String {
    let milliseconds = time.as_millis();
    match milliseconds {
        0 => format!("{}us", time.as_micros()),
        1..1_000 => format!("{milliseconds}ms"),
        1_000..60_000 => format!("{}.{}s", milliseconds / 1_000, milliseconds % 1_000 / 100),
        _ => format!("{}m{:02}s", milliseconds / 60_000, milliseconds % 60_000 / 1_000),
    }
}

/// How long ago, in its largest unit.
pub(crate) fn ago(age: Duration) -> String {
    let seconds = age.as_secs();
    let (count, unit) = match seconds {
        0..60 => return "just now".to_owned(),
        60..3_600 => (seconds / 60, "minute"),
        3_600..86_400 => (seconds / 3_600, "hour"),
        _ => (seconds / 86_400, "day"),
    };
    format!("{count} {unit}{} ago", if count == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_one_decimal_and_the_largest_unit() {
        for (bytes, text) in [
            (0, "0 B"),
            (1023, "1023 B"),
            (1024, "1.0 KiB"),
            (1536, "1.5 KiB"),
            (1 << 20, "1.0 MiB"),
            (3 << 29, "1.5 GiB"),
            (5 << 40, "5.0 TiB"),
            (u64::MAX, "16777216.0 TiB"),
        ] {
            assert_eq!(size(bytes), text);
        }
    }

    #[test]
    fn times_are_short() {
        for (time_, text) in [
            (Duration::from_micros(40), "40us"),
            (Duration::from_millis(3), "3ms"),
            (Duration::from_millis(1_250), "1.2s"),
            (Duration::from_secs(125), "2m05s"),
        ] {
            assert_eq!(time(time_), text);
        }
        assert_eq!(ago(Duration::from_secs(3_600)), "1 hour ago");
        assert_eq!(ago(Duration::from_secs(200_000)), "2 days ago");
    }
}
