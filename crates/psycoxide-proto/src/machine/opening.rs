//! Authentication: one answer to each request of the server, in the order that is safe.

use std::sync::Arc;

use zeroize::Zeroizing;

use crate::auth::bearer;
use crate::auth::key_cache::KeyCache;
use crate::auth::md5;
use crate::auth::scram::{Binding, Exchange, Keys};
use crate::backend::auth::Authentication;
use crate::error::{AuthError, Error};
use crate::frontend::auth as send;
use crate::machine::event::{Answer, Ask, TokenRefusal};
use crate::machine::startup::{AuthMethods, ChannelBinding, Startup};
use crate::secret::Secret;
use crate::wire::outbox::Outbox;

const SCRAM: &[u8] = b"SCRAM-SHA-256";
const SCRAM_PLUS: &[u8] = b"SCRAM-SHA-256-PLUS";

/// What is only needed until the server has let us in; it is dropped then, and the password with
/// it.
pub(crate) struct Opening {
    password: Option<Secret>,
    ask_password: bool,
    scram_keys: Option<Arc<Keys>>,
    ask_token: bool,
    user: Vec<u8>,
    nonce: String,
    allowed: AuthMethods,
    gss_encrypted: bool,
    binding: ChannelBinding,
    keys: KeyCache,
    progress: Progress,
    /// What is done with the driver's answer.
    pending: Option<Pending>,
    /// The question to the driver, until it is put.
    ask: Option<Ask>,
    pub(crate) password_used: bool,
    pub(crate) password_needed: bool,
    pub(crate) token_refusal: Option<TokenRefusal>,
}

/// How far authentication has come.
enum Progress {
    /// Nothing was asked.
    Fresh,
    /// The password was sent, in clear or hashed: the server knows all it can.
    PasswordSent,
    /// SCRAM is under way, or over.
    Scram(Box<Exchange>),
    /// GSSAPI is under way, or its context is established.
    Gss { established: bool },
    /// The bearer token was sent, or the question where to get one.
    Bearer { token: bool, refused: bool },
}

/// What waits for something from the driver.
enum Pending {
    Password(PasswordUse),
    Gss,
    Bearer,
}

/// What a password is for.
enum PasswordUse {
    Clear,
    Md5([u8; 4]),
    Scram(&'static [u8], Binding),
}

/// What is chosen among the SASL mechanisms that a server offers.
enum Mechanism {
    Scram(&'static [u8], Binding),
    Bearer,
}

impl Opening {
    pub(crate) fn new(startup: Startup) -> Opening {
        Opening {
            // libpq takes an empty password for none.
            password: startup.password.filter(|password| !password.is_empty()),
            ask_password: startup.ask_password,
            ask_token: startup.ask_token,
            scram_keys: startup.scram_keys.as_ref().and_then(|(client, server)| {
                let key = |secret: &Secret| secret.expose().try_into().ok().map(Zeroizing::new);
                Some(Arc::new(Keys::given(key(client)?, key(server)?)))
            }),
            user: startup.user,
            nonce: startup.nonce,
            allowed: startup.allowed_auth,
            gss_encrypted: startup.gss_encrypted,
            binding: startup.channel_binding,
            keys: startup.keys,
            progress: Progress::Fresh,
            pending: None,
            ask: None,
            password_used: false,
            password_needed: false,
            token_refusal: None,
        }
    }

    /// Answers a request of the server; `true` when it has let us in.
    pub(crate) fn step(
        &mut self,
        request: Authentication<'_>,
        out: &mut Outbox,
    ) -> Result<bool, Error> {
        match request {
            Authentication::Ok => {
                self.check_ok()?;
                return Ok(true);
            }
            Authentication::CleartextPassword => {
                self.plain(AuthMethods::PASSWORD, "server requested a cleartext password")?;
                self.with_password(PasswordUse::Clear, out)?;
            }
            Authentication::Md5Password(salt) => {
                self.plain(AuthMethods::MD5, "server requested a hashed password")?;
                self.with_password(PasswordUse::Md5(salt), out)?;
            }
            Authentication::Gss => {
                self.plain(AuthMethods::GSS, "server requested GSSAPI authentication")?;
                self.ask_gss(&[]);
            }
            Authentication::Sspi => {
                self.plain(AuthMethods::SSPI, "server requested SSPI authentication")?;
                self.ask_gss(&[]);
            }
            Authentication::GssContinue(token) => match self.progress {
                Progress::Gss { established: false } => self.ask_gss(token),
                _ => {
                    return Err(AuthError::OutOfOrder("unexpected GSS message from server").into());
                }
            },
            Authentication::Sasl(offered) => self.begin_sasl(&offered, out)?,
            Authentication::SaslContinue(message) => self.sasl_continue(message, out)?,
            Authentication::SaslFinal(message) => self.scram()?.server_final(message)?,
            Authentication::Other(method) => return Err(unsupported(method)),
        }
        Ok(false)
    }

