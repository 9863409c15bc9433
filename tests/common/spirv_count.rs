//! Counts the instructions of a SPIR-V module.

use std::collections::{BTreeMap, BTreeSet};

/// Opcodes, as in the SPIR-V specification.
mod op {
    pub const ENTRY_POINT: u32 = 15;
    pub const TYPE_POINTER: u32 = 32;
    pub const CONSTANT_TRUE: u32 = 41;
    pub const CONSTANT_FALSE: u32 = 42;
    pub const FUNCTION: u32 = 54;
    pub const FUNCTION_PARAMETER: u32 = 55;
    pub const FUNCTION_END: u32 = 56;
    pub const FUNCTION_CALL: u32 = 57;
    pub const VARIABLE: u32 = 59;
    pub const STORE: u32 = 62;
    pub const ACCESS_CHAIN: u32 = 65;
    pub const LOOP_MERGE: u32 = 246;
    pub const SELECTION_MERGE: u32 = 247;
    pub const LABEL: u32 = 248;
    pub const BRANCH: u32 = 249;
    pub const BRANCH_CONDITIONAL: u32 = 250;
}

/// An instruction's words; the first one has opcode and length.
type Instruction<'a> = &'a [u32];
/// A function's blocks with their labels, the entry block first.
type Function<'a> = Vec<(u32, Vec<Instruction<'a>>)>;

/// The storage class of buffers.
const STORAGE_BUFFER: u32 = 12;

#[derive(Default)]
struct Module<'a> {
    constants: BTreeMap<u32, bool>,
    /// Types and values that point into buffers.
    pointers: BTreeSet<u32>,
    functions: BTreeMap<u32, Function<'a>>,
}

#[derive(Default)]
pub struct Count {
    pub instructions: u64,
    /// Instructions that write to buffers.
    pub stores: u64,
}

/// Counts the instructions that an invocation of the only entry point executes, calls included. A
/// branch on pipeline constants counts the side that is taken, any other branch both. Loops panic.
pub fn count(words: &[u32]) -> Count {
    let (mut module, mut main, mut rest) = (Module::default(), 0, &words[5..]);
    let mut function = 0;
    while let [first, ..] = rest {
        let (instruction, later) = rest.split_at((first >> 16) as usize);
        match first & 0xffff {
            op::ENTRY_POINT => main = instruction[2],
            op::CONSTANT_TRUE => drop(module.constants.insert(instruction[2], true)),
            op::CONSTANT_FALSE => drop(module.constants.insert(instruction[2], false)),
            op::FUNCTION => {
                function = instruction[2];
                module.functions.insert(function, Vec::new());
            }
            op::LABEL => {
                module.functions.get_mut(&function).unwrap().push((instruction[1], Vec::new()))
            }
            op::FUNCTION_END => function = 0,
            op::TYPE_POINTER if instruction[2] == STORAGE_BUFFER => {
                _ = module.pointers.insert(instruction[1])
            }
            op::FUNCTION_PARAMETER => (),
            _ if function != 0 => {
                if first & 0xffff == op::ACCESS_CHAIN && module.pointers.contains(&instruction[1]) {
                    module.pointers.insert(instruction[2]);
                }
                module
                    .functions
                    .get_mut(&function)
                    .unwrap()
                    .last_mut()
                    .unwrap()
                    .1
                    .push(instruction);
            }
            _ => (),
        }
        rest = later;
    }
    let mut count = Count::default();
    module.add(main, &mut count);
    count
}

impl Module<'_> {
    fn add(&self, function: u32, count: &mut Count) {
        let blocks = &self.functions[&function];
        let (mut seen, mut ahead) = (BTreeSet::new(), vec![blocks[0].0]);
        while let Some(label) = ahead.pop() {
            if !seen.insert(label) {
                continue;
            }
            let (_, block) = blocks.iter().find(|(other, _)| *other == label).unwrap();
            for instruction in block {
                match instruction[0] & 0xffff {
                    op::VARIABLE | op::SELECTION_MERGE => (),
                    op::LOOP_MERGE => panic!("a loop in a shader that must have none"),
                    op::BRANCH => ahead.push(instruction[1]),
                    op::BRANCH_CONDITIONAL => match self.constants.get(&instruction[1]) {
                        Some(&known) => ahead.push(instruction[if known { 2 } else { 3 }]),
                        None => {
                            count.instructions += 1;
                            ahead.extend(&instruction[2..4]);
                        }
                    },
                    opcode => {
                        count.instructions += 1;
                        if opcode == op::FUNCTION_CALL {
                            self.add(instruction[3], count);
                        }
                        if opcode == op::STORE && self.pointers.contains(&instruction[1]) {
                            count.stores += 1;
                        }
                    }
                }
            }
        }
    }
}
