//! Maximal-update parametrization (muP, Yang et al. 2021) by rules: how much one step of Adam changes
//! the outputs of networks of growing width, with and without.
//!
//! ```sh
//! cargo run --release --features rules --example mup -- docs/mup.svg
//! ```
//!
//! By the standard rules the change grows with the width, so a learning rate that is right for a
//! small model is too large for a wide one. By muP's it does not.

use std::error::Error;

use gpu_init::{Cpu, Plan, Rules};
use plotters::prelude::*;

/// Every matrix by its fan_in, whatever the width.
const STANDARD: &str = "
    [[rules]]
    match = '*.weight'
    init = 'kaiming_normal'";

/// muP for Adam: the head's deviation falls with the width, not with its root. From the width 64 on.
const MUP: &str = "
    [[rules]]
    match = 'head.weight'
    init = 'kaiming_normal'
    scale = 'sqrt(64 / fan_in)'

    [[rules]]
    match = '*.weight'
    init = 'kaiming_normal'";

const INPUTS: usize = 32;
const OUTPUTS: usize = 8;
const BATCH: usize = 4;
const BASE: usize = 64;
const LEARNING_RATE: f32 = 1e-3;

/// How much the outputs of networks of a width change.
struct Change {
    width: f64,
    standard: f64,
    mup: f64,
}

fn main() -> Result<(), Box<dyn Error>> {
    let path = std::env::args().nth(1);
    let widths: &[usize] =
        if path.is_some() { &[64, 128, 256, 512, 1024, 2048, 4096] } else { &[64, 256] };
    println!("RMS of the outputs, and of their change by the first step\n");
    println!("width  standard           muP");
    let mut changes = Vec::new();
    for &width in widths {
        let standard = first_step(width, STANDARD, 1.0)?;
        // Adam's steps of matrices whose fan_in grows are divided by its growth.
        let mup = first_step(width, MUP, BASE as f32 / width as f32)?;
        let [a, b] = [standard, mup].map(|[before, change]| format!("{before:.3}  {change:.4}"));
        println!("{width:>5}  {a:17}  {b}");
        let [standard, mup] = [standard[1], mup[1]].map(f64::from);
        changes.push(Change { width: width as f64, standard, mup });
    }
    path.map_or(Ok(()), |path| plot(&path, &changes))
}

/// The RMS of the outputs of a network of three layers, and of their change by one step of Adam.
fn first_step(width: usize, rules: &str, rate: f32) -> Result<[f32; 2], Box<dyn Error>> {
    let rules: Rules = rules.parse()?;
    let tensors = [
        ("input.weight", [width, INPUTS], None),
        ("hidden.weight", [width, width], None),
        ("head.weight", [OUTPUTS, width], None),
    ];
    let weights = Cpu::new()
        .run(&Plan::new(tensors, &rules)?, &mut |_, _| std::ops::ControlFlow::Continue(()))?;
    let weight = |name: &str| weights[name].to_f32();
    let mut layers = [weight("input.weight"), weight("hidden.weight"), weight("head.weight")];
    let samples: Vec<f32> = (0..BATCH * INPUTS).map(|i| ((i * i) as f32).sin() * 1.4).collect();
    let forward = |layers: &[Vec<f32>; 3]| {
        let first = relu(product(&samples, &layers[0], INPUTS));
        let second = relu(product(&first, &layers[1], width));
        let outputs = product(&second, &layers[2], width);
        (first, second, outputs)
    };
    let (first, second, outputs) = forward(&layers);

    // Backward, of a loss whose gradient by the outputs is given.
    let gradient: Vec<f32> = (0..BATCH * OUTPUTS).map(|i| (i as f32 * 0.7).cos()).collect();
    let of_second = through(&second, back(&gradient, &layers[2], width));
    let of_first = through(&first, back(&of_second, &layers[1], width));
    // Adam's first step is the gradient's sign times the learning rate.
    step(&mut layers[0], &of_first, &samples, LEARNING_RATE);
    step(&mut layers[1], &of_second, &first, LEARNING_RATE * rate);
    step(&mut layers[2], &gradient, &second, LEARNING_RATE * rate);

    let (.., after) = forward(&layers);
    let change: Vec<f32> =
        after.iter().zip(&outputs).map(|(after, before)| after - before).collect();
    Ok([rms(&outputs), rms(&change)])
}