    /// The question to the driver, if there is one: once.
    pub(crate) fn asks(&mut self) -> Option<Ask> {
        self.ask.take()
    }

    /// Whether the driver's answer has to come before what else the server sent.
    pub(crate) fn is_asking(&self) -> bool {
        self.pending.is_some()
    }

    /// Goes on with what the driver got.
    pub(crate) fn answer(&mut self, answer: Answer, out: &mut Outbox) -> Result<(), Error> {
        match (self.pending.take(), answer) {
            (Some(Pending::Password(what)), Answer::Password(password)) => {
                self.ask_password = false;
                self.password = password.filter(|password| !password.is_empty());
                self.with_password(what, out)
            }
            (Some(Pending::Gss), Answer::GssToken { token, complete }) => {
                self.progress = Progress::Gss { established: complete };
                match token.filter(|token| !token.is_empty()) {
                    Some(token) => secretly(out, |out| send::sasl_response(out, token.expose())),
                    None => Ok(()),
                }
            }
            (Some(Pending::Bearer), Answer::BearerToken(token)) => self.send_token(token, out),
            _ => Err(Error::Misuse("an answer to another question")),
        }
    }

    /// Whether the password is still being stretched.
    pub(crate) fn is_working(&self) -> bool {
        matches!(&self.progress, Progress::Scram(exchange) if exchange.is_working())
    }

    /// Goes on stretching the password, for a bounded time.
    pub(crate) fn work(&mut self, out: &mut Outbox) -> Result<(), Error> {
        if let Progress::Scram(exchange) = &mut self.progress
            && let Some(message) = exchange.work()
        {
            secretly(out, |out| send::sasl_response(out, message.as_bytes()))?;
        }
        Ok(())
    }

    /// AuthenticationOk counts only where nothing that was demanded is missing.
    fn check_ok(&self) -> Result<(), AuthError> {
        let bound = match &self.progress {
            Progress::Fresh if self.gss_encrypted && self.allowed.contains(AuthMethods::GSS) => {
                false
            }
            Progress::Fresh if !self.allowed.contains(AuthMethods::NONE) => {
                return Err(AuthError::NotAllowed("server did not complete authentication"));
            }
            Progress::Fresh | Progress::PasswordSent => false,
            Progress::Gss { established: true } => false,
            Progress::Gss { established: false } => {
                return Err(AuthError::OutOfOrder(
                    "server did not complete the GSSAPI exchange: it has not proved its identity",
                ));
            }
            Progress::Bearer { token: true, refused: false } => false,
            Progress::Bearer { .. } => {
                return Err(AuthError::OutOfOrder("server did not complete authentication"));
            }
            Progress::Scram(exchange) if !exchange.is_verified() => {
                return Err(AuthError::OutOfOrder(
                    "server did not complete the SCRAM exchange: it has not proved its identity",
                ));
            }
            Progress::Scram(exchange) => exchange.is_bound(),
        };
        if matches!(self.binding, ChannelBinding::Required(_)) && !bound {
            return Err(AuthError::ChannelBinding(
                "channel binding required, but server authenticated client without channel binding",
            ));
        }
        Ok(())
    }

    /// A method without channel binding and proof of the server may only come first.
    fn plain(&self, method: AuthMethods, demand: &'static str) -> Result<(), AuthError> {
        self.first(method, demand)?;
        if matches!(self.binding, ChannelBinding::Required(_)) {
            return Err(AuthError::ChannelBinding(
                "channel binding required but not supported by server's authentication request",
            ));
        }
        Ok(())
    }

    /// The server may choose one method, and only one that the user allows.
    fn first(&self, method: AuthMethods, demand: &'static str) -> Result<(), AuthError> {
        if !matches!(self.progress, Progress::Fresh) {
            return Err(AuthError::OutOfOrder("server asked for authentication twice"));
        }
        if !self.allowed.contains(method) {
            return Err(AuthError::NotAllowed(demand));
        }
        Ok(())
    }

