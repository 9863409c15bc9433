//! Text and files with a few things wrong.

use std::ops::Range;

use serde_json::{Map, Value, json};

use crate::draw::Draw;

/// Words for texts, one a line: what stands there, and what should not.
pub const JSON: &str = include_str!("dictionaries/json.txt");
pub const RULES: &str = include_str!("dictionaries/rules.txt");
const NUMBERS: &str = include_str!("dictionaries/numbers.txt");

fn word(draw: &mut Draw, dictionary: &str) -> Vec<u8> {
    let count = dictionary.lines().count();
    let mut word = dictionary.lines().nth(draw.below(count)).unwrap().as_bytes().to_vec();
    // What is a statement in rules, and nothing in JSON.
    word.extend(draw.percent(30).then_some(b'\n'));
    word
}

/// One thing of a text changed, or a few: a number, a string or some bytes.
pub fn text(draw: &mut Draw, text: &mut Vec<u8>, dictionary: &str) {
    for _ in 0..[1, 1, 1, 1, 2, 3][draw.below(6)] {
        let (range, with) = edit(draw, text, dictionary);
        text.splice(range, with);
    }
}

/// The bytes to replace, and their replacement.
fn edit(draw: &mut Draw, text: &[u8], dictionary: &str) -> (Range<usize>, Vec<u8>) {
    let at = draw.below(text.len() + 1);
    let until = (at + draw.below(24)).min(text.len());
    match draw.below(12) {
        0..4 => {
            let Some(number) = one_of(draw, &numbers(text)) else { return (at..at, Vec::new()) };
            (number, word(draw, NUMBERS))
        }
        4..7 => {
            let strings = strings(text);
            let pair = (one_of(draw, &strings), one_of(draw, &strings));
            let (Some(string), Some(other)) = pair else { return (at..at, Vec::new()) };
            (string, if draw.percent(40) { text[other].to_vec() } else { word(draw, dictionary) })
        }
        7 => (at..at, word(draw, dictionary)),
        8 => (at..until, word(draw, dictionary)),
        9 => (at..until, Vec::new()),
        10 => (at..at, text[at..until].to_vec()),
        _ => (at..(at + 1).min(text.len()), vec![draw.word() as u8]),
    }
}

fn one_of(draw: &mut Draw, tokens: &[Range<usize>]) -> Option<Range<usize>> {
    (!tokens.is_empty()).then(|| tokens[draw.below(tokens.len())].clone())
}

fn numbers(text: &[u8]) -> Vec<Range<usize>> {
    let mut numbers: Vec<Range<usize>> = Vec::new();
    for i in (0..text.len()).filter(|&i| text[i].is_ascii_digit()) {
        match numbers.last_mut() {
            Some(last) if last.end == i => last.end = i + 1,
            _ => numbers.push(i..i + 1),
        }
    }
    numbers
}

fn strings(text: &[u8]) -> Vec<Range<usize>> {
    let quotes: Vec<usize> =
        (0..text.len()).filter(|&i| text[i] == b'"' && (i == 0 || text[i - 1] != b'\\')).collect();
    quotes.chunks_exact(2).map(|pair| pair[0]..pair[1] + 1).collect()
}

/// A .safetensors file with something wrong in its header, or elsewhere. The header mostly has the
/// length that it says, and often the data that it lists, so that what it lists is what is wrong.
pub fn safetensors(draw: &mut Draw, file: &mut Vec<u8>) {
    let header = usize::try_from(u64::from_le_bytes(file[..8].try_into().unwrap())).unwrap();
    if draw.percent(10) {
        let at = draw.below(file.len());
        match draw.below(3) {
            0 => file[at] ^= 1 << draw.below(8),
            1 => file.truncate(at),
            _ => file.extend([0; 4]),
        }
        return;
    }
    let mut text = file[8..8 + header].to_vec();
    self::text(draw, &mut text, JSON);
    if draw.percent(60)
        && let Some((fitting, data)) = with_data(&text)
    {
        (text, *file) =
            (fitting, [&file[..8 + header], &vec![draw.word() as u8 & 63; data]].concat());
    }
    let len = if draw.percent(95) { text.len() as u64 } else { draw.word() >> draw.below(64) };
    file.splice(..8 + header, len.to_le_bytes().into_iter().chain(text));
}

/// The header with the data's places that its shapes need, and the data's length, if it lists
/// tensors and they are small.
fn with_data(header: &[u8]) -> Option<(Vec<u8>, usize)> {
    let mut tensors: Map<String, Value> = serde_json::from_slice(header).ok()?;
    let mut end = 0;
    for (_, tensor) in tensors.iter_mut().filter(|(name, _)| *name != "__metadata__") {
        let size = match tensor["dtype"].as_str()? {
            "F32" => 4,
            "I64" => 8,
            "F8_E4M3" => 1,
            _ => 2,
        };
        let mut dims = tensor["shape"].as_array()?.iter();
        let bytes = dims
            .try_fold(size, |bytes: u64, dim| bytes.checked_mul(dim.as_u64()?))
            .filter(|&n| n <= 1 << 16)?;
        let start = end;
        end += bytes;
        *tensor.get_mut("data_offsets")? = json!([start, end]);
    }
    Some((serde_json::to_vec(&tensors).ok()?, end as usize))
}