/// Rows of inputs times a matrix (out, in).
fn product(inputs: &[f32], matrix: &[f32], columns: usize) -> Vec<f32> {
    let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f32>();
    let rows = inputs.chunks(columns);
    rows.flat_map(|row| matrix.chunks(columns).map(move |weights| dot(row, weights))).collect()
}

/// The gradient by a layer's inputs.
fn back(gradient: &[f32], matrix: &[f32], columns: usize) -> Vec<f32> {
    let outputs = matrix.len() / columns;
    let mut inputs = vec![0.0; gradient.len() / outputs * columns];
    for (sums, gradient) in inputs.chunks_mut(columns).zip(gradient.chunks(outputs)) {
        for (gradient, weights) in gradient.iter().zip(matrix.chunks(columns)) {
            sums.iter_mut().zip(weights).for_each(|(sum, weight)| *sum += gradient * weight);
        }
    }
    inputs
}

/// The gradient by what a ReLU took to `outputs`.
fn through(outputs: &[f32], gradient: Vec<f32>) -> Vec<f32> {
    gradient.into_iter().zip(outputs).map(|(g, &y)| if y > 0.0 { g } else { 0.0 }).collect()
}

fn relu(values: Vec<f32>) -> Vec<f32> {
    values.into_iter().map(|value| value.max(0.0)).collect()
}

/// Moves each weight by the learning rate against its gradient's sign.
fn step(matrix: &mut [f32], gradient: &[f32], inputs: &[f32], rate: f32) {
    let (outputs, columns) = (gradient.len() / BATCH, inputs.len() / BATCH);
    for (i, weight) in matrix.iter_mut().enumerate() {
        let (row, column) = (i / columns, i % columns);
        let sum: f32 =
            (0..BATCH).map(|n| gradient[n * outputs + row] * inputs[n * columns + column]).sum();
        *weight -= if sum == 0.0 { 0.0 } else { rate * sum.signum() };
    }
}

fn rms(values: &[f32]) -> f32 {
    (values.iter().map(|value| value * value).sum::<f32>() / values.len() as f32).sqrt()
}

fn plot(path: &str, changes: &[Change]) -> Result<(), Box<dyn Error>> {
    let area = SVGBackend::new(path, (720, 400)).into_drawing_area();
    area.fill(&WHITE)?;
    let most = changes.iter().map(|change| change.standard.max(change.mup)).fold(0.0, f64::max);
    let least = changes.iter().map(|change| change.standard.min(change.mup)).fold(most, f64::min);
    let mut chart = ChartBuilder::on(&area)
        .caption("Change of the outputs by the first step of Adam", ("sans-serif", 18))
        .margin(12)
        .x_label_area_size(40)
        .y_label_area_size(56)
        .build_cartesian_2d(5.8..12.2, (0.6 * least..1.6 * most).log_scale())?;
    chart
        .configure_mesh()
        .x_desc("width")
        .x_labels(8)
        .x_label_formatter(&|log2: &f64| format!("{:.0}", log2.exp2()))
        .y_desc("RMS of the change")
        .light_line_style(TRANSPARENT)
        .draw()?;
    let points = |of: fn(&Change) -> f64| {
        changes.iter().map(move |change| (change.width.log2(), of(change)))
    };
    let standard =
        ("Kaiming normal, one learning rate", RGBColor(200, 80, 40), points(|it| it.standard));
    let mup = ("muP by rules", RGBColor(30, 100, 190), points(|it| it.mup));
    for (name, color, points) in [standard, mup] {
        chart
            .draw_series(LineSeries::new(points.clone(), color.stroke_width(2)))?
            .label(name)
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 20, y)], color.stroke_width(2)));
        chart.draw_series(points.map(|point| Circle::new(point, 3, color.filled())))?;
    }
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::UpperLeft)
        .background_style(WHITE)
        .draw()?;
    Ok(area.present()?)
}
