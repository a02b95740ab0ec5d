//! Where some of the rows of a block begin, for who does not read them in order.
#![expect(clippy::disallowed_types, reason = "a cell of its block, filled when first wanted")]

use std::sync::OnceLock;

use super::rows::Position;

/// Every so many rows are marked: a walk over fewer takes less time than a fetch.
const STRIDE: usize = 16;

/// The places of the first row of a block, and of every 16th after it. They are looked for when one of
/// them is first wanted, which takes a walk over the block: rows are nearly always read in order.
#[derive(Clone, Debug, Default)]
pub(crate) struct RowIndex(OnceLock<Box<[Position]>>);

impl RowIndex {
    /// From where to walk to a row counted from the first of the block, and how many rows to pass
    /// over. `positions` gives the positions of the block's rows, in order.
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
    fn a_block_is_walked_over_once_and_then_little_of_it() {
        let place = |offset| Position { offset, ..Position::default() };
        let (index, walked) = (RowIndex::default(), Cell::new(0));
        let positions = || {
            (0..1000).map(|row| {
                walked.set(walked.get() + 1);
                place(row * 10)
            })
        };
        assert_eq!(index.nearest(STRIDE - 1, place(0), positions), (place(0), STRIDE - 1));
        assert_eq!(walked.get(), 0, "what is near by needs no index");
        for row in (0..1000).rev() {
            let (from, left) = index.nearest(row, place(0), positions);
            assert_eq!((from, left), (place((row - left) * 10), row % STRIDE));
        }
        assert_eq!(walked.get(), 1000);
    }
}
