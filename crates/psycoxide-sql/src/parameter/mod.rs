//! Turns constants into server-side parameters.
//!
//! Adapters write SQL. The server can read the content of a constant as the text of a parameter.
//! But a constant has a type of its own and reaches a column of another type by an assignment cast,
//! while a parameter takes the column's type at once: the constant `1.5` goes into an integer
//! column, as 2, and the text `1.5` does not. So only pairs of constant and column are accepted for
//! which both mean the same.
//!
//! <https://www.postgresql.org/docs/current/typeconv-query.html>

pub mod array;
mod constant;
mod range;
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
    /// Whether binary formats may be used: they are those of every server since PostgreSQL 10.
    pub binary: bool,
}

/// The form in which a parameter was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ParameterForm {
    /// NULL: nothing was written.
    Null,
    /// Text was written.
    Text,
    /// The type's binary format was written, which the server reads faster.
    Binary,
}

/// The text is not a constant, or the constant does not fit a column of that type.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unfit;

/// Writes the content of the constant `sql` as text, for COPY: the type of the column decides what
/// it means, as for a string constant without a cast.
///
/// # Errors
/// The text is not a constant. `out` may contain part of it.
pub fn write_text(out: &mut Vec<u8>, sql: &[u8], dialect: Dialect) -> Result<ParameterForm, Unfit> {
    let sql = sql.trim_ascii();
    if let Some(items) = array::items(sql) {
        array::write_text(out, items, dialect)?;
        return Ok(ParameterForm::Text);
    }
    let (constant, rest) = Constant::read(sql, dialect)?;
    if !rest.is_empty() {
        return Err(Unfit);
    }
    if matches!(constant, Constant::Null) {
        return Ok(ParameterForm::Null);
    }
    constant.write(out, dialect)?;
    Ok(ParameterForm::Text)
}

/// Writes the constant `sql`, which may also be a range of constants, as a parameter of the
/// constant's own type, the one that the server gives it in any place. Returns that type, 0 for one that the place decides, as for a string
/// without a cast.
///
/// # Errors
/// The text is not a constant of a type that is known here. `out` may contain part of it.
pub fn write_typed(
    out: &mut Vec<u8>,
    sql: &[u8],
    dialect: Dialect,
) -> Result<(Oid, ParameterForm), Unfit> {
    let sql = sql.trim_ascii();
    if sql.ends_with(b")") {
        return Ok((range::write(out, sql, dialect)?, ParameterForm::Text));
    }
    let (constant, rest) = Constant::read(sql, dialect)?;
    let oid = constant.own_type(rest).ok_or(Unfit)?;
    if matches!(constant, Constant::Null) {
        return Ok((oid, ParameterForm::Null));
    }
    if dialect.binary && constant.write_binary(out, oid).is_some() {
        return Ok((oid, ParameterForm::Binary));
    }
    constant.write(out, dialect)?;
    Ok((oid, ParameterForm::Text))
}

/// Writes the constant `sql` as a parameter with the same meaning, for a column of the type `oid`.
///
/// # Errors
/// There is no such parameter. `out` may contain part of one.
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
