//! Which requests of a server are answered, and how.

use super::sasl::{SCRAM, SCRAM_PLUS};
use super::*;

const REQUIRED: fn() -> ChannelBinding = || ChannelBinding::Required(Some(b"hash".to_vec()));

fn login(change: impl FnOnce(&mut Startup)) -> Login {
    let mut startup = Startup::new(b"tester", "nonce".to_owned());
    startup.password = Some(Secret::from("testerpw"));
    change(&mut startup);
    Login::new(startup)
}

fn fails(login: &mut Login, request: Authentication<'_>) -> Error {
    let mut out = Outbox::default();
    let error = login.step(request, &mut out).unwrap_err();
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
    let mut clear = login(|_| {});
    assert_eq!(clear.step(Authentication::CleartextPassword, &mut out), Ok(false));
    assert_eq!(out.pending(), b"p\0\0\0\x0dtesterpw\0");
    assert!(clear.outcome.password_used);
    assert_eq!(clear.step(Authentication::Ok, &mut out), Ok(true));

    let mut out = Outbox::default();
    let mut hashed = login(|_| {});
    assert_eq!(hashed.step(Authentication::Md5Password(*b"salt"), &mut out), Ok(false));
    assert_eq!(out.pending(), b"p\0\0\0\x28md59cbabb9c30dc365fd4d56559d6bd1ed9\0");
}

#[test]
fn an_empty_password_counts_as_missing() {
    for password in [None, Some(Secret::from(""))] {
        for request in
            [Authentication::CleartextPassword, Authentication::Md5Password([0; 4]), scram()]
        {
            let mut login = login(|startup| startup.password = password.clone());
            assert_eq!(fails(&mut login, request), AuthError::PasswordMissing.into());
            assert!(login.outcome.password_needed && !login.outcome.password_used);
        }
    }
}

#[test]
fn the_server_may_ask_once() {
    let mut out = Outbox::default();
    for request in [Authentication::CleartextPassword, scram()] {
        let mut login = login(|_| {});
        login.step(request, &mut out).unwrap();
        for again in
            [Authentication::CleartextPassword, Authentication::Md5Password([0; 4]), scram()]
        {
            assert!(matches!(fails(&mut login, again), Error::Auth(AuthError::OutOfOrder(_))));
        }
    }
}

#[test]
fn ok_in_the_middle_of_scram_is_refused() {
    let mut out = Outbox::default();
    let mut login = login(|_| {});
    login.step(scram(), &mut out).unwrap();
    assert!(matches!(fails(&mut login, Authentication::Ok), Error::Auth(AuthError::OutOfOrder(_))));
    let first = Authentication::SaslContinue(b"r=nonceX,s=AAAA,i=1");
    login.step(first, &mut out).unwrap();
    assert!(login.step(Authentication::Ok, &mut out).is_err());
}

#[test]
fn scram_messages_need_scram() {
    let mut login = login(|_| {});
    for request in [Authentication::SaslContinue(b""), Authentication::SaslFinal(b"")] {
        assert!(matches!(fails(&mut login, request), Error::Auth(AuthError::OutOfOrder(_))));
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
        let mut login = login(|startup| startup.allowed_auth = AuthMethods::ALL - method);
        assert!(matches!(fails(&mut login, request), Error::Auth(AuthError::NotAllowed(_))));
    }
}

#[test]
fn required_binding_accepts_nothing_less() {
    for request in [
        Authentication::Ok,
        Authentication::CleartextPassword,
        Authentication::Md5Password([0; 4]),
        scram(),
    ] {
        let mut login = login(|startup| startup.channel_binding = REQUIRED());
        assert!(matches!(fails(&mut login, request), Error::Auth(AuthError::ChannelBinding(_))));
    }
    for hash in [None, Some(vec![])] {
        let mut login = login(|startup| startup.channel_binding = ChannelBinding::Required(hash));
        assert!(matches!(
            fails(&mut login, scram_plus()),
            Error::Auth(AuthError::ChannelBinding(_))
        ));
    }
}

#[test]
fn binding_is_used_when_offered_and_its_absence_is_reported() {
    for (binding, offered, header) in [
        (ChannelBinding::Absent, scram_plus(), &b"n,,"[..]),
        (ChannelBinding::Preferred(b"h".to_vec()), scram(), b"y,,"),
        (ChannelBinding::Preferred(vec![]), scram_plus(), b"n,,"),
        (ChannelBinding::Preferred(b"h".to_vec()), scram_plus(), b"p=tls-server-end-point,,"),
        (REQUIRED(), scram_plus(), b"p=tls-server-end-point,,"),
    ] {
        let mut out = Outbox::default();
        let mut login = login(|startup| startup.channel_binding = binding);
        login.step(offered, &mut out).unwrap();
        let found = memchr::memmem::find(out.pending(), header).is_some();
        assert!(found, "{:?}", String::from_utf8_lossy(out.pending()));
    }
}

