//! Authentication: one answer to each request of the server, in a safe order.

mod sasl;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use zeroize::Zeroizing;

use crate::auth::key_cache::KeyCache;
use crate::auth::keys::Keys;
use crate::auth::md5;
use crate::auth::scram::{Binding, Exchange};
use crate::backend::auth::Authentication;
use crate::error::{AuthError, Error};
use crate::frontend::auth as send;
use crate::machine::event::{Answer, Ask, TokenRefusal};
use crate::machine::startup::{AuthMethods, ChannelBinding, Startup};
use crate::secret::Secret;
use crate::wire::outbox::Outbox;

/// The state of authentication. It is dropped once the server has let us in, and the password with
/// it.
pub(crate) struct Login {
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
    stage: LoginStage,
    /// What to do with the driver's answer.
    pending: Option<Pending>,
    /// The question to the driver, until it is asked.
    ask: Option<Ask>,
    pub(crate) outcome: LoginOutcome,
}

/// What became of the password and the token.
#[derive(Debug, Default)]
pub(crate) struct LoginOutcome {
    /// The server asked for the password and got it.
    pub(crate) password_used: bool,
    /// The server asked for a password and there was none.
    pub(crate) password_needed: bool,
    /// How the server refused a bearer token in its last message.
    pub(crate) token_refusal: Option<TokenRefusal>,
}

/// How far authentication has come.
enum LoginStage {
    /// The server has not asked for anything.
    Fresh,
    /// The password was sent, in clear or hashed; nothing else may be asked for.
    PasswordSent,
    /// SCRAM is under way, or over.
    Scram(Box<Exchange>),
    /// GSSAPI is under way, or its context is established.
    Gss { established: bool },
    /// The bearer token was sent, or the question where to get one.
    Bearer { token: bool, refused: bool },
}

/// The step that waits for an answer of the driver.
enum Pending {
    Password(PasswordUse),
    Gss,
    Bearer,
}

/// How to send the password.
enum PasswordUse {
    Clear,
    Md5([u8; 4]),
    Scram(&'static [u8], Binding),
}

impl Login {
    pub(crate) fn new(startup: Startup) -> Login {
        Login {
            // libpq treats an empty password as none.
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
            stage: LoginStage::Fresh,
            pending: None,
            ask: None,
            outcome: LoginOutcome::default(),
        }
    }

