//! Where a chart's lines run: from values to SVG path data, and the scale beside them. Pure.
//!
//! The path data is as short as it can be, as it is most of what a page with charts weighs: one unit
//! to the right for each half of a period, relative steps, whole numbers. The same numbers stand in the
//! page once more for the cursor, three significant digits each.

use std::fmt::Write;

/// The drawing's height in its own units: twice what the sharpest screens can tell apart.
pub const HEIGHT: i64 = 400;

/// The drawing's width in its own units: two for each period, so that its middle is a whole number.
pub fn width(periods: usize) -> usize {
    periods.max(1) * 2
}

/// What a line's scale begins with 0 and ends with, and the values that are marked in between.
#[derive(Debug, Clone, PartialEq)]
pub struct Scale {
    /// The value at the top.
    pub top: f64,
    /// The marked values, 0 first.
    pub marks: Vec<f64>,
}

/// A scale for values up to `highest`: two to four marks at 1, 2 or 5 times a power of ten.
pub fn scale(highest: f64, whole_numbers: bool) -> Scale {
    let least = if whole_numbers { 2.0 } else { 1.0 };
    let highest = if highest.is_finite() { highest.max(least) } else { least };
    let rough = highest / 3.0;
    let power = 10_f64.powf(rough.log10().floor());
    let factor = [1.0, 2.0, 5.0, 10.0].into_iter().find(|factor| factor * power >= rough).unwrap_or(10.0);
    let step = if whole_numbers { (factor * power).max(1.0) } else { factor * power };
    let count = (highest / step).ceil().clamp(1.0, 4.0) as usize;
    Scale { top: step * count as f64, marks: (0..=count).map(|index| step * index as f64).collect() }
}

/// A line's paths.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Paths {
    /// Through the periods that are complete.
    pub line: String,
    /// From the last of them through those that are not.
    pub open: String,
    /// Below both.
    pub area: String,
    /// Periods with data between two without: a line through one point can't be dashed.
    pub dots: String,
}

/// The paths of a line whose first `complete` periods are complete. Without data no line; with data in
/// one period between two without, a dot.
pub fn paths(points: &[Option<f64>], complete: usize, top: f64, with_area: bool) -> Paths {
    let mut paths = Paths::default();
    let place = |value: f64| {
        let share = (value.max(0.0) / top).min(1.0);
        HEIGHT - (share * HEIGHT as f64).round() as i64
    };
    let mut from = 0;
    while from < points.len() {
        let run = points.get(from..).unwrap_or_default();
        let length = run.iter().take_while(|point| point.is_some()).count();
        if length == 0 {
            from += run.iter().take_while(|point| point.is_none()).count();
            continue;
        }
        let heights = || run.iter().take(length).flatten().map(|value| place(*value));
        let (end, settled) = (from + length, complete.saturating_sub(from).min(length));
        if length == 1 {
            stroke(&mut paths.dots, from, heights());
            from = end;
            continue;
        }
        stroke(&mut paths.line, from, heights().take(settled));
        if settled < length {
            // It hangs on the last complete one.
            let skip = settled.saturating_sub(1);
            stroke(&mut paths.open, from + skip, heights().skip(skip));
        }
        if with_area {
            let _ = write!(paths.area, "M{} {HEIGHT}V", middle(from));
            relative(&mut paths.area, heights(), true);
            let _ = write!(paths.area, "V{HEIGHT}z");
        }
        from = end;
    }
    paths
}

/// A period's middle.
fn middle(index: usize) -> usize {
    index * 2 + 1
}

fn stroke(path: &mut String, first: usize, heights: impl Iterator<Item = i64>) {
    let mut heights = heights.peekable();
    if heights.peek().is_some() {
        let _ = write!(path, "M{} ", middle(first));
        relative(path, heights, false);
    }
}

/// The first height as it is, and the others by the difference. What does not change in height goes to the
/// right in one step.
fn relative(path: &mut String, mut heights: impl Iterator<Item = i64>, surface: bool) {
    let Some(mut last) = heights.next() else { return };
    let _ = write!(path, "{last}");
    let (mut level, mut drawing, mut any) = (0_usize, false, false);
    for height in heights {
        any = true;
        if height == last {
            level += 2;
            continue;
        }
        flat(path, &mut level, &mut drawing);
        let rise = height - last;
        path.push(if drawing { ' ' } else { 'l' });
        drawing = true;
        // A minus parts two numbers by itself.
        let _ = if rise < 0 { write!(path, "2{rise}") } else { write!(path, "2 {rise}") };
        last = height;
    }
    flat(path, &mut level, &mut drawing);
    if !any && !surface {
        path.push_str("h0");
    }
}

