//! Random tensors: a part has the bits of the whole, all values are within what the distribution
//! can give, and a GPU has the CPU's bits.

use gpu_init::half::{bf16, f16};
use gpu_init::{Cpu, DType, Distribution, F8E4M3, F8E5M2, Fill, HostTensor, TensorSpec};

use crate::campaign::campaign;
use crate::gpu;
use crate::request::Request;

/// The most elements that are filled, and of tensors that are made as a whole for any slice.
const MOST: u64 = 1 << 18;
const MOST_WHOLE: u64 = 1 << 16;

/// What failed once: a request on each line.
const CORPUS: &str = include_str!("corpus/requests.jsonl");

fn corpus() -> impl Iterator<Item = Request> {
    CORPUS
        .lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{line}: {error}")))
}

/// Runs a check, and says of what if it panics.
fn checked<T>(request: &Request, check: impl FnOnce() -> T) -> T {
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(check)).unwrap_or_else(|panic| {
        eprintln!("request: {}", serde_json::to_string(request).unwrap());
        std::panic::resume_unwind(panic)
    })
}

#[test]
fn requests_on_the_cpu() {
    corpus().for_each(|request| drop(checked(&request, || check_on_cpu(&request))));
    let (mut all, mut filled) = (0, 0);
    campaign("requests_on_the_cpu", 60_000, |draw| {
        let request = Request::draw(draw);
        all += 1;
        filled += u64::from(checked(&request, || check_on_cpu(&request)).is_some());
    });
    println!("{filled} of {all} were filled");
    assert!(all < 100 || filled > all / 3, "hardly anything was filled");
}

#[test]
fn requests_on_the_gpu() {
    let Some(device) = gpu::device() else { return };
    let check = |requests: &[Request]| {
        let made: Vec<_> = requests
            .iter()
            .filter_map(|request| Some((request, checked(request, || check_on_cpu(request))?)))
            .collect();
        let parameters: Vec<_> = made.iter().map(|(_, (parameter, _))| parameter.clone()).collect();
        // Together, as they share buffers and dispatches then; the first one by itself, too.
        let tensors =
            device.fill_all(&parameters).unwrap_or_else(|error| panic!("{error}: {requests:?}"));
        let alone = parameters.first().map(|parameter| device.fill(parameter).unwrap());
        for (tensor, (request, (_, expected))) in
            tensors.iter().zip(&made).chain(alone.iter().zip(&made))
        {
            checked(request, || {
                let actual = tensor.read().unwrap();
                assert_same_bits(&actual, expected);
                assert_eq!(tensor.fingerprint().unwrap(), expected.fingerprint());
                assert_eq!(tensor.stats().unwrap(), expected.stats());
            });
        }
    };
    corpus().for_each(|request| check(&[request]));
    campaign("requests_on_the_gpu", 40, |draw| {
        let count = 1 + draw.below(24);
        check(&(0..count).map(|_| Request::draw(draw)).collect::<Vec<_>>());
    });
}

fn assert_same_bits(actual: &HostTensor, expected: &HostTensor) {
    let size = expected.dtype().size() as usize;
    assert_eq!((actual.dtype(), actual.len()), (expected.dtype(), expected.len()));
    let pairs = actual.as_bytes().chunks(size).zip(expected.as_bytes().chunks(size));
    if let Some((element, (actual, expected))) = pairs.enumerate().find(|(_, (a, b))| a != b) {
        panic!("element {element} is {actual:02x?}, not {expected:02x?}");
    }
}

/// The tensor, if the request makes sense and is no more work than a test should be.
fn check_on_cpu(request: &Request) -> Option<(TensorSpec, HostTensor)> {
    let parameter = request.parameter()?;
    let fill = match parameter.resolve(0, 0) {
        Ok(fill) => fill,
        Err(error) => {
            let message = error.to_string();
            assert!(!message.is_empty() && !message.contains('\n'), "{message}");
            assert_eq!(Cpu::new().fill(&parameter).unwrap_err(), error);
            return None;
        }
    };
    assert!(request.local().is_some(), "nothing is left of it, but it resolves");
    let whole = request.whole().parameter()?;
    let elements = whole.resolve(0, 0).unwrap().len;
    let all_at_once =
        matches!(fill.distribution, Distribution::Orthogonal { .. } | Distribution::Sparse { .. });
    if fill.len > MOST || (all_at_once && elements > MOST_WHOLE) {
        return None;
    }
    let tensor = Cpu::new().fill(&parameter).unwrap();
    let indices = request.indices().expect("an element that is filled is not in the tensor");
    assert_eq!([tensor.len(), fill.len], [indices.len() as u64; 2]);
    check_values(request, &fill, &tensor, &indices);
    check_halves(request, &parameter, &tensor);
    if elements <= MOST_WHOLE {
        check_against_whole(request, &Cpu::new().fill(&whole).unwrap(), &tensor, &indices);
    }
    Some((parameter, tensor))
}

/// Every value is one that the distribution can give, and all of them are distributed as it says.
fn check_values(request: &Request, fill: &Fill, tensor: &HostTensor, indices: &[u64]) {
    let round = |value: f64| match fill.dtype {
        DType::F32 => value as f32,
        DType::F16 => f16::from_f32(value as f32).to_f32(),
        DType::BF16 => bf16::from_f32(value as f32).to_f32(),
        DType::F64 => value as f32,
        DType::F8E4M3 => F8E4M3::from_f32(value as f32).to_f32(),
        DType::F8E5M2 => F8E5M2::from_f32(value as f32).to_f32(),
        // Bounds of integers.
        _ => value as f32,
    };
    let (low, high) = fill.distribution.bounds();
    let (low, high) = (round(low), round(high));
    for (&index, value) in indices.iter().zip(tensor.to_f32()) {
        let good = if request.is_zeroed(index) {
            value.to_bits() == 0
        } else {
            low <= value && value <= high
        };
        assert!(good, "element {index} is {value:?}, which is not within {low:?} to {high:?}");
    }
    assert_eq!(tensor.stats().disagreement(fill), None);
}

/// Two halves are the whole of them, and so are their fingerprints.
fn check_halves(request: &Request, parameter: &TensorSpec, tensor: &HostTensor) {
    let len = tensor.len();
    if len < 2 {
        return;
    }
    let start = request.elements.as_ref().map_or(0, |elements| elements.start);
    // Not at the middle: of an odd number, wherever the elements are.
    let cut = start + (len * 3 / 7).max(1);
    let halves = [start..cut, cut..start + len];
    let halves = halves.map(|half| Cpu::new().fill(&parameter.clone().elements(half)).unwrap());
    assert!(
        halves.each_ref().map(HostTensor::as_bytes).concat() == tensor.as_bytes(),
        "two halves have other bits"
    );
    assert_eq!(halves[0].fingerprint() + halves[1].fingerprint(), tensor.fingerprint());
}

/// Each element is the whole tensor's, or zero.
fn check_against_whole(
    request: &Request,
    whole: &HostTensor,
    tensor: &HostTensor,
    indices: &[u64],
) {
    let size = whole.dtype().size() as usize;
    for (index, value) in indices.iter().zip(tensor.as_bytes().chunks(size)) {
        let at = *index as usize * size;
        let zero = request.is_zeroed(*index) && value.iter().all(|&byte| byte == 0);
        assert!(
            zero || value == &whole.as_bytes()[at..at + size],
            "element {index} is not that of the whole"
        );
    }
}
