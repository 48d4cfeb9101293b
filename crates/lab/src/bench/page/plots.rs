//! The pictures of the page.

use super::plot::{Axis, COLOURS, Chart, Curve, numbers, svg};
use crate::bench::{
    load::bulk::Way,
    page::tables::{base, link_title},
    parts::{self, LINKS, LinkName},
    record::Record,
    tunnel::title,
};

/// File names and contents; only those for which something was measured.
pub fn all(record: &Record) -> Vec<(&'static str, String)> {
    let mut files = Vec::new();
    if record.runs.contains_key("load") {
        let charts: Vec<_> = Way::BOTH.into_iter().flat_map(|way| load(record, way)).collect();
        files.push(("load.svg", svg(&charts)));
    }
    if record.runs.contains_key("step") {
        let charts: Vec<_> = Way::BOTH.into_iter().flat_map(|way| step(record, way)).collect();
        files.push(("step.svg", svg(&charts)));
    }
    files
}

/// Every kind on every link: how long a key press takes, and what the stream moves meanwhile.
fn load(record: &Record, way: Way) -> [Chart; 2] {
    let links: Vec<LinkName> = LINKS.iter().flatten().copied().collect();
    let kinds: Vec<&str> = parts::load::KINDS.iter().map(|kind| kind.name()).chain(["model"]).collect();
    let at = |link: &LinkName| format!("load/{}/{}", link.path(), way.name());
    let trip = |link: &LinkName, kind: &str| {
        Some(record.median(&format!("{}/{kind}/p50", at(link)))? / base(record, &at(link))?)
    };
    let share = |link: &LinkName, kind: &str| {
        Some(record.median(&format!("{}/{kind}/rate", at(link)))? / f64::from(link.mbits))
    };
    let curves = |value: &dyn Fn(&LinkName, &str) -> Option<f64>| -> Vec<Curve> {
        let curve = |(index, kind): (usize, &&str)| {
            // beside each other, in the order of the legend
            let place = |link: usize| link as f64 + (index as f64 + 1.0) / (kinds.len() as f64 + 1.0);
            let points =
                links.iter().enumerate().filter_map(|(at, link)| Some((place(at), value(link, kind)?)));
            Curve {
                name: title(kind).into(),
                colour: COLOURS[index % COLOURS.len()],
                points: points.collect(),
                dots: true,
            }
        };
        let curves = kinds.iter().enumerate().map(curve);
        curves.filter(|curve| !curve.points.is_empty()).collect()
    };
    let x = || Axis {
        title: String::new(),
        from: 0.0,
        to: links.len() as f64,
        logarithmic: false,
        ticks: links
            .iter()
            .enumerate()
            .map(|(at, link)| (at as f64 + 0.5, link_title(Some(*link))))
            .collect(),
    };
    let trips = Axis {
        title: "median, as a multiple of the idle link's".into(),
        from: 0.9,
        to: 100.0,
        logarithmic: true,
        ticks: numbers(&[1.0, 1.3, 2.0, 5.0, 10.0, 20.0, 50.0]),
    };
    let shares = Axis {
        title: "share of the link".into(),
        from: 0.0,
        to: 1.0,
        logarithmic: false,
        ticks: numbers(&[0.0, 0.25, 0.5, 0.75, 1.0]),
    };
    let chart = |words: &str, y: Axis, curves: Vec<Curve>| Chart {
        title: format!("{words} {}", way.name()),
        x: x(),
        y,
        curves,
        height: 280.0,
    };
    [
        chart("Round trip of a key press beside one stream", trips, curves(&trip)),
        chart("What the stream moves,", shares, curves(&share)),
    ]
}

fn step(record: &Record, way: Way) -> [Chart; 2] {
    let curves = |what: &str| -> Vec<Curve> {
        let kinds = parts::step::KINDS.iter().zip(COLOURS);
        let curve = |(kind, colour): (&crate::bench::tunnel::Kind, &'static str)| {
            let points = record.series.get(&format!("step/{}/{}/{what}", way.name(), kind.name()))?.clone();
            Some(Curve { name: title(kind.name()).into(), colour, points, dots: false })
        };
        kinds.filter_map(curve).collect()
    };
    let x = || Axis {
        title: "seconds; the link has 50 Mbit/s, 10 from the 4th on, 50 from the 12th on".into(),
        from: 0.0,
        to: 18.0,
        logarithmic: false,
        ticks: numbers(&[0.0, 4.0, 8.0, 12.0, 16.0]),
    };
    let trips = Axis {
        title: "round trip, ms".into(),
        from: 40.0,
        to: 4_000.0,
        logarithmic: true,
        ticks: numbers(&[50.0, 100.0, 200.0, 500.0, 1_000.0, 2_000.0]),
    };
    let rates = Axis {
        title: "Mbit/s".into(),
        from: 0.0,
        to: 60.0,
        logarithmic: false,
        ticks: numbers(&[0.0, 10.0, 20.0, 30.0, 40.0, 50.0]),
    };
    let chart = |what: &str, words: &str, y: Axis| Chart {
        title: format!("{words}, one stream {}", way.name()),
        x: x(),
        y,
        curves: curves(what),
        height: 260.0,
    };
    [chart("trips", "Key presses", trips), chart("rates", "Rate", rates)]
}
