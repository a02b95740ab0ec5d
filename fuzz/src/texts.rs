//! PostgreSQL's text formats: a value that is written again and read again is the same.

use std::net::IpAddr;

use psycoxide_sql::binary::array::{self, Array};
use psycoxide_sql::binary::{
    self as formats, datetime, float, network, numeric, range as ranges_in,
};
use psycoxide_sql::template::{Piece, Style, Template};
use psycoxide_sql::text::array::{Item, Items, unescape};
use psycoxide_sql::text::date::{Date, date};
use psycoxide_sql::text::hstore::Pairs;
use psycoxide_sql::text::interval::{Interval, interval};
use psycoxide_sql::text::loose::Loose;
use psycoxide_sql::text::range::{Range, multirange, range};
use psycoxide_sql::text::time::{Time, time};
use psycoxide_sql::text::timestamp::{Timestamp, timestamp};
use psycoxide_sql::text::{Malformed, Moment, bytea, composite, number};

/// A target's name and function.
type Target = (&'static str, fn(&[u8]));

/// All targets of this file.
pub const TARGETS: &[Target] = &[
    ("arrays", arrays),
    ("binary", binary),
    ("composites", composites),
    ("dates", dates),
    ("hstore", hstore),
    ("intervals", intervals),
    ("ranges", ranges),
    ("scalars", scalars),
    ("template", template),
];

#[derive(Debug, PartialEq)]
enum Token {
    Open,
    Close,
    Null,
    Text(Vec<u8>),
}

pub fn arrays(input: &[u8]) {
    let Ok(tokens) = array_tokens(input) else { return };
    let mut written = Vec::new();
    let mut previous: Option<&Token> = None;
    for token in &tokens {
        let apart = !matches!(previous, None | Some(Token::Open));
        if apart && *token != Token::Close {
            written.push(b',');
        }
        match token {
            Token::Open => written.push(b'{'),
            Token::Close => written.push(b'}'),
            Token::Null => written.extend(b"NULL"),
            Token::Text(text) => quote(text, &mut written),
        }
        previous = Some(token);
    }
    assert_eq!(array_tokens(&written).as_ref(), Ok(&tokens));
}

fn array_tokens(text: &[u8]) -> Result<Vec<Token>, Malformed> {
    let mut items = Items::new(text);
    let mut tokens = Vec::new();
    while let Some(item) = items.step()? {
        tokens.push(match item {
            Item::Open => Token::Open,
            Item::Close => Token::Close,
            Item::Null => Token::Null,
            Item::Plain(text) => Token::Text(text.to_vec()),
            Item::Escaped(text) => {
                let mut plain = Vec::new();
                unescape(text, &mut plain);
                Token::Text(plain)
            }
        });
    }
    Ok(tokens)
}

pub fn composites(input: &[u8]) {
    let Ok(fields) = composite::fields(input) else { return };
    let mut written = vec![b'('];
    for (index, field) in fields.iter().enumerate() {
        if index > 0 {
            written.push(b',');
        }
        if let Some(text) = field {
            quote(text, &mut written);
        }
    }
    written.push(b')');
    assert_eq!(composite::fields(&written), Ok(fields));
}

pub fn hstore(input: &[u8]) {
    let Ok(pairs) = hstore_pairs(input) else { return };
    let mut written = Vec::new();
    for (key, value) in &pairs {
        if !written.is_empty() {
            written.extend(b", ");
        }
        quote(key, &mut written);
        written.extend(b"=>");
        match value {
            Some(text) => quote(text, &mut written),
            None => written.extend(b"NULL"),
        }
    }
    assert_eq!(hstore_pairs(&written), Ok(pairs));
}

type Pair = (Vec<u8>, Option<Vec<u8>>);

fn hstore_pairs(text: &[u8]) -> Result<Vec<Pair>, Malformed> {
    let mut walk = Pairs::new(text);
    let mut pairs = Vec::new();
    while let Some((key, value)) = walk.step()? {
        pairs.push((key.into_owned(), value.map(|value| value.into_owned())));
    }
    Ok(pairs)
}

pub fn ranges(input: &[u8]) {
    if let Ok(read) = range(input) {
        assert_eq!(range(&write_range(&read)), Ok(read));
    }
    let Ok(parts) = multirange(input) else { return };
    for part in &parts {
        assert!(range(part).is_ok(), "a part of a multirange is a range");
    }
    let written = [b"{", parts.join(&b',').as_slice(), b"}"].concat();
    assert_eq!(multirange(&written), Ok(parts));
}

fn write_range(range: &Range) -> Vec<u8> {
    let Range::Between { lower, upper, lower_inclusive, upper_inclusive } = range else {
        return b"empty".to_vec();
    };
    let mut written = vec![if *lower_inclusive { b'[' } else { b'(' }];
    if let Some(text) = lower {
        quote(text, &mut written);
    }
    written.push(b',');
    if let Some(text) = upper {
        quote(text, &mut written);
    }
    written.push(if *upper_inclusive { b']' } else { b')' });
    written
}

pub fn intervals(input: &[u8]) {
    let Ok(read) = interval(input) else { return };
    let Interval { years, months, days, microseconds } = read;
    if [years, months, days, microseconds].contains(&i64::MIN) {
        return; // its digits without the sign are too large to be read
    }
    let sign = if microseconds < 0 { "-" } else { "" };
    let (seconds, fraction) =
        (microseconds.unsigned_abs() / 1_000_000, microseconds.unsigned_abs() % 1_000_000);
    for written in [
        format!("P{years}Y{months}M{days}DT{sign}{seconds}.{fraction:06}S"),
        format!("@ {years} years {months} mons {days} days {sign}{seconds}.{fraction:06} secs"),
        format!("{years} years {months} mons {days} days {sign}0:00:{seconds}.{fraction:06}"),
    ] {
        assert_eq!(interval(written.as_bytes()), Ok(read), "{written}");
    }
}

pub fn dates(input: &[u8]) {
    loose(input);
    if let Ok(Moment::Finite(read)) = date(input) {
        let (figures, era) = write_date(read);
        assert_eq!(date(format!("{figures}{era}").as_bytes()), Ok(Moment::Finite(read)));
    }
    if let Ok((read, offset)) = time(input) {
        let _ = read.normalized();
        if let Some(zone) = write_offset(offset) {
            let written = write_time(read) + &zone;
            assert_eq!(time(written.as_bytes()), Ok((read, offset)), "{written}");
        }
    }
    if let Ok(Moment::Finite(read)) = timestamp(input)
        && let Some(zone) = write_offset(read.offset)
    {
        let (figures, era) = write_date(read.date);
        let written = format!("{figures} {}{zone}{era}", write_time(read.time));
        assert_eq!(timestamp(written.as_bytes()), Ok(Moment::Finite(read)), "{written}");
    }
}

/// The lenient reader reads a server's text as the strict readers do.
fn loose(input: &[u8]) {
    let fields = |date: Date| [date.year, date.month.into(), date.day.into()];
    let read = (Loose::date(input), Loose::time(input), Loose::timestamp(input));
    if let Ok(Moment::Finite(date)) = date(input) {
        assert_eq!(read.0.map(|loose| loose.date), Ok(fields(date)));
    }
    if let Ok((time, offset)) = time(input)
        && time.second < 60
    {
        assert_eq!(
            read.1.map(|loose| (loose.time[2], loose.offset)),
            Ok((time.second.into(), offset))
        );
    }
    if let Ok(Moment::Finite(Timestamp { date, offset, .. })) = timestamp(input) {
        assert_eq!(read.2.map(|loose| (loose.date, loose.offset)), Ok((fields(date), offset)));
    }
}

fn write_date(date: Date) -> (String, &'static str) {
    let era = if date.year < 0 { " BC" } else { "" };
    (format!("{:04}-{:02}-{:02}", date.year.unsigned_abs(), date.month, date.day), era)
}

fn write_time(time: Time) -> String {
    let Time { hour, minute, second, microsecond } = time;
    format!("{hour:02}:{minute:02}:{second:02}.{microsecond:06}")
}

/// `None` for an offset of a hundred hours or more, which has no two digits.
fn write_offset(offset: Option<i32>) -> Option<String> {
    let Some(seconds) = offset else { return Some(String::new()) };
    let sign = if seconds < 0 { '-' } else { '+' };
    let (hours, rest) = (seconds.unsigned_abs() / 3600, seconds.unsigned_abs() % 3600);
    (hours < 100).then(|| format!("{sign}{hours:02}:{:02}:{:02}", rest / 60, rest % 60))
}

/// Every binary format is read or refused; what is written of a value is its text.
pub fn binary(input: &[u8]) {
    let text = |write: fn(&[u8], &mut Vec<u8>) -> Result<(), Malformed>| {
        let mut out = Vec::new();
        write(input, &mut out).ok().map(|()| String::from_utf8(out).expect("it is ASCII"))
    };
    if let Some(text) = text(numeric::write) {
        let digits = text.strip_prefix('-').unwrap_or(&text);
        let plain = |byte: u8| byte.is_ascii_digit() || byte == b'.';
        assert!(digits.bytes().all(plain) || matches!(digits, "NaN" | "Infinity"), "{text}");
        assert!(number::float(text.as_bytes()).is_some() || digits == "Infinity", "{text}");
    }
    if let Some(text) = text(network::write_inet) {
        let address = text.split('/').next().unwrap_or_default();
        let octets = match address.parse().expect("an address") {
            IpAddr::V4(address) => address.octets().to_vec(),
            IpAddr::V6(address) => address.octets().to_vec(),
        };
        assert_eq!(Some(octets.as_slice()), input.get(4..), "{text}");
    }
    let _ = (text(network::write_cidr), text(network::write_mac::<6>));
    if let Some(text) = text(datetime::write_date) {
        assert_eq!(date(text.as_bytes()), datetime::date(input), "{text}");
    }
    if let Some(text) = text(datetime::write_timestamp) {
        assert_eq!(timestamp(text.as_bytes()), datetime::timestamp(input), "{text}");
    }
    if let Some(text) = text(|bytes, out| ranges_in::write(bytes, out, datetime::write_timestamptz))
    {
        assert!(range(text.as_bytes()).is_ok(), "{text}");
    }
    if let Some(text) = text(|bytes, out| ranges_in::write_multi(bytes, out, formats::write_int4)) {
        assert!(text.contains("empty") || multirange(text.as_bytes()).is_ok(), "{text}");
    }
    if let (Ok(read), Some(bytes)) = (float::float4(input), input.first_chunk()) {
        #[allow(clippy::cast_possible_truncation)]
        let (read, value) = (read as f32, f32::from_be_bytes(*bytes));
        assert!(read == value || value.is_nan(), "{value:e}");
    }
    let _ = (datetime::interval(input), datetime::timetz(input), formats::jsonb(input));
    if let Ok(mut all) = Array::parse(input) {
        let count: usize = all.dimensions.iter().copied().map(array::size).product();
        let count = if all.dimensions.is_empty() { 0 } else { count };
        assert!(count <= input.len() / 4);
        for _ in 0..count {
            let fixed = { all }.next_fixed::<4>();
            let next = all.next_element();
            match next {
                Ok(Some(bytes)) if bytes.len() == 4 => {
                    assert_eq!(fixed.ok().flatten().as_ref().map(<[u8; 4]>::as_slice), Some(bytes));
                }
                Ok(None) => assert_eq!(fixed, Ok(None)),
                Ok(Some(_)) | Err(_) => assert!(fixed.is_err()),
            }
            if next.is_err() {
                return;
            }
        }
        let _ = all.is_at_end();
    }
}

pub fn scalars(input: &[u8]) {
    if let Some(read) = number::integer(input) {
        assert_eq!(number::integer(read.to_string().as_bytes()), Some(read));
    }
    if let Some(read) = number::float(input).filter(|read| !read.is_nan()) {
        assert_eq!(number::float(read.to_string().as_bytes()), Some(read));
    }
    if let Ok(read) = bytea::bytes(input) {
        let hex: String = read.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(bytea::bytes(format!("\\x{hex}").as_bytes()), Ok(read));
    }
}

/// A query with mergeable placeholders, written again from its pieces, has the same placeholders in
/// the same places.
pub fn template(input: &[u8]) {
    let read = Template::parse(input);
    let parts = template_parts(input, &read);
    if read.reading_fault().is_some() || read.merging_fault().is_some() {
        return;
    }
    let mut written = Vec::new();
    for part in &parts {
        match part {
            Part::Text(text) => {
                for byte in text {
                    written.extend(std::iter::repeat_n(*byte, 1 + usize::from(*byte == b'%')));
                }
            }
            Part::Placeholder(placeholder) => written.extend(placeholder),
        }
    }
    let again = Template::parse(&written);
    assert_eq!((again.reading_fault(), again.merging_fault()), (None, None));
    assert_eq!(template_parts(&written, &again), parts);
}

#[derive(Debug, PartialEq)]
enum Part {
    Text(Vec<u8>),
    Placeholder(Vec<u8>),
}

/// The text between placeholders, and the placeholders as they are written.
fn template_parts(query: &[u8], template: &Template) -> Vec<Part> {
    let mut parts = Vec::new();
    for piece in template.pieces() {
        match piece {
            Piece::Text(place) => {
                parts.push(Part::Text(template.text(place).to_vec()));
            }
            Piece::Value(index) => {
                parts.push(Part::Placeholder(match template.style() {
                    Some(Style::Names) => {
                        let place = template.names().get(*index).expect("names are known");
                        let name = query.get(place.clone()).expect("names lie within the query");
                        [b"%(", name, b")s"].concat()
                    }
                    _ => {
                        assert!(*index < template.positions());
                        b"%s".to_vec()
                    }
                }));
            }
        }
    }
    parts
}

fn quote(text: &[u8], out: &mut Vec<u8>) {
    out.push(b'"');
    for byte in text {
        if matches!(byte, b'"' | b'\\') {
            out.push(b'\\');
        }
        out.push(*byte);
    }
    out.push(b'"');
}
