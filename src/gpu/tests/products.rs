//! Where a shader's products go: which of them a compiler that fuses could leave unrounded.
//!
//! The graph of values that reach others unchanged, through variables, arguments, negation and
//! bitcasts, over all functions of a module. Operations on integers end a way.

use std::collections::{HashMap, HashSet};

use naga::{BinaryOperator, Block, Expression, Handle, MathFunction, Statement, UnaryOperator};

/// A function, or the entry point.
type In = Option<Handle<naga::Function>>;

/// Where a value can be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Place {
    Value(In, Handle<Expression>),
    Local(In, Handle<naga::LocalVariable>),
    Global(Handle<naga::GlobalVariable>),
    Argument(In, u32),
    Result(In),
}

/// A module with one entry point, and the ways of its values.
pub(super) struct Flow<'a> {
    module: &'a naga::Module,
    info: &'a naga::valid::ModuleInfo,
    ways: HashMap<Place, Vec<Place>>,
    /// What the entry point calls, and itself.
    reached: HashSet<In>,
}

impl<'a> Flow<'a> {
    pub(super) fn new(module: &'a naga::Module, info: &'a naga::valid::ModuleInfo) -> Self {
        assert_eq!(module.entry_points.len(), 1, "the entry point is one");
        let mut flow = Flow { module, info, ways: HashMap::new(), reached: HashSet::new() };
        flow.reach(None);
        flow
    }

