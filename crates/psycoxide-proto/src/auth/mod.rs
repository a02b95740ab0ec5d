//! Proving who one is: MD5 and SCRAM-SHA-256.
