//! Pinned values: a change of any of them requires a new version of the stream.

use gpu_init::{Cpu, DType, Initializer, Layout, TensorSpec};

/// Initializer, dtype, bits of the first eight elements, and fingerprint of a [96, 50] tensor with
/// seed 42 and name "w"; of a [48, 25, 4] tensor for initializers of convolutions.
const PINNED: &str = "\
xavier_normal F32 bd2c8472 bda9047f 3d42cbb7 3dab0f27 be15b058 bd07a594 3d0b4c9d be9c0bb6 482a73e32dff714d
xavier_normal F16 a964 ad48 2a16 2d58 b0ae a83d 285a b4e0 9a54441297c62437
xavier_normal BF16 bd2d bda9 3d43 3dab be16 bd08 3d0b be9c adc6a631c6dbc22c
xavier_uniform F32 be1e5736 3e3067b6 bb892b44 bd8b2eff be2dfbac 3db224f4 bd081fb6 3dde45ac d807d4c87ebb5d16
xavier_uniform F16 b0f3 3183 9c49 ac59 b170 2d91 a841 2ef2 7f7f882922fb3e91
xavier_uniform BF16 be1e 3e30 bb89 bd8b be2e 3db2 bd08 3dde 5d6e89cfe5c45cc9
xavier_normal(gain=2, mean=0.5) F32 3ed4dee4 3eab7dc0 3f185977 3f2ac3ca 3e549f50 3ede169b 3f116994 bde05db0 8ba6859ba3a204ac
xavier_normal(gain=2, mean=0.5) F16 36a7 355c 38c3 3956 32a5 36f1 388b af03 0fba95d050d4dce4
xavier_normal(gain=2, mean=0.5) BF16 3ed5 3eab 3f18 3f2b 3e55 3ede 3f11 bde0 87e41db2895ce72b
normal(std=0.02) F32 bbebd698 bc670dcc 3c052599 3c69d84a bccca177 bbb96f47 3bbe6d82 bd555225 c1c6ddfc61289601
normal(std=0.02) F16 9f5f a338 2029 234f a665 9dcb 1df3 aaab aa14b72ec54f8ee1
normal(std=0.02) BF16 bbec bc67 3c05 3c6a bccd bbb9 3bbe bd55 70ebf58ceed94f56
uniform(a=-3) F32 c021a26e 3f3317ca bf854947 bfd5d271 c02b47a0 be113c18 bfa9f7bb 3d90e290 ec6aaff289703d68
uniform(a=-3) F16 c10d 3999 bc2a beaf c15a b08a bd50 2c87 c8ba84a3432f5562
uniform(a=-3) BF16 c022 3f33 bf85 bfd6 c02b be11 bfaa 3d91 4a295a9b1207a7af
constant(val=0.3) F32 3e99999a 3e99999a 3e99999a 3e99999a 3e99999a 3e99999a 3e99999a 3e99999a d1e48d1f9bd7e855
constant(val=0.3) F16 34cd 34cd 34cd 34cd 34cd 34cd 34cd 34cd 2d14b015e0a3ae0a
constant(val=0.3) BF16 3e9a 3e9a 3e9a 3e9a 3e9a 3e9a 3e9a 3e9a 7fae691a575b8de2
truncated_normal(std=0.02) F32 bcc1a60f 3b783b25 ba07b388 bc0e005e bce52d66 3c818ed7 bb879d46 3c4b1ac1 e57ab195affeab74
truncated_normal(std=0.02) F16 a60d 1bc2 903e a070 a729 240c 9c3d 2259 6102772cec85a175
truncated_normal(std=0.02) BF16 bcc2 3b78 ba08 bc0e bce5 3c82 bb88 3c4b 08ea2b316b80d54b
truncated_normal(mean=0.1, a=-0.3, b=0.2) F32 be738f26 bc08783c bd4ed38a be03fd2c be83cf19 3dc237a2 bdb0404d 3d8cf07c c6a7b84ec07e523c
truncated_normal(mean=0.1, a=-0.3, b=0.2) F16 b39c a044 aa77 b020 b41e 2e12 ad82 2c68 f240442f999fc5ef
truncated_normal(mean=0.1, a=-0.3, b=0.2) BF16 be74 bc08 bd4f be04 be84 3dc2 bdb0 3d8d 5bc1e9dc871fe148
truncated_normal(a=5, b=6) F32 40a0c640 40a52c93 40a414e3 40a276ed 40a084a2 40a92c96 40a34b0b 40a7e45b a220b35b516b261b
truncated_normal(a=5, b=6) F16 4506 4529 4521 4514 4504 4549 451a 453f 6b4c57ce2f786169
truncated_normal(a=5, b=6) BF16 40a1 40a5 40a4 40a2 40a1 40a9 40a3 40a8 35d7419feb2afad8
truncated_normal_sigma(std=0.02) F32 bcb3ff31 3b6ccf4c ba01868a bc0726a0 bcd1f6ca 3c74c734 bb815c72 3c40af69 1f6542ade5cda5b9
truncated_normal_sigma(std=0.02) F16 a5a0 1b66 900c a039 a690 23a6 9c0b 2205 581b682b532e483a
truncated_normal_sigma(std=0.02) BF16 bcb4 3b6d ba02 bc07 bcd2 3c75 bb81 3c41 3754043c59c1a53c
variance_scaling F32 be34de3d 3cedf4bd bb82270a bd87ce1a be52faf8 3df5f686 bd01fcbe 3dc19e2e fa53ff4732dc00e2
variance_scaling F16 b1a7 2770 9c11 ac3e b298 2fb0 a810 2e0d 2f13c41f4af54213
variance_scaling BF16 be35 3cee bb82 bd88 be53 3df6 bd02 3dc2 2c410bc20bf1a171
variance_scaling(scale=3, mode=fan_geo_avg, distribution=uniform) F32 be8cc225 3e9cd123 bbf3e012 bdf774fe be9aa9f2 3e1e5cf0 bd720461 3e459742 a2c8faad238ad2b7
variance_scaling(scale=3, mode=fan_geo_avg, distribution=uniform) F16 b466 34e7 9f9f afbc b4d5 30f3 ab90 322d 1b21316f6284c916
variance_scaling(scale=3, mode=fan_geo_avg, distribution=uniform) BF16 be8d 3e9d bbf4 bdf7 be9b 3e1e bd72 3e46 e6e3f4b359ab2a2e
kaiming_normal F32 bd93661f be1068a0 3da66eff 3e12272e be7fc9d4 bd67cb18 3d6e08e3 bf055357 1ffc5428442f5c4e
kaiming_normal F16 ac9b b083 2d33 3091 b3fe ab3e 2b70 b82b 617deabe817f5428
kaiming_normal BF16 bd93 be10 3da6 3e12 be80 bd68 3d6e bf05 5d634e7d13055f41
kaiming_uniform(a=0.2, mode=fan_out) F32 be3f7a1d 3e555265 bba5dfed bda84f95 be526499 3dd76cd1 bd249c61 3e0664d0 45ebea12466d1b6f
kaiming_uniform(a=0.2, mode=fan_out) F16 b1fc 32ab 9d2f ad42 b293 2ebb a925 3033 93fe47e1e03a05d7
kaiming_uniform(a=0.2, mode=fan_out) BF16 be3f 3e55 bba6 bda8 be52 3dd7 bd25 3e06 4075fdb24997dc80
glorot_normal F32 be15b001 3cc4ef0d bb576e14 bd60c943 be2e9bcb 3dcb8f77 bcd7280e 3da03d43 f3a60bdb91e9dc19
glorot_normal F16 b0ae 2627 9abb ab06 b175 2e5c a6b9 2d02 fd5421b2c3410522
glorot_normal BF16 be16 3cc5 bb57 bd61 be2f 3dcc bcd7 3da0 55a6f62867cad326
glorot_uniform F32 be1e5736 3e3067b6 bb892b44 bd8b2eff be2dfbac 3db224f4 bd081fb6 3dde45ac d807d4c87ebb5d16
glorot_uniform F16 b0f3 3183 9c49 ac59 b170 2d91 a841 2ef2 7f7f882922fb3e91
glorot_uniform BF16 be1e 3e30 bb89 bd8b be2e 3db2 bd08 3dde 5d6e89cfe5c45cc9
he_normal F32 be7fc942 3d2842a4 bbb81040 bdc00eb2 be952f85 3e2dec0e bd37d46c 3e08e894 26d94133f050acb1
he_normal F16 b3fe 2942 9dc1 ae00 b4a9 316f a9bf 3047 7014d9a6b68f1d49
he_normal BF16 be80 3d28 bbb8 bdc0 be95 3e2e bd38 3e09 6ec0935a63d2a285
he_uniform F32 be87494d 3e96b87a bbea64fe bdedd646 be94a6b6 3e1834e4 bd689bcc 3e3de8cf 6901eb8c0239f5ba
he_uniform F16 b43a 34b6 9f53 af6f b4a5 30c2 ab45 31ef d6dfa6ffba5362a1
he_uniform BF16 be87 3e97 bbea bdee be95 3e18 bd69 3e3e f1113cc38d209215
lecun_normal F32 be34de3d 3cedf4bd bb82270a bd87ce1a be52faf8 3df5f686 bd01fcbe 3dc19e2e fa53ff4732dc00e2
lecun_normal F16 b1a7 2770 9c11 ac3e b298 2fb0 a810 2e0d 2f13c41f4af54213
lecun_normal BF16 be35 3cee bb82 bd88 be53 3df6 bd02 3dc2 2c410bc20bf1a171
lecun_uniform F32 be3f52e2 3e5526b0 bba5bdf0 bda82d18 be52397d 3dd740ad bd247aa7 3e064946 e3c128db3f3f00bf
lecun_uniform F16 b1fb 32a9 9d2e ad41 b292 2eba a924 3032 f888613fa171d212
lecun_uniform BF16 be3f 3e55 bba6 bda8 be52 3dd7 bd24 3e06 6e6de8c5d44515fb
eye(gain=0.7) F32 3f333333 00000000 00000000 00000000 00000000 00000000 00000000 00000000 2311e4aeef3270e8
eye(gain=0.7) F16 399a 0000 0000 0000 0000 0000 0000 0000 cbdb6799d6004dcd
eye(gain=0.7) BF16 3f33 0000 0000 0000 0000 0000 0000 0000 b522e91370c828f9
dirac(groups=3) F32 00000000 00000000 3f800000 00000000 00000000 00000000 00000000 00000000 fe733adc731ca1a5
dirac(groups=3) F16 0000 0000 3c00 0000 0000 0000 0000 0000 c99ae5790ce88dda
dirac(groups=3) BF16 0000 0000 3f80 0000 0000 0000 0000 0000 5da6f819b0ed79b1
orthogonal F32 bd12fe20 be0d8dc3 bd230786 be49ca4b 3dee98ce 3ad0594b 3d14d6e6 3d293996 96ce7289188faa9e
orthogonal F16 a898 b06c a918 b24e 2f75 1683 28a7 294a 52008b45e404c0b6
orthogonal BF16 bd13 be0e bd23 be4a 3def 3ad0 3d15 3d29 1954874e2676a847
delta_orthogonal(gain=0.7) F32 00000000 bd24a370 00000000 00000000 00000000 be2620ef 00000000 00000000 6310fde55b2ec818
delta_orthogonal(gain=0.7) F16 0000 a925 0000 0000 0000 b131 0000 0000 d3269b08b404f4b9
delta_orthogonal(gain=0.7) BF16 0000 bd25 0000 0000 0000 be26 0000 0000 d2c9ccf7c7083d8c
sparse(sparsity=0.3) F32 bb6bd698 00000000 00000000 00000000 00000000 bb396f47 00000000 bcd55225 5a7b2cf702d5d1c6
sparse(sparsity=0.3) F16 9b5f 0000 0000 0000 0000 99cb 0000 a6ab f8230ea3fbd6d708
sparse(sparsity=0.3) BF16 bb6c 0000 0000 0000 0000 bb39 0000 bcd5 50ee19d88cc777de
arange(start=-3, step=0.1) F32 c0400000 c039999a c0333333 c02ccccd c0266666 c0200000 c019999a c0133333 6d52d5cbee6338c9
arange(start=-3, step=0.1) F16 c200 c1cd c19a c166 c133 c100 c0cd c09a 9a4d65dd9cbe982f
arange(start=-3, step=0.1) BF16 c040 c03a c033 c02d c026 c020 c01a c013 cf742a5c0f1ca335
log_arange F32 00000000 3f317218 3f8c9f54 3fb17218 3fce0210 3fe55860 3ff91395 40051592 e22c7085935c99ab
log_arange F16 0000 398c 3c65 3d8c 3e70 3f2b 3fc9 4029 1dab36fcee7623f2
log_arange BF16 0000 3f31 3f8d 3fb1 3fce 3fe5 3ff9 4005 eb11888994c886ee
log_uniform F32 3ae2543f 3d90eae1 3c1c3b73 3b976db0 3abe46f3 3cdc06ba 3be0a75a 3d0c84a3 707c583f7fc8ad59
log_uniform F16 1713 2c87 20e2 1cbb 15f2 26e0 1f05 2864 134ed2e9e6eef58c
log_uniform BF16 3ae2 3d91 3c1c 3b97 3abe 3cdc 3be1 3d0d 255e8df4c961b358
inverse_softplus_log_uniform F32 c0cb8a6f c0273930 c094bbf8 c0abfe39 c0d118f1 c066a323 c09f55c0 c056bc0d 000894ae21b7d883
inverse_softplus_log_uniform F16 c65c c13a c4a6 c560 c689 c335 c4fb c2b6 905b765956ad4ae2
inverse_softplus_log_uniform BF16 c0cc c027 c095 c0ac c0d1 c067 c09f c057 9a81a22f543ebe6e
sinusoidal F32 00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000000 0c1388b2a42822e7
sinusoidal F16 0000 0000 0000 0000 0000 0000 0000 0000 f06c96e57fba46c2
sinusoidal BF16 0000 0000 0000 0000 0000 0000 0000 0000 99c009c4f57e4071
sinusoidal_2d(base=100) F32 00000000 00000000 00000000 00000000 00000000 00000000 00000000 00000000 b67a60b179a94653
sinusoidal_2d(base=100) F16 0000 0000 0000 0000 0000 0000 0000 0000 29bd2a2ef75ba7b6
sinusoidal_2d(base=100) BF16 0000 0000 0000 0000 0000 0000 0000 0000 51393601c9aac69f
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
    assert_eq!(Cpu::new().fill(&conv).unwrap().fingerprint().to_string(), "c44da5190037d4d1");
    let far = TensorSpec::new([1 << 21, 1 << 21], Initializer::xavier_uniform())
        .name("far")
        .elements((1 << 40) + 1..(1 << 40) + 1002);
    assert_eq!(Cpu::new().fill(&far).unwrap().fingerprint().to_string(), "41a01186775b73a4");
}

#[test]
fn pinned_streams() {
    for (name, stream) in
        [("", 0x141cfc9842c4b0e3), ("w", 0x003f019ce421e750), ("größe", 0xffaf671b67a253d3)]
    {
        assert_eq!(gpu_init::stream_of(name), stream, "{name:?}");
    }
}
