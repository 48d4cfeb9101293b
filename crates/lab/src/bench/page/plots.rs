//! The pictures of the page.

use super::plot::{Axis, COLOURS, Chart, Curve, svg};
use crate::bench::{
    load::bulk::Way,
    page::tables::{base, link_title},
    parts::{self, LINKS},
    record::Record,
    tunnel::title,
};

/// File names and contents; only those for which something was measured.
pub fn all(record: &Record) -> Vec<(&'static str, String)> {
    let mut files = Vec::new();
    if record.runs.contains_key("load") {
        files.push(("load.svg", svg(&Way::BOTH.map(|way| load(record, way)))));
    }
    if record.runs.contains_key("step") {
        let charts: Vec<_> = Way::BOTH.into_iter().flat_map(|way| step(record, way)).collect();
        files.push(("step.svg", svg(&charts)));
    }
    files
}

/// Every kind on every link: up is more of the link, left is less waiting.
fn load(record: &Record, way: Way) -> Chart {
    let kinds = parts::load::KINDS.iter().map(|kind| kind.name()).chain(["model"]);
    let curves = kinds.zip(COLOURS).filter_map(|(kind, colour)| {
        let (mut points, mut labels) = (Vec::new(), Vec::new());
        for link in LINKS.iter().flatten() {
            let at = format!("load/{}/{}", link.path(), way.name());
            let Some(rate) = record.median(&format!("{at}/{kind}/rate")) else { continue };
            let Some(p50) = record.median(&format!("{at}/{kind}/p50")) else { continue };
            points.push((p50 / base(record, &at)?, rate / f64::from(link.mbits)));
            labels.push(link_title(Some(*link)));
        }
        (!points.is_empty()).then(|| Curve { name: title(kind).into(), colour, points, labels: Some(labels) })
    });
    Chart {
        title: format!("One stream {}, and somebody types", way.name()),
        x: Axis {
            title: "round trip of a key press, median, as a multiple of the idle link's".into(),
            from: 0.9,
            to: 200.0,
            logarithmic: true,
            ticks: vec![1.0, 1.3, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0],
        },
        y: Axis {
            title: "share of the link".into(),
            from: 0.0,
            to: 1.0,
            logarithmic: false,
            ticks: vec![0.0, 0.25, 0.5, 0.75, 1.0],
        },
        curves: curves.collect(),
        height: 320.0,
    }
}

fn step(record: &Record, way: Way) -> [Chart; 2] {
    let curves = |what: &str| -> Vec<Curve> {
        let kinds = parts::step::KINDS.iter().zip(COLOURS);
        let curve = |(kind, colour): (&crate::bench::tunnel::Kind, &'static str)| {
            let points = record.series.get(&format!("step/{}/{}/{what}", way.name(), kind.name()))?.clone();
            Some(Curve { name: title(kind.name()).into(), colour, points, labels: None })
        };
        kinds.filter_map(curve).collect()
    };
    let x = || Axis {
        title: "seconds; the link has 50 Mbit/s, 10 from the 4th on, 50 from the 12th on".into(),
        from: 0.0,
        to: 18.0,
        logarithmic: false,
        ticks: vec![0.0, 4.0, 8.0, 12.0, 16.0],
    };
    let trips = Axis {
        title: "round trip, ms".into(),
        from: 40.0,
        to: 4_000.0,
        logarithmic: true,
        ticks: vec![50.0, 100.0, 200.0, 500.0, 1_000.0, 2_000.0],
    };
    let rates = Axis {
        title: "Mbit/s".into(),
        from: 0.0,
        to: 60.0,
        logarithmic: false,
        ticks: vec![0.0, 10.0, 20.0, 30.0, 40.0, 50.0],
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
