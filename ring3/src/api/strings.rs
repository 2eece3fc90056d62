//! Text: formatted, parsed, measured, compared, searched, copied.

use std::cmp::Ordering;
use std::ffi::CStr;
use std::io::Write;

use super::operation::{barrier, each, operation};

const FORTY: [&str; 2] = [
    "a text of forty bytes that ends with: 00",
    "a text of forty bytes that ends with: 01",
];

operation! {
    /// Nineteen digits.
    fn format_integer(iterations) {
        let mut buffer = [0; 32];
        let mut effect = 0;
        each!(i in iterations {
            let mut left = &mut buffer[..];
            let written = write!(left, "{}", 1_000_000_000_000_000_000 + i);
            let length = 32 - left.len();
            effect += u64::from(
                written.is_ok() && length == 19 && buffer[18] == b'0' + (i % 10) as u8,
            );
        });
        effect
    }

    /// Two strings, and text between them.
    fn format_string(iterations) {
        let (names, value) = (["alpha", "bravo"], "thirteen bytes");
        let mut buffer = [0; 32];
        let mut effect = 0;
        barrier(&names);
        barrier(&value);
        each!(i in iterations {
            let mut left = &mut buffer[..];
            let written = write!(left, "{}: {}", names[(i & 1) as usize], value);
            let length = 32 - left.len();
            effect += u64::from(
                written.is_ok() && length == 21 && buffer[0] == b'a' + (i & 1) as u8,
            );
        });
        effect
    }

    /// Three digits after the point.
    fn format_float(iterations) {
        let first = 1000.125;
        let mut buffer = [0; 32];
        let mut effect = 0;
        barrier(&first);
        each!(i in iterations {
            let mut left = &mut buffer[..];
            let written = write!(left, "{:.3}", first + (i & 7) as f64);
            let length = 32 - left.len();
            effect += u64::from(
                written.is_ok() && length == 8 && buffer[3] == b'0' + (i & 7) as u8,
            );
        });
        effect
    }

    /// Into memory of its own.
    fn format_allocated(iterations) {
        let mut effect = 0;
        each!(i in iterations {
            let text = format!("item {}", 1_000_000_000_000_000_000 + i);
            effect += u64::from(
                text.len() == 24 && text.as_bytes()[23] == b'0' + (i % 10) as u8,
            );
        });
        effect
    }

    fn parse_integer(iterations) {
        let texts = ["-9223372036854775808", "1234567890123456789"];
        let values = [i64::MIN, 1_234_567_890_123_456_789];
        let mut effect = 0;
        barrier(&texts);
        each!(i in iterations {
            let value: Result<i64, _> = texts[(i & 1) as usize].parse();
            effect += u64::from(value == Ok(values[(i & 1) as usize]));
        });
        effect
    }

    fn parse_float(iterations) {
        let texts = ["-1234.5678e10", "0.30000000000000004"];
        let values = [-1234.5678e10, 0.1 + 0.2];
        let mut effect = 0;
        barrier(&texts);
        each!(i in iterations {
            let value: Result<f64, _> = texts[(i & 1) as usize].parse();
            effect += u64::from(value == Ok(values[(i & 1) as usize]));
        });
        effect
    }

    /// 32 to 63 bytes and the zero after them.
    fn string_length(iterations) {
        let mut text = [b'x'; 65];
        text[64] = 0;
        let mut effect = 0;
        barrier(&text);
        each!(i in iterations {
            let length = 32 + (i % 32) as usize;
            text[length] = 0;
            let found = CStr::from_bytes_until_nul(&text);
            effect += u64::from(found.is_ok_and(|text| text.count_bytes() == length));
            text[length] = b'x';
        });
        effect
    }

    /// 40 bytes, which differ in the last one every other time.
    fn string_compare(iterations) {
        let (left, right) = (FORTY[0], FORTY);
        let mut effect = 0;
        barrier(&left);
        barrier(&right);
        each!(i in iterations {
            let order = left.cmp(right[(i & 1) as usize]);
            let expected = if i & 1 == 1 { Ordering::Less } else { Ordering::Equal };
            effect += u64::from(order == expected);
        });
        effect
    }

    /// Six letters in 1000 bytes, near the middle or near the end.
    fn string_find(iterations) {
        let needles = ["needle", "middle"];
        let mut text = "some hay ".repeat(112);
        text.truncate(1000);
        text.replace_range(900..906, needles[0]);
        text.replace_range(500..506, needles[1]);
        let text = text.as_str();
        let mut effect = 0;
        barrier(&needles);
        barrier(text);
        each!(i in iterations {
            let found = text.find(needles[(i & 1) as usize]);
            effect += u64::from(found == Some(if i & 1 == 1 { 500 } else { 900 }));
        });
        effect
    }

    fn string_duplicate(iterations) {
        let texts = FORTY;
        let mut effect = 0;
        barrier(&texts);
        each!(i in iterations {
            let text = String::from(texts[(i & 1) as usize]);
            barrier(text.as_str());
            effect += u64::from(text.as_bytes()[39] == b'0' + (i & 1) as u8);
        });
        effect
    }
}
