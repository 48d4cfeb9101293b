//! Colours for a panel of unknown colour: the drawing in light grey with a dark edge. On a dark panel one sees the
//! drawing, on a light one its outline and the dark of its openings.

use super::icons::Glyph;

/// Nearly white, as the symbols of dark panels are.
const LIGHT: u32 = 0xdf_e3_e7;
/// Nearly black, as the symbols of light panels are.
const DARK: u32 = 0x20_26_2b;
/// Of 255. Full strength would look bold on light panels; below a half the edge is lost on white.
const EDGE_STRENGTH: u32 = 220;

/// ARGB, most significant byte first, not premultiplied, as the tray specification wants it.
pub fn argb(glyph: &Glyph) -> Vec<u8> {
    let pixel = |index| blend(u32::from(glyph.alpha[index]), edge(glyph, index)).to_be_bytes();
    (0..glyph.alpha.len()).flat_map(pixel).collect()
}

/// How much of the pixel the edge covers: the strongest of the drawing within one pixel around it.
fn edge(glyph: &Glyph, index: usize) -> u32 {
    let (x, y) = (index % glyph.size, index / glyph.size);
    let around = |middle: usize| middle.saturating_sub(1)..=(middle + 1).min(glyph.size - 1);
    let near = around(y).flat_map(|y| around(x).map(move |x| y * glyph.size + x));
    let strongest = near.map(|index| u32::from(glyph.alpha[index])).max().unwrap_or(0);
    strongest * EDGE_STRENGTH / 255
}

/// The drawing over its edge.
fn blend(drawing: u32, edge: u32) -> u32 {
    let edge_seen = edge * (255 - drawing) / 255;
    let alpha = drawing + edge_seen;
    if alpha == 0 {
        return 0;
    }
    let channel = |shift: u32| {
        let (light, dark) = ((LIGHT >> shift) & 0xff, (DARK >> shift) & 0xff);
        ((light * drawing + dark * edge_seen) / alpha) << shift
    };
    (alpha << 24) | channel(16) | channel(8) | channel(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tray::{icons::glyphs, shape::Shape};

    /// What one sees of a pixel on a panel of that grey, 0 to 255.
    fn brightness(argb: &[u8], panel: u32) -> u32 {
        let alpha = u32::from(argb[0]);
        let own = (u32::from(argb[1]) + u32::from(argb[2]) + u32::from(argb[3])) / 3;
        (own * alpha + panel * (255 - alpha)) / 255
    }

    #[test]
    fn every_drawing_is_seen_on_dark_and_on_light_panels() {
        for shape in Shape::ALL {
            for panel in [0x10, 0x30, 0xe0, 0xff] {
                let pixels = argb(&glyphs(shape)[0]);
                let seen =
                    pixels.chunks_exact(4).filter(|pixel| brightness(pixel, panel).abs_diff(panel) > 96);
                // 24 of 256 pixels: the smallest drawing, the empty cable, has about 40.
                assert!(seen.count() >= 24, "{shape:?} on {panel:#x}");
            }
        }
    }

    #[test]
    fn a_dot_is_light_its_neighbours_are_dark_the_rest_is_nothing() {
        let mut alpha = vec![0; 25];
        alpha[12] = 255;
        let pixels = argb(&Glyph { size: 5, alpha });
        let pixel = |x: usize, y: usize| &pixels[(y * 5 + x) * 4..][..4];
        assert_eq!(pixel(2, 2), [0xff, 0xdf, 0xe3, 0xe7]);
        assert_eq!(pixel(1, 3), [EDGE_STRENGTH as u8, 0x20, 0x26, 0x2b]);
        assert_eq!(pixel(0, 2), [0, 0, 0, 0]);
    }
}
