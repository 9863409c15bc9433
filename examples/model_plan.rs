//! A whole model on the GPU: rules and a list of tensors make a plan, and the device runs it.
//!
//! ```sh
//! cargo run --release --features rules --example model_plan
//! ```

use std::error::Error;
use std::ops::ControlFlow;

use gpu_init::{DType, Device, Plan, Rules};

/// The first rule that matches a name counts.
const RULES: &str = r#"
    seed = 42

    [[rules]]
    match = "*.down.weight"
    init = "normal(std=0.02)"
    scale = "1 / sqrt(2 * layers)" # the layers are counted by the tensors' names

    [[rules]]
    match = "*"
    min_dims = 2
    init = "xavier_uniform"

    [[rules]]
    match = "*norm.weight"
    init = "ones"

    [[rules]]
    match = "*.bias"
    init = "zeros"
"#;

fn main() -> Result<(), Box<dyn Error>> {
    let rules: Rules = RULES.parse()?;
    let plan = Plan::new(tensors(), &rules)?;
    for warning in plan.warnings() {
        eprintln!("warning: {warning}"); // such as a rule that matches nothing
    }
    println!("{} elements, {} bytes", plan.elements(), plan.bytes());

    // Nothing has been allocated so far. `run` fails before it allocates if the memory is too small.
    let device = Device::new()?;
    let weights = device.run(&plan, &mut |_done, _total| ControlFlow::Continue(()))?;

    for entry in plan.entries() {
        let tensor = &weights[&entry.name];
        let std = entry.fill.distribution.std();
        println!("{:22} std {std:.6}  fingerprint {}", entry.name, tensor.fingerprint()?);
    }
    Ok(())
}

/// Names, shapes and, where the model prescribes one, element types.
fn tensors() -> Vec<(String, Vec<usize>, Option<DType>)> {
    let mut tensors = vec![("embed.weight".to_owned(), vec![5000, 256], Some(DType::BF16))];
    for layer in 0..2 {
        let name = |suffix| format!("layers.{layer}.{suffix}");
        tensors.extend([
            (name("norm.weight"), vec![256], None),
            (name("up.weight"), vec![1024, 256], None),
            (name("up.bias"), vec![1024], None),
            (name("down.weight"), vec![256, 1024], None),
        ]);
    }
    tensors
}
