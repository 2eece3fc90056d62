//! What a user can set.

extern crate std;

use std::format;
use std::string::String;

use crate::{Attribute, Settings};

#[test]
fn zones_that_do_not_fit_are_refused_and_limits_adjusted_as_in_c() {
    let with = |changes: &[(Attribute, &str)]| {
        let mut settings = Settings::default()
            .with(Attribute::Zoned, "1", 1)
            .unwrap()
            .with(Attribute::Size, "1000", 1)
            .unwrap();
        for (attribute, text) in changes {
            settings = settings.with(*attribute, text, 1).unwrap();
        }
        settings.checked()
    };
    assert!(with(&[(Attribute::ZoneSize, "1024")]).is_err());
    assert!(with(&[(Attribute::ZoneCapacity, "512")]).is_err());
    assert!(
        with(&[(Attribute::ZoneCapacity, "200")]).is_err(),
        "a smaller last zone"
    );
    let settings = with(&[
        (Attribute::ZoneNrConv, "9"),
        (Attribute::ZoneMaxActive, "1"),
        (Attribute::ZoneMaxOpen, "1"),
    ])
    .unwrap();
    assert_eq!(settings.value(Attribute::ZoneNrConv), 3);
    assert_eq!(settings.value(Attribute::ZoneMaxActive), 0);
    assert_eq!(settings.value(Attribute::ZoneCapacity), 256);
    assert!(settings.blocking());
}

#[test]
fn what_bios_once_used_is_multi_queue() {
    let settings = Settings::default()
        .with(Attribute::QueueMode, "0", 1)
        .unwrap();
    assert_eq!(settings.checked(), Ok(Settings::default()));
}

#[test]
fn settings_read_back_and_refuse_nonsense() {
    let settings = Settings::default();
    for attribute in Attribute::ALL {
        let mut text = String::new();
        settings.show(attribute, &mut text).unwrap();
        assert_eq!(
            settings.with(attribute, &format!("{text}\n"), 4),
            Ok(settings)
        );
        assert_eq!(Attribute::by_name(attribute.name()), Some(attribute));
        for text in [
            "",
            "\n",
            "-2",
            "+1",
            "1x",
            "0x10",
            "1.0",
            "1 2",
            "18446744073709551616",
        ] {
            let refused = settings.with(attribute, text, 4);
            assert!(refused.is_err(), "{}={text:?}", attribute.name());
        }
    }
    let ranges: [(Attribute, &[&str], &[&str]); 10] = [
        (
            Attribute::Size,
            &["1", "8796093022207"],
            &["0", "8796093022208"],
        ),
        (
            Attribute::BlockSize,
            &["512", "4096"],
            &["0", "256", "513", "8192"],
        ),
        (Attribute::IrqMode, &["0", "1", "2"], &["3"]),
        (Attribute::SubmitQueues, &["1", "4"], &["0", "5"]),
        (Attribute::PollQueues, &["0", "4"], &["5"]),
        (Attribute::HwQueueDepth, &["1", "10240"], &["0", "10241"]),
        (
            Attribute::ZoneSize,
            &["1", "256", "1048576"],
            &["0", "3", "2097152"],
        ),
        (Attribute::MemoryBacked, &["0", "1"], &["2"]),
        (Attribute::MaxSectors, &["0", "8"], &["1", "7"]),
        (Attribute::QueueMode, &["0", "2"], &["1", "3"]),
    ];
    for (attribute, good, bad) in ranges {
        for text in good {
            assert!(
                settings.with(attribute, text, 4).is_ok(),
                "{}={text}",
                attribute.name()
            );
        }
        for text in bad {
            assert!(
                settings.with(attribute, text, 4).is_err(),
                "{}={text}",
                attribute.name()
            );
        }
    }
}