    fn function(&self, at: In) -> &'a naga::Function {
        at.map_or(&self.module.entry_points[0].function, |handle| &self.module.functions[handle])
    }

    pub(super) fn name(&self, at: In) -> &'a str {
        self.function(at).name.as_deref().unwrap_or("the entry point")
    }

    fn ty(&self, at: In, value: Handle<Expression>) -> &naga::TypeInner {
        let info = at.map_or(self.info.get_entry_point(0), |handle| &self.info[handle]);
        info[value].ty.inner_with(&self.module.types)
    }

    fn is_float(&self, at: In, value: Handle<Expression>) -> bool {
        self.ty(at, value).scalar_kind() == Some(naga::ScalarKind::Float)
    }

    fn way(&mut self, from: Place, to: Place) {
        self.ways.entry(from).or_default().push(to);
    }

    /// Whether other invocations see a variable: what is in it was rounded to be stored.
    fn is_memory(&self, variable: Handle<naga::GlobalVariable>) -> bool {
        use naga::AddressSpace::{Storage, WorkGroup};
        matches!(self.module.global_variables[variable].space, Storage { .. } | WorkGroup)
    }

    /// Adds a function and those that it calls.
    fn reach(&mut self, at: In) {
        if !self.reached.insert(at) {
            return;
        }
        let function = self.function(at);
        for (value, expression) in function.expressions.iter() {
            self.expression(at, value, expression);
        }
        self.block(at, &function.body);
    }

    /// A value that is another one; a pointer leads both ways.
    fn same(&mut self, from: Place, at: In, value: Handle<Expression>) {
        self.way(from, Place::Value(at, value));
        if self.ty(at, value).pointer_space().is_some() {
            self.way(Place::Value(at, value), from);
        }
    }

    fn expression(&mut self, at: In, value: Handle<Expression>, expression: &Expression) {
        let inner = |inner: Handle<Expression>| Place::Value(at, inner);
        let from = match *expression {
            Expression::FunctionArgument(number) => vec![Place::Argument(at, number)],
            Expression::LocalVariable(variable) => vec![Place::Local(at, variable)],
            Expression::GlobalVariable(variable) if !self.is_memory(variable) => {
                vec![Place::Global(variable)]
            }
            Expression::CallResult(function) => vec![Place::Result(Some(function))],
            Expression::Access { base, .. } | Expression::AccessIndex { base, .. } => {
                vec![inner(base)]
            }
            Expression::Load { pointer } => vec![inner(pointer)],
            Expression::Splat { value, .. } => vec![inner(value)],
            Expression::Swizzle { vector, .. } => vec![inner(vector)],
            Expression::Compose { ref components, .. } => {
                components.iter().copied().map(inner).collect()
            }
            Expression::Select { accept, reject, .. } => vec![inner(accept), inner(reject)],
            Expression::Unary { op: UnaryOperator::Negate, expr }
            | Expression::As { expr, convert: None, .. } => vec![inner(expr)],
            Expression::Math {
                fun: MathFunction::Abs | MathFunction::Min | MathFunction::Max,
                arg,
                arg1,
                ..
            } => [arg].into_iter().chain(arg1).map(inner).collect(),
            _ => Vec::new(),
        };
        from.into_iter().for_each(|from| self.same(from, at, value));
    }

    fn block(&mut self, at: In, block: &Block) {
        for statement in block {
            match statement {
                Statement::Block(inner) => self.block(at, inner),
                Statement::If { accept, reject, .. } => {
                    self.block(at, accept);
                    self.block(at, reject);
                }
                Statement::Switch { cases, .. } => {
                    cases.iter().for_each(|case| self.block(at, &case.body));
                }
                Statement::Loop { body, continuing, .. } => {
                    self.block(at, body);
                    self.block(at, continuing);
                }
                &Statement::Store { pointer, value } => {
                    self.way(Place::Value(at, value), Place::Value(at, pointer));
                }
                &Statement::Return { value: Some(value) } => {
                    self.way(Place::Value(at, value), Place::Result(at));
                }
                Statement::Call { function, arguments, result: Some(result) }
                    if self.returned(*function).is_some() =>
                {
                    // Each call by itself, unlike those below.
                    let argument = self.returned(*function).map(|number| arguments[number]);
                    let from = argument.map(|argument| Place::Value(at, argument));
                    from.into_iter().for_each(|from| self.way(from, Place::Value(at, *result)));
                }
                Statement::Call { function, arguments, .. } => {
                    for (&argument, number) in arguments.iter().zip(0..) {
                        let to = Place::Argument(Some(*function), number);
                        self.way(Place::Value(at, argument), to);
                        if self.ty(at, argument).pointer_space().is_some() {
                            self.way(to, Place::Value(at, argument));
                        }
                    }
                    self.reach(Some(*function));
                }
                _ => {}
            }
        }
    }

    /// The argument that a function returns, if it does no more.
    fn returned(&self, function: Handle<naga::Function>) -> Option<usize> {
        let function = self.function(Some(function));
        let first = function.body.iter().find(|it| !matches!(it, Statement::Emit(_)))?;
        match *first {
            Statement::Return { value: Some(value) } => match function.expressions[value] {
                Expression::FunctionArgument(number) => Some(number as usize),
                _ => None,
            },
            _ => None,
        }
    }

    /// All places that values come to from these.
    fn spread(&self, from: impl IntoIterator<Item = Place>) -> HashSet<Place> {
        let (mut seen, mut left) = (HashSet::new(), Vec::from_iter(from));
        while let Some(place) = left.pop() {
            if seen.insert(place) {
                left.extend(self.ways.get(&place).into_iter().flatten());
            }
        }
        seen
    }

    fn all(&self) -> impl Iterator<Item = (In, Handle<Expression>, &'a Expression)> {
        self.reached.iter().flat_map(|&at| {
            self.function(at).expressions.iter().map(move |(value, inner)| (at, value, inner))
        })
    }

    /// All places that products of floats come to unchanged.
    fn products(&self) -> HashSet<Place> {
        let products = self.all().filter(|&(at, value, expression)| {
            matches!(expression, Expression::Binary { op: BinaryOperator::Multiply, .. })
                && self.is_float(at, value)
        });
        self.spread(products.map(|(at, value, _)| Place::Value(at, value)))
    }

    /// The functions with a sum of floats of which a term is a product: a compiler may fuse the two.
    pub(super) fn fusible(&self) -> Vec<&'a str> {
        let products = self.products();
        let sums = self.all().filter(|&(at, value, expression)| match *expression {
            Expression::Binary {
                op: BinaryOperator::Add | BinaryOperator::Subtract,
                left,
                right,
            } => {
                let is_product = |term| products.contains(&Place::Value(at, term));
                self.is_float(at, value) && (is_product(left) || is_product(right))
            }
            _ => false,
        });
        sums.map(|(at, ..)| self.name(at)).collect()
    }

    /// The functions with a fused multiply-add of which a factor is a product, and the other is not
    /// the guard's: a compiler may take other factors together.
    pub(super) fn unguarded(&self) -> Vec<&'a str> {
        let products = self.products();
        let guard = self.global("guard").map(|(guard, _)| Place::Global(guard));
        let guard = self.spread(guard);
        let fused = self.all().filter(|&(at, _, expression)| match *expression {
            Expression::Math { fun: MathFunction::Fma, arg, arg1: Some(arg1), .. } => {
                let [a, b] = [arg, arg1].map(|factor| Place::Value(at, factor));
                let is_open = |a, b| products.contains(a) && !guard.contains(b);
                is_open(&a, &b) || is_open(&b, &a)
            }
            _ => false,
        });
        fused.map(|(at, ..)| self.name(at)).collect()
    }

    fn global(
        &self,
        name: &str,
    ) -> Option<(Handle<naga::GlobalVariable>, &'a naga::GlobalVariable)> {
        let mut globals = self.module.global_variables.iter();
        globals.find(|(_, variable)| variable.name.as_deref() == Some(name))
    }

    /// The number of fused multiply-adds.
    pub(super) fn fused(&self) -> usize {
        let is_fused = |expression: &Expression| {
            matches!(expression, Expression::Math { fun: MathFunction::Fma, .. })
        };
        self.all().filter(|(.., expression)| is_fused(expression)).count()
    }

    /// Operations on floats other than + - *, which devices round differently, by their functions.
    pub(super) fn inexact(&self) -> Vec<(&'a str, String)> {
        use MathFunction::{Abs, Fma, Max, Min, Pack2x16float};
        let inexact = self.all().filter_map(|(at, value, expression)| {
            let operation = match expression {
                Expression::Binary {
                    op: op @ (BinaryOperator::Divide | BinaryOperator::Modulo),
                    ..
                } if self.is_float(at, value) => format!("{op:?}"),
                &Expression::Math { fun, arg, .. }
                    if self.is_float(at, arg)
                        && !matches!(fun, Abs | Fma | Max | Min | Pack2x16float) =>
                {
                    format!("{fun:?}")
                }
                _ => return None,
            };
            Some((self.name(at), operation))
        });
        inexact.collect()
    }

    /// Whether the numbers of the global `guard` come from a uniform, and from there alone, so that
    /// no compiler knows them; `None` if nothing reads it.
    pub(super) fn is_guard_unknown(&self) -> Option<bool> {
        let (guard, variable) = self.global("guard")?;
        self.all().find(|&(at, _, expression)| {
            at.is_some() && matches!(*expression, Expression::GlobalVariable(it) if it == guard)
        })?;
        let uniforms = self.module.global_variables.iter();
        let uniforms = uniforms.filter(|(_, it)| it.space == naga::AddressSpace::Uniform);
        let come = self.spread(uniforms.map(|(handle, _)| Place::Global(handle)));
        Some(variable.init.is_none() && come.contains(&Place::Global(guard)))
    }
}
