//! Network addresses in binary, as the text that the server writes of them.

use std::io::Write;
use std::net::Ipv4Addr;

use super::{FAULT, fixed};
use crate::text::Malformed;

const IPV4: u8 = 2;
const IPV6: u8 = 3;

/// Writes the text of an `inet`: without the number of bits if it is that of the whole address.
pub fn write_inet(bytes: &[u8], out: &mut Vec<u8>) -> Result<(), Malformed> {
    let (bits, most) = write_address(bytes, out)?;
    write_bits(out, (bits != most).then_some(bits));
    Ok(())
}

/// Writes the text of a `cidr`, always with the number of bits.
pub fn write_cidr(bytes: &[u8], out: &mut Vec<u8>) -> Result<(), Malformed> {
    let (bits, _) = write_address(bytes, out)?;
    write_bits(out, Some(bits));
    Ok(())
}

/// Writes the text of a `macaddr` (six bytes) or a `macaddr8` (eight).
pub fn write_mac<const N: usize>(bytes: &[u8], out: &mut Vec<u8>) -> Result<(), Malformed> {
    for (place, byte) in fixed::<N>(bytes)?.iter().enumerate() {
        write(out, format_args!("{}{byte:02x}", if place > 0 { ":" } else { "" }));
    }
    Ok(())
}

/// Writes an address. Returns the number of bits in its mask, and the number that it has itself.
fn write_address(bytes: &[u8], out: &mut Vec<u8>) -> Result<(u8, u8), Malformed> {
    let ([family, bits, is_cidr, length], address) = bytes.split_first_chunk().ok_or(FAULT)?;
    if *is_cidr > 1 || usize::from(*length) != address.len() {
        return Err(FAULT);
    }
    let most = match *family {
        IPV4 => {
            write(out, format_args!("{}", Ipv4Addr::from(fixed::<4>(address)?)));
            32
        }
        IPV6 => {
            write_ipv6(fixed(address)?, out);
            128
        }
        _ => return Err(FAULT),
    };
    if *bits > most { Err(FAULT) } else { Ok((*bits, most)) }
}

fn write_bits(out: &mut Vec<u8>, bits: Option<u8>) {
    if let Some(bits) = bits {
        write(out, format_args!("/{bits}"));
    }
}

/// An address of eight words: the first longest run of at least two zeros is left out, and what
/// stands for an IPv4 address is written like one. Unlike Rust's, `::1.2.3.4` is too.
fn write_ipv6(address: [u8; 16], out: &mut Vec<u8>) {
    let (pairs, _) = address.as_chunks::<2>();
    let words: Vec<u16> = pairs.iter().map(|pair| u16::from_be_bytes(*pair)).collect();
    let (mut start, mut length, mut current) = (0, 0, 0);
    for (place, word) in words.iter().enumerate() {
        current = if *word == 0 { current + 1 } else { 0 };
        if current > length && current > 1 {
            (start, length) = (place + 1 - current, current);
        }
    }
    let left_out = start..start + length;
    let [.., a, b, c, d] = address;
    for (place, word) in words.iter().enumerate() {
        if left_out.contains(&place) {
            if place == start {
                out.push(b':');
            }
            continue;
        }
        if place > 0 {
            out.push(b':');
        }
        let mapped = length == 5 && words.get(5) == Some(&0xffff);
        if place == 6 && length > 0 && start == 0 && (length == 6 || mapped) {
            write(out, format_args!("{}", Ipv4Addr::new(a, b, c, d)));
            return;
        }
        write(out, format_args!("{word:x}"));
    }
    if length > 0 && left_out.end == words.len() {
        out.push(b':');
    }
}

fn write(out: &mut Vec<u8>, text: std::fmt::Arguments<'_>) {
    // Writing to a vector does not fail.
    let _ = out.write_fmt(text);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(
        write: fn(&[u8], &mut Vec<u8>) -> Result<(), Malformed>,
        bytes: &[u8],
    ) -> Result<String, Malformed> {
        let mut out = Vec::new();
        write(bytes, &mut out).map(|()| String::from_utf8(out).unwrap())
    }

    fn ipv6(words: [u16; 8]) -> String {
        let address: Vec<u8> = words.iter().flat_map(|word| word.to_be_bytes()).collect();
        text(write_inet, &[&[3, 128, 0, 16][..], &address].concat()).unwrap()
    }

    #[test]
    fn ipv4_has_its_bits_if_they_say_something() {
        assert_eq!(text(write_inet, &[2, 32, 0, 4, 10, 0, 0, 1]).as_deref(), Ok("10.0.0.1"));
        assert_eq!(text(write_inet, &[2, 8, 0, 4, 10, 0, 0, 1]).as_deref(), Ok("10.0.0.1/8"));
        assert_eq!(text(write_cidr, &[2, 32, 1, 4, 10, 0, 0, 1]).as_deref(), Ok("10.0.0.1/32"));
    }

    #[test]
    fn ipv6_is_shortened_as_the_server_does() {
        assert_eq!(ipv6([0, 0, 0, 0, 0, 0, 0, 0]), "::");
        assert_eq!(ipv6([0, 0, 0, 0, 0, 0, 0, 1]), "::1");
        assert_eq!(ipv6([1, 0, 0, 0, 0, 0, 0, 0]), "1::");
        assert_eq!(ipv6([1, 0, 2, 0, 0, 3, 0, 0]), "1:0:2::3:0:0");
        assert_eq!(ipv6([1, 2, 3, 4, 5, 6, 7, 0]), "1:2:3:4:5:6:7:0");
        assert_eq!(ipv6([0, 0, 0, 0, 0, 0xffff, 0x0102, 0x0304]), "::ffff:1.2.3.4");
        assert_eq!(ipv6([0, 0, 0, 0, 0, 0, 0x0102, 0x0304]), "::1.2.3.4");
        assert_eq!(ipv6([0x2001, 0xdb8, 0, 0, 0, 0, 0xab, 0]), "2001:db8::ab:0");
    }

    #[test]
    fn hardware_addresses_are_written() {
        assert_eq!(
            text(write_mac::<6>, &[8, 0, 0x2b, 1, 2, 255]).as_deref(),
            Ok("08:00:2b:01:02:ff")
        );
        assert_eq!(text(write_mac::<8>, &[0; 8]).as_deref(), Ok("00:00:00:00:00:00:00:00"));
        assert_eq!(text(write_mac::<8>, &[0; 6]), Err(FAULT));
    }

    #[test]
    fn contradictions_are_refused() {
        for bytes in [
            &[][..],
            &[2, 32, 0],
            &[2, 32, 0, 4, 10, 0, 0],
            &[2, 32, 0, 3, 10, 0, 0],
            &[2, 33, 0, 4, 10, 0, 0, 1],
            &[3, 32, 0, 4, 10, 0, 0, 1],
            &[4, 32, 0, 4, 10, 0, 0, 1],
            &[2, 32, 2, 4, 10, 0, 0, 1],
        ] {
            assert_eq!(text(write_inet, bytes), Err(FAULT), "{bytes:?}");
        }
    }
}
