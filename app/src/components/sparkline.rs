//! A figure's course as a small line, drawn here: a chart library would outweigh the whole page.
//!
//! A period without data is a gap in the line, never 0. The newest period is still filling up, so
//! its stretch is dashed: a sum that seems to fall there does not.

use std::fmt::Write;

use leptos::prelude::*;

/// The drawing's size in its own units; the style sheet stretches it to the space there is.
const WIDTH: f64 = 240.0;
const HEIGHT: f64 = 40.0;
/// Room above and below, so that the line's own width is not cut off.
const MARGIN: f64 = 2.0;

/// What is drawn.
#[derive(Debug, Clone, PartialEq)]
pub struct Plot {
    /// One value per period, oldest first; none is a gap.
    pub points: Vec<Option<f64>>,
    /// Whether the last period is still filling up.
    pub open_end: bool,
    /// The course in words, for those who don't see it.
    pub description: String,
    /// The highest value, as text; none without data.
    pub highest: Option<String>,
    /// How far back it goes, for example `60 min`.
    pub span: String,
    /// What happened meanwhile.
    pub marks: Vec<Mark>,
}

/// Something that happened, which a bump in the line may come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mark {
    /// In which period, from 0.
    pub period: usize,
    /// What it was, and when.
    pub label: String,
}

/// The lines to draw, as SVG path data.
#[derive(Debug, Clone, PartialEq, Default)]
struct Paths {
    /// Complete periods.
    line: String,
    /// From the last complete period to the one that is filling up.
    open: String,
    /// Below both.
    area: String,
}

/// The line, with its scale in words below.
#[component]
pub fn Sparkline(
    /// What is drawn.
    plot: Plot,
) -> impl IntoView {
    let Paths { line, open, area } = paths(&plot.points, plot.open_end);
    let step = step(plot.points.len());
    let caption = caption(&plot.marks);
    let marks = plot.marks.into_iter().map(|mark| {
        let x = mark.period as f64 * step;
        view! { <path class="spark__mark" d=format!("M{x:.1} 0V{HEIGHT}")><title>{mark.label}</title></path> }
    });
    view! {
        <div class="spark">
            <svg class="spark__plot" viewBox=format!("0 0 {WIDTH} {HEIGHT}") preserveAspectRatio="none"
                role="img" aria-label=plot.description>
                <path class="spark__base" d=format!("M0 {0}H{WIDTH}", HEIGHT - MARGIN)></path>
                <path class="spark__area" d=area></path>
                <path class="spark__line" d=line></path>
                <path class="spark__open" d=open></path>
                {marks.collect_view()}
            </svg>
            <p class="spark__scale" aria-hidden="true">
                <span>{format!("{} ago", plot.span)}</span>
                <span>{plot.highest.map(|highest| format!("max {highest}"))}</span>
                <span>"now"</span>
            </p>
            {caption.map(|caption| view! { <p class="spark__marks" aria-hidden="true">{caption}</p> })}
        </div>
    }
}

/// What the marks are; of many, only how many.
fn caption(marks: &[Mark]) -> Option<String> {
    match marks {
        [] => None,
        [one] => Some(one.label.clone()),
        [first, second] => Some(format!("{}, {}", first.label, second.label)),
        many => Some(format!("{} marks", many.len())),
    }
}

/// From one period to the next.
fn step(periods: usize) -> f64 {
    if periods > 1 { WIDTH / (periods - 1) as f64 } else { 0.0 }
}

/// Where the lines run. The scale starts at 0 and ends at the highest value.
fn paths(points: &[Option<f64>], open_end: bool) -> Paths {
    let highest = points.iter().flatten().copied().fold(0.0_f64, f64::max);
    let step = step(points.len());
    let floor = HEIGHT - MARGIN;
    let place = |index: usize, value: f64| {
        let share = if highest > 0.0 { value.max(0.0) / highest } else { 0.0 };
        (index as f64 * step, floor - share * (HEIGHT - 2.0 * MARGIN))
    };
    let placed: Vec<Option<(f64, f64)>> =
        points.iter().enumerate().map(|(index, value)| value.map(|value| place(index, value))).collect();
    let complete = placed.len().saturating_sub(usize::from(open_end));
    let mut paths = Paths::default();
    for run in runs(&placed) {
        let end = run.end.min(complete);
        draw(&mut paths.line, placed.get(run.start..end).unwrap_or_default());
        if end < run.end {
            let from = end.saturating_sub(1).max(run.start);
            draw(&mut paths.open, placed.get(from..run.end).unwrap_or_default());
        }
        fill(&mut paths.area, placed.get(run).unwrap_or_default(), floor);
    }
    paths
}

