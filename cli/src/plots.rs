//! What the program's plots share.

use plotters::style::RGBColor;

/// Okabe and Ito's, which the colour-blind can tell apart; yellow is too light for lines.
pub(crate) const COLORS: [RGBColor; 6] = [
    RGBColor(0, 114, 178),
    RGBColor(213, 94, 0),
    RGBColor(0, 158, 115),
    RGBColor(204, 121, 167),
    RGBColor(120, 120, 120),
    RGBColor(86, 180, 233),
];

pub(crate) const GRID: RGBColor = RGBColor(226, 226, 226);

/// 2¹² or 10⁻³, as plots label them.
pub(crate) fn power(base: u32, exponent: i32) -> String {
    const DIGITS: [char; 10] = ['⁰', '¹', '²', '³', '⁴', '⁵', '⁶', '⁷', '⁸', '⁹'];
    let raised = |c: char| c.to_digit(10).map_or('⁻', |digit| DIGITS[digit as usize]);
    let exponent: String = exponent.to_string().chars().map(raised).collect();
    format!("{base}{exponent}")
}

#[cfg(test)]
mod tests {
    use super::power;

    #[test]
    fn exponents_are_raised() {
        assert_eq!([power(2, 10), power(10, -35), power(10, 0)], ["2¹⁰", "10⁻³⁵", "10⁰"]);
    }
}
