//! What Docker's own configuration knows of a registry.

use std::path::PathBuf;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

/// User and password for a registry from `$DOCKER_CONFIG/config.json` or `~/.docker/config.json`, where they stand in
/// it (`auths`). What lies in a credential helper's keeping stays there.
pub(super) fn credentials(host: &str) -> Option<(String, String)> {
    let folder = std::env::var_os("DOCKER_CONFIG")
        .filter(|folder| !folder.is_empty())
        .map(PathBuf::from)
        .or_else(|| Some(std::env::home_dir()?.join(".docker")))?;
    let text = std::fs::read(folder.join("config.json")).ok()?;
    in_config(&serde_json::from_slice(&text).ok()?, host)
}

fn in_config(config: &Value, host: &str) -> Option<(String, String)> {
    let wanted = bare(host);
    let entries = config["auths"].as_object()?;
    let (_, entry) = entries.iter().find(|(key, _)| bare(key) == wanted)?;
    let written = |field: &str| Some(entry[field].as_str()?.to_owned()).filter(|text| !text.is_empty());
    if let (Some(user), Some(password)) = (written("username"), written("password")) {
        return Some((user, password));
    }
    let both = String::from_utf8(STANDARD.decode(written("auth")?).ok()?).ok()?;
    let (user, password) = both.split_once(':')?;
    Some((user.to_owned(), password.to_owned()))
}

/// `https://index.docker.io/v1/` and `docker.io` are one registry.
fn bare(key: &str) -> &str {
    let host = key.trim_start_matches("https://").trim_start_matches("http://");
    match host.split('/').next().unwrap_or_default() {
        "docker.io" | "registry-1.docker.io" => "index.docker.io",
        host => host,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn credentials_are_found_by_host() {
        let config = json!({"auths": {
            "https://index.docker.io/v1/": {"auth": STANDARD.encode("me:se:cret")},
            "127.0.0.1:5000": {"username": "you", "password": "word"},
            "ghcr.io": {},
        }});
        let pair = |user: &str, password: &str| Some((user.to_owned(), password.to_owned()));
        assert_eq!(in_config(&config, "docker.io"), pair("me", "se:cret"));
        assert_eq!(in_config(&config, "index.docker.io"), pair("me", "se:cret"));
        assert_eq!(in_config(&config, "127.0.0.1:5000"), pair("you", "word"));
        for host in ["ghcr.io", "127.0.0.1:5001", "quay.io"] {
            assert_eq!(in_config(&config, host), None, "{host}");
        }
        assert_eq!(in_config(&json!({}), "docker.io"), None);
    }
}
