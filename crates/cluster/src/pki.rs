//! The certificates of one run: made anew each time, kept in the run directory.

use std::fs;
use std::net::{IpAddr, Ipv4Addr};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, SanType,
};

use super::ProviderError;

/// Where the certificates and keys of a run lie, as PEM files.
#[derive(Clone)]
pub(super) struct Pki {
    dir: PathBuf,
    /// The certificate authority's certificate, PEM.
    pub(super) ca: String,
    /// What signs with it.
    issuer: Arc<Issuer<'static, KeyPair>>,
}

impl std::fmt::Debug for Pki {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pki")
            .field("dir", &self.dir)
            .finish_non_exhaustive()
    }
}

/// A certificate with its key, as PEM.
#[derive(Debug, Clone)]
pub(super) struct Identity {
    pub(super) cert: String,
    pub(super) key: String,
}

/// Who talks to the API server: the name of the identity, common name and organisation.
pub(super) const CLIENTS: [(&str, &str, Option<&str>); 6] = [
    ("admin", "kubeclash", Some("system:masters")),
    ("kube-controller-manager", "system:kube-controller-manager", None),
    ("kube-scheduler", "system:kube-scheduler", None),
    // Authorization is always granted, so a name of its own costs it nothing, and tells it from the default one, which is
    // often the same program.
    ("second-scheduler", "system:second-scheduler", None),
    ("kwok", "system:kwok", Some("system:nodes")),
    (
        "descheduler",
        "system:serviceaccount:kube-system:descheduler",
        None,
    ),
];

/// The names that our servers are asked for by; the last one is the aggregation layer's name for the metrics API.
const SERVED_NAMES: [&str; 3] = [
    "localhost",
    "kubernetes.default.svc",
    "metrics-server.kube-system.svc",
];

impl Pki {
    /// Makes everything that a control plane needs, in `dir`.
    ///
    /// Keys are ECDSA P-256: an RSA key takes longer to make than etcd takes to start.
    pub(super) fn create(dir: &Path) -> Result<Self, ProviderError> {
        let failed = |what: String| ProviderError::Setup {
            what: "certificates".to_owned(),
            why: what,
        };
        let make = || -> Result<Self, Box<dyn std::error::Error>> {
            fs::create_dir_all(dir)?;
            let (ca, issuer) = authority("kubeclash")?;
            let (front, front_issuer) = authority("kubeclash-front-proxy")?;
            let pki = Self {
                dir: dir.to_owned(),
                ca: ca.cert.clone(),
                issuer: Arc::new(issuer),
            };
            // The key, because on kind a controller signs the certificates of the kubelets with it.
            pki.keep("ca", &ca)?;
            write(&pki.file("front-proxy-ca.crt"), &front.cert)?;
            pki.keep("serving", &serving(&pki.issuer)?)?;
            for (file, name, organisation) in CLIENTS {
                pki.keep(file, &client(&pki.issuer, name, organisation)?)?;
            }
            pki.keep(
                "front-proxy",
                &client(&front_issuer, "kubeclash-front-proxy", None)?,
            )?;
            let accounts = KeyPair::generate()?;
            write(&pki.file("service-accounts.key"), &accounts.serialize_pem())?;
            write(&pki.file("service-accounts.pub"), &accounts.public_key_pem())?;
            Ok(pki)
        };
        make().map_err(|e| failed(e.to_string()))
    }

    /// Makes a certificate for one who talks to the API server, and may do everything there.
    pub(super) fn issue_client(&self, file: &str, name: &str) -> Result<(), ProviderError> {
        let make = || -> Result<(), Box<dyn std::error::Error>> {
            Ok(self.keep(file, &client(&self.issuer, name, Some("system:masters"))?)?)
        };
        make().map_err(|e| ProviderError::Setup {
            what: format!("certificate \"{file}\""),
            why: e.to_string(),
        })
    }

    /// Makes a folder of what a program needs that serves on this machine and trusts who else does: `ca.crt`, `tls.crt` and
    /// `tls.key`, as a Secret of TLS has them.
    pub(super) fn issue_serving(&self, folder: &Path) -> Result<(), ProviderError> {
        let make = || -> Result<(), Box<dyn std::error::Error>> {
            fs::create_dir_all(folder)?;
            let identity = serving(&self.issuer)?;
            write(&folder.join("ca.crt"), &self.ca)?;
            write(&folder.join("tls.crt"), &identity.cert)?;
            Ok(write(&folder.join("tls.key"), &identity.key)?)
        };
        make().map_err(|e| ProviderError::Setup {
            what: format!("certificates in \"{}\"", folder.display()),
            why: e.to_string(),
        })
    }

    /// Where they lie.
    pub(super) fn dir(&self) -> &Path {
        &self.dir
    }

    /// The path of one of the files.
    pub(super) fn file(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    /// One of the identities that were made.
    pub(super) fn identity(&self, name: &str) -> Result<Identity, ProviderError> {
        let read = |ending: &str| {
            fs::read_to_string(self.file(&format!("{name}.{ending}"))).map_err(|e| ProviderError::Setup {
                what: format!("certificate \"{name}\""),
                why: e.to_string(),
            })
        };
        Ok(Identity {
            cert: read("crt")?,
            key: read("key")?,
        })
    }

    fn keep(&self, name: &str, identity: &Identity) -> std::io::Result<()> {
        write(&self.file(&format!("{name}.crt")), &identity.cert)?;
        write(&self.file(&format!("{name}.key")), &identity.key)
    }
}

/// Its certificate and key as PEM, and what signs with them.
fn authority(name: &str) -> Result<(Identity, Issuer<'static, KeyPair>), rcgen::Error> {
    let key = KeyPair::generate()?;
    let mut params = CertificateParams::new(Vec::new())?;
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature];
    let cert = params.self_signed(&key)?;
    let identity = Identity {
        cert: cert.pem(),
        key: key.serialize_pem(),
    };
    Ok((identity, Issuer::new(params, key)))
}

fn serving(issuer: &Issuer<'_, KeyPair>) -> Result<Identity, rcgen::Error> {
    let mut params = CertificateParams::new(SERVED_NAMES.map(str::to_owned))?;
    params
        .subject_alt_names
        .push(SanType::IpAddress(IpAddr::V4(Ipv4Addr::LOCALHOST)));
    params
        .distinguished_name
        .push(DnType::CommonName, "kube-apiserver");
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    issue(params, issuer)
}

fn client(issuer: &Issuer<'_, KeyPair>, name: &str, group: Option<&str>) -> Result<Identity, rcgen::Error> {
    let mut params = CertificateParams::new(Vec::new())?;
    params.distinguished_name.push(DnType::CommonName, name);
    if let Some(group) = group {
        params.distinguished_name.push(DnType::OrganizationName, group);
    }
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    issue(params, issuer)
}

fn issue(params: CertificateParams, issuer: &Issuer<'_, KeyPair>) -> Result<Identity, rcgen::Error> {
    let key = KeyPair::generate()?;
    let cert = params.signed_by(&key, issuer)?;
    Ok(Identity {
        cert: cert.pem(),
        key: key.serialize_pem(),
    })
}

/// Writes a file that only its owner can read.
pub(super) fn write(path: &Path, text: &str) -> std::io::Result<()> {
    use std::io::Write;
    let mut file = fs::OpenOptions::new()
        .create(true)
        .truncate(true)
        .write(true)
        .mode(0o600)
        .open(path)?;
    file.write_all(text.as_bytes())
}