/// The stretches without a gap.
fn runs(placed: &[Option<(f64, f64)>]) -> Vec<std::ops::Range<usize>> {
    let mut runs: Vec<std::ops::Range<usize>> = Vec::new();
    for (index, _) in placed.iter().enumerate().filter(|(_, place)| place.is_some()) {
        match runs.last_mut() {
            Some(run) if run.end == index => run.end = index + 1,
            _ => runs.push(index..index + 1),
        }
    }
    runs
}

/// A line through a stretch; a single point becomes a line of no length, which round caps show as a
/// dot.
fn draw(path: &mut String, stretch: &[Option<(f64, f64)>]) {
    for (index, (x, y)) in stretch.iter().flatten().enumerate() {
        let command = if index == 0 { 'M' } else { 'L' };
        let _ = write!(path, "{command}{x:.1} {y:.1}");
    }
    if stretch.len() == 1 {
        path.push_str("h0");
    }
}

/// The surface below a stretch.
fn fill(path: &mut String, stretch: &[Option<(f64, f64)>], floor: f64) {
    let mut ends = stretch.iter().flatten();
    if let (Some((first, _)), Some((last, _))) = (ends.next(), ends.next_back()) {
        let _ = write!(path, "M{first:.1} {floor:.1}");
        for (x, y) in stretch.iter().flatten() {
            let _ = write!(path, "L{x:.1} {y:.1}");
        }
        let _ = write!(path, "L{last:.1} {floor:.1}Z");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_course_runs_from_edge_to_edge_and_from_0_to_its_highest() {
        let paths = paths(&[Some(0.0), Some(10.0), Some(5.0)], false);
        assert_eq!(paths.line, "M0.0 38.0L120.0 2.0L240.0 20.0");
        assert_eq!(paths.open, "");
        assert_eq!(paths.area, "M0.0 38.0L0.0 38.0L120.0 2.0L240.0 20.0L240.0 38.0Z");
    }

    #[test]
    fn a_gap_is_a_gap_and_a_single_point_a_dot() {
        let paths = paths(&[Some(1.0), None, Some(1.0), Some(1.0), None], false);
        assert_eq!(paths.line, "M0.0 2.0h0M120.0 2.0L180.0 2.0");
        assert_eq!(paths.area, "M120.0 38.0L120.0 2.0L180.0 2.0L180.0 38.0Z");
    }

    #[test]
    fn the_period_that_is_filling_up_is_drawn_apart() {
        let paths = paths(&[Some(4.0), Some(4.0), Some(1.0)], true);
        assert_eq!(
            (paths.line.as_str(), paths.open.as_str()),
            ("M0.0 2.0L120.0 2.0", "M120.0 2.0L240.0 29.0")
        );
        let paths = super::paths(&[None, Some(1.0)], true);
        assert_eq!((paths.line.as_str(), paths.open.as_str()), ("", "M240.0 2.0h0"));
    }

    #[test]
    fn marks_are_named_until_they_are_many() {
        let mark = |period| Mark { period, label: format!("at {period}") };
        let captions = [0, 1, 2, 3].map(|count| caption(&(0..count).map(mark).collect::<Vec<_>>()));
        let expected = [None, Some("at 0"), Some("at 0, at 1"), Some("3 marks")];
        assert_eq!(captions.each_ref().map(Option::as_deref), expected);
    }

    #[test]
    fn nothing_and_zeros_are_no_errors() {
        assert_eq!(paths(&[], true), Paths::default());
        assert_eq!(paths(&[None, None], true), Paths::default());
        assert_eq!(paths(&[Some(0.0), Some(0.0)], false).line, "M0.0 38.0L240.0 38.0");
        assert_eq!(paths(&[Some(3.0)], true).open, "M0.0 2.0h0");
    }
}
