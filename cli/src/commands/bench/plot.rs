//! A plot of GB/s by size as SVG: a colour per device, a marker per initializer, dashes for the
//! write bandwidth.

use anyhow::{Context, anyhow};
use gpu_init::{DType, Initializer};
use plotters::coord::Shift;
use plotters::element::DashedPathElement;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use crate::commands::bench::by::By;
use crate::commands::bench::report::{Measured, Report, Row};
use crate::commands::bench::wanted::unique;
use crate::plots::{COLORS, GRID, power};

const WIDTH: u32 = 1080;
const LEGEND: u32 = 330;
const LINE_HEIGHT: i32 = 21;

/// Points of (elements, GB/s).
type Points = Vec<(f64, f64)>;

/// The lines of one device, or of a peer on it.
struct Group {
    title: String,
    /// Line width: thinner for peers.
    width: u32,
    lines: Vec<Line>,
}

struct Line {
    label: String,
    /// The marker's number; none for dashes.
    marker: Option<usize>,
    points: Points,
}

pub(super) fn svg(report: &Report) -> anyhow::Result<String> {
    let rows = || report.devices.iter().flat_map(|device| &device.rows);
    let has_f32 = rows().any(|row| row.dtype == DType::F32);
    let dtype =
        if has_f32 { DType::F32 } else { rows().next().context("nothing was measured")?.dtype };
    let initializers: Vec<_> = rows().map(|row| row.initializer).collect();
    let initializers = unique(&initializers, &[]);
    let groups: Vec<Group> =
        report.devices.iter().flat_map(|device| groups(device, dtype, &initializers)).collect();
    let legend_lines: usize = groups.iter().map(|group| group.lines.len() + 2).sum();
    let height = 620.max(60 + LINE_HEIGHT as u32 * legend_lines as u32);

    let mut text = String::new();
    let root = SVGBackend::with_string(&mut text, (WIDTH, height)).into_drawing_area();
    draw(&root, &groups, &format!("Filling {dtype} tensors"))
        .map_err(|error| anyhow!("{error}"))?;
    drop(root);
    Ok(text)
}

/// The lines of a device and of its peers.
fn groups(device: &Measured, dtype: DType, initializers: &[Initializer]) -> Vec<Group> {
    // rand_distr's Philox is as fast as the textbook's: one line is enough.
    let is_drawn = |row: &&Row| row.dtype == dtype && row.by != By::RandDistrPhilox;
    let rows: Vec<&Row> = device.rows.iter().filter(is_drawn).collect();
    let line = |rows: &[&Row]| Line {
        label: rows[0].initializer.name().to_owned(),
        marker: initializers.iter().position(|&initializer| initializer == rows[0].initializer),
        points: rows.iter().map(|row| ((1u64 << row.size) as f64, row.gb_per_s())).collect(),
    };
    let group = |rows: &[&Row]| {
        let lines = rows.chunk_by(|a, b| a.initializer == b.initializer).map(line).collect();
        match rows[0].by {
            By::GpuInit => Group { title: device.title(), width: 2, lines },
            by => Group { title: by.name().to_owned(), width: 1, lines },
        }
    };
    let mut groups: Vec<Group> = rows.chunk_by(|a, b| a.by == b.by).map(group).collect();
    if let Some(group) = groups.first_mut() {
        // Writes are measured by bytes, and drawn at the sizes that were filled.
        let ours = rows.iter().filter(|row| row.by == By::GpuInit);
        let points: Points =
            ours.map(|row| ((1u64 << row.size) as f64, row.write_gb_per_s())).collect();
        let label = format!("write bandwidth, {}", device.about.write);
        group.lines.push(Line { label, marker: None, points: unique(&points, &[]) });
    }
    groups
}

type Drawn<T> = Result<T, Box<dyn std::error::Error>>;

