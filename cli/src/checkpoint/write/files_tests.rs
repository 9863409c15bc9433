use std::collections::BTreeMap;
use std::fs;

use anyhow::bail;
use gpu_init::{Cpu, DType, Fingerprint, Initializer, TensorSpec};
use proptest::prelude::*;

use crate::checkpoint::output::claim::Claim;
use crate::checkpoint::read::bytes::Bytes;
use crate::checkpoint::read::shards::Checkpoint;
use crate::checkpoint::write::files::*;
use crate::checkpoint::write::steps::Step;

fn parameter(planned: &Planned<'_>) -> TensorSpec {
    TensorSpec::new(planned.shape, Initializer::uniform(-1.0, 1.0))
        .name(planned.name)
        .dtype(dtypes::fillable(planned.dtype).unwrap())
}

fn fill(planned: &Planned<'_>, range: Range<u64>) -> anyhow::Result<Chunk> {
    Ok(Chunk::Filled(Cpu::new().fill(&parameter(planned).elements(range))?))
}

fn metadata() -> BTreeMap<String, String> {
    [("format", "pt"), ("fingerprint", "----------------"), ("odd \"key\"", "\u{1}é\n")]
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .into()
}

fn planned<'a>(name: &'a str, shape: &'a [usize]) -> Planned<'a> {
    Planned { name, dtype: Dtype::F32, shape }
}

