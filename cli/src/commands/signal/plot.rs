//! The spread by layer as SVG: activations beside gradients, a colour for each initializer.

use anyhow::anyhow;
use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use crate::commands::signal::network::Size;
use crate::commands::signal::report::{Report, range, stds};
use crate::plots::{COLORS, GRID, power};

const WIDTH: u32 = 1080;
const PANEL_HEIGHT: u32 = 420;
const TITLE_HEIGHT: u32 = 44;
const LINE_HEIGHT: u32 = 24;
/// Initializers side by side in the legend.
const ACROSS: u32 = 3;

/// One panel: a title and a curve for each initializer.
struct Panel {
    title: &'static str,
    curves: Vec<Vec<f64>>,
}

type Drawn<T> = Result<T, Box<dyn std::error::Error>>;

pub(super) fn svg(report: &Report) -> anyhow::Result<String> {
    let curves = |of: fn(&_) -> Vec<f64>| report.passed.iter().map(|(_, s)| of(s)).collect();
    let panels = [
        Panel { title: "forward: activations", curves: curves(|s| stds(&s.activations)) },
        Panel { title: "backward: gradients", curves: curves(|s| stds(&s.gradients)) },
    ];
    let rows = (report.passed.len() as u32).div_ceil(ACROSS);
    let height = TITLE_HEIGHT + PANEL_HEIGHT + rows * LINE_HEIGHT + 14;
    let mut text = String::new();
    let root = SVGBackend::with_string(&mut text, (WIDTH, height)).into_drawing_area();
    draw(&root, report, &panels).map_err(|error| anyhow!("{error}"))?;
    drop(root);
    Ok(text)
}

fn draw(root: &DrawingArea<SVGBackend, Shift>, report: &Report, panels: &[Panel; 2]) -> Drawn<()> {
    root.fill(&WHITE)?;
    let Size { depth, width, .. } = report.size;
    let title = format!(
        "Spread of signals by layer: {depth} layers of width {width}, {}",
        report.activation.name()
    );
    let (top, rest) = root.split_vertically(TITLE_HEIGHT);
    let center = Pos::new(HPos::Center, VPos::Center);
    let style = ("sans-serif", 22).into_font().color(&BLACK).pos(center);
    top.draw(&Text::new(title, (WIDTH as i32 / 2, TITLE_HEIGHT as i32 / 2 + 4), style))?;
    let (both, legend) = rest.split_vertically(PANEL_HEIGHT);
    for (area, panel) in both.split_evenly((1, 2)).iter().zip(panels) {
        draw_panel(area, panel, depth)?;
    }
    draw_legend(&legend, report)
}

fn draw_panel(area: &DrawingArea<SVGBackend, Shift>, panel: &Panel, depth: u32) -> Drawn<()> {
    let (low, high) = range(panel.curves.iter().flatten().copied());
    let (low, high) = (low.log10().round(), high.log10().round());
    // In decades.
    let y_axis = low..high + 0.02 * (high - low);
    let mut chart = ChartBuilder::on(area)
        .caption(panel.title, ("sans-serif", 18))
        .margin(12)
        .x_label_area_size(46)
        .y_label_area_size(66)
        .build_cartesian_2d(0..depth, y_axis)?;
    chart
        .configure_mesh()
        // Not `max_light_lines(0)`: plotters 0.3 looks for those of a whole-numbered axis for ever.
        .light_line_style(TRANSPARENT)
        .bold_line_style(GRID)
        .axis_style(BLACK)
        .x_labels(11)
        .label_style(("sans-serif", 15))
        .axis_desc_style(("sans-serif", 17))
        .y_labels(10)
        .y_label_formatter(&|y| if y.fract() == 0.0 { power(10, *y as i32) } else { String::new() })
        .x_desc("layer")
        .y_desc("standard deviation")
        .draw()?;
    for (curve, color) in panel.curves.iter().zip(COLORS.iter().cycle()) {
        // A curve that leaves the scale is interrupted: 0 and infinity have no place on it.
        let points: Vec<(u32, f64)> = (0..).zip(curve.iter().map(|std| std.log10())).collect();
        for part in points.split(|(_, y)| !y.is_finite()) {
            chart.draw_series(LineSeries::new(part.to_vec(), color.stroke_width(3)))?;
        }
    }
    Ok(())
}

fn draw_legend(area: &DrawingArea<SVGBackend, Shift>, report: &Report) -> Drawn<()> {
    let left = Pos::new(HPos::Left, VPos::Center);
    let style = ("sans-serif", 16).into_font().color(&BLACK).pos(left);
    for (i, ((line, _), color)) in (0..).zip(report.passed.iter().zip(COLORS.iter().cycle())) {
        let x = 40 + (i % ACROSS * (WIDTH - 40) / ACROSS) as i32;
        let y = (i / ACROSS * LINE_HEIGHT + LINE_HEIGHT / 2) as i32;
        area.draw(&PathElement::new([(x, y), (x + 34, y)], color.stroke_width(3)))?;
        let label: String = line.to_string().chars().take(36).collect();
        area.draw(&Text::new(label, (x + 44, y), style.clone()))?;
    }
    Ok(())
}
