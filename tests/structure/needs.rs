//! Which file of a crate needs which other one, and the circles among them.

use std::collections::{BTreeMap, BTreeSet};

use crate::source::{Import, Module, modules};

/// The source files of a crate by their paths.
pub type Sources = BTreeMap<String, String>;

/// By the file that needs and the file that is needed, the names that it takes from there.
#[derive(Debug, Default)]
pub struct Needs<'a>(pub BTreeMap<&'a str, BTreeMap<&'a str, BTreeSet<&'a str>>>);

impl<'a> Needs<'a> {
    /// The needs of all files that `root` declares, directly or by way of others.
    pub fn new(sources: &'a Sources, root: &'a str) -> Self {
        let tree = Tree::new(sources, root);
        let mut needs = Needs::default();
        for index in 0..tree.0.len() {
            let file = tree.0[index].file;
            let needed = needs.0.entry(file).or_default();
            for (other, name) in tree.needs(index) {
                if other != file {
                    needed.entry(other).or_default().insert(name);
                }
            }
        }
        needs
    }

    /// All files that `file` needs, directly or by way of others.
    pub fn reached(&self, file: &'a str) -> BTreeSet<&'a str> {
        let mut reached = BTreeSet::new();
        let mut open = vec![file];
        while let Some(file) = open.pop() {
            let direct = self.0.get(file).into_iter().flat_map(BTreeMap::keys).copied();
            open.extend(direct.filter(|&file| reached.insert(file)));
        }
        reached
    }

    /// The sets of files that need each other.
    pub fn circles(&self) -> Vec<BTreeSet<&'a str>> {
        let reached: BTreeMap<_, _> =
            self.0.keys().map(|&file| (file, self.reached(file))).collect();
        let circle = |file: &&'a str| -> BTreeSet<&'a str> {
            reached[file].iter().copied().filter(|other| reached[other].contains(file)).collect()
        };
        let circles: BTreeSet<_> =
            self.0.keys().map(circle).filter(|files| !files.is_empty()).collect();
        circles.into_iter().collect()
    }

    /// A circle with the names that tie it, a line for each two files.
    pub fn shown(&self, circle: &BTreeSet<&str>) -> String {
        let mut lines = vec![format!("{} files need each other:", circle.len())];
        for file in circle {
            for (other, names) in self.0[file].iter().filter(|(other, _)| circle.contains(*other)) {
                let names: Vec<_> = names.iter().copied().collect();
                lines.push(format!("    {file} -> {other}: {}", names.join(", ")));
            }
        }
        lines.join("\n")
    }
}

/// A file that is needed and the name that is taken from there.
type Need<'a> = Option<(&'a str, &'a str)>;

/// The modules of a crate, the root first.
struct Tree<'a>(Vec<Module<'a>>);

impl<'a> Tree<'a> {
    fn new(sources: &'a Sources, root: &'a str) -> Self {
        let mut tree = Tree(modules(root, &sources[root], 0));
        let mut index = 0;
        while index < tree.0.len() {
            for name in std::mem::take(&mut tree.0[index].declared) {
                let (file, text) = tree.file_of(sources, index, name);
                let child = tree.0.len();
                tree.0.extend(modules(file, text, child));
                tree.0[child].parent = Some(index);
                tree.0[index].children.push((name, child));
            }
            index += 1;
        }
        tree
    }

    fn file_of(&self, sources: &'a Sources, index: usize, name: &str) -> (&'a str, &'a str) {
        let file = self.0[index].file;
        let folder = ["lib.rs", "main.rs", "mod.rs"]
            .iter()
            .find_map(|end| file.strip_suffix(end))
            .map_or_else(|| file.replace(".rs", "/"), str::to_owned);
        let paths = [format!("{folder}{name}.rs"), format!("{folder}{name}/mod.rs")];
        let found = paths.iter().find_map(|path| sources.get_key_value(path));
        let (file, text) =
            found.unwrap_or_else(|| panic!("{file}: mod {name} is at none of {paths:?}"));
        (file, text)
    }

