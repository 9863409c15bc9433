//! Host memory available to this process, checked before work that needs a lot.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::ensure;
use gpu_init::{Distribution, Fill, Initializer, Plan, PlanEntry, TensorSpec};
use sysinfo::System;

use crate::terminal::output::binary_bytes;

/// Bytes of the chunks on their way into a file: computed, waiting, being written, and copied.
pub(crate) const SLICES: u64 = 4 * (32 << 20);

/// Fails if this machine, or the control group of this process, has fewer than `needed` bytes left.
/// `remedy` says what to do.
pub(crate) fn check(operation: &str, needed: u64, remedy: &str) -> anyhow::Result<()> {
    fits(operation, needed, available(), remedy)
}

fn fits(operation: &str, needed: u64, available: u64, remedy: &str) -> anyhow::Result<()> {
    ensure!(
        needed <= available,
        "{operation}: {needed} bytes of host memory are needed ({}), and {available} are there ({}); {remedy}",
        binary_bytes(needed),
        binary_bytes(available)
    );
    Ok(())
}

/// Fails if a plan does not fit in host memory: all its tensors, or the largest if they are made
/// one by one.
pub(crate) fn check_plan(plan: &Plan, one_by_one: bool) -> anyhow::Result<()> {
    let remedy = match one_by_one {
        true => "use a smaller dtype, several processes, or rules that make no such tensor",
        false => {
            "pass --out, which streams tensor by tensor, or use a smaller dtype or several processes"
        }
    };
    check("model", plan_needs(plan, one_by_one), remedy)
}

fn plan_needs(plan: &Plan, one_by_one: bool) -> u64 {
    let entries = plan.entries();
    let scratch = |entry: &PlanEntry| scratch(&entry.spec, &entry.fill);
    if one_by_one {
        // Other tensors are made slice by slice.
        let whole = entries.iter().filter(|entry| part_costs_whole(&entry.fill));
        let largest = whole.map(|entry| entry.fill.bytes().saturating_add(scratch(entry))).max();
        largest.unwrap_or(0).saturating_add(SLICES.min(plan.bytes()))
    } else {
        plan.bytes().saturating_add(entries.iter().map(scratch).max().unwrap_or(0))
    }
}

/// A lower bound on the scratch memory of a fill: the columns and reflections of an orthogonal
/// matrix, in F32. Tensors of more dimensions may be many small matrices and need less.
pub(crate) fn scratch(parameter: &TensorSpec, fill: &Fill) -> u64 {
    let (Initializer::Orthogonal { .. }, &[rows, columns]) =
        (parameter.initializer(), parameter.shape().dims())
    else {
        return 0;
    };
    let (rows, columns) = (rows as u64, columns as u64);
    let (height, width) = (rows.max(columns), rows.min(columns));
    // All columns are made of all reflections, except those of a wide matrix's rows: only the rows
    // wanted are made, and later reflections do not change them.
    let made = match fill.len.checked_sub(1) {
        Some(last) if rows < columns => fill.index(0) / columns..fill.index(last) / columns + 1,
        _ => 0..width,
    };
    let panels = height.saturating_mul(made.end - made.start);
    let reflections =
        height.saturating_mul(made.end).saturating_sub(made.end.saturating_mul(made.end) / 2);
    panels.saturating_add(reflections).saturating_mul(4)
}

/// Whether the host makes all of a tensor for any slice.
pub(crate) fn part_costs_whole(fill: &Fill) -> bool {
    matches!(fill.distribution, Distribution::Orthogonal { .. } | Distribution::Sparse { .. })
}

/// Bytes left to allocate on this machine or in the control group of this process.
fn available() -> u64 {
    let mut system = System::new();
    system.refresh_memory();
    let machine = system.available_memory().saturating_add(system.free_swap());
    // A system that reports nothing has no known limit.
    let machine = if machine == 0 { u64::MAX } else { machine };
    control_group().map_or(machine, |group| machine.min(group))
}

/// Bytes that the control groups of this process leave it. sysinfo reads only the root's, and a
/// job's is below it.
fn control_group() -> Option<u64> {
    let groups = fs::read_to_string("/proc/self/cgroup").ok()?;
    groups.lines().filter_map(|line| left_in(line, Path::new("/sys/fs/cgroup"))).min()
}

/// The least that is left in a group, a line of `/proc/self/cgroup`, and in its ancestors.
fn left_in(line: &str, root: &Path) -> Option<u64> {
    let mut fields = line.splitn(3, ':').skip(1);
    let (controllers, group) = (fields.next()?, fields.next()?);
    // Version 2 has one hierarchy for all controllers; version 1 one for memory.
    let (hierarchy, limit, used) = match controllers {
        "" => (root.to_owned(), "memory.max", "anon"),
        _ if controllers.split(',').any(|name| name == "memory") => {
            (root.join("memory"), "memory.limit_in_bytes", "total_rss")
        }
        _ => return None,
    };
    let group = hierarchy.join(group.trim_start_matches('/'));
    let groups =
        group.ancestors().take_while(|path| path.starts_with(&hierarchy)).map(Path::to_owned);
    let left = |folder: PathBuf| {
        // "max" is no limit.
        let limit: u64 = fs::read_to_string(folder.join(limit)).ok()?.trim().parse().ok()?;
        let statistics = fs::read_to_string(folder.join("memory.stat")).ok()?;
        // File pages can be reclaimed, so they do not count.
        let mut lines = statistics.lines();
        let used: u64 = lines.find_map(|line| line.strip_prefix(used)?.trim().parse().ok())?;
        Some(limit.saturating_sub(used))
    };
    groups.filter_map(left).min()
}

