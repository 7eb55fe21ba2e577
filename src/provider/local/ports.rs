//! Free ports without races.
//!
//! The kernel chooses a port and keeps it for us: it is bound, and not listened on, by a socket that the component
//! may share (`SO_REUSEPORT`, which etcd and Kubernetes have flags for). Until the component listens, connections
//! are refused; nobody else can bind it, be it another run, another user or an outgoing connection.

use std::net::{Ipv4Addr, SocketAddr};

use tokio::net::TcpSocket;

use super::super::ProviderError;

/// A port on 127.0.0.1 that is nobody else's while this value lives.
#[derive(Debug)]
pub(super) struct Port {
    /// The port.
    pub(super) number: u16,
    _held: TcpSocket,
}

/// Claims `N` ports.
pub(super) fn claim<const N: usize>() -> Result<[Port; N], ProviderError> {
    let ports: std::io::Result<Vec<Port>> = (0..N).map(|_| one()).collect();
    let ports = ports.map_err(|e| ProviderError::Setup {
        what: "ports on 127.0.0.1".to_owned(),
        why: e.to_string(),
    })?;
    Ok(ports.try_into().expect("N of them were claimed"))
}

fn one() -> std::io::Result<Port> {
    let held = TcpSocket::new_v4()?;
    held.set_reuseport(true)?;
    held.bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))?;
    Ok(Port {
        number: held.local_addr()?.port(),
        _held: held,
    })
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, TcpStream};

    use super::*;

    #[test]
    fn a_claimed_port_is_nobody_elses() {
        let ports = claim::<64>().unwrap();
        let numbers: std::collections::BTreeSet<u16> = ports.iter().map(|port| port.number).collect();
        assert_eq!(numbers.len(), 64);
        for number in numbers {
            TcpListener::bind((Ipv4Addr::LOCALHOST, number)).unwrap_err();
        }
    }

    #[tokio::test]
    async fn its_component_listens_on_it_and_nobody_is_answered_before() {
        let [port] = claim::<1>().unwrap();
        TcpStream::connect((Ipv4Addr::LOCALHOST, port.number)).unwrap_err();
        // As a component does that is told to share its port.
        let component = TcpSocket::new_v4().unwrap();
        component.set_reuseport(true).unwrap();
        component
            .bind(SocketAddr::from((Ipv4Addr::LOCALHOST, port.number)))
            .unwrap();
        let _listening = component.listen(64).unwrap();
        for _ in 0..20 {
            TcpStream::connect((Ipv4Addr::LOCALHOST, port.number)).unwrap();
        }
    }
}
