//! The values of options, from one source or from all of them.

use std::borrow::Cow;

use zeroize::Zeroize;

use super::error::Error;
use super::keywords::{KEYWORDS, Key, Keyword};

/// One optional value for each of [`KEYWORDS`].
///
/// Values of secret options are overwritten with zeros when they are dropped; `Debug` hides them.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Values(Vec<Option<Cow<'static, str>>>);

impl Values {
    pub(super) fn new() -> Values {
        Values(KEYWORDS.iter().map(|_| None).collect())
    }

    /// Stores a value for the option `name`; a later one replaces an earlier one.
    ///
    /// The old option `requiressl` sets `sslmode`.
    pub(super) fn set(&mut self, name: &str, value: String) -> Result<(), Error> {
        let (name, value) = match name {
            "requiressl" if value.starts_with('1') => ("sslmode", "require".to_owned()),
            "requiressl" => ("sslmode", "prefer".to_owned()),
            _ => (name, value),
        };
        self.put(known(name)?, value);
        Ok(())
    }

    /// Stores a value for the option `name`, unless it has one.
    pub(super) fn set_default(&mut self, name: &str, value: String) -> Result<(), Error> {
        self.put_default(known(name)?, value);
        Ok(())
    }

    /// Stores a value; a later one replaces an earlier one.
    pub(super) fn put(&mut self, key: Key, value: impl Into<Cow<'static, str>>) {
        self.unset(key);
        self.put_default(key, value);
    }

    /// Stores a value, unless the option has one.
    pub(super) fn put_default(&mut self, key: Key, value: impl Into<Cow<'static, str>>) {
        if let Some(slot @ None) = self.0.get_mut(key.0) {
            *slot = Some(value.into());
        }
    }

    /// Removes the value of an option.
    pub(super) fn unset(&mut self, key: Key) {
        self.0.get_mut(key.0).map(wipe);
    }

    /// The value of an option, if it has one.
    pub(crate) fn get(&self, key: Key) -> Option<&str> {
        self.0.get(key.0)?.as_deref()
    }

    /// The value of an option, if it has one that is not empty.
    pub(crate) fn filled(&self, key: Key) -> Option<&str> {
        self.get(key).filter(|value| !value.is_empty())
    }

    /// The options that have a value, with the value, in the order of [`KEYWORDS`].
    pub(super) fn pairs(&self) -> impl Iterator<Item = (&'static Keyword, &str)> {
        let both = KEYWORDS.iter().zip(&self.0);
        both.filter_map(|(keyword, value)| Some((keyword, value.as_deref()?)))
    }
}

fn known(name: &str) -> Result<Key, Error> {
    Key::named(name).ok_or_else(|| Error::UnknownOption(name.to_owned()))
}

/// Removes a value, and overwrites its memory with zeros.
fn wipe(slot: &mut Option<Cow<'static, str>>) {
    if let Some(Cow::Owned(mut value)) = slot.take() {
        value.zeroize();
    }
}

impl Drop for Values {
    fn drop(&mut self) {
        for (keyword, value) in KEYWORDS.iter().zip(&mut self.0) {
            if keyword.secret {
                wipe(value);
            }
        }
    }
}

impl std::fmt::Debug for Values {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut map = f.debug_map();
        for (keyword, value) in KEYWORDS.iter().zip(&self.0) {
            match value {
                Some(_) if keyword.secret => map.entry(&keyword.name, &"…"),
                Some(value) => map.entry(&keyword.name, value),
                None => &mut map,
            };
        }
        map.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::super::keywords::key;
    use super::*;

    #[test]
    fn the_last_value_stays() {
        let mut values = Values::new();
        values.set("host", "a".into()).unwrap();
        values.set("host", "b".into()).unwrap();
        values.set_default("host", "c".into()).unwrap();
        assert_eq!(values.get(key!("host")), Some("b"));
        assert_eq!(values.set("tty", "x".into()), Err(Error::UnknownOption("tty".into())));
    }

    #[test]
    fn secrets_are_not_printed() {
        let mut values = Values::new();
        values.set("password", "hunter2".into()).unwrap();
        values.set("user", "me".into()).unwrap();
        assert_eq!(format!("{values:?}"), r#"{"user": "me", "password": "…"}"#);
    }
}
