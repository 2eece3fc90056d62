//! Where a PCI function is: domain, bus, device and function number.

use std::fmt;
use std::str::FromStr;

use anyhow::{bail, Error};

/// A PCI function's address, as `0000:00:04.0`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Address {
    /// Domain (segment).
    pub domain: u32,
    /// Bus.
    pub bus: u8,
    /// Device, 0..=31.
    pub device: u8,
    /// Function, 0..=7.
    pub function: u8,
}

impl FromStr for Address {
    type Err = Error;

    /// Reads `DOMAIN:BUS:DEVICE.FUNCTION` or `BUS:DEVICE.FUNCTION`, all of them
    /// hexadecimal.
    fn from_str(text: &str) -> Result<Address, Error> {
        match parse(text) {
            Some(address) => Ok(address),
            None => bail!("`{text}` is no PCI address, such as 0000:00:04.0"),
        }
    }
}

fn parse(text: &str) -> Option<Address> {
    let (rest, function) = text.split_once('.')?;
    let (rest, device) = rest.rsplit_once(':')?;
    let (domain, bus) = rest.split_once(':').unwrap_or(("0", rest));
    let address = Address {
        domain: hex(domain, 8)?,
        bus: u8::try_from(hex(bus, 2)?).ok()?,
        device: u8::try_from(hex(device, 2)?).ok()?,
        function: u8::try_from(hex(function, 1)?).ok()?,
    };
    (address.device < 32 && address.function < 8).then_some(address)
}

/// A number of at most so many digits and no sign.
fn hex(text: &str, digits: usize) -> Option<u32> {
    let short = (1..=digits).contains(&text.len());
    let plain = text.bytes().all(|byte| byte.is_ascii_hexdigit());
    (short && plain).then(|| u32::from_str_radix(text, 16).ok())?
}

impl fmt::Display for Address {
    /// As sysfs names it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Address {
            domain,
            bus,
            device,
            function,
        } = self;
        write!(f, "{domain:04x}:{bus:02x}:{device:02x}.{function}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_and_written_as_sysfs_has_them() {
        for (text, name) in [
            ("0000:00:04.0", "0000:00:04.0"),
            ("3:1f.7", "0000:03:1f.7"),
            ("10000:E1:00.1", "10000:e1:00.1"),
        ] {
            let address: Address = text.parse().expect("an address");
            assert_eq!(address.to_string(), name);
        }
    }

    #[test]
    fn what_is_no_address_is_told_so() {
        for text in [
            "",
            "nvme0",
            "00:04",
            "00:20.0",
            "00:1f.8",
            "0000:00:04.00",
            "+0:04.0",
            "0:0:0:4.0",
            "../x:00.0",
            "00:04.0\n",
            "123:04.0",
        ] {
            let error = text.parse::<Address>().expect_err(text);
            assert!(error.to_string().contains("0000:00:04.0"), "{text}");
        }
    }
}
