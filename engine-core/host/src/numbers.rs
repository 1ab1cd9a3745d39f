//! The numbers that the guest knows its descriptors by, and the keys behind them.
//!
//! Files have the inner context's numbers as keys, sockets keys of their own. A guest gets the lowest number that is free, as POSIX has it.

use crate::errno::{Answer, Errno};
use std::collections::BTreeSet;

/// Which key each number means.
#[derive(Debug, Default)]
pub(crate) struct Numbers {
    keys: Vec<Option<u32>>,
    free: BTreeSet<u32>,
}

impl Numbers {
    /// What the number means.
    pub(crate) fn key(&self, number: u32) -> Answer<u32> {
        let known = usize::try_from(number).ok().and_then(|index| self.keys.get(index)).copied().flatten();
        known.ok_or_else(|| Errno::BADF.into())
    }

    /// Gives the lowest free number to a key.
    pub(crate) fn add(&mut self, key: u32) -> u32 {
        match self.free.pop_first() {
            Some(number) => {
                self.set(number, Some(key));
                number
            }
            None => {
                self.keys.push(Some(key));
                u32::try_from(self.keys.len() - 1).unwrap_or(u32::MAX)
            }
        }
    }

    fn set(&mut self, number: u32, key: Option<u32>) {
        if let Some(place) = usize::try_from(number).ok().and_then(|index| self.keys.get_mut(index)) {
            *place = key;
        }
    }

    /// The number means nothing any more.
    pub(crate) fn remove(&mut self, number: u32) {
        if self.key(number).is_ok() {
            self.set(number, None);
            self.free.insert(number);
        }
    }

    /// `to` means what `from` did, which means nothing any more.
    pub(crate) fn rename(&mut self, from: u32, to: u32) -> Answer {
        let key = self.key(from)?;
        self.key(to)?;
        if from != to {
            self.remove(from);
            self.set(to, Some(key));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lowest_free_number_is_given() {
        let mut numbers = Numbers::default();
        assert_eq!([10, 11, 12, 13].map(|key| numbers.add(key)), [0, 1, 2, 3]);
        numbers.remove(2);
        numbers.remove(1);
        assert!(numbers.key(1).is_err() && numbers.key(4).is_err());
        assert_eq!([20, 21, 22].map(|key| numbers.add(key)), [1, 2, 4]);
        assert_eq!(numbers.key(1).unwrap(), 20);
    }

    #[test]
    fn renaming_frees_the_old_number() {
        let mut numbers = Numbers::default();
        for key in 10..14 {
            numbers.add(key);
        }
        numbers.rename(3, 1).unwrap();
        assert_eq!(numbers.key(1).unwrap(), 13);
        assert!(numbers.key(3).is_err());
        assert!(numbers.rename(3, 1).is_err() && numbers.rename(1, 9).is_err());
        numbers.rename(1, 1).unwrap();
        assert_eq!(numbers.key(1).unwrap(), 13);
        assert_eq!(numbers.add(30), 3);
    }
}