/// Writes files that do not have their names yet.
fn write(out: &Path, limit: Option<u64>, plan: &[Planned<'_>]) -> anyhow::Result<Finished> {
    let files = Files::plan(out, limit, plan, false)?;
    files.write(&metadata(), |tensor, range, _| fill(&plan[tensor], range), |_| {})
}

fn entries(folder: &Path) -> usize {
    names_in(folder).unwrap().len()
}

/// Every byte of a checkpoint's tensors, by name.
fn read(checkpoint: &Checkpoint) -> BTreeMap<String, Vec<u8>> {
    let mut tensors = BTreeMap::new();
    for shard in &checkpoint.shards {
        let file = fs::read(&shard.path).unwrap();
        let bytes = |range: &Range<u64>| file[range.start as usize..range.end as usize].to_vec();
        tensors
            .extend(shard.tensors.iter().map(|stored| (stored.name.clone(), bytes(&stored.bytes))));
    }
    tensors
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn what_is_written_is_read(
        shapes in prop::collection::btree_map("[^/\\\\\\x00-\\x1f\\x7f-\\x9f.]{1,8}", (0usize..3, prop::collection::vec(1usize..6, 0..4)), 1..8),
        limit in prop::option::of(1u64..400),
    ) {
        let folder = tempfile::tempdir().unwrap();
        let plan: Vec<_> = shapes
            .iter()
            .map(|(name, (dtype, shape))| Planned { name, dtype: dtypes::stored(DType::SAMPLED[*dtype]), shape })
            .collect();
        let out = if limit.is_some() { folder.path().to_owned() } else { folder.path().join(SINGLE) };
        write(&out, limit, &plan).unwrap().commit().unwrap();
        let checkpoint = Checkpoint::open(folder.path()).unwrap();
        prop_assert_eq!(entries(folder.path()), checkpoint.shards.len() + usize::from(checkpoint.shards.len() > 1));
        prop_assert_eq!(checkpoint.metadata(), metadata());
        let expected = plan.iter().map(|planned| {
            let tensor = Cpu::new().fill(&parameter(planned)).unwrap();
            (planned.name.to_owned(), tensor.as_bytes().to_vec())
        });
        prop_assert_eq!(read(&checkpoint), expected.collect::<BTreeMap<_, _>>());
        for stored in checkpoint.shards.iter().flat_map(|shard| &shard.tensors) {
            prop_assert!(stored.bytes.start.is_multiple_of(stored.dtype.bitsize() as u64 / 8));
        }
    }
}

#[test]
fn metadata_is_filled_in_afterwards() {
    let folder = tempfile::tempdir().unwrap();
    let plan = [planned("a", &[3]), planned("b", &[4]), planned("c", &[5])];
    let files = Files::plan(folder.path(), Some(12), &plan, false).unwrap();
    let mut progress = 0;
    let finished = files
        .write(
            &metadata(),
            |tensor, range, _| fill(&plan[tensor], range),
            |bytes| progress += bytes,
        )
        .unwrap();
    assert_eq!(progress, 48);
    assert!(folder.path().join(INDEX).symlink_metadata().is_err(), "nothing has its name yet");
    finished.patch("fingerprint", "0123456789abcdef").unwrap().commit().unwrap();
    let checkpoint = Checkpoint::open(folder.path()).unwrap();
    assert_eq!(checkpoint.shards.len(), 3);
    for shard in &checkpoint.shards {
        let expected = BTreeMap::from([("fingerprint".to_owned(), "0123456789abcdef".to_owned())]);
        assert_eq!(shard.metadata, metadata().into_iter().chain(expected).collect());
    }
}

#[test]
fn a_value_of_another_length_does_not_fit() {
    let folder = tempfile::tempdir().unwrap();
    for (key, value, part) in [
        ("fingerprint", "1", "reserve as many"),
        ("fingerprint", "\"\"\"\"\"\"\"\"01234567", "reserve"),
        ("x", "1", "no \"x\""),
    ] {
        let finished = write(&folder.path().join("m"), None, &[planned("a", &[3])]).unwrap();
        let error = finished.patch(key, value).unwrap_err().to_string();
        assert!(error.contains(part), "{error}");
        assert_eq!(entries(folder.path()), 0, "what is not wanted after all is removed");
    }
}

#[test]
fn what_fails_halfway_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let plan = [planned("a", &[1000]), planned("b", &[20_000_000])];
    type Produce<'a> = &'a dyn Fn(usize, Range<u64>, Bytes) -> anyhow::Result<Chunk>;
    let cases: [(Produce<'_>, &str); 4] = [
        (&|_, _, _| bail!("the device is lost"), "\": the device is lost"),
        (
            &|i, range, _| if range.start > 0 { bail!("lost") } else { fill(&plan[i], range) },
            "tensor \"b\": lost",
        ),
        (&|_, range, _| fill(&Planned { dtype: Dtype::F16, ..plan[1] }, range), "F32"),
        (&|_, _, _| fill(&plan[1], 0..7), "28 bytes are not 0.."),
    ];
    for (produce, part) in cases {
        for limit in [None, Some(4000)] {
            let out = folder.path().join(if limit.is_some() { "" } else { "m" });
            let files = Files::plan(&out, limit, &plan, false).unwrap();
            let error = format!("{:#}", files.write(&metadata(), produce, |_| {}).unwrap_err());
            assert!(error.contains(part), "{error}");
            assert_eq!(entries(folder.path()), 0, "{part}");
        }
    }
}

/// A file that came to be there while the model was computed is kept.
#[test]
fn a_race_for_the_name_is_lost() {
    let folder = tempfile::tempdir().unwrap();
    let plan = [planned("a", &[1000]), planned("b", &[2000])];
    let finished = write(folder.path(), Some(8000), &plan).unwrap();
    let second = folder.path().join(shard_file(1, 2, 0));
    fs::write(&second, "somebody else's").unwrap();
    let error = format!("{:#}", finished.commit().unwrap_err());
    assert!(error.contains("00002-of-00002"), "{error}");
    assert_eq!(fs::read_to_string(second).unwrap(), "somebody else's");
    assert_eq!(entries(folder.path()), 1, "neither the index nor the first shard is there");
}

/// The tensors that are read by whoever looks for the file `first` before the other one, and by
/// nothing but an index.
fn read_by(folder: &Path, first: &str) -> BTreeMap<String, Vec<u8>> {
    let other = if first == INDEX { SINGLE } else { INDEX };
    let path = [first, other].map(|name| folder.join(name)).into_iter().find(|path| path.exists());
    read(&Checkpoint::open(&path.expect("neither file is there")).unwrap())
}

/// A model of two tensors whose values are of `seed`, in one shard or in two.
fn finished(folder: &Path, seed: u64, shards: usize) -> Finished {
    drop(Claim::take(&folder.join(INDEX), None).unwrap());
    let plan = [planned("a", &[1000]), planned("b", &[1100])];
    let limit = if shards == 1 { 10_000 } else { 5000 };
    let files = Files::plan(folder, Some(limit), &plan, true).unwrap();
    let fill = |tensor: usize, range, _| {
        let filled = Cpu::with_seed(seed).fill(&parameter(&plan[tensor]).elements(range))?;
        Ok(Chunk::Filled(filled))
    };
    files.write(&metadata(), fill, |_| {}).unwrap()
}

/// A kill after any step leaves the old model or the new one, and what else it leaves the next run
/// removes.
#[test]
fn a_kill_between_two_steps_leaves_a_model() {
    for (old, new) in [(1, 1), (1, 2), (2, 1), (2, 2)] {
        for links in [true, false] {
            for done in 0.. {
                let folder = tempfile::tempdir().unwrap();
                let folder = folder.path();
                finished(folder, 1, old).commit().unwrap();
                let before = read_by(folder, INDEX);
                let steps = finished(folder, 2, new).steps().in_order(links);
                let all = steps.len();
                for (i, step) in steps.into_iter().enumerate() {
                    match step {
                        step if i < done => step.apply().unwrap(),
                        Step::Move(_, temporary) => _ = temporary.keep().unwrap(),
                        _ => {}
                    }
                }
                let case = format!("{old} to {new} shards, links: {links}, {done} of {all} steps");
                let [ours, theirs] = [INDEX, SINGLE].map(|first| read_by(folder, first));
                for tensors in [&ours, &theirs] {
                    let is_kept = |(name, bytes): &(&String, _)| tensors.get(*name) == Some(*bytes);
                    let kept = before.iter().filter(is_kept).count();
                    assert!(tensors.len() == 2 && kept % 2 == 0, "{case}: {kept} of 2 are old");
                }
                if done >= all {
                    assert!(ours != before && theirs != before, "{case}");
                    assert_eq!(entries(folder), if new == 1 { 1 } else { 3 }, "{case}");
                }
                finished(folder, 3, 2).commit().unwrap();
                let names = names_in(folder).unwrap();
                assert_eq!(names, [&shard_file(0, 2, 0), &shard_file(1, 2, 0), INDEX], "{case}");
                if done >= all {
                    break;
                }
            }
        }
    }
}

/// A folder that cannot be synced is an error once all files have their names: there is a model at
/// any time, the new one in the end, and the next run tidies up.
#[test]
fn what_may_not_survive_a_power_cut_is_kept() {
    for (old, new) in [(0, 1), (0, 2), (1, 1), (1, 2), (2, 1), (2, 2)] {
        // Shards, index, and the index of the shards' usual names.
        for fails in 0..4 {
            let folder = tempfile::tempdir().unwrap();
            let folder = folder.path();
            if old > 0 {
                finished(folder, 1, old).commit().unwrap();
            }
            let (count, failed) = (std::cell::Cell::new(0), std::cell::Cell::new(false));
            let sync = |_: &Destination| {
                let now = count.replace(count.get() + 1);
                failed.set(failed.get() || now == fails);
                if now == fails { bail!("no sync") } else { Ok(()) }
            };
            let applied = finished(folder, 2, new).steps().apply(sync);
            let case = format!("{old} to {new} shards, sync {fails}: {applied:?}");
            assert_eq!(applied.is_err(), failed.get(), "{case}");
            if let Err(error) = applied {
                let error = format!("{error:#}");
                let parts = ["is written, but may not survive a power cut", "no sync"];
                assert!(parts.iter().all(|part| error.contains(part)), "{case}");
            }
            let written = read_by(folder, if new == 1 { SINGLE } else { INDEX });
            let other_folder = tempfile::tempdir().unwrap();
            finished(other_folder.path(), 2, new).commit().unwrap();
            assert_eq!(written, read_by(other_folder.path(), INDEX), "{case}");
            finished(folder, 3, new).commit().unwrap();
            assert_eq!(entries(folder), if new == 1 { 1 } else { 3 }, "{case}");
        }
    }
}

/// Shards under other names until the index names them are as private as those that they replace.
#[test]
#[cfg(unix)]
fn shards_that_replace_private_ones_are_private() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    finished(folder, 1, 2).commit().unwrap();
    let files = || fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    files().for_each(|path| fs::set_permissions(path, PermissionsExt::from_mode(0o600)).unwrap());
    let finished = finished(folder, 2, 2);
    let check = |count: usize| {
        assert_eq!(files().count(), count);
        for path in files() {
            let mode = fs::metadata(&path).unwrap().permissions().mode() & 0o777;
            assert_eq!(mode, 0o600, "{}", path.display());
        }
    };
    // Two shards, the index and the one of the shards' usual names.
    check(3 + 4);
    finished.commit().unwrap();
    check(3);
}

