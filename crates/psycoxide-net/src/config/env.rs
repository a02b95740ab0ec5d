//! What surrounds the process: its environment, and the account that it runs under.
//!
//! It is a value, so that a test can make up its own.

use std::ffi::CStr;
use std::path::PathBuf;

use super::error::Error;

/// Where system-wide service files are, unless `PGSYSCONFDIR` says otherwise.
const SYSTEM_CONFIGURATION: &str = "/etc/postgresql-common";

/// The surroundings that options are looked up in.
pub struct Surroundings<'a> {
    /// Looks an environment variable up.
    pub variable: &'a dyn Fn(&str) -> Option<String>,
    /// Gives the operating system's name of the user, or the user id that has none.
    pub user: &'a dyn Fn() -> Result<String, u32>,
}

impl Surroundings<'_> {
    /// Calls `with` with those of this process.
    ///
    /// Reading the environment while another thread of the process changes it through C is a race:
    /// a caller from Python holds the interpreter's lock here.
    pub fn of_process<T>(with: impl FnOnce(&Surroundings<'_>) -> T) -> T {
        let variable =
            |name: &str| std::env::var_os(name).map(|value| value.to_string_lossy().into_owned());
        with(&Surroundings { variable: &variable, user: &local_user })
    }

    pub(super) fn get(&self, name: &str) -> Option<String> {
        (self.variable)(name)
    }

    pub(super) fn user_name(&self) -> Result<String, Error> {
        (self.user)().map_err(Error::NoLocalUser)
    }

    /// The user's own directory: `HOME`, or what the operating system knows.
    pub(super) fn home(&self) -> Option<PathBuf> {
        let home = self.get("HOME").filter(|home| !home.is_empty()).map(PathBuf::from);
        home.or_else(|| account(rustix::process::geteuid().as_raw()).map(|account| account.home))
    }

    pub(super) fn system_configuration(&self) -> PathBuf {
        self.get("PGSYSCONFDIR").unwrap_or_else(|| SYSTEM_CONFIGURATION.to_owned()).into()
    }

    /// The encoding of the locale, under the name that PostgreSQL has for it; what
    /// `client_encoding=auto` stands for.
    pub(super) fn locale_encoding(&self) -> &'static str {
        let set = |name| self.get(name).filter(|value| !value.is_empty());
        let locale = set("LC_ALL").or_else(|| set("LC_CTYPE")).or_else(|| set("LANG"));
        locale.as_deref().map_or("SQL_ASCII", encoding_of_locale)
    }
}

/// All that the process can read of its surroundings without asking anybody, at one moment.
///
/// Two that are equal give every option the same value: an account does not change its name and its
/// home while a process runs.
#[derive(Debug)]
pub(super) struct Environment {
    /// The variables as they lie in memory, each ended by NUL.
    variables: Vec<u8>,
    user: u32,
}

impl Environment {
    /// That of this process, now. The caller sees to it that no other thread changes it.
    pub(super) fn of_process() -> Self {
        let mut variables = Vec::with_capacity(4096);
        each_variable(|variable| {
            variables.extend_from_slice(variable.to_bytes_with_nul());
            true
        });
        Self { variables, user: rustix::process::geteuid().as_raw() }
    }

    /// Whether it is the same now.
    pub(super) fn is_that_of_process(&self) -> bool {
        let mut rest = self.variables.as_slice();
        let same =
            each_variable(|variable| match rest.strip_prefix(variable.to_bytes_with_nul()) {
                Some(behind) => {
                    rest = behind;
                    true
                }
                None => false,
            });
        same && rest.is_empty() && self.user == rustix::process::geteuid().as_raw()
    }
}

/// Shows each variable of the environment to `look`, until that says no; whether it never did.
fn each_variable(mut look: impl FnMut(&CStr) -> bool) -> bool {
    // SAFETY: the environment is an array of pointers to strings that end in NUL, itself ended by a
    // null pointer; it may be null when it was cleared. Nobody changes it meanwhile, as is said of
    // `Surroundings::of_process`.
    unsafe {
        let mut entry = environment();
        while !entry.is_null() && !(*entry).is_null() {
            if !look(CStr::from_ptr(*entry)) {
                return false;
            }
            entry = entry.add(1);
        }
    }
    true
}

#[cfg(not(target_vendor = "apple"))]
fn environment() -> *const *const libc::c_char {
    // SAFETY: POSIX declares the variable so.
    unsafe extern "C" {
        static environ: *const *const libc::c_char;
    }
    // SAFETY: a variable of the C library's, read in one piece.
    unsafe { environ }
}

#[cfg(target_vendor = "apple")]
fn environment() -> *const *const libc::c_char {
    // SAFETY: the function gives the place of the same variable, which lives as long as the process.
    unsafe { (*libc::_NSGetEnviron()).cast_const().cast() }
}

/// The name of the account that this process acts as.
fn local_user() -> Result<String, u32> {
    let uid = rustix::process::geteuid().as_raw();
    user_name_of(uid).ok_or(uid)
}

/// The name of the account with this user id.
pub(crate) fn user_name_of(uid: u32) -> Option<String> {
    account(uid).map(|account| account.name)
}

/// What the operating system knows of an account.
struct Account {
    name: String,
    home: PathBuf,
}

fn account(uid: u32) -> Option<Account> {
    // An entry is a handful of short strings; a directory service that needs more than this has
    // another purpose than naming a user.
    const MOST: usize = 1 << 20;
    let mut buffer: Vec<libc::c_char> = vec![0; 1024];
    loop {
        // SAFETY: `passwd` holds integers and pointers, for which zeros are a valid value.
        let mut entry: libc::passwd = unsafe { std::mem::zeroed() };
        let mut found = std::ptr::null_mut();
        // SAFETY: all pointers are to live values of the right types, and the length is that of
        // the buffer.
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
        // SAFETY: getpwuid_r succeeded, so that these point to strings ended by NUL inside
        // `buffer`, which lives and is not changed until they have been copied.
        let (name, home) = unsafe { (CStr::from_ptr(entry.pw_name), CStr::from_ptr(entry.pw_dir)) };
        return Some(Account {
            name: name.to_string_lossy().into_owned(),
            home: home.to_string_lossy().into_owned().into(),
        });
    }
}

/// PostgreSQL's name of the encoding of a locale such as `de_DE.ISO-8859-15@euro`.
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
        Surroundings::of_process(|surroundings| {
            assert!(surroundings.home().is_some());
        });
        assert_eq!(user_name_of(0).as_deref(), Some("root"));
        assert_eq!(user_name_of(u32::MAX - 7), None);
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
