#[allow(dead_code, reason = "each test file uses its own part")]
pub mod schemes;
#[allow(dead_code, reason = "each test file uses its own part")]
pub mod statistics;