    /// The files that a module needs, each with the name that it takes from there.
    fn needs(&self, index: usize) -> Vec<(&'a str, &'a str)> {
        let module = &self.0[index];
        let mut needs = Vec::new();
        for import in &module.imports {
            if import.alias == "*" {
                for &name in &module.words {
                    let path: Vec<_> =
                        import.path.iter().copied().filter(|s| *s != "*").chain([name]).collect();
                    needs.extend(self.resolve(index, &path, false, 0));
                }
                continue;
            }
            let named = module.words.contains(import.alias);
            if named || !self.is_reexport_of_child(index, import) {
                needs.extend(self.resolve(index, &import.path, true, 0));
            }
        }
        let paths = module.paths.iter();
        needs.extend(paths.filter_map(|path| self.resolve(index, path, true, 0)));
        needs.extend(self.methods_elsewhere(index));
        needs
    }

    /// `pub use child::Name` in the file that declares `child`.
    fn is_reexport_of_child(&self, index: usize, import: &Import<'_>) -> bool {
        let first = import.path.iter().find(|segment| **segment != "self");
        import.public && self.0[index].children.iter().any(|(name, _)| Some(name) == first)
    }

    /// Methods that a file calls on `self` and that an `impl` in another file has for a type of
    /// this one.
    fn methods_elsewhere(&self, index: usize) -> Vec<(&'a str, &'a str)> {
        let module = &self.0[index];
        let here = |call: &str| module.methods.iter().any(|(_, method)| *method == call);
        let calls = module.calls.iter().filter(|call| !here(call));
        let others = self.0.iter().enumerate().filter(|(_, other)| other.file != module.file);
        let methods: Vec<_> = others
            .flat_map(|(at, other)| {
                other.methods.iter().map(move |method| (at, other.file, method))
            })
            .filter(|(at, _, (of, _))| {
                module.items.contains(of)
                    && self.resolve(*at, &[*of], true, 0) == Some((module.file, *of))
            })
            .collect();
        calls
            .flat_map(|call| methods.iter().filter(move |(_, _, (_, method))| method == call))
            .map(|&(_, file, (_, method))| (file, *method))
            .collect()
    }