#[cfg(test)]
mod tests {
    use gpu_init::Rules;

    use super::*;

    #[test]
    fn what_does_not_fit_is_refused_with_both_sizes() {
        assert!(fits("fill", 1 << 30, 1 << 30, "").is_ok());
        let error = fits("fill", (1 << 30) + 1, 1 << 30, "do that").unwrap_err().to_string();
        for part in ["fill: 1073741825 bytes", "1.00 GiB", "1073741824 are there", "; do that"] {
            assert!(error.contains(part), "{error} lacks {part}");
        }
        assert!(available() > 1 << 20);
    }

    #[test]
    fn a_plan_needs_its_tensors_or_the_largest_of_those_made_whole() {
        let plan = |rules: &str, tensors: &[(&str, [usize; 2])]| {
            let tensors = tensors.iter().map(|&(name, shape)| (name, shape, None));
            Plan::new(tensors, &rules.parse::<Rules>().unwrap()).unwrap()
        };
        let both = [("a", [8192, 8192]), ("b", [4096, 1024])];
        let (a, b) = (8192u64 * 8192, 4096u64 * 1024);
        let normal = plan("default = 'normal'", &both);
        assert_eq!(plan_needs(&normal, false), 4 * (a + b));
        assert_eq!(plan_needs(&normal, true), SLICES, "slices are made when they are wanted");
        let orthogonal = plan("default = 'orthogonal'", &both);
        assert_eq!(plan_needs(&orthogonal, false), 4 * (a + b) + 6 * a);
        assert_eq!(plan_needs(&orthogonal, true), 4 * a + 6 * a + SLICES);
        // A rank has a slice of the tensor, made of all columns and reflections, and saves no more
        // than it has.
        let shard = orthogonal.shard(3, 4).unwrap();
        assert_eq!(plan_needs(&shard, true), 4 * a / 4 + 4 * a + 2 * a + (a + b));
        // Of a wide matrix it makes only its own rows and the reflections up to them; divided along
        // its columns, all of both.
        let wide = |rank: u64, dim: usize| {
            let rules = format!(
                "rules = [{{ match = 'w', init = 'orthogonal', shard = {{ dim = {dim} }} }}]"
            );
            let plan = plan(&rules, &[("w", [1024, 4096])]).shard(rank, 4).unwrap();
            scratch(&plan.entries()[0].spec, &plan.entries()[0].fill)
        };
        let reflections = |count: u64| 4 * (4096 * count - count * count / 2);
        assert_eq!(wide(0, 0), 4 * 4096 * 256 + reflections(256));
        assert_eq!(wide(3, 0), 4 * 4096 * 256 + reflections(1024));
        assert_eq!([wide(0, 1), wide(3, 1)], [4 * 4096 * 1024 + reflections(1024); 2]);
        let zeros = plan("default = 'zeros'", &both).shard(0, 8192).unwrap();
        assert_eq!(plan_needs(&zeros, true), 4 * 8192 + 4 * 1024);
    }

    #[test]
    fn control_groups_of_both_versions_count_with_those_around_them() {
        let root = tempfile::tempdir().unwrap();
        let write = |group: &str, file: &str, text: &str| {
            let folder = root.path().join(group);
            fs::create_dir_all(&folder).unwrap();
            fs::write(folder.join(file), text).unwrap();
        };
        let left = |line: &str| left_in(line, root.path());
        assert_eq!(left("0::/job/step"), None, "there are no limits");
        for (group, limit, used) in
            [("job", "3000", "2000"), ("job/step", "max", "500"), ("other", "9", "0")]
        {
            write(group, "memory.max", &format!("{limit}\n"));
            write(group, "memory.stat", &format!("anon_thp 7\nanon {used}\nfile 9999\n"));
        }
        assert_eq!(left("0::/job/step"), Some(1000), "the outer one has a limit");
        write("job/step", "memory.max", "600");
        assert_eq!(left("0::/job/step"), Some(100));
        assert_eq!(left("0::/not/there"), None);
        write("memory/docker/1", "memory.limit_in_bytes", "5000");
        write("memory/docker/1", "memory.stat", "rss 1\ntotal_rss 6000\n");
        assert_eq!(left("4:memory:/docker/1"), Some(0));
        assert_eq!(left("5:cpu,memory:/docker/1"), Some(0));
        assert_eq!(left("5:devices:/docker/1"), None);
        assert_eq!(left("nonsense"), None);
    }
}
