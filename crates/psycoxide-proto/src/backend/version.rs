//! The server's version as a number.

/// `15.18` as 150018, `9.3.5` as 90305, anything else as 0: libpq's `PQserverVersion`.
///
/// Text after the number (`(Debian 15.18-0)`, `beta1`) is ignored. As in libpq, two parts follow
/// the rule of PostgreSQL 10 and later if the first is at least 10; three parts always follow the
/// older rule.
pub(crate) fn number(version: &[u8]) -> u32 {
    let mut parts = [0_u32; 3];
    let mut rest = version;
    let mut count = 0;
    for part in &mut parts {
        rest = rest.trim_ascii_start();
        let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        if digits == 0 {
            break;
        }
        let (number, tail) = rest.split_at(digits);
        *part = number.iter().fold(0, |sum: u32, digit| {
            sum.saturating_mul(10).saturating_add(u32::from(digit - b'0'))
        });
        count += 1;
        let Some(tail) = tail.strip_prefix(b".") else { break };
        rest = tail;
    }
    let [major, minor, patch] = parts;
    let large = major.saturating_mul(10_000);
    if count < 3 && major >= 10 {
        large.saturating_add(minor)
    } else {
        large.saturating_add(minor.saturating_mul(100)).saturating_add(patch)
    }
}

#[cfg(test)]
mod tests {
    use super::number;

    #[test]
    fn versions_as_libpq_reads_them() {
        for (version, expected) in [
            ("15.18", 150_018),
            ("15.18 (Debian 15.18-0+deb12u1)", 150_018),
            ("18beta1", 180_000),
            ("19devel", 190_000),
            ("10", 100_000),
            ("9.6.24 (Debian 9.6.24-1)", 90_624),
            ("9.6rc1", 90_600),
            ("9", 90_000),
            ("8.4.22", 80_422),
            ("7.4", 70_400),
            ("13.14-YB-2.25", 130_014),
            ("14.2.1", 140_201),
            ("17.0.5.1", 170_005),
            ("  15.3", 150_003),
            ("15.x", 150_000),
            ("", 0),
            ("garbage", 0),
            ("EnterpriseDB 13.2", 0),
        ] {
            assert_eq!(number(version.as_bytes()), expected, "{version}");
        }
    }

    #[test]
    fn no_number_is_too_large() {
        assert_eq!(number(b"99999999999999999999.99999999999"), u32::MAX);
        assert_eq!(number(b"4294967295.4294967295.4294967295"), u32::MAX);
    }
}
