//! The environment variables that count, and the account of the process.
//!
//! It is a copy: slow steps (files, accounts) need the environment no more, and a test can make its
//! own.

use std::ffi::{CStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use zeroize::Zeroizing;

use super::error::Error;
use super::keywords::Key;

/// Where system-wide service files are, unless `PGSYSCONFDIR` says otherwise.
const SYSTEM_CONFIGURATION: &str = "/etc/postgresql-common";

/// The variables that options depend on, and the user, at one moment.
pub struct Environment {
    /// `NAME=value`; zeroed when dropped, as one may be a password.
    variables: Vec<Zeroizing<String>>,
    pub(super) user: u32,
}

impl Environment {
    /// The environment of this process, now.
    ///
    /// (`std::env::vars_os` copies every variable, which takes ten times as long.)
    ///
    /// # Safety
    /// No other thread may change the environment meanwhile. A caller that holds Python's GIL is
    /// safe from changes by Python (`os.environ`, `os.putenv`). No reader of the environment is
    /// safe from C code that calls `setenv` in another thread.
    pub unsafe fn of_process() -> Self {
        let mut environment = Self::empty();
        // SAFETY: the environment is an array of pointers to strings that end in NUL, itself ended
        // by a null pointer; it may be null when it was cleared. The caller guarantees that no
        // other thread changes it.
        unsafe {
            let mut entry = environ();
            while !entry.is_null() && !(*entry).is_null() {
                environment.take(CStr::from_ptr(*entry).to_bytes());
                entry = entry.add(1);
            }
        }
        environment
    }

    fn empty() -> Self {
        Self { variables: Vec::new(), user: rustix::process::geteuid().as_raw() }
    }

    /// Copies an entry, `NAME=value`, if it is libpq's, our own, Kerberos's, the locale or the home
    /// directory.
    fn take(&mut self, entry: &[u8]) {
        // Patterns, as a connect looks at all variables: each is a comparison or two.
        if matches!(
            entry,
            [b'P', b'G', ..]
                | [b'P', b'S', b'Y', b'C', b'O', b'X', ..]
                | [b'K', b'R', b'B', b'5', ..]
                | [b'L', b'C', b'_', ..]
                | [b'L', b'A', b'N', b'G', b'=', ..]
                | [b'H', b'O', b'M', b'E', b'=', ..]
        ) {
            self.variables.push(Zeroizing::new(String::from_utf8_lossy(entry).into_owned()));
        }
    }

    /// A variable's value: the first one of this name, as in getenv(3).
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.variables.iter().find_map(|entry| entry.strip_prefix(name)?.strip_prefix('='))
    }

    /// The options that have a variable, and its value.
    pub(super) fn options(&self) -> impl Iterator<Item = (Key, &str)> {
        self.variables.iter().filter(|entry| entry.starts_with('P')).filter_map(|entry| {
            let (name, value) = entry.split_once('=')?;
            Some((Key::of_variable(name)?, value))
        })
    }

    /// Whether the environment says where Kerberos tickets are, or how to get one.
    pub(super) fn names_tickets(&self) -> bool {
        self.variables.iter().any(|entry| entry.starts_with("KRB5"))
    }

    /// The name of the account that the process acts as.
    pub(super) fn user_name(&self) -> Result<String, Error> {
        user_name_of(self.user).ok_or(Error::NoLocalUser(self.user))
    }

    /// The user's own directory, without a slash at the end: `HOME`, else the account's.
    pub(super) fn home(&self) -> Option<String> {
        let home = self.get("HOME").filter(|home| !home.is_empty()).map(str::to_owned);
        let mut home = home.or_else(|| account(self.user).map(|account| account.home))?;
        home.truncate(home.trim_end_matches('/').len());
        Some(home)
    }

    pub(super) fn system_configuration(&self) -> PathBuf {
        self.get("PGSYSCONFDIR").unwrap_or(SYSTEM_CONFIGURATION).into()
    }

    /// The encoding of the locale, by PostgreSQL's name: the meaning of `client_encoding=auto`.
    pub(super) fn locale_encoding(&self) -> &'static str {
        let set = |name| self.get(name).filter(|value| !value.is_empty());
        let locale = set("LC_ALL").or_else(|| set("LC_CTYPE")).or_else(|| set("LANG"));
        locale.map_or("SQL_ASCII", encoding_of_locale)
    }
}

