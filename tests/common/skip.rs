//! The skip of tests that need an adapter, on request only.

/// The opened device; `None` without an adapter if `GPU_INIT_SKIP_GPU_TESTS=1` allows the skip.
pub fn or_skip<T>(opened: Result<T, gpu_init::Error>) -> Option<T> {
    match opened {
        Ok(opened) => Some(opened),
        Err(error)
            if matches!(error.kind(), gpu_init::ErrorKind::NoAdapter { .. })
                && std::env::var("GPU_INIT_SKIP_GPU_TESTS").is_ok_and(|value| value == "1") =>
        {
            eprintln!("skipped because GPU_INIT_SKIP_GPU_TESTS=1: {error}");
            None
        }
        Err(error) => {
            panic!("{error}\nGPU_INIT_SKIP_GPU_TESTS=1 skips the tests that need an adapter")
        }
    }
}