#[test]
fn names_come_once() {
    let folder = tempfile::tempdir().unwrap();
    let error = write(&folder.path().join("m"), None, &[planned("a", &[3]); 2]).unwrap_err();
    assert!(error.to_string().contains("comes twice"));
}

/// A file of metadata is a whole one; no shards are not.
#[test]
fn no_tensors_are_a_file_of_metadata() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("m");
    let error = write(folder.path(), Some(1000), &[]).unwrap_err();
    assert!(error.to_string().contains("no tensors"));
    write(&path, None, &[]).unwrap().commit().unwrap();
    let checkpoint = Checkpoint::open(&path).unwrap();
    assert_eq!((checkpoint.metadata(), checkpoint.shards[0].tensors.len()), (metadata(), 0));
}

/// 2.5 GB through less than 512 MiB of memory, with its fingerprint; prints what was used.
#[test]
#[ignore = "writes 2.5 GB"]
#[cfg(target_os = "linux")]
fn memory() {
    let target = std::env::var_os("CARGO_TARGET_DIR").unwrap_or("target".into());
    let folder = tempfile::tempdir_in(target).unwrap();
    let names: Vec<_> = (0..10).map(|i| format!("layer.{i}")).collect();
    let plan: Vec<_> = names.iter().map(|name| planned(name, &[7813, 8000])).collect();
    let start = std::time::Instant::now();
    let mut fingerprint = Fingerprint::default();
    let files = Files::plan(folder.path(), Some(1_000_000_000), &plan, false).unwrap();
    let produce = |tensor: usize, range, _| {
        let filled = Cpu::new().fill(&parameter(&plan[tensor]).elements(range))?;
        fingerprint += filled.fingerprint();
        Ok(Chunk::Filled(filled))
    };
    let finished = files.write(&metadata(), produce, |_| {}).unwrap();
    finished.patch("fingerprint", &fingerprint.to_string()).unwrap().commit().unwrap();
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap().trim();
    eprintln!("wrote 2.5 GB in {:.1} s, peak memory {peak}", start.elapsed().as_secs_f64());
    let peak: u64 = peak.trim_end_matches(" kB").parse().unwrap();
    assert!(peak < 512 << 10, "{peak} KiB");
}
