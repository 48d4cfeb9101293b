//! The drawings of the states, as the transparency of each pixel: what colour they get is the system's affair.

use tauri::{image::Image, include_image};

use super::shape::Shape;

/// A square drawing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Glyph {
    pub size: usize,
    /// 0 is transparent; row by row from the top.
    pub alpha: Vec<u8>,
}

/// The drawing at every size we have, smallest first.
pub fn glyphs(shape: Shape) -> Vec<Glyph> {
    images(shape).iter().map(glyph).collect()
}

fn glyph(image: &Image<'_>) -> Glyph {
    let alpha = image.rgba().chunks_exact(4).map(|pixel| pixel[3]).collect();
    Glyph { size: image.width() as usize, alpha }
}

/// Decoded by the compiler, so nothing can be missing or broken when the app runs. `icons/render.sh` draws them.
fn images(shape: Shape) -> [Image<'static>; 4] {
    match shape {
        Shape::Off => [
            include_image!("icons/tray/off-16.png"),
            include_image!("icons/tray/off-22.png"),
            include_image!("icons/tray/off-32.png"),
            include_image!("icons/tray/off-44.png"),
        ],
        Shape::Connected => [
            include_image!("icons/tray/connected-16.png"),
            include_image!("icons/tray/connected-22.png"),
            include_image!("icons/tray/connected-32.png"),
            include_image!("icons/tray/connected-44.png"),
        ],
        Shape::Paused => [
            include_image!("icons/tray/paused-16.png"),
            include_image!("icons/tray/paused-22.png"),
            include_image!("icons/tray/paused-32.png"),
            include_image!("icons/tray/paused-44.png"),
        ],
        Shape::Unverified => [
            include_image!("icons/tray/unverified-16.png"),
            include_image!("icons/tray/unverified-22.png"),
            include_image!("icons/tray/unverified-32.png"),
            include_image!("icons/tray/unverified-44.png"),
        ],
        Shape::Degraded => [
            include_image!("icons/tray/degraded-16.png"),
            include_image!("icons/tray/degraded-22.png"),
            include_image!("icons/tray/degraded-32.png"),
            include_image!("icons/tray/degraded-44.png"),
        ],
        Shape::Connecting => [
            include_image!("icons/tray/connecting-16.png"),
            include_image!("icons/tray/connecting-22.png"),
            include_image!("icons/tray/connecting-32.png"),
            include_image!("icons/tray/connecting-44.png"),
        ],
        Shape::Waiting => [
            include_image!("icons/tray/waiting-16.png"),
            include_image!("icons/tray/waiting-22.png"),
            include_image!("icons/tray/waiting-32.png"),
            include_image!("icons/tray/waiting-44.png"),
        ],
        Shape::Blocking => [
            include_image!("icons/tray/blocking-16.png"),
            include_image!("icons/tray/blocking-22.png"),
            include_image!("icons/tray/blocking-32.png"),
            include_image!("icons/tray/blocking-44.png"),
        ],
        Shape::SetUp => [
            include_image!("icons/tray/setup-16.png"),
            include_image!("icons/tray/setup-22.png"),
            include_image!("icons/tray/setup-32.png"),
            include_image!("icons/tray/setup-44.png"),
        ],
        Shape::Error => [
            include_image!("icons/tray/error-16.png"),
            include_image!("icons/tray/error-22.png"),
            include_image!("icons/tray/error-32.png"),
            include_image!("icons/tray/error-44.png"),
        ],
        Shape::NeedsYou => [
            include_image!("icons/tray/needs-you-16.png"),
            include_image!("icons/tray/needs-you-22.png"),
            include_image!("icons/tray/needs-you-32.png"),
            include_image!("icons/tray/needs-you-44.png"),
        ],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Seen by someone who tells no colours apart: at least this many pixels of the smallest drawing differ
    /// clearly. 16 of its 256 are a 4 × 4 dot.
    const DIFFERENT_PIXELS: usize = 16;

    #[test]
    fn every_two_states_differ_in_shape() {
        for (index, one) in Shape::ALL.iter().enumerate() {
            for other in &Shape::ALL[index + 1..] {
                let (one_glyph, other_glyph) = (&glyphs(*one)[0], &glyphs(*other)[0]);
                let pairs = one_glyph.alpha.iter().zip(&other_glyph.alpha);
                let different = pairs.filter(|(one, other)| one.abs_diff(**other) > 127).count();
                assert!(different >= DIFFERENT_PIXELS, "{one:?} and {other:?}: {different} pixels");
            }
        }
    }

    #[test]
    fn drawings_are_squares_of_the_sizes_that_panels_want() {
        for shape in Shape::ALL {
            let sizes: Vec<_> = glyphs(shape).iter().map(|glyph| (glyph.size, glyph.alpha.len())).collect();
            assert_eq!(sizes, [(16, 256), (22, 484), (32, 1024), (44, 1936)], "{shape:?}");
        }
    }
}
