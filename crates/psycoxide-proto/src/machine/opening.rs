//! Authentication: one answer to each request of the server, in the order that is safe.

use crate::auth::key_cache::KeyCache;
use crate::auth::md5;
use crate::auth::scram::{Binding, Exchange};
use crate::backend::auth::Authentication;
use crate::error::{AuthError, Error};
use crate::frontend::auth as send;
use crate::machine::startup::{AuthMethods, ChannelBinding, Startup};
use crate::secret::Secret;
use crate::wire::outbox::Outbox;

const SCRAM: &[u8] = b"SCRAM-SHA-256";
const SCRAM_PLUS: &[u8] = b"SCRAM-SHA-256-PLUS";

/// What is only needed until the server has let us in; it is dropped then, and the password with
/// it.
pub(crate) struct Opening {
    password: Option<Secret>,
    user: Vec<u8>,
    nonce: String,
    allowed: AuthMethods,
    binding: ChannelBinding,
    keys: KeyCache,
    progress: Progress,
    pub(crate) password_used: bool,
    pub(crate) password_needed: bool,
}

/// How far authentication has come.
enum Progress {
    /// Nothing was asked.
    Fresh,
    /// The password was sent, in clear or hashed: the server knows all it can.
    PasswordSent,
    /// SCRAM is under way, or over.
    Scram(Box<Exchange>),
}

impl Opening {
    pub(crate) fn new(startup: Startup) -> Opening {
        Opening {
            // libpq takes an empty password for none.
            password: startup.password.filter(|password| !password.is_empty()),
            user: startup.user,
            nonce: startup.nonce,
            allowed: startup.allowed_auth,
            binding: startup.channel_binding,
            keys: startup.keys,
            progress: Progress::Fresh,
            password_used: false,
            password_needed: false,
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
                let password = self.password()?;
                self.progress = Progress::PasswordSent;
                secretly(out, |out| send::password(out, password.expose()))?;
            }
            Authentication::Md5Password(salt) => {
                self.plain(AuthMethods::MD5, "server requested a hashed password")?;
                let password = self.password()?;
                let hashed = md5::answer(&self.user, password.expose(), salt);
                self.progress = Progress::PasswordSent;
                secretly(out, |out| send::password(out, hashed.as_bytes()))?;
            }
            Authentication::Sasl(offered) => self.begin_scram(&offered, out)?,
            Authentication::SaslContinue(message) => {
                self.scram()?.server_first(message)?;
                self.work(out)?;
            }
            Authentication::SaslFinal(message) => self.scram()?.server_final(message)?,
            Authentication::Other(method) => return Err(unsupported(method)),
        }
        Ok(false)
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
            Progress::Fresh if !self.allowed.contains(AuthMethods::NONE) => {
                return Err(AuthError::NotAllowed("server did not complete authentication"));
            }
            Progress::Fresh | Progress::PasswordSent => false,
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

    fn begin_scram(&mut self, offered: &[&[u8]], out: &mut Outbox) -> Result<(), Error> {
        self.first(AuthMethods::SCRAM_SHA_256, "server requested SASL authentication")?;
        let (mechanism, binding) = self.choose(offered)?;
        let password = self.password()?;
        let (nonce, keys) = (self.nonce.clone(), self.keys.clone());
        let exchange = Exchange::new(password.expose(), nonce, binding, keys);
        let first = exchange.first_message();
        self.progress = Progress::Scram(Box::new(exchange));
        out.append(|out| send::sasl_initial(out, mechanism, first.as_bytes()))
            .map_err(Error::Misuse)
    }

    /// The mechanism, and what to say about channel binding: RFC 5802, section 6, has the client
    /// say so when it could bind but is not offered to, which uncovers a downgrade.
    fn choose(&self, offered: &[&[u8]]) -> Result<(&'static [u8], Binding), AuthError> {
        let plus = offered.contains(&SCRAM_PLUS);
        let plain = offered.contains(&SCRAM);
        match &self.binding {
            ChannelBinding::Preferred(hash) | ChannelBinding::Required(Some(hash))
                if plus && !hash.is_empty() =>
            {
                Ok((SCRAM_PLUS, Binding::EndPoint(hash.clone())))
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
                Ok((SCRAM, Binding::NotOffered))
            }
            _ if plain => Ok((SCRAM, Binding::Unsupported)),
            _ => Err(AuthError::NoMechanism),
        }
    }

    fn scram(&mut self) -> Result<&mut Exchange, AuthError> {
        match &mut self.progress {
            Progress::Scram(exchange) => Ok(exchange),
            _ => Err(AuthError::OutOfOrder("unexpected SASL message from server")),
        }
    }

    fn password(&mut self) -> Result<Secret, AuthError> {
        match &self.password {
            Some(password) => {
                self.password_used = true;
                Ok(password.clone())
            }
            None => {
                self.password_needed = true;
                Err(AuthError::PasswordMissing)
            }
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
        7 | 8 => "GSSAPI authentication is not supported".to_owned(),
        9 => "SSPI authentication is not supported".to_owned(),
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
        for method in [2, 6, 7, 8, 9, 13, -1] {
            let error = fails(&mut opening(|_| {}), Authentication::Other(method));
            assert!(matches!(error, Error::Unsupported(_)), "{method}");
        }
        let offered = Authentication::Sasl(vec![b"OAUTHBEARER"]);
        assert_eq!(fails(&mut opening(|_| {}), offered), AuthError::NoMechanism.into());
    }
}
