//! Free ports without races.
//!
//! A port is held by a socket that is bound and never listens. The kernel gives it to nobody else: neither to whoever
//! asks for any free port, nor to an outgoing connection. A component that is told the number can listen on it all
//! the same, because both sockets allow the address to be reused, as every Go listener does (bind(2), SO_REUSEADDR
//! on Linux: no conflict while neither listens). No lock file, so users and temporary directories don't matter.

use std::net::{Ipv4Addr, SocketAddr};

use tokio::net::TcpSocket;

use super::ProviderError;

/// A port on 127.0.0.1 that nobody else is given while this value lives.
#[derive(Debug)]
pub(super) struct Port {
    /// The port.
    pub(super) number: u16,
    /// Other systems than Linux don't let a second socket bind; there the number is only likely to be free.
    _held: Option<TcpSocket>,
}

/// Claims `N` ports.
pub(super) fn claim<const N: usize>() -> Result<[Port; N], ProviderError> {
    let failed = |e: std::io::Error| ProviderError::Setup {
        what: "ports".to_owned(),
        why: e.to_string(),
    };
    let mut ports = Vec::with_capacity(N);
    for _ in 0..N {
        ports.push(one().map_err(failed)?);
    }
    Ok(ports.try_into().expect("there are N of them"))
}

fn one() -> std::io::Result<Port> {
    let socket = TcpSocket::new_v4()?;
    // Bound before reuse is allowed: the kernel then picks a port that no other socket has, in whatever state.
    socket.set_reuseaddr(false)?;
    socket.bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))?;
    socket.set_reuseaddr(true)?;
    let number = socket.local_addr()?.port();
    Ok(Port {
        number,
        _held: cfg!(target_os = "linux").then_some(socket),
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::net::{TcpListener, TcpStream};

    use super::*;

    #[test]
    fn claims_never_share_a_port() {
        let claims: Vec<[Port; 5]> = (0..100).map(|_| claim().unwrap()).collect();
        let numbers: BTreeSet<u16> = claims.iter().flatten().map(|port| port.number).collect();
        assert_eq!(numbers.len(), 500);
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn a_component_can_listen_on_a_claimed_port_and_nobody_is_given_it() {
        let [port] = claim().unwrap();
        let others: Vec<TcpSocket> = (0..2_000)
            .map(|_| {
                let socket = TcpSocket::new_v4().unwrap();
                socket.bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).unwrap();
                socket
            })
            .collect();
        assert!(
            others
                .iter()
                .all(|other| other.local_addr().unwrap().port() != port.number)
        );
        let plain = TcpSocket::new_v4().unwrap();
        assert!(
            plain
                .bind(SocketAddr::from((Ipv4Addr::LOCALHOST, port.number)))
                .is_err(),
            "bound twice without reuse"
        );
        // The standard library's listener allows reuse, as Go's does.
        let component = TcpListener::bind((Ipv4Addr::LOCALHOST, port.number)).unwrap();
        TcpStream::connect((Ipv4Addr::LOCALHOST, port.number)).unwrap();
        drop(component);
        TcpListener::bind((Ipv4Addr::LOCALHOST, port.number)).expect("it can start again");
    }
}
