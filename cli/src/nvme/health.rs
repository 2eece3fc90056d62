//! `ringfence nvme smart`: the SMART and health log.

use std::fmt::Write;

use anyhow::{anyhow, Result};
use kit::device::Device;
use nvme::{LogPage, Smart};
use ring3::dma::Arena;
use ring3::nvme::{Clock, Session};
use serde_json::json;
use zerocopy::little_endian::U128;
use zerocopy::FromBytes;

/// The log, as text or JSON.
pub fn smart<D: Device<Dma = Arena>, C: Clock>(
    session: &mut Session<D, C>,
    as_json: bool,
) -> Result<String> {
    let mut bytes = [0; size_of::<Smart>()];
    session.log_page(LogPage::Smart, &mut bytes)?;
    let log = Smart::read_from_bytes(&bytes).map_err(|_| anyhow!("the log is cut short"))?;
    Ok(match as_json {
        true => as_value(&log),
        false => as_text(&log),
    })
}

/// A counter; those that are larger than any real one are all the largest.
fn count(value: U128) -> u64 {
    u64::try_from(value.get()).unwrap_or(u64::MAX)
}

fn sensors(log: &Smart) -> Vec<i32> {
    log.sensors
        .iter()
        .filter_map(|sensor| Smart::celsius(*sensor))
        .collect()
}

fn as_value(log: &Smart) -> String {
    let value = json!({
        "warnings": log.warnings().collect::<Vec<_>>(),
        "temperature_celsius": Smart::celsius(log.temperature),
        "sensors_celsius": sensors(log),
        "available_spare_percent": log.available_spare,
        "spare_threshold_percent": log.spare_threshold,
        "used_percent": log.percentage_used,
        "data_units_read": count(log.data_units_read),
        "data_units_written": count(log.data_units_written),
        "host_reads": count(log.host_reads),
        "host_writes": count(log.host_writes),
        "busy_minutes": count(log.busy_minutes),
        "power_cycles": count(log.power_cycles),
        "power_on_hours": count(log.power_on_hours),
        "unsafe_shutdowns": count(log.unsafe_shutdowns),
        "media_errors": count(log.media_errors),
        "error_log_entries": count(log.error_log_entries),
        "warning_temperature_minutes": log.warning_temperature_minutes.get(),
        "critical_temperature_minutes": log.critical_temperature_minutes.get(),
    });
    format!("{value:#}\n")
}

fn as_text(log: &Smart) -> String {
    let degrees = |celsius: i32| format!("{celsius} °C");
    let warnings: Vec<&str> = log.warnings().collect();
    let temperature = Smart::celsius(log.temperature).map_or("unknown".into(), degrees);
    // A data unit is 1000 of 512 bytes.
    let units = |value: U128| {
        let bytes = count(value).saturating_mul(512_000);
        format!("{} ({})", count(value), super::size(bytes))
    };
    let mut text = String::new();
    let mut line = |name: &str, value: String| {
        let _ = writeln!(text, "{name:24}{value}");
    };
    line(
        "critical",
        if warnings.is_empty() {
            "nothing".into()
        } else {
            warnings.join(", ")
        },
    );
    line("temperature", temperature);
    for (number, celsius) in sensors(log).into_iter().enumerate() {
        line(&format!("sensor {}", number + 1), degrees(celsius));
    }
    line(
        "spare",
        format!(
            "{}% (warns below {}%)",
            log.available_spare, log.spare_threshold
        ),
    );
    line("used", format!("{}%", log.percentage_used));
    line("data units read", units(log.data_units_read));
    line("data units written", units(log.data_units_written));
    line("read commands", count(log.host_reads).to_string());
    line("write commands", count(log.host_writes).to_string());
    line("busy", format!("{} min", count(log.busy_minutes)));
    line("power cycles", count(log.power_cycles).to_string());
    line("powered on", format!("{} h", count(log.power_on_hours)));
    line("unsafe shutdowns", count(log.unsafe_shutdowns).to_string());
    line("media errors", count(log.media_errors).to_string());
    line(
        "error log entries",
        count(log.error_log_entries).to_string(),
    );
    line(
        "too warm",
        format!(
            "{} min, critically {} min",
            log.warning_temperature_minutes, log.critical_temperature_minutes
        ),
    );
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use ring3::nvme::ModelSession;
    use serde_json::Value;

    #[test]
    fn fields_are_where_the_specification_has_them() {
        let mut bytes = [0; 512];
        bytes[0] = 0b10_0010;
        bytes[1..3].copy_from_slice(&310u16.to_le_bytes());
        (bytes[3], bytes[4], bytes[5]) = (90, 10, 3);
        bytes[32..48].copy_from_slice(&2u128.to_le_bytes());
        bytes[112..128].copy_from_slice(&7u128.to_le_bytes());
        bytes[160..176].copy_from_slice(&u128::MAX.to_le_bytes());
        bytes[196..200].copy_from_slice(&5u32.to_le_bytes());
        bytes[202..204].copy_from_slice(&273u16.to_le_bytes());
        let log = Smart::read_from_bytes(&bytes).expect("512 bytes");
        let value: Value = serde_json::from_str(&as_value(&log)).expect("JSON");
        assert_eq!(value["temperature_celsius"], 37);
        assert_eq!(value["available_spare_percent"], 90);
        assert_eq!(value["data_units_read"], 2);
        assert_eq!(value["power_cycles"], 7);
        assert_eq!(value["media_errors"], u64::MAX);
        assert_eq!(value["critical_temperature_minutes"], 5);
        assert_eq!(value["sensors_celsius"], json!([0]));
        let text = as_text(&log);
        assert!(text.contains("temperature beyond a threshold, persistent memory"));
        assert!(text.contains("1000.0 KiB"), "{text}");
    }

    #[test]
    fn the_model_tells_its_health() -> Result<()> {
        let mut session = ModelSession::model(1)?;
        let before: Value = serde_json::from_str(&smart(&mut session, true)?)?;
        session.read(1, 0, &mut [0; 4096])?;
        let after: Value = serde_json::from_str(&smart(&mut session, true)?)?;
        let reads = |value: &Value| value["host_reads"].as_u64();
        assert_eq!(reads(&after), reads(&before).map(|reads| reads + 1));
        Ok(())
    }
}