#[test]
fn an_unsupported_method_is_named() {
    for method in [2, 6, 13, -1] {
        let error = fails(&mut login(|_| {}), Authentication::Other(method));
        assert!(matches!(error, Error::Unsupported(_)), "{method}");
    }
    let offered = Authentication::Sasl(vec![b"OAUTHBEARER"]);
    assert!(matches!(fails(&mut login(|_| {}), offered), Error::Unsupported(_)));
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
        let mut login = login(|startup| {
            startup.password = None;
            startup.ask_password = true;
        });
        assert_eq!(login.step(request, &mut out), Ok(false));
        assert_eq!(login.asks(), Some(Ask::Password));
        assert!(login.is_asking() && out.pending().is_empty());
        let answer = Answer::Password(Some(Secret::from("testerpw")));
        login.answer(answer, &mut out).unwrap();
        assert_eq!(out.pending(), sent);
        assert!(!login.is_asking() && login.outcome.password_used);
    }
    let mut nothing = login(|startup| {
        startup.password = None;
        startup.ask_password = true;
    });
    let mut out = Outbox::default();
    nothing.step(scram(), &mut out).unwrap();
    let error = nothing.answer(Answer::Password(None), &mut out).unwrap_err();
    assert_eq!(error, AuthError::PasswordMissing.into());
}

#[test]
fn gssapi_exchanges_tokens_until_the_server_has_proved_itself() {
    let mut out = Outbox::default();
    let mut login = login(|_| {});
    let token = |bytes: &[u8], complete| Answer::GssToken {
        token: (!bytes.is_empty()).then(|| Secret::new(bytes.to_vec())),
        complete,
    };
    login.step(Authentication::Gss, &mut out).unwrap();
    assert_eq!(login.asks(), Some(Ask::GssToken(vec![])));
    login.answer(token(b"one", false), &mut out).unwrap();
    assert_eq!(out.pending(), b"p\0\0\0\x07one");
    out.sent(8);
    assert!(matches!(fails(&mut login, Authentication::Ok), Error::Auth(AuthError::OutOfOrder(_))));
    login.step(Authentication::GssContinue(b"theirs"), &mut out).unwrap();
    assert_eq!(login.asks(), Some(Ask::GssToken(b"theirs".to_vec())));
    login.answer(token(b"", true), &mut out).unwrap();
    assert!(out.pending().is_empty());
    assert!(login.step(Authentication::GssContinue(b"more"), &mut out).is_err());
    assert_eq!(login.step(Authentication::Ok, &mut out), Ok(true));
}

#[test]
fn a_bearer_token_is_sent_and_its_refusal_kept() {
    let mut out = Outbox::default();
    let mut login = login(|startup| startup.ask_token = true);
    login.step(bearer(), &mut out).unwrap();
    assert_eq!(login.asks(), Some(Ask::BearerToken));
    let token = Answer::BearerToken(Some(Secret::from("abc")));
    login.answer(token, &mut out).unwrap();
    let sent = b"p\0\0\0\x29OAUTHBEARER\0\0\0\0\x15n,,\x01auth=Bearer abc\x01\x01";
    assert_eq!(out.pending(), sent);
    out.sent(sent.len());
    login.step(Authentication::SaslContinue(b"{}"), &mut out).unwrap();
    assert_eq!(out.pending(), b"p\0\0\0\x05\x01");
    let refusal = TokenRefusal { document: b"{}".to_vec(), asked: false };
    assert_eq!(login.outcome.token_refusal, Some(refusal));
    assert!(login.step(Authentication::Ok, &mut out).is_err());
}

#[test]
fn nobody_gets_in_without_a_token() {
    let mut out = Outbox::default();
    let mut login = login(|startup| startup.ask_token = true);
    login.step(bearer(), &mut out).unwrap();
    login.answer(Answer::BearerToken(None), &mut out).unwrap();
    assert!(login.step(Authentication::Ok, &mut out).is_err());
    login.step(Authentication::SaslContinue(b"{}"), &mut out).unwrap();
    assert!(login.outcome.token_refusal.is_some_and(|refusal| refusal.asked));
}