    /// Sends the password as it is asked for, once there is one.
    fn with_password(&mut self, what: PasswordUse, out: &mut Outbox) -> Result<(), Error> {
        let Some(password) = self.password.clone() else {
            if self.ask_password {
                self.pending = Some(Pending::Password(what));
                self.ask = Some(Ask::Password);
                return Ok(());
            }
            self.password_needed = true;
            return Err(AuthError::PasswordMissing.into());
        };
        self.password_used = true;
        match what {
            PasswordUse::Clear => {
                self.progress = Progress::PasswordSent;
                secretly(out, |out| send::password(out, password.expose()))
            }
            PasswordUse::Md5(salt) => {
                let hashed = md5::answer(&self.user, password.expose(), salt);
                self.progress = Progress::PasswordSent;
                secretly(out, |out| send::password(out, hashed.as_bytes()))
            }
            PasswordUse::Scram(mechanism, binding) => {
                let (nonce, keys) = (self.nonce.clone(), self.keys.clone());
                let exchange = Exchange::new(password.expose(), nonce, binding, keys);
                self.begin_scram(mechanism, exchange, out)
            }
        }
    }

    fn begin_scram(
        &mut self,
        mechanism: &'static [u8],
        exchange: Exchange,
        out: &mut Outbox,
    ) -> Result<(), Error> {
        let first = exchange.first_message();
        self.progress = Progress::Scram(Box::new(exchange));
        out.append(|out| send::sasl_initial(out, mechanism, first.as_bytes()))
            .map_err(Error::Misuse)
    }

    fn ask_gss(&mut self, token: &[u8]) {
        self.progress = Progress::Gss { established: false };
        self.pending = Some(Pending::Gss);
        self.ask = Some(Ask::GssToken(token.to_vec()));
    }

    fn begin_sasl(&mut self, offered: &[&[u8]], out: &mut Outbox) -> Result<(), Error> {
        let (scram, oauth) = (AuthMethods::SCRAM_SHA_256, AuthMethods::OAUTH);
        // Neither is allowed: it does not matter which of them is offered.
        if !self.allowed.contains(scram) && !self.allowed.contains(oauth) {
            return Err(AuthError::NotAllowed("server requested SASL authentication").into());
        }
        match self.choose(offered)? {
            Mechanism::Scram(mechanism, binding) => {
                self.first(scram, "server requested SCRAM-SHA-256 authentication")?;
                if let Some(keys) = &self.scram_keys {
                    let nonce = self.nonce.clone();
                    let exchange = Exchange::with_keys(Arc::clone(keys), nonce, binding);
                    return self.begin_scram(mechanism, exchange, out);
                }
                self.with_password(PasswordUse::Scram(mechanism, binding), out)
            }
            Mechanism::Bearer => {
                self.first(oauth, "server requested OAUTHBEARER authentication")?;
                if !self.ask_token {
                    return Err(Error::Unsupported(
                        "server requires OAuth authentication, but there is nothing that gives a \
                         token"
                            .to_owned(),
                    ));
                }
                self.pending = Some(Pending::Bearer);
                self.ask = Some(Ask::BearerToken);
                Ok(())
            }
        }
    }

    /// The mechanism, and what to say about channel binding: RFC 5802, section 6, has the client
    /// say so when it could bind but is not offered to, which uncovers a downgrade.
    fn choose(&self, offered: &[&[u8]]) -> Result<Mechanism, AuthError> {
        let plus = offered.contains(&SCRAM_PLUS);
        let plain = offered.contains(&SCRAM);
        match &self.binding {
            ChannelBinding::Preferred(hash) | ChannelBinding::Required(Some(hash))
                if plus && !hash.is_empty() =>
            {
                Ok(Mechanism::Scram(SCRAM_PLUS, Binding::EndPoint(hash.clone())))
            }
            ChannelBinding::Required(None) => {
                Err(AuthError::ChannelBinding("channel binding required, but SSL not in use"))
            }
            ChannelBinding::Required(_) => Err(AuthError::ChannelBinding(
                "channel binding is required, but server did not offer an authentication method that \
                 supports channel binding",
            )),
            // An unusable hash is no support on our side.
            ChannelBinding::Preferred(hash) if plain && !plus && !hash.is_empty() => {
                Ok(Mechanism::Scram(SCRAM, Binding::NotOffered))
            }
            _ if plain => Ok(Mechanism::Scram(SCRAM, Binding::Unsupported)),
            _ if offered.contains(&bearer::MECHANISM) => Ok(Mechanism::Bearer),
            _ => Err(AuthError::NoMechanism),
        }
    }

