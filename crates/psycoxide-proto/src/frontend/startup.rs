//! (being written)
use crate::CancelKey;
pub(crate) fn cancel_request(key: &CancelKey) -> Vec<u8> {
    key.secret.clone()
}
