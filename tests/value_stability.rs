//! Pinned values: a change of any of them is a new version of the stream, never a fix in passing.

use gpu_init::{Cpu, DType, Initializer, Layout, Parameter};

/// Initializer, dtype, first eight elements' bits, fingerprint: of a [96, 50] tensor, seed 42, name "w".
const PINNED: &str = "\
xavier_normal F32 bdcdf782 be6107fb 3e0dd30f bc9f9cb8 be25a88c 3e539dee be1e24b0 bbdc0ace 61e8b932aa15d6a1
xavier_normal F16 ae70 b308 306f a4fd b12d 329d b0f1 9ee0 56959fe68b10445d
xavier_normal BF16 bdce be61 3e0e bca0 be26 3e54 be1e bbdc c7eb8ecace8e8df1
xavier_uniform F32 be1e5736 3e3067b6 bb892b44 bd8b2eff be2dfbac 3db224f4 bd081fb6 3dde45ac ba77c918cd4efeb0
xavier_uniform F16 b0f3 3183 9c49 ac59 b170 2d91 a841 2ef2 97f677d22a9a099d
xavier_uniform BF16 be1e 3e30 bb89 bd8b be2e 3db2 bd08 3dde b67f5fca66743a76
xavier_normal(gain=2, mean=0.5) F32 3e99043f 3d77c028 3f46e988 3eec0c69 3e34aee8 3f69cef7 3e43b6a0 3ef91faa 469e667274951248
xavier_normal(gain=2, mean=0.5) F16 34c8 2bbe 3a37 3760 31a5 3b4e 321e 37c9 721c1e81abe995df
xavier_normal(gain=2, mean=0.5) BF16 3e99 3d78 3f47 3eec 3e35 3f6a 3e44 3ef9 592efd2da7bce94f
normal(std=0.02) F32 bc8cc852 bd19d039 3cc1e138 bb5a3243 bce27633 3d10a4fa bcd83036 ba96673f d0ece3323df3d36e
normal(std=0.02) F16 a466 a8cf 260f 9ad2 a714 2885 a6c2 94b3 5e83ed6016dd2f0f
normal(std=0.02) BF16 bc8d bd1a 3cc2 bb5a bce2 3d11 bcd8 ba96 56f3284374b033c8
uniform(a=-3) F32 c021a26e 3f3317ca bf854947 bfd5d271 c02b47a0 be113c18 bfa9f7bb 3d90e290 5434aa767bb1049d
uniform(a=-3) F16 c10d 3999 bc2a beaf c15a b08a bd50 2c87 e99c20a4c536aaba
uniform(a=-3) BF16 c022 3f33 bf85 bfd6 c02b be11 bfaa 3d91 8c5734aa60984b96
constant(val=0.3) F32 3e99999a 3e99999a 3e99999a 3e99999a 3e99999a 3e99999a 3e99999a 3e99999a 21b40b0622ab31e8
constant(val=0.3) F16 34cd 34cd 34cd 34cd 34cd 34cd 34cd 34cd 02d9ba001ddcb64e
constant(val=0.3) BF16 3e9a 3e9a 3e9a 3e9a 3e9a 3e9a 3e9a 3e9a b68dd7266a7c480b
truncated_normal(std=0.02) F32 bcc1a60f 3b783b25 ba07b388 bc0e005e bce52d66 3c818ed7 bb879d46 3c4b1ac1 f3562a9722df67cc
truncated_normal(std=0.02) F16 a60d 1bc2 903e a070 a729 240c 9c3d 2259 93997df25b6b5f2f
truncated_normal(std=0.02) BF16 bcc2 3b78 ba08 bc0e bce5 3c82 bb88 3c4b 4e9e6245ac66691b
truncated_normal(mean=0.1, a=-0.3, b=0.2) F32 be738f26 bc08783c bd4ed38a be03fd2c be83cf19 3dc237a2 bdb0404d 3d8cf07c 52a7c5a1b959bd61
truncated_normal(mean=0.1, a=-0.3, b=0.2) F16 b39c a044 aa77 b020 b41e 2e12 ad82 2c68 e0e635908e45700b
truncated_normal(mean=0.1, a=-0.3, b=0.2) BF16 be74 bc08 bd4f be04 be84 3dc2 bdb0 3d8d 14950bc6eb2692cf
truncated_normal(a=5, b=6) F32 40a0c640 40a52c93 40a414e3 40a276ed 40a084a2 40a92c96 40a34b0b 40a7e45b 1a5b25942c26eee0
truncated_normal(a=5, b=6) F16 4506 4529 4521 4514 4504 4549 451a 453f 0c3043646dba85ee
truncated_normal(a=5, b=6) BF16 40a1 40a5 40a4 40a2 40a1 40a9 40a3 40a8 c51108869c561fc0
";

#[test]
fn pinned_values() {
    let mut actual = String::new();
    for text in [
        "xavier_normal",
        "xavier_uniform",
        "xavier_normal(gain=2, mean=0.5)",
        "normal(std=0.02)",
        "uniform(a=-3)",
        "constant(val=0.3)",
        "truncated_normal(std=0.02)",
        "truncated_normal(mean=0.1, a=-0.3, b=0.2)",
        "truncated_normal(a=5, b=6)",
    ] {
        for dtype in DType::ALL {
            let initializer: Initializer = text.parse().unwrap();
            let tensor =
                Cpu::with_seed(42).fill(&Parameter::new([96, 50], initializer).name("w").dtype(dtype)).unwrap();
            let size = dtype.size() as usize;
            let bits = |bytes: &[u8]| bytes.iter().rev().map(|byte| format!("{byte:02x}")).collect::<String>();
            let first: Vec<String> = tensor.as_bytes().chunks(size).take(8).map(bits).collect();
            actual += &format!("{initializer} {dtype} {} {}\n", first.join(" "), tensor.fingerprint());
        }
    }
    assert_eq!(actual, PINNED, "\n{actual}");
}

/// Layouts change the fans of a convolution, and so its scale; a range far into a tensor stays where it is.
#[test]
fn pinned_layout_and_range() {
    let conv = Parameter::xavier_normal([3, 3, 16, 32]).layout(Layout::KernelInOut).name("conv");
    assert_eq!(Cpu::new().fill(&conv).unwrap().fingerprint().to_string(), "576dbb267b6a1669");
    let far = Parameter::xavier_uniform([1 << 21, 1 << 21]).name("far").elements((1 << 40) + 1..(1 << 40) + 1002);
    assert_eq!(Cpu::new().fill(&far).unwrap().fingerprint().to_string(), "ae666786ca29ff45");
}

#[test]
fn pinned_streams() {
    for (name, stream) in [("", 0x141cfc9842c4b0e3), ("w", 0x003f019ce421e750), ("größe", 0xffaf671b67a253d3)] {
        assert_eq!(gpu_init::stream_of(name), stream, "{name:?}");
    }
}