    fn sasl_continue(&mut self, message: &[u8], out: &mut Outbox) -> Result<(), Error> {
        if let Progress::Bearer { token, refused: false } = self.progress {
            // The mechanism has no other message: this is why not.
            self.token_refusal = Some(TokenRefusal { document: message.to_vec(), asked: !token });
            self.progress = Progress::Bearer { token, refused: true };
            return out
                .append(|out| send::sasl_response(out, bearer::DISMISSAL))
                .map_err(Error::Misuse);
        }
        self.scram()?.server_first(message)?;
        self.work(out)
    }

    fn send_token(&mut self, token: Option<Secret>, out: &mut Outbox) -> Result<(), Error> {
        let token = token.as_ref().map(Secret::expose);
        if token.is_some_and(|token| !bearer::is_token(token)) {
            // Not what it is: it may be a good one with something around it.
            return Err(Error::Unsupported(
                "the OAuth token has characters that no bearer token may have".to_owned(),
            ));
        }
        self.progress = Progress::Bearer { token: token.is_some(), refused: false };
        let first = bearer::first_message(token);
        secretly(out, |out| send::sasl_initial(out, bearer::MECHANISM, &first))
    }

    fn scram(&mut self) -> Result<&mut Exchange, AuthError> {
        match &mut self.progress {
            Progress::Scram(exchange) => Ok(exchange),
            _ => Err(AuthError::OutOfOrder("unexpected SASL message from server")),
        }
    }
}

fn secretly(
    out: &mut Outbox,
    write: impl FnOnce(&mut Vec<u8>) -> Result<(), &'static str>,
) -> Result<(), Error> {
    out.mark_secret();
    out.append(write).map_err(Error::Misuse)
}

/// The methods that are not done here, by their numbers in the manual.
fn unsupported(method: i32) -> Error {
    Error::Unsupported(match method {
        2 => "Kerberos 5 authentication is not supported".to_owned(),
        _ => format!("authentication method {method} not supported"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const REQUIRED: fn() -> ChannelBinding = || ChannelBinding::Required(Some(b"hash".to_vec()));

    fn opening(change: impl FnOnce(&mut Startup)) -> Opening {
        let mut startup = Startup::new(b"tester", "nonce".to_owned());
        startup.password = Some(Secret::from("testerpw"));
        change(&mut startup);
        Opening::new(startup)
    }

    fn fails(opening: &mut Opening, request: Authentication<'_>) -> Error {
        let mut out = Outbox::default();
        let error = opening.step(request, &mut out).unwrap_err();
        assert!(out.pending().is_empty(), "nothing is sent when a request is refused");
        error
    }

    fn scram() -> Authentication<'static> {
        Authentication::Sasl(vec![SCRAM])
    }

    fn bearer() -> Authentication<'static> {
        Authentication::Sasl(vec![b"OAUTHBEARER"])
    }

    fn scram_plus() -> Authentication<'static> {
        Authentication::Sasl(vec![SCRAM_PLUS, SCRAM])
    }

    #[test]
    fn a_password_is_sent_as_asked() {
        let mut out = Outbox::default();
        let mut clear = opening(|_| {});
        assert_eq!(clear.step(Authentication::CleartextPassword, &mut out), Ok(false));
        assert_eq!(out.pending(), b"p\0\0\0\x0dtesterpw\0");
        assert!(clear.password_used);
        assert_eq!(clear.step(Authentication::Ok, &mut out), Ok(true));

        let mut out = Outbox::default();
        let mut hashed = opening(|_| {});
        assert_eq!(hashed.step(Authentication::Md5Password(*b"salt"), &mut out), Ok(false));
        assert_eq!(out.pending(), b"p\0\0\0\x28md59cbabb9c30dc365fd4d56559d6bd1ed9\0");
    }

    #[test]
    fn no_password_or_an_empty_one_is_missing() {
        for password in [None, Some(Secret::from(""))] {
            for request in
                [Authentication::CleartextPassword, Authentication::Md5Password([0; 4]), scram()]
            {
                let mut opening = opening(|startup| startup.password = password.clone());
                assert_eq!(fails(&mut opening, request), AuthError::PasswordMissing.into());
                assert!(opening.password_needed && !opening.password_used);
            }
        }
    }

    #[test]
    fn the_server_may_ask_once() {
        let mut out = Outbox::default();
        for request in [Authentication::CleartextPassword, scram()] {
            let mut opening = opening(|_| {});
            opening.step(request, &mut out).unwrap();
            for again in
                [Authentication::CleartextPassword, Authentication::Md5Password([0; 4]), scram()]
            {
                assert!(matches!(
                    fails(&mut opening, again),
                    Error::Auth(AuthError::OutOfOrder(_))
                ));
            }
        }
    }

    #[test]
    fn ok_in_the_middle_of_scram_is_refused() {
        let mut out = Outbox::default();
        let mut opening = opening(|_| {});
        opening.step(scram(), &mut out).unwrap();
        assert!(matches!(
            fails(&mut opening, Authentication::Ok),
            Error::Auth(AuthError::OutOfOrder(_))
        ));
        let first = Authentication::SaslContinue(b"r=nonceX,s=AAAA,i=1");
        opening.step(first, &mut out).unwrap();
        assert!(opening.step(Authentication::Ok, &mut out).is_err());
    }

    #[test]
    fn scram_messages_need_scram() {
        let mut opening = opening(|_| {});
        for request in [Authentication::SaslContinue(b""), Authentication::SaslFinal(b"")] {
            assert!(matches!(fails(&mut opening, request), Error::Auth(AuthError::OutOfOrder(_))));
        }
    }

    #[test]
    fn only_allowed_methods_are_answered() {
        for (method, request) in [
            (AuthMethods::NONE, Authentication::Ok),
            (AuthMethods::PASSWORD, Authentication::CleartextPassword),
            (AuthMethods::MD5, Authentication::Md5Password([0; 4])),
            (AuthMethods::SCRAM_SHA_256, scram()),
            (AuthMethods::GSS, Authentication::Gss),
            (AuthMethods::SSPI, Authentication::Sspi),
            (AuthMethods::OAUTH, bearer()),
        ] {
            let mut opening = opening(|startup| startup.allowed_auth = AuthMethods::ALL - method);
            assert!(matches!(fails(&mut opening, request), Error::Auth(AuthError::NotAllowed(_))));
        }
    }

    #[test]
    fn required_binding_takes_nothing_less() {
        for request in [
            Authentication::Ok,
            Authentication::CleartextPassword,
            Authentication::Md5Password([0; 4]),
            scram(),
        ] {
            let mut opening = opening(|startup| startup.channel_binding = REQUIRED());
            assert!(matches!(
                fails(&mut opening, request),
                Error::Auth(AuthError::ChannelBinding(_))
            ));
        }
        for hash in [None, Some(vec![])] {
            let mut opening =
                opening(|startup| startup.channel_binding = ChannelBinding::Required(hash));
            assert!(matches!(
                fails(&mut opening, scram_plus()),
                Error::Auth(AuthError::ChannelBinding(_))
            ));
        }
    }

    #[test]
    fn binding_is_used_when_offered_and_its_absence_is_told() {
        for (binding, offered, header) in [
            (ChannelBinding::Absent, scram_plus(), &b"n,,"[..]),
            (ChannelBinding::Preferred(b"h".to_vec()), scram(), b"y,,"),
            (ChannelBinding::Preferred(vec![]), scram_plus(), b"n,,"),
            (ChannelBinding::Preferred(b"h".to_vec()), scram_plus(), b"p=tls-server-end-point,,"),
            (REQUIRED(), scram_plus(), b"p=tls-server-end-point,,"),
        ] {
            let mut out = Outbox::default();
            let mut opening = opening(|startup| startup.channel_binding = binding);
            opening.step(offered, &mut out).unwrap();
            let found = memchr::memmem::find(out.pending(), header).is_some();
            assert!(found, "{:?}", String::from_utf8_lossy(out.pending()));
        }
    }

    #[test]
    fn what_is_not_done_is_said() {
        for method in [2, 6, 13, -1] {
            let error = fails(&mut opening(|_| {}), Authentication::Other(method));
            assert!(matches!(error, Error::Unsupported(_)), "{method}");
        }
        let offered = Authentication::Sasl(vec![b"OAUTHBEARER"]);
        assert!(matches!(fails(&mut opening(|_| {}), offered), Error::Unsupported(_)));
    }

    #[test]
    fn a_password_is_asked_for_when_it_is_wanted() {
        for (request, sent) in [
            (Authentication::CleartextPassword, &b"p\0\0\0\x0dtesterpw\0"[..]),
            (
                Authentication::Md5Password(*b"salt"),
                b"p\0\0\0\x28md59cbabb9c30dc365fd4d56559d6bd1ed9\0",
            ),
        ] {
            let mut out = Outbox::default();
            let mut opening = opening(|startup| {
                startup.password = None;
                startup.ask_password = true;
            });
            assert_eq!(opening.step(request, &mut out), Ok(false));
            assert_eq!(opening.asks(), Some(Ask::Password));
            assert!(opening.is_asking() && out.pending().is_empty());
            let answer = Answer::Password(Some(Secret::from("testerpw")));
            opening.answer(answer, &mut out).unwrap();
            assert_eq!(out.pending(), sent);
            assert!(!opening.is_asking() && opening.password_used);
        }
        let mut nothing = opening(|startup| {
            startup.password = None;
            startup.ask_password = true;
        });
        let mut out = Outbox::default();
        nothing.step(scram(), &mut out).unwrap();
        let error = nothing.answer(Answer::Password(None), &mut out).unwrap_err();
        assert_eq!(error, AuthError::PasswordMissing.into());
    }

    #[test]
    fn gssapi_goes_to_and_fro_until_the_server_has_proved_itself() {
        let mut out = Outbox::default();
        let mut opening = opening(|_| {});
        let token = |bytes: &[u8], complete| Answer::GssToken {
            token: (!bytes.is_empty()).then(|| Secret::new(bytes.to_vec())),
            complete,
        };
        opening.step(Authentication::Gss, &mut out).unwrap();
        assert_eq!(opening.asks(), Some(Ask::GssToken(vec![])));
        opening.answer(token(b"one", false), &mut out).unwrap();
        assert_eq!(out.pending(), b"p\0\0\0\x07one");
        out.sent(8);
        assert!(matches!(
            fails(&mut opening, Authentication::Ok),
            Error::Auth(AuthError::OutOfOrder(_))
        ));
        opening.step(Authentication::GssContinue(b"theirs"), &mut out).unwrap();
        assert_eq!(opening.asks(), Some(Ask::GssToken(b"theirs".to_vec())));
        opening.answer(token(b"", true), &mut out).unwrap();
        assert!(out.pending().is_empty());
        assert!(opening.step(Authentication::GssContinue(b"more"), &mut out).is_err());
        assert_eq!(opening.step(Authentication::Ok, &mut out), Ok(true));
    }

    #[test]
    fn a_bearer_token_is_sent_and_its_refusal_kept() {
        let mut out = Outbox::default();
        let mut opening = opening(|startup| startup.ask_token = true);
        opening.step(bearer(), &mut out).unwrap();
        assert_eq!(opening.asks(), Some(Ask::BearerToken));
        let token = Answer::BearerToken(Some(Secret::from("abc")));
        opening.answer(token, &mut out).unwrap();
        let sent = b"p\0\0\0\x29OAUTHBEARER\0\0\0\0\x15n,,\x01auth=Bearer abc\x01\x01";
        assert_eq!(out.pending(), sent);
        out.sent(sent.len());
        opening.step(Authentication::SaslContinue(b"{}"), &mut out).unwrap();
        assert_eq!(out.pending(), b"p\0\0\0\x05\x01");
        let refusal = TokenRefusal { document: b"{}".to_vec(), asked: false };
        assert_eq!(opening.token_refusal, Some(refusal));
        assert!(opening.step(Authentication::Ok, &mut out).is_err());
    }

    #[test]
    fn nobody_gets_in_without_a_token() {
        let mut out = Outbox::default();
        let mut opening = opening(|startup| startup.ask_token = true);
        opening.step(bearer(), &mut out).unwrap();
        opening.answer(Answer::BearerToken(None), &mut out).unwrap();
        assert!(opening.step(Authentication::Ok, &mut out).is_err());
        opening.step(Authentication::SaslContinue(b"{}"), &mut out).unwrap();
        assert!(opening.token_refusal.is_some_and(|refusal| refusal.asked));
    }
}
