//! A random order of hosts and addresses, for `load_balance_hosts=random`.

use std::io;

use crate::error::Error;

/// Puts a list into a random order (Fisher and Yates).
///
/// # Errors
/// If the operating system has no random numbers.
pub(super) fn shuffle<T>(list: &mut [T]) -> Result<(), Error> {
    for index in (1..list.len()).rev() {
        let mut random = [0; 8];
        getrandom::fill(&mut random).map_err(|error| Error::Io(io::Error::other(error)))?;
        // The bias of the remainder is negligible for a list this short.
        let bound = u64::try_from(index + 1).unwrap_or(u64::MAX);
        let other = usize::try_from(u64::from_ne_bytes(random) % bound).unwrap_or(index);
        list.swap(index, other);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::shuffle;

    #[test]
    fn every_order_comes_up() {
        let mut seen = std::collections::HashSet::new();
        for _ in 0..500 {
            let mut list = [1, 2, 3];
            shuffle(&mut list).unwrap();
            seen.insert(list);
        }
        assert_eq!(seen.len(), 6);
    }
}
