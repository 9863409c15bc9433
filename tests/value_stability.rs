//! Pinned values: a change of any of them requires a new version of the stream.

use gpu_init::{Cpu, DType, Initializer, Layout, TensorSpec};

/// Initializer, dtype, bits of the first eight elements, and fingerprint of a [96, 50] tensor with
/// seed 42 and name "w"; of a [48, 25, 4] tensor for initializers of convolutions.
const PINNED: &str = "\
xavier_normal F32 3bdd61ac bdbd4055 bd3ec57c 3dac3077 be0368ac 3d9e997f be49f093 be707cc9 c407dabcff5dd11a
xavier_normal F16 1eeb adea a9f6 2d62 b01b 2cf5 b250 b384 52f915f813c3f88e
xavier_normal BF16 3bdd bdbd bd3f 3dac be03 3d9f be4a be70 825c2d8a427f8c7c
xavier_uniform F32 be1e5736 3e3067b6 bb892b44 bd8b2eff be2dfbac 3db224f4 bd081fb6 3dde45ac ba77c918cd4efeb0
xavier_uniform F16 b0f3 3183 9c49 ac59 b170 2d91 a841 2ef2 97f677d22a9a099d
xavier_uniform BF16 be1e 3e30 bb89 bd8b be2e 3db2 bd08 3dde b67f5fca66743a76
xavier_normal(gain=2, mean=0.5) F32 3f037587 3ea15fd6 3ed04ea1 3f2b0c1e 3e792ea8 3f27a660 3dd83db4 3cf83370 1fa4bb521ba7203b
xavier_normal(gain=2, mean=0.5) F16 381c 350b 3682 3958 33c9 393d 2ec2 27c2 2f7ab78229f9775b
xavier_normal(gain=2, mean=0.5) BF16 3f03 3ea1 3ed0 3f2b 3e79 3f28 3dd8 3cf8 511cea5497504b46
normal(std=0.02) F32 3a97519c bc815b6c bc02656a 3c6b63c9 bcb3a429 3c58cfe5 bd0a07a8 bd2460c8 fb11e40b1ce3034b
normal(std=0.02) F16 14bb a40b a013 235b a59d 22c6 a850 a923 e76b78d6adbb25f4
normal(std=0.02) BF16 3a97 bc81 bc02 3c6b bcb4 3c59 bd0a bd24 08146ff31e122ff3
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
truncated_normal_sigma(std=0.02) F32 bcb3ff31 3b6ccf4c ba01868a bc0726a0 bcd1f6ca 3c74c734 bb815c72 3c40af69 c4b9a4584cac6537
truncated_normal_sigma(std=0.02) F16 a5a0 1b66 900c a039 a690 23a6 9c0b 2205 77ed4eda5a4fff04
truncated_normal_sigma(std=0.02) BF16 bcb4 3b6d ba02 bc07 bcd2 3c75 bb81 3c41 10b7492e81930370
variance_scaling F32 be34de3d 3cedf4bd bb82270a bd87ce1a be52faf8 3df5f686 bd01fcbe 3dc19e2e 745a958e647b6202
variance_scaling F16 b1a7 2770 9c11 ac3e b298 2fb0 a810 2e0d 1dbe65f5f038b277
variance_scaling BF16 be35 3cee bb82 bd88 be53 3df6 bd02 3dc2 67b43a6e6d253209
variance_scaling(scale=3, mode=fan_geo_avg, distribution=uniform) F32 be8cc225 3e9cd123 bbf3e012 bdf774fe be9aa9f2 3e1e5cf0 bd720461 3e459742 129a26e8066fad3d
variance_scaling(scale=3, mode=fan_geo_avg, distribution=uniform) F16 b466 34e7 9f9f afbc b4d5 30f3 ab90 322d 7b774186ffebee11
variance_scaling(scale=3, mode=fan_geo_avg, distribution=uniform) BF16 be8d 3e9d bbf4 bdf7 be9b 3e1e bd72 3e46 dea0f8c558f356a3
kaiming_normal F32 3c3d2603 be21b247 bda2fec4 3e131e5e be608d34 3e0781ef beac8993 becd78fa 6fc3fe07a74c9f3d
kaiming_normal F16 21e9 b10e ad18 3099 b304 303c b564 b66c c82dd1277ea6cdd3
kaiming_normal BF16 3c3d be22 bda3 3e13 be61 3e08 bead becd 910c606f91f8730b
kaiming_uniform(a=0.2, mode=fan_out) F32 be3f7a1d 3e555265 bba5dfed bda84f95 be526499 3dd76cd1 bd249c61 3e0664d0 be36e560f1680789
kaiming_uniform(a=0.2, mode=fan_out) F16 b1fc 32ab 9d2f ad42 b293 2ebb a925 3033 f16603daba004c89
kaiming_uniform(a=0.2, mode=fan_out) BF16 be3f 3e55 bba6 bda8 be52 3dd7 bd25 3e06 09918690a4143f9e
glorot_normal F32 be15b001 3cc4ef0d bb576e14 bd60c943 be2e9bcb 3dcb8f77 bcd7280e 3da03d43 a82fb2f439ddc03e
glorot_normal F16 b0ae 2627 9abb ab06 b175 2e5c a6b9 2d02 be0eb20baebd8b36
glorot_normal BF16 be16 3cc5 bb57 bd61 be2f 3dcc bcd7 3da0 a3cbbcaba495ef31
glorot_uniform F32 be1e5736 3e3067b6 bb892b44 bd8b2eff be2dfbac 3db224f4 bd081fb6 3dde45ac ba77c918cd4efeb0
glorot_uniform F16 b0f3 3183 9c49 ac59 b170 2d91 a841 2ef2 97f677d22a9a099d
glorot_uniform BF16 be1e 3e30 bb89 bd8b be2e 3db2 bd08 3dde b67f5fca66743a76
he_normal F32 be7fc942 3d2842a4 bbb81040 bdc00eb2 be952f85 3e2dec0e bd37d46c 3e08e894 955171e128e52413
he_normal F16 b3fe 2942 9dc1 ae00 b4a9 316f a9bf 3047 fe3eb76e4fa8300f
he_normal BF16 be80 3d28 bbb8 bdc0 be95 3e2e bd38 3e09 83383c4c8ee16f49
he_uniform F32 be87494d 3e96b87a bbea64fe bdedd646 be94a6b6 3e1834e4 bd689bcc 3e3de8cf a5e2dabdada730f0
he_uniform F16 b43a 34b6 9f53 af6f b4a5 30c2 ab45 31ef 2ef2efc8825511fc
he_uniform BF16 be87 3e97 bbea bdee be95 3e18 bd69 3e3e 34152705db912723
lecun_normal F32 be34de3d 3cedf4bd bb82270a bd87ce1a be52faf8 3df5f686 bd01fcbe 3dc19e2e 745a958e647b6202
lecun_normal F16 b1a7 2770 9c11 ac3e b298 2fb0 a810 2e0d 1dbe65f5f038b277
lecun_normal BF16 be35 3cee bb82 bd88 be53 3df6 bd02 3dc2 67b43a6e6d253209
lecun_uniform F32 be3f52e2 3e5526b0 bba5bdf0 bda82d18 be52397d 3dd740ad bd247aa7 3e064946 9c601639f03467d0
lecun_uniform F16 b1fb 32a9 9d2e ad41 b292 2eba a924 3032 83ea4c3db17be61b
lecun_uniform BF16 be3f 3e55 bba6 bda8 be52 3dd7 bd24 3e06 35879090f2d463bc
eye(gain=0.7) F32 3f333333 00000000 00000000 00000000 00000000 00000000 00000000 00000000 7ea4bb4b1c51baf1
eye(gain=0.7) F16 399a 0000 0000 0000 0000 0000 0000 0000 f824e2f2023259df
eye(gain=0.7) BF16 3f33 0000 0000 0000 0000 0000 0000 0000 28a12a8a9a59bcf8
dirac(groups=3) F32 00000000 00000000 3f800000 00000000 00000000 00000000 00000000 00000000 374f89b6f501d8dd
dirac(groups=3) F16 0000 0000 3c00 0000 0000 0000 0000 0000 905f038ccf0e2ed3
dirac(groups=3) BF16 0000 0000 3f80 0000 0000 0000 0000 0000 31a03c41d94556fd
orthogonal F32 3bbca000 3df7d000 3d362829 3e866713 bd887563 bdd2846e bdcdc35c 3d3e5342 340d0439a4b3930c
orthogonal F16 1de5 2fbe 29b1 3433 ac44 ae94 ae6e 29f3 8bd8810b0eae3a97
orthogonal BF16 3bbd 3df8 3d36 3e86 bd88 bdd3 bdce 3d3e 032aff45fb0fa2d0
delta_orthogonal(gain=0.7) F32 00000000 3bd34580 00000000 00000000 00000000 3e1c6b54 00000000 00000000 b818274f4f3371c3
delta_orthogonal(gain=0.7) F16 0000 1e9a 0000 0000 0000 30e3 0000 0000 cd143ebb6162f3bf
delta_orthogonal(gain=0.7) BF16 0000 3bd3 0000 0000 0000 3e1c 0000 0000 9afc452cc078c998
sparse(sparsity=0.3) F32 3a17519c 00000000 00000000 00000000 00000000 3bd8cfe5 00000000 bca460c8 4169214169675b23
sparse(sparsity=0.3) F16 10bb 0000 0000 0000 0000 1ec6 0000 a523 13cedd311a5586bd
sparse(sparsity=0.3) BF16 3a17 0000 0000 0000 0000 3bd9 0000 bca4 3b9815670197f49a
arange(start=-3, step=0.1) F32 c0400000 c039999a c0333333 c02ccccd c0266666 c0200000 c019999a c0133333 7e03af2300b80eaa
arange(start=-3, step=0.1) F16 c200 c1cd c19a c166 c133 c100 c0cd c09a 426d58a811d6e3a2
arange(start=-3, step=0.1) BF16 c040 c03a c033 c02d c026 c020 c01a c013 3af4112f3601db7a
log_arange F32 00000000 3f317218 3f8c9f54 3fb17218 3fce0210 3fe55860 3ff91395 40051592 88f4caf18180ddf4
log_arange F16 0000 398c 3c65 3d8c 3e70 3f2b 3fc9 4029 765843776ffefe5b
log_arange BF16 0000 3f31 3f8d 3fb1 3fce 3fe5 3ff9 4005 f62e9088ad8f7ca5
log_uniform F32 3ae2543f 3d90eae1 3c1c3b73 3b976db0 3abe46f3 3cdc06ba 3be0a75a 3d0c84a3 e15a87bce69720fa
log_uniform F16 1713 2c87 20e2 1cbb 15f2 26e0 1f05 2864 e79f3974e942c2e5
log_uniform BF16 3ae2 3d91 3c1c 3b97 3abe 3cdc 3be1 3d0d efa1922e3480fc63
inverse_softplus_log_uniform F32 c0cb8a6f c0273930 c094bbf8 c0abfe39 c0d118f1 c066a323 c09f55c0 c056bc0d ca57cf81c04d59b1
inverse_softplus_log_uniform F16 c65c c13a c4a6 c560 c689 c335 c4fb c2b6 3c5f160de534b20b
inverse_softplus_log_uniform BF16 c0cc c027 c095 c0ac c0d1 c067 c09f c057 57e8e00fb9a49309
sinusoidal F32 00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000000 d0f58811262b576d
sinusoidal F16 0000 0000 0000 0000 0000 0000 0000 0000 d6f886312d45705f
sinusoidal BF16 0000 0000 0000 0000 0000 0000 0000 0000 c76abb0415850c45
sinusoidal_2d(base=100) F32 00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000000 b2cada98f90972cc
sinusoidal_2d(base=100) F16 0000 0000 0000 0000 0000 0000 0000 0000 0b8224391337e396
sinusoidal_2d(base=100) BF16 0000 0000 0000 0000 0000 0000 0000 0000 0f92d90eba88828e
";

