//! Operators, numbers and parameters.

use super::class::{EXTRA, OPERATOR, START, TAG, WORD, is};
use super::{Lexer, TokenKind};

impl Lexer<'_> {
    /// Moves over an operator: as many characters as may be one, up to a comment.
    pub(super) fn operator(&mut self) -> (TokenKind, bool) {
        let rest = self.rest();
        let run = rest.iter().take_while(|byte| is(**byte, OPERATOR)).count();
        let run = rest.get(..run).unwrap_or_default();
        let comment = run.windows(2).position(|pair| matches!(pair, b"--" | b"/*"));
        let mut operator = run.get(..comment.unwrap_or(run.len())).unwrap_or_default();
        // So that `a=-1` means what it does in the SQL standard, only operators with a character
        // that the standard does not have may end with a sign.
        if !operator.iter().any(|byte| is(*byte, EXTRA)) {
            while let [before @ .., b'+' | b'-'] = operator
                && !before.is_empty()
            {
                operator = before;
            }
        }
        self.take(operator.len().max(1), TokenKind::Operator)
    }

    /// Moves over a number. A word glued to it is part of it: newer servers refuse that, and for
    /// older ones it makes no difference to us.
    pub(super) fn number(&mut self) -> (TokenKind, bool) {
        let digit = |byte: Option<u8>| byte.is_some_and(|byte| byte.is_ascii_digit());
        self.digits();
        if self.peek(0) == Some(b'.') && self.peek(1) != Some(b'.') {
            self.at += 1;
            self.digits();
        }
        if matches!(self.peek(0), Some(b'e' | b'E')) {
            let sign = usize::from(matches!(self.peek(1), Some(b'+' | b'-')));
            if digit(self.peek(1 + sign)) {
                self.at += 1 + sign;
                self.digits();
            }
        }
        if self.peek(0).is_some_and(|byte| is(byte, START)) {
            self.skip_all(WORD);
        }
        (TokenKind::Number, true)
    }

    fn digits(&mut self) {
        // From PostgreSQL 16 on, digits may be grouped by underscores.
        let is_digit = |byte: &&u8| byte.is_ascii_digit() || **byte == b'_';
        self.at += self.rest().iter().take_while(is_digit).count();
    }

    /// Moves over what begins with a dollar sign: a parameter, a quoted string, or nothing known.
    pub(super) fn dollar(&mut self) -> (TokenKind, bool) {
        let begin = self.at;
        self.at += 1;
        match self.peek(0) {
            Some(b'0'..=b'9') => {
                self.at += self.rest().iter().take_while(|byte| byte.is_ascii_digit()).count();
                (TokenKind::Parameter, true)
            }
            Some(byte) if byte == b'$' || is(byte, START) => {
                self.skip_all(TAG);
                if self.peek(0) == Some(b'$') {
                    self.at += 1;
                    return self.dollar_string(begin);
                }
                self.at = begin + 1;
                (TokenKind::Unknown, true)
            }
            _ => (TokenKind::Unknown, true),
        }
    }
}
