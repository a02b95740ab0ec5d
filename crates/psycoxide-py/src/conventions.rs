//! Which API a connection belongs to, as far as values are concerned.

/// Whose defaults hold where a program has registered nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Conventions {
    /// psycopg2's.
    #[default]
    Psycopg2,
    /// Those of `psycoxide.aio` and `psycoxide.sync`: more types become objects and back, and the
    /// quoting of texts does not depend on the session's settings, as statements are sent while
    /// others, which may change them, are under way.
    Own,
}
