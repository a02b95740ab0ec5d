//! A sparse index of the rows in a block, for callers that do not read them in order.
#![expect(clippy::disallowed_types, reason = "a cell of its block, filled at first use")]

use std::sync::OnceLock;

use super::rows::Position;

/// The distance of the indexed rows: passing over fewer takes less time than a fetch.
const STRIDE: usize = 16;

/// The positions of a block's first row and of every 16th after it. They are collected at first
/// use, by a pass over the block: rows are nearly always read in order.
#[derive(Clone, Debug, Default)]
pub(crate) struct RowIndex(OnceLock<Box<[Position]>>);

impl RowIndex {
    /// Returns the nearest indexed position at or before `row`, counted from the block's first, and
    /// the number of rows to pass over from there. `positions` gives the positions of all the
    /// block's rows, in order.
    pub(crate) fn nearest<I>(
        &self,
        row: usize,
        start: Position,
        positions: impl FnOnce() -> I,
    ) -> (Position, usize)
    where
        I: Iterator<Item = Position>,
    {
        if row < STRIDE {
            return (start, row);
        }
        let index = self.0.get_or_init(|| positions().step_by(STRIDE).collect());
        index.get(row / STRIDE).map_or((start, row), |nearest| (*nearest, row % STRIDE))
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    #[test]
    fn a_block_is_passed_over_once() {
        let place = |offset| Position { offset, ..Position::default() };
        let (index, walked) = (RowIndex::default(), Cell::new(0));
        let positions = || {
            (0..1000).map(|row| {
                walked.set(walked.get() + 1);
                place(row * 10)
            })
        };
        assert_eq!(index.nearest(STRIDE - 1, place(0), positions), (place(0), STRIDE - 1));
        assert_eq!(walked.get(), 0, "rows near the start need no index");
        for row in (0..1000).rev() {
            let (from, left) = index.nearest(row, place(0), positions);
            assert_eq!((from, left), (place((row - left) * 10), row % STRIDE));
        }
        assert_eq!(walked.get(), 1000);
    }
}
