//! Where one host is: its name or address and its port, or the folder of a socket.

use std::net::IpAddr;

use super::settings::{Setting, Settings};
use crate::error::Result;

const PORT: u16 = 5432;

/// Where one host is.
#[derive(Debug)]
pub struct Place {
    host: String,
    address: Option<IpAddr>,
    port: u16,
}

impl Place {
    /// A name, an address, or the folder of a socket.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The address, if it need not be looked up by the name.
    #[must_use]
    pub fn address(&self) -> Option<IpAddr> {
        self.address
    }

    /// The port.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Whether it is a socket of this machine.
    #[must_use]
    pub fn is_socket(&self) -> bool {
        self.address.is_none() && self.host.starts_with('/')
    }

    /// Whether it is a loopback address, or `localhost`.
    #[must_use]
    pub fn is_here(&self) -> bool {
        let is_loopback = |address: IpAddr| address.to_canonical().is_loopback();
        match self.address.or_else(|| self.host.parse().ok()) {
            Some(address) => is_loopback(address),
            None => self.host.eq_ignore_ascii_case("localhost"),
        }
    }

    /// What a person calls it: `host:port`, or the path of the socket.
    #[must_use]
    pub fn name(&self) -> String {
        let Self { host, port, .. } = self;
        match host {
            socket if self.is_socket() => format!("{}/.s.PGSQL.{port}", socket.trim_end_matches('/')),
            address if address.contains(':') => format!("[{address}]:{port}"),
            host => format!("{host}:{port}"),
        }
    }
}

/// The hosts that are given, or `localhost`.
///
/// # Errors
/// `ERR_INVALID_ARG_VALUE` for what is no host, address or port, and for lists of different lengths.
pub fn places(settings: &Settings) -> Result<Vec<Place>> {
    let hosts = List::of(settings, "host")?;
    let addresses = List::of(settings, "hostaddr")?;
    let ports = List::of(settings, "port")?;
    let count = hosts.len().max(addresses.len()).max(1);
    if hosts.len() > 0 {
        addresses.check_length(count)?;
    }
    if ports.len() > 1 {
        ports.check_length(count)?;
    }
    let place = |at: usize| {
        let address = addresses.item(at).map(parse_address).transpose()?;
        let port = ports.item(if ports.len() == 1 { 0 } else { at }).map(parse_port).transpose()?;
        let host = match (hosts.item(at), address) {
            (Some(host), _) => check_host(host)?,
            (None, Some(address)) => IpAddr::to_string(&address),
            (None, None) => "localhost".to_owned(),
        };
        Ok(Place { host, address, port: port.unwrap_or(PORT) })
    };
    (0..count).map(place).collect()
}

/// A setting of several items, or of none.
struct List(Option<Setting>);

impl List {
    fn of(settings: &Settings, keyword: &'static str) -> Result<Self> {
        settings.text(keyword).map(Self)
    }

    fn len(&self) -> usize {
        self.0.as_ref().map_or(0, |setting| setting.list().count())
    }

    /// An item that is not empty, and the setting that it is of.
    fn item(&self, at: usize) -> Option<Item<'_>> {
        let setting = self.0.as_ref()?;
        setting.list().nth(at).filter(|item| !item.is_empty()).map(|item| (item, setting))
    }

    fn check_length(&self, count: usize) -> Result<()> {
        let counted = |count, one: &str, many: &str| {
            if count == 1 { format!("1 {one}") } else { format!("{count} {many}") }
        };
        match &self.0 {
            Some(setting) if self.len() != count => {
                let items = counted(self.len(), "item", "items");
                let hosts = counted(count, "host is", "hosts are");
                Err(setting.wrong(&format!("has {items}, and {hosts} given; give one for each host")))
            }
            _ => Ok(()),
        }
    }
}

type Item<'a> = (&'a str, &'a Setting);

fn parse_address((text, setting): Item) -> Result<IpAddr> {
    text.parse().map_err(|_| setting.wrong("must be an address in numbers, such as 10.0.0.7"))
}

fn parse_port((text, setting): Item) -> Result<u16> {
    text.parse().ok().filter(|port| *port != 0).ok_or_else(|| {
        setting.wrong(
            "must be a number from 1 to 65535; in user and password, write %3A for ':', %2F for '/' and %40 for '@'",
        )
    })
}

fn check_host((host, setting): Item) -> Result<String> {
    if host.starts_with('@') {
        return Err(
            setting.wrong("is an abstract socket ('@…'), which is not supported; give the folder of another")
        );
    }
    if host.starts_with('/') && cfg!(not(unix)) {
        return Err(setting.wrong("is the folder of a socket, which this system does not have; give a host"));
    }
    if host.contains(|c: char| c.is_whitespace() || c.is_control() || c == '@') {
        return Err(setting.wrong("has a character that no name of a host has"));
    }
    Ok(host.to_owned())
}
