//! The values given to options, by one source or by all of them.

use zeroize::Zeroize;

use super::error::Error;
use super::keywords::{self, KEYWORDS};

/// One optional value for each of [`KEYWORDS`].
///
/// Values of secret options are zeroed when they go, and `Debug` does not show them.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Values(Vec<Option<String>>);

impl Values {
    pub(super) fn new() -> Values {
        Values(vec![None; KEYWORDS.len()])
    }

    /// Stores a value for the option `name`; a later one replaces an earlier one.
    ///
    /// `requiressl`, an option of old, is still taken as the `sslmode` it stands for.
    pub(super) fn set(&mut self, name: &str, value: String) -> Result<(), Error> {
        let (name, value) = match name {
            "requiressl" if value.starts_with('1') => ("sslmode", "require".to_owned()),
            "requiressl" => ("sslmode", "prefer".to_owned()),
            _ => (name, value),
        };
        self.put(name, value)
    }

    /// Stores a value under the option's own name.
    fn put(&mut self, name: &str, value: String) -> Result<(), Error> {
        if value.contains('\0') || name.contains('\0') {
            return Err(Error::Nul);
        }
        let position = keywords::position(name);
        match position.and_then(|position| self.0.get_mut(position)) {
            Some(slot) => {
                if let Some(old) = slot.as_mut() {
                    old.zeroize();
                }
                *slot = Some(value);
                Ok(())
            }
            None => Err(Error::UnknownOption(name.to_owned())),
        }
    }

    /// Stores a value unless there is one, under the option's own name.
    pub(super) fn set_default(&mut self, name: &str, value: String) -> Result<(), Error> {
        if self.get(name).is_some() { Ok(()) } else { self.put(name, value) }
    }

    /// Takes the value of an option away.
    pub(super) fn unset(&mut self, name: &str) {
        let slot = keywords::position(name).and_then(|position| self.0.get_mut(position));
        if let Some(old) = slot.and_then(Option::as_mut) {
            old.zeroize();
        }
        if let Some(slot) = keywords::position(name).and_then(|position| self.0.get_mut(position)) {
            *slot = None;
        }
    }

    /// The value of an option, if it has one.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(keywords::position(name)?)?.as_deref()
    }

    /// The value of an option, unless it is absent or empty.
    pub(crate) fn filled(&self, name: &str) -> Option<&str> {
        self.get(name).filter(|value| !value.is_empty())
    }

    /// The options that have a value, in the order of [`KEYWORDS`].
    pub(super) fn pairs(&self) -> Vec<(String, String)> {
        let given = |(keyword, value): (&keywords::Keyword, &Option<String>)| {
            value.as_ref().map(|value| (keyword.name.to_owned(), value.clone()))
        };
        KEYWORDS.iter().zip(&self.0).filter_map(given).collect()
    }
}

impl Drop for Values {
    fn drop(&mut self) {
        for (keyword, value) in KEYWORDS.iter().zip(&mut self.0) {
            if keyword.secret {
                value.zeroize();
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
    use super::*;

    #[test]
    fn the_last_value_stays() {
        let mut values = Values::new();
        values.set("host", "a".into()).unwrap();
        values.set("host", "b".into()).unwrap();
        values.set_default("host", "c".into()).unwrap();
        assert_eq!(values.get("host"), Some("b"));
        assert_eq!(values.set("tty", "x".into()), Err(Error::UnknownOption("tty".into())));
        assert_eq!(values.set("host", "a\0b".into()), Err(Error::Nul));
    }

    #[test]
    fn secrets_are_not_printed() {
        let mut values = Values::new();
        values.set("password", "hunter2".into()).unwrap();
        values.set("user", "me".into()).unwrap();
        assert_eq!(format!("{values:?}"), r#"{"user": "me", "password": "…"}"#);
    }
}
