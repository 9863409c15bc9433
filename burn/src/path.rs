//! Where a traversal of a module is.

/// The names and types of the modules that a traversal has entered.
#[derive(Debug, Default)]
pub(crate) struct Path(Vec<(String, String)>);

impl Path {
    pub(crate) fn enter(&mut self, name: &str, container: &str) {
        self.0.push((name.to_owned(), container.to_owned()));
    }

    pub(crate) fn exit(&mut self) {
        self.0.pop();
    }

    /// The parameter's name: "layers.0.weight".
    pub(crate) fn name(&self) -> String {
        self.0.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>().join(".")
    }

    /// The type that has the parameter as a field: "Linear".
    pub(crate) fn container(&self) -> &str {
        let container = self.0.last().map_or("", |(_, container)| container);
        container.strip_prefix("Struct:").unwrap_or(container)
    }
}

/// Keeps a visitor's or mapper's field `path` up to date.
macro_rules! follow_path {
    () => {
        fn enter_module(&mut self, name: &str, container: &str) {
            self.path.enter(name, container);
        }

        fn exit_module(&mut self, _: &str, _: &str) {
            self.path.exit();
        }
    };
}
pub(crate) use follow_path;
