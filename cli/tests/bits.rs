//! `gpu-init bits`: the bytes are the library's, in the order that was asked for.

#[path = "common/program.rs"]
#[allow(dead_code, reason = "other tests need the rest")]
mod program;

use std::fs;

use gpu_init::{Cpu, Initializer, Philox4x32, TensorSpec, stream_of};
use program::{command, complains, run};

/// The bytes that `gpu-init bits` writes.
fn bits(args: &str) -> Vec<u8> {
    let output = run(&[vec!["bits"], args.split(' ').collect()].concat());
    assert!(output.status.success() && output.stderr.is_empty(), "{args}: {output:?}");
    output.stdout
}

#[test]
fn bits_are_the_stream() {
    let known: Vec<u8> = [0x6627e8d5u32, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8]
        .iter()
        .flat_map(|word| word.to_le_bytes())
        .collect();
    assert_eq!(bits("--seed 0 --stream 0 --count 4"), known);
    assert_eq!(bits("--count 3"), known[..12]);
    assert!(bits("--count 0").is_empty());
    let words: Vec<u8> =
        (0..5).flat_map(|i| Philox4x32::new(9, 8).block(i)).flat_map(u32::to_le_bytes).collect();
    assert_eq!(bits("--seed 9 --stream 8 --count 18"), words[..72]);
}

/// The words of several streams, each under its seed, interleaved `turn` words at a time.
fn in_turns(sources: &[[u64; 2]], turn: usize, rounds: usize) -> Vec<u8> {
    let words = |&[seed, stream]: &[u64; 2]| {
        let stream = Philox4x32::new(seed, stream);
        (0..(turn * rounds) as u64).flat_map(move |i| stream.block(i)).collect::<Vec<_>>()
    };
    let words: Vec<_> = sources.iter().map(words).collect();
    (0..rounds)
        .flat_map(|round| words.iter().flat_map(move |words| &words[round * turn..][..turn]))
        .flat_map(|word| word.to_le_bytes())
        .collect()
}

#[test]
fn bits_of_streams_seeds_and_names_take_turns() {
    let name = |name: &str| [7, stream_of(name)];
    let names = [name("layers.0.weight"), name("layers.1.weight"), name("layers.2.weight")];
    let last = u64::MAX;
    for (args, sources) in [
        ("--seed 7 --stream 5 --streams 3", [[7, 5], [7, 6], [7, 7]]),
        ("--seed 7 --stream 5 --seeds 3", [[7, 5], [8, 5], [9, 5]]),
        ("--seed 18446744073709551615 --seeds 3", [[last, 0], [0, 0], [1, 0]]),
        ("--seed 7 --names 3", names),
        ("--seed 7 --names 3 --pattern {}.w", [name("0.w"), name("1.w"), name("2.w")]),
    ] {
        assert_eq!(bits(&format!("{args} --count 600")), in_turns(&sources, 1, 200), "{args}");
        let blocks = bits(&format!("{args} --turn 4 --count 601"));
        assert_eq!(blocks, in_turns(&sources, 4, 51)[..4 * 601], "{args}");
        // From the middle of a block, of each.
        let later = bits(&format!("{args} --turn 8 --offset 8 --count 240"));
        assert_eq!(later, in_turns(&sources, 8, 11)[4 * 24..], "{args}");
    }
    // More than is computed at once, of many streams and of one.
    for args in ["--streams 65536 --turn 100 --count 13200000", "--count 13200000"] {
        let bytes = bits(args);
        assert_eq!(bytes.len(), 4 * 13_200_000, "{args}");
        let stream = if args.contains("streams") { 999 } else { 0 };
        let element = if stream == 0 { 13_199_998 } else { 101 };
        let at = if stream == 0 { element } else { 65536 * 100 + 999 * 100 + 1 };
        let word = Philox4x32::new(0, stream).block(element / 4)[element as usize % 4];
        assert_eq!(bytes[4 * at as usize..][..4], word.to_le_bytes(), "{args}");
    }
}