fn flat(path: &mut String, level: &mut usize, drawing: &mut bool) {
    if *level > 0 {
        let _ = write!(path, "h{level}");
        *level = 0;
        *drawing = false;
    }
}

/// The values for the cursor: a space between two, nothing where there is none, three significant digits.
pub fn values(points: &[Option<f64>]) -> String {
    let mut text = String::with_capacity(points.len() * 4);
    for (index, point) in points.iter().enumerate() {
        if index > 0 {
            text.push(' ');
        }
        match point {
            None => {}
            Some(value) if value.fract() == 0.0 || *value >= 100.0 => {
                let _ = write!(text, "{value:.0}");
            }
            Some(value) if *value >= 10.0 => {
                let _ = write!(text, "{value:.1}");
            }
            Some(value) => {
                let _ = write!(text, "{value:.2}");
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scales_are_round() {
        let table: [(f64, bool, &[f64]); 9] = [
            (0.0, true, &[0.0, 1.0, 2.0]),
            (1.0, true, &[0.0, 1.0, 2.0]),
            (7.0, true, &[0.0, 5.0, 10.0]),
            (10.0, true, &[0.0, 5.0, 10.0]),
            (61.0, true, &[0.0, 50.0, 100.0]),
            (140.0, true, &[0.0, 50.0, 100.0, 150.0]),
            (0.4, false, &[0.0, 0.5, 1.0]),
            (84.0, false, &[0.0, 50.0, 100.0]),
            (f64::NAN, false, &[0.0, 0.5, 1.0]),
        ];
        for (highest, whole, marks) in table {
            let scale = scale(highest, whole);
            assert_eq!(scale.marks, marks, "{highest}");
            assert_eq!(Some(&scale.top), marks.last(), "{highest}");
        }
    }

    #[test]
    fn a_line_runs_through_the_middle_of_its_periods() {
        let points = [Some(0.0), Some(10.0), Some(10.0), Some(5.0)];
        let paths = paths(&points, 4, 10.0, true);
        assert_eq!(paths.line, "M1 400l2-400h2l2 200");
        assert_eq!(paths.open, "");
        assert_eq!(paths.area, "M1 400V400l2-400h2l2 200V400z");
        assert_eq!(width(4), 8);
    }

    #[test]
    fn a_gap_is_a_gap_and_a_single_point_a_dot() {
        let points = [None, Some(10.0), None, Some(10.0), Some(0.0), None];
        let paths = super::paths(&points, 6, 10.0, false);
        assert_eq!((paths.line.as_str(), paths.dots.as_str()), ("M7 0l2 400", "M3 0h0"));
        let paths = super::paths;
        assert_eq!(paths(&[None, None], 2, 10.0, true), Paths::default());
        assert_eq!(paths(&[], 0, 10.0, true), Paths::default());
    }

    #[test]
    fn what_is_not_complete_is_drawn_apart() {
        let points = [Some(10.0), Some(10.0), Some(0.0), Some(10.0)];
        let paths = paths(&points, 2, 10.0, false);
        assert_eq!((paths.line.as_str(), paths.open.as_str()), ("M1 0h2", "M3 0l2 400 2-400"));
        let paths = super::paths(&[None, Some(10.0)], 1, 10.0, false);
        assert_eq!((paths.line.as_str(), paths.open.as_str(), paths.dots.as_str()), ("", "", "M3 0h0"));
        let paths = super::paths(&points, 0, 10.0, false);
        assert_eq!((paths.line.as_str(), paths.open.as_str()), ("", "M1 0h2l2 400 2-400"));
    }

    #[test]
    fn values_have_three_digits_and_gaps_are_empty() {
        let points = [Some(0.0), None, Some(7.0), Some(4.32109), Some(84.26), Some(1234.6), None];
        assert_eq!(values(&points), "0  7 4.32 84.3 1235 ");
        assert_eq!(values(&[]), "");
    }

    #[test]
    fn a_point_weighs_ten_bytes_at_most() {
        // A line that moves in every period, as a busy API's does.
        let points: Vec<Option<f64>> = (0..600).map(|n| Some(f64::from(40 + (n * 7_919) % 61))).collect();
        let paths = paths(&points, 600, 100.0, false);
        let bytes = paths.line.len() + values(&points).len();
        assert!(bytes <= 600 * 10, "{} bytes a point", bytes as f64 / 600.0);
    }
}
