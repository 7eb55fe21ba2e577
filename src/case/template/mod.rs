//! The case that `kubeclash case new` writes: small, and working as it is.

/// Its files by name, with its id put in.
#[must_use]
pub fn files(id: &str) -> [(&'static str, String); 4] {
    [
        (
            "case.yaml",
            include_str!("case.yaml").replace("\nid: ID\n", &format!("\nid: {id}\n")),
        ),
        ("10-web.yaml", include_str!("10-web.yaml").to_owned()),
        (
            "10-web-without-replicas.yaml",
            include_str!("10-web-without-replicas.yaml").to_owned(),
        ),
        ("20-hpa.yaml", include_str!("20-hpa.yaml").to_owned()),
    ]
}
