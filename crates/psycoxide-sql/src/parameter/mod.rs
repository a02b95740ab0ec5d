//! Constants as parameters of the server's kind.
//!
//! What adapters write is SQL; where that is a constant, the server reads its content as the text of
//! a parameter. But a constant has a type of its own, and a column of another type gets it through
//! an assignment cast, while a parameter takes the column's type at once: `1.5` goes into an integer
//! column, as 2, and the text `1.5` does not. So only pairs are taken of which both come to the same.
//!
//! <https://www.postgresql.org/docs/current/typeconv-query.html>

mod array;
mod constant;
#[cfg(test)]
mod tests;

use crate::encoding::Encoding;
use crate::oid::Oid;
use crate::quote::StringStyle;
use constant::Constant;

/// How a session writes and reads constants.
#[derive(Clone, Copy, Debug)]
pub struct Dialect {
    /// The client encoding.
    pub encoding: &'static Encoding,
    /// What a backslash means.
    pub strings: StringStyle,
    /// Whether the binary formats are those of every server since PostgreSQL 10, and may be used.
    pub binary: bool,
}

/// What a constant is as a parameter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ParameterForm {
    /// NULL; nothing was written.
    Null,
    /// The text that was written.
    Text,
    /// What was written is the type's binary format, which the server reads faster.
    Binary,
}

/// A constant that is no parameter for a column of that type, or no constant at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unfit;

/// Writes the parameter that says the same as the constant `sql`, for a column of the
/// type `oid`.
///
/// # Errors
/// If there is none. `out` may hold a part.
pub fn write(
    out: &mut Vec<u8>,
    sql: &[u8],
    oid: Oid,
    dialect: Dialect,
) -> Result<ParameterForm, Unfit> {
    let sql = sql.trim_ascii();
    if let Some(items) = array::items(sql) {
        array::write(out, items, oid, dialect)?;
        return Ok(ParameterForm::Text);
    }
    let (constant, rest) = Constant::read(sql, dialect)?;
    if !rest.is_empty() {
        return Err(Unfit);
    }
    if matches!(constant, Constant::Null) {
        return Ok(ParameterForm::Null);
    }
    if !constant.fits(oid) {
        return Err(Unfit);
    }
    if dialect.binary && constant.write_binary(out, oid).is_some() {
        return Ok(ParameterForm::Binary);
    }
    constant.write(out, dialect)?;
    Ok(ParameterForm::Text)
}
