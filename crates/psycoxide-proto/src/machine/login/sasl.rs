//! SASL: the choice of a mechanism, and the messages of each.
//!
//! <https://www.postgresql.org/docs/current/sasl-authentication.html>

use std::sync::Arc;

use super::{Login, LoginStage, PasswordUse, Pending, secretly};
use crate::auth::bearer;
use crate::auth::scram::{Binding, Exchange};
use crate::error::{AuthError, Error};
use crate::frontend::auth as send;
use crate::machine::event::{Ask, TokenRefusal};
use crate::machine::startup::{AuthMethods, ChannelBinding};
use crate::secret::Secret;
use crate::wire::outbox::Outbox;

pub(super) const SCRAM: &[u8] = b"SCRAM-SHA-256";
pub(super) const SCRAM_PLUS: &[u8] = b"SCRAM-SHA-256-PLUS";

/// The mechanism chosen from those that a server offers.
enum Mechanism {
    Scram(&'static [u8], Binding),
    Bearer,
}

impl Login {
    pub(super) fn begin_sasl(&mut self, offered: &[&[u8]], out: &mut Outbox) -> Result<(), Error> {
        let (scram, oauth) = (AuthMethods::SCRAM_SHA_256, AuthMethods::OAUTH);
        // Neither is allowed, so it does not matter which one is offered.
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

    /// Chooses the mechanism and the channel-binding flag. RFC 5802, section 6, has the client say
    /// that it could bind but was not offered to, which uncovers a downgrade.
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
            // A hash that cannot be used means that this side does not support binding.
            ChannelBinding::Preferred(hash) if plain && !plus && !hash.is_empty() => {
                Ok(Mechanism::Scram(SCRAM, Binding::NotOffered))
            }
            _ if plain => Ok(Mechanism::Scram(SCRAM, Binding::Unsupported)),
            _ if offered.contains(&bearer::MECHANISM) => Ok(Mechanism::Bearer),
            _ => Err(AuthError::NoMechanism),
        }
    }

    pub(super) fn sasl_continue(&mut self, message: &[u8], out: &mut Outbox) -> Result<(), Error> {
        if let LoginStage::Bearer { token, refused: false } = self.stage {
            // OAUTHBEARER's only second message is the reason of a refusal.
            self.outcome.token_refusal =
                Some(TokenRefusal { document: message.to_vec(), asked: !token });
            self.stage = LoginStage::Bearer { token, refused: true };
            return out
                .append(|out| send::sasl_response(out, bearer::DISMISSAL))
                .map_err(Error::Misuse);
        }
        self.scram()?.server_first(message)?;
        self.work(out)
    }

    pub(super) fn send_token(
        &mut self,
        token: Option<Secret>,
        out: &mut Outbox,
    ) -> Result<(), Error> {
        let token = token.as_ref().map(Secret::expose);
        if token.is_some_and(|token| !bearer::is_token(token)) {
            // Do not print the token: it may be a good one with something around it.
            return Err(Error::Unsupported(
                "the OAuth token has characters that no bearer token may have".to_owned(),
            ));
        }
        self.stage = LoginStage::Bearer { token: token.is_some(), refused: false };
        let first = bearer::first_message(token);
        secretly(out, |out| send::sasl_initial(out, bearer::MECHANISM, &first))
    }

    pub(super) fn scram(&mut self) -> Result<&mut Exchange, AuthError> {
        match &mut self.stage {
            LoginStage::Scram(exchange) => Ok(exchange),
            _ => Err(AuthError::OutOfOrder("unexpected SASL message from server")),
        }
    }

    pub(super) fn begin_scram(
        &mut self,
        mechanism: &'static [u8],
        exchange: Exchange,
        out: &mut Outbox,
    ) -> Result<(), Error> {
        let first = exchange.first_message();
        self.stage = LoginStage::Scram(Box::new(exchange));
        out.append(|out| send::sasl_initial(out, mechanism, first.as_bytes()))
            .map_err(Error::Misuse)
    }
}
