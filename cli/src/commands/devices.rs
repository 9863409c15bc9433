//! `gpu-init devices`: the adapters, their limits, and which one `auto` takes.

use gpu_init::wgpu;
use serde_json::json;

use crate::backend::adapter::{is_software, why_auto};
use crate::terminal::output::{binary_bytes, print, print_json, row};

/// List the adapters with their limits and features, and say which one `auto` takes.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Print one JSON object.
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    let adapters = pollster::block_on(gpu_init::adapters());
    let infos: Vec<_> = adapters.iter().map(|adapter| adapter.get_info()).collect();
    let auto = gpu_init::best_gpu(&adapters);
    let why = why_auto(auto, &infos);
    let cores = std::thread::available_parallelism().map_or(1, |cores| cores.get());
    if args.json {
        let adapters: Vec<_> = adapters.iter().enumerate().map(describe).collect();
        let auto = auto.map_or(json!("cpu"), |index| json!(index));
        return print_json(
            &json!({ "auto": auto, "auto_because": why, "cpu_cores": cores, "adapters": adapters }),
        );
    }
    let arrow = |chosen: bool| if chosen { format!("   <- auto: {why}") } else { String::new() };
    let mut text = String::new();
    for (i, adapter) in adapters.iter().enumerate() {
        let (info, limits, features) = (adapter.get_info(), adapter.limits(), adapter.features());
        let has = |feature| if features.contains(feature) { "yes" } else { "no" };
        let software = match is_software(&info) {
            true => format!(", software: taken by --device {i}"),
            false => String::new(),
        };
        text += &format!("{i}: {}{}\n", info.name, arrow(auto == Some(i)));
        text += &row("type", format!("{:?}, {:?}{software}", info.device_type, info.backend));
        text += &row("driver", format!("{} {}", info.driver, info.driver_info).trim());
        text += &row("max buffer", binary_bytes(limits.max_buffer_size));
        text += &row("max binding", binary_bytes(limits.max_storage_buffer_binding_size));
        let workgroups = limits.max_compute_workgroups_per_dimension;
        text += &row("workgroups", format!("{workgroups} in a dimension"));
        text += &row("64-bit ints", has(wgpu::Features::SHADER_INT64));
        text += &row("timestamps", has(wgpu::Features::TIMESTAMP_QUERY));
    }
    let plural = if cores == 1 { "" } else { "s" };
    text += &format!("cpu: {cores} core{plural}{}\n", arrow(auto.is_none()));
    print(&text)
}

fn describe((index, adapter): (usize, &wgpu::Adapter)) -> serde_json::Value {
    let (info, limits, features) = (adapter.get_info(), adapter.limits(), adapter.features());
    json!({
        "index": index,
        "name": info.name,
        "type": format!("{:?}", info.device_type),
        "software": is_software(&info),
        "backend": format!("{:?}", info.backend),
        "driver": info.driver,
        "driver_info": info.driver_info,
        "max_buffer_size": limits.max_buffer_size,
        "max_storage_buffer_binding_size": limits.max_storage_buffer_binding_size,
        "max_compute_workgroups_per_dimension": limits.max_compute_workgroups_per_dimension,
        "shader_int64": features.contains(wgpu::Features::SHADER_INT64),
        "timestamp_query": features.contains(wgpu::Features::TIMESTAMP_QUERY),
    })
}
