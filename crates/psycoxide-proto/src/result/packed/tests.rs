use super::walk::take_number;
use super::writer::CHUNK;
use super::*;

#[derive(Clone, Debug, PartialEq)]
enum Value {
    Number(u64),
    Eight(u64),
    Whole(Option<Vec<u8>>),
    Plain(Option<Vec<u8>>),
}

use Value::{Eight, Number, Plain, Whole};

fn write(packing: &mut Packing, row: &[Value]) {
    let size = row.iter().map(|value| match value {
        Whole(Some(field)) | Plain(Some(field)) => 4 + field.len(),
        _ => 4,
    });
    packing.row(size.sum(), |writer| {
        for value in row {
            match value {
                Number(value) => writer.number(*value),
                Eight(value) => writer.eight(*value),
                Whole(field) => writer.whole(field.as_deref()),
                Plain(field) => writer.plain(field.as_deref()),
            }
        }
    });
}

fn append(packed: &mut Packed, packing: Packing) {
    packed.append(packing, &mut Rows::default(), Position::default()).unwrap();
}

/// What a walk gives next, read as the values of this row say.
fn read(walk: &mut PackedWalk<'_>, like: &[Value]) -> Vec<Value> {
    let mut row = walk.next().unwrap();
    let read = like.iter().map(|like| {
        if let Plain(_) = like {
            return Plain(row.plain().map(<[u8]>::to_vec));
        }
        match (row.field(), like) {
            (PackedField::Whole(field), _) => Whole(field.map(<[u8]>::to_vec)),
            (PackedField::Short, Eight(_)) => Eight(row.eight()),
            (PackedField::Short, _) => Number(row.number()),
        }
    });
    let read: Vec<Value> = read.collect();
    assert!(row.rest.is_empty(), "all of the row was read");
    read
}

/// In chunks of so many rows.
fn packed(rows: &[Vec<Value>], each: usize) -> Packed {
    let width = rows.first().map_or(0, Vec::len);
    let mut packed = Packed::new(width);
    for rows in rows.chunks(each) {
        let mut packing = Packing::new(width);
        rows.iter().for_each(|row| write(&mut packing, row));
        assert_eq!(packing.len(), rows.len());
        append(&mut packed, packing);
    }
    packed
}

fn written(value: u64) -> Vec<u8> {
    let mut room = [0; 20];
    let mut writer = RowWriter::begin(&mut room, 1);
    writer.number(value);
    let end = 20 - writer.rest.len();
    room[1..end].to_vec()
}

#[test]
fn numbers_take_a_byte_for_every_seven_bits() {
    for bits in 0..=64_u32 {
        let most = u64::MAX.checked_shr(64 - bits).unwrap_or_default();
        for value in [most, most ^ (most >> 1), most ^ (most >> 3)] {
            let bytes = written(value);
            let length = if bits > 56 { 9 } else { bits.max(1).div_ceil(7) as usize };
            assert_eq!(bytes.len(), length, "{value}");
            // With and without enough behind it.
            for more in [0, 1, 20] {
                let mut long = bytes.clone();
                long.resize(bytes.len() + more, 0xff);
                let mut rest = &long[..];
                assert_eq!(take_number(&mut rest), Some(value));
                assert_eq!(rest.len(), more);
            }
            for short in 0..bytes.len() {
                assert_eq!(take_number(&mut &bytes[..short]), None, "{value} cut");
            }
        }
    }
}

#[test]
fn rows_are_read_as_they_were_written() {
    for width in [0, 1, 5, 8, 9, 40] {
        let value = |row: usize, column: usize| match (row * 7 + column * 3) % 11 {
            0 => Whole(None),
            1 => Whole(Some(vec![])),
            2 => Whole(Some((0..50).take(row).collect())),
            3 => Whole(Some(vec![9; row * 40])),
            4 => Eight(u64::MAX << column),
            5 => Number(u64::MAX >> (row % 64)),
            6 => Plain(None),
            7 => Plain(Some(vec![1; row])),
            _ => Number(row as u64),
        };
        let rows: Vec<Vec<Value>> =
            (0..150).map(|row| (0..width).map(|column| value(row, column)).collect()).collect();
        for each in [1, 7, 150] {
            let packed = packed(&rows, each);
            assert_eq!(packed.len(), rows.len());
            for start in 0..=rows.len() {
                let mut walk = packed.walk(packed.seek(start));
                for row in &rows[start..] {
                    let again = packed.walk(walk.position());
                    assert_eq!(read(&mut again.clone(), row), *row);
                    assert_eq!(read(&mut walk, row), *row);
                }
                assert!(walk.next().is_none());
                assert!(packed.walk(walk.position()).next().is_none());
            }
            assert!(packed.walk(packed.seek(usize::MAX)).next().is_none());
        }
    }
}

#[test]
fn a_row_of_numbers_is_short() {
    let row = vec![Number(1_000_000), Plain(Some(vec![b'x'; 20])), Eight(1), Whole(None)];
    let packed = packed(&[row], 1);
    assert_eq!(packed.memory(), 1 + 1 + 3 + 21 + 8 + 1);
}

#[test]
fn a_buffer_is_full_before_it_grows() {
    let mut packing = Packing::new(1);
    while !packing.is_full() {
        write(&mut packing, &[Whole(Some(vec![0; 5000]))]);
    }
    assert_eq!(packing.chunk.bytes.len(), CHUNK);
    let long = Whole(Some(vec![1; 3 * CHUNK]));
    write(&mut packing, std::slice::from_ref(&long));
    let rows = packing.len();
    let mut packed = Packed::new(1);
    append(&mut packed, packing);
    append(&mut packed, Packing::new(1));
    assert_eq!((packed.len(), packed.chunks.len()), (rows, 1));
    let mut walk = packed.walk(packed.seek(rows - 1));
    assert_eq!(read(&mut walk, &[Whole(None)]), [long]);
}

/// Whatever is left of a buffer, down to nothing.
#[test]
fn a_row_fits_or_has_the_buffer_grow() {
    let row = [Number(5), Number(u64::MAX), Eight(6), Whole(Some(vec![3; 200])), Whole(None)];
    for left in 0..400 {
        let mut packing = Packing::new(row.len());
        packing.chunk.used = CHUNK - left;
        write(&mut packing, &row);
        let mut packed = Packed::new(row.len());
        append(&mut packed, packing);
        let start = Position { offset: CHUNK - left, ..Position::default() };
        assert_eq!(read(&mut packed.walk(start), &row), row);
    }
}

/// Not so if what is said of the row is true.
#[test]
fn a_row_larger_than_was_said_is_refused() {
    let mut packing = Packing::new(1);
    packing.row(5, |writer| writer.whole(Some(&[1; 2 * CHUNK])));
    let mut packed = Packed::new(1);
    assert!(packed.append(packing, &mut Rows::default(), Position::default()).is_none());
    assert!(packed.is_empty());
}