    /// The file that defines what a path names in a module, and the name there; `None` for other
    /// crates' names and for modules, which only start paths. `lenient`: a name that a module of
    /// this crate lacks is taken for the module's own, made by a macro.
    fn resolve(&self, index: usize, path: &[&'a str], lenient: bool, depth: usize) -> Need<'a> {
        let (first, rest) = path.split_first().filter(|_| depth < 20)?;
        match *first {
            "crate" => self.find(0, rest, lenient, depth + 1),
            "self" => self.find(index, rest, lenient, depth + 1),
            "super" => {
                let path = [&["self"], rest].concat();
                self.resolve(self.0[index].parent?, &path, lenient, depth + 1)
            }
            _ => self.find(index, path, false, depth + 1),
        }
    }

    /// [`Tree::resolve`] for the names of a module.
    fn find(&self, index: usize, path: &[&'a str], lenient: bool, depth: usize) -> Need<'a> {
        let module = &self.0[index];
        let (&name, rest) = path.split_first()?;
        let child = module.children.iter().find(|(child, _)| *child == name);
        match child {
            _ if name == "super" => return self.resolve(index, path, lenient, depth),
            Some(&(_, child)) if !rest.is_empty() => return self.find(child, rest, lenient, depth),
            _ if module.items.contains(name) => return Some((module.file, name)),
            _ => {}
        }
        let named =
            module.imports.iter().find(|import| import.alias == name && import.path != path);
        if let Some(import) = named {
            return self.resolve(index, &[&import.path, rest].concat(), lenient, depth);
        }
        let globs = module.imports.iter().filter(|import| import.alias == "*");
        let mut globs = globs.map(|glob| [&glob.path[..glob.path.len() - 1], path].concat());
        let found = globs.find_map(|path| self.resolve(index, &path, false, depth));
        found.or_else(|| (lenient && child.is_none()).then_some((module.file, name)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The files that need each other, one circle a line, and the needs of all.
    fn circles(files: &[(&str, &str)]) -> (Vec<String>, String) {
        let sources =
            files.iter().map(|(file, text)| (format!("src/{file}"), (*text).to_owned())).collect();
        let needs = Needs::new(&sources, "src/lib.rs");
        let line = |files: BTreeSet<&str>| files.into_iter().collect::<Vec<_>>().join(" ");
        let circles = needs.circles();
        let all = needs.shown(&needs.0.keys().copied().collect());
        (circles.into_iter().map(line).collect(), all)
    }

    #[test]
    fn circle_is_found_by_way_of_others() {
        let (found, needs) = circles(&[
            ("lib.rs", "mod a; mod b; mod c; mod d;"),
            ("a.rs", "use crate::b::B; pub struct A(B);"),
            ("b.rs", "pub struct B; fn f() { let x: super::c::C = c(); }"),
            ("c.rs", "use crate::{a::A, d::D}; pub struct C;"),
            ("d.rs", "use std::fmt; pub struct D;"),
        ]);
        assert_eq!(found, ["src/a.rs src/b.rs src/c.rs"], "{needs}");
        assert!(needs.contains("src/b.rs -> src/c.rs: C"), "{needs}");
        assert!(needs.contains("src/c.rs -> src/d.rs: D"), "{needs}");
    }

    #[test]
    fn reexports_are_followed_to_the_defining_file() {
        let (found, needs) = circles(&[
            ("lib.rs", "mod a; mod b; pub use {a::{self, Made as Other}, b::*};"),
            ("a/mod.rs", "mod made; pub use made::Made;"),
            ("a/made.rs", "use crate::B; pub struct Made;"),
            ("b.rs", "fn f(x: crate::Other, a: crate::a::Made) {} pub struct B;"),
        ]);
        assert_eq!(found, ["src/a/made.rs src/b.rs"], "{needs}");
        assert!(!needs.contains("lib.rs ->") && !needs.contains("a/mod.rs ->"), "{needs}");
    }

    #[test]
    fn module_and_child_need_each_other_only_by_names() {
        let declared = ("lib.rs", "mod a;");
        let used = [
            declared,
            ("a/mod.rs", "mod b; pub use b::B; pub struct A(B);"),
            ("a/b.rs", "pub struct B;"),
        ];
        assert!(circles(&used).0.is_empty());
        let child = ("a/b.rs", "use super::A; pub struct B(A);");
        let (found, needs) =
            circles(&[declared, ("a/mod.rs", "mod b; pub use b::B; pub struct A;"), child]);
        assert!(found.is_empty() && needs.contains("src/a/b.rs -> src/a/mod.rs: A"), "{needs}");
        let (found, _) = circles(&[declared, used[1], child]);
        assert_eq!(found, ["src/a/b.rs src/a/mod.rs"]);
    }

    #[test]
    fn imported_modules_globs_and_inline_modules_are_followed() {
        let (found, needs) = circles(&[
            ("lib.rs", "mod a; mod b; mod c;"),
            ("a.rs", "use crate::b; fn f() { b::g(); }"),
            ("b.rs", "pub fn g() {} mod inner { use crate::c::*; fn h() -> C { C } }"),
            ("c.rs", "use crate::b; pub struct C;"),
        ]);
        assert!(found.is_empty(), "{needs}");
        assert!(needs.contains("src/a.rs -> src/b.rs: g"), "{needs}");
        assert!(needs.contains("src/b.rs -> src/c.rs: C"), "{needs}");
        assert!(!needs.contains("src/c.rs ->"), "{needs}");
    }

    #[test]
    fn methods_of_a_type_in_another_file_are_needs() {
        let lib = ("lib.rs", "mod a; mod b; mod c;");
        let extension = ("b.rs", "use crate::a::A; impl A { fn more(&self) {} }");
        let other = ("c.rs", "pub struct C; impl C { fn more(&self) {} }");
        let calling = ("a.rs", "pub struct A; impl A { fn f(&self) { self.more(); } }");
        assert_eq!(circles(&[lib, calling, extension, other]).0, ["src/a.rs src/b.rs"]);
        let own =
            ("a.rs", "pub struct A; impl A { fn f(&self) { self.more(); } fn more(&self) {} }");
        assert!(circles(&[lib, own, extension, other]).0.is_empty());
    }
}
