// How an element is stored. Twin: `DType` in src/dtype.rs.

const F32: u32 = 0u;
const F16: u32 = 1u;
const BF16: u32 = 2u;
override DTYPE: u32 = F32;