/// From names and values, as `std::env::vars_os` returns them.
impl FromIterator<(OsString, OsString)> for Environment {
    fn from_iter<I: IntoIterator<Item = (OsString, OsString)>>(variables: I) -> Self {
        let mut environment = Self::empty();
        for (name, value) in variables {
            environment.take(&[name.as_bytes(), b"=", value.as_bytes()].concat());
        }
        environment
    }
}

#[cfg(not(target_vendor = "apple"))]
fn environ() -> *const *const libc::c_char {
    // SAFETY: POSIX declares the variable so.
    unsafe extern "C" {
        static environ: *const *const libc::c_char;
    }
    // SAFETY: the C library's variable is a pointer, which is read at once.
    unsafe { environ }
}

#[cfg(target_vendor = "apple")]
fn environ() -> *const *const libc::c_char {
    // SAFETY: the function returns the address of that variable, which lives as long as the
    // process.
    unsafe { (*libc::_NSGetEnviron()).cast_const().cast() }
}

/// The name of the account with this user id.
pub(crate) fn user_name_of(uid: u32) -> Option<String> {
    account(uid).map(|account| account.name)
}

/// The operating system's entry of an account.
struct Account {
    name: String,
    home: String,
}

fn account(uid: u32) -> Option<Account> {
    // Enough for any entry, which is a few short strings.
    const MOST: usize = 1 << 20;
    let mut buffer: Vec<libc::c_char> = vec![0; 1024];
    loop {
        // SAFETY: all fields of `passwd` are integers and pointers, which may be zero.
        let mut entry: libc::passwd = unsafe { std::mem::zeroed() };
        let mut found = std::ptr::null_mut();
        // SAFETY: all pointers point to live values of the right types, and the length is the
        // buffer's.
        let code = unsafe {
            libc::getpwuid_r(uid, &mut entry, buffer.as_mut_ptr(), buffer.len(), &mut found)
        };
        if code == libc::ERANGE && buffer.len() < MOST {
            buffer.resize(buffer.len() * 2, 0);
            continue;
        }
        if code != 0 || found.is_null() || entry.pw_name.is_null() || entry.pw_dir.is_null() {
            return None;
        }
        // SAFETY: getpwuid_r succeeded, so these point to strings that end in NUL inside `buffer`,
        // which lives unchanged until they are copied.
        let (name, home) = unsafe { (CStr::from_ptr(entry.pw_name), CStr::from_ptr(entry.pw_dir)) };
        return Some(Account {
            name: name.to_string_lossy().into_owned(),
            home: home.to_string_lossy().into_owned(),
        });
    }
}

