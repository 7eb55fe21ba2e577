//! How large an etcd's database is, asked of the etcd itself: its gRPC gateway speaks JSON.
//!
//! Nothing is written, and no value is read: ranges are asked for with `count_only`.

use std::collections::BTreeMap;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::{Value, json};

use super::measured::EtcdSize;

/// What is counted of every database, by name: where Kubernetes keeps what the second seed counts, and what grows in a
/// load test.
pub const COUNTED: [(&str, &str); 10] = [
    ("deployments", "/registry/deployments/"),
    ("endpoints", "/registry/services/endpoints/"),
    ("endpointslices", "/registry/endpointslices/"),
    ("leases", "/registry/leases/"),
    ("pods", "/registry/pods/"),
    ("events", "/registry/events/"),
    ("nodes", "/registry/minions/"),
    ("services", "/registry/services/specs/"),
    ("configmaps", "/registry/configmaps/"),
    ("secrets", "/registry/secrets/"),
];

/// The name of the count of all keys.
pub const ALL: &str = "all";

/// Why an etcd's size is not known.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EtcdError {
    /// It does not answer, or not as etcd does.
    #[error("etcd at \"{url}\" does not answer {path}: {why}")]
    Answer {
        /// Its address.
        url: String,
        /// What was asked.
        path: &'static str,
        /// What came instead.
        why: String,
    },
    /// What is needed to ask anybody is not there.
    #[error("failed to ask etcd: {0}")]
    Client(String),
}

/// An etcd that answers.
#[derive(Debug, Clone)]
pub struct EtcdGateway {
    client: reqwest::Client,
    url: String,
    prefixes: Vec<String>,
}

#[derive(Deserialize)]
struct Status {
    #[serde(default)]
    version: String,
    #[serde(default, rename = "dbSize")]
    db_size: Number,
    #[serde(default, rename = "dbSizeInUse")]
    in_use: Number,
}

#[derive(Deserialize)]
struct Range {
    #[serde(default)]
    count: Number,
}

/// The gateway writes 64 bits as a text, and leaves out a zero.
#[derive(Default, Deserialize)]
#[serde(untagged)]
enum Number {
    Text(String),
    Plain(u64),
    #[default]
    Zero,
}

impl Number {
    fn value(&self) -> Result<u64, String> {
        match self {
            Self::Text(text) => text.parse().map_err(|_| format!("\"{text}\" is no size")),
            Self::Plain(value) => Ok(*value),
            Self::Zero => Ok(0),
        }
    }
}

impl EtcdGateway {
    /// Of an etcd that serves clients at `url`, without asking it yet. `prefixes` are counted as well.
    ///
    /// # Errors
    /// When no HTTP client can be made.
    pub fn new(url: &str, prefixes: &[String], patience: Duration) -> Result<Self, EtcdError> {
        // Somebody else may have installed one already; any will do.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = reqwest::Client::builder()
            .no_proxy()
            .timeout(patience)
            .build()
            .map_err(|error| EtcdError::Client(error.to_string()))?;
        Ok(Self {
            client,
            url: url.trim_end_matches('/').to_owned(),
            prefixes: prefixes.to_vec(),
        })
    }

    /// Its version, and how large its database is now.
    ///
    /// # Errors
    /// When it does not answer in time.
    pub async fn size(&self) -> Result<(String, EtcdSize), EtcdError> {
        const STATUS: &str = "/v3/maintenance/status";
        let status: Status = self.ask(STATUS, &json!({})).await?;
        let number = |number: &Number| number.value().map_err(|why| self.wrong(STATUS, why));
        let counted = COUNTED.iter().map(|&(name, prefix)| (name.to_owned(), prefix));
        let asked = self
            .prefixes
            .iter()
            .map(|prefix| (prefix.clone(), prefix.as_str()));
        let all = std::iter::once((ALL.to_owned(), ""));
        let mut keys = BTreeMap::new();
        for (name, prefix) in all.chain(counted).chain(asked) {
            keys.insert(name, self.count(prefix).await?);
        }
        let size = EtcdSize {
            db_bytes: number(&status.db_size)?,
            in_use_bytes: number(&status.in_use)?,
            keys,
        };
        Ok((status.version, size))
    }

