//! The statistics' functions against reference values.

use crate::assert_close;
use crate::common::statistics;

/// The functions behind the p-values against values computed with 100 digits, to a relative 1e-12.
#[test]
fn statistics_agree_with_reference_values() {
    for (x, expected) in [
        (0.1, 0.887_537_083_981_715_2),
        (0.5, 0.479_500_122_186_953_5),
        (1.0, 0.157_299_207_050_285_13),
        (2.0, 4.677_734_981_047_266e-3),
        (2.4, 6.885_138_966_450_786e-4),
        (2.6, 2.360_344_165_293_492e-4),
        (3.0, 2.209_049_699_858_544e-5),
        (5.0, 1.537_459_794_428_035e-12),
        (10.0, 2.088_487_583_762_545e-45),
        (26.0, 5.663_192_408_856_143e-296),
    ] {
        assert_close(statistics::erfc(x), expected, 1e-12);
        assert_close(statistics::erfc(-x), 2.0 - expected, 1e-15);
    }
    assert_eq!(statistics::normal_cdf(0.0), 0.5);
    assert_close(statistics::normal_tail(3.0), 1.349_898_031_630_094_5e-3, 1e-12);
    assert_close(statistics::normal_quantile(0.975), 1.959_963_984_540_054, 1e-12);

    for (x, expected) in [
        (0.5, 0.572_364_942_924_700_1),
        (1.5, -0.120_782_237_635_245_22),
        (10.0, 12.801_827_480_081_469),
        (32_768.0, 307_923.422_526_046_05),
    ] {
        assert_close(statistics::ln_gamma(x), expected, 1e-13);
    }
    for (x, df, expected) in [
        (3.0, 2, 0.223_130_160_148_429_8),
        (18.307_038_053_275_146, 10, 0.05),
        (200.0, 256, 0.996_005_379_705_964_4),
        (256.0, 256, 0.488_245_549_095_877_1),
        (350.0, 256, 8.442_998_404_073_936e-5),
        (64_000.0, 65_536, 0.999_990_417_448_989_1),
        (65_536.0, 65_536, 0.499_265_378_021_881_4),
        (67_000.0, 65_536, 2.961_216_155_856_258e-5),
    ] {
        // The logarithms of numbers as large as 65536! cost digits.
        assert_close(statistics::chi_square_tail(x, df), expected, 1e-9);
    }
    let (none, six_or_more) = (0.122_456_428_252_981_9, 1.0 - 0.979_550_919_910_366_6);
    assert_close(statistics::poisson_mid_p(0, 2.1), 1.0 - 0.5 * none, 1e-12);
    let five = none * 2.1f64.powi(5) / 120.0;
    assert_close(statistics::poisson_mid_p(5, 2.1), six_or_more + 0.5 * five, 1e-12);
    for (x, expected) in [
        (0.3, 0.999_990_694_198_665_5),
        (0.5, 0.963_945_243_664_875_1),
        (0.827_573_555_189_907_7, 0.5),
        (1.0, 0.269_999_671_677_354_5),
        (1.358_098_639_322_550_7, 0.05),
        (3.0, 3.045_995_948_942_526e-8),
    ] {
        assert_close(statistics::kolmogorov_tail(x), expected, 1e-12);
    }
}
