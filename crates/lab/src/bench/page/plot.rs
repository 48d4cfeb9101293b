//! Small charts as SVG: curves or dots in a frame. Nothing is filled behind them and all colours are of middle
//! brightness, so that they are read on light and on dark pages.

use std::fmt::Write as _;

/// Of text and frame.
const INK: &str = "#808890";

/// One for each thing that is compared, in their order; told apart by people who see no red or green.
pub const COLOURS: [&str; 7] = ["#2f81f7", "#d2751f", "#12a085", "#b04fc0", "#c4a000", "#d14a5b", "#7a8aa0"];

/// The whole picture, in its own units; names of what is shown are to the right of the frame.
const WIDTH: f64 = 860.0;
const MARGIN: [f64; 4] = [28.0, 215.0, 40.0, 56.0];

/// How numbers become places.
#[derive(Debug, Clone)]
#[allow(missing_docs)]
pub struct Axis {
    pub title: String,
    pub from: f64,
    pub to: f64,
    /// Equal distances are equal ratios.
    pub logarithmic: bool,
    /// Places that are marked, each with its words.
    pub ticks: Vec<(f64, String)>,
}

/// Marks that say their own number.
pub fn numbers(values: &[f64]) -> Vec<(f64, String)> {
    values.iter().map(|value| (*value, value.to_string())).collect()
}

/// Something in the chart.
#[derive(Debug, Clone)]
#[allow(missing_docs)]
pub struct Curve {
    pub name: String,
    pub colour: &'static str,
    pub points: Vec<(f64, f64)>,
    /// In place of a line.
    pub dots: bool,
}

/// A frame with curves.
#[derive(Debug, Clone)]
#[allow(missing_docs)]
pub struct Chart {
    pub title: String,
    pub x: Axis,
    pub y: Axis,
    pub curves: Vec<Curve>,
    pub height: f64,
}

impl Axis {
    /// Where a value is, from 0 to 1; outside of the frame it stays at its edge.
    fn place(&self, value: f64) -> f64 {
        let scale = |value: f64| if self.logarithmic { value.max(1e-9).ln() } else { value };
        let place = (scale(value) - scale(self.from)) / (scale(self.to) - scale(self.from));
        place.clamp(0.0, 1.0)
    }
}

impl Chart {
    fn x(&self, value: f64) -> f64 {
        MARGIN[3] + self.x.place(value) * (WIDTH - MARGIN[1] - MARGIN[3])
    }

    fn y(&self, value: f64) -> f64 {
        self.height - MARGIN[2] - self.y.place(value) * (self.height - MARGIN[0] - MARGIN[2])
    }

    fn draw(&self, svg: &mut String) {
        let (left, right) = (MARGIN[3], WIDTH - MARGIN[1]);
        let (top, bottom) = (MARGIN[0], self.height - MARGIN[2]);
        text(svg, (left, top - 10.0), "start", 14, &self.title);
        text(svg, (f64::midpoint(left, right), bottom + 34.0), "middle", 12, &self.x.title);
        text(svg, (right, top - 10.0), "end", 12, &self.y.title);
        for (tick, words) in &self.x.ticks {
            line(svg, (self.x(*tick), top), (self.x(*tick), bottom));
            text(svg, (self.x(*tick), bottom + 16.0), "middle", 11, words);
        }
        for (tick, words) in &self.y.ticks {
            line(svg, (left, self.y(*tick)), (right, self.y(*tick)));
            text(svg, (left - 6.0, self.y(*tick) + 4.0), "end", 11, words);
        }
        for curve in &self.curves {
            if curve.dots {
                self.dots(svg, curve);
            } else {
                self.polyline(svg, curve);
            }
        }
        self.legend(svg);
    }

    fn polyline(&self, svg: &mut String, curve: &Curve) {
        let points: Vec<String> =
            curve.points.iter().map(|(x, y)| format!("{:.1},{:.1}", self.x(*x), self.y(*y))).collect();
        let _ = writeln!(
            svg,
            "<polyline points='{}' fill='none' stroke='{}' stroke-width='1.8'/>",
            points.join(" "),
            curve.colour
        );
    }

    fn dots(&self, svg: &mut String, curve: &Curve) {
        for (x, y) in &curve.points {
            let (x, y) = (self.x(*x), self.y(*y));
            let _ = writeln!(svg, "<circle cx='{x:.1}' cy='{y:.1}' r='4.5' fill='{}'/>", curve.colour);
        }
    }

    fn legend(&self, svg: &mut String) {
        for (index, curve) in self.curves.iter().enumerate() {
            let y = MARGIN[0] + 16.0 + 16.0 * index as f64;
            let x = WIDTH - MARGIN[1] + 12.0;
            let _ = writeln!(
                svg,
                "<rect x='{x}' y='{:.1}' width='12' height='4' fill='{}'/>",
                y - 6.0,
                curve.colour
            );
            text(svg, (x + 18.0, y), "start", 11, &curve.name);
        }
    }
}

/// One below the other, in one file.
pub fn svg(charts: &[Chart]) -> String {
    let height: f64 = charts.iter().map(|chart| chart.height).sum();
    let mut svg = format!(
        "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {WIDTH} {height}' font-family='sans-serif'>\n"
    );
    let mut top = 0.0;
    for chart in charts {
        let _ = writeln!(svg, "<g transform='translate(0 {top})'>");
        chart.draw(&mut svg);
        svg += "</g>\n";
        top += chart.height;
    }
    svg + "</svg>\n"
}

fn line(svg: &mut String, from: (f64, f64), to: (f64, f64)) {
    let _ = writeln!(
        svg,
        "<line x1='{:.1}' y1='{:.1}' x2='{:.1}' y2='{:.1}' stroke='{INK}' stroke-opacity='0.35'/>",
        from.0, from.1, to.0, to.1
    );
}

fn text(svg: &mut String, at: (f64, f64), anchor: &str, size: u32, words: &str) {
    let words = words.replace('`', "").replace('&', "&amp;").replace('<', "&lt;");
    let _ = writeln!(
        svg,
        "<text x='{:.1}' y='{:.1}' text-anchor='{anchor}' font-size='{size}' fill='{INK}'>{words}</text>",
        at.0, at.1
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    fn axis(logarithmic: bool) -> Axis {
        Axis { title: String::new(), from: 1.0, to: 100.0, logarithmic, ticks: numbers(&[1.0]) }
    }

    #[test]
    fn equal_ratios_are_equal_distances() {
        assert!((axis(true).place(10.0) - 0.5).abs() < 1e-9);
        assert!((axis(false).place(50.5) - 0.5).abs() < 1e-9);
        assert!((axis(true).place(0.0)).abs() < 1e-9, "what is outside stays at the edge");
    }

    #[test]
    fn words_cannot_break_the_picture() {
        let chart = Chart {
            title: "a < b & c".into(),
            x: axis(true),
            y: axis(false),
            curves: Vec::new(),
            height: 200.0,
        };
        assert!(svg(&[chart]).contains("a &lt; b &amp; c"));
    }
}
