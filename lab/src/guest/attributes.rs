//! What is read back from a disk, for parity.

use std::collections::BTreeMap;

use super::device::{Device, Disk};

/// Queue attributes that are read as they are. Which of them block a verdict
/// is the report's to decide.
const QUEUE: [&str; 23] = [
    "add_random",
    "discard_max_bytes",
    "dma_alignment",
    "fua",
    "io_poll",
    "io_timeout",
    "iostats",
    "logical_block_size",
    "max_discard_segments",
    "max_hw_sectors_kb",
    "max_sectors_kb",
    "max_segment_size",
    "max_segments",
    "nomerges",
    "nr_requests",
    "optimal_io_size",
    "physical_block_size",
    "rotational",
    "rq_affinity",
    "virt_boundary_mask",
    "wbt_lat_usec",
    "write_cache",
    "write_zeroes_max_bytes",
];

/// Settings of C null_blk that change what it does; a driver without one of
/// them behaves as if it were 0.
const DRIVER: [&str; 4] = ["irqmode", "poll_queues", "memory_backed", "blocking"];

/// Everything that can differ between two null block devices, as it is now.
pub fn read_back(device: &Device, disk: &Disk) -> BTreeMap<String, String> {
    let mut values = of_disk(disk);
    for name in DRIVER {
        let value = device.get(name).unwrap_or_else(|| "0".to_string());
        values.insert(name.to_string(), value);
    }
    values
}

/// What can differ between two disks, whatever they are, as it is now.
pub fn of_disk(disk: &Disk) -> BTreeMap<String, String> {
    let mut values = BTreeMap::new();
    for name in QUEUE {
        if let Some(value) = disk.queue(name) {
            values.insert(name.to_string(), value);
        }
    }
    if let Some(text) = disk.queue("scheduler") {
        values.insert("scheduler".into(), active(&text).to_string());
    }
    values.insert("hw_queues".into(), disk.hardware_queues().to_string());
    // The tags of the hardware queue itself, not what a setting says of it.
    if let Some(tags) = disk.attribute("mq/0/nr_tags") {
        values.insert("hw_queue_depth".into(), tags);
    }
    if let Some(sectors) = disk
        .attribute("size")
        .and_then(|text| text.parse::<u64>().ok())
    {
        values.insert("size".into(), format!("{} MiB", sectors / 2048));
    }
    values
}

/// The chosen one of `none [mq-deadline] kyber`.
fn active(text: &str) -> &str {
    text.split_whitespace()
        .find_map(|word| word.strip_prefix('[')?.strip_suffix(']'))
        .unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_active_scheduler_is_the_bracketed_one() {
        assert_eq!(active("none [mq-deadline] kyber"), "mq-deadline");
        assert_eq!(active("[none]"), "none");
        assert_eq!(active("none"), "none");
    }
}
