//! Convincing the server, and being convinced by it.

use crate::auth::md5;
use crate::auth::scram::{self, Scram};
use crate::backend::auth::Authentication;
use crate::error::{AuthError, Error};
use crate::frontend::auth as messages;
use crate::machine::startup::{AuthMethods, ChannelBinding, Startup};
use crate::secret::Secret;

/// The state of the exchange.
#[derive(Debug)]
pub(crate) struct Authenticator {
    user: Vec<u8>,
    password: Option<Secret>,
    nonce: String,
    allowed: AuthMethods,
    binding: ChannelBinding,
    scram: Option<Scram>,
    /// The password went out, in whatever form.
    pub(crate) password_used: bool,
    /// The server asked for a password and there was none.
    pub(crate) password_needed: bool,
}

impl Authenticator {
    pub(crate) fn new(startup: Startup) -> Self {
        Self {
            user: startup.user,
            password: startup.password.filter(|password| !password.is_empty()),
            nonce: startup.nonce,
            allowed: startup.allowed_auth,
            binding: startup.channel_binding,
            scram: None,
            password_used: false,
            password_needed: false,
        }
    }

    /// Answers a request; `true` when we are in.
    pub(crate) fn answer(
        &mut self,
        request: &Authentication<'_>,
        out: &mut Vec<u8>,
    ) -> Result<bool, Error> {
        if self.scram.is_some()
            && !matches!(
                request,
                Authentication::Ok | Authentication::SaslContinue(_) | Authentication::SaslFinal(_)
            )
        {
            return Err(AuthError::OutOfOrder("another method in the middle of SCRAM").into());
        }
        match request {
            Authentication::Ok => self.admitted().map(|()| true),
            Authentication::CleartextPassword => {
                self.allow(AuthMethods::PASSWORD, "server requested a cleartext password")?;
                let password = self.password()?.expose().to_vec();
                messages::password(out, &password)?;
                Ok(false)
            }
            Authentication::Md5Password(salt) => {
                self.allow(AuthMethods::MD5, "server requested a hashed password")?;
                let password = self.password()?.clone();
                let answer = md5::answer(&self.user, password.expose(), *salt);
                messages::password(out, answer.as_bytes())?;
                Ok(false)
            }
            Authentication::Sasl(mechanisms) => {
                self.begin_sasl(mechanisms, out)?;
                Ok(false)
            }
            Authentication::SaslContinue(data) => {
                self.scram()?.server_first(data)?;
                Ok(false)
            }
            Authentication::SaslFinal(data) => {
                self.scram()?.server_final(data)?;
                Ok(false)
            }
            Authentication::Other(code) => Err(Error::Unsupported(unsupported(*code))),
        }
    }

    /// Does a slice of the work that an answer needs; whether there is more.
    pub(crate) fn work(&mut self, out: &mut Vec<u8>) -> Result<bool, Error> {
        let Some(scram) = self.scram.as_mut().filter(|scram| scram.is_working()) else {
            return Ok(false);
        };
        match scram.work()? {
            Some(message) => messages::sasl(out, &message).map(|()| false),
            None => Ok(true),
        }
    }

    /// The server lets us in: it must have proven itself first where SCRAM was begun.
    fn admitted(&mut self) -> Result<(), Error> {
        match &self.scram {
            Some(scram) if !scram.is_verified() => {
                return Err(AuthError::OutOfOrder(
                    "server did not prove that it knows the password",
                )
                .into());
            }
            Some(_) => {}
            None if self.password_used => {}
            None => self.allow(AuthMethods::NONE, "server did not complete authentication")?,
        }
        if matches!(self.binding, ChannelBinding::Required(_)) {
            let why = "the server authenticated the client without channel binding";
            return Err(AuthError::ChannelBinding(why).into());
        }
        self.password = None;
        Ok(())
    }

    fn begin_sasl(&mut self, mechanisms: &[&[u8]], out: &mut Vec<u8>) -> Result<(), Error> {
        if !mechanisms.contains(&scram::MECHANISM.as_bytes()) {
            return Err(AuthError::NoMechanism.into());
        }
        self.allow(AuthMethods::SCRAM_SHA_256, "server requested SASL authentication")?;
        if matches!(self.binding, ChannelBinding::Required(_)) {
            let why = "the server did not offer an authentication method with channel binding";
            return Err(AuthError::ChannelBinding(why).into());
        }
        let password = self.password()?.clone();
        let scram = Scram::new(password.expose(), self.nonce.clone());
        messages::sasl_initial(out, scram::MECHANISM, &scram.client_first())?;
        self.scram = Some(scram);
        Ok(())
    }

    fn scram(&mut self) -> Result<&mut Scram, Error> {
        self.scram
            .as_mut()
            .ok_or_else(|| AuthError::OutOfOrder("SASL goes on before it began").into())
    }

    fn allow(&self, method: AuthMethods, otherwise: &'static str) -> Result<(), Error> {
        if self.allowed.contains(method) {
            return Ok(());
        }
        Err(AuthError::NotAllowed(otherwise).into())
    }

    fn password(&mut self) -> Result<&Secret, Error> {
        match &self.password {
            Some(password) => {
                self.password_used = true;
                Ok(password)
            }
            None => {
                self.password_needed = true;
                Err(AuthError::PasswordMissing.into())
            }
        }
    }
}

fn unsupported(code: i32) -> String {
    let name = match code {
        2 => "Kerberos 5",
        6 => "SCM credential",
        7 | 8 => "GSSAPI",
        9 => "SSPI",
        _ => return format!("authentication method {code} not supported"),
    };
    format!("{name} authentication not supported")
}
