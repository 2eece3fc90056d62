//! Kernel configurations, and whether two of them build the same modules.

use std::collections::{BTreeMap, BTreeSet};

/// A parsed `.config`.
pub struct Config {
    values: BTreeMap<String, String>,
}

/// How a prepared configuration differs from the packaged one.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Differences {
    /// Lines that only say what tools the host has.
    pub harmless: Vec<String>,
    /// Lines that may change code or layout.
    pub harmful: Vec<String>,
}

/// Options that follow from host tools: versions of tools that make no module
/// code, and which signatures openssl can make. Options with any of these in
/// their name may differ.
const HOST_TOOLS: [&str; 4] = ["ML_DSA", "MLDSA", "PAHOLE_VERSION", "CC_VERSION_TEXT"];

impl Config {
    /// Reads `CONFIG_X=value` lines; everything else counts as not set.
    pub fn parse(text: &str) -> Config {
        let values = text
            .lines()
            .filter(|line| line.starts_with("CONFIG_"))
            .filter_map(|line| line.split_once('='))
            .map(|(name, value)| (name.to_string(), value.to_string()))
            .collect();
        Config { values }
    }

    /// A value without its quotes.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.values.get(name).map(|value| value.trim_matches('"'))
    }

    /// What differs in `other`. An option that is not set and one that is
    /// absent are the same.
    pub fn differences(&self, other: &Config) -> Differences {
        let names: BTreeSet<&String> = self.values.keys().chain(other.values.keys()).collect();
        let mut differences = Differences::default();
        for name in names {
            let (old, new) = (self.values.get(name), other.values.get(name));
            if old == new {
                continue;
            }
            let show = |value: Option<&String>| value.map_or("not set", |v| v).to_string();
            let line = format!("{name} was {}, is {}", show(old), show(new));
            if HOST_TOOLS.iter().any(|tool| name.contains(tool)) {
                differences.harmless.push(line);
            } else {
                differences.harmful.push(line);
            }
        }
        differences
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_host_tools_decide_may_differ() {
        let packaged = Config::parse(
            "CONFIG_SMP=y\nCONFIG_HZ=250\n# CONFIG_X is not set\nCONFIG_OPENSSL_SUPPORTS_ML_DSA=y\n",
        );
        let same = Config::parse("CONFIG_HZ=250\nCONFIG_SMP=y\n");
        let differences = packaged.differences(&same);
        assert_eq!(
            differences.harmless,
            ["CONFIG_OPENSSL_SUPPORTS_ML_DSA was y, is not set"]
        );
        assert!(differences.harmful.is_empty());
        let other = Config::parse("CONFIG_HZ=1000\nCONFIG_X=m\nCONFIG_OPENSSL_SUPPORTS_ML_DSA=y");
        assert_eq!(
            packaged.differences(&other).harmful,
            [
                "CONFIG_HZ was 250, is 1000",
                "CONFIG_SMP was y, is not set",
                "CONFIG_X was not set, is m"
            ]
        );
    }

    #[test]
    fn text_loses_its_quotes() {
        let config = Config::parse("CONFIG_RUSTC_VERSION_TEXT=\"rustc 1.85.1 (4eb1 2025)\"\n");
        assert_eq!(
            config.text("CONFIG_RUSTC_VERSION_TEXT"),
            Some("rustc 1.85.1 (4eb1 2025)")
        );
        assert_eq!(config.text("CONFIG_MISSING"), None);
    }
}
