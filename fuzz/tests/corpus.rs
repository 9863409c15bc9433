//! What is kept of the fuzzers' inputs, each once.

use std::fs;

const TARGETS: [(&str, fn(&[u8])); 7] = [
    ("header", gpu_init_fuzz::header),
    ("index", gpu_init_fuzz::index),
    ("initializer", gpu_init_fuzz::initializer),
    ("layout", gpu_init_fuzz::layout),
    ("list", gpu_init_fuzz::list),
    ("rules", gpu_init_fuzz::rules),
    ("slices", gpu_init_fuzz::slices),
];

#[test]
fn kept_inputs_pass() {
    for (target, check) in TARGETS {
        let mut count = 0;
        for entry in fs::read_dir(format!("corpus/{target}")).unwrap() {
            let path = entry.unwrap().path();
            println!("{}", path.display()); // Shown if it fails.
            check(&fs::read(path).unwrap());
            count += 1;
        }
        assert!(count > 0, "there is nothing in corpus/{target}");
    }
}
