//! The configuration that was read last, kept for the next connection by the same string.
//!
//! Programs connect by one string again and again, and to read it with all that completes it takes
//! as long as the rest of connecting through a Unix socket. It is kept only while it holds no secret
//! and depends on nothing but the string and the environment: both are compared, and the password
//! file that was not there is looked for again.

use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard};

use super::encryption::Root;
use super::env::Environment;
use super::error::Error;
use super::{Config, KEYWORDS, OnDemand, Passwords, passfile};

struct Last {
    dsn: String,
    on_demand: OnDemand,
    environment: Environment,
    config: Arc<Config>,
}

static LAST: Mutex<Option<Last>> = Mutex::new(None);

/// What was kept; `None` as well while another thread looks at it, for whom a forked child would
/// wait in vain: it is only read again then.
fn last() -> Option<MutexGuard<'static, Option<Last>>> {
    LAST.try_lock().ok()
}

impl Config {
    /// As [`Config::parse_with`], for a caller that shares the outcome with others.
    ///
    /// # Errors
    /// When the string cannot be read or an option has no acceptable value.
    pub fn shared(dsn: &str, on_demand: OnDemand) -> Result<Arc<Config>, Error> {
        if let Some(config) = known(dsn, on_demand) {
            return Ok(config);
        }
        let environment = Environment::of_process();
        let config = Arc::new(Config::parse_with(dsn, on_demand)?);
        if config.may_be_kept() {
            let (dsn, config) = (dsn.to_owned(), Arc::clone(&config));
            set(Some(Last { dsn, on_demand, environment, config }));
        }
        Ok(config)
    }

    /// Whether a connection string is known to be well formed and to hold no secret. Not that it is
    /// not, when this says no.
    pub fn is_known(dsn: &str) -> bool {
        last().is_some_and(|last| last.as_ref().is_some_and(|last| last.dsn == dsn))
    }

    /// Whether this depends on the string and the environment alone, and holds no secret.
    fn may_be_kept(&self) -> bool {
        let is_given = |name| self.values.filled(name).is_some();
        let secrets = || KEYWORDS.iter().filter(|keyword| keyword.secret);
        matches!(self.passwords, Passwords::Given(None))
            && self.warnings.is_empty()
            && !secrets().any(|keyword| is_given(keyword.name))
            && !is_given("service")
            && !matches!(self.settings.encryption.root, Root::System(_))
    }
}

/// What was kept, if it would come out the same again.
fn known(dsn: &str, on_demand: OnDemand) -> Option<Arc<Config>> {
    let config = {
        let last = last()?;
        let last = last.as_ref()?;
        let same =
            last.dsn == dsn && last.on_demand == on_demand && last.environment.is_that_of_process();
        same.then(|| Arc::clone(&last.config))?
    };
    let file = config.values.filled("passfile");
    let absent = file.is_none_or(|file| matches!(passfile::load(Path::new(file)), Ok(None)));
    absent.then_some(config)
}

fn set(new: Option<Last>) {
    if let Some(mut kept) = last() {
        *kept = new;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shared(dsn: &str) -> Arc<Config> {
        Config::shared(dsn, OnDemand::default()).unwrap()
    }

    /// One test, as there is one that is kept.
    #[test]
    fn what_is_read_again_would_be_the_same() {
        const DSN: &str = "host=/nowhere user=me dbname=kept passfile=/nowhere/pass";
        let first = shared(DSN);
        assert!(Arc::ptr_eq(&first, &shared(DSN)));
        assert!(Config::is_known(DSN));
        assert_eq!(first.parameters(), Config::parse(DSN).unwrap().parameters());
        // Asked for in another way, or by another string.
        let on_demand = OnDemand { password: true, token: false };
        let other = Config::shared(DSN, on_demand).unwrap();
        assert!(!Arc::ptr_eq(&first, &other));
        let first = shared(DSN);
        shared("host=/nowhere user=me");
        assert!(!Config::is_known(DSN) && !Arc::ptr_eq(&first, &shared(DSN)));

        // Secrets and files are not kept.
        let folder = std::env::temp_dir().join(format!("psycoxide-last-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let file = folder.join("pass");
        let dsn = format!("host=/nowhere user=me passfile={}", file.display());
        assert!(shared(&dsn).password(0).is_none());
        std::fs::write(&file, "*:*:*:me:found").unwrap();
        std::fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o600))
            .unwrap();
        assert!(shared(&dsn).password(0).is_some());
        std::fs::remove_dir_all(&folder).unwrap();
        for dsn in [
            "host=/nowhere user=me password=secret",
            "host=/nowhere user=me sslpassword=secret",
            "host=/nowhere user=me sslrootcert=system sslmode=verify-full",
        ] {
            shared(dsn);
            assert!(!Config::is_known(dsn), "{dsn}");
        }
    }
}
