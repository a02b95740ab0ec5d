//! Reads JSON into values of the caller's choice.
//!
//! It reads what a server usually writes. Everything else (a lone surrogate, an integer beyond 64
//! bits, nesting over a hundred levels, text that is not JSON) gives [`ReadError::Unusual`]: the caller
//! knows what its users expect of it.

use super::number;

/// The greatest depth of lists and objects, as reading them recurses.
const MAX_DEPTH: usize = 100;

/// Builds the values, in the order in which they are read.
pub trait Build {
    /// A value of any kind.
    type Value;
    /// The key of an object.
    type Key;
    /// A list that is being filled.
    type List;
    /// An object that is being filled.
    type Object;
    /// Why a value could not be made.
    type Error;

    /// `null`
    fn null(&mut self) -> Result<Self::Value, Self::Error>;
    /// `true` or `false`
    fn boolean(&mut self, value: bool) -> Result<Self::Value, Self::Error>;
    /// A number without fraction and exponent.
    fn integer(&mut self, value: i64) -> Result<Self::Value, Self::Error>;
    /// A number with a fraction or an exponent; infinite if it is too large.
    fn float(&mut self, value: f64) -> Result<Self::Value, Self::Error>;
    /// A string.
    fn string(&mut self, text: Text<'_>) -> Result<Self::Value, Self::Error>;

    /// A list begins.
    fn list(&mut self) -> Result<Self::List, Self::Error>;
    /// A list's next element.
    fn push(&mut self, list: &mut Self::List, value: Self::Value) -> Result<(), Self::Error>;
    /// A list is complete.
    fn end_list(&mut self, list: Self::List) -> Self::Value;

    /// An object begins.
    fn object(&mut self) -> Result<Self::Object, Self::Error>;
    /// The key of an object's next member.
    fn key(&mut self, text: Text<'_>) -> Result<Self::Key, Self::Error>;
    /// An object's next member. A key may occur again.
    fn insert(
        &mut self,
        object: &mut Self::Object,
        key: Self::Key,
        value: Self::Value,
    ) -> Result<(), Self::Error>;
    /// An object is complete.
    fn end_object(&mut self, object: Self::Object) -> Self::Value;
}

/// The text of a string.
#[derive(Debug)]
pub enum Text<'a> {
    /// The text is in the input, all of it ASCII.
    Ascii(&'a [u8]),
    /// The text is in the input.
    Plain(&'a str),
    /// The string had escapes.
    Unescaped(String),
}

/// Why reading ended early.
#[derive(Debug, PartialEq, Eq)]
pub enum ReadError<E> {
    /// The input is none of the usual JSON.
    Unusual,
    /// A value could not be built.
    Failed(E),
}

impl<E> From<E> for ReadError<E> {
    fn from(error: E) -> Self {
        Self::Failed(error)
    }
}

/// Reads the single value that `text` contains.
///
/// # Errors
/// [`ReadError::Unusual`] if a more general reader should try; [`ReadError::Failed`] if a value could not be
/// built.
pub fn read<B: Build>(text: &[u8], build: &mut B) -> Result<B::Value, ReadError<B::Error>> {
    let mut parser = Parser { rest: text, build };
    parser.space();
    let value = parser.value(MAX_DEPTH)?;
    parser.space();
    if parser.rest.is_empty() { Ok(value) } else { Err(ReadError::Unusual) }
}

struct Parser<'a, 'b, B> {
    rest: &'a [u8],
    build: &'b mut B,
}

impl<'a, B: Build> Parser<'a, '_, B> {
    /// Reads a value with up to `depth` levels.
    fn value(&mut self, depth: usize) -> Result<B::Value, ReadError<B::Error>> {
        let rest = self.rest;
        match rest {
            [b'"', body @ ..] => {
                let text = self.quoted(body)?;
                Ok(self.build.string(text)?)
            }
            [b'-' | b'0'..=b'9', ..] => self.number(),
            [b'{', rest @ ..] => {
                self.rest = rest;
                self.object(depth.checked_sub(1).ok_or(ReadError::Unusual)?)
            }
            [b'[', rest @ ..] => {
                self.rest = rest;
                self.list(depth.checked_sub(1).ok_or(ReadError::Unusual)?)
            }
            [b'n', ..] if self.took(b"null") => Ok(self.build.null()?),
            [b't', ..] if self.took(b"true") => Ok(self.build.boolean(true)?),
            [b'f', ..] if self.took(b"false") => Ok(self.build.boolean(false)?),
            _ => Err(ReadError::Unusual),
        }
    }

    /// Reads an object after its `{`.
    fn object(&mut self, depth: usize) -> Result<B::Value, ReadError<B::Error>> {
        let mut object = self.build.object()?;
        self.space();
        if self.took(b"}") {
            return Ok(self.build.end_object(object));
        }
        loop {
            let [b'"', body @ ..] = self.rest else { return Err(ReadError::Unusual) };
            let text = self.quoted(body)?;
            let key = self.build.key(text)?;
            self.space();
            self.expect(b':')?;
            self.space();
            let value = self.value(depth)?;
            self.build.insert(&mut object, key, value)?;
            self.space();
            if self.took(b"}") {
                return Ok(self.build.end_object(object));
            }
            self.expect(b',')?;
            self.space();
        }
    }

    /// Reads a list after its `[`.
    fn list(&mut self, depth: usize) -> Result<B::Value, ReadError<B::Error>> {
        let mut list = self.build.list()?;
        self.space();
        if self.took(b"]") {
            return Ok(self.build.end_list(list));
        }
        loop {
            let value = self.value(depth)?;
            self.build.push(&mut list, value)?;
            self.space();
            if self.took(b"]") {
                return Ok(self.build.end_list(list));
            }
            self.expect(b',')?;
            self.space();
        }
    }

    fn number(&mut self) -> Result<B::Value, ReadError<B::Error>> {
        let text = self.rest;
        let (end, is_float) = number_end(text).ok_or(ReadError::Unusual)?;
        let (text, rest) = text.split_at_checked(end).ok_or(ReadError::Unusual)?;
        self.rest = rest;
        if is_float {
            let value = number::float(text).ok_or(ReadError::Unusual)?;
            return Ok(self.build.float(value)?);
        }
        let value = number::integer(text).ok_or(ReadError::Unusual)?;
        Ok(self.build.integer(value)?)
    }

    /// Takes a string off the front; `body` begins after its opening quote.
    fn quoted(&mut self, body: &'a [u8]) -> Result<Text<'a>, ReadError<B::Error>> {
        let mut seen = 0;
        for (at, byte) in body.iter().enumerate() {
            match byte {
                b'"' => {
                    let (text, rest) = body.split_at_checked(at).ok_or(ReadError::Unusual)?;
                    self.rest = rest.get(1..).unwrap_or_default();
                    if seen < 0x80 {
                        return Ok(Text::Ascii(text));
                    }
                    return std::str::from_utf8(text)
                        .map(Text::Plain)
                        .map_err(|_| ReadError::Unusual);
                }
                b'\\' => {
                    let (text, rest) = escaped(body, at).ok_or(ReadError::Unusual)?;
                    self.rest = rest;
                    return Ok(Text::Unescaped(text));
                }
                0x00..0x20 => return Err(ReadError::Unusual),
                byte => seen |= byte,
            }
        }
        Err(ReadError::Unusual)
    }

    #[inline]
    fn space(&mut self) {
        while let [b' ' | b'\t' | b'\n' | b'\r', rest @ ..] = self.rest {
            self.rest = rest;
        }
    }

    #[inline]
    fn took(&mut self, expected: &[u8]) -> bool {
        match self.rest.strip_prefix(expected) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    #[inline]
    fn expect(&mut self, expected: u8) -> Result<(), ReadError<B::Error>> {
        if self.took(&[expected]) { Ok(()) } else { Err(ReadError::Unusual) }
    }
}

/// The end of the number that `text` begins with, and whether it has a fraction or an exponent.
fn number_end(text: &[u8]) -> Option<(usize, bool)> {
    let digits = |from: usize| {
        let rest = text.get(from..).unwrap_or_default();
        rest.iter().take_while(|byte| byte.is_ascii_digit()).count()
    };
    let start = usize::from(text.first() == Some(&b'-'));
    let whole = digits(start);
    if whole == 0 || (whole > 1 && text.get(start) == Some(&b'0')) {
        return None;
    }
    let mut end = start + whole;
    let mut is_float = false;
    if text.get(end) == Some(&b'.') {
        let fraction = digits(end + 1);
        if fraction == 0 {
            return None;
        }
        end += 1 + fraction;
        is_float = true;
    }
    if let Some(b'e' | b'E') = text.get(end) {
        let sign = usize::from(matches!(text.get(end + 1), Some(b'+' | b'-')));
        let exponent = digits(end + 1 + sign);
        if exponent == 0 {
            return None;
        }
        end += 1 + sign + exponent;
        is_float = true;
    }
    Some((end, is_float))
}

/// The text of a string whose first backslash is at `first`, and the input after the string.
#[cold]
fn escaped(body: &[u8], first: usize) -> Option<(String, &[u8])> {
    let (plain, mut rest) = body.split_at_checked(first)?;
    let mut text = plain.to_vec();
    loop {
        let (byte, tail) = rest.split_first()?;
        rest = tail;
        match byte {
            b'"' => return Some((String::from_utf8(text).ok()?, rest)),
            b'\\' => rest = unescape(rest, &mut text)?,
            0x00..0x20 => return None,
            byte => text.push(*byte),
        }
    }
}

/// Appends the character of an escape, after its backslash. Returns the input after it.
fn unescape<'a>(rest: &'a [u8], text: &mut Vec<u8>) -> Option<&'a [u8]> {
    let (kind, mut rest) = rest.split_first()?;
    let plain = match kind {
        b'"' | b'\\' | b'/' => *kind,
        b'b' => 0x08,
        b'f' => 0x0c,
        b'n' => b'\n',
        b'r' => b'\r',
        b't' => b'\t',
        b'u' => {
            let mut code = four_hex(&mut rest)?;
            if (0xD800..0xDC00).contains(&code) {
                rest = rest.strip_prefix(b"\\u")?;
                let low = four_hex(&mut rest)?;
                if !(0xDC00..0xE000).contains(&low) {
                    return None;
                }
                code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
            }
            // A lone surrogate is not a `char`.
            let code = char::from_u32(code)?;
            text.extend_from_slice(code.encode_utf8(&mut [0; 4]).as_bytes());
            return Some(rest);
        }
        _ => return None,
    };
    text.push(plain);
    Some(rest)
}

fn four_hex(rest: &mut &[u8]) -> Option<u32> {
    let (digits, tail) = rest.split_first_chunk::<4>()?;
    *rest = tail;
    digits.iter().try_fold(0, |code, digit| Some(code << 4 | char::from(*digit).to_digit(16)?))
}

#[cfg(test)]
mod tests;
