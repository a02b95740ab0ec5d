//! Options and their values, in libpq's order.

use super::Error;
use super::keywords::{self, KEYWORDS};

/// The options that somebody gave.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Options {
    values: Vec<Option<String>>,
}

impl Options {
    /// Gives an option its value; the last one wins.
    ///
    /// # Errors
    /// If there is no such option.
    pub fn set(&mut self, name: &str, value: String) -> Result<(), Error> {
        let Some(position) = keywords::position(name) else {
            return Err(Error::UnknownOption(name.to_owned()));
        };
        if value.contains('\0') {
            return Err(Error::Nul(name.to_owned()));
        }
        if self.values.len() <= position {
            self.values.resize(KEYWORDS.len(), None);
        }
        if let Some(slot) = self.values.get_mut(position) {
            *slot = Some(value);
        }
        Ok(())
    }

    /// Gives an option a value unless it has one.
    pub fn set_default(&mut self, name: &str, value: impl FnOnce() -> Option<String>) {
        if self.get(name).is_none()
            && let Some(value) = value()
        {
            // The names come from the table of keywords, the values were checked by their source.
            let _ = self.set(name, value);
        }
    }

    /// The value of an option, if it has one.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.values.get(keywords::position(name)?)?.as_deref()
    }

    /// The value of an option, if it has one that is not empty: libpq takes an empty value of most
    /// options for none.
    pub fn filled(&self, name: &str) -> Option<&str> {
        self.get(name).filter(|value| !value.is_empty())
    }

    /// All options that have a value, in libpq's order.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, &str)> {
        KEYWORDS
            .iter()
            .zip(&self.values)
            .filter_map(|(keyword, value)| Some((keyword.name, value.as_deref()?)))
    }

    /// The same, owned.
    pub fn into_pairs(self) -> Vec<(String, String)> {
        self.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
    }
}

impl std::fmt::Debug for Options {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_map()
            .entries(
                self.iter().map(|(name, value)| {
                    (name, if keywords::is_secret(name) { "…" } else { value })
                }),
            )
            .finish()
    }
}