fn draw(root: &DrawingArea<SVGBackend, Shift>, groups: &[Group], title: &str) -> Drawn<()> {
    root.fill(&WHITE)?;
    let (left, legend) = root.split_horizontally(WIDTH - LEGEND);
    let points = || groups.iter().flat_map(|group| &group.lines).flat_map(|line| &line.points);
    let range = |of: fn(&(f64, f64)) -> f64| {
        points().map(of).fold((f64::INFINITY, 0.0f64), |(low, high), x| (low.min(x), high.max(x)))
    };
    let ((x0, x1), (y0, y1)) = (range(|point| point.0), range(|point| point.1));
    let (y0, y1) = (y0 * 0.8, y1 * 1.25);
    let (first, last) = ((x0 as u64).ilog2(), (x1 as u64).ilog2());
    let step = if last - first > 10 { 2 } else { 1 };
    let sizes = (first..=last).step_by(step).map(|size| (1u64 << size) as f64).collect();
    let x_axis = (x0 * 0.7..x1 * 1.4).log_scale().with_key_points(sizes);
    let y_axis = (y0..y1).log_scale().with_key_points(ticks(y0, y1));

    let mut chart = ChartBuilder::on(&left)
        .caption(format!("{title}: speed by size"), ("sans-serif", 22).into_font())
        .margin(14)
        .x_label_area_size(52)
        .y_label_area_size(72)
        .build_cartesian_2d(x_axis, y_axis)?;
    chart
        .configure_mesh()
        .max_light_lines(0)
        .bold_line_style(GRID)
        .axis_style(BLACK)
        .label_style(("sans-serif", 15))
        .axis_desc_style(("sans-serif", 17))
        .x_label_formatter(&|&x| power(2, (x as u64).ilog2() as i32))
        .y_label_formatter(&|&y| format!("{}", round(y)))
        .x_desc("tensor size (elements)")
        .y_desc("fill speed (GB/s)")
        .draw()?;
    for (group, color) in groups.iter().zip(COLORS.iter().cycle()) {
        for line in &group.lines {
            let points = line.points.clone();
            let Some(marker) = line.marker else {
                chart.draw_series(DashedLineSeries::new(points, 8, 5, color.stroke_width(2)))?;
                continue;
            };
            chart.draw_series(LineSeries::new(points.clone(), color.stroke_width(group.width)))?;
            for point in points {
                let at = chart.backend_coord(&point);
                root.draw(&mark(marker, at, *color))?;
            }
        }
    }
    draw_legend(&legend, groups)
}

fn draw_legend(area: &DrawingArea<SVGBackend, Shift>, groups: &[Group]) -> Drawn<()> {
    let style = |size: u32| {
        ("sans-serif", size).into_font().color(&BLACK).pos(Pos::new(HPos::Left, VPos::Center))
    };
    let mut y = 56;
    for (group, color) in groups.iter().zip(COLORS.iter().cycle()) {
        let title: String = group.title.chars().take(40).collect();
        area.draw(&Text::new(title, (4, y), style(16)))?;
        y += LINE_HEIGHT;
        for line in &group.lines {
            let ends = [(8, y), (44, y)];
            match line.marker {
                None => area.draw(&DashedPathElement::new(ends, 8, 5, color.stroke_width(2)))?,
                Some(marker) => {
                    area.draw(&PathElement::new(ends, color.stroke_width(group.width)))?;
                    area.draw(&mark(marker, (26, y), *color))?;
                }
            }
            area.draw(&Text::new(line.label.clone(), (54, y), style(15)))?;
            y += LINE_HEIGHT;
        }
        y += LINE_HEIGHT / 2;
    }
    Ok(())
}

/// The marker of an initializer by its number.
fn mark<'a>(
    number: usize,
    at: (i32, i32),
    color: RGBColor,
) -> DynElement<'a, SVGBackend<'a>, (i32, i32)> {
    let square = [(at.0 - 4, at.1 - 4), (at.0 + 4, at.1 + 4)];
    match number % 4 {
        0 => Circle::new(at, 4, color.filled()).into_dyn(),
        1 => TriangleMarker::new(at, 6, color.filled()).into_dyn(),
        2 => Rectangle::new(square, color.filled()).into_dyn(),
        _ => Cross::new(at, 4, color.stroke_width(2)).into_dyn(),
    }
}

/// 1, 2 and 5 times powers of ten within the range; only the powers where those are many.
fn ticks(low: f64, high: f64) -> Vec<f64> {
    let (first, last) = (low.log10().floor() as i32, high.log10().ceil() as i32);
    let steps: &[f64] = if last - first > 5 { &[1.0] } else { &[1.0, 2.0, 5.0] };
    let all = (first..=last).flat_map(|power| steps.iter().map(move |x| x * 10f64.powi(power)));
    all.filter(|tick| (low..=high).contains(tick)).collect()
}

/// Removes the digits that rounding adds.
fn round(value: f64) -> f64 {
    let digits = 10f64.powi(2 - value.log10().floor() as i32);
    (value * digits).round() / digits
}