    /// How many keys begin so.
    ///
    /// # Errors
    /// When it does not answer in time.
    pub async fn count(&self, prefix: &str) -> Result<u64, EtcdError> {
        const RANGE: &str = "/v3/kv/range";
        let range: Range = self.ask(RANGE, &range(prefix)).await?;
        range.count.value().map_err(|why| self.wrong(RANGE, why))
    }

    async fn ask<T: for<'de> Deserialize<'de>>(
        &self,
        path: &'static str,
        body: &Value,
    ) -> Result<T, EtcdError> {
        let failed = |error: reqwest::Error| {
            // The innermost cause says what happened; the others, that something did.
            let mut cause: &dyn std::error::Error = &error;
            while let Some(source) = cause.source() {
                cause = source;
            }
            self.wrong(path, cause.to_string())
        };
        let request = self.client.post(format!("{}{path}", self.url));
        let request = request
            .header("content-type", "application/json")
            .body(body.to_string());
        let answer = request.send().await.map_err(failed)?;
        let status = answer.status();
        let text = answer.text().await.map_err(failed)?;
        if !status.is_success() {
            let first: String = text.trim().chars().take(200).collect();
            return Err(self.wrong(path, format!("{status} {first}").trim_end().to_owned()));
        }
        serde_json::from_str(&text).map_err(|error| self.wrong(path, error.to_string()))
    }

    fn wrong(&self, path: &'static str, why: String) -> EtcdError {
        EtcdError::Answer {
            url: self.url.clone(),
            path,
            why,
        }
    }
}

/// The request that counts the keys of a prefix; of the empty one all.
fn range(prefix: &str) -> Value {
    let (key, end) = match prefix {
        "" => (vec![0], vec![0]),
        prefix => (prefix.as_bytes().to_vec(), range_end(prefix.as_bytes())),
    };
    json!({"key": STANDARD.encode(key), "range_end": STANDARD.encode(end), "count_only": true})
}

/// The first key after all of a prefix; a zero byte stands for "to the end".
fn range_end(prefix: &[u8]) -> Vec<u8> {
    let mut end = prefix.to_vec();
    while let Some(last) = end.last_mut() {
        if *last < u8::MAX {
            *last += 1;
            return end;
        }
        end.pop();
    }
    vec![0]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_ends_where_the_next_begins() {
        assert_eq!(range_end(b"/registry/pods/"), b"/registry/pods0");
        assert_eq!(range_end(b"a\xff\xff"), b"b");
        assert_eq!(range_end(b"\xff\xff"), [0]);
        assert_eq!(range("")["key"], "AA==");
        assert_eq!(range("")["range_end"], "AA==");
        assert_eq!(
            range("/registry/pods/")["range_end"],
            STANDARD.encode("/registry/pods0")
        );
    }

    #[test]
    fn numbers_are_texts_and_zeros_are_left_out() {
        let range: Range = serde_json::from_str(r#"{"header":{},"count":"12345678901"}"#).unwrap();
        assert_eq!(range.count.value(), Ok(12_345_678_901));
        let range: Range = serde_json::from_str(r#"{"header":{}}"#).unwrap();
        assert_eq!(range.count.value(), Ok(0));
        let range: Range = serde_json::from_str(r#"{"count":"many"}"#).unwrap();
        assert_eq!(range.count.value(), Err("\"many\" is no size".to_owned()));
    }

    #[tokio::test]
    async fn nobody_there_is_an_error_that_names_the_address() {
        // Bound and never listened on: nobody answers, and nobody else is given the port.
        let socket = tokio::net::TcpSocket::new_v4().unwrap();
        socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let url = format!("http://{}", socket.local_addr().unwrap());
        let gateway = EtcdGateway::new(&url, &[], Duration::from_secs(5)).unwrap();
        let error = gateway.size().await.unwrap_err().to_string();
        assert!(
            error.starts_with(&format!(
                "etcd at \"{url}\" does not answer /v3/maintenance/status: "
            )),
            "{error}"
        );
    }
}