/// PostgreSQL's name for the encoding of a locale such as `de_DE.ISO-8859-15@euro`.
fn encoding_of_locale(locale: &str) -> &'static str {
    let Some((_, codeset)) = locale.split_once('.') else { return "SQL_ASCII" };
    let codeset = codeset.split('@').next().unwrap_or(codeset);
    let plain: String = codeset
        .chars()
        .filter(char::is_ascii_alphanumeric)
        .map(|char| char.to_ascii_uppercase())
        .collect();
    match plain.as_str() {
        "UTF8" => "UTF8",
        "ISO88591" => "LATIN1",
        "ISO88592" => "LATIN2",
        "ISO88593" => "LATIN3",
        "ISO88594" => "LATIN4",
        "ISO88595" => "ISO_8859_5",
        "ISO88596" => "ISO_8859_6",
        "ISO88597" => "ISO_8859_7",
        "ISO88598" => "ISO_8859_8",
        "ISO88599" => "LATIN5",
        "ISO885910" => "LATIN6",
        "ISO885913" => "LATIN7",
        "ISO885914" => "LATIN8",
        "ISO885915" => "LATIN9",
        "ISO885916" => "LATIN10",
        "KOI8R" => "KOI8R",
        "KOI8U" => "KOI8U",
        "CP1250" | "WINDOWS1250" => "WIN1250",
        "CP1251" | "WINDOWS1251" => "WIN1251",
        "CP1252" | "WINDOWS1252" => "WIN1252",
        "EUCJP" => "EUC_JP",
        "EUCKR" => "EUC_KR",
        "EUCCN" | "GB2312" => "EUC_CN",
        "EUCTW" => "EUC_TW",
        "GBK" | "CP936" => "GBK",
        "GB18030" => "GB18030",
        "BIG5" | "CP950" => "BIG5",
        "SJIS" | "SHIFTJIS" | "CP932" => "SJIS",
        _ => "SQL_ASCII",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_has_an_account_with_a_home() {
        assert!(std::iter::empty().collect::<Environment>().home().is_some());
        assert_eq!(user_name_of(0).as_deref(), Some("root"));
        assert_eq!(user_name_of(NOBODY), None);
    }

    /// A user id that no account has.
    const NOBODY: u32 = u32::MAX - 7;

    #[test]
    fn a_user_without_a_name_is_told() {
        let environment = Environment { variables: Vec::new(), user: NOBODY };
        let error = environment.user_name().unwrap_err();
        assert_eq!(error.to_string(), format!("local user with ID {NOBODY} does not exist"));
        assert!(environment.home().is_none());
    }

    #[test]
    fn a_home_is_without_a_slash_at_its_end() {
        for (home, without) in [("/h", "/h"), ("/h/", "/h"), ("/", ""), ("h", "h")] {
            let variable = ("HOME".into(), home.into());
            let environment: Environment = [variable].into_iter().collect();
            assert_eq!(environment.home().unwrap(), without);
        }
    }

    #[test]
    fn what_counts_is_taken_and_nothing_else() {
        let mut environment = Environment::empty();
        for entry in [
            &b"PGHOST=one=two"[..],
            b"PGHOST=second",
            b"PATH=/bin",
            b"HOMER=x",
            b"LANG=",
            b"KRB5CCNAME=c",
            b"PGUSER=\xff",
            b"PG\xff=x",
            b"PGNOTHING",
            b"",
            b"=x",
        ] {
            environment.take(entry);
        }
        for (name, value) in [
            ("PGHOST", Some("one=two")),
            ("LANG", Some("")),
            ("KRB5CCNAME", Some("c")),
            ("PGUSER", Some("\u{fffd}")),
            ("PATH", None),
            ("HOMER", None),
            ("PGNOTHING", None),
            ("PGHOS", None),
            ("", None),
        ] {
            assert_eq!(environment.get(name), value, "{name}");
        }
        assert!(environment.names_tickets());
    }

    #[test]
    fn both_ways_to_read_it_find_the_same() {
        // SAFETY: no test changes the environment.
        let walked = unsafe { Environment::of_process() };
        let listed: Environment = std::env::vars_os().collect();
        assert_eq!((walked.variables, walked.user), (listed.variables, listed.user));
    }

    #[test]
    fn locales_have_encodings() {
        for (locale, encoding) in [
            ("C", "SQL_ASCII"),
            ("C.UTF-8", "UTF8"),
            ("de_DE.ISO-8859-15@euro", "LATIN9"),
            ("ja_JP.eucJP", "EUC_JP"),
            ("xx.unheard-of", "SQL_ASCII"),
        ] {
            assert_eq!(encoding_of_locale(locale), encoding, "{locale}");
        }
    }
}