    /// Answers a request of the server. Returns `true` once the server has let us in.
    pub(crate) fn step(
        &mut self,
        request: Authentication<'_>,
        out: &mut Outbox,
    ) -> Result<bool, Error> {
        self.outcome.token_refusal = None;
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
            Authentication::GssContinue(token) => match self.stage {
                LoginStage::Gss { established: false } => self.ask_gss(token),
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

    /// Returns the question to the driver, once.
    pub(crate) fn asks(&mut self) -> Option<Ask> {
        self.ask.take()
    }

    /// Whether the driver has to answer before the engine reads on.
    pub(crate) fn is_asking(&self) -> bool {
        self.pending.is_some()
    }

    /// Continues with the driver's answer.
    pub(crate) fn answer(&mut self, answer: Answer, out: &mut Outbox) -> Result<(), Error> {
        match (self.pending.take(), answer) {
            (Some(Pending::Password(what)), Answer::Password(password)) => {
                self.ask_password = false;
                self.password = password.filter(|password| !password.is_empty());
                self.with_password(what, out)
            }
            (Some(Pending::Gss), Answer::GssToken { token, complete }) => {
                self.stage = LoginStage::Gss { established: complete };
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
        matches!(&self.stage, LoginStage::Scram(exchange) if exchange.is_working())
    }

    /// Continues stretching the password, for a bounded time.
    pub(crate) fn work(&mut self, out: &mut Outbox) -> Result<(), Error> {
        if let LoginStage::Scram(exchange) = &mut self.stage
            && let Some(message) = exchange.work()
        {
            secretly(out, |out| send::sasl_response(out, message.as_bytes()))?;
        }
        Ok(())
    }

    /// Accepts AuthenticationOk only after everything that the user demands.
    fn check_ok(&self) -> Result<(), AuthError> {
        let bound = match &self.stage {
            LoginStage::Fresh if self.gss_encrypted && self.allowed.contains(AuthMethods::GSS) => {
                false
            }
            LoginStage::Fresh if !self.allowed.contains(AuthMethods::NONE) => {
                return Err(AuthError::NotAllowed("server did not complete authentication"));
            }
            LoginStage::Fresh | LoginStage::PasswordSent => false,
            LoginStage::Gss { established: true } => false,
            LoginStage::Gss { established: false } => {
                return Err(AuthError::OutOfOrder(
                    "server did not complete the GSSAPI exchange: it has not proved its identity",
                ));
            }
            LoginStage::Bearer { token: true, refused: false } => false,
            LoginStage::Bearer { .. } => {
                return Err(AuthError::OutOfOrder("server did not complete authentication"));
            }
            LoginStage::Scram(exchange) if !exchange.is_verified() => {
                return Err(AuthError::OutOfOrder(
                    "server did not complete the SCRAM exchange: it has not proved its identity",
                ));
            }
            LoginStage::Scram(exchange) => exchange.is_bound(),
        };
        if matches!(self.binding, ChannelBinding::Required(_)) && !bound {
            return Err(AuthError::ChannelBinding(
                "channel binding required, but server authenticated client without channel binding",
            ));
        }
        Ok(())
    }

    /// Checks a method without channel binding and proof of the server: it may only come first.
    fn plain(&self, method: AuthMethods, demand: &'static str) -> Result<(), AuthError> {
        self.first(method, demand)?;
        if matches!(self.binding, ChannelBinding::Required(_)) {
            return Err(AuthError::ChannelBinding(
                "channel binding required but not supported by server's authentication request",
            ));
        }
        Ok(())
    }

    /// Checks that the server has chosen no method before, and that the user allows this one.
    fn first(&self, method: AuthMethods, demand: &'static str) -> Result<(), AuthError> {
        if !matches!(self.stage, LoginStage::Fresh) {
            return Err(AuthError::OutOfOrder("server asked for authentication twice"));
        }
        if !self.allowed.contains(method) {
            return Err(AuthError::NotAllowed(demand));
        }
        Ok(())
    }

    /// Sends the password in the form asked for, or asks the driver for it.
    fn with_password(&mut self, what: PasswordUse, out: &mut Outbox) -> Result<(), Error> {
        let Some(password) = self.password.clone() else {
            if self.ask_password {
                self.pending = Some(Pending::Password(what));
                self.ask = Some(Ask::Password);
                return Ok(());
            }
            self.outcome.password_needed = true;
            return Err(AuthError::PasswordMissing.into());
        };
        self.outcome.password_used = true;
        match what {
            PasswordUse::Clear => {
                self.stage = LoginStage::PasswordSent;
                secretly(out, |out| send::password(out, password.expose()))
            }
            PasswordUse::Md5(salt) => {
                let hashed = md5::answer(&self.user, password.expose(), salt);
                self.stage = LoginStage::PasswordSent;
                secretly(out, |out| send::password(out, hashed.as_bytes()))
            }
            PasswordUse::Scram(mechanism, binding) => {
                let (nonce, keys) = (self.nonce.clone(), self.keys.clone());
                let exchange = Exchange::new(password.expose(), nonce, binding, keys);
                self.begin_scram(mechanism, exchange, out)
            }
        }
    }

    fn ask_gss(&mut self, token: &[u8]) {
        self.stage = LoginStage::Gss { established: false };
        self.pending = Some(Pending::Gss);
        self.ask = Some(Ask::GssToken(token.to_vec()));
    }
}

fn secretly(
    out: &mut Outbox,
    write: impl FnOnce(&mut Vec<u8>) -> Result<(), &'static str>,
) -> Result<(), Error> {
    out.mark_secret();
    out.append(write).map_err(Error::Misuse)
}

/// The methods that are not supported, by their numbers in the manual.
fn unsupported(method: i32) -> Error {
    Error::Unsupported(match method {
        2 => "Kerberos 5 authentication is not supported".to_owned(),
        _ => format!("authentication method {method} not supported"),
    })
}
