//! Whole sessions with a server in the same process, over a socket that delivers and accepts data
//! in pieces.

use std::io::{ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::sync::Arc;

use psycoxide_proto::Interest;
use rustls::{
    AlertDescription, Error, ServerConfig, ServerConnection, SupportedProtocolVersion, version,
};
use socket2::Socket;

use super::failure::TlsFailure;
use super::openssl::{BOTH, OpenSsl};
use super::session::TlsSession;
use crate::config::{Binding, CertificateMode, Encryption, Root, SslMode, TlsVersion};

/// A server's configuration, and the options of a client that trusts it.
struct Stage {
    config: ServerConfig,
    options: Encryption,
    _openssl: OpenSsl,
}

impl Stage {
    fn new() -> Self {
        let openssl = OpenSsl::new();
        openssl.authority("db");
        let mut config = openssl.server("db");
        // Data then come together with the end of the handshake.
        config.send_half_rtt_data = true;
        let options = Encryption {
            mode: SslMode::VerifyFull,
            direct: false,
            root: Root::File(openssl.path("db.crt")),
            crl_file: None,
            crl_folder: None,
            certificate: None,
            key: None,
            key_password: None,
            certificate_mode: CertificateMode::Disable,
            send_name: true,
            least: TlsVersion::V1_2,
            most: TlsVersion::V1_3,
            channel_binding: Binding::Disable,
            key_log: None,
        };
        Self { config, options, _openssl: openssl }
    }

    fn raise(&self, only: &'static SupportedProtocolVersion) -> Pair {
        let mut options = self.options.clone();
        if only.version == rustls::ProtocolVersion::TLSv1_2 {
            options.most = TlsVersion::V1_2;
        }
        let (ours, theirs) = UnixStream::pair().unwrap();
        ours.set_nonblocking(true).unwrap();
        theirs.set_nonblocking(true).unwrap();
        let server = ServerConnection::new(Arc::new(self.config.clone())).unwrap();
        Pair {
            client: TlsSession::new(&options, "db").unwrap(),
            ours: Socket::from(ours),
            server,
            theirs,
            wire: Vec::new(),
            gone: 0,
            heard: Vec::new(),
        }
    }
}

/// A client and its server.
struct Pair {
    client: TlsSession,
    ours: Socket,
    server: ServerConnection,
    theirs: UnixStream,
    /// What the server has sent, and how much of it was let through.
    wire: Vec<u8>,
    gone: usize,
    /// What the server has read.
    heard: Vec<u8>,
}

impl Pair {
    /// The server reads up to `most` bytes of what has come, and answers.
    fn serve(&mut self, most: usize) -> Result<(), Error> {
        let mut space = vec![0; most];
        let mut came = match self.theirs.read(&mut space) {
            Ok(count) => &space[..count],
            Err(error) if error.kind() == ErrorKind::WouldBlock => &[],
            Err(error) => panic!("{error}"),
        };
        while !came.is_empty() {
            self.server.read_tls(&mut came).unwrap();
            let state = self.server.process_new_packets()?;
            let mut plain = vec![0; state.plaintext_bytes_to_read()];
            self.server.reader().read_exact(&mut plain).unwrap();
            self.heard.extend_from_slice(&plain);
        }
        self.collect();
        Ok(())
    }

    fn collect(&mut self) {
        while self.server.wants_write() {
            self.server.write_tls(&mut self.wire).unwrap();
        }
    }

    /// The server sends data, in records of their own.
    fn say(&mut self, words: &[u8]) {
        self.server.writer().write_all(words).unwrap();
        self.collect();
    }

    /// Lets through what the server has sent, up to this position.
    fn let_through(&mut self, end: usize) {
        let end = end.min(self.wire.len());
        if self.gone < end {
            self.theirs.write_all(&self.wire[self.gone..end]).unwrap();
            self.gone = end;
        }
    }

    /// What the client can read now, in pieces of this size.
    fn read(&mut self, bite: usize) -> Result<Vec<u8>, TlsFailure> {
        let mut all = Vec::new();
        let mut space = vec![0; bite];
        loop {
            match self.client.receive(&self.ours, &mut space) {
                Ok(count) => all.extend_from_slice(&space[..count]),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(all),
                Err(error) => return Err(TlsFailure::of(&error).unwrap().clone()),
            }
        }
    }

    /// Does the handshake and reads this much. `pace` says up to which position the server's bytes
    /// are let through, given how many have been.
    fn meet(&mut self, expected: usize, bite: usize, pace: impl Fn(usize) -> usize) -> Vec<u8> {
        let (mut is_open, mut all) = (false, Vec::new());
        for _ in 0..1_000_000 {
            if !is_open {
                is_open = match self.client.shake_hands(&self.ours).unwrap() {
                    Some(interest) => {
                        assert_eq!(interest, Interest::READ);
                        false
                    }
                    None => true,
                };
            }
            if is_open {
                all.extend(self.read(bite).unwrap());
                if all.len() >= expected && self.gone == self.wire.len() {
                    return all;
                }
            }
            self.serve(1 << 20).unwrap();
            self.let_through(pace(self.gone));
        }
        panic!("they do not come together");
    }

    fn shake_hands(&mut self) {
        self.meet(0, 100, |_| usize::MAX);
        while self.server.is_handshaking() {
            self.serve(1 << 20).unwrap();
        }
    }
}

/// The server's first data, in several records, sent as early as possible.
fn greet(pair: &mut Pair) -> Vec<u8> {
    pair.server.writer().write_all(b"welcome").unwrap();
    pair.server.writer().write_all(&[b'.'; 300]).unwrap();
    [&b"welcome"[..], &[b'.'; 300]].concat()
}

#[test]
fn a_handshake_succeeds_however_its_bytes_are_split() {
    let stage = Stage::new();
    for only in BOTH {
        let mut length = None;
        let mut cut = 0;
        while length.is_none_or(|length| cut <= length) {
            let mut pair = stage.raise(only);
            let words = greet(&mut pair);
            let heard =
                pair.meet(words.len(), 100, |gone| if gone < cut { cut } else { usize::MAX });
            assert_eq!(heard, words, "{:?} parted at {cut}", only.version);
            length = Some(pair.wire.len());
            cut += 1;
        }
        for step in [1, 2, 3, 5, 7, 64] {
            let mut pair = stage.raise(only);
            let words = greet(&mut pair);
            assert_eq!(pair.meet(words.len(), 1000, |gone| gone + step), words, "steps of {step}");
        }
    }
}

#[test]
fn data_are_read_whole_however_they_are_split() {
    let stage = Stage::new();
    let words: Vec<u8> = (0..60_000_u32).map(|i| (i % 251) as u8).collect();
    for only in BOTH {
        for (step, bite) in
            [(1, 8192), (7, 1), (100, 16_384), (5000, 3), (1 << 20, 100), (9, 65_536)]
        {
            let mut pair = stage.raise(only);
            pair.shake_hands();
            let mut parts = words.chunks(7001);
            let mut said = 0;
            let mut heard = Vec::new();
            while heard.len() < words.len() {
                if let Some(part) = parts.next() {
                    pair.say(part);
                    said += part.len();
                    if only.version == version::TLS13.version {
                        pair.server.refresh_traffic_keys().unwrap();
                        pair.collect();
                    }
                }
                while pair.gone < pair.wire.len() {
                    pair.let_through(pair.gone + step);
                    heard.extend(pair.read(bite).unwrap());
                }
                assert_eq!(heard.len(), said);
                // The answers to the key updates are understood.
                pair.serve(1 << 20).unwrap();
            }
            assert_eq!(heard, words, "{:?}: steps of {step}, bites of {bite}", only.version);
        }
    }
}

#[test]
fn data_sent_in_pieces_arrive_once() {
    let stage = Stage::new();
    let words: Vec<u8> = (0..400_000_u32).map(|i| (i % 241) as u8).collect();
    for only in BOTH {
        for most in [313, 1009, 70_000] {
            let mut pair = stage.raise(only);
            pair.shake_hands();
            pair.ours.set_send_buffer_size(1).unwrap();
            let (mut sent, mut blocked) = (0, 0);
            while sent < words.len() {
                // The unsent rest grows between the calls, as a program's would.
                let end = words.len().min(sent + 90_000 + blocked % 7);
                match pair.client.send(&pair.ours, &words[sent..end]) {
                    Ok(count) => sent += count,
                    Err(error) => {
                        assert_eq!(error.kind(), ErrorKind::WouldBlock);
                        assert!(pair.client.wants_write());
                        blocked += 1;
                        if blocked % 50 == 0 && only.version == version::TLS13.version {
                            // Requests a key update while half a record is on its way.
                            pair.server.refresh_traffic_keys().unwrap();
                        }
                        pair.say(b"yes");
                        pair.let_through(usize::MAX);
                        assert_eq!(pair.read(64).unwrap(), b"yes");
                        pair.serve(most).unwrap();
                    }
                }
            }
            assert!(blocked > 3);
            while pair.heard.len() < words.len() {
                pair.serve(1 << 20).unwrap();
            }
            assert_eq!(pair.heard, words, "{:?}: reads of {most}", only.version);
        }
    }
}

#[test]
fn last_words_continue_an_interrupted_send() {
    let stage = Stage::new();
    let words: Vec<u8> = (0..100_000_u32).map(|i| (i % 239) as u8).collect();
    for only in BOTH {
        let mut pair = stage.raise(only);
        pair.shake_hands();
        pair.ours.set_send_buffer_size(1).unwrap();
        let blocked = pair.client.send(&pair.ours, &words).unwrap_err();
        assert_eq!(blocked.kind(), ErrorKind::WouldBlock);
        pair.ours.set_send_buffer_size(1 << 20).unwrap();
        pair.client.close(&pair.ours, &[&words[..], b"X"].concat());
        while pair.heard.len() <= words.len() {
            pair.serve(1 << 20).unwrap();
        }
        assert_eq!(pair.heard.len(), words.len() + 1);
        assert_eq!(&pair.heard[..words.len()], words);
        // The client's closing alert has come.
        assert_eq!(pair.server.reader().read(&mut [0]).unwrap(), 0);
    }
}

#[test]
fn data_before_a_bad_record_are_read_and_the_server_gets_an_alert() {
    let stage = Stage::new();
    for only in BOTH {
        let mut pair = stage.raise(only);
        pair.shake_hands();
        pair.say(b"last words");
        let good = pair.wire.len();
        pair.say(b"altered");
        pair.say(b"never read");
        pair.wire[good + 10] ^= 1;
        pair.let_through(usize::MAX);
        let mut space = [0; 100];
        assert_eq!(pair.client.receive(&pair.ours, &mut space).unwrap(), 10);
        assert!(pair.client.is_holding());
        for _ in 0..2 {
            let failure = pair.read(100).unwrap_err();
            assert_eq!(failure.to_string(), "SSL error: decryption failed or bad record mac");
        }
        let told = pair.serve(1 << 20).unwrap_err();
        assert_eq!(told, Error::AlertReceived(AlertDescription::BadRecordMac));
        // The alert is sent once.
        assert_eq!(pair.theirs.read(&mut [0]).unwrap_err().kind(), ErrorKind::WouldBlock);
    }
}