#[test]
fn bits_of_values_are_the_values() {
    let words = bits("--seed 3 --stream 4 --offset 3 --count 1000");
    let upper: Vec<u8> = words.chunks(4).flat_map(|word| &word[1..]).copied().collect();
    assert_eq!(bits("--seed 3 --stream 4 --offset 3 --count 1000 --values uniform"), upper);

    let spec = TensorSpec::new([1007], Initializer::normal(0.0, 1.0)).stream(4).elements(7..1007);
    let mut normals = [0f32; 1000];
    Cpu::with_seed(3).fill_into(&spec, &mut normals).unwrap();
    let args = "--seed 3 --stream 4 --offset 7 --count 1000 --values normal";
    let ranks = bits(&format!("{args} --take 32"));
    for (z, rank) in normals.into_iter().zip(ranks.as_chunks().0) {
        // The derivative of the rank is at most 2^32 / sqrt(2 pi).
        let (rank, z) = (f64::from(u32::from_le_bytes(*rank)) / 2f64.powi(32), f64::from(z));
        assert!((rank < 0.5) == (z < 0.0), "{z} {rank}");
        let symmetric = libm::erf(z / 2f64.sqrt()) - (2.0 * rank - 1.0);
        assert!((0.0..=2f64.powi(-31)).contains(&symmetric), "{z} {rank}");
    }
    let highest: Vec<u8> = ranks.chunks(4).flat_map(|rank| &rank[2..]).copied().collect();
    assert_eq!(bits(args), highest, "16 bits unless others are asked for");
    let reversed: Vec<u8> = highest
        .as_chunks()
        .0
        .iter()
        .flat_map(|rank| u16::from_le_bytes(*rank).reverse_bits().to_le_bytes())
        .collect();
    assert_eq!(bits(&format!("{args} --reverse")), reversed);
}

#[test]
fn bits_refuse_what_makes_no_sense() {
    for (args, parts) in [
        ("--names 2 --pattern w", &["--pattern \"w\"", "{}"][..]),
        ("--values uniform --take 32", &["24 bits", "--take 24"]),
        ("--values normal --offset 9223372036854775807", &["--offset", "use at most"]),
        ("--values normal --offset 2305843009213693951 --count 2", &["lower --offset"]),
        ("--streams 2 --seeds 2", &["--streams", "--seeds"]),
        ("--names 2 --stream 1", &["--stream", "--names"]),
        ("--pattern {}", &["--names"]),
        ("--streams 0", &["--streams"]),
        ("--turn 0", &["--turn"]),
        ("--take 12", &["--take"]),
    ] {
        complains(&[vec!["bits"], args.split(' ').collect()].concat(), parts);
    }
}

/// Linux shows the controlling end of a new terminal as a terminal.
#[cfg(target_os = "linux")]
#[test]
fn bits_are_not_written_to_a_terminal() {
    let terminal = fs::File::options().read(true).write(true).open("/dev/ptmx").unwrap();
    let output = command(&["bits", "--count", "1"]).stdout(terminal).output().unwrap();
    let errors = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(errors.contains("is a terminal") && errors.lines().count() == 1, "{errors}");
}

#[test]
fn bits_start_anywhere() {
    let words = bits("--seed 5 --stream 6 --count 40");
    for offset in [0, 1, 2, 3, 4, 5, 7, 8, 30] {
        for count in [0, 1, 2, 3, 4, 5, 9] {
            let args = format!("--seed 5 --stream 6 --offset {offset} --count {count}");
            assert_eq!(bits(&args), words[4 * offset..4 * (offset + count)], "{args}");
        }
    }
    // Far beyond 64 bits, to the last word.
    let last = Philox4x32::new(5, 6).block(u64::MAX).map(u32::to_le_bytes);
    let period = Philox4x32::PERIOD;
    assert_eq!(
        bits(&format!("--seed 5 --stream 6 --offset {}", period - 3)),
        last[1..].as_flattened()
    );
    assert_eq!(bits(&format!("--seed 5 --stream 6 --offset {} --count 1", period - 4)), last[0]);
    assert!(bits(&format!("--offset {period}")).is_empty());
    complains(
        &["bits", "--offset", &(period - 1).to_string(), "--count", "2"],
        &["lower --offset or --count"],
    );
    for offset in [(period + 1).to_string(), u128::MAX.to_string()] {
        complains(&["bits", "--offset", &offset], &["beyond the stream's 2^66 words"]);
    }
}
