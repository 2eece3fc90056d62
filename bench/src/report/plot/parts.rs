//! A difference in time and what makes it: stacked bars, a row a case.

use super::sheet::{short, Scale, Sheet, WIDTH};
use crate::report::attribution::{part, sentence, signed};
use crate::report::terminal::shortened;
use crate::summary::attribution::{Attribution, INSTRUCTIONS};

/// Height of a row, and of its bar.
const ROW: f64 = 34.0;
const BAR: f64 = 9.0;

/// What a bar consists of, in order.
const NAMES: [&str; 3] = ["instructions", "events", "left over"];

/// Draws cases of which something is left over, by name; `None` if there are
/// none. Parts above zero stand to the right of it, parts below to the left.
pub fn draw(id: &str, title: &str, cases: &[(&str, &Attribution)]) -> Option<String> {
    let rows: Vec<(&str, &Attribution, [f64; 3])> = cases
        .iter()
        .filter_map(|(name, one)| Some((*name, *one, parts(one)?)))
        .collect();
    let ends = |sign: f64| {
        let reach = rows.iter().map(|(_, one, parts)| {
            let stacked: f64 = parts.iter().map(|part| (part * sign).max(0.0)).sum();
            stacked.max(one.difference.mean * sign)
        });
        sign * reach.fold(0.0, f64::max)
    };
    if rows.is_empty() {
        return None;
    }
    let content: Vec<String> = rows
        .iter()
        .map(|(name, one, [own, events, left])| {
            format!(
                "{name}: {} ns, of which instructions {}, events {}, left over {}; {}.",
                signed(one.difference.mean),
                signed(*own),
                signed(*events),
                signed(*left),
                sentence(one)
            )
        })
        .collect();
    let bottom = 30.0 + ROW * rows.len() as f64;
    let mut sheet = Sheet::new(id, title, &content.join(" "), bottom + 18.0);
    let scale = Scale::over(&[vec![ends(-1.0), 0.0, ends(1.0)]], (12.0, WIDTH - 12.0));
    let mut x = 8.0;
    for (place, name) in NAMES.iter().enumerate() {
        sheet.path(&class(place), &format!("M{} 7h8v8h-8z", short(x)));
        sheet.text("", x + 12.0, 15.0, name);
        x += 6.4 * name.len() as f64 + 30.0;
    }
    sheet.path("mean", &format!("M{} 6v10", short(x)));
    sheet.text("", x + 5.0, 15.0, "the difference, ns");
    for (tick, label) in scale.ticks() {
        let x = short(scale.at(tick));
        sheet.path("grid", &format!("M{x} 24V{}", short(bottom)));
        sheet.text("c", scale.at(tick), bottom + 13.0, &label);
    }
    for (index, (name, one, parts)) in rows.iter().enumerate() {
        let top = 30.0 + ROW * index as f64;
        sheet.text("", 12.0, top + 10.0, &shortened(name, 50));
        let (mut below, mut above) = (0.0, 0.0);
        for (place, part) in parts.iter().enumerate() {
            let from = if *part < 0.0 { &mut below } else { &mut above };
            let (a, b) = (scale.at(*from), scale.at(*from + part));
            *from += part;
            let data = format!(
                "M{} {}H{}v{BAR}H{}z",
                short(a),
                short(top + 15.0),
                short(b),
                short(a)
            );
            sheet.path(&class(place), &data);
        }
        let x = short(scale.at(one.difference.mean));
        sheet.path("mean", &format!("M{x} {}v{}", short(top + 12.0), BAR + 6.0));
    }
    Some(sheet.done())
}

fn class(place: usize) -> String {
    format!("full s{place}")
}

/// Instructions, events, what is left over; `None` where nothing is.
fn parts(one: &Attribution) -> Option<[f64; 3]> {
    let events = one.events.keys().filter_map(|name| part(one, name)).sum();
    Some([
        part(one, INSTRUCTIONS)?,
        events,
        one.left_over.as_ref()?.mean,
    ])
}
