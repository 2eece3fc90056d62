//! `ringfence nvme list`: what there is, by sysfs.

use anyhow::Result;
use ring3::nvme::CLASS;
use ring3::vfio::{Entry, Host};
use serde_json::{json, Value};

use super::size;
use crate::output;

/// Names the controllers of this machine.
pub fn list(as_json: bool) -> Result<()> {
    let found = Host::default().functions(CLASS);
    if as_json {
        let all: Vec<Value> = found.iter().map(value).collect();
        return output::print(&format!("{:#}\n", Value::from(all)));
    }
    if found.is_empty() {
        output::say("no NVMe controller is on a PCI bus of this machine");
        return Ok(());
    }
    output::print(&table(&found, output::width()))
}

/// A row for each controller, of at most `width` columns.
fn table(found: &[Entry], width: usize) -> String {
    let head = ["ADDRESS", "ID", "DRIVER", "GROUP", "SIZE", "MODEL"].map(String::from);
    let rows = found.iter().map(|entry| {
        let none = || "-".to_string();
        let bytes = entry.disks.iter().map(|(_, bytes)| bytes).sum();
        [
            entry.address.to_string(),
            format!("{:04x}:{:04x}", entry.vendor, entry.device),
            entry.driver.clone().unwrap_or_else(none),
            entry
                .iommu_group
                .map_or_else(none, |group| group.to_string()),
            if entry.disks.is_empty() {
                none()
            } else {
                size(bytes)
            },
            entry.model.clone().unwrap_or_else(none),
        ]
    });
    let rows: Vec<[String; 6]> = std::iter::once(head).chain(rows).collect();
    let widest = |column: usize| rows.iter().map(|row| row[column].chars().count()).max();
    let widths: Vec<usize> = (0..6).map(|column| widest(column).unwrap_or(0)).collect();
    let mut text = String::new();
    for row in &rows {
        let cells = row
            .iter()
            .zip(&widths)
            .map(|(cell, width)| format!("{cell:width$}"));
        let line = cells.collect::<Vec<_>>().join("  ");
        let line: String = line.trim_end().chars().take(width).collect();
        text += &line;
        text.push('\n');
    }
    text
}

fn value(entry: &Entry) -> Value {
    let disks = entry.disks.iter();
    let disks: Vec<Value> = disks
        .map(|(name, bytes)| json!({ "name": name, "bytes": bytes }))
        .collect();
    json!({
        "address": entry.address.to_string(),
        "vendor": format!("{:04x}", entry.vendor),
        "device": format!("{:04x}", entry.device),
        "driver": entry.driver,
        "iommu_group": entry.iommu_group,
        "model": entry.model,
        "disks": disks,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(driver: Option<&str>, model: Option<&str>) -> Entry {
        Entry {
            address: "0000:00:04.0".parse().expect("an address"),
            vendor: 0x1b36,
            device: 0x10,
            class: CLASS,
            driver: driver.map(String::from),
            iommu_group: driver.map(|_| 12),
            model: model.map(String::from),
            disks: model
                .map(|_| ("nvme0n1".into(), 64 << 20))
                .into_iter()
                .collect(),
        }
    }

    #[test]
    fn the_table_keeps_to_its_width_and_shows_what_is_missing() {
        let long = "A model with a name of forty characters, ";
        let found = [entry(Some("vfio-pci"), Some(long)), entry(None, None)];
        let text = table(&found, 80);
        assert!(
            text.lines().all(|line| line.chars().count() <= 80),
            "{text}"
        );
        let lines: Vec<&str> = text.lines().collect();
        assert!(lines[1].starts_with("0000:00:04.0  1b36:0010  vfio-pci  12"));
        assert!(lines[1].contains("64.0 MiB  A model"));
        assert!(lines[2].ends_with("-"), "{text}");
    }

    #[test]
    fn json_has_null_for_what_is_missing() {
        let value = value(&entry(None, None));
        assert_eq!(value["driver"], Value::Null);
        assert_eq!(value["vendor"], "1b36");
        assert_eq!(value["disks"], json!([]));
    }
}