#[test]
fn pinned_values() {
    let mut actual = String::new();
    let texts = [
        "xavier_normal",
        "xavier_uniform",
        "xavier_normal(gain=2, mean=0.5)",
        "normal(std=0.02)",
        "uniform(a=-3)",
        "constant(val=0.3)",
        "truncated_normal(std=0.02)",
        "truncated_normal(mean=0.1, a=-0.3, b=0.2)",
        "truncated_normal(a=5, b=6)",
        "truncated_normal_sigma(std=0.02)",
        "variance_scaling",
        "variance_scaling(scale=3, mode=fan_geo_avg, distribution=uniform)",
        "kaiming_normal",
        "kaiming_uniform(a=0.2, mode=fan_out)",
        "glorot_normal",
        "glorot_uniform",
        "he_normal",
        "he_uniform",
        "lecun_normal",
        "lecun_uniform",
        "eye(gain=0.7)",
        "dirac(groups=3)",
        "orthogonal",
        "delta_orthogonal(gain=0.7)",
        "sparse(sparsity=0.3)",
        "arange(start=-3, step=0.1)",
        "log_arange",
        "log_uniform",
        "inverse_softplus_log_uniform",
        "sinusoidal",
        "sinusoidal_2d(base=100)",
    ];
    for scheme in Initializer::ALL {
        let pinned =
            texts.iter().any(|text| text.parse::<Initializer>().unwrap().name() == scheme.name());
        assert!(pinned, "{} has no pinned values", scheme.name());
    }
    for text in texts {
        for dtype in DType::SAMPLED {
            let initializer: Initializer = text.parse().unwrap();
            let shape: &[usize] = match initializer {
                Initializer::Dirac { .. } | Initializer::DeltaOrthogonal { .. } => &[48, 25, 4],
                Initializer::Sinusoidal2d { .. } => &[2, 49, 48],
                _ => &[96, 50],
            };
            let tensor = Cpu::with_seed(42)
                .fill(&TensorSpec::new(shape, initializer).name("w").dtype(dtype))
                .unwrap();
            let size = dtype.size() as usize;
            let bits = |bytes: &[u8]| {
                bytes.iter().rev().map(|byte| format!("{byte:02x}")).collect::<String>()
            };
            let first: Vec<String> = tensor.as_bytes().chunks(size).take(8).map(bits).collect();
            actual +=
                &format!("{initializer} {dtype} {} {}\n", first.join(" "), tensor.fingerprint());
        }
    }
    assert_eq!(actual, PINNED, "\n{actual}");
}

/// A layout, which changes the fans of a convolution, and a range far into a tensor.
#[test]
fn pinned_layout_and_range() {
    let conv = TensorSpec::new([3, 3, 16, 32], Initializer::xavier_normal())
        .layout(Layout::KernelInOut)
        .name("conv");
    assert_eq!(Cpu::new().fill(&conv).unwrap().fingerprint().to_string(), "61fb966528270f3f");
    let far = TensorSpec::new([1 << 21, 1 << 21], Initializer::xavier_uniform())
        .name("far")
        .elements((1 << 40) + 1..(1 << 40) + 1002);
    assert_eq!(Cpu::new().fill(&far).unwrap().fingerprint().to_string(), "ae666786ca29ff45");
}

#[test]
fn pinned_streams() {
    for (name, stream) in
        [("", 0x141cfc9842c4b0e3), ("w", 0x003f019ce421e750), ("größe", 0xffaf671b67a253d3)]
    {
        assert_eq!(gpu_init::stream_of(name), stream, "{name:?}");
    }
}
