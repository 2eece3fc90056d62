//! `ringfence nvme identify`: what a controller says of itself.

use std::fmt::Write;

use anyhow::Result;
use kit::device::Device;
use ring3::dma::Arena;
use ring3::nvme::{Clock, Session};
use serde_json::{json, Value};

use super::size;

/// The controller and its namespaces, as text or JSON.
pub fn identify<D: Device<Dma = Arena>, C: Clock>(
    session: &Session<D, C>,
    as_json: bool,
) -> Result<String> {
    let identity = session.identity()?;
    let controller = session.controller();
    let capabilities = controller.capabilities();
    let version = version(controller.version());
    let queues = capabilities.max_queue_entries();
    let ascii = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_string();
    let (model, serial, firmware) = (
        ascii(&identity.model),
        ascii(&identity.serial),
        ascii(&identity.firmware),
    );
    let most = identity.max_transfer.map(|bytes| bytes.get());
    let offered: Vec<&str> = [
        ("compare", identity.compare),
        ("dataset-management", identity.dataset_management),
        ("doorbell-buffers", identity.doorbell_buffers),
        ("format", identity.format),
        ("namespace-events", identity.namespace_events),
        ("sgl", identity.sgl),
        ("verify", identity.verify),
        ("write-cache", identity.write_cache),
        ("write-zeroes", identity.write_zeroes),
    ]
    .into_iter()
    .filter_map(|(name, there)| there.then_some(name))
    .collect();
    if as_json {
        let namespaces: Vec<Value> = session
            .namespaces()
            .values()
            .map(|namespace| {
                json!({
                    "number": namespace.number,
                    "blocks": namespace.blocks,
                    "block_size": namespace.block_size(),
                    "format": namespace.format,
                    "formats": namespace.formats,
                })
            })
            .collect();
        let value = json!({
            "model": model,
            "serial": serial,
            "firmware": firmware,
            "vendor": format!("{:04x}", identity.vendor),
            "version": version,
            "max_transfer": most,
            "max_queue_entries": queues,
            "max_namespace": identity.namespaces,
            "offers": offered,
            "namespaces": namespaces,
        });
        return Ok(format!("{value:#}\n"));
    }
    let transfer = most.map_or("any".into(), |bytes| size(bytes.into()));
    let mut text = String::new();
    for (name, value) in [
        ("model", model),
        ("serial", serial),
        ("firmware", firmware),
        ("vendor", format!("{:04x}", identity.vendor)),
        ("version", version),
        ("transfer", format!("{transfer} at most")),
        ("queues", format!("{queues} entries at most")),
        ("offers", offered.join(" ")),
    ] {
        for (line, part) in crate::output::wrap(&value, 64).iter().enumerate() {
            let name = if line == 0 { name } else { "" };
            let _ = writeln!(text, "{name:14}{part}");
        }
    }
    for namespace in session.namespaces().values() {
        let bytes = namespace.blocks << namespace.block_shift;
        let _ = writeln!(
            text,
            "namespace {:<4}{} in {} blocks of {} bytes",
            namespace.number,
            size(bytes),
            namespace.blocks,
            namespace.block_size()
        );
    }
    Ok(text)
}

/// A version register's numbers (NVMe Base 2.0 §3.1.3.2).
fn version(value: u32) -> String {
    format!("{}.{}.{}", value >> 16, value >> 8 & 0xff, value & 0xff)
}

#[cfg(test)]
mod tests {
    use super::*;
    use ring3::nvme::ModelSession;

    #[test]
    fn the_model_is_identified() -> Result<()> {
        let session = ModelSession::model(1)?;
        let text = identify(&session, false)?;
        assert!(
            text.lines().all(|line| line.chars().count() <= 80),
            "{text}"
        );
        let value: Value = serde_json::from_str(&identify(&session, true)?)?;
        let namespace = &value["namespaces"][0];
        let bytes = namespace["blocks"]
            .as_u64()
            .zip(namespace["block_size"].as_u64());
        let bytes = bytes.map_or(0, |(blocks, size)| blocks * size);
        assert!(bytes > 0 && text.contains(&size(bytes)), "{text}");
        assert_eq!(namespace["number"], 1);
        let model = value["model"].as_str().unwrap_or_default();
        assert!(!model.is_empty() && text.contains(model));
        Ok(())
    }

    #[test]
    fn a_version_has_three_numbers() {
        assert_eq!(version(0x0001_0400), "1.4.0");
        assert_eq!(version(0x0002_0001), "2.0.1");
    }
}
