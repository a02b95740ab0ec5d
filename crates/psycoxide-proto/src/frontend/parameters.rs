//! The values of a statement's parameters, with their types.

use crate::wire::writer::{Refused, TOO_MANY, Writer};

/// The form in which a parameter was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Written {
    /// Nothing was written: the parameter is NULL.
    Null,
    /// The value is text.
    Text,
    /// The value is in its type's binary format.
    Binary,
}

/// The parameters of a statement, serialised as a `Bind` has them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Parameters {
    types: Vec<u32>,
    /// Whether each is in binary.
    binary: Vec<bool>,
    /// Each value after its length.
    values: Vec<u8>,
}

/// Most values take no more bytes than this, with their length.
const TYPICAL_VALUE: usize = 16;

impl Parameters {
    /// Without any yet, but with memory for `count` of them.
    pub fn with_capacity(count: usize) -> Parameters {
        Parameters {
            types: Vec::with_capacity(count),
            binary: Vec::with_capacity(count),
            values: Vec::with_capacity(count * TYPICAL_VALUE),
        }
    }

    /// Adds a parameter: `write` appends its value, and returns its type (0 lets the server choose)
    /// and its form. If it returns `None`, there is no such parameter: what it wrote is returned.
    ///
    /// # Errors
    /// Those of `write`. The parameters are as before then.
    pub fn add<E>(
        &mut self,
        write: impl FnOnce(&mut Vec<u8>) -> Result<Option<(u32, Written)>, E>,
    ) -> Result<Option<Vec<u8>>, E> {
        let at = self.values.len();
        self.values.extend_from_slice(&[0xff; 4]);
        let written = write(&mut self.values).inspect_err(|_| self.values.truncate(at))?;
        let Some((oid, written)) = written else {
            let other = self.values.get(at + 4..).unwrap_or_default().to_vec();
            self.values.truncate(at);
            return Ok(Some(other));
        };
        if written == Written::Null {
            self.values.truncate(at + 4);
        } else {
            let length = self.values.len() - at - 4;
            // Saturates: a message that is too long is refused as a whole.
            let length = u32::try_from(length).unwrap_or(u32::MAX);
            if let Some(field) = self.values.get_mut(at..).and_then(<[u8]>::first_chunk_mut) {
                *field = length.to_be_bytes();
            }
        }
        self.types.push(oid);
        self.binary.push(written == Written::Binary);
        Ok(None)
    }

    /// Adds a parameter that is there already: its type, and its value in text or in binary.
    pub fn push(&mut self, oid: u32, value: Option<(&[u8], Written)>) {
        let written: Result<_, std::convert::Infallible> = self.add(|out| {
            let Some((value, written)) = value else { return Ok(Some((oid, Written::Null))) };
            out.extend_from_slice(value);
            Ok(Some((oid, written)))
        });
        let Ok(_) = written;
    }

    /// The types of the parameters.
    pub fn types(&self) -> &[u32] {
        &self.types
    }

    /// Takes the types out, for a [`BoundStatement`](crate::BoundStatement) to have them.
    pub(crate) fn take_types(&mut self) -> Vec<u32> {
        std::mem::take(&mut self.types)
    }

    /// The number of parameters.
    pub fn len(&self) -> usize {
        self.binary.len()
    }

    /// How many bytes they take.
    pub(crate) fn size(&self) -> usize {
        self.values.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.binary.is_empty()
    }

    /// Writes their formats and values into a `Bind`.
    pub(crate) fn write(&self, message: &mut Writer<'_>) -> Result<(), Refused> {
        if self.binary.contains(&true) {
            message.count(self.len())?;
            for binary in &self.binary {
                message.int16(i16::from(*binary));
            }
        } else {
            // All are text.
            message.int16(0);
        }
        message.count(self.len()).map_err(|_| TOO_MANY)?;
        message.bytes(&self.values)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(parameters: &Parameters) -> Vec<u8> {
        let mut out = Vec::new();
        let mut message = Writer::untyped(&mut out);
        parameters.write(&mut message).unwrap();
        out.split_off(4)
    }

    #[test]
    fn values_have_lengths_and_formats() {
        let mut parameters = Parameters::default();
        assert_eq!(written(&parameters), b"\0\0\0\0");
        parameters.push(0, Some((b"7", Written::Text)));
        parameters.push(25, None);
        assert_eq!(written(&parameters), b"\0\0\0\x02\0\0\0\x017\xff\xff\xff\xff");
        parameters.push(16, Some((b"\x01", Written::Binary)));
        assert_eq!(
            written(&parameters),
            b"\0\x03\0\0\0\0\0\x01\0\x03\0\0\0\x017\xff\xff\xff\xff\0\0\0\x01\x01"
        );
        assert_eq!(parameters.types(), [0, 25, 16]);
    }

    #[test]
    fn what_is_no_parameter_is_returned() {
        let mut parameters = Parameters::default();
        parameters.push(0, Some((b"7", Written::Text)));
        let before = parameters.clone();
        let other = parameters.add(|out| {
            out.extend_from_slice(b"(1, 2)");
            Ok::<_, ()>(None)
        });
        assert_eq!(other, Ok(Some(b"(1, 2)".to_vec())));
        assert_eq!(parameters, before);
        let failed = parameters.add(|out| {
            out.push(1);
            Err(7)
        });
        assert_eq!((failed, parameters), (Err(7), before));
    }
}
